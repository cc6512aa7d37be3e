"""Pages to sign in, sign up and sign out by password."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request, Response

from isocortex.accounts import providers
from isocortex.errors import AccessError, InputError, UnknownNameError
from isocortex.store import Store
from isocortex.store.account_records import Actor

from . import access
from .api import Opened
from .forms import Text, go_to, hashed, own_path, render_form, start_session
from .origins import client_address
from .rate_limits import count_sign_in

router = APIRouter(include_in_schema=False)

Following = Annotated[str, Query(alias="next")]
FollowingField = Annotated[str, Form(alias="next")]
Checked = Depends(access.csrf_checked)


@router.get("/sign-in")
def sign_in_page(request: Request, caller: access.Called, following: Following = "/") -> Response:
    """The form to sign in; whoever is signed in is led on."""
    if caller.account is not None:
        return go_to(own_path(following))
    return show_sign_in(request, following=following)


@router.post("/sign-in", dependencies=[Checked])
async def sign_in(
    request: Request,
    store: Opened,
    name: Text = "",
    password: Text = "",
    following: FollowingField = "/",
) -> Response:
    """Sign in by password; 401 with the form again if that is wrong."""
    name = name.strip().lower()
    count_sign_in(request, name)

    def work() -> Response:
        try:
            account = store.accounts.verify(name, password)
        except AccessError as error:
            _note_failure(request, store, name)
            return show_sign_in(request, name=name, following=following, problem=str(error))
        return start_session(request, store, account, following=following)

    return await hashed(work)


@router.get("/sign-up")
def sign_up_page(request: Request, caller: access.Called) -> Response:
    """The form to make an account, where the operator lets strangers make one."""
    if caller.account is not None:
        return go_to("/account")
    _require_sign_up()
    return render_form(request, "sign_up.html", {"name": "", "problem": ""})


@router.post("/sign-up", dependencies=[Checked])
async def sign_up(
    request: Request, store: Opened, name: Text = "", password: Text = "", email: Text = ""
) -> Response:
    """Make an account and sign in; 422 with the form again if that can't be."""
    _require_sign_up()
    name = name.strip().lower()
    count_sign_in(request, name)

    def work() -> Response:
        actor = Actor(None, client_address(request))
        try:
            account = store.accounts.create(
                name, password=password, email=email.strip() or None, actor=actor
            )
        except InputError as error:
            context = {"name": name[:40], "problem": str(error)}
            return render_form(request, "sign_up.html", context, status_code=422)
        return start_session(request, store, account, following="/account")

    return await hashed(work)


@router.post("/sign-out", dependencies=[Checked])
def sign_out(request: Request, store: Opened) -> Response:
    """End this browser's session."""
    secret = access.session_secret(request)
    if secret is not None:
        store.accounts.sign_out(secret, address=client_address(request))
    response = go_to("/")
    access.forget_session(request, response)
    return response


def show_sign_in(
    request: Request, *, name: str = "", following: str = "/", problem: str = ""
) -> Response:
    """The form to sign in, with what went wrong."""
    context = {
        "name": name[:40],
        "following": own_path(following),
        "problem": problem,
        "providers": providers.configured().values(),
        "sign_up": providers.sign_up(),
    }
    return render_form(request, "sign_in.html", context, status_code=401 if problem else 200)


def _note_failure(request: Request, store: Store, name: str) -> None:
    """Add a failed sign-in to the audit log; what is no account's name may be a password."""
    try:
        account = store.accounts.find(name)
        target, account_id = account.name, account.id
    except UnknownNameError:
        target, account_id = "(unknown)", None
    address = client_address(request)
    store.accounts.audit("session.refused", target, account_id=account_id, address=address)


def _require_sign_up() -> None:
    if providers.sign_up() != "yes":
        raise HTTPException(
            403, "accounts are made by the operator of this site; ask for one, or sign in"
        )
