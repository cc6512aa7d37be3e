"""Each way in lets in whom it should, and nobody else; no other site can act for a visitor."""

import asyncio
import threading
from datetime import timedelta
from typing import Annotated

import pytest
from fastapi import Depends, HTTPException, Request
from fastapi.testclient import TestClient
from isocortex.web import access, forms
from isocortex.web.access import Signed, Visitor, require
from starlette.concurrency import run_in_threadpool
from tests.web.browsers import PASSWORD, Browser

from isocortex.accounts import passwords
from isocortex.errors import InputError, JailError, LeaseLostError, QuotaError, RejectedError
from isocortex.store import account_rows
from isocortex.store.account_records import StoredAccount
from isocortex.store.schema import now

API = "/api/v1"
SAME = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def site(empty_client: TestClient, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """The application with three accounts, and routes that want each kind of access."""
    cheap = passwords.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_HASHER", cheap)
    app = empty_client.app

    def who(account: Visitor) -> str | None:
        return account.name if account else None

    def mine(account: Signed) -> str:
        return account.name

    def as_worker(account: Annotated[StoredAccount, Depends(require("work"))]) -> str:
        return account.name

    def as_submitter(account: Annotated[StoredAccount, Depends(require("submit"))]) -> str:
        return account.name

    app.get(f"{API}/who")(who)
    app.api_route(f"{API}/mine", methods=["GET", "POST"])(mine)
    app.api_route("/mine", methods=["GET", "POST"])(mine)
    app.post(f"{API}/as-worker")(as_worker)
    app.post(f"{API}/as-submitter")(as_submitter)
    mount = next(one for one in app.router.routes if getattr(one, "path", "") == "/static")
    app.router.routes.remove(mount)
    accounts = app.state.store.accounts
    accounts.create("ada", password=PASSWORD)
    accounts.create("eve", password=PASSWORD)
    accounts.create("root-user", password=PASSWORD, role="admin")
    return empty_client


@pytest.fixture
def ada(site: TestClient) -> Browser:
    """A browser that is signed in as ada."""
    browser = Browser(site)
    assert browser.sign_in("ada").status_code == 303
    return browser


def token(site: TestClient, *scopes: str, name: str = "ada") -> dict[str, str]:
    """The header of a new token."""
    accounts = site.app.state.store.accounts
    secret, _ = accounts.make_token(accounts.find(name).id, "laptop", scopes)
    return {"Authorization": f"Bearer {secret}"}


def test_strangers_are_nobody_and_read_on(site: TestClient) -> None:
    assert site.get(f"{API}/who").json() is None
    assert site.get("/").status_code == 200
    assert "Sign in" in site.get("/").text


def test_a_cookie_and_a_token_say_who_it_is(site: TestClient, ada: Browser) -> None:
    assert ada.get(f"{API}/who").json() == "ada"
    assert site.get(f"{API}/who", headers=token(site, "read")).json() == "ada"
    assert ">ada</a>" in ada.get("/").text


@pytest.mark.parametrize("path", [f"{API}/mine", f"{API}/account"])
def test_without_an_account_the_api_says_401(site: TestClient, path: str) -> None:
    response = site.get(path)
    assert response.status_code == 401
    assert response.json()["type"] == "urn:isocortex:problem:not-signed-in"
    assert response.headers["www-authenticate"] == 'Bearer realm="isocortex"'


def test_without_an_account_a_page_leads_to_the_sign_in_and_back(site: TestClient) -> None:
    browser = Browser(site)
    response = browser.get("/mine?a=1&b=2")
    assert response.status_code == 303
    assert response.headers["location"] == "/sign-in?next=%2Fmine%3Fa%3D1%26b%3D2"
    page = browser.get(response.headers["location"]).text
    assert 'name="next" value="/mine?a=1&amp;b=2"' in page


@pytest.mark.parametrize(
    "header", ["Bearer iso_forged", "Bearer ", "bearer x", "Bearer " + "x" * 5_000, "Bearer \xff"]
)
def test_a_token_that_is_not_valid_is_401_and_not_a_stranger(site: TestClient, header: str) -> None:
    response = site.get(f"{API}/who", headers={"Authorization": header.encode("latin-1")})
    assert response.status_code == 401
    assert 'error="invalid_token"' in response.headers["www-authenticate"]


def test_other_schemes_are_for_others(site: TestClient, ada: Browser) -> None:
    proxy = {"Authorization": "Basic dXNlcjpwYXNz"}
    assert site.get(f"{API}/who", headers=proxy).json() is None
    assert ada.get(f"{API}/who", headers=proxy).json() == "ada"


@pytest.mark.parametrize("fate", ["revoked", "expired", "disabled"])
def test_a_token_that_has_ended_is_401(
    site: TestClient, monkeypatch: pytest.MonkeyPatch, fate: str
) -> None:
    accounts = site.app.state.store.accounts
    account = accounts.find("ada")
    secret, made = accounts.make_token(account.id, "x", ["read"], now() + timedelta(days=1))
    header = {"Authorization": f"Bearer {secret}"}
    assert site.get(f"{API}/who", headers=header).json() == "ada"
    if fate == "revoked":
        accounts.revoke(account.id, made.id)
    elif fate == "disabled":
        accounts.disable(account.id)
    else:
        monkeypatch.setattr(account_rows, "now", lambda: now() + timedelta(days=1))
    assert site.get(f"{API}/who", headers=header).status_code == 401


@pytest.mark.parametrize(
    ("scopes", "path", "method", "status"),
    [
        (["read"], "mine", "GET", 200),
        (["submit"], "mine", "GET", 403),
        (["read"], "mine", "POST", 403),
        (["submit"], "mine", "POST", 200),
        (["read"], "as-submitter", "POST", 403),
        (["submit"], "as-submitter", "POST", 200),
        (["read", "submit"], "as-worker", "POST", 403),
    ],
)
def test_a_token_may_do_what_its_scopes_say(
    site: TestClient, scopes: list[str], path: str, method: str, status: int
) -> None:
    response = site.request(method, f"{API}/{path}", headers=token(site, *scopes))
    assert response.status_code == status
    if status == 403:
        assert response.json()["type"] == "urn:isocortex:problem:not-allowed"


def test_a_worker_is_an_admins_program(site: TestClient) -> None:
    header = token(site, "work", name="root-user")
    assert site.post(f"{API}/as-worker", headers=header).json() == "root-user"
    accounts = site.app.state.store.accounts
    accounts.set_role(accounts.find("root-user").id, "user")
    assert site.post(f"{API}/as-worker", headers=header).status_code == 403


def test_a_token_that_may_not_read_is_a_stranger_to_pages(site: TestClient) -> None:
    assert site.get(f"{API}/who", headers=token(site, "submit")).json() is None


def test_a_cookie_changes_something_only_with_the_token_of_its_form(ada: Browser) -> None:
    csrf = ada.token_of("/account")
    for path in ("/mine", f"{API}/mine", f"{API}/as-submitter"):
        assert ada.client.post(path, headers=SAME).status_code == 403
        assert ada.client.post(path, data={"csrf": "forged"}, headers=SAME).status_code == 403
        assert ada.client.post(path, data={"csrf": csrf}, headers=SAME).status_code == 200
        assert ada.client.post(path, headers=SAME | {"X-CSRF-Token": csrf}).status_code == 200
        assert ada.client.post(f"{path}?csrf={csrf}", headers=SAME).status_code == 403


def test_the_token_of_another_session_is_refused(site: TestClient, ada: Browser) -> None:
    for other in ("eve", "ada"):
        theirs = Browser(site)
        theirs.sign_in(other)
        csrf = theirs.token_of("/account")
        assert ada.client.post("/mine", data={"csrf": csrf}, headers=SAME).status_code == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://testserver"}, 403),
        ({"Origin": "http://testserver"}, 200),
        ({"Origin": "http://testserver:80"}, 200),
        ({"Origin": "http://testserver:8000"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://testserver.evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://testserver:x"}, 403),
        ({}, 200),
    ],
)
def test_a_form_comes_from_our_own_pages(
    ada: Browser, headers: dict[str, str], status: int
) -> None:
    fields = {"csrf": ada.token_of("/account")}
    assert ada.client.post("/mine", data=fields, headers=headers).status_code == status


def test_a_token_needs_no_form_even_beside_a_cookie(site: TestClient, ada: Browser) -> None:
    headers = token(site, "submit", name="eve") | {"Origin": "https://notebook.example"}
    assert ada.client.post(f"{API}/mine", headers=headers).json() == "eve"


def test_signing_in_is_protected_from_other_sites(site: TestClient) -> None:
    victim, attacker = Browser(site), Browser(site)
    form = {"name": "eve", "password": PASSWORD}
    assert victim.client.post("/sign-in", data=form, headers=SAME).status_code == 403
    theirs = form | {"csrf": attacker.token_of("/sign-in")}
    assert victim.client.post("/sign-in", data=theirs, headers=SAME).status_code == 403
    own = form | {"csrf": victim.token_of("/sign-in")}
    cross = {"Sec-Fetch-Site": "cross-site"}
    assert victim.client.post("/sign-in", data=own, headers=cross).status_code == 403
    assert victim.session is None


def test_a_session_that_was_planted_is_not_the_one_that_is_used(site: TestClient) -> None:
    planted = Browser(site)
    planted.client.cookies.set("isocortex_session", "a" * 43)
    planted.sign_in("ada")
    values = {cookie.value for cookie in planted.client.cookies.jar}
    assert planted.client.cookies.jar
    stranger = Browser(site)
    stranger.client.cookies.set("isocortex_session", "a" * 43)
    assert stranger.get(f"{API}/who").json() is None
    assert len(values - {"a" * 43}) == 1


def test_each_sign_in_has_a_new_secret_and_ends_the_one_before(site: TestClient) -> None:
    browser = Browser(site)
    browser.sign_in("ada")
    first = browser.session
    visit = Browser(site)
    visit.client.cookies.set("isocortex_session", first)
    csrf = visit.token_of("/account")
    fields = {"csrf": csrf, "name": "ada", "password": PASSWORD}
    response = visit.client.post("/sign-in", data=fields, headers=SAME)
    assert response.status_code == 303
    assert response.cookies["isocortex_session"] != first
    assert browser.get(f"{API}/who").json() is None


def test_the_cookie_is_for_this_site_and_no_script(site: TestClient) -> None:
    given = Browser(site).sign_in("ada").headers.get_list("set-cookie")
    (session,) = [one for one in given if one.startswith("isocortex_session=")]
    attributes = {part.strip().lower() for part in session.split(";")[1:]}
    assert {"httponly", "samesite=lax", "path=/", "max-age=1209600"} <= attributes
    assert not any(one.startswith("domain") for one in attributes)
    assert "secure" not in attributes


@pytest.mark.parametrize("how", ["https", "public url", "trusted proxy"])
def test_over_https_the_cookie_is_secure_and_bound_to_the_host(
    site: TestClient, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    if how == "public url":
        monkeypatch.setenv("ISOCORTEX_PUBLIC_URL", "https://testserver/")
    browser = Browser(site, "https://testserver")
    if how == "trusted proxy":
        monkeypatch.setenv("ISOCORTEX_TRUSTED_PROXIES", "192.0.2.0/24")
        browser.client._transport.client = ("192.0.2.9", 1)
        browser.client.headers["X-Forwarded-Proto"] = "https"
    given = browser.sign_in("ada").headers.get_list("set-cookie")
    (session,) = [one for one in given if one.startswith("__Host-isocortex_session=")]
    assert "secure" in session.lower()
    assert browser.get(f"{API}/who").json() == "ada"


def test_over_https_a_cookie_that_a_plain_page_could_set_counts_for_nothing(
    site: TestClient, ada: Browser
) -> None:
    secure = Browser(site, "https://testserver")
    secure.client.cookies.set("isocortex_session", ada.session)
    assert secure.get(f"{API}/who").json() is None


def test_signing_out_ends_the_session_and_not_only_the_cookie(ada: Browser) -> None:
    secret = ada.session
    assert ada.send("/sign-out", page="/account").status_code == 303
    assert ada.session is None
    ada.client.cookies.set("isocortex_session", secret)
    assert ada.get(f"{API}/who").json() is None


def test_nothing_is_changed_by_get(ada: Browser) -> None:
    for path in ("/sign-out", "/account/sessions/end", "/account/close", "/account/password"):
        assert ada.get(path).status_code in (404, 405)
    assert ada.get(f"{API}/who").json() == "ada"


def test_answers_to_known_visitors_are_kept_by_no_cache(site: TestClient, ada: Browser) -> None:
    public = site.get("/benchmarks")
    assert "no-store" not in public.headers["cache-control"]
    etag = {"If-None-Match": public.headers["etag"]}
    assert site.get("/benchmarks", headers=etag).status_code == 304
    for path in ("/benchmarks", "/account", f"{API}/account", f"{API}/models"):
        private = ada.get(path, headers=etag)
        assert private.status_code == 200
        assert private.headers["cache-control"] == "private, no-store"
        assert "Cookie" in private.headers["vary"]
        assert "etag" not in private.headers
    assert ">ada</a>" not in site.get("/benchmarks").text
    with_token = site.get(f"{API}/models", headers=token(site, "read") | etag)
    assert with_token.headers["cache-control"] == "private, no-store"


def test_the_page_to_sign_in_is_kept_by_no_cache(site: TestClient) -> None:
    assert site.get("/sign-in").headers["cache-control"] == "private, no-store"
    assert "etag" not in site.get("/sign-in").headers


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (RejectedError(["no layers", "no licence"]), 422, "rejected"),
        (QuotaError("too many"), 429, "quota"),
        (JailError("no Landlock here"), 503, "jail"),
        (LeaseLostError("taken"), 409, "lease-lost"),
        (InputError("wrong"), 422, "invalid-input"),
    ],
)
def test_each_error_has_its_status(
    site: TestClient, error: Exception, status: int, kind: str
) -> None:
    def failing(request: Request) -> None:
        raise error

    site.app.get(f"{API}/failing")(failing)
    response = site.get(f"{API}/failing")
    problem = response.json()
    assert (response.status_code, problem["type"]) == (status, f"urn:isocortex:problem:{kind}")
    assert problem.get("faults") == (["no layers", "no licence"] if kind == "rejected" else None)


def test_two_passwords_are_hashed_at_once_and_reading_goes_on() -> None:
    may_end, lock, running, most = threading.Event(), threading.Lock(), [0], [0]

    def slow() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        assert may_end.wait(30)
        with lock:
            running[0] -= 1

    async def many_sign_in() -> None:
        waiting = [asyncio.create_task(forms.hashed(slow)) for _ in range(34)]
        try:
            for _ in range(10_000):  # turns of the loop, in which the tasks begin
                await asyncio.sleep(0)
                if forms._HASHING.statistics().tasks_waiting == 34 - 2:
                    break
            assert forms._HASHING.statistics().tasks_waiting == 34 - 2
            assert await run_in_threadpool(lambda: "read") == "read"
            with pytest.raises(HTTPException) as refused:
                await forms.hashed(slow)
        finally:
            may_end.set()
        assert refused.value.status_code == 503
        await asyncio.gather(*waiting)

    asyncio.run(many_sign_in())
    assert most[0] == 2


def test_templates_know_nobody_where_the_store_fails(
    site: TestClient, ada: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    from isocortex.errors import StoreError

    def locked(_: str) -> None:
        raise StoreError("the database is locked")

    monkeypatch.setattr(site.app.state.store.accounts, "session", locked)
    response = ada.get("/mine")
    assert response.status_code == 503
    assert "The database is locked." in response.text
    assert {"GET", "HEAD", "OPTIONS"} == access.SAFE
