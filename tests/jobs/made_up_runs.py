"""What workers do with a claim in tests: made-up scores, so that no network is loaded."""

import os
import time
from pathlib import Path

from tests.jobs.made_up_jobs import outcome

from isocortex import settings
from isocortex.jobs.desk import Desk
from isocortex.store.queue import Claim


def folder() -> Path:
    """Where workers say what they do, one file for each job and attempt, with the process in it."""
    found = settings.home() / "told"
    found.mkdir(parents=True, exist_ok=True)
    return found


def score(store: object, desk: Desk, claim: Claim) -> None:
    """Make a score up for each lease, in a while."""
    for lease in desk.held():
        if desk.turn_to([lease], "scoring"):
            _tell(f"{lease.job_id}-{lease.attempt}")
            time.sleep(0.3)
            desk.keep(lease, outcome(claim, lease))


def hang_once(store: object, desk: Desk, claim: Claim) -> None:
    """Hang on the first attempt at a job, as native code does that hears of nothing."""
    for lease in desk.held():
        if desk.turn_to([lease], "scoring"):
            _tell(f"{lease.job_id}-{lease.attempt}")
            while lease.attempt == 1:
                time.sleep(0.05)
            desk.keep(lease, outcome(claim, lease))


def _tell(name: str) -> None:
    written = folder() / f".{name}"
    written.write_text(str(os.getpid()))
    written.rename(folder() / name)
