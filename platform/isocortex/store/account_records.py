"""Accounts and what belongs to them, as frozen records of one moment."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, get_args

Role = Literal["user", "trusted", "admin"]
Scope = Literal["read", "submit", "work", "admin"]

ROLES: Final[tuple[Role, ...]] = get_args(Role)
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)


@dataclass(frozen=True)
class StoredAccount:
    """Someone who may submit. `disabled_at` is set while the account can't be used."""

    id: int
    name: str
    email: str | None
    role: Role
    created_at: datetime
    disabled_at: datetime | None
    has_password: bool = False

    @property
    def scopes(self) -> frozenset[Scope]:
        """What the holder may do at most: `work` and `admin` are for admins alone."""
        return frozenset(SCOPES if self.role == "admin" else ("read", "submit"))


@dataclass(frozen=True)
class SignedIn:
    """A browser that is signed in, and the token that its forms must carry."""

    account: StoredAccount
    csrf: str
    session_id: int
    expires_at: datetime


@dataclass(frozen=True)
class StoredSession:
    """When a browser signed in, and until when it stays so."""

    id: int
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class StoredToken:
    """A program's key, without its secret; `prefix` is what it begins with."""

    id: int
    account_id: int
    label: str
    prefix: str
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None

    def allowed(self, account: StoredAccount) -> frozenset[Scope]:
        """What it allows: its scopes, as far as its account has them now."""
        return self.scopes & account.scopes


@dataclass(frozen=True)
class StoredIdentity:
    """What another provider calls the holder of an account."""

    id: int
    provider: str
    subject: str


@dataclass(frozen=True)
class StoredAudit:
    """Who did what to which thing, from where."""

    id: int
    at: datetime
    account: str | None
    action: str
    target: str
    address: str | None
    detail: Mapping[str, Any]


@dataclass(frozen=True)
class Actor:
    """Who changes something and from which network address, for the audit log."""

    account_id: int | None = None
    address: str | None = None


NOBODY: Final = Actor()
"""Who acts where nobody is signed in: the program itself, or a stranger without an address."""
