"""The study scores what is shipped, and attributes the scores to components."""

import json
from itertools import product

import pytest
from typer.testing import CliRunner

from isocortex.benchmarks import load_benchmark
from isocortex.budgets import BUDGETS, Budget
from isocortex.cli import app
from isocortex.cli.study import crossed_recipes
from isocortex.errors import InputError
from isocortex.recipes import Recipe
from isocortex.shipped import shipped_path, shipped_recipes
from isocortex.trained import write_network
from isocortex.training import train

CELLS = [
    f"{architecture}/{objective}/{rule}@digits:brief#{seed}"
    for architecture, objective, rule, seed in product(
        ("mlp3", "mlp3-narrow"), ("categorise", "autoencode"), ("backprop", "feedback"), range(2)
    )
]
BENCHMARKS = ["simulated/V1/rsa", "simulated/IT/cka"]
STAR = "mlp3/none/untrained@digits:brief#0"


@pytest.fixture
def shipped(tmp_path, monkeypatch, empty_home):
    monkeypatch.setitem(BUDGETS, "brief", Budget("brief", 2))
    monkeypatch.setattr("isocortex.shipped.shipped_folder", lambda: tmp_path)
    wanted = [load_benchmark(name) for name in BENCHMARKS]
    monkeypatch.setattr("isocortex.cli.study.recorded_or_simulated", lambda: (wanted, True))
    for name in (*CELLS, STAR):
        write_network(train(name), shipped_path(Recipe.parse(name)))


def test_scores_are_attributed_to_the_components_of_the_crossed_networks(shipped):
    found = json.loads(CliRunner().invoke(app, ["study", "--json"]).stdout)
    assert list(found) == BENCHMARKS
    for each in found.values():
        assert sum(row["eta_squared"] for row in each["shares"].values()) == pytest.approx(1)
        assert set(each["means"]["architecture"]) == {"mlp3", "mlp3-narrow"}
        assert each["shares"]["seeds"]["p"] is None
    table = CliRunner().invoke(app, ["study"]).stdout
    assert "Which component do scores follow?" in table
    assert STAR in table  # scored, and left out of the crossing


def test_what_kept_networks_from_a_score_is_told_where_the_crossing_has_gaps(
    monkeypatch, empty_home
):
    wanted = [load_benchmark(BENCHMARKS[0])]
    recipes = tuple(Recipe.parse(name) for name in CELLS)
    monkeypatch.setattr("isocortex.cli.study.shipped_recipes", lambda: recipes)
    monkeypatch.setattr("isocortex.cli.study.recorded_or_simulated", lambda: (wanted, True))
    errors = {CELLS[0]: InputError("its file is damaged")}
    monkeypatch.setattr("isocortex.cli.study.score_models", lambda *_, **__: ([], errors))
    found = CliRunner().invoke(app, ["study"])
    assert "no network has a value" in str(found.exception)
    assert "its file is damaged" in found.stderr.replace("\n", " ")


def test_the_crossing_is_what_has_several_seeds():
    recipes = [Recipe.parse(name) for name in (*CELLS, STAR)]
    assert [each.name for each in crossed_recipes(recipes)] == CELLS
    with pytest.raises(InputError, match="no shipped network has several seeds"):
        crossed_recipes(recipes[-1:])


def test_the_shipped_crossing_is_complete():
    found = crossed_recipes(shipped_recipes())
    assert {each.seed for each in found} == {0, 1, 2}
    assert len(found) == 81
