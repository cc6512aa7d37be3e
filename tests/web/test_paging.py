"""While rows come and go, who reads a list page by page gets each row that stays exactly once."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from functools import cmp_to_key
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from isocortex.web.app import create_app
from tests.store.conftest import new_database
from tests.web.paged_lists import API, LISTINGS, Listing, Submissions, WithdrawnSubmissions

Order = Sequence[tuple[str, bool]]
Places = dict[Any, tuple[Any, ...]]
Change = tuple[str, int]
_NUMBERS = itertools.count()
_CHANGES = st.lists(
    st.tuples(st.sampled_from(["add", "add", "remove"]), st.integers(0, 11)), max_size=3
)
_QUICK = settings(
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TestClient]:
    """A client of an application on each kind of database, to which rows are added."""
    url = new_database(request) if request.param == "postgresql" else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ISOCORTEX_HOME", str(tmp_path_factory.mktemp("paged")))
        patch.setenv("ISOCORTEX_READ_LIMIT", "none")
        with TestClient(create_app(url)) as opened:
            yield opened


def orders(kind: type[Listing]) -> st.SearchStrategy[str]:
    """Any of the orders that a list may be asked for in."""
    keys = [f"{sign}{name}" for name in kind.sorts for sign in ("", "-")]
    return st.lists(st.sampled_from(keys), max_size=3).map(",".join) if keys else st.just("")


def asked_for(sort: str) -> dict[str, str]:
    return {"sort": sort} if sort else {}


@pytest.mark.parametrize("kind", LISTINGS, ids=lambda kind: kind.__name__)
def test_what_stays_comes_once_and_in_order_while_rows_come_and_go(
    served: TestClient, kind: type[Listing]
) -> None:
    quick = served.app.state.store.engine.dialect.name == "sqlite"

    @settings(_QUICK, max_examples=8 if quick else 3)
    @given(
        sort=orders(kind),
        limits=st.lists(st.integers(2, 6), min_size=1, max_size=3),
        changes=st.lists(_CHANGES, max_size=4),
    )
    def check(sort: str, limits: list[int], changes: list[list[Change]]) -> None:
        listing = kind(served, next(_NUMBERS))
        order = listing.order(sort)
        stayed = places(listing, sort, order)
        seen, changes = [], list(changes)
        for page in pages(listing, sort, limits):
            seen += page
            listing.last = page[-1] if page else {}
            if coming := changes.pop() if changes else ():
                for change, place in coming:
                    getattr(listing, change)(place)
                now = places(listing, sort, order)
                stayed = {name: at for name, at in stayed.items() if now.get(name) == at}
        names = [item[listing.name] for item in seen if item[listing.name] in stayed]
        assert names == sorted(stayed, key=cmp_to_key(lambda a, b: compared(order, stayed, a, b)))

    check()


def places(listing: Listing, sort: str, order: Order) -> Places:
    """Where each row stands: its name with what it is sorted by, to nine digits."""
    whole = listing.page(**asked_for(sort), limit=listing.most).json()[listing.items]
    assert len(whole) < listing.most
    return {
        item[listing.name]: tuple(rounded(listing.value(item, key)) for key, _ in order)
        for item in whole
    }


def rounded(value: Any) -> Any:
    return round(value, 9) if isinstance(value, float) else value


def compared(order: Order, known: Mapping[Any, Any], one: Any, other: Any) -> int:
    """As sorting wants it: what lacks a key comes last, either way."""
    for (_, turned), a, b in zip(order, known[one], known[other], strict=True):
        if a != b and (a is None or b is None):
            return 1 if a is None else -1
        if a != b:
            return 1 if (a < b if turned else a > b) else -1
    return 0


def pages(listing: Listing, sort: str, limits: Sequence[int]) -> Iterator[list[Any]]:
    """The pages as their `next` leads on, of any sizes; they end, and only the last is not full."""
    following: dict[str, Any] = {}
    for limit in itertools.islice(itertools.cycle(limits), 300):
        answer = listing.page(**asked_for(sort), limit=limit, **following)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        yield page[listing.items]
        if listing.goes_on == "cursor":
            assert (page["next"] is None) == ("next" not in answer.links)
        whole = len(page[listing.items]) == limit
        if page["next"] is None or (listing.goes_on == "after" and not whole):
            return
        assert whole
        following = {listing.goes_on: page["next"]}
    raise AssertionError("the pages do not end")


def test_every_paged_list_is_tested(served: TestClient) -> None:
    document = served.get(f"{API}/openapi.json").json()
    found = {
        path.removeprefix(API)
        for path, methods in document["paths"].items()
        if is_paged(document, methods.get("get", {}))
    }
    assert found == {kind.path for kind in LISTINGS}


def is_paged(document: Mapping[str, Any], operation: Mapping[str, Any]) -> bool:
    """Whether it takes a cursor or a page's size, or answers where its following page is."""
    asked = {one["name"] for one in operation.get("parameters", ())}
    schema = operation.get("responses", {}).get("200", {}).get("content", {})
    answers = schema.get("application/json", {}).get("schema", {})
    names = [
        each["$ref"].rpartition("/")[2]
        for each in (answers, *answers.get("anyOf", ()))
        if "$ref" in each
    ]
    known = document["components"]["schemas"]
    pages = any("next" in known[name].get("properties", {}) for name in names)
    return bool(asked & {"cursor", "limit", "offset", "page", "after", "before"}) or pages


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "%00",
        "AAAA",
        "é",
        "../..",
        "A" * 2001,
        "'; DROP TABLE score; --",
        "null",
        "-1",
        "1" * 30,
    ],
)
@pytest.mark.parametrize("kind", LISTINGS, ids=lambda kind: kind.__name__)
def test_a_cursor_that_no_page_gave_is_refused(
    listings: dict[type[Listing], Listing], kind: type[Listing], cursor: str
) -> None:
    listing = listings[kind]
    response = listing.page(**{listing.goes_on: cursor})
    assert response.status_code == 422
    assert response.json()["type"].startswith("urn:isocortex:problem:invalid-")


def test_a_cursor_of_somebody_elses_submissions_is_refused(
    listings: dict[type[Listing], Listing],
) -> None:
    one, other = listings[Submissions], listings[WithdrawnSubmissions]
    cursor = other.page(limit=1).json()["next"]
    assert other.page(cursor=cursor).status_code == 200
    assert one.page(cursor=cursor).status_code == 422


@pytest.fixture(scope="module")
def listings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[type[Listing], Listing]]:
    """Each list with some rows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ISOCORTEX_HOME", str(tmp_path_factory.mktemp("listed")))
        with TestClient(create_app()) as client:
            yield {kind: kind(client, next(_NUMBERS)) for kind in LISTINGS}
