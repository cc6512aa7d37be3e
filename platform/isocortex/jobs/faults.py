"""Whose fault an error is: the model's, which ends its job, or ours, which puts it back."""

import logging
from typing import Final

from .. import jail
from ..errors import FetchError, IsocortexError, JailError, StoreError
from ..store.queue import Lease
from .desk import Desk

log = logging.getLogger(__name__)

_OURS: Final = (FetchError, StoreError)
"""Trouble that has nothing to do with the model: the job is put back."""


def end_badly(desk: Desk, lease: Lease, error: Exception) -> None:
    """End a job by the model's fault, or put it back for any other trouble."""
    if is_fault_of_model(error):
        desk.fail(lease, str(error))
        return
    log.error("job %s on %s", lease.job_id, lease.benchmark, exc_info=error)
    if isinstance(error, (*_OURS, MemoryError)):
        desk.troubles += 1
    if isinstance(error, MemoryError):
        desk.put_back(lease, f"the worker ran out of memory: {error}")
    elif isinstance(error, IsocortexError):
        desk.put_back(lease, str(error))
    else:
        desk.put_back(lease, f"unexpected {type(error).__name__}: {error}")


def is_fault_of_model(error: Exception) -> bool:
    """Whether the job would fail again anywhere: what is wrong is the model, or what it asks for.

    A jail that can't be had here is not the model's fault; being stopped by one is.
    """
    if isinstance(error, JailError):
        return jail.available() is None
    return isinstance(error, IsocortexError) and not isinstance(error, _OURS)
