"""The jailed side: close the jail, then import the task, then run it.

Started by `host.py` as a script, so that nothing but the standard library is imported before the
jail is closed. What it is told comes as one JSON argument; it holds nothing secret.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from isocortex.jail.channel import Channel

    Task = Callable[[Channel, Mapping[str, object], Mapping[str, BinaryIO]], object]


class Packages:
    """Finds our packages in their folders, which lie apart in a checkout."""

    def __init__(self, folders: Mapping[str, str]) -> None:
        self._folders = folders

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: object = None
    ) -> ModuleSpec | None:
        """The specification of one of our packages, or None."""
        folder = self._folders.get(name)
        if folder is None:
            return None
        return spec_from_file_location(
            name, f"{folder}/__init__.py", submodule_search_locations=[folder]
        )


def main(argument: str) -> int:
    """Run what `argument` names, in a jail; the exit status of the process."""
    told = json.loads(argument)
    sys.path.extend(told["path"])
    sys.meta_path.insert(0, Packages(told["packages"]))

    from isocortex.jail import channel, kernel, limits

    incoming, outgoing = told["pipes"]
    ours = channel.Channel(incoming, outgoing)
    try:
        limits.check_task(told["task"])
        kernel.die_with(told["parent"])
        kernel.close_descriptors((0, 1, 2, incoming, outgoing, *told["files"].values()))
        kernel.close(kernel.Walls(**told["walls"]))
    except BaseException as error:
        ours.send({"reason": f"{type(error).__name__}: {error}"}, kind="open")
        return 1
    ours.send({}, kind="closed")
    return _run(told, ours)


def _run(told: Mapping[str, Mapping[str, int]], ours: "Channel") -> int:
    try:
        _foresee_no_compiler()
        request, _ = ours.receive(most_bytes=0)
        files = {name: open(number, "rb") for name, number in told["files"].items()}  # noqa: PTH123, SIM115
        _task(str(told["task"]))(ours, request, files)
        ours.send({}, kind="ended")
    except (EOFError, BrokenPipeError):
        return 0  # nobody listens any more
    except BaseException as error:
        ours.send(_account(error), kind="failed")
        return 1
    return 0


def _task(name: str) -> "Task":
    import importlib

    module, _, function = name.partition(":")
    found: Task = getattr(importlib.import_module(module), function)
    return found


def _foresee_no_compiler() -> None:
    # PyTorch's CUDA bindings would look for a library by running a compiler; there is no CUDA here.
    import ctypes.util

    sys.modules["cuda"] = None  # type: ignore[assignment]
    ctypes.util.find_library = lambda name: None


def _account(error: BaseException) -> dict[str, object]:
    """What went wrong, short enough for a header."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)[-3:]
    places = [f"{frame.name} in {frame.filename}, line {frame.lineno}" for frame in frames]
    return {
        "error": type(error).__name__,
        "text": str(error)[:2000].encode(errors="replace").decode().replace("\0", "?"),
        "places": places,
        "number": getattr(error, "errno", None),
    }


if __name__ == "__main__":
    # Without unwinding: threads that libraries left behind are not waited for.
    import os

    status = main(sys.argv[1])
    sys.stderr.flush()
    os._exit(status)
