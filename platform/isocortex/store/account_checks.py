"""What an account, its name and its tokens may be."""

import getpass
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final, cast

from sqlalchemy import Connection

from .. import registry
from ..errors import AccessError, InputError, QuotaError
from . import account_rows as rows
from .account_records import NOBODY, ROLES, SCOPES, Actor, Scope, StoredAccount

MOST_TOKENS: Final = 50
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{1,38}")
_EMAIL: Final = re.compile(r"[^\s@<>\"',;:\\]{1,64}@[^\s@<>\"',;:\\]{1,180}")
_RESERVED: Final = frozenset(
    {
        *("account", "accounts", "admin", "administrator", "anonymous", "api", "everyone"),
        *("isocortex", "me", "new", "nobody", "root", "support", "system", "users"),
    }
)


def is_name(name: str) -> bool:
    """Whether an account can bear this name: 2 to 39 of a to z, 0 to 9 and `-`, a letter first."""
    return _NAME.fullmatch(name) is not None


def check_facts(name: str, email: str | None, role: str) -> None:
    """Raise InputError unless an account may have this name, e-mail address and role."""
    if not is_name(name):
        raise InputError(
            f"an account can't be named {name[:60]!r}; take 2 to 39 of the characters a to z, 0 "
            "to 9 and -, with a letter first"
        )
    if email is not None and not (_EMAIL.fullmatch(email) and email.isprintable()):
        raise InputError(f"{email[:60]!r} is no e-mail address; write it as name@host, or leave it")
    check_role(role)


def check_role(role: str) -> None:
    """Raise InputError unless this is a role."""
    if role not in ROLES:
        raise InputError(f"{role[:60]!r} is no role; give one of {', '.join(ROLES)}")


def require_free(connection: Connection, name: str) -> None:
    """Raise InputError if an account, a model of the zoo or a stored one bears the name already."""
    if not is_free(connection, name):
        raise InputError(f"the name {name!r} is taken; choose another one")


def is_free(connection: Connection, name: str) -> bool:
    """Whether neither an account nor models bear this name."""
    entries = (*registry.entries("candidate"), *registry.entries("candidate_family"))
    ours = {entry.name.partition("/")[0].partition("#")[0] for entry in entries}
    taken = rows.account_with_hash(connection, name) is not None
    return not (taken or name in _RESERVED | ours or rows.has_candidates(connection, name))


def check_token(label: str, scopes: Iterable[str], expires: datetime | None) -> frozenset[Scope]:
    """The scopes of a new token. Raises InputError unless label, scopes and expiry can be."""
    wanted = frozenset(scopes)
    if not label.strip() or len(label) > 100 or not label.isprintable():
        raise InputError("give the token a label of 1 to 100 printable characters")
    if not wanted or not wanted <= frozenset(SCOPES):
        given = ", ".join(sorted(wanted))[:60] or "none"
        raise InputError(f"the scopes are {given}; give one or more of {', '.join(SCOPES)}")
    if rows.is_past(expires):
        raise InputError("the token's expiry lies in the past; give a later one, or none")
    return cast(frozenset[Scope], wanted)


def require_token_may_be(account: StoredAccount, wanted: frozenset[Scope], living: int) -> None:
    """Raise AccessError or QuotaError unless the account may have one more token like this."""
    if not wanted <= account.scopes:
        lacking = ", ".join(sorted(wanted - account.scopes))
        raise AccessError(
            f"accounts of the role {account.role} can't have the scope {lacking}; ask the operator"
        )
    if living >= MOST_TOKENS:
        raise QuotaError(f"this account has {living} tokens, the most it may; revoke one first")


def make_for(
    connection: Connection, provider: str, subject: str, *, wish: str, actor: Actor
) -> StoredAccount:
    """A new account of the role user that is linked to an identity."""
    stem = _as_name(wish)[:30]
    wishes = [stem, *(f"{stem or 'user'}-{count}" for count in range(2, 1_000))]
    name = next((each for each in wishes if is_name(each) and is_free(connection, each)), None)
    if name is None:
        raise InputError(f"no name like {wish[:40]!r} is left; ask the operator for an account")
    account = rows.add_account(connection, name=name, role="user")
    rows.add_identity(connection, account.id, provider, subject)
    facts = {"provider": provider, "subject": subject}
    rows.write_audit(connection, "account.created", name, actor, role="user", **facts)
    return account


def make_local(connection: Connection, user: str) -> StoredAccount:
    """The account of this user of the operating system, linked to it, and made if need be."""
    stem = _as_name(user)
    names = [stem, "local", *(f"local-{count}" for count in range(2, 99))]
    for name in filter(is_name, names):
        found = rows.account_with_hash(connection, name)
        if found is None:
            account = rows.add_account(connection, name=name, role="admin")
            rows.write_audit(connection, "account.created", name, NOBODY, role="admin")
        else:
            account = found[0]
        if account.role == "admin":
            rows.add_identity(connection, account.id, "local", user)
            facts = {"provider": "local", "subject": user}
            rows.write_audit(connection, "identity.linked", name, NOBODY, **facts)
            return account
    raise AccessError("no name is left for your own account; link one with `isocortex users add`")


def system_user() -> str:
    """The name of who runs this process, `local` where there is none."""
    try:
        return getpass.getuser()[:255] or "local"
    except (OSError, KeyError):
        return "local"


def _as_name(text: str) -> str:
    return re.sub(r"[^a-z0-9-]+", "-", text.lower()).strip("-")
