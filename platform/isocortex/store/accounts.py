"""Accounts: who may do what, by password, session, token or another provider.

Whatever changes something writes to the audit log in the same transaction. Secrets are returned
once and only their hashes are kept.
"""

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Engine, delete

from ..accounts import passwords
from ..errors import AccessError, InputError, StoreError, UnknownNameError
from . import account_checks as checks
from . import account_rows as rows
from .account_records import (
    NOBODY,
    Actor,
    Role,
    Scope,
    SignedIn,
    StoredAccount,
    StoredAudit,
    StoredIdentity,
    StoredSession,
    StoredToken,
)
from .opening import reading, writing
from .schema import now
from .service import Audit, Identity, Session, Token, Webhook
from .writing import commit

log = logging.getLogger(__name__)

_WRONG: Final = "name or password is wrong, or the account is disabled; try again"


class Accounts:
    """The accounts of one database; reached as `store.accounts`, and may be shared by threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(
        self,
        name: str,
        *,
        password: str | None = None,
        email: str | None = None,
        role: Role = "user",
        actor: Actor = NOBODY,
    ) -> StoredAccount:
        """The new account. Raises InputError for a name, password, e-mail or role that can't be.

        Without a password the holder can sign in through a linked identity only.
        """
        checks.check_facts(name, email, role)
        password_hash = None
        if password is not None:
            passwords.check_password(password, name=name)
            password_hash = passwords.hash_password(password)
        values = {"name": name, "email": email, "role": role, "password_hash": password_hash}

        def add(connection: Connection) -> StoredAccount:
            checks.require_free(connection, name)
            made = rows.add_account(connection, **values)
            rows.write_audit(connection, "account.created", name, actor, role=role)
            return made

        return commit(self._engine, add)

    def find(self, name: str) -> StoredAccount:
        """The account of that name, disabled or not. Raises UnknownNameError."""
        with reading(self._engine) as connection:
            found = rows.account_with_hash(connection, name) if checks.is_name(name) else None
        if found is None:
            raise UnknownNameError(
                f"no account is named {name[:60]!r}; `isocortex users list` shows all"
            )
        return found[0]

    def by_id(self, account_id: int) -> StoredAccount:
        """The account of that id. Raises UnknownNameError."""
        with reading(self._engine) as connection:
            return rows.account_by_id(connection, account_id)

    def known(self) -> tuple[StoredAccount, ...]:
        """All accounts by name."""
        with reading(self._engine) as connection:
            return rows.accounts_where(connection)

    def verify(self, name: str, password: str) -> StoredAccount:
        """The account, if the password is its own; else AccessError, which does not say why.

        One hash is computed whether the account is there or not. A hash of former parameters is
        made anew.
        """
        with reading(self._engine) as connection:
            found = rows.account_with_hash(connection, name) if checks.is_name(name) else None
        account, stored = found or (None, None)
        right = passwords.is_right(stored, password)
        if account is None or stored is None or not right or account.disabled_at is not None:
            raise AccessError(_WRONG)
        if passwords.is_outdated(stored):
            renewed = passwords.hash_password(password)
            with writing(self._engine) as connection:
                rows.change_account(connection, account.id, password_hash=renewed)
        return account

    def set_password(
        self, account_id: int, password: str, *, keep: int | None = None, actor: Actor = NOBODY
    ) -> None:
        """Set another password and end all sessions but `keep`, by id; tokens stay valid."""
        passwords.check_password(password, name=self.by_id(account_id).name)
        password_hash = passwords.hash_password(password)
        with writing(self._engine) as connection:
            changed = rows.change_account(connection, account_id, password_hash=password_hash)
            rows.end_sessions(
                connection, Session.account_id == account_id, Session.id != (keep or 0)
            )
            rows.write_audit(connection, "password.changed", changed.name, actor)

    def set_role(self, account_id: int, role: Role, *, actor: Actor = NOBODY) -> StoredAccount:
        """The account in its new role, which counts at once for its sessions and tokens."""
        checks.check_role(role)
        with writing(self._engine) as connection:
            changed = rows.change_account(connection, account_id, role=role)
            rows.write_audit(connection, "account.role", changed.name, actor, role=role)
        return changed

    def disable(self, account_id: int, *, actor: Actor = NOBODY) -> StoredAccount:
        """The account, which nobody can use until it is enabled; its sessions end."""
        with writing(self._engine) as connection:
            changed = rows.change_account(connection, account_id, disabled_at=now())
            rows.end_sessions(connection, Session.account_id == account_id)
            rows.write_audit(connection, "account.disabled", changed.name, actor)
        return changed

    def enable(self, account_id: int, *, actor: Actor = NOBODY) -> StoredAccount:
        """The account, which can be used again."""
        with writing(self._engine) as connection:
            changed = rows.change_account(connection, account_id, disabled_at=None)
            rows.write_audit(connection, "account.enabled", changed.name, actor)
        return changed

    def close(self, account_id: int, *, actor: Actor = NOBODY) -> None:
        """Erase all that is personal: password, e-mail, identities, sessions, tokens, webhooks.

        The name stays taken, because scores and the audit log may bear it.
        """
        erased = {"email": None, "password_hash": None, "disabled_at": now()}
        with writing(self._engine) as connection:
            changed = rows.change_account(connection, account_id, **erased)
            rows.end_sessions(connection, Session.account_id == account_id)
            rows.revoke_tokens(connection, Token.account_id == account_id)
            rows.remove_identities(connection, Identity.account_id == account_id)
            connection.execute(delete(Webhook).where(Webhook.account_id == account_id))
            rows.write_audit(connection, "account.closed", changed.name, actor)

    def local_account(self) -> StoredAccount:
        """The account of whoever uses the command line, made on first use with the role admin.

        It is named after the user of the operating system. An account of that name that is no
        admin belongs to somebody else, and is left alone.
        """
        user = checks.system_user()

        def find_or_make(connection: Connection) -> StoredAccount:
            linked = rows.account_by_identity(connection, "local", user)
            return linked or checks.make_local(connection, user)

        with reading(self._engine) as connection:
            linked = rows.account_by_identity(connection, "local", user)
        account = linked or commit(self._engine, find_or_make)
        if account.disabled_at is not None:
            raise AccessError(
                f"your account {account.name!r} is disabled; `isocortex users disable --undo "
                f"{account.name}` lets you in again"
            )
        return account

    def sign_in(
        self, account: StoredAccount, *, former: str | None = None, address: str | None = None
    ) -> str:
        """The secret of a new session; the `former` session of the same browser ends."""
        with writing(self._engine) as connection:
            if former is not None:
                rows.end_sessions(connection, rows.has_secret(former))
            secret = rows.add_session(connection, account.id)
            actor = Actor(account.id, address)
            rows.write_audit(connection, "session.begun", account.name, actor)
        return secret

    def session(self, secret: str) -> SignedIn | None:
        """Who is signed in with that secret; None if it is unknown or ended."""
        with reading(self._engine) as connection:
            return rows.session_by(connection, secret)

    def sessions(self, account_id: int) -> tuple[StoredSession, ...]:
        """The sessions of an account, newest first."""
        with reading(self._engine) as connection:
            return rows.sessions_of(connection, account_id)

    def sign_out(self, secret: str, *, address: str | None = None) -> None:
        """End the session of that secret, if it lasts."""
        with writing(self._engine) as connection:
            found = rows.session_by(connection, secret)
            rows.end_sessions(connection, rows.has_secret(secret))
            if found is not None:
                actor = Actor(found.account.id, address)
                rows.write_audit(connection, "session.ended", found.account.name, actor)

    def end_sessions(
        self, account_id: int, *, session_id: int | None = None, actor: Actor = NOBODY
    ) -> None:
        """End one session of an account, or all of them."""
        conditions = [Session.account_id == account_id]
        if session_id is not None:
            conditions.append(Session.id == session_id)
        with writing(self._engine) as connection:
            name = rows.account_by_id(connection, account_id).name
            ended = rows.end_sessions(connection, *conditions)
            rows.write_audit(connection, "session.ended", name, actor, sessions=ended)

    def make_token(
        self,
        account_id: int,
        label: str,
        scopes: Iterable[str],
        expires: datetime | None = None,
        *,
        actor: Actor = NOBODY,
    ) -> tuple[str, StoredToken]:
        """The secret of a new token, which is shown once, and what is kept of it.

        Raises InputError for a label, scope or expiry that can't be, AccessError for a scope the
        account does not have, QuotaError if it has 50 living tokens.
        """
        wanted = checks.check_token(label, scopes, expires)
        with writing(self._engine) as connection:
            account = rows.account_by_id(connection, account_id)
            checks.require_token_may_be(account, wanted, rows.living_tokens(connection, account_id))
            values = {"account_id": account_id, "label": label.strip(), "expires_at": expires}
            made = rows.add_token(connection, scopes=sorted(wanted), **values)
            facts = {"label": label.strip(), "scopes": sorted(wanted)}
            rows.write_audit(connection, "token.made", made[1].prefix, actor, **facts)
        return made

    def by_token(self, secret: str) -> tuple[StoredAccount, frozenset[Scope]]:
        """Whose token it is, and what it allows: its scopes, as far as the account has them now.

        Raises AccessError for a token that is unknown, expired, revoked or of a disabled account.
        """
        account, token = self.token_holder(secret)
        return account, token.allowed(account)

    def token_holder(self, secret: str) -> tuple[StoredAccount, StoredToken]:
        """The account of a token and the token, whose use is noted at most once a minute."""
        with reading(self._engine) as connection:
            found = rows.token_by(connection, secret)
        if found is None or found[0].disabled_at is not None:
            raise AccessError("this token is unknown; make one on your account's page")
        account, token = found
        if token.revoked_at is not None:
            raise AccessError(f"the token {token.prefix}… is revoked; make another one")
        if rows.is_past(token.expires_at):
            raise AccessError(
                f"the token {token.prefix}… expired on {token.expires_at:%Y-%m-%d}; make another"
            )
        self._note_use(token)
        return account, token

    def tokens(self, account_id: int) -> tuple[StoredToken, ...]:
        """The tokens of an account, newest first, also those that are revoked or expired."""
        with reading(self._engine) as connection:
            return rows.tokens_where(connection, Token.account_id == account_id)

    def revoke(self, account_id: int, token_id: int, *, actor: Actor = NOBODY) -> None:
        """Revoke a token of that account. Raises UnknownNameError if it has none of that id."""
        own = (Token.account_id == account_id, Token.id == token_id)
        with writing(self._engine) as connection:
            found = rows.tokens_where(connection, *own)
            if not found:
                raise UnknownNameError(f"this account has no token {token_id}; list its tokens")
            if rows.revoke_tokens(connection, *own):
                rows.write_audit(connection, "token.revoked", found[0].prefix, actor)

    def by_identity(self, provider: str, subject: str) -> StoredAccount | None:
        """The account that an identity is linked to, disabled or not; None if it is linked to none.

        The provider `local` is the operating system of the command line.
        """
        with reading(self._engine) as connection:
            return rows.account_by_identity(connection, provider, subject)

    def link_identity(
        self, account_id: int, provider: str, subject: str, *, actor: Actor = NOBODY
    ) -> None:
        """Let whoever the provider calls `subject` sign in to this account."""

        def link(connection: Connection) -> None:
            holder = rows.account_by_identity(connection, provider, subject)
            if holder is not None and holder.id != account_id:
                raise InputError(
                    f"this {provider} identity is linked to another account; unlink it there first"
                )
            if holder is None:
                account = rows.account_by_id(connection, account_id)
                rows.add_identity(connection, account_id, provider, subject)
                facts = {"provider": provider, "subject": subject}
                rows.write_audit(connection, "identity.linked", account.name, actor, **facts)

        commit(self._engine, link)

    def create_for(
        self, provider: str, subject: str, *, wish: str = "", actor: Actor = NOBODY
    ) -> StoredAccount:
        """The account of an identity, made without a password if there is none.

        Its name is `wish` as far as a name can be that, or `user` and a number.
        """

        def find_or_make(connection: Connection) -> StoredAccount:
            found = rows.account_by_identity(connection, provider, subject)
            return found or checks.make_for(connection, provider, subject, wish=wish, actor=actor)

        return commit(self._engine, find_or_make)

    def identities(self, account_id: int) -> tuple[StoredIdentity, ...]:
        """The identities that are linked to an account."""
        with reading(self._engine) as connection:
            return rows.identities_of(connection, account_id)

    def unlink_identity(self, account_id: int, identity_id: int, *, actor: Actor = NOBODY) -> None:
        """Remove a link. Raises InputError if nobody could sign in to the account any more."""
        with writing(self._engine) as connection:
            account = rows.account_by_id(connection, account_id)
            others = rows.identities_of(connection, account_id)
            if not account.has_password and len(others) <= 1:
                raise InputError("this is your only way to sign in; set a password first")
            own = (Identity.account_id == account_id, Identity.id == identity_id)
            if rows.remove_identities(connection, *own):
                rows.write_audit(connection, "identity.unlinked", account.name, actor)

    def audit(
        self,
        action: str,
        target: str,
        *,
        account_id: int | None = None,
        address: str | None = None,
        **detail: Any,
    ) -> None:
        """Add a row to the audit log; `detail` is JSON-like and never holds a secret."""
        with writing(self._engine) as connection:
            rows.write_audit(connection, action, target, Actor(account_id, address), **detail)

    def audits(
        self,
        *,
        account_id: int | None = None,
        action: str | None = None,
        after: int | None = None,
        limit: int = 100,
    ) -> tuple[StoredAudit, ...]:
        """The newest rows of the audit log, from below the id `after`."""
        asked = {"account_id": account_id, "action": action}
        conditions = [getattr(Audit, key) == value for key, value in asked.items() if value]
        if after is not None:
            conditions.append(Audit.id < after)
        with reading(self._engine) as connection:
            return rows.audits_where(connection, *conditions, limit=limit)

    def _note_use(self, token: StoredToken) -> None:
        if rows.is_use_unnoted(token):
            try:
                with writing(self._engine) as connection:
                    rows.note_use(connection, token.id)
            except StoreError as error:  # reading must go on while the disk is full
                log.warning("the use of token %s was not noted: %s", token.prefix, error)
