"""Workers elsewhere: on a Dask cluster, on nodes of SLURM, or for a server across the network."""

from dataclasses import dataclass
from typing import Annotated, Literal

import typer

from .. import settings
from ..errors import InputError
from ..jobs.dask_cluster import Cluster, Needs, Slurm
from ._output import print_note

Executor = Annotated[
    Literal["embedded", "dask"],
    typer.Option(help="Processes here, or a Dask cluster (--address, or --slurm-jobs)."),
]
Address = Annotated[str | None, typer.Option(help="The Dask scheduler, such as tcp://node1:8786.")]
Gpus = Annotated[int, typer.Option(min=0, help="The resource GPU that each Dask worker needs.")]
WorkerMemory = Annotated[
    str | None, typer.Option("--worker-memory", help="The memory that each Dask worker needs.")
]
SlurmJobs = Annotated[
    int, typer.Option("--slurm-jobs", min=0, help="Start up to so many workers by SLURM.")
]
Cores = Annotated[int, typer.Option(min=1, help="The cores of each SLURM job.")]
Partition = Annotated[str | None, typer.Option(help="The partition of SLURM.")]
SlurmAccount = Annotated[str | None, typer.Option("--slurm-account", help="The account of SLURM.")]
Walltime = Annotated[str, typer.Option(help="How long a SLURM job may last.")]
Directives = Annotated[
    list[str] | None, typer.Option("--directive", help="A further line after #SBATCH.")
]
Prologue = Annotated[
    list[str] | None, typer.Option(help="A line of shell before the worker of a SLURM job.")
]
Server = Annotated[
    str | None, typer.Option(help="Work for this server, such as https://brains.example.org.")
]
Token = Annotated[
    str | None,
    typer.Option(help="Its token with the scope `work`; better, set ISOCORTEX_TOKEN."),
]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where workers are to run, as the options of `isocortex worker` say."""

    executor: str = "embedded"
    address: str | None = None
    gpus: int = 0
    memory: str | None = None
    slurm_jobs: int = 0
    cores: int = 1
    partition: str | None = None
    slurm_account: str | None = None
    walltime: str = "04:00:00"
    directives: tuple[str, ...] = ()
    prologue: tuple[str, ...] = ()
    server: str | None = None
    token: str | None = None

    @property
    def is_here(self) -> bool:
        """Whether workers run beside the database, on this computer."""
        return self.executor == "embedded" and self.server is None


def work_elsewhere(place: Place, *, processes: int = 1, once: bool = False) -> int:
    """Work there until asked to stop; the exit status. To be called in the main thread."""
    if place.server is not None:
        return _pull(place, processes, once=once)
    from ..jobs.dask_executor import dispatch

    memory = place.memory and settings.parse_bytes(place.memory, name="--worker-memory")
    slurm = _slurm(place) if place.slurm_jobs else None
    # Workers of SLURM have their memory from SLURM; others say it as a resource.
    needs = Needs(gpus=place.gpus, memory=None if slurm else memory or None)
    print_note(f"sending jobs to {place.address or 'SLURM'}; Ctrl+C stops")
    cluster = Cluster(address=place.address, slurm=slurm, needs=needs)
    return dispatch(settings.database_url(), cluster, once=once)


def _slurm(place: Place) -> Slurm:
    if place.memory is None:
        raise InputError("say how much memory each SLURM job needs: --worker-memory 16GB")
    return Slurm(
        workers=place.slurm_jobs,
        memory=place.memory,
        cores=place.cores,
        gpus=place.gpus,
        queue=place.partition,
        account=place.slurm_account,
        walltime=place.walltime,
        directives=place.directives,
        prologue=place.prologue,
    )


def _pull(place: Place, processes: int, *, once: bool) -> int:
    from ..jobs.pullers import pull
    from .working import stopped_by_signals

    token = place.token or settings.token()
    if not token:
        raise InputError(
            "a worker needs a token with the scope `work`: set ISOCORTEX_TOKEN to one that "
            "`isocortex tokens make` printed on the server"
        )
    print_note(f"{processes} workers for {place.server}; Ctrl+C stops")
    with stopped_by_signals() as stopped:
        return pull(
            str(place.server), token, processes=processes, once=once, stopped=lambda: bool(stopped)
        )
