"""A worker: takes jobs of one submission at a time, runs them, and takes the next, until asked."""

import logging
import os
import platform
import random
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from ..errors import StoreError
from ..store import Store, open_store
from ..store.queue import BEAT_SECONDS, Claim
from . import resources
from .desk import Desk
from .heart import Heart

log = logging.getLogger(__name__)

FRESH: Final = 76
"""The exit status of a worker that asks to be replaced by a fresh process."""

_IDLE_SECONDS: Final = 1.0
_LONGEST_WAIT: Final = 60.0

Run = Callable[[Store, Desk, Claim], None]
"""What is done with a claim: every lease at the desk is ended, or released."""


@dataclass(frozen=True, kw_only=True)
class Habits:
    """How a worker works: `once` until nothing is queued; fresh after so many claims or bytes.

    `parent` is the process whose end asks it to stop.
    """

    executor: str = "embedded"
    once: bool = False
    claims: int = 100
    grown_bytes: int = 2 * 10**9
    parent: int | None = None
    beat_seconds: float = BEAT_SECONDS


def worker_name() -> str:
    """A name that no other process bears, nor ever bore."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"


def work(url: str, *, name: str = "", habits: Habits | None = None, run: Run | None = None) -> int:
    """Work on the queue of the store at `url` until asked to stop; the process's exit status.

    To be called in the main thread: SIGTERM lets the present benchmark finish, or puts it back.
    """
    name, habits = name or worker_name(), habits or Habits()
    with open_store(url) as store:
        desk = Desk(store.queue, name)
        store.queue.enlist(name, habits.executor, worker_facts())
        heart = Heart(desk, seconds=habits.beat_seconds, parent=habits.parent)
        with heart.listening(), heart:
            status = _work(store, desk, habits, run or run_stored_claim)
        store.queue.dismiss(name)
    return status


def worker_facts() -> dict[str, Any]:
    """Where a worker runs: host, process, Python and cores."""
    return {
        "host": socket.gethostname(),
        "process": os.getpid(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
    }


def work_on(desk: Desk, run: Callable[[Desk, Claim], None]) -> bool:
    """Whether there was something to do; it is done. Trouble with the database is counted.

    What the run left is put back. If that can't be written, its beat stands still from now on.
    """
    try:
        claim = desk.counter.claim(desk.worker)
        if claim is None:
            desk.troubles = 0
            return False
        desk.sit_down(claim)
        log.info("%s: %s, benchmarks: %d", desk.worker, claim.submission.model, len(claim.leases))
        run(desk, claim)
        desk.release("its worker was asked to stop")
    except StoreError as error:
        log.warning("worker %s: %s", desk.worker, error)
        desk.get_up()
    return True


def run_stored_claim(store: Store, desk: Desk, claim: Claim) -> None:
    """Load the claim's model from the store's blobs or its hub, and score it."""
    from ..submissions.blobs import Blobs
    from ..submissions.loading import loaded  # torch comes with it
    from .runner import run_claim

    blob = claim.submission.blob
    path = None if blob is None else Blobs(store.submissions).path(blob)
    run_claim(desk, claim, load=lambda submission: loaded(submission, path))


def _work(store: Store, desk: Desk, habits: Habits, run: Run) -> int:
    began, claims, pause = resources.resident_bytes() or 0, 0, 0.0
    while not desk.stopping.is_set():
        worked = work_on(desk, partial(run, store))
        if not worked and habits.once:
            return 0
        pause = min(2 * pause + 0.5, _LONGEST_WAIT) if desk.troubles else 0.0
        idle = 0.0 if worked else _IDLE_SECONDS * random.uniform(0.5, 1.5)
        desk.stopping.wait(max(pause, idle))
        claims += worked
        grown = (resources.resident_bytes() or 0) - began
        if worked and (claims >= habits.claims or grown >= habits.grown_bytes):
            return FRESH
    return 0
