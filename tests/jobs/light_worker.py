"""Worker processes, and a server of them, that score without a network.

`python -m tests.jobs.light_worker --name NAME [--once]` is a worker; with `--serve N` it is the
supervisor of N of them. What a model is called says what happens to it:

    slow…      waits until it is killed          killer…    kills its worker
    bad…       fails by its own fault            broken…    fails by ours
    spinning…  spins in a jail, in one call of C that never returns; brief… has a second for it
    anything else is scored, after a moment

While the file `full` lies in the home folder, no array can be written; while `jumping` lies there,
every process has another idea of the time, and changes it again and again.
"""

import argparse
import errno
import os
import random
import signal
import sys
import time
from datetime import UTC, datetime, timedelta

from tests.jobs.made_up_jobs import outcome

from isocortex import jail, settings
from isocortex.errors import InputError
from isocortex.jobs import desk, heart, worker
from isocortex.jobs.desk import Desk
from isocortex.jobs.faults import end_badly
from isocortex.jobs.supervisor import Staff, Supervisor
from isocortex.jobs.worker import Habits, work
from isocortex.store import Store, artifacts, open_store, schema
from isocortex.store.queue import Claim

BEAT_SECONDS = 0.4
LEASE_SECONDS = 4.0
LONGEST_SECONDS = 0.8
SPARE_BYTES = 2**20
SPIN = "sum(range(10**18))"  # one call of C, which looks at no signal
COMMAND = (sys.executable, "-m", "tests.jobs.light_worker")


def run(store: Store, desk: Desk, claim: Claim) -> None:
    """Score a claim as its model's name says."""
    for lease in claim.leases:
        if desk.stopping.is_set():
            return
        if desk.holds(lease) and desk.turn_to([lease], "scoring"):
            try:
                _meet_fate(claim.submission.model.partition("/")[2])
                desk.keep(lease, outcome(claim, lease))
            except Exception as error:
                end_badly(desk, lease, error)


def _meet_fate(model: str) -> None:
    if model.startswith("slow"):
        time.sleep(600)
    if model.startswith("killer"):
        os.kill(os.getpid(), signal.SIGKILL)
    if model.startswith("bad"):
        raise InputError("the layer 'conv9' is not there")
    if model.startswith("broken"):
        raise ValueError("a fault of ours")
    if model.startswith(("spinning", "brief")):
        _spin(wall_seconds=1.0 if model.startswith("brief") else 600.0)
    time.sleep(random.uniform(0, LONGEST_SECONDS))


def _spin(*, wall_seconds: float) -> None:
    """Wait for a jailed process that hears of nothing; its number lies in the home folder."""
    limits = jail.Limits(wall_seconds=wall_seconds)
    with jail.run("isocortex.jail.trial:attempt", {"source": SPIN}, limits=limits) as jailed:
        written = settings.home() / ".spinning"
        written.write_text(str(jailed.process))
        written.rename(settings.home() / "spinning")
        jailed.receive(most_bytes=0)


class _Jumping(datetime):
    """A clock that is wrong by up to ten days, now and then by another ten."""

    @classmethod
    def now(cls, tz: object = None) -> datetime:
        real = datetime.now(UTC)
        if (settings.home() / "jumping").exists():
            return real + timedelta(days=random.uniform(-10, 10))
        return real


_write_at_once = artifacts._write_at_once


def _write_unless_full(target: object, content: bytes) -> None:
    if (settings.home() / "full").exists():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    _write_at_once(target, content)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", default="")
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--serve", type=int, default=0)
    options = parser.parse_args()
    heart.GRACE_SECONDS = float(os.environ.get("LIGHT_GRACE", heart.GRACE_SECONDS))
    schema.datetime = _Jumping
    artifacts._write_at_once = _write_unless_full
    artifacts.SPARE_BYTES = SPARE_BYTES
    worker._LONGEST_WAIT = 1.0
    desk._WAITS = (0.5,) * 63  # as long as ever, but nobody waits for the last of it
    url = settings.database_url()
    if options.serve:
        staff = Staff(processes=options.serve, command=COMMAND, lease_seconds=LEASE_SECONDS)
        with open_store(url) as store:
            Supervisor(store, staff).run()
    habits = Habits(once=options.once, parent=os.getppid(), beat_seconds=BEAT_SECONDS)
    sys.exit(work(url, name=options.name, habits=habits, run=run))


if __name__ == "__main__":
    main()
