"""A private version of a public model is in no answer that others get, whichever came first.

Every route that answers GET stands here: a new one is asked as well, or said to tell no scores.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow.parquet
import pytest
import xarray as xr
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from isocortex.web.app import create_app
from tests.made_up_scores import candidate_facts, fill_store
from tests.owned import hand_in

from isocortex.store import Selection, Store

IT, V1, HIDDEN = "faces/IT/rsa", "faces/V1/rsa", "unheard/IT/rsa"
MODEL = "ann/net"
OPEN, SECRET = {IT: 0.33125, V1: 0.33125}, {IT: 0.55625, V1: 0.55625, HIDDEN: 0.55625}
OPEN_WORDS, SECRET_WORDS = "Words for everybody.", "Words for nobody."
OPEN_VERSION, SECRET_VERSION = 1, 2

SEEN: dict[str, dict[str, str]] = {
    "/api/v1/models": {"/api/v1/models?limit=500": OPEN_WORDS},
    "/api/v1/models/{name:path}": {f"/api/v1/models/{MODEL}": "0.33125"},
    "/api/v1/components/{axis}": {"/api/v1/components/diet": "imagenet-1k"},
    "/api/v1/benchmarks": {"/api/v1/benchmarks": IT},
    "/api/v1/benchmark-tree": {"/api/v1/benchmark-tree": IT},
    "/api/v1/benchmark-versions/{name:path}": {
        f"/api/v1/benchmark-versions/{IT}": '"candidates":4'
    },
    "/api/v1/benchmarks/{name:path}": {f"/api/v1/benchmarks/{IT}": '"candidates":4'},
    "/api/v1/datasets": {"/api/v1/datasets": "faces"},
    "/api/v1/scorers": {"/api/v1/scorers": "rsa"},
    "/api/v1/correlations": {f"/api/v1/correlations?benchmark={IT}&benchmark={V1}": V1},
    "/api/v1/scores": {
        "/api/v1/scores?limit=500": "0.33125",
        f"/api/v1/scores?model={MODEL}": "0.33125",
        f"/api/v1/scores?benchmark={IT}&sort=-raw": "0.33125",
        "/api/v1/scores?search=words": "0.33125",
    },
    "/api/v1/scores.atom": {"/api/v1/scores.atom": "raw 0.331"},
    "/api/v1/scores.{suffix}": {
        f"/api/v1/scores.{suffix}": "0.33125" for suffix in ("csv", "json", "ndjson", "parquet")
    },
    "/api/v1/leaderboard.{suffix}": {
        **{f"/api/v1/leaderboard.{each}": "0.33125" for each in ("csv", "json", "nc", "parquet")},
        "/api/v1/leaderboard.bib": "nobody2026",
        "/api/v1/leaderboard.csv?frozen=then": "0.33125",
    },
    "/api/v1/scores/{score_id}": {
        "/api/v1/scores/{open}": "0.33125",
        f"/api/v1/scores/{{open}}?model={MODEL}": "0.33125",
    },
    "/api/v1/scores/{score_id}/detail.{suffix}": {"/api/v1/scores/{open}/detail.nc": "0.33125"},
    "/api/v1/leaderboard": {
        "/api/v1/leaderboard": "0.33125",
        "/api/v1/leaderboard?as_of=2099-01-01T00:00:00Z": "0.33125",
        "/api/v1/leaderboard?frozen=then": "0.33125",
        "/api/v1/leaderboard?search=words": "0.33125",
    },
    "/api/v1/leaderboards": {"/api/v1/leaderboards": "then"},
    "/api/v1/leaderboards/{name}": {"/api/v1/leaderboards/then": "then"},
    "/api/v1/comparisons": {
        f"/api/v1/comparisons?model={MODEL}&model=family/hebb": '"difference":0.03125',
    },
    "/api/v1/metrics": {"/api/v1/metrics": "isocortex_benchmarks 3.0"},
    "/": {"/": MODEL, "/?as_of=2099-01-01": MODEL, "/?frozen=then": MODEL},
    "/leaderboard.{suffix}": {
        "/leaderboard.csv": "0.33125",
        "/leaderboard.json": "0.33125",
        "/leaderboard.bib": "nobody2026",
    },
    "/embed": {"/embed": MODEL},
    "/badges/{name:path}.svg": {f"/badges/{MODEL}.svg": "0.41"},
    "/models/{name:path}": {f"/models/{MODEL}": OPEN_WORDS},
    "/benchmarks": {"/benchmarks": IT},
    "/benchmarks/{name:path}": {f"/benchmarks/{IT}": MODEL},
    "/measures": {"/measures": "rsa"},
    "/compare": {f"/compare?model={MODEL}&model=family/hebb": MODEL},
    "/compare/benchmarks": {f"/compare/benchmarks?x={IT}&y={V1}": MODEL},
    "/explore": {"/explore": MODEL},
}
"""By route: addresses, and what the public version adds to the answer of each."""

REFUSED = (
    *("/api/v1/scores/{secret}", f"/api/v1/scores/{{secret}}?model={MODEL}"),
    *("/api/v1/scores/{secret}/detail.nc", "/api/v1/scores/{secret}/detail.safetensors"),
    *("/matrices/{secret}.png", f"/matrices/{{secret}}.png?model={MODEL}"),
    *(f"/benchmarks/{HIDDEN}", f"/api/v1/benchmarks/{HIDDEN}"),
    *(f"/api/v1/benchmark-versions/{HIDDEN}", f"/api/v1/leaderboard?benchmark={HIDDEN}"),
    *("/api/v1/submissions/{secret_key}", "/api/v1/submissions/{secret_key}/events"),
    *("/api/v1/submissions/{secret_key}/jobs", "/submissions/{secret_key}"),
)
"""What is refused, to strangers and to others who are signed in."""

OF_NO_SCORES = {
    *("/api", "/api/v1/openapi.json", "/api/v1/health", "/matrices/{dataset}/{region}.png"),
    *("/api/v1/datasets/{name}/stimuli", "/api/v1/datasets/{name}/stimuli/{position}"),
    *("/sign-in", "/sign-up", "/sign-in/{name}/callback"),
    # of whoever is signed in
    *("/account", "/api/v1/account", "/api/v1/account/tokens", "/api/v1/webhooks"),
    *("/api/v1/uploads/{key}", "/submit", "/submissions", "/api/v1/submissions"),
    *("/api/v1/jobs", "/api/v1/jobs/{job_id}"),
    # of workers
    *("/api/v1/work/scores/{candidate}/{benchmark}", "/api/v1/work/jobs/{job_id}/blob"),
}
PLACES = {"open": 0, "secret": 0, "secret_key": ""}
ADDRESSES = [
    (address, added) for addresses in SEEN.values() for address, added in addresses.items()
]


@dataclass(frozen=True)
class Site:
    """A running application with both versions; `tags` are what it said to strangers before."""

    client: TestClient
    ann: dict[str, str]
    bob: dict[str, str]
    places: dict[str, object]
    tags: dict[str, str]


@pytest.fixture(scope="module", params=["the private version first", "the public version first"])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Everybody reads everything after the first version, and before the second is there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ISOCORTEX_HOME", str(tmp_path_factory.mktemp("versions")))
        application = create_app()
        with TestClient(application, raise_server_exceptions=False) as client:
            yield _made(application.state.store, client, request.param.startswith("the private"))


def _made(store: Store, client: TestClient, private_first: bool) -> Site:
    fill_store(store)
    ann, bob = (store.accounts.create(name).id for name in ("ann", "bob"))
    headers = [
        {"Authorization": f"Bearer {store.accounts.make_token(each, 'tests', ['read'])[0]}"}
        for each in (ann, bob)
    ]
    keys, tags = {}, {}
    for visibility in ("private", "public") if private_first else ("public", "private"):
        secret = visibility == "private"
        keys[visibility] = hand_in(
            store,
            ann,
            SECRET if secret else OPEN,
            visibility=visibility,
            version=SECRET_VERSION if secret else OPEN_VERSION,
            summary=SECRET_WORDS if secret else OPEN_WORDS,
        )
        if len(keys) == 1:
            for address, _ in ADDRESSES:
                tags[address] = client.get(address.format_map(PLACES)).headers.get("etag", "")
                client.get(address.format_map(PLACES), headers=headers[0])
    store.freeze("then", "With both versions.", Selection())
    scores = {
        name: store.queue.jobs(submission=keys[visibility])[-1].score_id
        for name, visibility in (("open", "public"), ("secret", "private"))
    }
    return Site(client, *headers, {**scores, "secret_key": keys["private"]}, tags)


def traces(told: str) -> list[str]:
    """What tells of the private version."""
    known = (SECRET_WORDS, candidate_facts(MODEL, version=SECRET_VERSION).fingerprint, "unheard")
    return [each for each in (*known, "0.5562", "0.556", "0.695", "0.70") if each in told]


def told(answer: Any) -> str:
    """The answer as text."""
    kind = answer.headers.get("content-type", "")
    if "parquet" in kind:
        return str(pyarrow.parquet.read_table(io.BytesIO(answer.content)).to_pylist())
    if "netcdf" in kind:
        return str(xr.load_dataset(io.BytesIO(answer.content), engine="scipy").to_dict())
    text: str = answer.text
    return text


@pytest.mark.parametrize(("address", "added"), ADDRESSES)
def test_others_see_the_public_version_and_nothing_of_the_private_one(
    site: Site, address: str, added: str
) -> None:
    """Whether the owner asked just before or not, from memory and made anew."""
    address, before = address.format_map(site.places), site.tags[address]
    for headers in ({}, site.ann, {}, {"If-None-Match": before}, site.bob):
        answer = site.client.get(address, headers=headers)
        assert answer.status_code == 200, answer.text
        if headers is not site.ann:
            assert added in told(answer)
            assert traces(told(answer)) == []


@pytest.mark.parametrize("address", REFUSED)
def test_what_the_private_version_alone_has_is_not_there_for_others(
    site: Site, address: str
) -> None:
    address = address.format_map(site.places)
    hers = site.client.get(address, headers=site.ann)
    assert hers.status_code in (200, 303, 401) or "keeps no matrix" in hers.text
    for headers in ({}, site.bob):
        answer = site.client.get(address, headers=headers, follow_redirects=False)
        assert answer.status_code in (303, 401, 404)


def test_the_owner_sees_both_versions(site: Site) -> None:
    versions = [candidate_facts(MODEL, version=each).fingerprint for each in (1, 2)]
    for headers, seen in ((site.ann, [True, True]), ({}, [True, False])):
        text = site.client.get(f"/api/v1/models/{MODEL}", headers=headers).text
        assert [each in text for each in versions] == seen


def test_every_route_is_asked(application: FastAPI) -> None:
    """A new one stands in `SEEN`, in `REFUSED`, or is one of no scores."""
    routes = {
        str(each.path)
        for each in iter_route_contexts(application.routes)
        if "GET" in (each.methods or ())
    }
    refused = {"/matrices/{score_id}.png"} | {
        f"{each}/submissions/{{key}}{part}"
        for each, part in (("", ""), ("/api/v1", ""), ("/api/v1", "/jobs"), ("/api/v1", "/events"))
    }
    assert routes == SEEN.keys() | OF_NO_SCORES | refused
