"""How often who may ask, counted per account, else per address, in moving windows.

| variable | meaning | default |
|---|---|---|
| `ISOCORTEX_READ_LIMIT` | reading; from this computer itself it is not counted | 6000/minute |
| `ISOCORTEX_WRITE_LIMIT` | whatever changes something | 600/minute |
| `ISOCORTEX_WORK_LIMIT` | what pull workers of one account tell | 60000/minute |
| `ISOCORTEX_SIGN_IN_LIMIT` | passwords and sign-ins, per address and per account | 20/10 minutes |
| `ISOCORTEX_LIMIT_STORAGE` | where several server processes count together | each for itself |

`none` lifts a limit. The storage is an address of the library `limits`, such as redis://host:6379/0;
while it can't be reached, each process counts for itself.
"""

import logging
import os
import time
from collections.abc import Callable, MutableMapping
from math import ceil
from typing import Any, Final

from fastapi import HTTPException, Request, Response
from limits import RateLimitItem, WindowStats, parse
from limits.errors import ConfigurationError, StorageError
from limits.storage import MemoryStorage, MovingWindowSupport, Storage, storage_from_string
from limits.strategies import MovingWindowRateLimiter
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from isocortex.errors import InputError

from . import access
from .origins import client_address, is_from_here, neighbourhood

log = logging.getLogger(__name__)

Answer = Callable[[Request, Exception], Response]
_DEFAULTS: Final = {
    "read": "6000/minute",
    "write": "600/minute",
    "work": "60000/minute",
    "sign_in": "20/10 minutes",
}
_WORK: Final = "/api/v1/work/"
_STORAGE: Final = "ISOCORTEX_LIMIT_STORAGE"
_EXAMPLE: Final = "redis://host:6379/0"
_STORAGE_SECONDS: Final = 0.5
"""How long an answer of a Redis or Valkey server is waited for."""

_PAUSE_SECONDS: Final = 10.0
"""How long a storage is left alone after it could not be reached."""


class RateLimits:
    """The counts of one server, or of all that share a storage."""

    def __init__(self) -> None:
        """Limits from the environment. Raises InputError for one that can't be understood."""
        self._limits = chosen_limits()
        self._own = MovingWindowRateLimiter(MemoryStorage())
        storage = chosen_storage()
        self._shared = None if storage is None else MovingWindowRateLimiter(storage)
        self._pause_until = 0.0

    @property
    def may_wait(self) -> bool:
        """Whether counting asks another server, which an event loop should not wait for."""
        return self._shared is not None

    def count(self, kind: str, who: str) -> dict[str, str]:
        """The headers that tell what is left. Raises HTTPException 429 if it is nothing."""
        limit = self._limits[kind]
        if limit is None:
            return {}
        allowed, window = self._hit(limit, kind, who)
        seconds = max(1, ceil(window.reset_time - time.time()))
        headers = {
            "RateLimit-Limit": str(limit.amount),
            "RateLimit-Remaining": str(max(0, window.remaining)),
            "RateLimit-Reset": str(seconds),
        }
        if not allowed:
            raise HTTPException(
                429,
                f"that was more than {limit}; try again in {seconds} seconds",
                headers | {"Retry-After": str(seconds)},
            )
        return headers

    def _hit(self, limit: RateLimitItem, kind: str, who: str) -> tuple[bool, WindowStats]:
        if self._shared is not None and time.monotonic() >= self._pause_until:
            try:
                return _hit(self._shared, limit, kind, who)
            except StorageError as error:
                self._pause_until = time.monotonic() + _PAUSE_SECONDS
                log.warning("%s can't be reached, each process counts: %s", _STORAGE, error)
        return _hit(self._own, limit, kind, who)


def count_sign_in(request: Request, name: str = "") -> None:
    """Count an attempt to sign in, by its address and, with a password, by the account's name.

    Raises HTTPException 429 where either was tried too often.
    """
    limits: RateLimits = request.app.state.rate_limits
    limits.count("sign_in", neighbourhood(client_address(request)))
    if name:
        limits.count("sign_in", f"account {name[:64]}")


class RateLimited:
    """Counts each request but those for static files, and answers 429 itself."""

    def __init__(self, app: ASGIApp, *, limits: RateLimits, answer: Answer) -> None:
        self.app, self.limits, self.answer = app, limits, answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with what is left in the answer's headers."""
        if scope["type"] != "http" or scope["path"].startswith("/static/"):
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            headers = await self._counted(request)
        except HTTPException as error:
            await self.answer(request, error)(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(headers)
            await send(message)

        await self.app(scope, receive, send_with_headers)

    async def _counted(self, request: Request) -> MutableMapping[str, Any]:
        kind = "read" if request.method in access.SAFE else "write"
        account = None
        if access.has_credentials(request):
            account = (await run_in_threadpool(access.known_caller, request)).account
        if account is not None:
            kind = "work" if request.url.path.startswith(_WORK) else kind
            return await self._count(kind, f"account {account.id}")
        if kind == "read" and is_from_here(request):
            return {}
        return await self._count(kind, neighbourhood(client_address(request)))

    async def _count(self, kind: str, who: str) -> dict[str, str]:
        if self.limits.may_wait:
            return await run_in_threadpool(self.limits.count, kind, who)
        return self.limits.count(kind, who)


def chosen_limits() -> dict[str, RateLimitItem | None]:
    """The limit of each kind of request. Raises InputError for one that can't be understood."""
    return {kind: _limit(kind) for kind in _DEFAULTS}


def chosen_storage() -> Storage | None:
    """Where several processes count together, None where each counts for itself.

    Raises InputError for an address that leads to no storage with moving windows.
    """
    address = os.environ.get(_STORAGE, "")
    if not address:
        return None
    scheme = address.partition("://")[0] if "://" in address else ""
    patience = {"socket_timeout": _STORAGE_SECONDS, "socket_connect_timeout": _STORAGE_SECONDS}
    options = patience if scheme.startswith(("redis", "valkey")) else {}
    try:
        found = storage_from_string(address, wrap_exceptions=True, **options)
    except (ConfigurationError, ValueError):  # whose words may hold the address' password
        raise InputError(
            f"{_STORAGE} is of {scheme!r}, no kind of storage, or its Python package is missing; "
            f"write {_EXAMPLE}, or pip install what it needs"
        ) from None
    if isinstance(found, Storage) and isinstance(found, MovingWindowSupport):
        return found
    raise InputError(f"{_STORAGE} is of {scheme!r}, which counts no moving windows; try {_EXAMPLE}")


def _hit(
    counted: MovingWindowRateLimiter, limit: RateLimitItem, kind: str, who: str
) -> tuple[bool, WindowStats]:
    return counted.hit(limit, kind, who), counted.get_window_stats(limit, kind, who)


def _limit(kind: str) -> RateLimitItem | None:
    variable = f"ISOCORTEX_{kind.upper()}_LIMIT"
    text = os.environ.get(variable, "") or _DEFAULTS[kind]
    try:
        return None if text == "none" else parse(text)
    except ValueError:
        raise InputError(
            f"{variable} is {text!r}; write it as 100/minute, 20/10 minutes or none"
        ) from None
