"""The trusted side: start a jailed process, talk with it, watch it, and leave nothing behind."""

import contextlib
import errno
import fcntl
import json
import logging
import os
import signal
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from ..errors import JailError
from . import child, kernel
from .channel import MESSAGE, Channel, Frame, Shapes
from .header import JSON
from .libraries import libraries
from .limits import Limits, check_task
from .watch import Watch, printable

if TYPE_CHECKING:
    import numpy as np

log = logging.getLogger(__name__)

_FIRST_FILE: Final = 5  # after the three standard descriptors and the two pipes
_ADDRESS_SPARE: Final = 64 * 2**30
"""What libraries and files may take of the address space, beside the memory itself."""
_DATA_SPARE: Final = 512 * 2**20 + 16 * 2**20 * (os.cpu_count() or 1)
"""Libraries' own variables and the stacks of two threads a core, most of it never touched."""
_PIPE_BYTES: Final = 2**20


class Jailed:
    """A jailed process, as the trusted side sees it."""

    def __init__(self, task: str, channel: Channel, watch: Watch) -> None:
        self.task = task
        self._channel = channel
        self._watch = watch

    @property
    def process(self) -> int:
        """The number of the process."""
        return self._watch.process

    @property
    def peak_bytes(self) -> int:
        """The most memory of its own that was seen, in bytes."""
        return self._watch.peak_bytes

    @property
    def cpu_seconds(self) -> float:
        """The processor time of all its threads: so far, or in all once it has ended."""
        return self._watch.cpu_seconds

    def send(
        self, header: Mapping[str, object], arrays: "Mapping[str, np.ndarray] | None" = None
    ) -> None:
        """Send a header that JSON can hold, and arrays. Raises JailError if it has ended."""
        with self._waiting():
            self._channel.send(header, arrays)

    def receive(
        self, *, most_bytes: int, finite: bool = False, shapes: Shapes | None = None
    ) -> "tuple[dict[str, JSON], dict[str, np.ndarray]]":
        """The next header and its arrays, which hold at most `most_bytes` together.

        `finite` refuses NaN and infinity; `shapes` refuses other arrays than these, None standing
        for any size. Raises JailError for whatever is not as it should be, when a limit is passed,
        and when the task fails or ends instead of answering.
        """
        frame = self.receive_frame(most_bytes=most_bytes, finite=finite, shapes=shapes)
        if frame.kind == MESSAGE:
            return frame.body, frame.arrays
        if frame.kind == "failed":
            raise JailError(f"the jailed task {self.task} failed: {_account(frame.body)}")
        if frame.kind == "ended":
            raise JailError(f"the jailed task {self.task} ended without an answer")
        raise JailError(f"the jailed task {self.task} sent a frame of an unknown kind")

    def receive_frame(
        self, *, most_bytes: int, finite: bool = False, shapes: Shapes | None = None
    ) -> Frame:
        """The next frame, of whatever kind; otherwise as `receive`."""
        spare = self._watch.limits.output_bytes - self._channel.received_bytes
        if spare <= 0:
            self._watch.kill(f"it sent more than {self._watch.limits.output_bytes} bytes")
            self._explain()
        with self._waiting():
            return self._channel.receive_frame(
                most_bytes=min(most_bytes, spare), finite=finite, shapes=shapes
            )

    @contextlib.contextmanager
    def _waiting(self) -> Iterator[None]:
        try:
            with self._watch.waiting():
                yield
        except JailError:
            self._watch.kill("it did not keep to what was agreed")
            raise
        except (EOFError, OSError):
            self._explain()

    def _explain(self) -> NoReturn:
        reason = self._watch.reason_of_the_end()
        if not self._watch.was_killed and (failure := self._unheard_failure()):
            raise JailError(f"the jailed task {self.task} failed: {failure}") from None
        raise JailError(f"the jailed task {self.task} was stopped: {reason}") from None

    def _unheard_failure(self) -> str | None:
        """Why the task failed, if it said so while the trusted side was sending."""
        with contextlib.suppress(JailError, EOFError, OSError):
            while True:
                frame = self._channel.receive_frame(most_bytes=0)
                if frame.kind == "failed":
                    return _account(frame.body)
        return None


@contextlib.contextmanager
def run(
    task: str,
    request: Mapping[str, object],
    *,
    files: Mapping[str, Path] | None = None,
    limits: Limits | None = None,
) -> Iterator[Jailed]:
    """Run `task`, "module:function" of our own, in a jail for as long as the block lasts.

    The function is called with the `Channel`, the request and the opened files, by name. The
    process is killed when the block ends, when the thread that started it ends, and at a limit.
    About 50 ms, most of it Python's start; PyTorch takes seconds more to import. Raises JailError
    where no jail can be had, and nothing of the task is run then; OSError for a file that can't be
    opened, such as a symbolic link.
    """
    check_task(task)
    kernel.require()
    with contextlib.ExitStack() as stack:
        started = _start(task, files or {}, limits or Limits(), stack)
        frame = started.receive_frame(most_bytes=0)
        if frame.kind != "closed":
            raise JailError(f"no jail could be closed: {_line(frame.body.get('reason'))}")
        started.send(request)
        yield started


def available() -> str | None:
    """None if jails can be had here, or why not: it closes one and tries what must fail."""
    try:
        with run("isocortex.jail.trial:nothing", {}) as jailed:
            jailed.receive(most_bytes=0)
    except JailError as error:
        return str(error)
    return None


def _start(
    task: str, files: Mapping[str, Path], limits: Limits, stack: contextlib.ExitStack
) -> Jailed:
    """Start the process; with the stack it is killed and waited for, and the pipes are closed."""
    with contextlib.ExitStack() as theirs:
        # Opened first: what can't be opened is found before anything is started.
        opened = {name: _opened(name, path, theirs) for name, path in files.items()}
        asked, ours_out = _pipe(theirs, stack)
        ours_in, answers = _pipe(stack, theirs)
        heard, said = _pipe(stack, theirs)
        nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        theirs.callback(os.close, nothing)
        argument = json.dumps(_told(task, opened, limits))
        process = _spawn(argument, (nothing, said, said, asked, answers, *opened.values()), theirs)
    watch = Watch(process, heard, limits)
    stack.callback(watch.close)
    return Jailed(task, Channel(ours_in, ours_out), watch)


def _opened(name: str, path: Path, stack: contextlib.ExitStack) -> int:
    # Not to wait for whoever might write into what turns out to be a named pipe.
    number = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    stack.callback(os.close, number)
    if not stat.S_ISREG(os.fstat(number).st_mode):
        raise JailError(f"the file {name!r} for a jail is not a plain file: {path}")
    return number


def _pipe(reading: contextlib.ExitStack, writing: contextlib.ExitStack) -> tuple[int, int]:
    source, sink = os.pipe2(os.O_CLOEXEC)
    reading.callback(os.close, source)
    writing.callback(os.close, sink)
    with contextlib.suppress(OSError):  # more than this account may have: only slower
        fcntl.fcntl(sink, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return source, sink


def _told(task: str, opened: Mapping[str, int], limits: Limits) -> dict[str, object]:
    """What the child needs to know before its jail is closed; anybody may read it."""
    found = libraries()
    size = sum(os.fstat(number).st_size for number in opened.values())
    return {
        "task": task,
        "parent": os.getpid(),
        "pipes": (3, 4),
        "files": {name: _FIRST_FILE + place for place, name in enumerate(opened)},
        "path": found.path,
        "packages": found.packages,
        "walls": {
            "folders": found.folders,
            "files": found.files,
            "memory_bytes": limits.memory_bytes + _DATA_SPARE,
            "address_bytes": limits.memory_bytes + _ADDRESS_SPARE + size,
            "cpu_seconds": limits.cpu_seconds,
        },
    }


def _spawn(argument: str, kept: Sequence[int], stack: contextlib.ExitStack) -> int:
    """Start the child with `kept` as its descriptors 0, 1, 2, …; its process number."""
    actions = []
    for number, each in enumerate(kept):
        # From above all numbers that are given out, so that none is overwritten before its turn.
        source = fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, len(kept))
        stack.callback(os.close, source)
        actions.append((os.POSIX_SPAWN_DUP2, source, number))
    return os.posix_spawn(
        sys.executable,
        [sys.executable, "-I", "-S", "-B", child.__file__, argument],
        _environment(),
        file_actions=actions,
        setpgroup=0,  # a Ctrl-C is for the trusted side, which then ends this one
        setsigmask=(),
        setsigdef=(signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGXCPU),
    )


def _environment() -> dict[str, str]:
    """Nothing of ours but where the loader finds libraries, which some clusters set."""
    loader = {k: v for k, v in os.environ.items() if k == "LD_LIBRARY_PATH"}
    return {
        **loader,
        "HOME": "/nonexistent",
        "LANG": "C.UTF-8",
        "USER": "jail",
        "ORT_DISABLE_TELEMETRY": "1",
        "OPENBLAS_NUM_THREADS": "1",  # numpy's; PyTorch and onnxruntime bring their own
    }


def _account(body: Mapping[str, JSON]) -> str:
    """What a jailed task says of its failure; nothing of it need be true."""
    text = f"{_line(body.get('error'))}: {_line(body.get('text'))}"
    if body.get("number") in (errno.EPERM, errno.EACCES):
        places = body.get("places")
        last = places[-1] if isinstance(places, list) and places else None
        text += f" (the jail forbids what {_line(last)} asked for)"
    if body.get("error") == "MemoryError":
        text += " (the memory of the jail is used up)"
    return text


def _line(found: JSON) -> str:
    return printable(found, most=1000) if isinstance(found, str) else "no reason given"
