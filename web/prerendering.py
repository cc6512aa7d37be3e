"""Answers that depend on the data alone: with an ETag, and kept as bytes until the data change.

A stranger's GET of a list, a leaderboard or a page has the same answer for all strangers as long as
the data stay. It is kept whole, compressed as it was sent, so that the next one costs a look at the
data version. What comes with credentials or a cookie of ours is never kept, nor is what sets one.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from isocortex.errors import StoreError
from isocortex.store import Store

from . import problems

_DATA: Final = (
    *("models", "components", "benchmarks", "benchmark-tree", "benchmark-versions", "datasets"),
    *("scorers", "scores", "scores.", "leaderboard", "leaderboard.", "leaderboards"),
    *("comparisons", "correlations", "openapi.json"),
)
_PAGES: Final = (
    *(
        "models",
        "benchmarks",
        "compare",
        "explore",
        "api",
        "measures",
        "matrices",
        "badges",
        "embed",
    ),
    *("leaderboard.csv", "leaderboard.json", "leaderboard.bib"),
)
_LARGEST: Final = 2 * 2**20
_MOST_BYTES: Final = 64 * 2**20
_OVERHEAD: Final = 2_000
_UNCOMMON: Final = (b"authorization", b"range", b"hx-request", b"x-csrf-token")

Key = tuple[str, ...]


@dataclass(frozen=True)
class Kept:
    """An answer as it was sent."""

    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


class Prerendered:
    """Answers from memory, or 304, what depends on the data alone; passes on all else."""

    def __init__(self, app: ASGIApp, *, store: Store, code_version: str) -> None:
        self.app = app
        self._watch = store.browsing.watch
        self._code_version = code_version
        self._kept: OrderedDict[Key, Kept] = OrderedDict()
        self._bytes = 0
        self._state = ""
        self._lock = threading.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["path"].startswith("/static/"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if _is_personal(headers):
            await self.app(scope, receive, _kept_private(send))
            return
        if scope["method"] != "GET" or not is_of_data(scope["path"]):
            await self.app(scope, receive, send)
            return
        try:
            state = await self._data_version()
        except StoreError as error:  # an error of middleware passes no handler
            await problems.of_error(Request(scope), error)(scope, receive, send)
            return
        etag = f'W/"{state}-{self._code_version}"'
        if etag in headers.get("if-none-match", ""):
            await _send(send, 304, [(b"etag", etag.encode()), *_PUBLIC], b"")
            return
        key = _key(scope, headers)
        if (found := self._find(state, key)) is not None:
            scope["kept_answer"] = "kept"
            await _send(send, 200, found.headers, found.body)
            return
        keeper = _Keeper(send, etag)
        await self.app(scope, receive, keeper.send)
        if key is not None and (kept := keeper.kept()) is not None:
            self._keep(state, key, kept)

    async def _data_version(self) -> str:
        if self._watch.is_quick:
            return self._watch.version()
        return await run_in_threadpool(self._watch.version)

    def _find(self, state: str, key: Key | None) -> Kept | None:
        with self._lock:
            if key is None or state != self._state or key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key]

    def _keep(self, state: str, key: Key, kept: Kept) -> None:
        with self._lock:
            if state != self._state:
                self._kept.clear()
                self._bytes, self._state = 0, state
            if key not in self._kept:
                self._kept[key] = kept
                self._bytes += _weight(key, kept)
            while self._bytes > _MOST_BYTES:
                self._bytes -= _weight(*self._kept.popitem(last=False))


class _Keeper:
    """Sends an answer on, with its ETag, and keeps what it sends."""

    def __init__(self, send: Send, etag: str) -> None:
        self._send = send
        self._etag = etag
        self._headers: tuple[tuple[bytes, bytes], ...] | None = None
        self._parts: list[bytes] = []
        self._size = 0
        self._whole = False

    async def send(self, message: Message) -> None:
        """Pass a message on."""
        if message["type"] == "http.response.start" and message["status"] == 200:
            headers = MutableHeaders(scope=message)
            headers["ETag"] = self._etag
            for name, value in _PUBLIC:
                headers[name.decode()] = value.decode()
            # Now, before those outside add what holds for this one answer.
            self._headers = tuple((bytes(name), bytes(each)) for name, each in message["headers"])
        elif message["type"] == "http.response.body" and self._headers is not None:
            self._size += len(message.get("body", b""))
            if self._size <= _LARGEST:
                self._parts.append(message.get("body", b""))
            self._whole = not message.get("more_body", False)
        await self._send(message)

    def kept(self) -> Kept | None:
        """The whole answer, None if it may not be kept."""
        headers = self._headers
        if headers is None or not self._whole or self._size > _LARGEST:
            return None
        if any(name == b"set-cookie" for name, _ in headers):
            return None
        return Kept(headers, b"".join(self._parts))


class HeadAnswered:
    """Answers HEAD wherever there is GET, by the same headers without a body."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        begun = False

        async def send_head(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b""})
                begun = True

        async def hung_up() -> Message:
            # What would stream for ever stops when its reader is gone.
            return {"type": "http.disconnect"} if begun else await receive()

        await self.app({**scope, "method": "GET"}, hung_up, send_head)


def is_of_data(path: str) -> bool:
    """Whether what is at this path depends on data and code alone, for strangers."""
    if path.startswith("/api/v1/"):
        first = path[len("/api/v1/") :].partition("/")[0]
        if first == "datasets" and "/stimuli" in path:
            return False  # of files, which are as large as they like
        return first in _DATA or first.partition(".")[0] in ("scores", "leaderboard")
    return path == "/" or path[1:].partition("/")[0] in _PAGES


_PUBLIC: Final = (
    (b"cache-control", b"no-cache"),
    (b"vary", b"Accept, Accept-Encoding, Cookie, HX-Request"),
)


def _is_personal(headers: Headers) -> bool:
    # A request may bring several lines of cookies, and whoever is signed in by any is known.
    cookies = headers.getlist("cookie")
    return "authorization" in headers or any("isocortex_" in line for line in cookies)


def _key(scope: Scope, headers: Headers) -> Key | None:
    """What the answer depends on beside the data; None if it is too uncommon to be kept."""
    if any(name in _UNCOMMON for name, _ in scope["headers"]):
        return None
    query: bytes = scope["query_string"]
    gzip = "gzip" if "gzip" in headers.get("accept-encoding", "") else ""
    host = headers.get("host", "")  # feeds hold whole addresses
    return scope["path"], query.decode("latin-1"), headers.get("accept", ""), gzip, host


def _weight(key: Key, kept: Kept) -> int:
    """About how many bytes it takes to keep an answer: a small one may have a long address."""
    headers = sum(len(name) + len(value) for name, value in kept.headers)
    return len(kept.body) + headers + sum(map(len, key)) + _OVERHEAD


def _kept_private(send: Send) -> Send:
    async def send_private(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.setdefault("Cache-Control", "private, no-store")
            headers.add_vary_header("Cookie, Authorization")
        await send(message)

    return send_private


async def _send(
    send: Send,
    status: int,
    headers: tuple[tuple[bytes, bytes], ...] | list[tuple[bytes, bytes]],
    body: bytes,
) -> None:
    # Those outside add headers of their own to the list, so each answer has its own.
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body})
