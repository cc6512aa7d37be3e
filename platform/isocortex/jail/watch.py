"""The eye on a jailed process: its memory, its threads, the time waited for it, and its end."""

import contextlib
import logging
import os
import select
import signal
import threading
import time
from collections.abc import Iterator
from typing import Final

from .limits import Limits

log = logging.getLogger(__name__)

_FIRST_TICK, _TICK = 0.01, 0.05
"""Seconds between two looks: in the first second, and later. What a process could do in between is
bounded by the kernel's own limits."""
_SETTLING: Final = 1.0
"""How long a process that has closed its pipe may take to end, in seconds."""
_MEMORY: Final = (b"RssAnon", b"RssShmem", b"HugetlbPages", b"VmPTE")
"""What counts as memory of its own, in /proc/<process>/status: not what is mapped from files."""
_TAIL: Final = 4096
_TICKS: Final = os.sysconf("SC_CLK_TCK")

_SIGNALS: Final = {
    signal.SIGSYS: "it made a system call that no network needs, such as to start a program, to "
    "trace another process or to mount a file system",
    signal.SIGXCPU: "it used more than {cpu_seconds} seconds of processor time",
    signal.SIGXFSZ: "it tried to write a file",
    signal.SIGSEGV: "it crashed (segmentation fault), maybe for want of memory",
    signal.SIGBUS: "it crashed (bus error); a file it was handed may have been cut short",
    signal.SIGABRT: "it gave up (abort), maybe for want of memory",
    signal.SIGFPE: "it crashed (division by zero)",
    signal.SIGILL: "it crashed (illegal instruction)",
}


class Watch:
    """Looks after one child process from its start to its end; only this waits for it."""

    def __init__(self, process: int, errors: int, limits: Limits) -> None:
        self.process = process
        self.limits = limits
        self.peak_bytes = 0
        self._errors = errors
        self._reason: str | None = None
        self._end: tuple[int, float] | None = None  # status, seconds of processor time
        self._tail = b""
        self._waited, self._since = 0.0, 0.0
        self._lock = threading.Lock()
        # Opened now: under some mounts of /proc, a process that can't be dumped can't be looked up.
        self._status = os.open(f"/proc/{process}/status", os.O_RDONLY | os.O_CLOEXEC)
        self._times = os.open(f"/proc/{process}/stat", os.O_RDONLY | os.O_CLOEXEC)
        self._handle = os.pidfd_open(process)
        os.set_blocking(errors, False)
        self._thread = threading.Thread(target=self._look_after, daemon=True, name="jail watch")
        self._thread.start()

    @property
    def cpu_seconds(self) -> float:
        """The processor time of all its threads so far."""
        end = self._end
        if end is not None:
            return end[1]
        with contextlib.suppress(OSError):
            fields = os.pread(self._times, 4096, 0).rpartition(b")")[2].split()
            return (int(fields[11]) + int(fields[12])) / _TICKS
        return 0.0

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time that the block takes against the process."""
        self._since = time.monotonic()
        try:
            yield
        finally:
            self._waited += time.monotonic() - self._since
            self._since = 0.0

    def kill(self, reason: str) -> None:
        """End the process at once, with all its threads; the first reason given counts."""
        with self._lock:
            if self._end is None:
                self._reason = self._reason or reason
                os.kill(self.process, signal.SIGKILL)

    def reason_of_the_end(self) -> str:
        """Why the process ended; one that has closed its pipe and lives on is killed."""
        self._thread.join(_SETTLING)
        self.kill("it closed its pipe without an answer")
        self._thread.join()
        status, cpu_seconds = self._end or (0, 0.0)
        reason = self._reason or self._reason_of(status, cpu_seconds)
        return reason + (f"; its last words: {self.last_words}" if self.last_words else "")

    @property
    def was_killed(self) -> bool:
        """Whether the trusted side ended it."""
        return self._reason is not None

    @property
    def last_words(self) -> str:
        """The end of what it printed, in plain characters."""
        return printable(self._tail.decode(errors="replace"), most=500)

    def close(self) -> None:
        """End the process if it lives, and wait for it: nothing of it is left then."""
        self.kill("the trusted side was done with it")
        self._thread.join()
        for each in (self._status, self._times, self._handle):
            os.close(each)

    def _look_after(self) -> None:
        started = time.monotonic()
        poll = select.poll()
        poll.register(self._handle, select.POLLIN)
        poll.register(self._errors, select.POLLIN)
        while True:
            tick = _FIRST_TICK if time.monotonic() - started < 1 else _TICK
            events = dict(poll.poll(1000 * tick))
            if self._errors in events and not self._listen():
                poll.unregister(self._errors)
            if self._handle in events:
                break
            self._look()
        self._bury()

    def _look(self) -> None:
        facts = dict.fromkeys((*_MEMORY, b"Threads"), 0)
        try:
            lines = os.pread(self._status, 8192, 0).splitlines()
        except OSError:
            return  # it has just ended
        for line in lines:
            name, _, value = line.partition(b":")
            if name in facts:
                facts[name] = int(value.split()[0])
        used = 1024 * sum(facts[name] for name in _MEMORY)
        self.peak_bytes = max(self.peak_bytes, used)
        waited = self._waited + (time.monotonic() - self._since if self._since else 0.0)
        if used > self.limits.memory_bytes:
            self.kill(f"it used more than {self.limits.memory_bytes} bytes of memory")
        if facts[b"Threads"] > self.limits.threads:
            self.kill(f"it started more than {self.limits.threads} threads")
        if waited > self.limits.wall_seconds:
            self.kill(f"it was waited for longer than {self.limits.wall_seconds:g} seconds")

    def _listen(self) -> bool:
        """Take in what it printed, a little at a time; False when no more can come."""
        try:
            said = os.read(self._errors, 65536)
        except BlockingIOError:
            return True
        self._tail = (self._tail + said)[-_TAIL:]
        return bool(said)

    def _bury(self) -> None:
        with self._lock:
            cpu_seconds = self.cpu_seconds
            try:
                _, status, usage = os.wait4(self.process, 0)
                self._end = (status, usage.ru_utime + usage.ru_stime)
            except ChildProcessError:
                self._reason = self._reason or "it ended, and somebody else had waited for it"
                self._end = (0, cpu_seconds)
        while self._listen_once_more():
            pass
        log.debug("jailed process %d ended: %s", self.process, self._end)

    def _listen_once_more(self) -> bool:
        try:
            said = os.read(self._errors, 65536)
        except OSError:
            return False
        self._tail = (self._tail + said)[-_TAIL:]
        return bool(said)

    def _reason_of(self, status: int, cpu_seconds: float) -> str:
        code = os.waitstatus_to_exitcode(status)
        if code >= 0:
            return f"it ended by itself, with status {code}"
        if -code == signal.SIGKILL and cpu_seconds >= self.limits.cpu_seconds:
            return _SIGNALS[signal.SIGXCPU].format(cpu_seconds=self.limits.cpu_seconds)
        if -code == signal.SIGKILL:
            return "it was killed from outside, maybe because the machine ran out of memory"
        known = _SIGNALS.get(signal.Signals(-code), f"signal {-code} ended it")
        return known.format(cpu_seconds=self.limits.cpu_seconds)


def printable(text: str, *, most: int) -> str:
    """The end of a text of strangers, with nothing that could steer a terminal or forge a line."""
    plain = "".join(each if each.isprintable() else " " for each in text)
    short = " ".join(plain.split())
    return short if len(short) <= most else "…" + short[-most:]
