"""The schemas of one's own account and its tokens."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from .schemas import Answer

Role = Literal["user", "trusted", "admin"]
Scope = Literal["read", "submit", "work", "admin"]


class Account(Answer):
    """One's own account."""

    name: str = Field(description="What models of this account begin with.", examples=["ada"])
    email: str | None = Field(description="Seen by its holder and the operator alone.")
    role: Role = Field(description="What the operator trusts the account with.")
    scopes: list[Scope] = Field(description="What this very request may do.")
    created_at: datetime = Field(description="When the account was made.")


class Token(Answer):
    """A token without its secret."""

    id: int = Field(description="By what it is revoked.", examples=[1])
    label: str = Field(description="What its holder calls it.", examples=["laptop"])
    prefix: str = Field(description="What its secret begins with.", examples=["iso_Ab3dEf"])
    scopes: list[Scope] = Field(description="What it may do.")
    created_at: datetime = Field(description="When it was made.")
    expires_at: datetime | None = Field(description="When it ends; null if it does not.")
    last_used_at: datetime | None = Field(description="When it was used last, to the minute.")
    revoked_at: datetime | None = Field(description="When it was revoked.")


class NewToken(Token):
    """A token that was just made, with its secret, which is told this once."""

    secret: str = Field(description="What to send as `Authorization: Bearer …`.")


class TokenList(Answer):
    """The tokens of an account, newest first."""

    items: list[Token]


class TokenRequest(BaseModel):
    """What is asked of a new token."""

    model_config = ConfigDict(extra="forbid")

    label: str = Field(min_length=1, max_length=100, examples=["laptop"])
    scopes: list[Scope] = Field(min_length=1, examples=[["read", "submit"]])
    days: int | None = Field(90, ge=1, le=3650, description="How long it lasts; null for ever.")
