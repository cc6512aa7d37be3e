"""Journeys through the pages of accounts, by people and by those who mean ill."""

import re

import pytest
from fastapi.testclient import TestClient
from tests.web.browsers import PASSWORD, Browser

from isocortex.accounts import passwords

API = "/api/v1"
NEW = "another fine cortex"


@pytest.fixture
def site(empty_client: TestClient, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """The application with the account ada; its hashes are cheap."""
    cheap = passwords.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_HASHER", cheap)
    passwords._nobodys_hash.cache_clear()
    empty_client.app.state.store.accounts.create("ada", password=PASSWORD)
    return empty_client


@pytest.fixture
def ada(site: TestClient) -> Browser:
    browser = Browser(site)
    assert browser.sign_in("ada").status_code == 303
    return browser


def audited(site: TestClient) -> list[tuple[str, str]]:
    """What is on record, newest first: actions and targets."""
    return [(one.action, one.target) for one in site.app.state.store.accounts.audits()]


def test_the_sign_in_leads_back_to_where_it_was_needed(site: TestClient) -> None:
    browser = Browser(site)
    asked = browser.get("/account").headers["location"]
    form = {"name": " Ada ", "password": PASSWORD, "next": "/account"}
    response = browser.send("/sign-in", page=asked, **form)
    assert (response.status_code, response.headers["location"]) == (303, "/account")
    assert "ada" in browser.get("/account").text
    assert browser.get("/sign-in?next=/benchmarks").headers["location"] == "/benchmarks"


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil", "javascript:x()",
     "/\t/evil.example", "/a\r\nSet-Cookie: b=c", "evil", ""],
)  # fmt: skip
def test_nobody_is_led_to_another_site(site: TestClient, elsewhere: str) -> None:
    response = Browser(site).send("/sign-in", name="ada", password=PASSWORD, next=elsewhere)
    assert (response.status_code, response.headers["location"]) == (303, "/")
    assert "b" not in response.cookies


def test_a_refusal_does_not_tell_whether_the_account_is_there(site: TestClient) -> None:
    answers = set()
    site.app.state.store.accounts.create("gone", password=PASSWORD)
    site.app.state.store.accounts.disable(site.app.state.store.accounts.find("gone").id)
    for name, password in [("ada", "wrong"), ("nobody", "wrong"), ("gone", PASSWORD)]:
        response = Browser(site).sign_in(name, password)
        assert response.status_code == 401
        page = re.sub(r'value="[^"]*"', "", response.text)
        answers.add(page)
        assert "isocortex_session" not in str(response.headers)
    assert len(answers) == 1


def test_what_was_typed_for_a_name_is_on_record_only_if_it_is_one(site: TestClient) -> None:
    Browser(site).sign_in("ada", "wrong")
    Browser(site).sign_in("my secret password", "")
    assert audited(site)[:2] == [("session.refused", "(unknown)"), ("session.refused", "ada")]


@pytest.mark.parametrize(
    "text", ['"><script>alert(1)</script>', "ada' OR '1'='1", "{{ 7*7 }}", "x\0y", "\ud83d\ude00"]
)
def test_what_is_typed_is_shown_as_text(site: TestClient, text: str) -> None:
    response = Browser(site).sign_in(text.encode("utf-16", "surrogatepass").decode("utf-16"))
    assert response.status_code == 401
    assert "<script>alert" not in response.text
    assert "49" not in re.sub(r'value="[^"]*"', "", response.text)


def test_labels_of_tokens_are_shown_as_text(ada: Browser) -> None:
    label = "<img src=x onerror=alert(1)>'; DROP TABLE token; --"
    made = ada.send("/account/tokens", page="/account", label=label, scopes="read", days="30")
    assert made.status_code == 200
    assert "<img src=x" not in made.text
    assert "&lt;img src=x" in ada.get("/account").text


def test_a_token_is_shown_once_and_works_until_it_ends(site: TestClient, ada: Browser) -> None:
    fields = {"label": "laptop", "scopes": ["read", "submit"], "days": "30"}
    made = ada.send("/account/tokens", page="/account", **fields)
    secret = re.search(r"iso_[\w-]{43}", made.text)
    assert secret is not None
    assert secret[0] not in ada.get("/account").text
    header = {"Authorization": f"Bearer {secret[0]}"}
    assert site.get(f"{API}/account", headers=header).json()["scopes"] == ["read", "submit"]
    revoke = re.search(r'action="(/account/tokens/\d+/revoke)"', ada.get("/account").text)
    assert revoke is not None
    assert ada.send(revoke[1], page="/account").status_code == 303
    assert site.get(f"{API}/account", headers=header).status_code == 401


@pytest.mark.parametrize(
    "fields", [{"label": ""}, {"scopes": []}, {"scopes": ["admin"]}, {"scopes": ["root"]}]
)
def test_a_token_that_can_not_be_is_refused_with_the_page(ada: Browser, fields: dict) -> None:
    asked = {"label": "laptop", "scopes": ["read"], "days": "30"} | fields
    response = ada.send("/account/tokens", page="/account", **asked)
    assert response.status_code == 422
    assert 'role="alert"' in response.text
    assert "iso_" not in response.text.replace("iso_…", "")


def test_nobody_reaches_what_is_of_another(site: TestClient, ada: Browser) -> None:
    accounts = site.app.state.store.accounts
    eve = accounts.create("eve", password=PASSWORD)
    _, token = accounts.make_token(eve.id, "theirs", ["read"])
    theirs = Browser(site)
    theirs.sign_in("eve")
    accounts.link_identity(eve.id, "orcid", "1")
    (session,) = accounts.sessions(eve.id)
    (identity,) = accounts.identities(eve.id)
    assert ada.send(f"/account/tokens/{token.id}/revoke", page="/account").status_code == 404
    ada.send(f"/account/sessions/{session.id}/end", page="/account")
    ada.send(f"/account/identities/{identity.id}/unlink", page="/account")
    assert theirs.get("/account").status_code == 200
    assert accounts.tokens(eve.id)[0].revoked_at is None
    assert accounts.identities(eve.id) == (identity,)


def test_a_password_is_changed_by_whoever_knows_the_present_one(
    site: TestClient, ada: Browser
) -> None:
    other = Browser(site)
    other.sign_in("ada")
    wrong = ada.send("/account/password", page="/account", former="wrong", password=NEW)
    assert wrong.status_code == 422
    weak = ada.send("/account/password", page="/account", former=PASSWORD, password="password123")
    assert weak.status_code == 422
    right = ada.send("/account/password", page="/account", former=PASSWORD, password=NEW)
    assert right.headers["location"] == "/account?done=password"
    assert ada.get("/account?done=password").status_code == 200
    assert other.get("/account").status_code == 303
    assert Browser(site).sign_in("ada", PASSWORD).status_code == 401
    assert Browser(site).sign_in("ada", NEW).status_code == 303


def test_all_browsers_are_signed_out_at_once(site: TestClient, ada: Browser) -> None:
    other = Browser(site)
    other.sign_in("ada")
    assert ada.send("/account/sessions/end", page="/account").status_code == 303
    assert [one.get("/account").status_code for one in (ada, other)] == [303, 303]


def test_an_account_is_closed_by_name_and_password(site: TestClient, ada: Browser) -> None:
    for name, former in [("eve", PASSWORD), ("ada", "wrong"), ("", "")]:
        assert (
            ada.send("/account/close", page="/account", name=name, former=former).status_code == 422
        )
    gone = ada.send("/account/close", page="/account", name="ada", former=PASSWORD)
    assert (gone.status_code, ada.session) == (303, None)
    assert Browser(site).sign_in("ada").status_code == 401
    assert ("account.closed", "ada") in audited(site)


@pytest.mark.parametrize("allowed", ["", "no", "providers"])
def test_strangers_make_no_account_unless_the_operator_lets_them(
    site: TestClient, monkeypatch: pytest.MonkeyPatch, allowed: str
) -> None:
    monkeypatch.setenv("ISOCORTEX_SIGN_UP", allowed)
    browser = Browser(site)
    assert browser.get("/sign-up").status_code == 403
    assert "/sign-up" not in browser.get("/sign-in").text
    answer = browser.send("/sign-up", page="/sign-in", name="eve", password=PASSWORD)
    assert answer.status_code == 403
    assert [one.name for one in site.app.state.store.accounts.known()] == ["ada"]


def test_strangers_make_their_account_where_they_may(
    site: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISOCORTEX_SIGN_UP", "yes")
    browser = Browser(site)
    taken = browser.send("/sign-up", name="ada", password=PASSWORD)
    assert (taken.status_code, "is taken" in taken.text) == (422, True)
    made = browser.send("/sign-up", name="eve", password=PASSWORD, role="admin")
    assert made.headers["location"] == "/account"
    assert browser.get(f"{API}/account").json()["role"] == "user"


def test_a_token_can_not_send_the_forms_of_an_account(site: TestClient) -> None:
    accounts = site.app.state.store.accounts
    secret, _ = accounts.make_token(accounts.find("ada").id, "x", ["read", "submit"])
    header = {"Authorization": f"Bearer {secret}"}
    fields = {"former": PASSWORD, "password": NEW}
    assert site.post("/account/password", data=fields, headers=header).status_code == 403
    assert site.get("/account", headers=header).status_code == 403
    accounts.verify("ada", PASSWORD)


def test_over_rest_a_token_makes_and_revokes_what_is_no_mightier(site: TestClient) -> None:
    accounts = site.app.state.store.accounts
    ada = accounts.find("ada")
    strong, first = accounts.make_token(ada.id, "strong", ["read", "submit"])
    as_strong = {"Authorization": f"Bearer {strong}"}
    wish = {"label": "weak", "scopes": ["read"]}
    made = site.post(f"{API}/account/tokens", json=wish, headers=as_strong)
    assert made.status_code == 201
    as_weak = {"Authorization": f"Bearer {made.json()['secret']}"}
    assert site.post(f"{API}/account/tokens", json=wish, headers=as_weak).status_code == 403
    address = f"{API}/account/tokens/{first.id}"
    assert site.delete(address, headers=as_weak).status_code == 403
    mighty = {"label": "mighty", "scopes": ["admin"]}
    assert site.post(f"{API}/account/tokens", json=mighty, headers=as_strong).status_code == 403
    blind, other = accounts.make_token(ada.id, "blind", ["submit"])
    as_blind = {"Authorization": f"Bearer {blind}"}
    assert site.post(f"{API}/account/tokens", json=wish, headers=as_blind).status_code == 403
    accounts.revoke(ada.id, other.id)
    listed = site.get(f"{API}/account/tokens", headers=as_weak).json()["items"]
    assert [one["label"] for one in listed] == ["blind", "weak", "strong"]
    assert "secret" not in str(listed)
    own = f"{API}/account/tokens/{made.json()['id']}"
    assert site.delete(own, headers=as_weak).status_code == 204
    assert site.get(f"{API}/account", headers=as_weak).status_code == 401
    assert site.delete(f"{API}/account/tokens/{2**62}", headers=as_strong).status_code == 404
    assert site.delete(f"{API}/account/tokens/{2**70}", headers=as_strong).status_code == 422


def test_over_rest_a_token_lasts_no_longer_than_its_maker(site: TestClient) -> None:
    from datetime import timedelta

    from isocortex.store.schema import now

    accounts = site.app.state.store.accounts
    ends = now() + timedelta(days=3)
    ada = accounts.find("ada")
    secret, maker = accounts.make_token(ada.id, "short", ["read", "submit"], ends)
    for days in (None, 90, 1):
        wish = {"label": "x", "scopes": ["read"], "days": days}
        made = site.post(
            f"{API}/account/tokens", json=wish, headers={"Authorization": f"Bearer {secret}"}
        )
        (token, *_) = accounts.tokens(ada.id)
        assert made.status_code == 201
        assert token.expires_at <= maker.expires_at


def test_a_password_of_a_megabyte_is_wrong_and_cheap(site: TestClient) -> None:
    assert Browser(site).sign_in("ada", "x" * 1_000_000).status_code == 401
