"""Safetensors, read by hand: header checked in full, values in blocks, from an open file.

Used inside the jail. The library wants a path, and tells one fault at a time.
"""

import json
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, BinaryIO, Final

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

ITEM_BYTES: Final[Mapping[str, int]] = {
    "F64": 8,
    "F32": 4,
    "F16": 2,
    "BF16": 2,
    "I64": 8,
    "I32": 4,
    "I16": 2,
    "I8": 1,
    "U64": 8,
    "U32": 4,
    "U16": 2,
    "U8": 1,
    "BOOL": 1,
}
FLOATS: Final[Mapping[str, str]] = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}
"""The dtypes of numbers that NumPy reads, as it spells them."""

MOST_TENSORS: Final = 20_000
MOST_DIMENSIONS: Final = 8
MOST_FAULTS: Final = 50
_LARGEST: Final = 2**48


@dataclass(frozen=True)
class Tensor:
    """A tensor of the file: its values stand from byte `start` up to `stop`."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


@dataclass(frozen=True)
class Header:
    """What a file says of itself, and all that is wrong with it; then tensors may be missing."""

    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str]
    faults: tuple[str, ...]


def read_header(file: BinaryIO) -> Header:
    """The header of a safetensors file; nothing is believed that the file does not bear out."""
    size = os.fstat(file.fileno()).st_size
    head = os.pread(file.fileno(), 8, 0)
    (length,) = struct.unpack("<Q", head) if len(head) == 8 else (0,)
    if not 2 <= length <= size - 8:
        return Header({}, {}, (f"header: it claims {length:,} bytes of a file of {size:,}",))
    try:
        document = json.loads(read_bytes(file, 8, length), object_pairs_hook=_unrepeated)
    except (ValueError, RecursionError) as error:
        return Header({}, {}, (f"header: it is no JSON that can be read ({_reason(error)})",))
    if not isinstance(document, dict):
        return Header({}, {}, ("header: it is no table of tensors",))
    metadata = document.pop("__metadata__", {})
    faults = _metadata_faults(metadata)
    if len(document) > MOST_TENSORS:
        return Header({}, {}, (f"header: {len(document):,} tensors; at most {MOST_TENSORS:,}",))
    tensors: dict[str, Tensor] = {}
    for name, facts in document.items():
        found, wrong = _tensor(name, facts, start=8 + length)
        faults += [f"tensor {name[:100]!r}: {each}" for each in wrong]
        if found is not None:
            tensors[name] = found
    if not faults:
        faults = _layout_faults(list(tensors.values()), start=8 + length, size=size)
    return Header(tensors, metadata if not faults else {}, tuple(faults[:MOST_FAULTS]))


def read_rows(
    file: BinaryIO, tensor: Tensor, units: slice, *, rows: Sequence[int] | None = None
) -> "npt.NDArray[np.floating[Any]]":
    """Some units of some stimuli, by default of all, of a tensor (stimulus, …) as (stimulus, unit).

    Only what is asked for is read. The dtype is the tensor's own.
    """
    import numpy as np

    stimuli, width = tensor.shape[0], prod(tensor.shape[1:])
    chosen = range(stimuli) if rows is None else rows
    start, stop, _ = units.indices(width)
    item = ITEM_BYTES[tensor.dtype]
    found = np.empty((len(chosen), stop - start), FLOATS[tensor.dtype])
    for place, row in enumerate(chosen):
        if not 0 <= row < stimuli:
            raise ValueError(f"row {row} of {stimuli}")
        content = read_bytes(file, tensor.start + item * (row * width + start), found[place].nbytes)
        found[place] = np.frombuffer(content, FLOATS[tensor.dtype])
    return found


def row_blocks(tensor: Tensor, *, block_bytes: int) -> Iterator[range]:
    """The rows of a tensor (stimulus, …) in blocks of at most so many bytes, one row at least."""
    each = max(1, prod(tensor.shape[1:]) * ITEM_BYTES[tensor.dtype])
    step = max(1, block_bytes // each)
    for start in range(0, tensor.shape[0], step):
        yield range(start, min(start + step, tensor.shape[0]))


def read_bytes(file: BinaryIO, offset: int, count: int) -> bytes:
    """That many bytes of the file from `offset` on. Raises ValueError where it is shorter."""
    found = bytearray(count)
    room = memoryview(found)
    while room:
        got = os.pread(file.fileno(), min(len(room), 1 << 26), offset)
        if not got:
            raise ValueError(f"the file ends at byte {offset}")
        room[: len(got)] = got
        room, offset = room[len(got) :], offset + len(got)
    return bytes(found)


def _unrepeated(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in found if names.count(name) > 1)
        raise ValueError(f"{twice[:100]!r} stands there twice")
    return found


def _metadata_faults(metadata: Any) -> list[str]:
    if not isinstance(metadata, dict):
        return ["header: __metadata__ is no table"]
    if not all(isinstance(value, str) for value in metadata.values()):
        return ["header: __metadata__ holds something else than text"]
    return []


def _tensor(name: str, facts: Any, *, start: int) -> tuple[Tensor | None, list[str]]:
    if not isinstance(facts, dict) or set(facts) != {"dtype", "shape", "data_offsets"}:
        return None, ["it is not described by dtype, shape and data_offsets"]
    dtype, shape, offsets = facts["dtype"], facts["shape"], facts["data_offsets"]
    faults = []
    if not isinstance(dtype, str) or dtype not in ITEM_BYTES:
        faults.append(f"its dtype {str(dtype)[:20]!r} is none of {', '.join(ITEM_BYTES)}")
    if not _are_sizes(shape) or len(shape) > MOST_DIMENSIONS:
        faults.append(f"its shape {str(shape)[:60]} is not of up to {MOST_DIMENSIONS} sizes")
    if not _are_sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        faults.append(f"its data_offsets {str(offsets)[:60]} are not where it begins and ends")
    if faults:
        return None, faults
    expected, came = prod(shape) * ITEM_BYTES[dtype], offsets[1] - offsets[0]
    if expected != came:
        return None, [f"{dtype} of shape {shape} takes {expected:,} bytes, it has {came:,}"]
    return Tensor(name, dtype, tuple(shape), start + offsets[0], start + offsets[1]), []


def _are_sizes(sizes: Any) -> bool:
    return isinstance(sizes, list) and all(
        isinstance(size, int) and not isinstance(size, bool) and 0 <= size <= _LARGEST
        for size in sizes
    )


def _layout_faults(tensors: Sequence[Tensor], *, start: int, size: int) -> list[str]:
    """What is wrong with where tensors stand: they fill the file, one after the other."""
    faults, position = [], start
    for each in sorted(tensors, key=lambda tensor: (tensor.start, tensor.stop)):
        if each.start != position:
            gap = "overlaps another" if each.start < position else "leaves a gap before it"
            faults.append(f"tensor {each.name[:100]!r}: it {gap}")
        position = max(position, each.stop)
    if position != size:
        faults.append(f"file: it has {size:,} bytes, its tensors end at {position:,}")
    return faults


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error)[:200]}"
