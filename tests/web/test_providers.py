"""Whom a provider names may sign in, and nobody who only says that a provider named them."""

import html
import re
import time
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from isocortex.web.app import create_app
from tests.web import fake_provider
from tests.web.browsers import PASSWORD, Browser
from tests.web.fake_provider import FakeProvider

from isocortex.accounts import providers
from isocortex.accounts.providers import Flows, configured, new_flow
from isocortex.errors import AccessError, InputError


@pytest.fixture(scope="module")
def started() -> Iterator[FakeProvider]:
    with fake_provider.running() as provider:
        yield provider


@pytest.fixture
def provider(started: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> FakeProvider:
    """A provider that tells the truth, and the settings that name it."""
    started.claims, started.metadata, started.sign = {}, {}, started.signed
    settings = {"OIDC_ID": "our-id", "OIDC_SECRET": "s", "OIDC_ISSUER": started.url + "/"}
    settings |= {"GITHUB_ID": "our-id", "GITHUB_SECRET": "s", "GITHUB_URL": started.url}
    for name, value in (settings | {"SIGN_UP": "providers", "SIGN_IN_LIMIT": "none"}).items():
        monkeypatch.setenv(f"ISOCORTEX_{name}", value)
    return started


@pytest.fixture
def site(provider: FakeProvider, empty_home) -> Iterator[TestClient]:
    with TestClient(create_app(), raise_server_exceptions=False) as client:
        yield client


def leave(browser: Browser, name: str = "oidc", page: str = "/sign-in") -> str:
    """Where the browser is sent to."""
    path = f"/account/link/{name}" if page == "/account" else f"/sign-in/{name}"
    response = browser.send(path, page=page, next="/benchmarks")
    assert response.status_code == 200, response.text
    address = re.search(r'<a href="([^"]+)" rel="noreferrer">', response.text)
    assert address is not None
    assert response.headers["refresh"] == f"0; url={html.unescape(address[1])}"
    return html.unescape(address[1])


def who(browser: Browser) -> str | None:
    answer = browser.get("/api/v1/account")
    return answer.json()["name"] if answer.status_code == 200 else None


@pytest.mark.parametrize("name", ["oidc", "github"])
def test_whom_the_provider_names_is_signed_in_and_known_again(
    site: TestClient, provider: FakeProvider, name: str
) -> None:
    for _ in range(2):
        browser = Browser(site)
        back = browser.get(provider.visit(leave(browser, name)))
        assert (back.status_code, back.headers["location"]) == (303, "/benchmarks")
        assert who(browser) == "ada"
    assert len(site.app.state.store.accounts.known()) == 1


def test_the_provider_is_asked_with_state_nonce_and_challenge(
    site: TestClient, provider: FakeProvider
) -> None:
    browser = Browser(site)
    provider.visit(leave(browser))
    provider.visit(leave(browser))
    first, second = list(provider.asked.values())[-2:]
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name]) >= 43
        assert first[name] != second[name]
    assert first["redirect_uri"] == "http://testserver/sign-in/oidc/callback"


LIES = {
    "issuer": {"iss": "https://evil.example"},
    "audience": {"aud": "another-client"},
    "audience of our party": {"aud": "another-client", "azp": "our-id"},
    "audiences": {"aud": ["our-id", "another-client"]},
    "party": {"azp": "another-client"},
    "expired": {"exp": int(time.time()) - 3_600},
    "endless": {"exp": None},
    "from the future": {"iat": int(time.time()) + 36_000},
    "nonce": {"nonce": "of another sign-in"},
    "no nonce": {"nonce": None},
    "nobody": {"sub": None},
    "a number": {"sub": 7},
    "access token": {"at_hash": "x"},
}


@pytest.mark.parametrize("lie", LIES)
def test_a_claim_that_is_not_ours_is_refused(
    site: TestClient, provider: FakeProvider, lie: str
) -> None:
    provider.claims = LIES[lie]
    browser = Browser(site)
    back = browser.get(provider.visit(leave(browser)))
    assert back.status_code == 401
    assert "be trusted" in back.text
    assert (who(browser), site.app.state.store.accounts.known()) == (None, ())


@pytest.mark.parametrize("forgery", ["unsigned", "signed_by_public_key", "signed_by_another"])
def test_a_signature_that_is_not_the_providers_is_refused(
    site: TestClient, provider: FakeProvider, forgery: str
) -> None:
    provider.sign = getattr(provider, forgery)
    browser = Browser(site)
    assert browser.get(provider.visit(leave(browser))).status_code == 401
    assert who(browser) is None


@pytest.mark.parametrize(
    "metadata", [{"issuer": "https://evil.example"}, {"token_endpoint": "file:///etc/passwd"}]
)
def test_metadata_of_another_issuer_are_refused(
    site: TestClient, provider: FakeProvider, metadata: dict[str, str]
) -> None:
    provider.metadata = metadata
    response = Browser(site).send("/sign-in/oidc", page="/sign-in")
    assert response.status_code == 401
    assert "another issuer" in response.text


def test_an_answer_counts_once_with_its_state_and_in_its_browser(
    site: TestClient, provider: FakeProvider
) -> None:
    browser, other = Browser(site), Browser(site)
    other.get("/sign-in")
    back = provider.visit(leave(browser))
    assert browser.get(re.sub("state=[^&]+", "state=forged", back)).status_code == 401
    assert browser.get(back).status_code == 303
    browser.send("/sign-out", page="/account")
    assert browser.get(back).status_code == 401
    stolen = provider.visit(leave(browser))
    assert other.get(stolen).status_code == 401
    assert "another browser" in other.get(provider.visit(leave(browser))).text
    assert (
        browser.get(provider.visit(leave(browser)).replace("/oidc/", "/github/")).status_code == 401
    )
    assert (who(browser), who(other)) == (None, None)


def test_a_code_of_another_sign_in_is_refused(site: TestClient, provider: FakeProvider) -> None:
    browser, attacker = Browser(site), Browser(site)
    theirs = re.search("code=[^&]+", provider.visit(leave(attacker)))
    assert theirs is not None
    mixed = re.sub("code=[^&]+", theirs[0], provider.visit(leave(browser)))
    assert browser.get(mixed).status_code == 401  # the verifier is of the other sign-in


@pytest.mark.parametrize(
    "answer", ["", "?error=access_denied&state=x", "?code=x", "?state=x&code=", "?iss=x"]
)
def test_an_answer_that_is_none_is_refused(site: TestClient, answer: str) -> None:
    assert Browser(site).get(f"/sign-in/oidc/callback{answer}").status_code == 401


def test_an_answer_of_another_issuer_is_refused(site: TestClient, provider: FakeProvider) -> None:
    browser = Browser(site)
    back = provider.visit(leave(browser)) + "&iss=https%3A%2F%2Fevil.example"
    assert "not from" in browser.get(back).text


def test_strangers_get_no_account_where_the_operator_makes_them(
    site: TestClient, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISOCORTEX_SIGN_UP", "no")
    browser = Browser(site)
    refused = browser.get(provider.visit(leave(browser)))
    assert (refused.status_code, "0000-0001" in refused.text) == (401, True)
    accounts = site.app.state.store.accounts
    realm = providers.configured()["oidc"].realm
    accounts.link_identity(accounts.create("chosen").id, realm, "0000-0001")
    assert browser.get(provider.visit(leave(browser))).status_code == 303
    assert who(browser) == "chosen"
    accounts.disable(accounts.find("chosen").id)
    assert browser.get(provider.visit(leave(browser, page="/sign-in"))).status_code == 401


def test_a_way_to_sign_in_is_linked_by_whoever_is_signed_in(
    site: TestClient, provider: FakeProvider
) -> None:
    accounts = site.app.state.store.accounts
    accounts.create("own", password=PASSWORD)
    browser, later = Browser(site), Browser(site)
    browser.sign_in("own")
    back = browser.get(provider.visit(leave(browser, page="/account")))
    assert back.headers["location"] == "/account?done=linked"
    later.get(provider.visit(leave(later)))
    assert who(later) == "own"
    begun = provider.visit(leave(browser, "github", page="/account"))
    accounts.end_sessions(accounts.find("own").id)
    assert browser.get(begun).status_code == 401
    assert len(accounts.identities(accounts.find("own").id)) == 1


def test_a_link_is_not_made_for_who_signed_in_since_it_was_begun(
    site: TestClient, provider: FakeProvider
) -> None:
    accounts = site.app.state.store.accounts
    for name in ("own", "other"):
        accounts.create(name, password=PASSWORD)
    browser, other = Browser(site), Browser(site)
    browser.sign_in("own")
    other.sign_in("other")
    begun = provider.visit(leave(browser, page="/account"))
    for cookie in other.client.cookies.jar:
        if cookie.name.endswith("isocortex_session"):
            browser.client.cookies.jar.set_cookie(cookie)
    assert who(browser) == "other"
    assert browser.get(begun).status_code in (401, 403)
    for name in ("own", "other"):
        assert accounts.identities(accounts.find(name).id) == ()


def test_nobody_is_linked_by_a_form_of_another_site(
    site: TestClient, provider: FakeProvider
) -> None:
    site.app.state.store.accounts.create("own", password=PASSWORD)
    browser = Browser(site)
    browser.sign_in("own")
    assert browser.client.post("/account/link/oidc").status_code == 403
    assert browser.get("/account/link/oidc").status_code in (404, 405)
    assert Browser(site).client.post("/sign-in/oidc").status_code == 403


def test_a_provider_that_is_down_is_said_so(
    site: TestClient, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISOCORTEX_OIDC_ISSUER", "http://127.0.0.1:1")
    response = Browser(site).send("/sign-in/oidc", page="/sign-in")
    assert (response.status_code, "does not answer" in response.text) == (401, True)


def test_a_sign_in_on_its_way_is_taken_once() -> None:
    known = configured({"ISOCORTEX_GITHUB_ID": "id", "ISOCORTEX_GITHUB_SECRET": "s"})["github"]
    flows, flow = Flows(), new_flow(known, "browser", redirect_uri="http://x/")
    flows.add(flow)
    assert flows.take(flow.state, provider="github", browser="browser") == flow
    with pytest.raises(AccessError, match="used already"):
        flows.take(flow.state, provider="github", browser="browser")


def test_a_sign_in_on_its_way_ends_after_ten_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    known = configured({"ISOCORTEX_GITHUB_ID": "id", "ISOCORTEX_GITHUB_SECRET": "s"})["github"]
    flows, flow = Flows(), new_flow(known, "browser", redirect_uri="http://x/")
    flows.add(flow)
    start = time.monotonic()
    monkeypatch.setattr(providers.time, "monotonic", lambda: start + 601)
    with pytest.raises(AccessError, match="expired"):
        flows.take(flow.state, provider="github", browser="browser")


def test_identities_of_other_issuers_are_other_people() -> None:
    def realm(**named: str) -> str:
        stem = {"ISOCORTEX_OIDC_ID": "id", "ISOCORTEX_OIDC_SECRET": "s"}
        issuers = {f"ISOCORTEX_OIDC_{key.upper()}": value for key, value in named.items()}
        return configured(stem | issuers)["oidc"].realm

    assert realm(issuer="https://a.example") == realm(issuer="https://a.example/", label="A")
    assert realm(issuer="https://a.example") != realm(issuer="https://b.example")
    assert len(realm(issuer="https://a.example")) <= 32


def test_a_provider_that_is_half_set_up_is_refused() -> None:
    for missing in (
        {"ISOCORTEX_ORCID_ID": "x"},
        {"ISOCORTEX_OIDC_ID": "x", "ISOCORTEX_OIDC_SECRET": "s"},
    ):
        with pytest.raises(InputError, match="set"):
            configured(missing)
    assert configured({}) == {}
