"""Pages by opaque cursors: where the last row of a page stands in the order, signed.

A cursor names no row number but the sort keys of a row, so that rows which come or go before it
move nothing: no row comes twice, none is missed. It holds only for the request it was made for, in
any page size.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar
from urllib.parse import urlencode

from fastapi import Request

from isocortex.errors import InputError, UnknownNameError

Item = TypeVar("Item")
Key = tuple[Any, ...]
_SIGNATURE: Final = 12
_LONGEST: Final = 2_000
_NOT_ASKED_FOR: Final = ("cursor", "limit", "fields")


@dataclass(frozen=True)
class Order:
    """Names to sort by, each with whether the greatest comes first; the last of them is unique."""

    keys: tuple[tuple[str, bool], ...]

    @classmethod
    def parse(cls, text: str, allowed: Mapping[str, str], unique: str) -> "Order":
        """The order of `?sort=-score,name`; `allowed` maps what may be said to what is meant.

        Raises UnknownNameError.
        """
        keys: dict[str, bool] = {}
        for each in filter(None, text.split(",")):
            name = each.removeprefix("-")
            if name not in allowed:
                raise UnknownNameError.among("sort key", name, allowed)
            keys.setdefault(allowed[name], each.startswith("-"))
        keys.setdefault(unique, False)
        return cls(tuple(keys.items()))

    @property
    def names(self) -> tuple[str, ...]:
        """What is sorted by."""
        return tuple(name for name, _ in self.keys)

    def sorted(self, items: Sequence[Item], key_of: Callable[[Item], Key]) -> list[Item]:
        """The items in this order; what lacks a key comes last, either way."""
        ordered = [(key_of(item), item) for item in items]
        for place, (_, greatest_first) in reversed(list(enumerate(self.keys))):
            having = [pair for pair in ordered if pair[0][place] is not None]
            lacking = [pair for pair in ordered if pair[0][place] is None]
            having.sort(key=lambda pair: pair[0][place], reverse=greatest_first)
            ordered = having + lacking
        return [item for _, item in ordered]

    def is_after(self, one: Key, other: Key) -> bool:
        """Whether `one` comes behind `other`."""
        for (_, greatest_first), a, b in zip(self.keys, one, other, strict=True):
            if a == b:
                continue
            if a is None or b is None:
                return a is None
            return bool(a < b if greatest_first else a > b)
        return False


@dataclass(frozen=True)
class Page(Generic[Item]):
    """Some items in order, and the cursor of those that follow; None if there are none.

    `first` is the place of the first of them among all.
    """

    items: Sequence[Item]
    first: int
    next: str | None


def page_of(
    request: Request,
    items: Sequence[Item],
    order: Order,
    *,
    limit: int,
    key_at: Callable[[int], Key],
) -> Page[Item]:
    """The page of the sorted `items` that the request's cursor asks for. Raises InputError.

    `key_at` is what the item at a place is sorted by.
    """
    first = 0
    if cursor := request.query_params.get("cursor", ""):
        asked = _opened(request, cursor, len(order.keys))
        first = _first_after(len(items), lambda place: order.is_after(key_at(place), asked))
    end = first + limit
    more = end < len(items)
    return Page(items[first:end], first, _made(request, key_at(end - 1)) if more else None)


def next_link(request: Request, cursor: str | None) -> dict[str, str]:
    """The header `Link` with the address of the following page, if there is one."""
    if cursor is None:
        return {}
    kept = [pair for pair in request.query_params.multi_items() if pair[0] != "cursor"]
    query = urlencode([*kept, ("cursor", cursor)])
    return {"Link": f'<{request.url.path}?{query}>; rel="next"'}


def _first_after(length: int, is_after: Callable[[int], bool]) -> int:
    """The first place that comes after, by halving."""
    low, high = 0, length
    while low < high:
        middle = (low + high) // 2
        if is_after(middle):
            high = middle
        else:
            low = middle + 1
    return low


def _made(request: Request, key: Key) -> str:
    content = json.dumps(key, ensure_ascii=False, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_signature(request, content) + content).decode().rstrip("=")


def _opened(request: Request, cursor: str, length: int) -> Key:
    try:
        if len(cursor) > _LONGEST:
            raise ValueError("too long")
        raw = base64.b64decode(
            cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True
        )
        content = raw[_SIGNATURE:]
        if not hmac.compare_digest(raw[:_SIGNATURE], _signature(request, content)):
            raise ValueError("not signed for this request")
        key = tuple(json.loads(content))
    except (ValueError, binascii.Error):
        key = ()
    if len(key) != length:
        raise InputError(
            "the cursor is none that this request was given: take `next` of its page before, with "
            "the same filters and the same sort"
        )
    return key


def _signature(request: Request, content: bytes) -> bytes:
    """What only this server can make, of this content for this request."""
    asked = sorted(
        pair for pair in request.query_params.multi_items() if pair[0] not in _NOT_ASKED_FOR
    )
    text = json.dumps([request.url.path, asked]).encode()
    secret: bytes = request.app.state.cursor_secret
    return hmac.digest(secret, hashlib.sha256(text).digest() + content, "sha256")[:_SIGNATURE]
