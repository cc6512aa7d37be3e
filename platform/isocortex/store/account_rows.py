"""The rows of accounts, sessions, tokens and the audit log, each within a caller's transaction."""

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnExpressionArgument, Connection, delete, func, insert, select, update

from ..accounts import secrets
from ..errors import UnknownNameError
from .account_records import (
    Actor,
    SignedIn,
    StoredAccount,
    StoredAudit,
    StoredIdentity,
    StoredSession,
    StoredToken,
)
from .schema import Candidate, now
from .service import Account, Audit, Identity, Session, Token

SESSION_LASTS: Final = timedelta(days=14)
_USE_IS_NOTED_EVERY: Final = timedelta(minutes=1)

_FACTS: Final = ("id", "name", "email", "role", "created_at", "disabled_at")
_ACCOUNT: Final = tuple(Account.__table__.c[name] for name in (*_FACTS, "password_hash"))
_TOKEN: Final = (
    *(Token.id, Token.account_id, Token.label, Token.prefix, Token.scopes, Token.created_at),
    *(Token.expires_at, Token.last_used_at, Token.revoked_at),
)
Condition = ColumnExpressionArgument[bool]


def account_of(row: Any) -> StoredAccount:
    """The record of a row that begins with the columns of an account."""
    facts = dict(zip(_FACTS, row, strict=False))
    return StoredAccount(**facts, has_password=row.password_hash is not None)


def accounts_where(connection: Connection, *conditions: Condition) -> tuple[StoredAccount, ...]:
    """The accounts that meet all conditions, by name."""
    rows = connection.execute(select(*_ACCOUNT).where(*conditions).order_by(Account.name))
    return tuple(map(account_of, rows))


def account_by_id(connection: Connection, account_id: int) -> StoredAccount:
    """The account of that id. Raises UnknownNameError."""
    for found in accounts_where(connection, Account.id == account_id):
        return found
    raise UnknownNameError(f"no account has the id {account_id}; `isocortex users list` shows all")


def account_with_hash(connection: Connection, name: str) -> tuple[StoredAccount, str | None] | None:
    """The account of that name and its password hash, or None."""
    row = connection.execute(select(*_ACCOUNT).where(Account.name == name)).one_or_none()
    return None if row is None else (account_of(row), row.password_hash)


def add_account(connection: Connection, **values: Any) -> StoredAccount:
    """The new account. The database refuses a name that is taken."""
    made = connection.execute(insert(Account).values(**values)).inserted_primary_key
    return account_by_id(connection, made[0] if made else 0)


def change_account(connection: Connection, account_id: int, **values: Any) -> StoredAccount:
    """The account with these values."""
    connection.execute(update(Account).where(Account.id == account_id).values(**values))
    return account_by_id(connection, account_id)


def has_candidates(connection: Connection, account: str) -> bool:
    """Whether a stored candidate is called `account/…` already."""
    begin = func.substr(Candidate.name, 1, len(account) + 1) == f"{account}/"
    return connection.scalar(select(Candidate.id).where(begin).limit(1)) is not None


def add_session(connection: Connection, account_id: int) -> str:
    """The secret of a new session; expired sessions, whosever they are, are forgotten."""
    connection.execute(delete(Session).where(Session.expires_at <= now()))
    secret = secrets.new_secret()
    values = {"account_id": account_id, "secret_hash": secrets.kept(secret)}
    connection.execute(
        insert(Session).values(
            **values, csrf=secrets.new_secret(), expires_at=now() + SESSION_LASTS
        )
    )
    return secret


def has_secret(secret: str) -> Condition:
    """The condition that a session is the one of that secret."""
    return Session.secret_hash == secrets.kept(secret)


def session_by(connection: Connection, secret: str) -> SignedIn | None:
    """The session of that secret, unless it has expired or its account is disabled."""
    found = connection.execute(
        select(*_ACCOUNT, Session.csrf, Session.id.label("session_id"), Session.expires_at)
        .join(Account, Account.id == Session.account_id)
        .where(
            has_secret(secret),
            Session.expires_at > now(),
            Account.disabled_at.is_(None),
        )
    ).one_or_none()
    if found is None:
        return None
    return SignedIn(account_of(found), found.csrf, found.session_id, found.expires_at)


def sessions_of(connection: Connection, account_id: int) -> tuple[StoredSession, ...]:
    """The sessions of an account that last, newest first."""
    rows = connection.execute(
        select(Session.id, Session.created_at, Session.expires_at)
        .where(Session.account_id == account_id, Session.expires_at > now())
        .order_by(Session.id.desc())
    )
    return tuple(StoredSession(*row) for row in rows)


def end_sessions(connection: Connection, *conditions: Condition) -> int:
    """How many sessions met the conditions and have ended."""
    return connection.execute(delete(Session).where(*conditions)).rowcount


def add_token(connection: Connection, **values: Any) -> tuple[str, StoredToken]:
    """The secret of a new token, and what is kept of it."""
    secret = secrets.new_token()
    kept = {"prefix": secret[: secrets.SHOWN], "secret_hash": secrets.kept(secret)}
    made = connection.execute(insert(Token).values(**values, **kept)).inserted_primary_key
    (token,) = tokens_where(connection, Token.id == (made[0] if made else 0))
    return secret, token


def tokens_where(connection: Connection, *conditions: Condition) -> tuple[StoredToken, ...]:
    """The tokens that meet all conditions, newest first."""
    rows = connection.execute(select(*_TOKEN).where(*conditions).order_by(Token.id.desc()))
    return tuple(
        StoredToken(**(dict(row._mapping) | {"scopes": frozenset(row.scopes)})) for row in rows
    )


def token_by(connection: Connection, secret: str) -> tuple[StoredAccount, StoredToken] | None:
    """The token of that secret with its account, whatever has become of either; None if unknown."""
    found = tokens_where(connection, Token.secret_hash == secrets.kept(secret))
    return (account_by_id(connection, found[0].account_id), found[0]) if found else None


def is_use_unnoted(token: StoredToken) -> bool:
    """Whether the last use that was written down is longer ago than a minute."""
    return token.last_used_at is None or now() - token.last_used_at >= _USE_IS_NOTED_EVERY


def note_use(connection: Connection, token_id: int) -> None:
    """Write down that a token is used now."""
    connection.execute(update(Token).where(Token.id == token_id).values(last_used_at=now()))


def revoke_tokens(connection: Connection, *conditions: Condition) -> int:
    """How many living tokens met the conditions and are revoked."""
    living = Token.revoked_at.is_(None)
    revoked = update(Token).where(living, *conditions).values(revoked_at=now())
    return connection.execute(revoked).rowcount


def living_tokens(connection: Connection, account_id: int) -> int:
    """How many tokens of an account are neither revoked nor expired."""
    lasting = Token.expires_at.is_(None) | (Token.expires_at > now())
    counted = select(func.count()).where(
        Token.account_id == account_id, Token.revoked_at.is_(None), lasting
    )
    return connection.scalar(counted) or 0


def account_by_identity(
    connection: Connection, provider: str, subject: str
) -> StoredAccount | None:
    """The account that this identity is linked to, or None."""
    of_provider = select(Identity.account_id).where(
        Identity.provider == provider, Identity.subject == subject
    )
    found = accounts_where(connection, Account.id.in_(of_provider))
    return found[0] if found else None


def add_identity(connection: Connection, account_id: int, provider: str, subject: str) -> None:
    """Link an identity; the database refuses one that is linked already."""
    values = {"account_id": account_id, "provider": provider, "subject": subject}
    connection.execute(insert(Identity).values(**values))


def identities_of(connection: Connection, account_id: int) -> tuple[StoredIdentity, ...]:
    """The identities that are linked to an account, in the order they were."""
    rows = connection.execute(
        select(Identity.id, Identity.provider, Identity.subject)
        .where(Identity.account_id == account_id)
        .order_by(Identity.id)
    )
    return tuple(StoredIdentity(*row) for row in rows)


def remove_identities(connection: Connection, *conditions: Condition) -> int:
    """How many links met the conditions and are gone."""
    return connection.execute(delete(Identity).where(*conditions)).rowcount


def write_audit(
    connection: Connection, action: str, target: str, actor: Actor, **detail: Any
) -> None:
    """Add a row to the audit log."""
    connection.execute(
        insert(Audit).values(
            account_id=actor.account_id,
            action=action,
            target=target[:255],
            address=None if actor.address is None else actor.address[:64],
            detail=detail,
        )
    )


def audits_where(
    connection: Connection, *conditions: Condition, limit: int
) -> tuple[StoredAudit, ...]:
    """The newest rows of the audit log that meet all conditions."""
    columns = (Audit.id, Audit.at, Account.name, Audit.action, Audit.target, Audit.address)
    rows = connection.execute(
        select(*columns, Audit.detail)
        .outerjoin(Account, Account.id == Audit.account_id)
        .where(*conditions)
        .order_by(Audit.id.desc())
        .limit(limit)
    )
    return tuple(StoredAudit(*row) for row in rows)


def is_past(moment: datetime | None) -> bool:
    """Whether a moment has come; None never comes."""
    return moment is not None and moment <= now()
