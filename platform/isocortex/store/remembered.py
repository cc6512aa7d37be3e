"""Answers that are given again: a request with an `Idempotency-Key` is carried out once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, delete, select, update

from ..errors import MismatchError
from . import writing
from .inserting import insert_if_absent
from .schema import now
from .service import RememberedAnswer as Table

KEPT: Final = timedelta(hours=24)
"""How long an answer is remembered."""

ABANDONED: Final = timedelta(minutes=10)
"""After what time a request that was never answered may be tried again."""


@dataclass(frozen=True)
class Remembered:
    """What a request was answered; `status` is None while it is still being carried out."""

    status: int | None
    body: Mapping[str, Any]


class RememberedAnswers:
    """The answers of requests with an `Idempotency-Key`, reached as `store.remembered`."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def begin(self, account_id: int, key: str, request_hash: str) -> Remembered | None:
        """What was answered before; None if this is the first time, which `finish` must end.

        A request that was begun ten minutes ago and never ended counts as the first again. Raises
        MismatchError if the key was used for another request.
        """

        def work(connection: Connection) -> Remembered | None:
            moment = now()
            connection.execute(delete(Table).where(Table.created_at < moment - KEPT))
            row = {"account_id": account_id, "key": key, "request_hash": request_hash, "body": {}}
            if insert_if_absent(connection, Table, row | {"created_at": moment}):
                return None
            return _known(connection, (account_id, key), request_hash, moment)

        return writing.commit(self.engine, work)

    def finish(self, account_id: int, key: str, status: int, body: Mapping[str, Any]) -> None:
        """Remember what the request was answered."""

        def work(connection: Connection) -> None:
            own = (Table.account_id == account_id, Table.key == key)
            connection.execute(update(Table).where(*own).values(status=status, body=dict(body)))

        writing.commit(self.engine, work)

    def forget(self, account_id: int, key: str) -> None:
        """Forget the request, so that it may be tried again: it failed, and nothing was done."""

        def work(connection: Connection) -> None:
            own = (Table.account_id == account_id, Table.key == key)
            connection.execute(delete(Table).where(*own, Table.status.is_(None)))

        writing.commit(self.engine, work)


def _known(
    connection: Connection, own: tuple[int, str], request_hash: str, moment: datetime
) -> Remembered | None:
    account_id, key = own
    mine = (Table.account_id == account_id, Table.key == key)
    row = connection.execute(select(Table.__table__).where(*mine)).one()
    if row.request_hash != request_hash:
        raise MismatchError(
            f"the Idempotency-Key {key!r} was used for another request; take a new key for a new "
            "request, and the old one only to send the very same again"
        )
    if row.status is None and row.created_at < moment - ABANDONED:
        connection.execute(update(Table).where(*mine).values(created_at=moment))
        return None
    return Remembered(row.status, row.body)
