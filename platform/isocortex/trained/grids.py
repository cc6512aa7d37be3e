"""Many networks trained side by side: in processes of this computer, or by a Dask cluster."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Final

import torch

from ..errors import InputError
from .candidates import train_recipe

_PATIENCE: Final = "10s"
"""How long a scheduler may take to answer."""


def train_all(
    names: Sequence[str], *, workers: int = 1, scheduler: str | None = None, device: str = "cpu"
) -> Iterator[tuple[str, Exception | None]]:
    """Train the recipes of these names, and give each when it is done, with what went wrong.

    Each keeps its checkpoints in the home folder, so what was trained before costs nothing and what
    was killed goes on. With `scheduler`, the address of a Dask scheduler, its workers train; they
    need the same home folder. Raises InputError where Dask is missing or does not answer.
    """
    with _executor(workers, scheduler) as executor:
        wanted = dict.fromkeys(names)  # each once
        futures = {executor.submit(_kept, name, device): name for name in wanted}
        for future in as_completed(futures):
            error = future.exception()
            yield futures[future], error if isinstance(error, Exception) else None


def _kept(name: str, device: str) -> None:
    """Train one, and leave the network where it is kept: it need not come back."""
    train_recipe(name, device=device)


@contextmanager
def _executor(workers: int, scheduler: str | None) -> Iterator[Executor]:
    if scheduler is None:
        # Forked processes would share the threads that torch has begun.
        with ProcessPoolExecutor(workers, get_context("spawn"), torch.set_num_threads, (1,)) as own:
            yield own
        return
    try:
        from distributed import Client
    except ImportError:
        raise InputError(
            "a scheduler was named, but Dask is not installed: pip install 'isocortex[dask]'"
        ) from None
    try:
        client = Client(scheduler, timeout=_PATIENCE)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise InputError(f"no Dask scheduler answers at {scheduler}: {error}") from None
    with client, client.get_executor() as remote:  # type: ignore[no-untyped-call]
        yield remote
