"""The application: REST API below `/api/v1`, pages beside it, and the headers of every answer."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool

from isocortex import __version__, ontology
from isocortex.cards import CARD_TYPES
from isocortex.errors import StoreError
from isocortex.fingerprints import fingerprint
from isocortex.store import Store, open_store

from . import api, pages, problems
from .catalogue import registered_cards

_FOLDER: Final = Path(__file__).parent
_SECURITY: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'none'; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_DESCRIPTION: Final = (
    "Scores of neural networks against recordings of brains, with ceilings and intervals. "
    "All data are read-only. Names hold `/` and `#`: write `#` as `%23`. Every answer carries an "
    "`ETag` that changes with the data, and every error is an `application/problem+json`."
)

Next = Callable[[Request], Awaitable[Response]]


def create_app(store_url: str | None = None) -> FastAPI:
    """The application on the store at `store_url`, by default `settings.database_url()`.

    The store is opened here, so that StoreError comes now, and closed when the server stops.
    """
    store = open_store(store_url)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
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
    app.state.store = store
    app.state.code_version = _code_version()
    problems.handle_errors(app)
    app.middleware("http")(_answer_unchanged)
    app.middleware("http")(_protect)
    app.add_middleware(GZipMiddleware, minimum_size=1024, compresslevel=5)
    app.include_router(api.router)
    app.include_router(pages.router)
    app.mount("/static", StaticFiles(directory=_FOLDER / "static"), name="static")
    return app


async def _protect(request: Request, proceed: Next) -> Response:
    response = await proceed(request)
    response.headers.update(_SECURITY)
    return response


async def _answer_unchanged(request: Request, proceed: Next) -> Response:
    """Answer 304 where the client has what the data still say; else add the ETag."""
    if request.method != "GET" or not _depends_on_data(request.url.path):
        return await proceed(request)
    store: Store = request.app.state.store
    try:
        data_version = await run_in_threadpool(store.data_version)
    except StoreError as error:  # an error of middleware passes no handler
        return problems.of_error(request, error)
    etag = f'W/"{data_version}-{request.app.state.code_version}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    response = await proceed(request)
    if response.status_code == 200:
        response.headers.update(headers)
    return response


def _depends_on_data(path: str) -> bool:
    return not path.startswith("/static/") and path != "/api/v1/health"


def _code_version() -> str:
    """What changes when pages, cards or the ontology change although the scores do not."""
    cards = {str(kind): dict(registered_cards(kind)) for kind in CARD_TYPES}
    digest = hashlib.sha256(fingerprint(cards).encode() + Path(ontology.__file__).read_bytes())
    for path in sorted(_FOLDER.rglob("*")):
        if path.suffix in (".py", ".html"):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
