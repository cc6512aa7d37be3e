"""Without every lock there is no jail, and nothing is run."""

import json
import os
import platform
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from isocortex.errors import JailError
from isocortex.jail import Limits, available, calls, filters, kernel, libraries, run
from tests.jail.attacks import ATTACKS, PREAMBLE
from tests.jail.test_attacks import request_of

WITHOUT = """
import ctypes, struct, sys
# Answers the calls numbered in the arguments with ENOSYS from here on, for all that is started.
code = b"".join(struct.pack("HBBI", *each) for each in (
    (0x20, 0, 0, 0),
    *(row for number in map(int, sys.argv[1:])
      for row in ((0x15, 0, 1, number), (6, 0, 0, 0x50026))),
    (6, 0, 0, 0x7fff0000),
))
room = ctypes.create_string_buffer(code, len(code))
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(room))) == 0
from isocortex.errors import JailError
from isocortex.jail import available, kernel, run
print(available())
kernel.require = lambda: None  # as if the trusted side were wrong about its kernel
try:
    with run("isocortex.jail.trial:attempt", {"source": "print('it ran')"}) as jailed:
        jailed.receive(most_bytes=0)
        print("it ran")
except JailError as error:
    print(error)
"""


def without(*names: str) -> list[str]:
    """What is said of jails on a kernel without some calls."""
    numbers = [str(calls.number(kernel.machine(), name)) for name in names]
    found = subprocess.run(
        [sys.executable, "-c", WITHOUT, *numbers], capture_output=True, text=True, timeout=60
    )
    assert found.returncode == 0, found.stderr
    return found.stdout.splitlines()


def test_jails_can_be_had_here():
    assert available() is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("landlock_create_ruleset", "offers no Landlock"),
        ("landlock_add_rule", "landlock_add_rule failed"),
        ("landlock_restrict_self", "landlock_restrict_self failed"),
        ("seccomp", "seccomp"),
        ("prctl", "prctl(1) failed"),
        ("capset", "capset failed"),
    ],
)
def test_without_a_lock_nothing_is_run(name, reason):
    said, tried = without(name)
    assert reason in said
    assert "no jail could be closed" in tried


def test_an_older_close_range_is_not_needed():
    assert without("close_range")[0] == "None"


def test_a_process_of_two_threads_can_not_be_jailed():
    code = """
import threading
from isocortex.jail import kernel
stop = threading.Event()
threading.Thread(target=stop.wait).start()
try: kernel.close(kernel.Walls((), (), 2**30, 2**40, 9))
except Exception as error: print(error)
stop.set()
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "one thread, and this one has 2" in found.stdout


def test_a_jail_that_does_not_hold_is_noticed():
    """Each lock is left open in turn, in a process of its own; the others stay closed."""
    code = """
import sys
from isocortex.jail import kernel
from isocortex.jail.libraries import libraries
found = libraries()
setattr(kernel, sys.argv[1], lambda *_: None)
try: kernel.close(kernel.Walls(found.folders, found.files, 2**32, 2**40, 9))
except Exception as error: print(error)
"""
    for name, reason in {
        "restrict_files": "it was possible to list the root folder",
        "filter_calls": "it was possible to open a socket",
    }.items():
        found = subprocess.run(
            [sys.executable, "-c", code, name],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert reason in found.stdout, found.stderr


def test_another_machine_is_refused(monkeypatch):
    facts = os.uname_result(("Linux", "name", "6.12", "1", "riscv64"))
    monkeypatch.setattr(os, "uname", lambda: facts)
    assert "x86_64 or aarch64" in str(available())
    with pytest.raises(JailError, match="riscv64"), run("isocortex.jail.trial:nothing", {}):
        pass


def test_private_files_among_the_libraries_are_refused(monkeypatch):
    folder = libraries.libraries().packages["isocortex"]
    monkeypatch.setenv("ISOCORTEX_HOME", f"{folder}/home")
    assert "which every jailed process may read" in str(available())
    monkeypatch.undo()
    monkeypatch.setenv("ISOCORTEX_DATABASE", f"sqlite:///{folder}/isocortex.sqlite3")
    assert "which every jailed process may read" in str(available())


def test_what_may_be_read_holds_no_checkout_and_no_home():
    found = libraries.libraries()
    for folder in map(Path, found.folders):
        assert not (folder / ".git").exists()
        assert not Path.home().is_relative_to(folder)
        assert not Path(__file__).is_relative_to(folder)


def test_every_call_of_the_policy_has_its_number():
    for machine, only in {"x86_64": set(), "aarch64": OLD}.items():
        for name in (*calls.ALLOWED, *calls.ABSENT, *calls.FATAL):
            assert (calls.number(machine, name) is None) == (name in only), name


OLD = {
    "stat", "lstat", "access", "readlink", "poll", "select", "time", "fork", "vfork",
}  # fmt: skip
"""Calls that newer machines never had."""


def test_no_call_is_both_allowed_and_refused():
    for machine in ("x86_64", "aarch64"):
        seen = [calls.number(machine, n) for n in (*calls.ALLOWED, *calls.ABSENT, *calls.FATAL)]
        numbers = [each for each in seen if each is not None]
        assert len(numbers) == len(set(numbers))


@pytest.mark.skipif(not Path("/usr/include/asm-generic/unistd.h").exists(), reason="no headers")
def test_the_numbers_are_those_of_the_kernels_headers():
    generic = Path("/usr/include/asm-generic/unistd.h").read_text()
    expected = dict(definitions(generic))
    for name, number in {**calls.NUMBERS["aarch64"], **calls.COMMON}.items():
        assert expected[{"newfstatat": "fstatat"}.get(name, name)] == number, name
    own = Path(f"/usr/include/{platform.machine()}-linux-gnu/asm/unistd_64.h")
    if own.exists():
        expected = dict(definitions(own.read_text()))
        for name, number in {**calls.NUMBERS["x86_64"], **calls.COMMON}.items():
            assert expected[name] == number, name


def definitions(header: str):
    for line in header.splitlines():
        parts = line.split()
        if parts[:1] == ["#define"] and len(parts) > 2 and parts[2].isdigit():
            yield parts[1].removeprefix("__NR3264_").removeprefix("__NR_"), int(parts[2])


def answer_of(program: bytes, number: int, arguments=(), audit=calls.AUDIT_NUMBERS["aarch64"]):
    """What a filter answers to a call, by a machine of four instructions."""
    facts = struct.pack("<iIQ6Q", number, audit, 0, *arguments, *[0] * (6 - len(arguments)))
    rows = [struct.unpack_from("HBBI", program, place) for place in range(0, len(program), 8)]
    accumulator, place = 0, 0
    while True:
        code, yes, no, value = rows[place]
        place += 1
        if code == 0x20:
            accumulator = struct.unpack_from("<I", facts, value)[0]
        elif code == 0x54:
            accumulator &= value
        elif code == 0x06:
            return value
        else:
            truth = accumulator == value if code == 0x15 else bool(accumulator & value)
            place += yes if truth else no


ALLOW, KILL, EPERM, ENOSYS = 0x7FFF0000, 0x80000000, 0x50001, 0x50026
THREAD = 0x3D0F00

ANSWERS = [
    ("read", (), ALLOW),
    ("socket", (), EPERM),
    ("execve", (), KILL),
    ("clone3", (), ENOSYS),
    ("clone", (THREAD,), ALLOW),
    ("clone", (THREAD | 0x400000,), ALLOW),
    ("clone", (THREAD | 0x20000,), EPERM),
    ("clone", (THREAD & ~0x10000,), EPERM),
    ("clone", (THREAD | 1 << 33,), EPERM),
    ("clone", (17,), EPERM),
    ("openat", (0, 0, 0o2000000), ALLOW),
    ("openat", (0, 0, 1), EPERM),
    ("openat", (0, 0, 2), EPERM),
    ("openat", (0, 0, 0o100), EPERM),
    ("openat", (0, 0, 0o1000), EPERM),
    ("openat", (0, 0, 0o20040000), EPERM),
    ("tgkill", (77,), ALLOW),
    ("tgkill", (78,), EPERM),
    ("prlimit64", (0, 7, 0), ALLOW),
    ("prlimit64", (0, 7, 1), EPERM),
    ("prlimit64", (0, 7, 1 << 32), EPERM),
    ("prlimit64", (78, 7, 0), EPERM),
    ("fcntl", (3, 1), ALLOW),
    ("fcntl", (3, 1030), ALLOW),
    ("fcntl", (3, 8), EPERM),
    ("prctl", (15,), ALLOW),
    ("prctl", (4,), EPERM),
]


@pytest.mark.parametrize(("name", "arguments", "expected"), ANSWERS)
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_answers_alike_on_both_machines(machine, name, arguments, expected):
    program = filters.program(machine, 77)
    number = {"x86_64": 41, "aarch64": 198}[machine] if name == "socket" else None
    number = calls.number(machine, name) if number is None else number
    audit = calls.AUDIT_NUMBERS[machine]
    assert answer_of(program, number, arguments, audit) == expected
    others = set(calls.AUDIT_NUMBERS.values()) - {audit}
    assert {answer_of(program, number, arguments, each) for each in others} == {KILL}


def test_the_number_of_the_filter_fits_the_kernel():
    assert len(filters.program("x86_64", 1)) // 8 < 4096


HOLD = "channel.send({})\nchannel.receive(most_bytes=0)"


def test_every_lock_is_closed_as_the_kernel_sees_it():
    with run("isocortex.jail.trial:attempt", {"source": HOLD}) as jailed:
        jailed.receive(most_bytes=0)
        lines = Path(f"/proc/{jailed.process}/status").read_text().splitlines()
        facts = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
        jailed.send({})
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(facts[name], 16) == 0, name
    assert facts["NoNewPrivs"] == "1"
    assert facts["Seccomp"] == "2"


def test_the_kernels_limits_are_set():
    source = """
import resource
answer = {name: resource.getrlimit(getattr(resource, name)) for name in dir(resource)
          if name.startswith("RLIMIT_")}
"""
    limits = Limits(memory_bytes=10**9, cpu_seconds=77)
    with run("isocortex.jail.trial:attempt", {"source": source}, limits=limits) as jailed:
        found = jailed.receive(most_bytes=0)[0]["answer"]
    assert found["RLIMIT_DATA"][0] == 10**9 + (512 + 16 * os.cpu_count()) * 2**20
    assert found["RLIMIT_AS"][0] == 10**9 + 64 * 2**30
    assert found["RLIMIT_CPU"] == [77, 78]
    for name in ("RLIMIT_FSIZE", "RLIMIT_CORE", "RLIMIT_MEMLOCK", "RLIMIT_MSGQUEUE"):
        assert found[name] == [0, 0], name
    assert found["RLIMIT_NOFILE"][1] <= 256


ALONE = """
import ctypes, json, sys
from isocortex.jail import kernel
from isocortex.jail.libraries import libraries
names = json.loads(sys.argv[1])
request, found = names["request"], libraries()
files = {"given": open(request["decoy"]["given"], "rb")}
setattr(kernel, names["open"], lambda *_: None)
kernel.verify = lambda: None
kernel.close(kernel.Walls(found.folders, found.files, 2**32, 2**40, 60))
print("dumpable", ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), flush=True)
for name, source in names["attacks"].items():
    try:
        known = {"request": request, "files": files}
        exec(source, known)
        print(name, known.get("answer"), flush=True)
    except (OSError, ValueError):
        print(name, "refused", flush=True)
"""


def said_with_an_open(lock: str, attacks, decoy) -> dict[str, str]:
    """What became of each attack, with one lock left open."""
    sources = {each.name: PREAMBLE + each.source for each in attacks}
    told = {"request": request_of(attacks[0], decoy), "open": lock, "attacks": sources}
    found = subprocess.run(
        [sys.executable, "-c", ALONE, json.dumps(told)], capture_output=True, text=True, timeout=60
    )
    said = dict(line.split(" ", 1) for line in found.stdout.splitlines())
    assert len(said) == len(sources) + 1, found.stderr
    return said


LANDLOCK_ALONE = {
    *(f"read_{name}" for name in ("a_file", "through_proc_root", "through_a_link", "a_hard_link")),
    *("read_the_checkout", "read_the_users", "read_an_environment", "read_its_own_map"),
    *("list_the_root", "list_a_home", "list_processes", "read_with_openat2", "read_by_handle"),
    *("write_a_new_file", "write_over_a_file", "append_to_a_file", "write_to_a_library"),
    *("truncate_a_file", "remove_a_file", "rename_a_file", "link_a_file", "make_a_folder"),
    *("make_a_symbolic_link", "make_a_named_pipe", "remove_a_folder", "write_to_shared_memory"),
    *("run_a_descriptor", "connect_by_tcp", "listen_by_tcp", "connect_to_an_abstract_socket"),
    *("signal_a_process", "signal_the_parent", "trace_a_process", "copy_the_memory_of_a_process"),
    *("write_to_what_it_was_handed",),
}


@pytest.mark.skipif(kernel.landlock_version() < 6, reason="Landlock can't keep all of these yet")
def test_landlock_holds_alone(decoy):
    attacks = [each for each in ATTACKS if each.name in LANDLOCK_ALONE]
    assert {each.name for each in attacks} == LANDLOCK_ALONE
    said = said_with_an_open("filter_calls", attacks, decoy)
    assert said.pop("dumpable") == "0"
    assert {name for name, answer in said.items() if answer == "True"} == set()


def test_the_filter_holds_alone(decoy):
    """All but reading, and but for what kills the process, which would end the row."""
    fatal = {*calls.FATAL, "import subprocess", "os.exec", "os.fork", "os.posix_spawn", "os.chroot"}
    fatal |= {"pidfd", "libc.ptrace"}
    attacks = [
        each
        for each in ATTACKS
        if not each.name.startswith(("read_", "list_", "see_", "use_"))
        and each.free != "never"
        and not any(word in each.source for word in fatal)
    ]
    assert len(attacks) > 40
    said = said_with_an_open("restrict_files", attacks, decoy)
    assert {name for name, answer in said.items() if answer == "True"} == set()


def test_the_other_convention_of_one_machine_is_fatal():
    program = filters.program("x86_64", 77)
    assert answer_of(program, 0x40000000 | 39, (), calls.AUDIT_NUMBERS["x86_64"]) == KILL


def test_the_jailed_side_knows_the_tasks_too(monkeypatch):
    monkeypatch.setattr("isocortex.jail.host.check_task", lambda name: None)
    with (
        pytest.raises(JailError, match="no jail could be closed: JailError: no task of a jail"),
        run("os:getcwd", {}),
    ):
        pass
