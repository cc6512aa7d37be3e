"""What all forms of accounts share: their page, where they lead, and work that takes long."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import urlencode

from anyio import CapacityLimiter, to_thread
from fastapi import Form, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from isocortex.store import Store
from isocortex.store.account_records import StoredAccount

from . import access
from .origins import client_address
from .rendering import render

Result = TypeVar("Result")
Text = Annotated[str, Form()]

_HASHING: Final = CapacityLimiter(2)
"""So many passwords are hashed at once; the others wait without a thread of the server's pool."""

_MOST_WAITING: Final = 32


def render_form(
    request: Request, name: str, context: Mapping[str, Any], *, status_code: int = 200
) -> Response:
    """The page of a form, with a cookie that it belongs to if nobody is signed in."""
    known = access.known_caller(request).account is not None
    if not known:
        access.begin_visit(request)
    response = render(request, name, context, status_code=status_code)
    if not known:
        access.keep_visit(request, response)
    response.headers["Cache-Control"] = "private, no-store"
    return response


def go_to(path: str, **asked: str) -> RedirectResponse:
    """Lead the browser to a page of ours, which it gets anew."""
    return RedirectResponse(f"{path}?{urlencode(asked)}" if asked else path, 303)


def own_path(text: str) -> str:
    """The text, if it is a path of this site, else the leaderboard's.

    >>> own_path("/account?x=1"), own_path("//evil.example"), own_path("https://evil.example")
    ('/account?x=1', '/', '/')
    """
    own = text.startswith("/") and not text.startswith("//") and "\\" not in text
    return text if own and text.isprintable() and len(text) <= 2_000 else "/"


async def hashed(work: Callable[[], Result]) -> Result:
    """What work that hashes a password returns; two at a time, so that reading goes on."""
    if _HASHING.statistics().tasks_waiting >= _MOST_WAITING:
        raise HTTPException(
            503, "too many people sign in just now; try again", {"Retry-After": "5"}
        )
    return await to_thread.run_sync(work, limiter=_HASHING)


def start_session(
    request: Request, store: Store, account: StoredAccount, *, following: str
) -> Response:
    """Lead on, signed in by a new secret; a former session of this browser is over."""
    secret = store.accounts.sign_in(
        account, former=access.session_secret(request), address=client_address(request)
    )
    response = go_to(own_path(following))
    access.keep_session(request, response, secret)
    return response


async def browser_only(caller: access.Called) -> None:
    """Refuse tokens: what is done with the forms of an account, only its holder may do."""
    if caller.token is not None:
        raise HTTPException(403, "a token can't do this; sign in with your browser")
