"""Models, benchmarks and measures held against each other, and drawn."""

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from isocortex.web.app import create_app
from isocortex.web.charts import Axis, frame, heat_map, histogram, log_span, span
from isocortex.web.citations import bibliography
from isocortex.web.colours import heat, ink_on
from isocortex.web.correlating import correlations
from isocortex.web.exploring import explore_charts, facets_of, pareto, points_of
from isocortex.web.images import heat_png
from isocortex.web.kinds import kinds_of
from isocortex.web.learning import learning_charts, training_seconds
from isocortex.web.plausibility import STATEMENTS, plausibility, statements
from isocortex.web.siblings import siblings
from PIL import Image
from scipy import stats
from tests.made_up_scores import benchmark_facts, candidate_facts, record_score
from tests.owned import hand_in
from tests.web.browsers import read_page

from isocortex import ontology
from isocortex.matrices import write_matrices
from isocortex.registry import entries
from isocortex.shipped import shipped_recipes
from isocortex.store import Store, open_store

CELL = "conv4/categorise/{rule}@cifar10:short#{seed}"
TEMPLATES = Path(__file__).parents[2] / "web" / "templates"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Six networks of two rules and three seeds on two benchmarks, and one other on each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ISOCORTEX_HOME", str(tmp_path_factory.mktemp("studies")))
        with open_store() as opened:
            for seed in range(3):
                for place, rule in enumerate(("backprop", "feedback")):
                    term = ("backprop", "feedback-alignment")[place]
                    name = CELL.format(rule=rule, seed=seed)
                    facts = candidate_facts(name, learning_rule=term)
                    for part, region in enumerate(("IT", "V1")):
                        raw = 0.6 - 0.2 * place + 0.01 * seed * (1 - 2 * part)
                        record_score(opened, facts, benchmark_facts(f"faces/{region}/rsa"), raw)
            other = candidate_facts("other/net", objective="contrast")
            record_score(opened, other, benchmark_facts("faces/IT/rsa"), 0.5)
            third = candidate_facts("third/net", objective="contrast")
            record_score(opened, third, benchmark_facts("faces/V1/rsa"), 0.5)
            yield opened


@pytest.fixture(scope="module")
def client(store: Store) -> Iterator[TestClient]:
    with TestClient(create_app(str(store.engine.url)), raise_server_exceptions=False) as opened:
        yield opened


def quoted(name: str) -> str:
    return name.replace("#", "%23").replace("@", "%40").replace(":", "%3A")


def test_models_are_compared_with_joint_intervals(client: TestClient) -> None:
    names = [CELL.format(rule="backprop", seed=0), CELL.format(rule="feedback", seed=0)]
    html = read_page(client, "/compare?model=" + "&model=".join(map(quoted, names)))
    assert f"faces/IT/rsa: 0.200 better than {names[1]}, 0.200 to 0.200" in html
    assert "faces/V1/rsa, layer by layer" in html


def test_a_comparison_says_what_it_cannot_do(client: TestClient) -> None:
    two = quoted(CELL.format(rule="backprop", seed=0)), "other/net"
    asked = "/compare?model=" + "&model=".join(two)
    assert "faces/IT/rsa: 0.100 better than other/net" in read_page(client, asked)
    apart = read_page(client, "/compare?model=third/net&model=other/net")
    assert "<b>Nothing to compare.</b>" in apart
    assert "Name at least one more model" in read_page(client, "/compare?model=other/net")
    many = "&".join(f"model=m{number}" for number in range(7))
    assert client.get(f"/compare?{many}").status_code == 422
    assert client.get("/compare?model=other/net&model=none").status_code == 404


def test_correlations_are_those_of_scipy() -> None:
    generator = np.random.default_rng(1)
    one = generator.normal(size=30)
    other = one + generator.normal(size=30)
    pearson, spearman = correlations(one, other)
    assert pearson.value == pytest.approx(stats.pearsonr(one, other)[0])
    assert spearman.value == pytest.approx(stats.spearmanr(one, other)[0])
    assert pearson.low < pearson.value < pearson.high


def test_scores_that_do_not_vary_have_no_correlation() -> None:
    assert correlations(np.ones(6), np.arange(6.0)) == ()


def test_benchmarks_are_compared_over_the_models_that_have_both(client: TestClient) -> None:
    html = read_page(client, "/compare/benchmarks?x=faces/IT/rsa&y=faces/V1/rsa")
    assert "6 models on faces/IT/rsa and faces/V1/rsa" in html
    assert "Spearman&#39;s ρ" in html
    assert client.get("/compare/benchmarks?x=none&y=faces/V1/rsa").status_code == 404


def test_siblings_differ_in_exactly_one_part(store: Store) -> None:
    name = CELL.format(rule="backprop", seed=0)
    model = store.model(name)
    found = siblings(store.leaderboard(), model.versions[0].card, model.scores)
    assert [(one.name, one.part) for one in found] == [
        (CELL.format(rule="feedback", seed=0), "Learning rule"),
        (CELL.format(rule="backprop", seed=1), "Seed"),
        (CELL.format(rule="backprop", seed=2), "Seed"),
    ]
    assert found[0].difference == pytest.approx(0.2 / 0.8)
    assert found[0].shared == 2


def test_exploring_shows_each_cell_with_the_mean_of_its_models(store: Store) -> None:
    points = points_of(store.leaderboard(), "faces/IT/rsa", store.models())
    facets = facets_of(points)
    assert facets.objectives == ("categorise", "contrast")
    ((architecture, (cell, _)),) = facets.rows
    assert architecture == "residual"
    assert [(each.rule, each.count) for each in cell] == [
        *(("backprop", 3), ("feedback-alignment", 3)),
    ]
    assert cell[0].mean == pytest.approx((0.6 + 0.61 + 0.62) / 3 / 0.8)
    assert cell[0].best == CELL.format(rule="backprop", seed=2)
    captions = [chart.caption for chart in explore_charts(points, "score")]
    assert any("seconds of training" in caption for caption in captions)


def test_exploring_without_means_says_what_to_do(client: TestClient) -> None:
    assert "faces/IT/rsa against parameters" in read_page(client, "/explore?of=faces/IT/rsa")
    assert "Choose one benchmark above" in read_page(client, "/explore?q=other")
    assert client.get("/explore?of=none").status_code == 404


def test_nothing_on_the_front_is_beaten_in_both() -> None:
    points = [(1.0, 3.0), (2.0, 2.0), (1.5, 2.0), (3.0, 0.0), (3.0, -1.0)]
    assert pareto(points) == ((1.0, 3.0), (2.0, 2.0), (3.0, 0.0))


def test_statements_follow_the_terms() -> None:
    card = {"learning_rule": "feedback-alignment", "objective": "categorise"}
    said = statements(card | {"architecture": "convolutional"})
    assert said["no_weight_transport"]
    assert not any(said[name] for name in ("local", "no_labels", "no_weight_sharing"))
    assert statements({**card, "learning_rule": "untrained", "architecture": "unknown"})[
        "no_labels"
    ]
    assert plausibility({**card, "architecture": "convolutional"}) == 1
    for term in ontology.terms("learning_rule"):
        assert len(statements({**card, "learning_rule": term.name, "architecture": "x"})) == len(
            STATEMENTS
        )


def test_a_shipped_network_shows_how_it_learned() -> None:
    name = CELL.format(rule="feedback", seed=0)
    assert name in {recipe.name for recipe in shipped_recipes()}
    loss, readout, audit = learning_charts(name)
    assert "from 2." in loss.words
    assert "readout" in readout.caption
    assert "head 0°" in audit.words
    assert learning_charts("mobilenet_v1/imagenet") == ()
    assert training_seconds(name)


def test_a_models_page_shows_layers_versions_and_siblings(client: TestClient) -> None:
    html = read_page(client, "/models/" + quoted(CELL.format(rule="feedback", seed=0)))
    assert "Score of each layer on each benchmark" in html
    assert "Credit audit" in html
    assert "The same but for one component" in html
    assert "isocortex train &#39;conv4/categorise/feedback@cifar10:short#0&#39;" in html


def test_a_benchmark_tells_in_words_what_its_score_means(client: TestClient) -> None:
    html = read_page(client, "/benchmarks/faces/IT/rsa")
    assert "between 0.50 and 0.80 on the measure&#39;s own scale" in html
    assert "Raw scores of all 7 models" in html


def test_the_measures_are_those_that_are_registered(client: TestClient) -> None:
    html = read_page(client, "/measures")
    for entry in entries("scorer"):
        assert f"<code>{entry.name}</code>" in html


def test_no_page_holds_scripts_or_styles_of_its_own() -> None:
    for path in TEMPLATES.glob("*.html"):
        html = path.read_text()
        assert not re.search(r"\s(style|on[a-z]+)=[\"']", html), path
        assert "<style" not in html, path
        assert not re.search(r"<script(?! src=)", html), path


def test_axes_have_round_numbers() -> None:
    x, y = frame(("x", -0.13, 0.52), ("y", 1, 1000), (300, 200))
    assert [tick.text for tick in x.ticks()] == ["0.0", "0.2", "0.4"]
    assert [tick.text for tick in Axis("n", 1e4, 1e6, 0, 1, logarithmic=True).ticks()] == [
        *("10 k", "100 k", "1 M"),
    ]
    assert (x(-0.13), x(0.52), x(9)) == (x.start, x.end, x.end)
    assert y(1) > y(1000)


@pytest.mark.parametrize("values", [[], [0.0], [2.0, 2.0], [-1.0, 3.0]])
def test_a_span_is_never_empty(values: list[float]) -> None:
    for zero in (True, False):
        low, high = span(values, zero=zero)
        assert low < high
        assert all(low <= value <= high for value in values)
    assert log_span(values)[0] < log_span(values)[1]


def test_a_histogram_counts_every_value() -> None:
    values = [0.1, 0.1, 0.5, 0.9]
    chart = histogram(values, "x", "Four", bands={"ceiling": (0.8, 1.0)})
    counts = [int(box.title.rpartition(": ")[2]) for box in chart.boxes if box.role == "bar"]
    assert sum(counts) == len(values)
    assert "ceiling 0.80 to 1.00" in chart.words


def test_a_heat_map_tells_each_row_in_words_and_leaves_gaps() -> None:
    chart = heat_map({"early": [0.1, None], "late": [None, 0.4]}, ["a", "b"], "Map", top=0.4)
    assert len(chart.boxes) == 2
    assert chart.words == "Map. early: highest 0.10 on a; late: highest 0.40 on b"


def test_colours_rise_in_lightness_and_carry_a_text_that_can_be_read() -> None:
    def light(colour: str) -> float:
        channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in channels]
        return float(np.dot([0.2126, 0.7152, 0.0722], linear))

    colours = [heat(share) for share in np.linspace(0, 1, 50)]
    lights = [light(colour) for colour in colours]
    assert lights == sorted(lights)
    for colour, brightness in zip(colours, lights, strict=True):
        ink = light(ink_on(colour))
        assert (max(ink, brightness) + 0.05) / (min(ink, brightness) + 0.05) >= 4.5


def test_rare_terms_share_a_kind() -> None:
    names = [name for count, name in enumerate("abcdefghij", start=1) for _ in range(count)]
    kinds = kinds_of(names)
    assert (kinds.of("j"), kinds.of("d"), kinds.of("a")) == (0, 6, 7)
    assert kinds.legend[-1][2] == "others"


def test_a_bibliography_names_each_source_once(store: Store) -> None:
    board = store.leaderboard()
    every = [one.candidate for one in board.rows]
    assert bibliography(board, every).count("@article{nobody2026,") == 1
    assert bibliography(board, []) == ""


def test_a_key_does_not_depend_on_what_else_is_cited(store: Store) -> None:
    """Whoever hands in a model may give its source any key, that of another paper as well."""
    ann = store.accounts.create("ann", role="admin").id
    for model, year in {"first": 2001, "second": 2002}.items():
        bibtex = f"@article{{nobody2026,\n  year = {{{year}}}\n}}"
        hand_in(store, ann, {"faces/IT/rsa": 0.5}, model=model, bibtex=bibtex)
    board = store.leaderboard()
    every = [row.candidate for row in board.rows]
    told = {
        name: bibliography(board, [name])
        for name in ("ann/first", "ann/second", "family/hebb", "family/partial")
    }
    assert "@article{nobody2026:ann/first,\n  year = {2001}" in told["ann/first"]
    assert "@article{nobody2026:ann/second,\n  year = {2002}" in told["ann/second"]
    assert told["family/hebb"] == told["family/partial"]
    for names in (every, every[::-1]):
        assert all(one.strip() in bibliography(board, names) for one in told.values())


def test_a_matrix_is_a_picture_of_one_pixel_a_pair() -> None:
    picture = Image.open(BytesIO(heat_png([[2.0, 4.0], [4.0, 2.0]]))).convert("RGB")
    colours = [picture.getpixel(place) for place in ((0, 0), (1, 0), (0, 1), (1, 1))]
    dark, bright = (0x00, 0x22, 0x4E), (0xFE, 0xE8, 0x38)
    assert colours == [dark, bright, bright, dark]
    assert Image.open(BytesIO(heat_png([[0.5]]))).size == (1, 1)


def test_a_benchmark_shows_the_matrix_that_was_made_here(empty_home: Path) -> None:
    with TestClient(create_app(), raise_server_exceptions=False) as client:
        assert "Which stimuli differ" not in read_page(client, "/benchmarks/simulated/IT/rsa")
        assert client.get("/matrices/simulated/IT.png").status_code == 404
    write_matrices("simulated")
    with TestClient(create_app(), raise_server_exceptions=False) as client:
        assert "1 − r between the responses of" in read_page(client, "/benchmarks/simulated/IT/rsa")
        answer = client.get("/matrices/simulated/IT.png")
        assert answer.headers["content-type"] == "image/png"
        assert client.get("/matrices/simulated/..%2FIT.png").status_code == 404
