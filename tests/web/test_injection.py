"""Whatever text is sent in whatever field: it is refused or kept as text, and nothing else happens.

The fields are not listed here but found: in the application's routes and in the forms of its pages.
"""

import json
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI
from fastapi.testclient import TestClient
from isocortex.web.app import create_app
from sqlalchemy import inspect
from tests.handed_in import checked
from tests.made_up_scores import benchmark_facts, candidate_facts, fill_store, record_score
from tests.store.conftest import new_database
from tests.web.browsers import PASSWORD, Browser
from tests.web.text_fields import (
    Field,
    Page,
    declared_fields,
    documents,
    filled,
    form_fields,
)

from isocortex import __version__
from isocortex.accounts import passwords
from isocortex.store import Store

API = "/api/v1/"
SECRETS = ("root:", "Traceback", "sqlalchemy", "psycopg", "5183")
TEXTS = {
    "code": "' OR '1'='1' --\"; DROP TABLE score; --><xss onzz=1> {{71*73}} ${71*73} \u202e",
    "nul": "a\0b",
    "surrogate": "a\ud800b",
    "long": "x" * 60_000,
    "path": "//evil.example/../../../../../etc/passwd\r\nX-Evil: 1",
    "script": "javascript:alert(1)",
}
DATABASES = {"sqlite": frozenset(TEXTS), "postgresql": frozenset({"nul"})}
"""What is sent to each kind: PostgreSQL refuses a text that SQLite keeps."""

PAGES = (
    *("/", "/models/family/hebb", "/benchmarks", "/benchmarks/faces/IT/rsa", "/explore", "/api"),
    *("/compare?model=family/hebb&model=family/best%230", "/compare", "/compare/benchmarks"),
    *("/measures", "/embed", "/account", "/submit", "/submissions", "/submissions/{key}"),
)
SHOWING = (
    *(f"{API}jobs", f"{API}submissions", f"{API}account/tokens", f"{API}leaderboards"),
    *("/account", "/submissions", "/submissions/{key}", "/"),
)
STRANGERS_PAGES = ("/sign-in", "/sign-up", "/")
CLEANED = frozenset({"reason"})
"""What workers say for people to read is taken without the characters that can't be kept."""

MAY_GROW = frozenset({"audit", "session"})
"""Tables that remember a refusal."""


@dataclass(frozen=True)
class Site:
    """A running application, who is signed in to it, and what its addresses are made of."""

    app: FastAPI
    program: TestClient
    browser: Browser
    known: Mapping[str, str | int]
    told: Mapping[str, Any]
    tables: frozenset[str]

    @property
    def store(self) -> Store:
        """Its store."""
        found: Store = self.app.state.store
        return found

    def client(self, field: Field) -> TestClient:
        """Who sends this field: programs to the API, a browser to pages."""
        return self.program if field.path.startswith(API) else self.browser.client

    def values(self, path: str) -> Mapping[str, str | int]:
        """What the parts of a path are, of something that is there."""
        for part, name in (("benchmark", "faces/IT/rsa"), ("datasets", "simulated")):
            if part in path:
                return {**self.known, "name": name}
        return self.known

    def counts(self) -> dict[str, int]:
        """How many rows each table has that may not grow by a refusal."""
        with self.store.engine.connect() as connection:
            names = sorted(self.tables)
            each = ", ".join(f"(SELECT count(*) FROM {name})" for name in names)
            found = connection.exec_driver_sql(f"SELECT {each}").one()
            return dict(zip(names, found, strict=True))


def _no_network(*_: object, **__: object) -> None:
    raise OSError("tests ask no name server")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """An application on each kind of database, where nothing is counted."""
    url = new_database(request) if request.param == "postgresql" else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ISOCORTEX_HOME", str(tmp_path_factory.mktemp("hostile")))
        patch.setenv("ISOCORTEX_SIGN_UP", "yes")
        patch.setattr(socket, "getaddrinfo", _no_network)
        quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        patch.setattr(passwords, "_HASHER", quick)
        for kind in ("READ", "WRITE", "SIGN_IN"):
            patch.setenv(f"ISOCORTEX_{kind}_LIMIT", "none")
        app = create_app(url)
        with TestClient(app, raise_server_exceptions=False, follow_redirects=False) as program:
            yield filled_site(app, program)


def filled_site(app: FastAPI, program: TestClient) -> Site:
    """The site with scores, and with something of everything that has an address."""
    store: Store = app.state.store
    fill_store(store)
    keeper = store.accounts.create("keeper", password=PASSWORD, role="admin")
    secret, token = store.accounts.make_token(
        keeper.id, "tests", ["read", "submit", "admin", "work"]
    )
    program.headers["Authorization"] = f"Bearer {secret}"
    found, _ = store.submissions.add(keeper.id, checked("m", "faces/IT/rsa"))
    (job,) = store.queue.add(found.key, ["faces/IT/rsa"])
    assert store.queue.claim("keeper:w") is not None
    told = {"worker": "w", "attempt": 1, "what": "log", "version": __version__}
    told["account"] = keeper.id
    told["held"] = [{"job_id": job.id, "attempt": 1}]
    browser = Browser(program)
    browser.client.headers["Sec-Fetch-Site"] = "same-origin"
    assert browser.sign_in("keeper").status_code == 303
    browser.client.headers["X-CSRF-Token"] = browser.token_of("/account")
    known = {"key": found.key, "job_id": job.id, "token_id": token.id, "session_id": 2**40}
    known |= {"score_id": 1, "position": 0, "axis": "objective", "suffix": "csv"}
    known |= {"identity_id": 2**40, "worker": "w", "dataset": "faces", "region": "IT"}
    known |= {"candidate": "0" * 64, "benchmark": "0" * 64, "name": "family/hebb"}
    tables = frozenset(inspect(store.engine).get_table_names()) - MAY_GROW
    return Site(app, program, browser, known, told, tables)


def all_fields(site: Site) -> list[Field]:
    """Every field there is, once; that of a page's form comes with what the form holds."""
    stranger = replace(site, browser=Browser(site.program))
    forms = [
        each
        for one, paths in ((site, PAGES), (stranger, STRANGERS_PAGES))
        for path in paths
        for each in form_fields(
            Page(one.browser.get(filled(path, {"key": str(site.known["key"])})).text)
        )
    ]
    declared = [
        each if each.where != "json" else replace(each, document={**each.document, **usual})
        for one in documents(site.app)
        for each in declared_fields(one)
        for usual in [{name: site.told[name] for name in each.document or () if name in site.told}]
    ]
    return list({str(each): each for each in (*declared, *forms)}.values())


def answers(site: Site, field: Field, text: str) -> Any:
    asked = field.request(text, site.values(field.path))
    return None if asked is None else site.client(field).request(**asked)


def tells_something(field: Field, name: str) -> bool:
    """Whether this text could do harm there: what is no page runs no address."""
    of_api = field.path.startswith(API)
    return not (
        (name == "script" and of_api) or (name == "path" and of_api and field.where == "query")
    )


def statuses(described: Mapping[str, Any], response: Any) -> set[str]:
    """What an operation may answer; of whole hundreds those that this answer is of."""
    named = set(described["responses"])
    return named if 400 <= response.status_code < 500 else named - {"4XX", "5XX"}


def faults_of(site: Site, field: Field, text: str, response: Any) -> Iterator[str]:
    """What is wrong with an answer."""
    if response.status_code >= 500:
        yield f"status {response.status_code}: {response.text[:300]}"
    if response.status_code == 401 and field.path.startswith(API):
        yield "nobody is signed in any longer"
    described = site.app.openapi()["paths"].get(field.path, {}).get(field.method.lower())
    if described and not {str(response.status_code), "4XX"} & statuses(described, response):
        yield f"status {response.status_code} is not documented"
    if "x-evil" in response.headers:
        yield "a header was smuggled in"
    yield from (f"it tells {secret!r}" for secret in SECRETS if secret in response.text)
    if (where := response.headers.get("location", "/"))[:2] in ("//", "/\\") or where[:1] != "/":
        yield f"it leads to {where!r}"
    if response.headers.get("content-type", "").startswith("text/html"):
        page = Page(response.text)
        if "xss" in page.tags or "onzz" in page.attributes:
            yield "the text became a part of the page"
        if any(each.strip().lower().startswith("javascript:") for each in page.addresses):
            yield "the text became an address that runs"
    elif text == TEXTS["code"] and response.status_code == 200 and field.where == "query":
        if response.headers["content-type"] == "application/json":
            found = response.json()
            if found.get("items", found.get("rows")):
                yield "it selected rows"
    elif field.path.startswith(API) and response.status_code >= 400:
        if response.headers["content-type"] != "application/problem+json":
            yield f"a refusal is {response.headers['content-type']}"
        if len(response.content) > 4 * len(text) + 4_000:
            yield f"a refusal takes {len(response.content):,} bytes"


def unreadable(site: Site) -> Iterator[str]:
    """The pages and lists that show what was sent, as far as they are broken."""
    for path in SHOWING:
        where = filled(path, site.known)
        client = site.program if path.startswith(API) else site.browser.client
        if client.get(where).status_code != 200:
            yield where


def test_whatever_text_comes_in_whatever_field_nothing_breaks(site: Site) -> None:
    faults, before, count = [], site.counts(), 0
    texts = DATABASES[site.store.engine.dialect.name]
    for field in all_fields(site):
        for name in texts:
            if not tells_something(field, name):
                continue
            if (response := answers(site, field, TEXTS[name])) is None:
                continue
            count += 1
            found = [*faults_of(site, field, TEXTS[name], response)]
            if field.method != "GET":
                before, former = site.counts(), before
                if response.status_code >= 400 and before != former:
                    found.append("it was refused, but rows came or went")
                if response.status_code < 300:
                    if name == "nul" and field.where == "json" and field.name not in CLEANED:
                        found.append("it was taken")
                    found += [f"{path} can't be read any longer" for path in unreadable(site)]
            faults += [f"{name} in {field}: {each}" for each in found]
    assert not faults, "\n".join(faults)
    assert count > 300 * len(texts)


def test_texts_of_ten_megabytes_are_refused_wherever_a_body_is_taken(site: Site) -> None:
    large = "x" * 10**7
    bodies = {
        (each.method, each.path): each
        for each in all_fields(site)
        if each.where in ("json", "form") and each.method != "GET"
    }
    assert len(bodies) > 25
    for field in bodies.values():
        asked = field.request("x", site.values(field.path))
        assert asked is not None
        content = json.dumps({field.name: large}) if field.where == "json" else f"x={large}"
        response = site.client(field).request(**{**asked, "content": content})
        assert response.status_code == (400 if field.path == "/submit" else 413), field
        assert len(response.content) < 20_000


def test_a_refusal_does_not_repeat_all_that_came(site: Site) -> None:
    for document in ({"x" * 900_000: 1}, {"label": 1, "scopes": ["x" * 100] * 8_000}):
        response = site.program.post(f"{API}account/tokens", json=document)
        assert response.status_code == 422
        assert len(response.content) < 20_000


def test_what_is_stored_is_shown_as_text(site: Site) -> None:
    """Whatever a card or label holds, and however it came there, it is no part of any page."""
    text = TEXTS["code"]
    facts = candidate_facts(f"hostile/{text}")
    shown = dict.fromkeys(("summary", "source", "bibtex", "licence", "accuracy"), text)
    card = {**facts.card, **shown, "code": TEXTS["script"]}
    hostile = replace(facts, card=card)
    for benchmark in ("faces/IT/rsa", "faces/V1/rsa"):
        record_score(site.store, hostile, benchmark_facts(benchmark), 0.4)
    site.store.accounts.make_token(site.told["account"], text.replace("\u202e", ""), ["read"])
    submission = replace(checked("hostile"), card={**card, "name": text}, source={"layers": [text]})
    found, _ = site.store.submissions.add(site.told["account"], submission)
    site.store.queue.add(found.key, [f"faces/{text}/rsa"])
    name = quote(hostile.name, safe="")
    paths = (*PAGES, f"/submissions/{found.key}", f"/models/{name}", f"/compare?model={name}")
    for path in (*paths, f"/compare?model=family/hebb&model={name}", f"/badges/{name}.svg"):
        response = site.browser.get(filled(path, {"key": str(site.known["key"])}))
        assert response.status_code == 200, path
        page = Page(response.text)
        assert "xss" not in page.tags, path
        assert "onzz" not in page.attributes, path
        assert not [each for each in page.addresses if each.startswith("javascript:")], path
        assert "5183" not in response.text, path
