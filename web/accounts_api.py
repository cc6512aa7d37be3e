"""The REST API of one's own account and its tokens."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response

from isocortex.client.account_schemas import Account, NewToken, Token, TokenList, TokenRequest
from isocortex.errors import AccessError, UnknownNameError
from isocortex.store import Store
from isocortex.store.account_records import Scope, StoredAccount, StoredToken
from isocortex.store.schema import now

from .access import Called, Caller, Signed, actor_of, require
from .api import Opened
from .problems import RESPONSES

router = APIRouter(prefix="/api/v1/account", responses=RESPONSES, tags=["account"])


@router.get("", operation_id="getAccount")
def get_account(account: Signed, caller: Called) -> Account:
    """The account whose token or session was sent."""
    return Account(
        name=account.name,
        email=account.email,
        role=account.role,
        scopes=sorted(caller.scopes),
        created_at=account.created_at,
    )


@router.get("/tokens", operation_id="listTokens")
def list_tokens(store: Opened, account: Signed) -> TokenList:
    """One's own tokens, also those that are revoked or expired."""
    return TokenList(items=[_answer(token) for token in store.accounts.tokens(account.id)])


@router.post("/tokens", operation_id="makeToken", status_code=201)
def make_token(
    request: Request, store: Opened, account: Signed, caller: Called, wish: TokenRequest
) -> NewToken:
    """A new token. Made with a token, it may do and lasts no more than that one."""
    expires = None if wish.days is None else now() + timedelta(days=wish.days)
    _require_not_mightier(caller, frozenset(wish.scopes))
    if caller.token is not None and caller.token.expires_at is not None:
        expires = min(expires or caller.token.expires_at, caller.token.expires_at)
    secret, made = store.accounts.make_token(
        account.id, wish.label, wish.scopes, expires, actor=actor_of(request)
    )
    return NewToken(**_answer(made).model_dump(), secret=secret)


@router.delete("/tokens/{token_id}", operation_id="revokeToken", status_code=204)
def revoke_token(
    request: Request,
    store: Opened,
    account: Annotated[StoredAccount, Depends(require("read"))],
    caller: Called,
    token_id: Annotated[int, Path(ge=1, le=2**63 - 1, description="The token's id.")],
) -> Response:
    """Revoke one's own token. With a token, only one that may do no more, such as itself."""
    _require_not_mightier(caller, _own_token(store, account, token_id).scopes)
    store.accounts.revoke(account.id, token_id, actor=actor_of(request))
    return Response(status_code=204)


def _own_token(store: Store, account: StoredAccount, token_id: int) -> StoredToken:
    for token in store.accounts.tokens(account.id):
        if token.id == token_id:
            return token
    raise UnknownNameError(f"this account has no token {token_id}; list its tokens")


def _require_not_mightier(caller: Caller, scopes: frozenset[Scope]) -> None:
    if not scopes <= caller.scopes:
        more = ", ".join(sorted(scopes - caller.scopes))
        raise AccessError(f"this needs the scope {more}, which you do not have here")


def _answer(token: StoredToken) -> Token:
    return Token.model_validate(token, from_attributes=True)
