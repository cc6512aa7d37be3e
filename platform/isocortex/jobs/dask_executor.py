"""The Dask executor: takes jobs from the queue and sends them, as tickets, to a Dask cluster.

The queue stays the truth. As many submissions are taken as workers are free, so priorities and fair
shares hold. The dispatcher beats for a ticket until a worker takes it over (`store.handing`). What
becomes of scheduler, workers and dispatcher changes no score: a ticket that nobody took is put
back, a worker that died is seen by its beat, and one that was given up can't commit.
"""

import logging
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from ..errors import LeaseLostError, StoreError
from ..store import Store, open_store
from ..store.handing import hand_over, keep_waiting
from ..store.lapsing import Watch
from ..store.queue import BEAT_SECONDS, Lease
from .dask_cluster import Cluster, connected, slots
from .dask_task import Ticket, carry, database_identity
from .faults import without_places
from .worker import Run, worker_facts, worker_name

if TYPE_CHECKING:
    from distributed import Client

log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 1.0
_ANSWER_SECONDS: Final = 5.0
_LONGEST_PAUSE: Final = 30.0


def dispatch(url: str, cluster: Cluster, *, once: bool = False, run: Run | None = None) -> int:
    """Send the jobs of the store at `url` to Dask until asked to stop; the exit status.

    With `once`, until nothing is queued. `run` is what workers do with a claim, if not to score.
    To be called in the main thread. SIGTERM and SIGINT put back what no worker took over; what one
    did goes on without us. A scheduler that went away is looked for until it is there again.
    """
    with open_store(url) as store:
        dispatcher = Dispatcher(store, cluster, once=once, run=run)
        with _asked(dispatcher):
            dispatcher.go_on()
    return 0


class Dispatcher:
    """Keeps as many tickets in flight as there are free workers."""

    def __init__(
        self, store: Store, cluster: Cluster, *, once: bool = False, run: Run | None = None
    ) -> None:
        self.store = store
        self.cluster = cluster
        self.once = once
        self.name = worker_name()
        self._run = run
        self.stopping = threading.Event()
        self.wake = threading.Event()
        """Set when there is something to do: a ticket came back, or the end is asked for."""
        self._identity = database_identity(store)
        self._flights: dict[str, tuple[Ticket, Any]] = {}
        self._names: list[str] = []
        self._watch = Watch(store.queue)
        self._pause = 0.0
        self._not_before = 0.0
        self._looked = self._beat_at = 0.0

    def stop(self) -> None:
        """Ask for the end."""
        self.stopping.set()
        self.wake.set()

    def go_on(self) -> None:
        """Connect, serve and connect again, until asked to stop."""
        wait = 1.0
        while not self.stopping.is_set():
            try:
                with connected(self.cluster) as client:
                    wait = 1.0
                    log.info("%s: connected to %s", self.name, self.cluster.address or "SLURM")
                    if self.serve(client):
                        break
            except (StoreError, OSError, RuntimeError) as error:  # so Dask says that it lost touch
                log.warning("%s: %s; once more in %g seconds", self.name, error, wait)
            self._watch_on()
            self.stopping.wait(wait)
            wait = min(2 * wait, _LONGEST_PAUSE)

    def serve(self, client: "Client") -> bool:
        """Send tickets while the client is connected; whether the work is over."""
        try:
            while not self.stopping.is_set() and client.status == "running":
                self._look(client)
                self._collect()
                busy = self._launch(client) or self._flights
                if self.once and not busy and not self.store.queue.counts().get("queued"):
                    return True
                self.wake.wait(_LOOK_SECONDS / 2)
                self.wake.clear()
            return self.stopping.is_set()
        finally:
            for slot in list(self._flights):
                self._recover(slot)
            for each in self._names:
                self.store.queue.dismiss(each)
            self._names = []

    def _look(self, client: "Client") -> None:
        """Now and then: count the workers, beat for what waits, watch over the queue."""
        moment = time.monotonic()
        if moment - self._looked >= _LOOK_SECONDS:
            self._looked = moment
            self._enlist(slots(client, self.cluster))
            self._watch_on()
        if moment - self._beat_at >= BEAT_SECONDS:
            self._beat_at = moment
            waiting = {slot: ticket.leases for slot, (ticket, _) in self._flights.items()}
            keep_waiting(self.store.engine, self._names, waiting)

    def _watch_on(self) -> None:
        try:
            self._watch.look()
        except StoreError as error:
            log.warning("%s: %s", self.name, error)

    def _enlist(self, count: int) -> None:
        """Let the queue know of one worker for each slot; a slot in flight stays."""
        wanted = [f"{self.name}/{number}" for number in range(1, count + 1)]
        for slot in wanted:
            if slot not in self._names:
                self.store.queue.enlist(slot, "dask", worker_facts())
        for slot in set(self._names) - set(wanted):
            self.store.queue.dismiss(slot)
        self._names = wanted

    def _launch(self, client: "Client") -> int:
        """How many tickets were sent: one for each free slot, as far as there is work."""
        if time.monotonic() < self._not_before:
            return 0
        sent = 0
        for slot in self._names:
            if slot in self._flights:
                continue
            claim = self.store.queue.claim(slot)
            if claim is None:
                break
            ticket = Ticket(claim.submission.key, claim.leases, slot, self._identity, run=self._run)
            self._flights[slot] = (ticket, self._submitted(client, ticket))
            sent += 1
        return sent

    def _submitted(self, client: "Client", ticket: Ticket) -> Any:
        first = ticket.leases[0]
        future = client.submit(
            carry,
            ticket,
            key=f"isocortex-{first.job_id}-{first.attempt}-{ticket.giver}",
            pure=False,
            retries=0,
            resources=self.cluster.needs.resources or None,
        )
        future.add_done_callback(self._wake_up)  # type: ignore[no-untyped-call]
        return future

    def _wake_up(self, _future: object) -> None:
        self.wake.set()

    def _collect(self) -> None:
        """Clear the slots whose ticket came back."""
        for slot, (ticket, future) in list(self._flights.items()):
            status = future.status
            if status == "pending":
                continue
            if status == "finished":
                if future.result(timeout=_ANSWER_SECONDS) == "gone":
                    self._give_up(ticket)
                del self._flights[slot]
                self._pause = 0.0
            else:
                if status == "error":
                    self._complain(ticket, future.exception(timeout=_ANSWER_SECONDS))
                self._recover(slot)

    def _give_up(self, ticket: Ticket) -> None:
        """The ticket was tried twice, so who had it first died, or lost its scheduler."""
        holders = {self.store.queue.job(lease.job_id).worker for lease in ticket.leases}
        for holder in holders:
            if holder is not None and holder.startswith(f"{ticket.giver}@"):
                self.store.queue.lapse_worker(holder, "its Dask worker died")

    def _complain(self, ticket: Ticket, error: BaseException | None) -> None:
        """A ticket failed before its jobs were taken over: the fault is the cluster's, so wait."""
        log.error("%s: a Dask worker refused jobs: %s", self.name, error)
        self._give_up(ticket)
        self._pause = min(2 * self._pause + 1, _LONGEST_PAUSE)
        self._not_before = time.monotonic() + self._pause
        try:
            reason = without_places(str(error))
            self.store.queue.log(ticket.submission, "log", f"a Dask worker refused it: {reason}")
        except StoreError as trouble:
            log.warning("%s: %s", self.name, trouble)

    def _recover(self, slot: str) -> None:
        """Put back what no worker took over, and can't take over any more from now on."""
        ticket, future = self._flights.pop(slot)
        own = hand_over(self.store.engine, ticket.leases, giver=slot, taker=f"{slot}!")
        for lease in ticket.leases:
            if lease.job_id in own:
                self._release(lease)
        if future.status == "pending":
            future.release()

    def _release(self, lease: Lease) -> None:
        try:
            self.store.queue.release(lease, "Dask lost it before a worker took it")
        except LeaseLostError:
            log.info("job %s was cancelled meanwhile", lease.job_id)


@contextmanager
def _asked(dispatcher: Dispatcher) -> Iterator[None]:
    """Let SIGTERM and SIGINT ask the dispatcher to stop."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    former = {each: signal.signal(each, lambda *_: dispatcher.stop()) for each in numbers}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
