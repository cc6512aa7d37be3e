"""A recipe is trained the same way each time, and goes on from where it was killed."""

import numpy as np
import pytest
import torch

from isocortex.budgets import BUDGETS, Budget
from isocortex.errors import IncompatibleError, InputError, UnknownNameError
from isocortex.training import Diet, Images, Keeper, Recipe, train
from isocortex.training.loop import load_part, log_spaced
from isocortex.training.probes import probed

RECIPE = "conv4/categorise/backprop@digits:brief#0"


@pytest.fixture(autouse=True)
def brief(monkeypatch):
    monkeypatch.setitem(BUDGETS, "brief", Budget("brief", 40))


class KilledError(Exception):
    pass


def killed_at(step):
    def progress(done, of):
        if done == step:
            raise KilledError

    return progress


def test_a_run_that_was_killed_ends_with_the_same_weights_and_history(tmp_path):
    whole = train(RECIPE)
    with pytest.raises(KilledError):
        train(RECIPE, keeper=Keeper(tmp_path), progress=killed_at(30))
    assert Keeper(tmp_path).latest().step == 29
    taken_up = train(RECIPE, keeper=Keeper(tmp_path))
    for name, value in whole.network.state_dict().items():
        assert torch.equal(taken_up.network.state_dict()[name], value)
    assert taken_up.history.identical(whole.history)


def test_a_damaged_checkpoint_is_passed_over(tmp_path):
    keeper = Keeper(tmp_path)
    train(RECIPE, keeper=keeper)
    last = keeper.steps()[-1]
    (tmp_path / f"step-{last:08d}.safetensors").write_bytes(b"cut short")
    assert keeper.latest().step == keeper.steps()[-2]


def test_another_seed_is_another_network():
    first, second = train(RECIPE).network, train(RECIPE.replace("#0", "#1")).network
    assert not torch.equal(first.blocks.block1[0].weight, second.blocks.block1[0].weight)


def test_backprop_is_its_own_gradient_and_learns():
    history = train(RECIPE).history
    assert float(abs(history.angle).max()) < 1e-3
    assert float(history.loss[-5:].mean()) < float(history.loss[0]) / 5


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("conv4/categorise@digits#0", InputError, "no recipe; expected architecture/objective"),
        ("conv5/categorise/backprop@digits#0", UnknownNameError, "did you mean conv4"),
        ("conv4/categorise/backprop@digits:long#0", UnknownNameError, "no budget is named 'long'"),
    ],
)
def test_a_name_that_is_no_recipe_is_refused(name, error, message):
    with pytest.raises(error, match=message):
        train(name)


def test_the_name_of_a_recipe_is_the_recipe():
    for name in (RECIPE, "conv4+dale/contrast/feedback@shapes32#3"):
        assert Recipe.parse(name).name == name


def test_parts_that_do_not_fit_are_refused_with_every_gap(monkeypatch):
    from isocortex import recipes

    cards = dict(Recipe.parse(RECIPE).parts)
    card = recipes.part_card("learning_rule", cards["learning_rule"])
    needy = type(card)(**{**vars(card), "needs": ("spiking", "sequence")})
    monkeypatch.setattr(
        recipes,
        "part_card",
        lambda kind, name, found=recipes.part_card: (
            needy if kind == "learning_rule" else found(kind, name)
        ),
    )
    with pytest.raises(IncompatibleError, match="backprop needs spiking and sequence"):
        train(RECIPE)


def test_marks_are_spaced_evenly_in_the_logarithm():
    assert log_spaced(1000, count=4) == (0, 10, 100, 1000)


def test_an_untrained_network_is_what_its_seed_drew():
    trained = train("conv4/none/untrained@digits:brief#0")
    assert trained.history.sizes["step"] == 0
    assert trained.history.probed_step.values.tolist() == [0]
    learned = train(RECIPE)
    assert not torch.equal(
        learned.network.blocks.block1[0].weight, trained.network.blocks.block1[0].weight
    )
    assert float(trained.history.accuracy[0]) == float(learned.history.accuracy[0])


def test_a_collapse_is_told_once_when_it_is_seen(caplog, monkeypatch):
    monkeypatch.setattr("isocortex.training.probes._COLLAPSED", 10.0)  # everything is one
    train(RECIPE)
    assert [each for each in caplog.messages if "collapsed" in each] == [
        each for each in caplog.messages if f"{RECIPE} collapsed by step 0" in each
    ]
    assert sum("collapsed" in each for each in caplog.messages) == 1


@pytest.mark.parametrize(
    ("recipe", "quantities"),
    [
        (
            "hopfield2/categorise/equilibrium@digits:brief#0",
            ["residual of the free phase", "residual of the nudged phase"],
        ),
        (
            "mlp3/categorise/predictive-coding@digits:brief#0",
            ["free energy of the first pass", "free energy at rest"],
        ),
        (RECIPE, []),
    ],
)
def test_rules_that_relax_say_how_far_they_came(recipe, quantities):
    settling = train(recipe).history.settling
    assert settling.quantity.values.tolist() == quantities
    if "free energy at rest" in quantities:
        first, rest = settling.values.T
        assert (rest < first).all()
    elif quantities:
        assert float(settling.max()) < 1e-5  # a fixed point


def test_a_readout_sees_all_categories_of_images_that_stand_by_category(monkeypatch):
    monkeypatch.setattr("isocortex.training.probes._READ_FROM", 400)
    monkeypatch.setattr("isocortex.training.probes._READ_ON", 200)

    def by_category(images):
        return Images(images.pixels[order := np.argsort(images.labels)], images.labels[order])

    digits = load_part("diet", "digits")()
    standing = Diet(by_category(digits.train), by_category(digits.test))
    network = train("mlp3/none/untrained@digits:brief#0").network
    mixed, sorted_ = (
        probed(network, each, step=0, angles={}, settling={}) for each in (digits, standing)
    )
    assert sorted_.accuracy == pytest.approx(mixed.accuracy, abs=0.08)
