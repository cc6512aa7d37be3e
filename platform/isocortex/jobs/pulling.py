"""Pull workers: they ask a server for jobs over HTTPS, and need no database and no open port.

    with RemoteCounter("https://brains.example.org", token) as counter:
        pull_alone(counter)

The server fences their leases as it does those of its own workers: a worker that is killed, cut off
or late changes nothing.
"""

import logging
import os
import random
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import httpx2

from .. import __version__, settings
from ..errors import (
    AccessError,
    InputError,
    IsocortexError,
    LeaseLostError,
    StoreError,
    UnknownNameError,
)
from ..store.environments import environment_facts
from ..store.queue import Claim, Lease, Outcome
from . import wire
from .desk import Desk
from .downloading import fetch_blob
from .heart import Heart
from .worker import work_on, worker_facts, worker_name

log = logging.getLogger(__name__)

_IDLE_SECONDS: Final = 1.0
_LONGEST_IDLE: Final = 8.0
_LONGEST_PAUSE: Final = 60.0
_ERRORS: Final[Mapping[int, type[IsocortexError]]] = {
    401: AccessError,
    403: AccessError,
    404: UnknownNameError,
    409: LeaseLostError,
    413: InputError,
    422: InputError,
}


class RemoteCounter:
    """The queue of a server, as a worker's desk needs it; it may be used by two threads.

    Raises AccessError if the token may not work, InputError if the server refuses what was sent,
    LeaseLostError for a job that is another's by now, and StoreError for all that may pass.
    """

    def __init__(
        self,
        server: str,
        token: str,
        *,
        seconds: float = 30.0,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self.server = _address(server)
        self.worker = worker_name()
        self._http = httpx2.Client(
            base_url=f"{self.server}/api/v1/work",
            headers={
                "Authorization": f"Bearer {token}",
                "User-Agent": f"isocortex/{__version__}",
                "Accept-Encoding": "identity",
            },
            timeout=seconds,
            transport=transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def enlist(self) -> None:
        """Say that this worker takes jobs from now on."""
        told = wire.Introduction(worker=self.worker, version=__version__, facts=worker_facts())
        self._send("POST", "/workers", told)

    def dismiss(self) -> None:
        """Say that it takes no more."""
        self._send("DELETE", f"/workers/{self.worker}")

    def claim(self, worker: str) -> Claim | None:
        """What is to be done next, or None."""
        found = self._send("POST", "/claims", wire.Asking(worker=worker)).content
        if found == b"null":
            return None
        return wire.claim_of(wire.GivenClaim.model_validate_json(found))

    def beat(
        self,
        worker: str,
        leases: Sequence[Lease] = (),
        *,
        progress: Mapping[int, Mapping[str, Any]] | None = None,
    ) -> frozenset[int]:
        """The ids of the jobs that are still held; none if the token was revoked."""
        held = [wire.Held(job_id=each.job_id, attempt=each.attempt) for each in leases]
        facts = {job_id: dict(each) for job_id, each in (progress or {}).items()}
        told = wire.Beating(worker=worker, held=held, progress=facts)
        try:
            return frozenset(self._send("POST", "/beats", told).json())
        except AccessError as error:
            log.error("worker %s: %s", worker, error)
            return frozenset()

    def stored_score(self, candidate_fingerprint: str, benchmark_fingerprint: str) -> int | None:
        """The id of the current score of these versions, if they were scored."""
        path = f"/scores/{candidate_fingerprint}/{benchmark_fingerprint}"
        found: int | None = self._send("GET", path).json()
        return found

    def finish(self, lease: Lease, outcome: Outcome) -> int:
        """The id of the score, committed with the job's end."""
        content = wire.encode_outcome(self.worker, lease, outcome, environment=environment_facts())
        return int(self._send("PUT", f"/jobs/{lease.job_id}/score", content).json())

    def finish_with_stored(self, lease: Lease, score_id: int) -> None:
        """End the job with a score that is there."""
        self._end(lease, what="stored", score_id=score_id)

    def fail(self, lease: Lease, reason: str, *, peak_bytes: int | None = None) -> None:
        """End the job without a score, by the model's fault."""
        self._end(lease, what="fail", reason=reason[:_LONGEST_REASON], peak_bytes=peak_bytes)

    def retry(self, lease: Lease, reason: str) -> None:
        """Put the job back, or give it up, after trouble that was not the model's."""
        self._end(lease, what="retry", reason=reason[:_LONGEST_REASON])

    def release(self, lease: Lease, reason: str) -> None:
        """Put the job back as if it had not been taken."""
        self._end(lease, what="release", reason=reason[:_LONGEST_REASON])

    def log(self, subject: Lease | str, kind: str, text: str) -> None:
        """Add a line about a job; lines about submissions are the server's own."""
        if isinstance(subject, Lease):
            self._end(subject, what="log", reason=text[:_LONGEST_REASON])

    def blob_request(self, lease: Lease, first: int) -> httpx2.Request:
        """The request for the file of a held job's submission, from its byte `first` on."""
        query: dict[str, str | int] = {"attempt": lease.attempt, "worker": self.worker}
        headers = {"Range": f"bytes={first}-"} if first else {}
        path = f"/jobs/{lease.job_id}/blob"
        return self._http.build_request("GET", path, params=query, headers=headers)

    def send(self, request: httpx2.Request, *, stream: bool = False) -> httpx2.Response:
        """The answer to a request; an error that it tells is raised."""
        try:
            response = self._http.send(request, stream=stream)
            if response.status_code >= 400:
                response.read()
        except httpx2.TransportError as error:
            raise StoreError(f"{self.server} can't be reached: {error}") from None
        if response.status_code == 416 or response.is_success:
            return response
        error_kind = _ERRORS.get(response.status_code, StoreError)
        raise error_kind(f"{self.server} answered {response.status_code}: {_detail(response)}")

    def _end(self, lease: Lease, **facts: Any) -> None:
        told = wire.Ending(worker=self.worker, attempt=lease.attempt, **facts)
        self._send("POST", f"/jobs/{lease.job_id}", told)

    def _send(
        self, method: str, path: str, body: wire.Told | bytes | None = None
    ) -> httpx2.Response:
        content = body.model_dump_json().encode() if isinstance(body, wire.Told) else body
        kind = "application/json" if isinstance(body, wire.Told) else "application/octet-stream"
        headers = {} if content is None else {"Content-Type": kind}
        return self.send(self._http.build_request(method, path, content=content, headers=headers))


def pull_alone(counter: RemoteCounter, *, once: bool = False, parent: int | None = None) -> int:
    """Work for the server until asked to stop; the process's exit status.

    To be called in the main thread. `once` ends when there is nothing to do; `parent` is the
    process whose end asks to stop. Raises AccessError, and InputError for another version.
    """
    desk = Desk(counter, counter.worker)
    heart = Heart(desk, parent=parent)
    with heart.listening(), heart:
        _enlist(counter, desk)
        _work(counter, desk, once)
    try:
        counter.dismiss()
    except StoreError as error:
        log.warning("%s", error)
    return 0


def _enlist(counter: RemoteCounter, desk: Desk) -> None:
    """Introduce the worker, as soon as the server can be reached."""
    pause = 1.0
    while not desk.stopping.is_set():
        try:
            counter.enlist()
        except StoreError as error:
            log.warning("worker %s: %s; once more in %g seconds", desk.worker, error, pause)
            desk.stopping.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        else:
            return


def _work(counter: RemoteCounter, desk: Desk, once: bool) -> None:
    idle, pause = _IDLE_SECONDS, 0.0
    while not desk.stopping.is_set():
        worked = work_on(desk, partial(_run_claim, counter))
        if not worked and once:
            return
        pause = min(2 * pause + 1, _LONGEST_PAUSE) if desk.troubles else 0.0
        idle = _IDLE_SECONDS if worked else min(1.5 * idle, _LONGEST_IDLE)
        rest = 0.0 if worked else idle * random.uniform(0.5, 1.5)
        desk.stopping.wait(max(pause, rest))


def _run_claim(counter: RemoteCounter, desk: Desk, claim: Claim) -> None:
    """Fetch the claim's file, load its model and score it."""
    from ..submissions.loading import loaded  # torch comes with it
    from .runner import run_claim

    path = None
    if claim.submission.blob is not None:
        path = fetch_blob(counter, claim.leases[0], claim.submission.blob)
    run_claim(desk, claim, load=lambda submission: loaded(submission, path))


def _address(server: str) -> str:
    """The server's address; a token goes over HTTPS alone, unless it stays on this computer."""
    parts = urlsplit(server)
    if parts.scheme == "https" and parts.hostname:
        return server.rstrip("/")
    if parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost"):
        return server.rstrip("/")
    raise InputError(
        f"the server is {server!r}; give its address as https://…, since a token that goes "
        "unencrypted can be read by others"
    )


def _detail(response: httpx2.Response) -> str:
    try:
        return str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return response.text[:200]


_LONGEST_REASON: Final = 10_000


def main(arguments: Sequence[str]) -> int:
    """One worker process: server, parent's process id, and `once` if it is to end; exit status."""
    server, parent, *rest = arguments
    token = settings.token() or ""
    os.environ.pop("ISOCORTEX_TOKEN", None)  # a plug-in that is run here shall not find it
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        with RemoteCounter(server, token) as counter:
            return pull_alone(counter, once=rest == ["once"], parent=int(parent))
    except IsocortexError as error:
        log.error("%s", error)
        return error.exit_status


if __name__ == "__main__":
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # before onnxruntime is imported
    sys.exit(main(sys.argv[1:]))
