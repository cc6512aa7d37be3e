"""How a submission leaves: its jobs and scores, and its file as soon as nobody needs it."""

import logging

from ..errors import StoreError
from ..store import Store
from ..store.submitted import StoredSubmission
from .blobs import Blobs

log = logging.getLogger(__name__)


def withdraw(store: Store, key: str) -> StoredSubmission:
    """The submission, which is withdrawn; its file is removed at once if nobody else needs it.

    What can't be removed now is left to the daily tidying. Raises UnknownNameError.
    """
    found = store.submissions.withdraw(key)
    if found.blob is not None:
        try:
            Blobs(store.submissions).let_go(found.blob)
        except (OSError, StoreError) as error:
            log.warning("the file of %s can't be removed now: %s", found.model, error)
    return found
