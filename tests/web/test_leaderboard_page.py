"""The leaderboard's state lives in its address: what counts, how much, and what is shown."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from isocortex.web.app import create_app
from isocortex.web.boards import BoardQuery
from isocortex.web.tables import tiers_of
from isocortex.web.trees import benchmark_tree, selected, topmost
from tests.made_up_scores import HEBBIAN, benchmark_facts, candidate_facts, record_score
from tests.owned import own
from tests.web.browsers import read_page

from isocortex.store import Selection, Store, open_store
from isocortex.store.records import LeaderboardRow, Standing

FACES = ("faces/IT/rsa", "faces/V1/rsa")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Two models on two regions of faces, on which one is better each, and on simulated data."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ISOCORTEX_HOME", str(tmp_path_factory.mktemp("boards")))
        with open_store() as opened:
            for name, raw in {"IT": 0.6, "V1": 0.2}.items():
                benchmark = benchmark_facts(f"faces/{name}/rsa")
                record_score(opened, candidate_facts("net/high"), benchmark, raw)
                hebb = candidate_facts("net/low", **HEBBIAN)
                record_score(opened, hebb, benchmark, 0.8 - raw)
            toy = benchmark_facts("toy/IT/rsa", simulated=True)
            record_score(opened, candidate_facts("net/toy"), toy)
            yield opened


@pytest.fixture(scope="module")
def client(store: Store) -> Iterator[TestClient]:
    with TestClient(create_app(str(store.engine.url)), raise_server_exceptions=False) as opened:
        yield opened


def mean_of(html: str, model: str) -> str:
    """What the column of means says of a model."""
    row = html[html.index(f'href="/models/{model}"') :]
    found = re.search(r'class="mean[^"]*">\s*<span[^>]*>([^<]+)<', row)
    assert found is not None
    return found[1]


def test_weights_are_multiplied_along_the_path_and_taken_into_the_mean(client: TestClient) -> None:
    high, low = 0.6 / 0.8, 0.2 / 0.8
    assert mean_of(read_page(client, "/"), "net/high") == f"{(high + low) / 2:.2f}"
    html = read_page(client, "/?weight=faces~2&weight=faces/IT/rsa~3")
    assert mean_of(html, "net/high") == f"{(6 * high + 2 * low) / 8:.2f}"
    assert "weighted, of 2 benchmarks" in html


def test_a_benchmark_that_is_left_out_does_not_count(client: TestClient) -> None:
    html = read_page(client, "/?without=faces/V1/rsa")
    assert (mean_of(html, "net/high"), mean_of(html, "net/low")) == ("0.75", "0.25")
    assert mean_of(read_page(client, "/?weight=faces/V1/rsa~0"), "net/high") == "0.75"
    assert "Every benchmark is left out." in read_page(client, "/?without=faces")


def test_the_address_of_a_form_is_answered_by_the_shorter_one(client: TestClient) -> None:
    form = "/?q=&objective=&tree=recorded&in=faces&in=faces/IT/rsa&w.faces=2&w.faces/IT/rsa=1"
    answer = client.get(form, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/?without=faces/V1/rsa&weight=faces~2"
    shown = read_page(client, answer.headers["location"])
    assert '<input type="checkbox" name="in" value="faces" checked>' in shown
    assert '<input type="checkbox" name="in" value="faces/V1/rsa">' in shown


def test_htmx_gets_the_table_at_once_and_the_address_to_show(client: TestClient) -> None:
    form = "/?tree=recorded&in=faces&in=faces/V1/rsa"
    answer = client.get(form, headers={"HX-Request": "true"}, follow_redirects=False)
    assert answer.status_code == 200
    assert answer.headers["hx-push-url"] == "/?without=faces/IT/rsa"


def test_boxes_that_were_shown_for_other_data_do_not_count(client: TestClient) -> None:
    answer = client.get("/?data=simulated&tree=recorded&in=faces", follow_redirects=False)
    assert answer.headers["location"] == "/?data=simulated"


def test_columns_are_picked_and_hidden_ones_still_count(client: TestClient) -> None:
    html = read_page(client, "/?col=learning_rule")
    assert 'class="dataset"' not in html
    assert ">hebbian</td>" in html
    assert mean_of(html, "net/high") == "0.50"
    picked = client.get("/?picked=faces&col=faces", follow_redirects=False)
    assert picked.headers["location"] == "/"
    nothing = client.get("/?picked=faces", follow_redirects=False)
    assert nothing.headers["location"] == "/?col=none"


def test_a_search_hides_rows_and_leaves_their_ranks(client: TestClient) -> None:
    html = read_page(client, "/?q=HEBBIAN+plasticity&without=faces/V1/rsa")
    assert "1 of 2 models; ranks are among all" in html
    assert re.search(r'class="rank"><span class="number">2<', html)


def test_models_are_chosen_by_what_speaks_for_them(client: TestClient) -> None:
    html = read_page(client, "/?has=no_weight_transport")
    assert "net/low" in html
    assert 'href="/models/net/high"' not in html


def test_an_open_dataset_can_be_closed_to_its_mean(client: TestClient) -> None:
    html = read_page(client, "/?open=faces")
    assert "Mean over 2 benchmarks of faces: 0.500" in html
    assert "V1</span>" not in html
    assert 'href="/" aria-label="Show the 2 benchmarks of faces"' in html


def test_many_benchmarks_are_closed_and_a_mean_needs_all(
    store: Store, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISOCORTEX_HOME", str(tmp_path_factory.mktemp("many")))
    with open_store() as many:
        for number in range(9):
            one = benchmark_facts(f"voices/R{number}/rsa")
            record_score(many, candidate_facts("all"), one, 0.4)
            if number:
                record_score(many, candidate_facts("most"), one, 0.4)
    with TestClient(create_app()) as client:
        html = read_page(client, "/")
        assert "Mean over 9 benchmarks of voices: 0.500" in html
        assert html.count(">8 of 9</span>") == 2  # the mean of all, and that of voices
        assert html.count('class="region"') == 0
        assert read_page(client, "/?open=voices").count('class="region"') == 9


def test_the_leaderboard_of_a_day_holds_what_was_scored_by_then(client: TestClient) -> None:
    assert "As of 1 January 2020." in read_page(client, "/?as_of=2020-01-01")
    assert "/models/net/high" not in read_page(client, "/?as_of=2020-01-01")
    assert "/models/net/high" in read_page(client, "/?as_of=2120-01-01")


def test_a_frozen_leaderboard_stays(store: Store, client: TestClient) -> None:
    selection = Selection(weights=(("faces/IT/rsa", 3.0),))
    store.freeze("release-1", "For the tests.", selection)
    html = read_page(client, "/?frozen=release-1")
    assert "Frozen leaderboard release-1.</b> For the tests." in html
    assert mean_of(html, "net/high") == f"{(3 * 0.75 + 0.25) / 4:.2f}"
    assert client.get("/?frozen=release-1&without=faces").status_code == 422
    assert client.get("/?frozen=none").status_code == 404


@pytest.mark.parametrize(
    "path", ["/?weight=faces~-1", "/?weight=faces~much", "/?weight=faces~nan", "/?as_of=soon"]
)
def test_what_is_no_weight_or_day_is_refused(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 422


def test_files_have_the_rows_that_are_shown(client: TestClient) -> None:
    lines = client.get("/leaderboard.csv?q=low").text.splitlines()
    assert {line.split(",")[0] for line in lines[1:]} == {"net/low"}
    assert len(client.get("/leaderboard.json?q=low").json()) == len(FACES)
    assert client.get("/leaderboard.bib").text.startswith("@")
    assert client.get("/leaderboard.exe").status_code == 422


def test_only_the_embedded_page_may_be_framed(client: TestClient) -> None:
    policies = {
        path: client.get(path).headers["content-security-policy"] for path in ("/embed", "/")
    }
    assert "frame-ancestors *" in policies["/embed"]
    assert "frame-ancestors 'none'" in policies["/"]
    assert all("script-src 'self';" in policy for policy in policies.values())
    assert "net/high" in read_page(client, "/embed?rows=1&weight=faces/IT/rsa~3")


def test_a_badge_says_mean_and_rank(client: TestClient) -> None:
    answer = client.get("/badges/net/high.svg?weight=faces/IT/rsa~3")
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert f"isocortex: {(3 * 0.75 + 0.25) / 4:.2f} · rank 1 of 2" in answer.text
    assert client.get("/badges/net/none.svg").status_code == 404


def row(name: str, low: int | None, high: int | None) -> LeaderboardRow:
    standing = Standing(
        rank=1, rank_low=low, rank_high=high, mean=0.5, mean_low=None, mean_high=None
    )
    return LeaderboardRow(
        candidate=name,
        fingerprint="",
        card={},
        evidence="network",
        parameters=1,
        scores={},
        covered=1,
        standing=standing,
    )


def test_a_tier_holds_those_whose_ranks_overlap_with_its_first() -> None:
    rows = [row("a", 1, 1), row("b", 2, 3), row("c", 3, 5), row("d", 4, 5), row("e", None, None)]
    assert tiers_of(rows) == {"a": 1, "b": 2, "c": 2, "d": 3}
    assert tiers_of([replace(each, standing=None) for each in rows]) == {}


def test_a_tree_has_regions_only_where_they_branch(store: Store) -> None:
    found = [one for one in store.benchmarks() if not one.simulated]
    (faces,) = benchmark_tree(found, ["faces/V1/rsa"], {"faces": 2.0})
    assert (faces.path, faces.weight, faces.leaves) == ("faces", 2.0, FACES)
    assert [(node.label, node.ticked) for node in faces.children] == [
        *(("IT × rsa", True), ("V1 × rsa", False)),
    ]
    assert selected(found, ["faces/V1"]) == ("faces/IT/rsa",)
    assert topmost(["faces/IT/rsa", "faces", "toy"]) == ("faces", "toy")


def test_an_address_holds_only_what_is_unusual() -> None:
    assert BoardQuery().address() == "/"
    query = BoardQuery(without=["faces/IT"], weight=["toy~2"], q="a b", page=3)
    assert query.address(page=None) == "/?q=a+b&without=faces/IT&weight=toy~2"


def test_what_is_private_is_shown_to_its_owner_alone(empty_home: Path) -> None:
    with open_store() as opened:
        ada = opened.accounts.create("ada")
        record_score(opened, candidate_facts("ada/secret"), benchmark_facts())
        record_score(opened, candidate_facts("open"), benchmark_facts())
        secret, _ = opened.accounts.make_token(ada.id, "t", ["read"], None)
        own(opened, "ada/secret", ada.id, "private")
    hers = {"Authorization": f"Bearer {secret}"}
    with TestClient(create_app()) as client:
        for path in ("/", "/leaderboard.csv", "/explore", "/benchmarks/faces/IT/rsa"):
            shown = [client.get(path, headers=headers).text for headers in ({}, hers)]
            assert ["secret" in text for text in shown] == [False, True], path
        statuses = [
            client.get("/models/ada/secret", headers=each).status_code for each in ({}, hers)
        ]
        assert statuses == [404, 200]
        assert client.get("/badges/ada/secret.svg").status_code == 404
        assert "secret" not in client.get("/embed", headers=hers).text
