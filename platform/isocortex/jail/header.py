"""The header of a frame, judged before anything is made of it.

It comes from the other side of a jail, so it may be a lie in any of its parts: too deep, too many,
twice the same name, numbers that no machine has, text that no database takes.
"""

import json
import math
from dataclasses import dataclass
from typing import Final, NoReturn, TypeAlias

from ..errors import JailError

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"
"""What a header may hold."""

HEADER_BYTES: Final = 2**20
MOST_ARRAYS: Final = 4096
MOST_DIMENSIONS: Final = 8
MOST_DEPTH: Final = 32
MOST_DIGITS: Final = 19
ITEM_BYTES: Final = {
    "bool": 1, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4, "int64": 8,
    "uint64": 8, "float16": 2, "float32": 4, "float64": 8,
}  # fmt: skip
"""Every dtype that may cross, with the bytes of one item."""


@dataclass(frozen=True)
class Declared:
    """An array that is said to follow."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int


def parsed_header(text: bytes, *, most_bytes: int) -> tuple[str, dict[str, JSON], list[Declared]]:
    """Kind, body and declared arrays of a header; the arrays hold at most `most_bytes` together.

    Raises JailError for whatever is not as it should be.
    """
    found = parsed_json(text)
    if not isinstance(found, dict) or found.keys() != {"kind", "body", "arrays"}:
        _refuse("a header must hold kind, body and arrays, and nothing else")
    kind, body, arrays = found["kind"], found["body"], found["arrays"]
    if not isinstance(kind, str) or not isinstance(body, dict) or not isinstance(arrays, list):
        _refuse("of a header, kind must be text, body an object and arrays a list")
    if len(arrays) > MOST_ARRAYS:
        _refuse(f"{len(arrays)} arrays are declared; at most {MOST_ARRAYS} may be sent at once")
    declared = [_declared(each) for each in arrays]
    if len({each.name for each in declared}) != len(declared):
        _refuse("two arrays are declared by one name")
    total = sum(each.bytes for each in declared)
    if total > most_bytes:
        _refuse(f"arrays of {total} bytes are declared; at most {most_bytes} were expected")
    return kind, body, declared


def parsed_json(text: bytes) -> JSON:
    """What a JSON text says, if it is plain: no name twice, no NaN, not deep, no broken text."""
    try:
        found: JSON = json.loads(
            text.decode(),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_fraction,
            parse_constant=_constant,
        )
    except (ValueError, RecursionError) as error:
        raise JailError(f"a header is not plain JSON: {str(error)[:200]}") from error
    _check_plain(found)
    return found


def _declared(entry: JSON) -> Declared:
    if not isinstance(entry, list) or len(entry) != 3:
        _refuse("an array is declared as [name, dtype, shape]")
    name, dtype, shape = entry
    if not isinstance(name, str) or not 0 < len(name) <= 256:
        _refuse("the name of an array must be text of 1 to 256 characters")
    if not isinstance(dtype, str) or dtype not in ITEM_BYTES:
        _refuse(f"array {name!r} has a dtype that may not be sent; known are {list(ITEM_BYTES)}")
    if not isinstance(shape, list) or len(shape) > MOST_DIMENSIONS:
        _refuse(f"the shape of array {name!r} must be a list of at most {MOST_DIMENSIONS} sizes")
    sizes = []
    for size in shape:
        if type(size) is not int or not 0 <= size < 2**40:
            _refuse(f"array {name!r} has a size that is not a whole number from 0 to 2**40")
        sizes.append(size)
    # A size of 0 hides what the others would ask for, and numpy multiplies them all the same.
    if math.prod(max(size, 1) for size in sizes) >= 2**50:
        _refuse(f"array {name!r} has the shape {sizes}, which no memory holds")
    return Declared(name, dtype, tuple(sizes), math.prod(sizes) * ITEM_BYTES[dtype])


def _object(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _integer(text: str) -> int:
    if len(text.lstrip("-")) > MOST_DIGITS:
        raise ValueError(f"a whole number has more than {MOST_DIGITS} digits")
    return int(text)


def _fraction(text: str) -> float:
    found = float(text)
    if not math.isfinite(found):
        raise ValueError("a number is too large")
    return found


def _constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _check_plain(found: JSON) -> None:
    layer: list[JSON] = [found]
    for _ in range(MOST_DEPTH):
        below: list[JSON] = []
        for each in layer:
            if isinstance(each, str):
                _check_text(each)
            elif isinstance(each, list):
                below.extend(each)
            elif isinstance(each, dict):
                below.extend(each.keys())
                below.extend(each.values())
        layer = below
        if not layer:
            return
    _refuse(f"a header is nested more than {MOST_DEPTH} deep")


def _check_text(text: str) -> None:
    # PostgreSQL takes no NUL, and half of a pair of surrogates can't be written anywhere.
    if "\0" in text or any("\ud800" <= each <= "\udfff" for each in text if not each.isascii()):
        _refuse("a text of a header holds NUL or half of a pair of surrogates")


def _refuse(reason: str) -> NoReturn:
    raise JailError(reason)
