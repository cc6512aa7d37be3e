"""Frames between the trusted and the jailed side: a small JSON header, then raw arrays.

    bytes 0–3    length of the header, little-endian
    header       {"kind": …, "body": {…}, "arrays": [[name, dtype, [size, …]], …]}
    arrays       the bytes of each in C order, little-endian, one after another

Whoever reads trusts nothing: the header is bounded before it is read, every array is declared and
checked before room is made for it, and what was not declared is not read. Both sides use the same
`Channel`; `header.py` judges the header.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..errors import JailError
from .header import HEADER_BYTES, JSON, Declared, parsed_header

if TYPE_CHECKING:
    import numpy as np

    Arrays = Mapping[str, np.ndarray]

Shapes = Mapping[str, Sequence[int | None]]
"""The arrays that are expected, by name; None stands for any size."""

MESSAGE: Final = "message"


@dataclass(frozen=True)
class Frame:
    """What crossed at once."""

    kind: str
    body: dict[str, JSON]
    arrays: "dict[str, np.ndarray]"


class Channel:
    """One end of the two pipes between the trusted and the jailed side."""

    def __init__(self, incoming: int, outgoing: int) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self.received_bytes = 0
        """How much came in so far."""

    def send(
        self, header: Mapping[str, object], arrays: "Arrays | None" = None, *, kind: str = MESSAGE
    ) -> None:
        """Send a header that JSON can hold, and arrays.

        Raises JailError if the header is longer than 1 MiB or holds what JSON cannot, and OSError
        if the other side is gone.
        """
        parts = {name: _contiguous(array) for name, array in (arrays or {}).items()}
        declared = [[name, str(part.dtype), part.shape] for name, part in parts.items()]
        try:
            text = json.dumps(
                {"kind": kind, "body": dict(header), "arrays": declared}, allow_nan=False
            ).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise JailError(f"a header must be what JSON can hold: {error}") from error
        if len(text) > HEADER_BYTES:
            raise JailError(
                f"a header of {len(text)} bytes is too long; at most {HEADER_BYTES} may be sent: "
                "send long texts as arrays of bytes"
            )
        self._write(memoryview(len(text).to_bytes(4, "little") + text))
        for part in parts.values():
            self._write(part.reshape(-1).view("uint8").data)

    def receive(
        self, *, most_bytes: int, finite: bool = False, shapes: Shapes | None = None
    ) -> "tuple[dict[str, JSON], dict[str, np.ndarray]]":
        """The next header and its arrays, which hold at most `most_bytes` together.

        `finite` refuses NaN and infinity; `shapes` refuses other arrays than these. Raises
        JailError for whatever is not as it should be, and EOFError when the other side has ended.
        """
        frame = self.receive_frame(most_bytes=most_bytes, finite=finite, shapes=shapes)
        if frame.kind != MESSAGE:
            raise JailError(f"a frame of kind {frame.kind!r} came where a message was expected")
        return frame.body, frame.arrays

    def receive_frame(
        self, *, most_bytes: int, finite: bool = False, shapes: Shapes | None = None
    ) -> Frame:
        """The next frame, of whatever kind; otherwise as `receive`."""
        length = int.from_bytes(self._read(4), "little")
        if not 0 < length <= HEADER_BYTES:
            raise JailError(
                f"a header of {length} bytes was announced; 1 to {HEADER_BYTES} are allowed"
            )
        kind, body, declared = parsed_header(self._read(length), most_bytes=most_bytes)
        if shapes is not None and kind == MESSAGE:
            _check_shapes(declared, shapes)
        return Frame(kind, body, {each.name: self._array(each, finite) for each in declared})

    def _array(self, declared: Declared, finite: bool) -> "np.ndarray":
        import numpy as np

        stored = np.empty(declared.bytes, np.uint8)
        self._fill(stored.data)
        if declared.dtype == "bool" and stored.size and stored.max() > 1:
            raise JailError(f"array {declared.name!r} is declared bool and holds other bytes")
        array = stored.view(np.dtype(declared.dtype).newbyteorder("<")).reshape(declared.shape)
        if finite and array.dtype.kind == "f" and not np.isfinite(array).all():
            raise JailError(f"array {declared.name!r} holds NaN or infinity; it must be finite")
        return array

    def _read(self, count: int) -> bytes:
        stored = bytearray(count)
        self._fill(memoryview(stored))
        return bytes(stored)

    def _fill(self, room: memoryview) -> None:
        while room:
            count = os.readv(self._incoming, [room])
            if count == 0:
                raise EOFError("the other side of the jail has ended")
            self.received_bytes += count
            room = room[count:]

    def _write(self, rest: memoryview) -> None:
        while rest:
            rest = rest[os.write(self._outgoing, rest) :]


def _contiguous(array: "np.ndarray") -> "np.ndarray":
    import numpy as np

    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).reshape(array.shape)


def _check_shapes(declared: Sequence[Declared], shapes: Shapes) -> None:
    came = {each.name: each.shape for each in declared}
    if came.keys() != shapes.keys():
        raise JailError(f"arrays {sorted(came)} came; expected were {sorted(shapes)}")
    for name, expected in shapes.items():
        sizes = came[name]
        fits = len(sizes) == len(expected) and all(
            wanted in (None, size) for size, wanted in zip(sizes, expected, strict=True)
        )
        if not fits:
            raise JailError(f"array {name!r} has shape {sizes}; expected was {tuple(expected)}")
