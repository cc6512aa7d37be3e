"""The pages show what the store holds, and say plainly what they do not know."""

import csv
import io
import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from isocortex.web.app import create_app
from isocortex.web.charts import heat_map, short_names
from isocortex.web.drawing import Scale
from isocortex.web.rendering import breakable, coded, fact, link_or_text, number, sentence
from tests.made_up_scores import benchmark_facts, candidate_facts, record_score
from tests.web.browsers import read_page

from isocortex import ontology
from isocortex.scores import Ceiling
from isocortex.store import open_store


def models(html: str) -> list[str]:
    """The models of the table, in order."""
    return re.findall(r'class="name"><input[^>]*><a href="/models/([^"]+)"', html)


def test_an_empty_store_says_what_to_do(empty_client: TestClient) -> None:
    html = read_page(empty_client, "/")
    assert "make demo" in html
    assert "isocortex score" in html


def test_the_leaderboard_lists_models_by_rank(client: TestClient) -> None:
    html = read_page(client, "/")
    assert models(html) == ["family/best%230", "family/hebb", "family/partial"]
    assert "1 of 2" in html
    assert 'title="Not scored"' in html


def test_a_leaderboard_without_ranks_says_why(client: TestClient) -> None:
    with open_store() as store:
        record_score(store, candidate_facts("late"), benchmark_facts("late/IT/rsa"))
    assert "No ranks yet." in read_page(client, "/")
    assert "No ranks yet." not in read_page(client, "/?only=faces")


def test_every_score_is_told_in_words(client: TestClient) -> None:
    html = read_page(client, "/")
    assert "0.750 of the ceiling, 95 % interval" in html
    assert "ceiling 0.500 to 0.800" in html
    assert "layer block3; no ceiling" in html


def test_columns_sort_both_ways_and_missing_scores_stay_last(client: TestClient) -> None:
    best_first = models(read_page(client, "/?sort=faces/V1/rsa"))
    worst_first = models(read_page(client, "/?sort=-faces/V1/rsa"))
    assert best_first == ["family/best%230", "family/hebb", "family/partial"]
    assert worst_first == ["family/hebb", "family/best%230", "family/partial"]
    assert models(read_page(client, "/?sort=-name"))[0] == "family/partial"


def test_the_form_filters_and_empty_fields_do_not(client: TestClient) -> None:
    asked = "/?objective=&architecture=&learning_rule=hebbian&diet=&q="
    assert models(read_page(client, asked)) == ["family/hebb"]
    assert '<option value="hebbian" selected>' in read_page(client, asked)
    assert "No such model has a score" in read_page(client, "/?diet=wider-face")


def test_a_term_that_has_left_the_ontology_is_shown_by_its_name(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    terms = tuple(term for term in ontology._TERMS if term.name != "hebbian")
    monkeypatch.setattr(ontology, "_TERMS", terms)
    assert ">hebbian</span>" in read_page(client, "/")
    assert "hebbian" in read_page(client, "/models/family/hebb")


def test_one_dataset_can_be_chosen(client: TestClient) -> None:
    html = read_page(client, "/?only=monkey")
    assert 'class="dataset">faces' not in html
    assert models(html) == ["family/best%230"]


@pytest.mark.parametrize(
    "path",
    [
        "/?objective=none-such",
        "/?only=none",
        "/?has=souls",
        "/?col=taste",
        "/?sort=men",
        "/models/x",
        "/x/y",
    ],
)
def test_what_is_unknown_gets_a_page_that_says_so(client: TestClient, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 404
    assert response.headers["content-type"].startswith("text/html")
    assert "Back to the leaderboard" in response.text


def test_simulated_data_are_labelled_and_apart(client: TestClient) -> None:
    with open_store() as store:
        toy = benchmark_facts("toy/IT/rsa", simulated=True)
        record_score(store, candidate_facts("toy-net"), toy)
    assert "toy-net" not in read_page(client, "/")
    html = read_page(client, "/?data=simulated")
    assert models(html) == ["toy-net"]
    assert "Simulated data." in html


def test_simulated_data_are_shown_where_there_are_no_others(empty_home: Path) -> None:
    with open_store() as store:
        record_score(store, candidate_facts("net"), benchmark_facts("toy/IT/rsa", simulated=True))
    with TestClient(create_app()) as client:
        assert "Simulated data." in read_page(client, "/")


def test_long_leaderboards_have_pages(empty_home: Path) -> None:
    with open_store() as store:
        for count in range(51):
            record_score(store, candidate_facts(f"net{count:02}"), benchmark_facts(), count / 100)
    with TestClient(create_app()) as client:
        assert len(models(read_page(client, "/"))) == 50
        assert models(read_page(client, "/?page=2")) == ["net00"]
        assert 'rel="next" href="/?page=2"' in read_page(client, "/")


def test_a_models_page_holds_all_that_is_known(client: TestClient) -> None:
    html = read_page(client, "/models/family/best%230")
    for known in ("Russakovsky et al. 2015", "1,234,567", "@article{nobody2026", "BSD-3-Clause"):
        assert known in html
    assert "isocortex score &#39;family/best#0&#39;" in html
    assert "Layers, from input to output: block1 0.240, block2 0.480" in html
    assert "subject01" in html


def test_a_model_that_was_never_scored_has_a_page(empty_client: TestClient) -> None:
    name = empty_client.get("/api/v1/models?limit=1").json()["items"][0]["name"]
    assert "Not scored yet" in read_page(empty_client, f"/models/{name}")


def test_benchmarks_have_pages(client: TestClient) -> None:
    assert 'href="/benchmarks/faces/IT/rsa"' in read_page(client, "/benchmarks")
    html = read_page(client, "/benchmarks/faces/IT/rsa")
    assert html.index("family/<wbr>best") < html.index("family/<wbr>hebb")
    assert "isocortex score" not in html


def test_the_file_has_one_line_for_each_score(client: TestClient) -> None:
    response = client.get("/leaderboard.csv")
    lines = list(csv.DictReader(io.StringIO(response.text)))
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert len(lines) == 3 + 2 + 1
    assert (lines[0]["model"], lines[0]["rank"], float(lines[0]["raw"])) == (
        *("family/best#0", "1"),
        0.6,
    )
    assert [line["mean"] for line in lines if line["model"] == "family/partial"] == [""]


def test_names_cannot_run_in_a_spreadsheet_or_a_page(empty_home: Path) -> None:
    with open_store() as store:
        record_score(store, candidate_facts("=<script>"), benchmark_facts())
    with TestClient(create_app()) as client:
        assert "<script>" not in read_page(client, "/")
        assert "'=<script>" in read_page(client, "/leaderboard.csv")


def test_only_web_addresses_become_links() -> None:
    assert "<a" not in link_or_text("javascript:alert(1)")
    assert link_or_text('https://x.org/"><b>') == (
        '<a href="https://x.org/&#34;&gt;&lt;b&gt;" rel="noopener">'
        "https://x.org/&#34;&gt;&lt;b&gt;</a>"
    )


def test_words_become_sentences_and_names_stay() -> None:
    told = ["it is missing", "conv4/x is not there", "isocortex is at fault!", "one of . _ -", ""]
    assert [sentence(text) for text in told] == [
        *("It is missing.", "conv4/x is not there.", "isocortex is at fault!", "One of . _ -"),
        "",
    ]


def test_what_stands_between_backticks_is_code() -> None:
    assert coded("`a<b>` and <i>") == "<code>a&lt;b&gt;</code> and &lt;i&gt;"


def test_numbers_have_a_true_minus_and_no_negative_zero() -> None:
    assert [number(value) for value in (-0.5, -0.001, 0.126, None)] == [
        "−0.50",
        "0.00",
        "0.13",
        "–",
    ]


def test_names_break_only_where_they_may() -> None:
    assert breakable("a/b&c_d") == "a/<wbr>b&amp;c_<wbr>d"


def test_a_scale_keeps_what_is_beyond_it_at_its_ends() -> None:
    scale = Scale(-0.5, 1.5)
    assert [scale(value) for value in (-2, -0.5, 0.5, 1.5, 9)] == [0, 0, 50, 100, 100]


def test_a_value_beyond_the_ceiling_is_shown(empty_home: Path) -> None:
    with open_store() as store:
        low_ceiling = Ceiling(lower=0.1, upper=0.2)
        record_score(store, candidate_facts(), benchmark_facts(), 0.3, ceiling=low_ceiling)
    with TestClient(create_app()) as client:
        assert ">1.50</span>" in read_page(client, "/")


def test_facts_of_a_card_are_shown_whatever_they_are() -> None:
    shown = [fact(value) for value in ("RGB", 224, None, True, [0.5, 0.25], {"folds": 5})]
    assert shown == ["RGB", "224", "null", "true", "0.5, 0.25", '{"folds": 5}']


def test_a_heat_map_has_room_for_the_names_of_layers_and_tells_them_apart() -> None:
    layers = [f"/features/features.{n}/conv/Conv_output_0_quantized" for n in range(12)]
    rows = {name: [0.5, None] for name in layers}
    drawn = heat_map(rows, ["faces/IT/rsa", "a-dataset/of-a-long-name/rsa"], "Layers", top=1)
    beside = [(x, text) for x, _, kind, text in drawn.labels if kind == "end"]
    assert len({text for _, text in beside}) == 12
    assert all(6 * len(text) <= x for x, text in beside)  # letters of 11 pixels
    assert beside[3][1] == "…features.3"
    assert drawn.boxes[0].title.startswith(layers[0])


def test_a_heat_map_has_room_for_names_that_share_nothing() -> None:
    long = {letter * 40: [0.5] for letter in "abc"}
    labels = heat_map(long, ["faces/IT/rsa"], "Layers", top=1).labels
    assert all(6 * len(text) <= x for x, _, kind, text in labels if kind == "end")


def test_short_names_stay_and_alike_ones_are_not_shortened() -> None:
    assert short_names(["layer1.0", "layer1.1"]) == ("layer1.0", "layer1.1")
    alike = [f"/block/{where}/a-layer-with-a-long-name" for where in ("x/y", "y/x", "x", "y")]
    assert len(set(short_names(alike))) == 4
    assert short_names([]) == ()
