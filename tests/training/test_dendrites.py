"""Segregated dendrites teach hidden layers, which come to agree with the feedback they get."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from isocortex.model_zoo.diets.digits import digits
from isocortex.model_zoo.learning_rules.segregated_dendrites import segregated_dendrites
from isocortex.model_zoo.objectives.categorise import categorise
from torch import nn

from isocortex.budgets import BUDGETS, Budget
from isocortex.errors import IncompatibleError, InputError
from isocortex.training import Batch, Keeper, Network, Objective, credit_audit, train
from isocortex.training.audit import angle_and_ratio


@pytest.fixture(scope="module")
def diet():
    return digits()


def perceptron(*units):
    """Sigmoid layers on pixels, which a layer of fixed weights hands on as they are."""
    pixels = nn.Linear(192, 192, bias=False).requires_grad_(False)
    nn.init.eye_(pixels.weight)
    layers = [nn.Sequential(nn.Linear(*pair), nn.Sigmoid()) for pair in pairwise((192, *units))]
    blocks = {f"block{number}": each for number, each in enumerate(layers, start=1)}
    network = Network(
        {"pixels": nn.Sequential(nn.Flatten(), pixels), **blocks}, width=(192, *units)[-1]
    )
    network.image_size = (8, 8)
    return network


def learned(diet, *units, seed=0, steps=1250):
    torch.manual_seed(seed)
    learner = segregated_dendrites(perceptron(*units), categorise(diet))
    budget, optimiser = Budget("own", steps), torch.optim.Adam(learner.taught().values())
    for step in range(steps):
        learner.zero_grad()
        learner.step(diet.batch_at(step, budget.batch, seed=seed), torch.Generator())
        optimiser.param_groups[0]["lr"] = budget.rate_at(step)
        optimiser.step()
    return learner


def accuracy(learner, diet):
    test = diet.test.batch(np.arange(len(diet.test)))
    with torch.no_grad():
        answers = learner.head(learner.network(test.images)).argmax(1)
    return float((answers == test.labels).float().mean())


def angle_to_feedback(learner):
    """Between the head's weights and what its outputs tell the layer below."""
    feedback = list(learner.apical.tensors().values())[-1]
    return angle_and_ratio(feedback.flatten(), learner.head.weight.detach().flatten())[0]


@pytest.fixture(scope="module")
def hidden(diet):
    return [learned(diet, 128, seed=seed) for seed in (0, 1)]


def test_a_hidden_layer_beats_a_single_one_on_digits(hidden, diet):
    for seed, learner in enumerate(hidden):
        assert accuracy(learner, diet) > accuracy(learned(diet, seed=seed), diet)
    assert np.mean([accuracy(learner, diet) for learner in hidden]) > 0.955


def test_the_weights_come_to_agree_with_the_feedback(hidden, diet):
    assert angle_to_feedback(learned(diet, 128, steps=0)) == pytest.approx(90, abs=5)
    for learner in hidden:
        assert angle_to_feedback(learner) < 60


def test_what_a_hidden_layer_learns_comes_to_lower_the_loss(hidden, diet):
    batch = diet.batch_at(0, 64, seed=0)
    assert all(credit_audit(each, batch, seed=0)["block1"][0] < 90 for each in hidden)


def test_plateaus_of_the_two_phases_are_what_basal_synapses_learn_from(diet):
    torch.manual_seed(0)
    learner = segregated_dendrites(perceptron(5), categorise(diet)).double()
    given = diet.batch_at(0, 16, seed=0)
    images, targets = given.images.double().flatten(1), nn.functional.one_hot(given.labels, 10)
    learner.step(Batch(given.images.double(), given.labels), torch.Generator())
    layer, apical = learner.network.blocks.block1[0], learner.apical.tensors()["block1"]
    with torch.no_grad():
        hidden = layer(images).sigmoid()
        rates = learner.head(hidden).sigmoid()
        moved = (targets.double() @ apical).sigmoid() - (rates @ apical).sigmoid()
        basal = (moved * hidden * (1 - hidden)).T @ images / 16
        output = ((targets - rates) * rates * (1 - rates)).T @ hidden / 16
    torch.testing.assert_close(-layer.weight.grad, basal, rtol=1e-9, atol=1e-14)
    torch.testing.assert_close(-learner.head.weight.grad, output, rtol=1e-9, atol=1e-14)


class Far(Objective):
    """Targets that no rate can reach."""

    def loss(self, outputs, batch):
        return (outputs - self.targets(batch)).square().mean()

    def targets(self, batch):
        return torch.full((len(batch), 64), 2.0)


def test_targets_that_are_no_rates_are_refused(diet):
    learner = segregated_dendrites(perceptron(64), Far())
    with pytest.raises(InputError, match="rates from 0 to 1"):
        learner.step(diet.batch_at(0, 4, seed=0), torch.Generator())


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("blt3/categorise/segregated-dendrites@digits#0", "segregated-dendrites needs chain"),
        ("mlp3-sigmoid/contrast/segregated-dendrites@digits#0", "needs targets"),
    ],
)
def test_networks_that_are_no_chain_and_objectives_without_targets_are_refused(recipe, message):
    with pytest.raises(IncompatibleError, match=message):
        train(recipe)


@pytest.mark.parametrize("architecture", ["mlp3-sigmoid", "conv4"])
def test_feedback_is_kept_with_the_weights(architecture, tmp_path, monkeypatch):
    monkeypatch.setitem(BUDGETS, "brief", Budget("brief", 4))
    recipe = f"{architecture}/categorise/segregated-dendrites@digits:brief#0"
    whole = train(recipe, keeper=Keeper(tmp_path)).network.state_dict()
    for step in Keeper(tmp_path).steps()[-2:]:
        (tmp_path / f"step-{step:08d}.safetensors").unlink()
    taken_up = train(recipe, keeper=Keeper(tmp_path)).network.state_dict()
    assert all(torch.equal(taken_up[name], value) for name, value in whole.items())
