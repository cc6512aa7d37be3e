"""Who is asking, by session cookie or token, what they may do, and that a form is our own.

    @router.post("/submissions")
    def submit(account: Annotated[StoredAccount, Depends(require("submit"))]) -> …

`Visitor` is the account or None, `Signed` the account or a refusal, `require(scope)` wants one
scope more. Whoever is signed in by cookie must send back the token of the form (field `csrf`, or
header `X-CSRF-Token`) with whatever changes something; these dependencies see to it. A form that
strangers send too depends on `csrf_checked`.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends, HTTPException, Request, Response
from starlette.concurrency import run_in_threadpool

from isocortex.accounts import secrets
from isocortex.errors import AccessError, IsocortexError
from isocortex.store import Store
from isocortex.store.account_records import Actor, Scope, StoredAccount, StoredToken

from .origins import client_address, is_own_origin, is_secure

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""

_SESSION: Final = "isocortex_session"
_VISIT: Final = "isocortex_visit"
_SESSION_SECONDS: Final = 14 * 24 * 3600
_VISIT_SECONDS: Final = 24 * 3600
_LONGEST_SECRET: Final = 200


@dataclass(frozen=True)
class Caller:
    """Who sent a request: nobody we know, a browser that is signed in, or a program's token."""

    account: StoredAccount | None = None
    scopes: frozenset[Scope] = frozenset()
    csrf: str | None = None
    session_id: int | None = None
    token: StoredToken | None = None


NOBODY: Final = Caller()


def caller_of(request: Request) -> Caller:
    """Who sent this request. Raises AccessError for a token that is not valid.

    A cookie that is not valid is no error: the browser is merely not signed in any more.
    """
    found = getattr(request.state, "caller", None)
    if not isinstance(found, Caller):
        found = _find_caller(request)
        request.state.caller = found
    return found


def account_again(request: Request, scope: Scope) -> StoredAccount:
    """The account that asks, by what the store knows of its credentials now.

    Raises AccessError if they were taken back since, or have no such scope.
    """
    return _allowed(_find_caller(request), scope)


def known_caller(request: Request) -> Caller:
    """The caller; nobody if its token is not valid or the store can't be read."""
    try:
        return caller_of(request)
    except IsocortexError:
        return NOBODY


def has_token(request: Request) -> bool:
    """Whether a token came, valid or not."""
    return _bearer(request) is not None


def has_credentials(request: Request) -> bool:
    """Whether the answer may depend on who asks, so that no cache may keep it."""
    return _bearer(request) is not None or session_secret(request) is not None


def session_secret(request: Request) -> str | None:
    """What the session's cookie holds."""
    return _cookie(request, _SESSION)


def actor_of(request: Request) -> Actor:
    """Who changes something, for the audit log."""
    account = caller_of(request).account
    return Actor(None if account is None else account.id, client_address(request))


async def current_caller(request: Request) -> Caller:
    """The caller; 403 if a cookie signs it in, it would change something, and the form is forged.

    Raises AccessError for a token that is not valid.
    """
    if not has_credentials(request):
        return NOBODY
    caller = await run_in_threadpool(caller_of, request)
    if request.method not in SAFE and caller.account is not None and caller.token is None:
        await _require_own_form(request, caller.csrf)
    return caller


Called = Annotated[Caller, Depends(current_caller)]


async def visitor(caller: Called) -> StoredAccount | None:
    """The account that asks, None for strangers and for tokens that may not read."""
    return caller.account if "read" in caller.scopes else None


def require(scope: Scope) -> Callable[[Caller], Coroutine[Any, Any, StoredAccount]]:
    """The dependency that gives the account, if it is signed in and has the scope.

    Raises AccessError: 401 if nobody is signed in, else 403.
    """

    async def allowed(caller: Called) -> StoredAccount:
        return _allowed(caller, scope)

    return allowed


async def signed(request: Request, caller: Called) -> StoredAccount:
    """The account that asks. A token needs the scope `read`, and `submit` to change something."""
    return _allowed(caller, "read" if request.method in SAFE else "submit")


Visitor = Annotated[StoredAccount | None, Depends(visitor)]
"""The account that asks, or None."""

Signed = Annotated[StoredAccount, Depends(signed)]
"""The account that asks; without one, 401 or the page to sign in."""


async def csrf_checked(request: Request) -> None:
    """Refuse with 403 a form that no page of ours handed to this very browser."""
    caller = await run_in_threadpool(caller_of, request)
    if caller.token is None:
        await _require_own_form(request, caller.csrf or visit_csrf(request))


def signed_in(request: Request) -> dict[str, Any]:
    """What every template knows: `visitor` (the account or None) and `csrf` for its forms.

    Never fails: where the store can't be read, nobody is signed in.
    """
    caller = known_caller(request)
    return {"visitor": caller.account, "csrf": caller.csrf or visit_csrf(request)}


def visit_csrf(request: Request) -> str | None:
    """The token of forms for a browser that is not signed in; None before `begin_visit`."""
    secret = visit_secret(request)
    return None if secret is None else secrets.derived(secret, "form")


def visit_secret(request: Request) -> str | None:
    """The secret that this browser was given before it signed in."""
    return getattr(request.state, "visit", None) or _cookie(request, _VISIT)


def begin_visit(request: Request) -> str:
    """The secret that knows this browser again before it signs in; `keep_visit` hands it out."""
    secret = visit_secret(request) or secrets.new_secret()
    request.state.visit = secret
    return secret


def keep_visit(request: Request, response: Response) -> None:
    """Give the browser the cookie of its visit."""
    _set_cookie(request, response, _VISIT, begin_visit(request), seconds=_VISIT_SECONDS)


def keep_session(request: Request, response: Response, secret: str) -> None:
    """Give the browser the cookie of its new session; the visit before it is over."""
    _set_cookie(request, response, _SESSION, secret, seconds=_SESSION_SECONDS)
    _set_cookie(request, response, _VISIT, "", seconds=0)


def forget_session(request: Request, response: Response) -> None:
    """Take the cookies back."""
    for name in (_SESSION, _VISIT):
        _set_cookie(request, response, name, "", seconds=0)


def _find_caller(request: Request) -> Caller:
    store: Store = request.app.state.store
    if (token := _bearer(request)) is not None:
        account, stored = store.accounts.token_holder(token)
        return Caller(account, stored.allowed(account), token=stored)
    secret = session_secret(request)
    found = None if secret is None else store.accounts.session(secret)
    if found is None:
        return NOBODY
    return Caller(found.account, found.account.scopes, found.csrf, found.session_id)


def _allowed(caller: Caller, scope: Scope) -> StoredAccount:
    if caller.account is None:
        raise AccessError(
            "sign in, or send a token of your account as `Authorization: Bearer iso_…`"
        )
    if scope not in caller.scopes:
        what = "your account" if caller.token is None else f"the token {caller.token.prefix}…"
        raise AccessError(f"this needs the scope {scope}, which {what} does not have")
    return caller.account


async def _require_own_form(request: Request, expected: str | None) -> None:
    given: object = request.headers.get("x-csrf-token")
    if given is None:
        given = (await request.form()).get("csrf")
    known = expected is not None and isinstance(given, str) and secrets.same(given, expected)
    if not known or not is_own_origin(request):
        raise HTTPException(
            403, "this form has expired or is not ours; load its page again and send it from there"
        )


def _bearer(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip()[:_LONGEST_SECRET] if scheme.lower() == "bearer" else None


def _cookie(request: Request, name: str) -> str | None:
    # Over https only the name counts that no plain page and no other host could have set.
    value = request.cookies.get(f"__Host-{name}" if is_secure(request) else name)
    return value if value and len(value) <= _LONGEST_SECRET else None


def _set_cookie(
    request: Request, response: Response, name: str, value: str, *, seconds: int
) -> None:
    secure = is_secure(request)
    response.set_cookie(
        f"__Host-{name}" if secure else name,
        value,
        max_age=seconds,
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )
