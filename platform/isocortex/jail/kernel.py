"""The locks of the jail, asked of the Linux kernel through ctypes.

`close` turns them one by one on the calling process, which must have one thread, and for good:
none of them can be opened again from inside. Whatever fails raises `JailError`.
"""

import _socket  # `socket` itself would import what nothing here needs
import ctypes
import errno
import os
import resource
import signal
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ..errors import JailError
from . import calls, filters

_LIBC: Final = ctypes.CDLL(None, use_errno=True)

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_PR_CAPBSET_DROP, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 24, 47, 4
_SECCOMP_SET_MODE_FILTER = 1
_SECCOMP_GET_ACTION_AVAIL = 2
_LANDLOCK_VERSION = 1  # flag of landlock_create_ruleset
_LANDLOCK_RULE_PATH = 1
_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3
_RIGHTS_BY_ABI: Final = {1: 13, 2: 14, 3: 15, 5: 16}
"""How many rights over files are known from each version of Landlock on."""

_CLOSE_RANGE_LAST = (1 << 32) - 1


@dataclass(frozen=True)
class Walls:
    """What a process is to be locked into."""

    folders: tuple[str, ...]
    """What may be read, with all below it."""
    files: tuple[str, ...]
    """Single files that may be read."""
    memory_bytes: int
    """How much private memory may be asked for."""
    address_bytes: int
    """How much may be mapped, libraries and files included."""
    cpu_seconds: int
    """Of all threads together."""


def machine() -> calls.Machine:
    """The kind of machine this is. Raises JailError where its system calls are not known."""
    facts = os.uname()
    name = facts.machine
    if facts.sysname != "Linux" or name not in ("x86_64", "aarch64") or _bits() != 64:
        raise JailError(
            f"jails need 64-bit Linux on x86_64 or aarch64; this is {_bits()}-bit "
            f"{facts.sysname} on {name}"
        )
    return name  # type: ignore[return-value]


def landlock_version() -> int:
    """The version of Landlock that this kernel offers; 0 where there is none."""
    found = _syscall("landlock_create_ruleset", None, 0, _LANDLOCK_VERSION)
    return max(found, 0)


def has_seccomp() -> bool:
    """Whether this kernel can filter system calls and kill a process for one."""
    action = ctypes.c_uint32(0x80000000)
    return _syscall("seccomp", _SECCOMP_GET_ACTION_AVAIL, 0, ctypes.byref(action)) == 0


def require() -> None:
    """Raise JailError where no jail can be had, and say why."""
    machine()
    if landlock_version() < 1:
        raise JailError(
            "this kernel offers no Landlock, without which files can't be kept from a jail: it "
            "needs Linux 5.13 or newer, with 'landlock' among the lsm= of its command line, and a "
            "container that lets its calls pass (see docs/security.md)"
        )
    if not has_seccomp():
        raise JailError(
            "this kernel can't filter system calls (seccomp), without which a jail would leak; "
            "see docs/security.md"
        )


def die_with(parent: int) -> None:
    """Have this process killed as soon as the thread that started it ends.

    Raises JailError if the parent is gone already.
    """
    _control(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise JailError("the process that asked for a jail is gone")


def close_descriptors(kept: Sequence[int]) -> None:
    """Close every descriptor but those, so that nothing inherited is left."""
    first = 0
    for each in (*sorted(set(kept)), None):
        last = _CLOSE_RANGE_LAST if each is None else each - 1
        if first <= last and _syscall("close_range", first, last, 0) != 0:
            os.closerange(first, 1 << 20 if each is None else each)  # Linux before 5.9
        first = first if each is None else each + 1


def close(walls: Walls) -> None:
    """Lock this process in. Raises JailError where a lock can't be had or does not hold."""
    count = len(os.listdir("/proc/self/task"))  # noqa: PTH208 (pathlib would import more)
    if count != 1:
        raise JailError(f"a jail is closed by a process of one thread, and this one has {count}")
    _prefer_for_the_lack_of_memory()
    limit_resources(walls)
    drop_capabilities()
    _control(_PR_SET_DUMPABLE, 0)
    _control(_PR_SET_NO_NEW_PRIVS, 1)
    restrict_files(walls.folders, walls.files)
    filter_calls()
    verify()


def limit_resources(walls: Walls) -> None:
    """Set the kernel's own limits, which cannot be raised again once capabilities are gone.

    Not the number of processes: that limit counts all that the account runs. The filter keeps
    processes from being made at all, and the watch counts threads.
    """
    limits = {
        resource.RLIMIT_AS: walls.address_bytes,
        resource.RLIMIT_DATA: walls.memory_bytes,
        resource.RLIMIT_CPU: walls.cpu_seconds,
        resource.RLIMIT_NOFILE: 256,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_SIGPENDING: 64,
    }
    for kind, most in limits.items():
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        # A second between the two, so that the process dies of SIGXCPU and the reason is known.
        spare = 1 if kind == resource.RLIMIT_CPU and most != hard else 0
        resource.setrlimit(kind, (most, most + spare))


def drop_capabilities() -> None:
    """Give up every privilege of root, for good."""
    for capability in range(64):
        if _LIBC.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break  # past the last one, or not privileged to drop what it does not have
    _LIBC.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    header = struct.pack("II", 0x20080522, 0)
    _must("capset", _syscall("capset", header, bytes(24)))


def restrict_files(folders: Sequence[str], files: Sequence[str]) -> None:
    """Let only these be read, and nothing be written, run, bound, connected or signalled."""
    require()
    version = landlock_version()
    rights = (1 << _RIGHTS_BY_ABI[max(each for each in _RIGHTS_BY_ABI if each <= version)]) - 1
    handled = [rights, *([3] if version >= 4 else []), *([3] if version >= 6 else [])]
    attribute = struct.pack(f"{len(handled)}Q", *handled)
    ruleset = _must(
        "landlock_create_ruleset",
        _syscall("landlock_create_ruleset", attribute, len(attribute), 0),
    )
    for path, right in (
        *((folder, _READ_FILE | _READ_FOLDER) for folder in folders),
        *((file, _READ_FILE) for file in files),
    ):
        _allow_path(ruleset, path, right)
    _must("landlock_restrict_self", _syscall("landlock_restrict_self", ruleset, 0))
    os.close(ruleset)


def filter_calls() -> None:
    """Let only the calls of `calls.py` pass, in this thread and all that come of it."""
    code = filters.program(machine(), os.getpid())
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
    _must("seccomp", _syscall("seccomp", _SECCOMP_SET_MODE_FILTER, 0, program))


def verify() -> None:
    """Try each lock once. Raises JailError if one does not hold, such as under an emulator."""
    attempts: dict[str, Callable[[], object]] = {
        "list the root folder": lambda: os.listdir("/"),  # noqa: PTH208
        "read the list of users": lambda: os.open("/etc/passwd", os.O_RDONLY),
        "read about processes": lambda: os.open("/proc/self/status", os.O_RDONLY),
        "open a socket": lambda: _socket.socket(_socket.AF_UNIX).close(),
        "raise a limit": lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)),
    }
    for what, attempt in attempts.items():
        try:
            attempt()
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EPERM):
                continue
            raise JailError(f"a jail could not be tried out: to {what} gave {error}") from error
        except ValueError:
            continue  # how `setrlimit` says EPERM
        raise JailError(f"the jail does not hold: it was possible to {what}")


def _allow_path(ruleset: int, path: str, right: int) -> None:
    # O_PATH, so that a folder is named and not opened
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = struct.pack("=Qi", right, descriptor)
        answer = _syscall("landlock_add_rule", ruleset, _LANDLOCK_RULE_PATH, rule, 0)
        _must("landlock_add_rule", answer)
    finally:
        os.close(descriptor)


def _prefer_for_the_lack_of_memory() -> None:
    # A machine without memory is to end the jail, not the server.
    try:
        with open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123
            file.write("1000")
    except OSError:
        pass  # a container may forbid it; no lock hangs on it


def _control(option: int, argument: int) -> None:
    _must(f"prctl({option})", _LIBC.prctl(option, argument, 0, 0, 0))


def _syscall(name: str, *arguments: object) -> int:
    number = calls.number(machine(), name)
    if number is None:
        raise JailError(f"this machine has no system call named {name}")
    wide = (ctypes.c_long(each) if isinstance(each, int) else each for each in arguments)
    return int(_LIBC.syscall(ctypes.c_long(number), *wide))


def _must(name: str, answer: int) -> int:
    if answer < 0:
        reason = os.strerror(ctypes.get_errno())
        raise JailError(
            f"{name} failed: {reason}; jails need Linux 5.13 or newer with Landlock and seccomp, "
            "which some containers forbid (see docs/security.md)"
        )
    return answer


def _bits() -> int:
    return 8 * ctypes.sizeof(ctypes.c_void_p)
