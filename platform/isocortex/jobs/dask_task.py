"""What runs on a Dask worker: a ticket names jobs; the worker takes them over and commits itself.

Dask carries no more than the ticket. Whether the jobs are still to be done is asked of the
database, where each worker finds it by its own settings; so no password travels. Nothing here needs
Dask until a ticket is carried out.
"""

import ctypes
import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from .. import __version__, settings
from ..errors import InputError, MismatchError
from ..store import Store, open_store
from ..store.handing import hand_over
from ..store.queue import Claim, Lease
from .desk import Desk
from .heart import Heart
from .worker import Run, run_stored_claim

log = logging.getLogger(__name__)

Carried = Literal["ended", "gone"]
"""`gone` if the jobs were not this worker's to take: another one had them, or nobody has now."""

_SEEN_SECONDS: Final = 0.5

_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
"""Names of mallopt, in malloc.h."""


@dataclass(frozen=True)
class Ticket:
    """Jobs of one submission on their way to a worker; `giver` took them from the queue.

    `database` tells the database from any other, `version` the isocortex that sends it.
    """

    submission: str
    leases: tuple[Lease, ...]
    giver: str
    database: str
    version: str = __version__
    run: Run | None = None


def database_identity(store: Store) -> str:
    """What tells the store's database from any other."""
    return store.data_version().partition("-")[0]


def carry(ticket: Ticket) -> Carried:
    """Take the ticket's jobs over and run them; every one is ended, or put back.

    To be run by a Dask worker of one thread, with a nanny: a job that is cancelled ends the
    process, and the nanny starts another. Raises MismatchError, before anything is taken over, on a
    worker with another isocortex or another database.
    """
    _require_lone_thread()
    _keep_freed_memory()
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # before onnxruntime is imported
    store = _opened(settings.database_url())
    _require_same(ticket, store)
    taker = f"{ticket.giver}@{socket.gethostname()}-{os.getpid()}"
    own = hand_over(store.engine, ticket.leases, giver=ticket.giver, taker=taker)
    if not own:
        return "gone"
    leases = tuple(lease for lease in ticket.leases if lease.job_id in own)
    claim = Claim(submission=store.submissions.find(ticket.submission), leases=leases)
    desk = Desk(store.queue, taker)
    desk.sit_down(claim)
    with Heart(desk), _closing(desk):
        _work(store, desk, claim, ticket.run or run_stored_claim)
    return "ended"


def _work(store: Store, desk: Desk, claim: Claim, run: Run) -> None:
    try:
        run(store, desk, claim)
    except Exception as error:
        log.exception("ticket of %s", claim.submission.key)
        for lease in desk.held():
            desk.put_back(lease, f"the worker failed: {type(error).__name__}: {error}")
    desk.release("its Dask worker was asked to stop")


@cache
def _opened(url: str) -> Store:
    """The store of this process, which lasts as long as it does."""
    return open_store(url, upgrade=False)


@cache
def _keep_freed_memory() -> None:
    """Let malloc keep up to 64 MB of what arrays gave back.

    Dask's nanny has it return all at once, and to be given the pages anew for each array takes a
    third of the time of small networks. Elsewhere than with glibc nothing is changed.
    """
    tune = getattr(ctypes.CDLL(None), "mallopt", None)
    if tune is not None:
        tune(_MMAP_THRESHOLD, 32 * 2**20)
        tune(_TRIM_THRESHOLD, 64 * 2**20)


def _require_lone_thread() -> None:
    from distributed import get_worker

    threads = get_worker().state.nthreads
    if threads != 1:
        raise InputError(
            f"this Dask worker has {threads} threads; start it with --nthreads 1 (and --nworkers "
            "for more than one): a cancelled job ends the process, and would end its neighbours"
        )


def _require_same(ticket: Ticket, store: Store) -> None:
    if ticket.version != __version__:
        raise MismatchError(
            f"the jobs come from isocortex {ticket.version}, but the Dask worker on "
            f"{socket.gethostname()} has {__version__}; install the same version"
        )
    if ticket.database != database_identity(store):
        shown = store.engine.url.render_as_string(hide_password=True)
        raise MismatchError(
            f"the Dask worker on {socket.gethostname()} uses another database ({shown}); set "
            "ISOCORTEX_DATABASE where it is started"
        )


@contextmanager
def _closing(desk: Desk) -> Iterator[None]:
    """Ask the desk to stop when Dask closes its worker: at a time limit, or without a scheduler."""
    from distributed import get_worker

    worker, ended = get_worker(), threading.Event()

    def look() -> None:
        while not ended.wait(_SEEN_SECONDS):
            if worker.status.name not in ("running", "paused"):
                desk.stopping.set()
                return

    thread = threading.Thread(target=look, name="closing", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
