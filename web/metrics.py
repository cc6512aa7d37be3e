"""What the service does, for Prometheus: requests and seconds, jobs by state, workers, scores.

Requests are those of one process: with several, each answers for itself. The label `process` keeps
their counts apart, so that sums over it are right whoever answered.
"""

import os
import time
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from isocortex.store import Store

_SECONDS: Final = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """The counts of one application."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "isocortex_requests",
            "Requests by operation and status.",
            ("method", "operation", "status", "process"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "isocortex_request_seconds",
            "Seconds until the whole answer was sent.",
            ("operation", "process"),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._gauges = {
            name: Gauge(f"isocortex_{name}", text, labels, registry=self._registry)
            for name, text, labels in (
                ("jobs", "Jobs by state; those queued wait for a worker.", ("state",)),
                ("workers", "Workers that were not stopped.", ()),
                ("models", "Public models with scores.", ()),
                ("benchmarks", "Benchmarks with public scores.", ()),
            )
        }
        self._process = str(os.getpid())

    def count(self, method: str, operation: str, status: int, seconds: float) -> None:
        """Count an answer."""
        known = method if method in _METHODS else "other"
        self._requests.labels(known, operation, str(status), self._process).inc()
        self._seconds.labels(operation, self._process).observe(seconds)

    def text(self, store: Store) -> tuple[bytes, str]:
        """All counts in Prometheus' text format, and its media type."""
        self._gauges["jobs"].clear()
        for state, count in store.queue.counts().items():
            self._gauges["jobs"].labels(state).set(count)
        self._gauges["workers"].set(len(store.queue.workers()))
        self._gauges["models"].set(len(store.models()))
        self._gauges["benchmarks"].set(len(store.benchmarks()))
        return generate_latest(self._registry), CONTENT_TYPE_LATEST


class Measured:
    """Counts every request."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self.app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 500

        async def send_and_look(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, send_and_look)
        finally:
            # Only routes are labels: addresses that lead nowhere are without number.
            seconds = time.perf_counter() - begun
            self._metrics.count(scope["method"], _operation(scope), status, seconds)


def _operation(scope: Scope) -> str:
    """The operation that answered, by its name in the OpenAPI document; of a page its function's.

    What was kept is answered by none, and an address that leads nowhere neither.
    """
    route = scope.get("route")
    names = (getattr(route, "operation_id", None), getattr(route, "name", None))
    return str(next(filter(None, names), scope.get("kept_answer", "none")))
