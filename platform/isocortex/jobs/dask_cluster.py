"""Where Dask runs: a scheduler at an address, or workers that are asked of SLURM."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ..errors import InputError, StoreError

if TYPE_CHECKING:
    from distributed import Client

CONNECT_SECONDS: Final = 10.0

_THREADS: Final = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a worker must have for our jobs, in Dask's words: resources GPU and MEMORY (bytes)."""

    gpus: int = 0
    memory: int | None = None

    @property
    def resources(self) -> dict[str, float]:
        """The resources that a task asks for."""
        found: dict[str, float] = {"GPU": float(self.gpus)} if self.gpus else {}
        return found | ({"MEMORY": float(self.memory)} if self.memory else {})

    def are_met(self, offered: Mapping[str, float]) -> bool:
        """Whether a worker with these resources can take our tasks."""
        return all(offered.get(name, 0.0) >= each for name, each in self.resources.items())


@dataclass(frozen=True, kw_only=True)
class Slurm:
    """What each worker asks of SLURM; up to `workers` are started, and ended when idle.

    `directives` are further lines after #SBATCH, `prologue` lines of shell before the worker.
    """

    workers: int
    memory: str
    cores: int = 1
    gpus: int = 0
    queue: str | None = None
    account: str | None = None
    walltime: str = "04:00:00"
    interface: str | None = None
    directives: tuple[str, ...] = ()
    prologue: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Where tickets go: a scheduler's `address`, or workers of `slurm`; and what they `need`."""

    address: str | None = None
    slurm: Slurm | None = None
    needs: Needs = field(default_factory=Needs)


def slurm_options(slurm: Slurm) -> dict[str, Any]:
    """What `dask_jobqueue.SLURMCluster` is called with.

    Each worker is one process of one thread, whose libraries use all its cores, and ends by itself
    before its time is up, so that what it holds is put back.
    """
    threads = [f"export {name}={slurm.cores}" for name in _THREADS]  # else Dask's nanny says 1
    directives = [f"--gres=gpu:{slurm.gpus}"] if slurm.gpus else []
    resources = ["--resources", f"GPU={slurm.gpus}"] if slurm.gpus else []
    lifetime = ["--lifetime", f"{_seconds(slurm.walltime) - _SPARED_SECONDS}s"]
    return {
        "queue": slurm.queue,
        "account": slurm.account,
        "cores": 1,
        "processes": 1,
        "job_cpu": slurm.cores,
        "memory": slurm.memory,
        "walltime": slurm.walltime,
        "interface": slurm.interface,
        "job_name": "isocortex",
        "job_extra_directives": [*directives, *slurm.directives],
        "job_script_prologue": [*threads, *slurm.prologue],
        "worker_extra_args": [*resources, *lifetime, "--lifetime-stagger", "60s"],
    }


def job_script(slurm: Slurm) -> str:
    """The script that SLURM is handed for one worker."""
    with _cluster(slurm) as cluster:
        return str(cluster.job_script())


@contextmanager
def connected(place: Cluster) -> "Iterator[Client]":
    """A client of the scheduler at `address`, or of one of our own with workers of SLURM.

    Raises StoreError if nothing answers there.
    """
    require_dask()
    if place.slurm is not None:
        with _cluster(place.slurm) as cluster:
            cluster.adapt(minimum=0, maximum=place.slurm.workers)
            with _client(cluster) as client:
                yield client
    elif place.address is not None:
        with _client(place.address) as client:
            yield client
    else:
        raise InputError("name a Dask scheduler (--address tcp://host:8786), or use --slurm")


def slots(client: "Client", place: Cluster) -> int:
    """How many tasks can be at work at once: one for each worker that has what they need."""
    if place.slurm is not None:
        return place.slurm.workers  # tasks that wait are what makes more of them start
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    return sum(place.needs.are_met(each["resources"]) for each in workers)


def require_dask() -> None:
    """Raise InputError if Dask is not installed."""
    try:
        import dask_jobqueue  # noqa: F401
        import distributed  # noqa: F401
    except ImportError as error:
        raise InputError(f"{error}; pip install 'isocortex[dask]' brings it") from None


_SPARED_SECONDS: Final = 180
"""How long before its time is up a worker of SLURM stops: a minute of it is drawn at random."""


def _seconds(walltime: str) -> int:
    """The seconds of hours:minutes:seconds, or days-hours:minutes:seconds."""
    days, _, clock = walltime.rpartition("-")
    try:
        hours, minutes, seconds = (int(part) for part in clock.split(":"))
        found = (int(days or 0) * 24 + hours) * 3600 + minutes * 60 + seconds
    except ValueError:
        found = 0
    if found < 2 * _SPARED_SECONDS:
        raise InputError(f"the wall time is {walltime!r}; give at least 00:06:00, such as 04:00:00")
    return found


@contextmanager
def _cluster(slurm: Slurm) -> Iterator[Any]:
    require_dask()
    from dask_jobqueue.slurm import SLURMCluster

    cluster = SLURMCluster(**slurm_options(slurm))
    try:
        yield cluster
    finally:
        cluster.close()


@contextmanager
def _client(place: Any) -> "Iterator[Client]":
    from distributed import Client

    try:
        client: Client = Client(  # type: ignore[no-untyped-call]
            place, timeout=CONNECT_SECONDS, set_as_default=False
        )
    except OSError as error:
        raise StoreError(f"no Dask scheduler answers at {place}: {error}") from None
    try:
        yield client
    finally:
        with suppress(OSError, RuntimeError):  # of a connection that is gone already
            client.close(timeout=2)  # type: ignore[no-untyped-call]
