"""Tasks that try the jail itself: for `available`, for operators and for the tests."""

from collections.abc import Mapping
from typing import BinaryIO

from .channel import Channel


def nothing(channel: Channel, request: Mapping[str, object], files: Mapping[str, BinaryIO]) -> None:
    """Answer at once."""
    channel.send({})


def attempt(channel: Channel, request: Mapping[str, object], files: Mapping[str, BinaryIO]) -> None:
    """Run `request["source"]` as Python and answer what it left in `answer`.

    Any code may be tried: that nothing comes of it is what the jail is for. It is given the
    `channel`, the `files` and the `request`.
    """
    names: dict[str, object] = {"channel": channel, "files": files, "request": request}
    exec(compile(str(request["source"]), "attempt", "exec"), names)
    channel.send({"answer": names.get("answer")})
