"""Every page in Chromium: on telephone and desk, by day and night, seen by axe."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from isocortex.web.app import create_app
from tests.handed_in import served
from tests.web.site_pages import NO_PAGES, PAGES, SitePage
from tests.web.whole_site import PEOPLE, fill_site

from isocortex.store import open_store

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
RULES = {"light": "", "dark": "runOnly: ['cat.color']"}  # nothing but colours differs by night
SETTINGS = {
    "SIGN_UP": "yes",
    "SIGN_IN_LIMIT": "none",
    "GITHUB_ID": "our-id",
    "GITHUB_SECRET": "s",
    "GITHUB_URL": "https://provider.invalid",
}
A4 = 718  # pixels between the margins that browsers leave
Site = tuple[str, dict[str, str], dict[str, str]]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A running server's address, the keys of submissions, and a session's secret of each person.

    Its address `/broken` fails.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ISOCORTEX_HOME", str(tmp_path_factory.mktemp("whole")))
        for name, value in SETTINGS.items():
            patch.setenv(f"ISOCORTEX_{name}", value)
        with open_store() as store:
            keys = fill_site(store)
            secrets = {each: store.accounts.sign_in(store.accounts.find(each)) for each in PEOPLE}
        application = create_app()
        application.add_api_route("/broken", lambda: 1 / 0, include_in_schema=False)
        with served(application) as address:
            yield address, keys, secrets


@pytest.fixture(scope="module", params=[375, 1440])
def windows(request: pytest.FixtureRequest, site: Site, chromium: Any) -> Iterator[dict[str, Any]]:
    """A window of each person and of a stranger, by name, all of that width."""
    address, _, secrets = site
    contexts = {"": chromium.new_context(viewport={"width": request.param, "height": 900})}
    for name, secret in secrets.items():
        contexts[name] = chromium.new_context(viewport={"width": request.param, "height": 900})
        cookie = {"name": "isocortex_session", "value": secret, "url": address}
        contexts[name].add_cookies([cookie])
    found = {}
    for name, context in contexts.items():
        # Who is sent to another site stays here: it is not there.
        context.route("https://provider.invalid/**", lambda route: route.fulfill(status=204))
        found[name] = context.new_page()
    yield found
    for context in contexts.values():
        context.close()


def faults(page: Any) -> dict[str, list[Any]]:
    """What axe finds by day and night, and what is wider than the window."""
    page.evaluate(AXE)
    width = page.viewport_size["width"]
    found = {}
    for scheme, rules in RULES.items():
        page.emulate_media(color_scheme=scheme)
        seen = page.evaluate(f"axe.run({{resultTypes: ['violations'], {rules}}})")["violations"]
        found[scheme] = [(one["id"], one["nodes"][0]["html"][:200]) for one in seen]
        found[scheme] += ["too wide"] * (page.evaluate(_WIDTH) > width)
    return found


_WIDTH = "document.documentElement.scrollWidth"


@pytest.mark.browser
@pytest.mark.parametrize("name", PAGES)
def test_pages_fit_and_have_no_fault_that_axe_sees(
    site: Site, windows: dict[str, Any], name: str
) -> None:
    address, keys, _ = site
    one, page = PAGES[name], windows[PAGES[name].who]
    complaints: list[str] = []
    statuses: list[int] = []

    def note(message: Any) -> None:
        complaints.append(message.text)

    def answer(response: Any) -> None:
        if response.request.is_navigation_request() and response.url.startswith(address):
            statuses.append(response.status)

    page.on("console", note)
    page.on("response", answer)
    try:
        page.goto(address + one.path.format_map(keys))
        if one.do is not None:
            one.do(page)
        assert statuses[-1] == one.status, page.url
        assert faults(page) == {"light": [], "dark": []}
    finally:
        page.remove_listener("console", note)
        page.remove_listener("response", answer)
    told = [text for text in complaints if f"status of {one.status} " not in text]
    assert told == []


@pytest.mark.browser
@pytest.mark.parametrize(
    "name",
    ["leaderboard", "model, handed in", "benchmark", "compare", "explore", "submission, done"],
)
def test_pages_are_printed_on_a4_without_what_only_a_screen_can_do(
    site: Site, windows: dict[str, Any], name: str
) -> None:
    address, keys, _ = site
    page = windows[PAGES[name].who]
    usual = page.viewport_size
    page.set_viewport_size({"width": A4, "height": 1000})
    page.emulate_media(media="print", color_scheme="dark")
    page.goto(address + PAGES[name].path.format_map(keys))
    try:
        assert page.evaluate(_WIDTH) <= A4
        for each in page.locator("form, button, select, nav").all():
            assert not each.is_visible()
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert paper == "rgb(255, 255, 255)"
    finally:
        page.emulate_media(media="screen")
        page.set_viewport_size(usual)


@pytest.mark.browser
def test_a_fault_in_the_form_leads_to_its_field(site: Site, windows: dict[str, Any]) -> None:
    page = windows["ada"]
    page.goto(f"{site[0]}/submit")
    PAGES["submit, faults"].do(page)
    page.get_by_role("link", name="Licence").click()
    assert page.evaluate("document.activeElement.id") == "card-licence"


def test_every_page_of_the_application_is_looked_at(application: FastAPI) -> None:
    """A new route is looked at above, or said to be no page in `NO_PAGES`."""
    routes = {f"{method} {each.path}": each for each, method in routes_of(application)}
    listed = [name for names in NO_PAGES.values() for name in names]
    own = [one for name, one in PAGES.items() if not name.startswith("problem")]
    seen = {found for one in own if (found := route_of(routes, one))}
    assert seen.isdisjoint(listed)
    assert sorted([*seen, *listed]) == sorted(routes)


def routes_of(application: FastAPI) -> Iterator[tuple[Any, str]]:
    """All routes beside the API's, with the method of each."""
    for each in iter_route_contexts(application.routes):
        if each.methods and not str(each.path).startswith("/api/v1/"):
            yield each, next(iter(each.methods - {"HEAD"}))


def route_of(routes: Mapping[str, Any], one: SitePage) -> str | None:
    """The name of the route that answers with this page; None where there is none."""
    path = (one.answers or one.path).partition("?")[0].replace("%23", "#")
    method = "POST" if one.answers else "GET"
    found = (name for name, each in routes.items() if each.path_regex.fullmatch(path))
    return next((name for name in found if name.startswith(method)), None)
