"""How large a request's body may be, and how long it may take, whatever it says of itself.

A megabyte holds every form and every JSON. Files come in parts through uploads or from workers,
which count for themselves, and whole through the form of submissions. What comes beyond what was
announced is refused everywhere.
"""

import asyncio
import re
from typing import Final

from fastapi import HTTPException, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import problems

MOST_BYTES: Final = 2**20
MOST_SECONDS: Final = 30.0
"""How long the next part of a body may be waited for."""

MOST_FORM_BYTES: Final = 2**31 + 2**20
"""The largest form of a submission; what is larger comes through client or command line."""

_LARGE: Final = re.compile(r"/api/v1/uploads/[^/]+|/api/v1/work/jobs/[0-9]+/score")
"""Whose routes read no body before they know who sends it."""


class BodyLimited:
    """Answers 413 to a body that is too large, and 408 to one that does not come."""

    def __init__(self, app: ASGIApp, *, seconds: float = MOST_SECONDS) -> None:
        self.app, self._seconds = app, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        most, declared = _most(scope["path"]), _declared(scope)
        if most is not None and declared is not None and declared > most:
            await problems.of_error(Request(scope), _too_large(most))(scope, receive, send)
            return
        await self.app(scope, _limited(receive, most, declared, self._seconds), send)


def _limited(receive: Receive, most: int | None, declared: int | None, seconds: float) -> Receive:
    received, whole = 0, False

    async def receive_little() -> Message:
        nonlocal received, whole
        if whole:  # what follows is that the client hangs up, whenever that is
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), seconds)
        except TimeoutError:
            raise HTTPException(
                408, f"nothing of the body came for {seconds:.0f} seconds; send it again"
            ) from None
        received += len(message.get("body", b""))
        whole = not message.get("more_body", False)
        if most is not None and received > most:
            raise _too_large(most)
        if declared is not None and received > declared:
            raise HTTPException(400, f"more came than the {declared:,} bytes that were announced")
        return message

    return receive_little


def _most(path: str) -> int | None:
    if path == "/submit":
        return MOST_FORM_BYTES
    return None if _LARGE.fullmatch(path) else MOST_BYTES


def _declared(scope: Scope) -> int | None:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and len(value) < 20:
            return int(value)
    return None


def _too_large(most: int) -> HTTPException:
    return HTTPException(
        413, f"the body is larger than {most:,} bytes; larger files are sent through /uploads"
    )
