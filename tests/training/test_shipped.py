"""Networks as files: written whole, read as they were, and listed without their weights."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from isocortex.biology import biology
from isocortex.budgets import BUDGETS, Budget
from isocortex.cli import app
from isocortex.errors import InputError, MismatchError
from isocortex.recipes import Recipe, part_card
from isocortex.runs import load_candidate
from isocortex.shipped import network_header, shipped_folder, shipped_path, shipped_recipes
from isocortex.trained import (
    find_trained,
    plot_history,
    read_network,
    train_recipe,
    trained_folder,
    write_network,
)
from isocortex.training import train

RECIPE = "mlp3/categorise/greedy@digits:brief#0"
WEIGHT = "blocks.block1.1.weight"


@pytest.fixture(autouse=True)
def brief(monkeypatch, empty_home):
    monkeypatch.setitem(BUDGETS, "brief", Budget("brief", 3))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder of shipped networks."""
    monkeypatch.setattr("isocortex.shipped.shipped_folder", lambda: tmp_path)
    return tmp_path


def test_a_network_is_read_as_it_was_written(tmp_path):
    trained = train(RECIPE)
    path = tmp_path / "network.safetensors"
    write_network(trained, path)
    found = read_network(path)
    assert found.recipe == trained.recipe
    assert found.seconds == trained.seconds
    assert found.history.identical(trained.history)  # also where a block has no gradient
    assert np.isnan(found.history.angle).any()
    for name, own in trained.network.state_dict().items():
        halved = own.half().to(own.dtype) if own.is_floating_point() else own
        assert torch.equal(found.network.state_dict()[name], halved)
    images = torch.randn(4, 3, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(
            found.network(images), trained.network(images), rtol=0.02, atol=0.02
        )
    assert [each.name for each in tmp_path.iterdir()] == ["network.safetensors"]


def test_the_header_is_strict_json_and_holds_the_full_card(tmp_path):
    write_network(train(RECIPE), path := tmp_path / "network.safetensors")
    header = network_header(path)
    json.dumps(header, allow_nan=False)
    facts = header["facts"]
    assert facts["network"]["blocks"] == list(train(RECIPE).network.blocks)
    assert facts["budget"]["images"] == 3 * 64
    assert facts["audit"]["angle"]["head"] == pytest.approx(0, abs=1e-3)
    assert facts["audit"]["angle"]["heads"] is None
    assert facts["biology"] == biology(Recipe.parse(RECIPE))


def test_a_shipped_network_is_not_trained_again(folder):
    write_network(train_recipe(RECIPE), shipped_path(Recipe.parse(RECIPE)))
    for each in trained_folder(Recipe.parse(RECIPE)).iterdir():
        each.unlink()
    candidate = load_candidate(RECIPE)
    assert not list(trained_folder(Recipe.parse(RECIPE)).iterdir())
    assert candidate.card.name == RECIPE
    assert [each.name for each in shipped_recipes()] == [RECIPE]
    assert find_trained(RECIPE).network.state_dict()[WEIGHT].dtype == torch.float32


def test_training_tells_how_near_it_comes_to_what_is_shipped(folder):
    write_network(train(RECIPE), shipped_path(Recipe.parse(RECIPE)))
    same = CliRunner().invoke(app, ["train", RECIPE])
    assert "differ by 2" in same.stderr.replace("\n", " ")
    assert "e-04 of their size" in same.stderr.replace("\n", " ")


@pytest.mark.parametrize("name", ["a+b", "conv4+dale/categorise/backprop@digits#11"])
def test_names_of_files_give_the_recipe_back(name, folder):
    if "/" not in name:
        with pytest.raises(InputError, match="is no recipe"):
            Recipe.parse(name)
        return
    shipped_path(Recipe.parse(name)).touch()
    assert [each.name for each in shipped_recipes()] == [name]


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match="can't be read as a network"):
        read_network(path)
    save_file({"x": torch.zeros(2)}, path)
    with pytest.raises(InputError, match="holds no recipe"):
        read_network(path)
    write_network(train(RECIPE), path)
    header = {"isocortex": json.dumps(network_header(path))}
    weights = load_file(path)
    del weights[WEIGHT]
    save_file(weights, path, header)
    with pytest.raises(MismatchError, match="(?s)not of today's mlp3.*" + WEIGHT):
        read_network(path)


def test_weights_that_half_precision_cannot_hold_are_refused(tmp_path):
    trained = train(RECIPE)
    with torch.no_grad():
        trained.network.get_parameter(WEIGHT)[0, 0] = 1e5
    with pytest.raises(InputError, match=WEIGHT + r" holds 1e\+05, more than float16"):
        write_network(trained, tmp_path / "network.safetensors")
    assert not list(tmp_path.iterdir())


def test_every_shipped_network_is_small_and_reads_as_its_name_says():
    paths = sorted(shipped_folder().glob("*.safetensors"))
    assert sum(path.stat().st_size for path in paths) < 40e6
    for recipe in shipped_recipes():
        path = shipped_path(recipe)
        assert path.stat().st_size < 1e6
        assert network_header(path)["recipe"] == recipe.name
        assert not recipe.gaps()


def test_networks_are_listed_without_torch():
    code = (
        "import sys, isocortex.shipped as s; s.shipped_recipes(); "
        "from isocortex.biology import biology; from isocortex.recipes import grid; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_biology_card_follows_from_the_parts():
    hub = biology(Recipe.parse("conv4/categorise/backprop@digits#0"))
    assert not any(hub.values())
    local = biology(Recipe.parse("local4/contrast/feedback@shapes32#0"))
    assert {name for name, true in local.items() if true} == {
        "no_weight_transport",
        "no_labels",
        "no_weight_sharing",
    }
    signed = biology(Recipe.parse("dann4+dale/categorise/backprop@digits#0"))
    assert [name for name, true in signed.items() if true] == ["dale"]
    assert not biology(Recipe.parse("dann4/categorise/backprop@digits#0"))["dale"]
    assert biology(Recipe.parse("conv4/none/softhebb@digits#0"))["online"]
    for trunk in ("conv4-hopfield", "conv4-key-value"):
        assert not any(biology(Recipe.parse(f"{trunk}/categorise/backprop@digits#0")).values())


def test_all_constraints_of_a_network_are_told(folder):
    name = "mlp3-narrow+non-negative+sparse/none/untrained@digits:brief#0"
    cards = [part_card("constraint", each) for each in ("non-negative", "sparse")]
    facts = json.loads(CliRunner().invoke(app, ["models", name, "--json"]).stdout)
    assert facts["constraint"] == [card.summary for card in cards]
    told = load_candidate(name).card
    assert all(card.source in told.source for card in cards)
    shipped_path(Recipe.parse(name)).touch()
    listed = json.loads(CliRunner().invoke(app, ["models", "--json"]).stdout)
    assert listed[-1]["parts"][-2:] == [["constraint", "non-negative"], ["constraint", "sparse"]]


def test_the_full_card_of_a_recipe_is_shown(folder):
    recipe = Recipe.parse(RECIPE)
    write_network(train(RECIPE), shipped_path(recipe))
    found = CliRunner().invoke(app, ["models", RECIPE, "--json"])
    facts = json.loads(found.stdout)
    assert facts["control_of"] == []
    assert facts["result"]["checkpoints"][-1] == 3
    other = Recipe.parse(RECIPE.replace("greedy", "backprop"))
    unknown = json.loads(CliRunner().invoke(app, ["models", other.name, "--json"]).stdout)
    assert (unknown["shipped"], unknown["biology"]["local"]) == (False, False)
    write_network(train(other), shipped_path(other))
    facts = json.loads(CliRunner().invoke(app, ["models", RECIPE, "--json"]).stdout)
    assert facts["control_of"] == [other.name]
    listed = CliRunner().invoke(app, ["models"])
    assert RECIPE in listed.stdout


def test_curves_show_what_was_measured(tmp_path):
    history = train("hopfield2/categorise/equilibrium@digits:brief#0").history
    figure = plot_history(history, title="hopfield2")
    labels = {axes.get_ylabel() for axes in figure.axes}
    assert {"loss", "embedding", "angle to the gradient (°)", "relaxation"} <= labels
    loss = next(axes for axes in figure.axes if axes.get_ylabel() == "loss")
    np.testing.assert_array_equal(loss.get_lines()[0].get_ydata(), history.loss)
    figure.savefig(tmp_path / "curves.svg")
    assert "relaxation" not in {
        axes.get_ylabel() for axes in plot_history(train(RECIPE).history).axes
    }


def test_curves_of_a_network_that_is_not_taught_are_drawn(tmp_path):
    history = train("mlp3-narrow/none/untrained@digits:brief#0").history
    plot_history(history).savefig(tmp_path / "curves.svg")
    assert (tmp_path / "curves.svg").stat().st_size


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (["--plot", "curves.txt"], "curves.txt should end in .svg or .png or .pdf"),
        (["--export", "/nowhere/x.safetensors"], "there is no folder /nowhere"),
    ],
)
def test_files_that_cannot_be_written_are_refused_before_training(options, fault):
    found = CliRunner().invoke(app, ["train", RECIPE, *options])
    assert isinstance(found.exception, InputError)
    assert fault in str(found.exception)
    assert not trained_folder(Recipe.parse(RECIPE)).exists()


def test_the_command_writes_network_and_curves(tmp_path):
    files = [tmp_path / "curves.svg", tmp_path / "network.safetensors"]
    found = CliRunner().invoke(
        app, ["train", RECIPE, "--plot", str(files[0]), "--export", str(files[1]), "--json"]
    )
    assert found.exit_code == 0
    assert json.loads(found.stdout)["recipe"] == RECIPE
    assert "<svg" in files[0].read_text()
    assert read_network(files[1]).recipe.name == RECIPE
