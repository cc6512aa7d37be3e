"""The connection to a server: what is asked again when it fails, and what never is.

A request that changes nothing when it comes twice is sent again after a broken connection and after
429, 502, 503 and 504, later and later, or when the server says. One that does is sent again only
with an `Idempotency-Key`, by which the server knows that it is the same.
"""

import json
import logging
import random
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeVar
from urllib.parse import quote, urlsplit

import httpx2
from pydantic import BaseModel, ValidationError

from .. import __version__, settings
from ..errors import InputError, ServerError
from .problems import error_of

log = logging.getLogger(__name__)

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
Schema = TypeVar("Schema", bound=BaseModel)

ASK_AGAIN: Final = frozenset({429, 502, 503, 504})
"""The statuses after which the same request may succeed later."""

LONGEST_PAUSE: Final = 60.0
"""The most seconds between two tries, whatever the server says."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request: `once` says that the server must not carry it out twice."""

    method: Method
    path: str
    query: Mapping[str, object] = field(default_factory=dict)
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    once: bool = False


class Connection:
    """A connection to one server; it is shared by threads, and closed in the end.

    `token` is shown with every request, `timeout` the seconds that the server may stay silent.
    """

    def __init__(
        self,
        server: str | None = None,
        *,
        token: str | None = None,
        timeout: float = 60.0,
        tries: int = 6,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self.server = _address(server or settings.server())
        self.tries = tries
        token = token or settings.token()
        self._http = httpx2.Client(
            base_url=self.server,
            timeout=timeout,
            transport=transport,
            headers={
                "User-Agent": f"isocortex/{__version__}",
                "Accept": "application/json",
                **({"Authorization": f"Bearer {token}"} if token else {}),
            },
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of all connections."""
        self._http.close()

    def _ask(self, schema: type[Schema], call: Call) -> Schema:
        """The answer, as its schema says. Raises what the server says went wrong."""
        response = self._send(call)
        try:
            return schema.model_validate_json(response.content)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "its beginning"
            raise ServerError(
                f"{self.server} answered {call.path} in another form than this isocortex "
                f"{__version__} knows (at {place}: {first['msg']}); use the version of the server"
            ) from None

    def _send(self, call: Call) -> httpx2.Response:
        """The answer, unread by any schema."""
        headers = dict(call.headers)
        if call.once:
            headers.setdefault("Idempotency-Key", str(uuid.uuid4()))
        tries = self.tries if _may_repeat(call) else 1
        for attempt in range(tries):
            is_last = attempt + 1 == tries
            try:
                response = self._http.request(**self._request(call, headers))
            except httpx2.TransportError as error:
                if is_last:
                    raise self._unreachable(error) from None
                self._pause(attempt, None)
                continue
            if response.status_code not in ASK_AGAIN or is_last:
                return _checked(response, deleted_before=attempt > 0 and call.method == "DELETE")
            self._pause(attempt, response)
        raise AssertionError("the last try returns or raises")

    @contextmanager
    def _stream(self, call: Call, *, timeout: float | None = None) -> Iterator[httpx2.Response]:
        """The answer while it comes; it is asked for once, and broken connections raise."""
        request = self._request(call, dict(call.headers))
        if timeout is not None:
            request["timeout"] = timeout
        try:
            with self._http.stream(**request) as response:
                if response.status_code >= 400:
                    response.read()
                yield _checked(response)
        except httpx2.TransportError as error:
            raise self._unreachable(error) from None

    def _request(self, call: Call, headers: dict[str, str]) -> dict[str, Any]:
        content: dict[str, Any] = {}
        if isinstance(call.body, BaseModel):
            content["content"] = call.body.model_dump_json(exclude_unset=True)
        elif isinstance(call.body, (bytes, Iterator)):
            content["content"] = call.body
        elif call.body is not None:
            content["content"] = json.dumps(call.body)
        if "content" in content and not isinstance(call.body, (bytes, Iterator)):
            headers.setdefault("Content-Type", "application/json")
        return {
            "method": call.method,
            "url": f"/api/v1{call.path}",
            "params": _query(call.query),
            "headers": headers,
            **content,
        }

    def _pause(self, attempt: int, response: httpx2.Response | None) -> None:
        seconds = pause_after(attempt, response)
        reason = "broken connection" if response is None else f"{response.status_code}"
        log.info("%s: %s; asking again in %.1f s", self.server, reason, seconds)
        time.sleep(seconds)

    def _unreachable(self, error: httpx2.TransportError) -> ServerError:
        return ServerError(
            f"{self.server} can't be reached ({type(error).__name__}: {error}); check its address, "
            "and that it runs"
        )


def pause_after(attempt: int, response: httpx2.Response | None) -> float:
    """The seconds to wait after a failed try: as the server says, else 0.5, 1, 2 … and a bit."""
    said = None if response is None else _retry_after(response.headers.get("retry-after", ""))
    if said is not None:
        return min(said, LONGEST_PAUSE)
    return float(min(0.5 * 2**attempt, LONGEST_PAUSE)) * random.uniform(0.8, 1.2)


def in_path(name: str, *, keep: str = "/") -> str:
    """A name as part of a path: slashes stay, all else that means something there is written out.

    >>> in_path("family/best#0")
    'family/best%230'
    """
    return quote(name, safe=keep)


def _retry_after(text: str) -> float | None:
    """Seconds, or the moment that a date names."""
    if text.strip().isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None


def _may_repeat(call: Call) -> bool:
    """Whether the server is none the worse for it; a body that is read as it goes is gone."""
    return not isinstance(call.body, Iterator) and (call.method != "POST" or call.once)


def _checked(response: httpx2.Response, *, deleted_before: bool = False) -> httpx2.Response:
    if deleted_before and response.status_code == 404:
        return response  # the first try got through; its answer did not
    if response.status_code >= 300:  # a redirection may lead the token astray
        raise error_of(response)
    return response


def _query(asked: Mapping[str, object]) -> list[tuple[str, str]]:
    """The parameters that were given; each item of a list by itself."""
    found = []
    for name, value in asked.items():
        items = value if isinstance(value, (list, tuple)) else [value]
        found += [(name, _text(item)) for item in items if item is not None]
    return found


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value).lower() if isinstance(value, bool) else str(value)


def _address(server: str | None) -> str:
    if not server:
        raise InputError("no server is named; give its address, or set ISOCORTEX_SERVER")
    server = server if "://" in server else f"https://{server}"
    parts = urlsplit(server)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"{server!r} is no server's address; expected https://host or http://host")
    return server.rstrip("/").removesuffix("/api/v1")
