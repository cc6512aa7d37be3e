"""Webhooks: who is told of which events, up to where, and how often it failed."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, Select, func, insert, select, update
from sqlalchemy import delete as remove

from ..errors import QuotaError, UnknownNameError
from . import writing
from .keys import new_key
from .opening import reading
from .schema import now
from .service import Account, Event, Submission, Webhook

MOST_WEBHOOKS: Final = 10
"""How many webhooks one account may have."""

MOST_FAILURES: Final = 12
"""After so many failures in a row, in about half a day, a webhook is given up."""


@dataclass(frozen=True, kw_only=True)
class StoredWebhook:
    """An address that is told what happens to the submissions of `account_id`."""

    key: str
    account_id: int
    url: str
    secret: str = field(repr=False)
    last_event_id: int
    failures: int
    created_at: datetime
    disabled_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Notice:
    """An event as a webhook is told of it; `submission` is its key."""

    id: int
    submission: str
    model: str
    version: int
    job_id: int | None
    attempt: int | None
    at: datetime
    kind: str
    text: str


class Webhooks:
    """The webhooks of a store, reached as `store.webhooks`. Unknown keys raise UnknownNameError."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def add(self, account_id: int, url: str) -> StoredWebhook:
        """A new webhook with a new secret, which is told of all that happens from now on.

        Raises QuotaError if the account has ten already.
        """
        key = new_key()

        def work(connection: Connection) -> StoredWebhook:
            own = select(func.count()).where(Webhook.account_id == account_id)
            if (connection.scalar(own) or 0) >= MOST_WEBHOOKS:
                raise QuotaError(f"you have {MOST_WEBHOOKS} webhooks already; delete one first")
            connection.execute(
                insert(Webhook).values(
                    key=key,
                    account_id=account_id,
                    url=url,
                    secret=secrets.token_hex(32),
                    last_event_id=connection.scalar(_newest_event()) or 0,
                )
            )
            return _stored(connection.execute(_all().where(Webhook.key == key)).one())

        return writing.commit(self.engine, work)

    def of_account(self, account_id: int) -> tuple[StoredWebhook, ...]:
        """The account's webhooks, oldest first."""
        query = _all().where(Webhook.account_id == account_id).order_by(Webhook.id)
        with reading(self.engine) as connection:
            return tuple(map(_stored, connection.execute(query)))

    def remove(self, account_id: int, key: str) -> None:
        """Tell this address no more."""

        def work(connection: Connection) -> None:
            own = (Webhook.account_id == account_id, Webhook.key == key)
            if not connection.execute(remove(Webhook).where(*own)).rowcount:
                raise UnknownNameError(f"you have no webhook {key!r}")

        writing.commit(self.engine, work)

    def active(self) -> tuple[StoredWebhook, ...]:
        """All webhooks that have not been given up, of accounts that are not disabled."""
        owned = _all().join(Account, Account.id == Webhook.account_id)
        query = owned.where(_is_active(), Account.disabled_at.is_(None)).order_by(Webhook.id)
        with reading(self.engine) as connection:
            return tuple(map(_stored, connection.execute(query)))

    def newest_event(self) -> int:
        """The id of the newest event of all; 0 if there was none."""
        with reading(self.engine) as connection:
            return connection.scalar(_newest_event()) or 0

    def news(self, webhook: StoredWebhook, *, until: int, limit: int = 100) -> tuple[Notice, ...]:
        """Up to `limit` events that it has not been told of, oldest first, up to the id `until`."""
        query = (
            select(Event.__table__, Submission.key, Submission.model, Submission.version)
            .join(Submission, Submission.id == Event.submission_id)
            .where(
                Submission.account_id == webhook.account_id,
                Event.id > webhook.last_event_id,
                Event.id <= until,
            )
            .order_by(Event.id)
            .limit(limit)
        )
        with reading(self.engine) as connection:
            return tuple(map(_notice, connection.execute(query)))

    def delivered(self, key: str, last_event_id: int) -> None:
        """Remember that it was told of everything up to this event."""
        self._change(key, last_event_id=last_event_id, failures=0)

    def failed(self, webhook: StoredWebhook) -> None:
        """Count a failure; after twelve in a row the webhook is given up."""
        failures = webhook.failures + 1
        ended = {"disabled_at": now()} if failures >= MOST_FAILURES else {}
        self._change(webhook.key, failures=failures, **ended)

    def _change(self, key: str, **values: Any) -> None:
        writing.commit(
            self.engine,
            lambda connection: connection.execute(
                update(Webhook).where(Webhook.key == key).values(**values)
            ),
        )


def _all() -> Select[Any]:
    return select(*(Webhook.__table__.c[name] for name in StoredWebhook.__dataclass_fields__))


def _stored(row: Row[Any]) -> StoredWebhook:
    return StoredWebhook(**row._mapping)


def _notice(row: Row[Any]) -> Notice:
    names = Notice.__dataclass_fields__.keys() - {"submission"}
    return Notice(submission=row.key, **{name: getattr(row, name) for name in names})


def _newest_event() -> Select[Any]:
    return select(func.max(Event.id))


def _is_active() -> Any:
    return Webhook.disabled_at.is_(None)
