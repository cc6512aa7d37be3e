"""Signing in through another provider: the way there, and the way back."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response

from isocortex.accounts import openid, providers
from isocortex.accounts.providers import Flow, Flows, Identified, Provider
from isocortex.errors import AccessError, UnknownNameError
from isocortex.store import Store
from isocortex.store.account_records import Actor, StoredAccount

from . import access
from .access import Signed, actor_of
from .api import Opened
from .forms import browser_only, go_to, own_path, render_form, start_session
from .origins import client_address, site_url
from .rate_limits import count_sign_in
from .sign_in_pages import show_sign_in

router = APIRouter(include_in_schema=False, dependencies=[Depends(browser_only)])


@router.post("/sign-in/{name}", dependencies=[Depends(access.csrf_checked)])
def leave_to_sign_in(
    request: Request, name: str, following: Annotated[str, Form(alias="next")] = "/"
) -> Response:
    """Send the browser to a provider, to come back signed in."""
    return _leave(request, name, following=own_path(following))


@router.post("/account/link/{name}")
def leave_to_link(request: Request, name: str, account: Signed) -> Response:
    """Send the browser to a provider, to come back with one more way to sign in."""
    return _leave(request, name, account=account)


@router.get("/sign-in/{name}/callback")
def come_back(request: Request, name: str, store: Opened) -> Response:
    """Where a provider sends the browser back to."""
    provider = _provider(name)
    answer = dict(request.query_params)
    flows: Flows = request.app.state.flows
    browser = access.visit_secret(request)
    try:
        flow = flows.take(answer.get("state", ""), provider=name, browser=browser)
        identified = openid.identify(provider, flow, answer)
        if flow.account_id is not None:
            return _link(request, store, provider, flow, identified)
        account = _account_of(request, store, provider, identified)
    except AccessError as error:
        address = client_address(request)
        store.accounts.audit("session.refused", f"({name})", address=address, reason=str(error))
        return show_sign_in(request, problem=str(error))
    return start_session(request, store, account, following=flow.following)


def _leave(
    request: Request, name: str, *, following: str = "/", account: StoredAccount | None = None
) -> Response:
    provider = _provider(name)
    count_sign_in(request)
    flow = providers.new_flow(
        provider,
        access.begin_visit(request),
        redirect_uri=f"{site_url(request)}/sign-in/{name}/callback",
        account_id=None if account is None else account.id,
        following=following,
    )
    address = openid.address_to_visit(provider, flow)
    flows: Flows = request.app.state.flows
    flows.add(flow)
    # A page, not a redirect: under `form-action 'self'` no form may be led to another site.
    response = render_form(request, "leave.html", {"provider": provider, "address": address})
    if account is not None:
        access.keep_visit(request, response)
    response.headers["Refresh"] = f"0; url={address}"
    return response


def _link(
    request: Request, store: Store, provider: Provider, flow: Flow, identified: Identified
) -> Response:
    caller = access.caller_of(request)
    if caller.account is None or caller.account.id != flow.account_id:
        raise AccessError("sign in to your account again before you link another way to sign in")
    store.accounts.link_identity(
        caller.account.id, provider.realm, identified.subject, actor=actor_of(request)
    )
    return go_to("/account", done="linked")


def _account_of(
    request: Request, store: Store, provider: Provider, identified: Identified
) -> StoredAccount:
    """The account that the identity is linked to, or a new one where people may sign up."""
    found = store.accounts.by_identity(provider.realm, identified.subject)
    if found is None and providers.sign_up() == "no":
        raise AccessError(
            f"no account is linked to your {provider.label} identity {identified.subject!r}; ask "
            "the operator for one, or sign in and link it on your account's page"
        )
    if found is not None and found.disabled_at is not None:
        raise AccessError("this account is disabled; ask the operator")
    if found is not None:
        return found
    actor = Actor(None, client_address(request))
    return store.accounts.create_for(
        provider.realm, identified.subject, wish=identified.name, actor=actor
    )


def _provider(name: str) -> Provider:
    known = providers.configured()
    if name not in known:
        raise UnknownNameError.among("way to sign in", name, known)
    return known[name]
