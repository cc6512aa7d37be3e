"""A recipe is a candidate: trained on first use, loaded afterwards, scored like any other."""

import json

import pytest
from typer.testing import CliRunner

from isocortex.budgets import BUDGETS, Budget
from isocortex.cli import app
from isocortex.errors import IncompatibleError
from isocortex.runs import load_candidate, score
from isocortex.trained import trained_folder
from isocortex.training import Recipe

RECIPE = "conv4/categorise/feedback@digits:brief#0"


@pytest.fixture(autouse=True)
def brief(monkeypatch, empty_home):
    monkeypatch.setitem(BUDGETS, "brief", Budget("brief", 10))


def test_a_recipe_is_trained_once_and_scored():
    first = load_candidate(RECIPE)
    kept = sorted(path.name for path in trained_folder(Recipe.parse(RECIPE)).iterdir())
    again = load_candidate(RECIPE)
    assert again.weights_hash == first.weights_hash
    assert sorted(path.name for path in trained_folder(Recipe.parse(RECIPE)).iterdir()) == kept
    found = score(again, "simulated/V1/rsa")
    assert found.candidate == RECIPE
    assert found.low <= found.raw <= found.high


def test_the_card_of_a_recipe_is_that_of_its_parts():
    card = load_candidate(RECIPE).card
    assert (card.architecture, card.objective, card.diet) == (
        "convolutional",
        "categorise",
        "digits",
    )
    assert card.seed == 0
    assert "Lillicrap" in card.bibtex


def test_the_command_trains_and_tells_what_was_learned():
    found = CliRunner().invoke(app, ["train", RECIPE, "--json"])
    assert found.exit_code == 0
    history = json.loads(found.stdout)["history"]
    assert len(history["data_vars"]["loss"]["data"]) == 10


def test_parts_that_do_not_fit_are_named_with_cells_that_do():
    with pytest.raises(IncompatibleError, match=r"backprop needs loss.*conv4/autoencode/backprop"):
        load_candidate("conv4/none/backprop@digits#0")
