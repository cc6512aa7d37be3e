"""The page of one's own account: tokens, sessions, identities, password, and its end.

These routes want a browser that is signed in: `Signed` sees to the account and to the form's
token, `browser_only` refuses programs.
"""

from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form, Path, Request, Response
from pydantic import BaseModel, Field

from isocortex.accounts import providers
from isocortex.errors import AccessError, InputError, IsocortexError
from isocortex.store import Store
from isocortex.store.account_records import SCOPES, StoredAccount
from isocortex.store.schema import now

from .access import Signed, actor_of, caller_of, forget_session
from .api import Opened
from .forms import Text, browser_only, go_to, hashed, render_form
from .rate_limits import count_sign_in

router = APIRouter(prefix="/account", include_in_schema=False, dependencies=[Depends(browser_only)])

Id = Annotated[int, Path(ge=1, le=2**63 - 1)]

_DONE: Final = {
    "": "",
    "password": "Your password is changed, and all other browsers are signed out.",
    "token": "The token is revoked.",
    "session": "The session has ended.",
    "linked": "You can sign in that way from now on.",
    "unlinked": "That way to sign in is gone.",
}


class TokenForm(BaseModel):
    """What is asked of a new token; 0 days are for ever."""

    label: str = ""
    scopes: list[str] = Field(default_factory=list)
    days: int = Field(90, ge=0, le=3650)


@router.get("")
def account_page(request: Request, store: Opened, account: Signed, done: str = "") -> Response:
    """One's own account."""
    return _show(request, store, account, note=_DONE.get(done, ""))


@router.post("/tokens")
def make_token(
    request: Request, store: Opened, account: Signed, form: Annotated[TokenForm, Form()]
) -> Response:
    """A new token, whose secret is shown this once."""
    expires = now() + timedelta(days=form.days) if form.days else None
    try:
        secret, _ = store.accounts.make_token(
            account.id, form.label, form.scopes, expires, actor=actor_of(request)
        )
    except (InputError, AccessError) as error:
        return _show(request, store, account, problem=error)
    return _show(request, store, account, secret=secret)


@router.post("/tokens/{token_id}/revoke")
def revoke_token(request: Request, store: Opened, account: Signed, token_id: Id) -> Response:
    """Revoke one's own token."""
    store.accounts.revoke(account.id, token_id, actor=actor_of(request))
    return go_to("/account", done="token")


@router.post("/sessions/{session_id}/end")
def end_session(request: Request, store: Opened, account: Signed, session_id: Id) -> Response:
    """Sign one of one's own browsers out."""
    store.accounts.end_sessions(account.id, session_id=session_id, actor=actor_of(request))
    return go_to("/account", done="session")


@router.post("/sessions/end")
def end_all_sessions(request: Request, store: Opened, account: Signed) -> Response:
    """Sign all of one's own browsers out, this one too."""
    store.accounts.end_sessions(account.id, actor=actor_of(request))
    response = go_to("/sign-in")
    forget_session(request, response)
    return response


@router.post("/identities/{identity_id}/unlink")
def unlink_identity(request: Request, store: Opened, account: Signed, identity_id: Id) -> Response:
    """Remove a way to sign in."""
    try:
        store.accounts.unlink_identity(account.id, identity_id, actor=actor_of(request))
    except InputError as error:
        return _show(request, store, account, problem=error)
    return go_to("/account", done="unlinked")


@router.post("/password")
async def change_password(
    request: Request, store: Opened, account: Signed, former: Text = "", password: Text = ""
) -> Response:
    """Set another password; the former one is asked for, if there is one."""
    count_sign_in(request, account.name)

    def work() -> Response:
        try:
            _require_password(store, account, former)
            keep = caller_of(request).session_id
            actor = actor_of(request)
            store.accounts.set_password(account.id, password, keep=keep, actor=actor)
        except (InputError, AccessError) as error:
            return _show(request, store, account, problem=error)
        return go_to("/account", done="password")

    return await hashed(work)


@router.post("/close")
async def close_account(
    request: Request, store: Opened, account: Signed, name: Text = "", former: Text = ""
) -> Response:
    """Close the account for ever; its name and password must be typed again."""
    count_sign_in(request, account.name)

    def work() -> Response:
        try:
            if name.strip().lower() != account.name:
                raise InputError("type your account's name to close it")
            _require_password(store, account, former)
        except (InputError, AccessError) as error:
            return _show(request, store, account, problem=error)
        store.accounts.close(account.id, actor=actor_of(request))
        response = go_to("/")
        forget_session(request, response)
        return response

    return await hashed(work)


def _require_password(store: Store, account: StoredAccount, former: str) -> None:
    if account.has_password:
        try:
            store.accounts.verify(account.name, former)
        except AccessError:
            raise InputError("your present password is another one; try again") from None


def _show(
    request: Request,
    store: Store,
    account: StoredAccount,
    *,
    note: str = "",
    problem: IsocortexError | None = None,
    secret: str = "",
) -> Response:
    accounts = store.accounts
    linked = accounts.identities(account.id)
    known = providers.configured().values()
    realms = {identity.provider for identity in linked}
    context = {
        "account": account,
        "tokens": accounts.tokens(account.id),
        "sessions": accounts.sessions(account.id),
        "this_session": caller_of(request).session_id,
        "identities": linked,
        "labels": {each.realm: each.label for each in known},
        "linkable": [each for each in known if each.realm not in realms],
        "scopes": [scope for scope in SCOPES if scope in account.scopes],
        "now": now(),
        "note": note,
        "problem": problem,
        "secret": secret,
    }
    return render_form(request, "account.html", context, status_code=422 if problem else 200)
