"""The seccomp filter: which system calls pass, as a program for the kernel's BPF machine.

Every call is looked up by one comparison each; the kernel remembers those that always pass, so the
length of the program is paid for the others only. Arguments are 64 bits wide and BPF compares 32,
so both halves are looked at where both could matter.
"""

import struct
from collections.abc import Iterable
from typing import Final

from . import calls
from .calls import Machine

_ALLOW: Final = 0x7FFF0000
_KILL: Final = 0x80000000
_ERRNO: Final = 0x00050000
_EPERM, _ENOTTY, _ENOSYS = 1, 25, 38

_LOAD, _EQUAL, _SET, _AND, _RETURN = 0x20, 0x15, 0x45, 0x54, 0x06
_NUMBER, _MACHINE, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
_X32 = 0x40000000

_THREAD: Final = 0x3D0F00
"""The flags by which glibc and musl make a thread: one more or one less is not a thread of ours."""
_DETACHED: Final = 0x400000  # musl sets it; the kernel ignores it

_WRITING: Final = 0o1 | 0o2 | 0o100 | 0o1000 | 0o2000
"""O_WRONLY, O_RDWR, O_CREAT, O_TRUNC and O_APPEND, which are the same on both machines."""
_TEMPORARY: Final = 0o20000000  # O_TMPFILE without its O_DIRECTORY

_DUPLICATE_AND_FLAGS: Final = (0, 1, 2, 3, 1030)  # F_DUPFD, GETFD, SETFD, GETFL, DUPFD_CLOEXEC
_NAMES_OF_THREADS: Final = (15, 16, 0x53564D41)  # PR_SET_NAME, PR_GET_NAME, PR_SET_VMA

Instruction = tuple[int, int, int, int]


def program(machine: Machine, process: int) -> bytes:
    """The filter of the process with that number: an array of `struct sock_filter`.

    `process` is the only one it may signal.
    """
    instructions = [
        (_LOAD, 0, 0, _MACHINE),
        (_EQUAL, 1, 0, calls.AUDIT_NUMBERS[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        *([(_SET, 0, 1, _X32), (_RETURN, 0, 0, _KILL)] if machine == "x86_64" else []),
        *_answers(machine, calls.ALLOWED, _ALLOW),
        *_conditions(machine, process),
        *_answers(machine, calls.ABSENT, _ERRNO | _ENOSYS),
        *_answers(machine, ("ioctl",), _ERRNO | _ENOTTY),  # how Python asks for a terminal
        *_answers(machine, calls.FATAL, _KILL),
        (_RETURN, 0, 0, _ERRNO | _EPERM),
    ]
    return b"".join(struct.pack("HBBI", *each) for each in instructions)


def _answers(machine: Machine, names: Iterable[str], answer: int) -> list[Instruction]:
    numbers = [calls.number(machine, name) for name in names]
    return [
        each
        for number in numbers
        if number is not None
        for each in ((_EQUAL, 0, 1, number), (_RETURN, 0, 0, answer))
    ]


def _conditions(machine: Machine, process: int) -> list[Instruction]:
    """The calls that hang on their arguments: each passes, or fails with EPERM."""
    bodies: dict[str, list[Instruction]] = {
        "clone": [*_high_is(0, 0), *_masked_is(0, ~_DETACHED, _THREAD)],
        "tgkill": _is(0, process),
        "open": _has_none_of(1, _WRITING | _TEMPORARY),
        "openat": _has_none_of(2, _WRITING | _TEMPORARY),
        "prlimit64": [*_is(0, 0), *_high_is(0, 0), *_is(2, 0), *_high_is(2, 0)],
        "fcntl": _is_one_of(1, _DUPLICATE_AND_FLAGS),
        "prctl": _is_one_of(0, _NAMES_OF_THREADS),
    }
    return [
        each
        for name, body in bodies.items()
        if (number := calls.number(machine, name)) is not None
        for each in _guarded(number, body)
    ]


def _guarded(number: int, body: list[Instruction]) -> list[Instruction]:
    # Each test ends the body with EPERM or falls through, so what comes last is to pass. The
    # accumulator holds the number again only where the body is jumped over.
    return [(_EQUAL, 0, len(body) + 1, number), *body, (_RETURN, 0, 0, _ALLOW)]


def _low(argument: int) -> Instruction:
    return (_LOAD, 0, 0, _ARGUMENTS + 8 * argument)


def _refused_unless_equal(expected: int) -> list[Instruction]:
    return [(_EQUAL, 1, 0, expected), (_RETURN, 0, 0, _ERRNO | _EPERM)]


def _is(argument: int, expected: int) -> list[Instruction]:
    return [_low(argument), *_refused_unless_equal(expected)]


def _high_is(argument: int, expected: int) -> list[Instruction]:
    return [(_LOAD, 0, 0, _ARGUMENTS + 8 * argument + 4), *_refused_unless_equal(expected)]


def _masked_is(argument: int, mask: int, expected: int) -> list[Instruction]:
    return [
        _low(argument),
        (_AND, 0, 0, mask & 0xFFFFFFFF),
        *_refused_unless_equal(expected),
    ]


def _has_none_of(argument: int, bits: int) -> list[Instruction]:
    return _masked_is(argument, bits, 0)


def _is_one_of(argument: int, expected: Iterable[int]) -> list[Instruction]:
    choices = tuple(expected)
    return [
        _low(argument),
        *((_EQUAL, len(choices) - place, 0, choice) for place, choice in enumerate(choices)),
        (_RETURN, 0, 0, _ERRNO | _EPERM),
    ]
