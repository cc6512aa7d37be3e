"""Whose fault an error is: the model's, which ends its job, or ours, which puts it back.

What is told of it stands in the job's events, which whoever submitted the model reads: it names no
place on this computer. The log has all of it.
"""

import logging
import re
import sys
import tempfile
from pathlib import Path
from typing import Final

from .. import jail, settings
from ..errors import FetchError, IsocortexError, JailError, StoreError
from ..store.queue import Lease
from .desk import Desk

log = logging.getLogger(__name__)

_OURS: Final = (FetchError, StoreError)
"""Trouble that has nothing to do with the model: the job is put back."""

_END: Final = r"[^\s'\",;:()<>]*"
_DATABASE: Final = re.compile(r"\b(sqlite|postgresql)(\+\w+)?://\S*")
_PATH: Final = re.compile(rf"(?<![\w:/.~…-])(~|[A-Za-z]:)?[/\\](?:[^\s/'\",;:()<>]+[/\\])*{_END}")


def end_badly(desk: Desk, lease: Lease, error: Exception) -> None:
    """End a job by the model's fault, or put it back for any other trouble."""
    if is_fault_of_model(error):
        desk.fail(lease, told(error))
        return
    log.error("job %s on %s", lease.job_id, lease.benchmark, exc_info=error)
    if isinstance(error, (*_OURS, MemoryError)):
        desk.troubles += 1
    desk.put_back(lease, told(error))


def is_fault_of_model(error: Exception) -> bool:
    """Whether the job would fail again anywhere: what is wrong is the model, or what it asks for.

    A jail that can't be had here is not the model's fault; being stopped by one is.
    """
    if isinstance(error, JailError):
        return jail.available() is None
    return isinstance(error, IsocortexError) and not isinstance(error, _OURS)


def told(error: Exception) -> str:
    """What a submitter is told: all of it, but for where things lie here and how to mend that."""
    if isinstance(error, FetchError) and error.url is not None:
        return f"{error.url} can't be had now; the server's log says why"
    if isinstance(error, MemoryError):
        return f"the worker ran out of memory: {without_places(str(error))}"
    if isinstance(error, _OURS):
        return without_places(str(error))
    if isinstance(error, IsocortexError):  # a layer may be called /conv1, as a path is
        return _without_own_places(str(error))
    return f"unexpected {type(error).__name__}: {without_places(str(error))}"


def without_places(text: str) -> str:
    """The text with the last name alone of each path, and without addresses of databases.

    >>> without_places("[Errno 28] No space left on device: '/var/lib/isocortex/blobs/ab/cd'")
    "[Errno 28] No space left on device: '…/cd'"
    >>> without_places("https://example.org/a/b is missing below /srv/mirror")
    'https://example.org/a/b is missing below …/mirror'
    """
    plain = _DATABASE.sub("of this server", _without_own_places(text))
    return _PATH.sub(lambda found: _last_name(found[0]), plain)


def _without_own_places(text: str) -> str:
    """The text without paths below the folders that are known to be ours."""
    mirror = settings.mirror() or ""
    places = [settings.home(), Path(mirror).expanduser() if "://" not in mirror else Path()]
    places += [Path(sys.prefix), Path(tempfile.gettempdir()), Path(__file__).parents[2]]
    known = {str(each) for each in places if each.is_absolute() and len(each.parts) > 1}
    for place in sorted(known, key=len, reverse=True):
        below = re.compile(rf"{re.escape(place)}(?:/{_END})?")
        text = below.sub(lambda found: _last_name(found[0]), text)
    return text


def _last_name(path: str) -> str:
    return "…/" + re.split(r"[/\\]", path.rstrip("/\\"))[-1]
