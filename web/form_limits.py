"""What is known of the form of a submission before it is read: who sends it, and how much.

Its file is spooled to the disk while it comes, so strangers' forms are refused before they do, and
nobody sends more than may be kept of his.
"""

import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from typing import Final

from fastapi import HTTPException, Request
from starlette.concurrency import run_in_threadpool

from isocortex.errors import QuotaError, StoreError
from isocortex.store import Store
from isocortex.store.account_records import StoredAccount
from isocortex.submissions.blobs import SPARE_BYTES

from .access import account_again, caller_of
from .body_limits import MOST_FORM_BYTES
from .origins import is_own_origin

MOST_TEXT_BYTES: Final = 2**17
"""How long one field of the form may be."""

_MOST_FIELDS: Final = 2000
_TEXT_SPARE: Final = 2**20
"""What a form may hold beside its file, which alone counts against the quota."""


class FormsUnderWay:
    """How many bytes of forms each account is sending now."""

    def __init__(self) -> None:
        self.bytes: Counter[int] = Counter()


async def bounded_form(request: Request) -> AsyncIterator[None]:
    """Read a form that may come, and let go of its file in the end, whoever used it.

    Refused before it is read: one of nobody who is signed in, of another site, larger than a form
    may be or than the account has room for, together with all that it is sending just now.
    """
    account = await run_in_threadpool(_sender, request)
    length = _length(request)
    under_way: FormsUnderWay = request.app.state.forms_under_way
    under_way.bytes[account.id] += length
    try:
        await run_in_threadpool(_require_room, request, account, under_way.bytes)
        await request.form(
            max_files=1, max_fields=_MOST_FIELDS, max_part_size=MOST_TEXT_BYTES
        )  # kept by the request, and so read once
        yield
    finally:
        under_way.bytes[account.id] -= length
        await request.close()


def _sender(request: Request) -> StoredAccount:
    account = account_again(request, "submit")
    if caller_of(request).token is None and not is_own_origin(request):
        raise HTTPException(403, "this form is not ours; load its page and send it from there")
    return account


def _length(request: Request) -> int:
    length = request.headers.get("content-length", "")
    if not length.isdecimal():
        raise HTTPException(411, "this form must say how long it is; send it from its page")
    if int(length) > MOST_FORM_BYTES:
        raise HTTPException(413, "the file is too large for this form; use `isocortex submit`")
    return int(length)


def _require_room(request: Request, account: StoredAccount, under_way: Counter[int]) -> None:
    """Raise QuotaError, or StoreError if the disk has no room for all forms that are coming."""
    store: Store = request.app.state.store
    used, most = store.submissions.usage(account.id), store.submissions.quotas
    files = under_way[account.id] - _TEXT_SPARE
    if account.role != "admin" and used.stored_bytes + files > most.stored_bytes:
        raise QuotaError(
            f"you are sending {files:,} bytes and keep {used.stored_bytes:,} of the "
            f"{most.stored_bytes:,} you may; withdraw what is no longer needed"
        )
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if sum(under_way.values()) + SPARE_BYTES > free:
        raise StoreError(
            "the disk has no room for this form now; nothing was read, try again later"
        )
