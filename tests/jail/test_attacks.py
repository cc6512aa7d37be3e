"""Every attack gets what it wants without a jail, where it can, and nothing within."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from isocortex.errors import JailError
from isocortex.jail import Limits, calls, run
from tests.jail.attacks import ATTACKS, PREAMBLE

UNJAILED = """
import json, sys
request = json.loads(sys.argv[1])
files = {"given": open(request["decoy"]["given"], "rb")}
names = {"request": request, "files": files, "channel": None}
exec(compile(request["source"], "attempt", "exec"), names)
print(json.dumps(names.get("answer")))
"""

OTHERS = {
    "x86_64": {"rt_sigqueueinfo": 129, "shmget": 29},
    "aarch64": {"rt_sigqueueinfo": 138, "shmget": 194},
}
"""Numbers of calls that the filter has no need to name."""

PRIVILEGES = sum(1 << each for each in (1, 2, 7, 13, 18, 19, 21, 27, 34, 39))
"""To read and search all, change users, listen to the wire, change the root, trace, mount, make
devices, read the kernel's log and load programs into it: containers do not give all of them."""

REFUSALS = (
    "PermissionError",
    "Operation not permitted",
    "Permission denied",
    "not allowed to raise maximum limit",
    "system call that no network needs",
    "Function not implemented",
    "KeyError: 'ISOCORTEX_DECOY'",
    "Bad file descriptor",
)
"""How an attack ends that was stopped by a lock, rather than by a mistake in the attack."""


def request_of(attack, decoy):
    numbers = {**calls.NUMBERS[platform.machine()], **calls.COMMON}
    return {
        "source": PREAMBLE + attack.source,
        "decoy": decoy,
        "numbers": numbers,
        "others": OTHERS[platform.machine()],
    }


def has_all_privileges() -> bool:
    status = Path("/proc/self/status").read_text()
    effective = int(status.partition("CapEff:")[2].split()[0], 16)
    return os.geteuid() == 0 and effective & PRIVILEGES == PRIVILEGES


def id_of(attack):
    return attack.name


@pytest.mark.parametrize("attack", [each for each in ATTACKS if each.free != "never"], ids=id_of)
def test_an_attack_succeeds_without_a_jail(attack, decoy):
    if attack.free == "root" and not has_all_privileges():
        pytest.skip("needs all privileges of root")
    # What root mounts goes with the attack; a mount left behind cannot be removed as a folder.
    apart = ["unshare", "--mount"] if attack.free == "root" else []
    found = subprocess.run(
        [*apart, sys.executable, "-I", "-S", "-c", UNJAILED, json.dumps(request_of(attack, decoy))],
        capture_output=True,
        text=True,
        pass_fds=[decoy["leftover"]],
        timeout=60,
    )
    assert found.stdout.strip() == "true", found.stderr
    assert not os.path.ismount(decoy["folder"])


@pytest.mark.parametrize("attack", ATTACKS, ids=id_of)
def test_an_attack_gets_nothing_in_a_jail(attack, decoy):
    assert outcome(request_of(attack, decoy), Path(decoy["given"])) == "refused"


def outcome(request, given: Path) -> str:
    limits = Limits(wall_seconds=60, memory_bytes=2**30)
    files = {"given": given}
    with run("isocortex.jail.trial:attempt", request, files=files, limits=limits) as jailed:
        try:
            answer = jailed.receive(most_bytes=0)[0]["answer"]
        except JailError as error:
            return "refused" if any(each in str(error) for each in REFUSALS) else str(error)
    return "refused" if answer is False else f"answered {answer}"
