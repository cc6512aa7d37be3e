"""The application: REST API below `/api/v1`, pages beside it, and the headers of every answer."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from isocortex import __version__, ontology
from isocortex.accounts.providers import Flows
from isocortex.cards import CARD_TYPES
from isocortex.errors import StoreError
from isocortex.fingerprints import fingerprint
from isocortex.store import Store, open_store

from . import (
    account_pages,
    account_settings,
    accounts_api,
    api,
    api_page,
    pages,
    pauses,
    problems,
    provider_pages,
    rate_limits,
    sign_in_pages,
    study_pages,
)
from .body_limits import BodyLimited
from .catalogue import registered_cards
from .intake import intake_open, take_submissions
from .metrics import Measured, Metrics
from .openapi import use_document
from .prerendering import HeadAnswered, Prerendered

_FOLDER: Final = Path(__file__).parent
_SECURITY: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self'; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # without any, forms would have the origin `null`
}
_DESCRIPTION: Final = (
    "Scores of neural networks against recordings of brains, with ceilings and intervals. "
    "Names hold `/` and `#`: write `#` as `%23`. What depends on the data carries an `ETag` that "
    "changes with them, lists come in pages (`next`, and the header `Link`), and every error is an "
    "`application/problem+json`. Without credentials one sees what is public."
)

_CROSS_ORIGIN: Final[dict[str, Any]] = {
    "allow_origins": ["*"],  # for reading, and with tokens; cookies are never let through
    "allow_methods": ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
    "allow_headers": [
        *("Authorization", "Content-Type", "Idempotency-Key", "If-None-Match"),
        *("Last-Event-ID", "Upload-Offset"),
    ],
    "expose_headers": [
        *("ETag", "Link", "Location", "Retry-After", "Content-Disposition"),
        *("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"),
        *("Upload-Offset", "Upload-Length", "Idempotency-Replayed"),
    ],
    "max_age": 86_400,
}


_ROOMS: Final = (
    *(api, pages, study_pages, accounts_api, sign_in_pages, account_pages, provider_pages),
    api_page,
)


def create_app(store_url: str | None = None) -> FastAPI:
    """The application on the store at `store_url`, by default `settings.database_url()`.

    The store is opened here, so that StoreError comes now, and closed when the server stops.
    """
    account_settings.check()
    store = open_store(store_url)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        first_look = asyncio.create_task(run_in_threadpool(_look, store))
        with intake_open(store), pauses.shortened():
            yield
        await first_look
        store.close()

    app = FastAPI(
        title="isocortex",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=lifespan,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # Swagger's page loads scripts from elsewhere
        redoc_url=None,
        openapi_tags=api.TAGS,
    )
    _share(app, store)
    problems.handle_errors(app)
    _add_middleware(app, store)
    take_submissions(app, store)
    for room in _ROOMS:
        app.include_router(room.router)
    use_document(app)
    app.mount("/static", StaticFiles(directory=_FOLDER / "static"), name="static")
    return app


def _share(app: FastAPI, store: Store) -> None:
    """What routes and middleware have in common."""
    app.state.store = store
    app.state.code_version = _code_version()
    app.state.metrics = Metrics()
    app.state.cursor_secret = store.secret("cursors")
    app.state.rate_limits = rate_limits.RateLimits()
    app.state.flows = Flows()


def _add_middleware(app: FastAPI, store: Store) -> None:
    """From the inside to the outside: the last one sees a request first."""
    app.add_middleware(GZipMiddleware, minimum_size=1024, compresslevel=4)
    app.add_middleware(Prerendered, store=store, code_version=app.state.code_version)
    app.add_middleware(HeadAnswered)
    app.add_middleware(BodyLimited)
    app.add_middleware(CORSMiddleware, **_CROSS_ORIGIN)
    app.add_middleware(
        rate_limits.RateLimited, limits=app.state.rate_limits, answer=problems.of_error
    )
    app.add_middleware(_Protected)
    app.add_middleware(Measured, metrics=app.state.metrics)


def _look(store: Store) -> None:
    """Read the scores before the first visitor waits for them."""
    with contextlib.suppress(StoreError):  # who asks is told
        store.benchmarks()


class _Protected:
    """Adds the headers that protect, to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""

        async def send_protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_SECURITY)
                if scope["path"] == "/embed":
                    policy = _SECURITY["Content-Security-Policy"]
                    framed = policy.replace("frame-ancestors 'none'", "frame-ancestors *")
                    headers["Content-Security-Policy"] = framed
            await send(message)

        await self.app(scope, receive, send_protected)


def _code_version() -> str:
    """What changes when pages, cards or the ontology change although the scores do not."""
    cards = {str(kind): dict(registered_cards(kind)) for kind in CARD_TYPES}
    digest = hashlib.sha256(fingerprint(cards).encode() + Path(ontology.__file__).read_bytes())
    for path in sorted(_FOLDER.rglob("*")):
        if path.suffix in (".py", ".html"):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
