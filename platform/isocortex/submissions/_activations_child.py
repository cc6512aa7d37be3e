"""In the jail: activations of a stranger's file, described and read out block by block.

The tensors are (stimulus, …), one for each layer. The header's metadata holds the stimuli's ids as
a JSON list: under `stimuli` for a file of one set, whose tensors are named by their layers; under
`stimuli:NAME` for each of several sets, whose tensors are named `NAME/layer`.
"""

import json
from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

from ._tensors import FLOATS, MOST_FAULTS, Header, Tensor, read_header, read_rows, row_blocks

if TYPE_CHECKING:
    from isocortex.jail import Channel

MOST_STIMULI: Final = 100_000
MOST_UNITS: Final = 50_000_000
BLOCK_BYTES: Final = 32 * 10**6

Sets = dict[str, dict[str, Any]]


def serve(channel: "Channel", request: Mapping[str, object], files: Mapping[str, BinaryIO]) -> None:
    """Say what the file holds and what is wrong with it; then answer with blocks of it.

    With `scan` in the request, every value is looked at, and nothing is answered afterwards.
    """
    import numpy as np

    file = files["file"]
    header = read_header(file)
    sets, faults = described(header)
    if request.get("scan") and not faults:
        faults = [fault for each in header.tensors.values() for fault in _value_faults(file, each)]
    facts = {"sets": sets if not faults else {}, "faults": faults[:MOST_FAULTS]}
    text = np.frombuffer(json.dumps(facts).encode(), np.uint8)
    channel.send({}, {"facts": text})
    if request.get("scan") or faults:
        return
    while True:
        wanted, arrays = channel.receive(most_bytes=BLOCK_BYTES)
        tensor = header.tensors[str(wanted["tensor"])]
        units = slice(
            cast("int | None", wanted.get("start")), cast("int | None", wanted.get("stop"))
        )
        block = read_rows(file, tensor, units, rows=arrays["rows"].tolist())
        channel.send({}, {"block": block[:, arrays["units"]] if "units" in arrays else block})


def described(header: Header) -> tuple[Sets, list[str]]:
    """The stimulus sets of a file: ids, and each layer's tensor, shape and dtype; and its faults.

    A file of one set has the empty name.
    """
    faults, sets = list(header.faults), {}
    if faults:
        return {}, faults
    for key, text in header.metadata.items():
        if key == "stimuli" or key.startswith("stimuli:"):
            name = key.partition(":")[2]
            ids, wrong = _ids(text)
            faults += [f"metadata {key[:100]!r}: {each}" for each in wrong]
            sets[name] = {"ids": ids, "layers": {}}
    if not sets:
        faults.append(
            "metadata: the ids of the stimuli are missing; give them as a JSON list under "
            "'stimuli', or under 'stimuli:NAME' for each set"
        )
    elif "" in sets and len(sets) > 1:
        faults.append("metadata: 'stimuli' and 'stimuli:NAME' stand together; use one of them")
    else:
        for tensor in header.tensors.values():
            faults += _assigned(tensor, sets)
        faults += [
            f"stimuli {name!r}: no layer answers" for name in sets if not sets[name]["layers"]
        ]
    return sets, faults[:MOST_FAULTS]


def _ids(text: str) -> tuple[list[str], list[str]]:
    try:
        ids = json.loads(text)
    except (ValueError, RecursionError):
        return [], ["it is no JSON list of ids"]
    if not isinstance(ids, list) or not all(isinstance(each, str) for each in ids):
        return [], ["it is no JSON list of ids that are text"]
    if not 1 <= len(ids) <= MOST_STIMULI:
        return [], [f"it names {len(ids):,} stimuli; 1 to {MOST_STIMULI:,} are taken"]
    if len(set(ids)) != len(ids):
        return ids, ["an id stands there twice"]
    too_long = any(not 1 <= len(each) <= 255 or not each.isprintable() for each in ids)
    return ids, ["an id is empty, too long or not printable"] if too_long else []


def _assigned(tensor: Tensor, sets: Sets) -> list[str]:
    """Put the tensor among the layers of its set; what is wrong with it."""
    name, layer = "", tensor.name
    if "" not in sets:
        name, _, layer = tensor.name.partition("/")
    place = f"tensor {tensor.name[:100]!r}"
    if name not in sets or not layer:
        return [f"{place}: it is of no stimulus set; name it SET/layer"]
    faults = []
    ids, units = sets[name]["ids"], prod(tensor.shape[1:])
    if tensor.dtype not in FLOATS:
        faults.append(f"{place}: its dtype is {tensor.dtype}; F16, F32 or F64 is expected")
    if len(tensor.shape) < 2 or tensor.shape[0] != len(ids):
        faults.append(
            f"{place}: its shape is {list(tensor.shape)}; ({len(ids)} stimuli, units …) is expected"
        )
    elif not 1 <= units <= MOST_UNITS:
        faults.append(f"{place}: it has {units:,} units; 1 to {MOST_UNITS:,} are taken")
    facts = {"tensor": tensor.name, "shape": list(tensor.shape[1:]), "dtype": tensor.dtype}
    sets[name]["layers"][layer] = facts
    return faults


def _value_faults(file: BinaryIO, tensor: Tensor) -> list[str]:
    import numpy as np

    for rows in row_blocks(tensor, block_bytes=BLOCK_BYTES):
        finite = np.isfinite(read_rows(file, tensor, slice(None), rows=rows))
        if not finite.all():
            row = rows[int(np.flatnonzero(~finite.all(axis=1))[0])]
            return [f"tensor {tensor.name[:100]!r}: row {row} holds NaN or infinity"]
    return []
