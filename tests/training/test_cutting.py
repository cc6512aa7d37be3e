"""Rules that cut credit between blocks, and rules that only know the value of the loss."""

import copy
from functools import partial

import numpy as np
import pytest
import torch
from isocortex.model_zoo.architectures.perceptron import mlp3
from isocortex.model_zoo.diets.digits import digits
from isocortex.model_zoo.learning_rules._blocks import block_widths, pooled
from isocortex.model_zoo.learning_rules.clapp import clapp
from isocortex.model_zoo.learning_rules.forward_forward import (
    forward_forward,
    goodness,
    labelled,
    wrong_labels,
)
from isocortex.model_zoo.learning_rules.greedy import greedy, similarity_matching
from isocortex.model_zoo.learning_rules.kernel_bottleneck import hsic
from isocortex.model_zoo.learning_rules.latent_predictive import latent_predictive
from isocortex.model_zoo.learning_rules.perturbation import perturbation
from isocortex.model_zoo.objectives.categorise import categorise
from isocortex.model_zoo.objectives.none import none
from torch import nn
from torch.nn import functional

from isocortex.budgets import BUDGETS, Budget
from isocortex.errors import IncompatibleError, InputError
from isocortex.registry import find_entry
from isocortex.training import (
    Batch,
    Diet,
    Images,
    Network,
    Objective,
    Recipe,
    credit_audit,
    require_fitting,
    train,
)

node_perturbation = partial(perturbation, jittered="nodes")
weight_perturbation = partial(perturbation, jittered="weights")

CUT = {
    "greedy": lambda network: greedy(network, categorise(digits()), similarity=0.0),
    "greedy-similarity": lambda network: greedy(network, categorise(digits()), similarity=0.99),
    "hsic": lambda network: hsic(network, categorise(digits())),
    "forward-forward": lambda network: forward_forward(network, none(digits())),
    "clapp": lambda network: clapp(network, none(digits())),
    "latent-predictive": lambda network: latent_predictive(
        network, none(digits()), hebbian=1.0, decorrelation=10.0
    ),
}


@pytest.fixture(autouse=True)
def brief(monkeypatch):
    torch.manual_seed(0)
    monkeypatch.setitem(BUDGETS, "brief", Budget("brief", 40))


def perceptron():
    network = mlp3((8, 8), width=32, activation="ReLU").double()
    network.image_size = (8, 8)
    return network


def noise(seed=0):
    return torch.Generator().manual_seed(seed)


def moving(images):
    """Images as the last frames of films of 2 frames: before, they were one pixel to the left."""
    films = np.stack([np.roll(images.pixels, -1, axis=2), images.pixels], axis=1)
    return Images(images.pixels, images.labels, sequences=films)


def moving_digits():
    still = digits()
    return Diet(moving(still.train), moving(still.test), still.categories)


def a_batch(size=24):
    batch = moving_digits().batch_at(0, size, seed=0)
    return Batch(batch.images.double(), batch.labels, {}, batch.sequence.double())


def gradients(learner, batch):
    learner.zero_grad()
    learner.step(batch, noise())
    return {name: each.grad.clone() for name, each in learner.taught().items()}


@pytest.mark.parametrize("rule", CUT)
def test_no_credit_comes_from_the_blocks_above(rule):
    learner, batch = CUT[rule](perceptron()).double(), a_batch()
    before = gradients(learner, batch)
    with torch.no_grad():
        for name, parameter in learner.taught().items():
            if "block1" not in name:
                parameter.mul_(-3)
    after = gradients(learner, batch)
    below = {name for name in before if name.startswith("network.blocks.block1")}
    assert all(before[name].abs().max() > 0 for name in before)
    assert all(torch.equal(before[name], after[name]) for name in below)
    assert not any(torch.equal(before[name], after[name]) for name in before if "block2.0" in name)


def test_a_cut_answer_has_no_gradient_below_its_block():
    network = perceptron()
    network.answers(a_batch().images, cut=True)["block3"].sum().backward()
    reached = {name for name, each in network.named_parameters() if each.grad is not None}
    assert reached == {"blocks.block3.0.weight", "blocks.block3.0.bias"}


@pytest.mark.parametrize("rule", CUT)
def test_the_last_block_of_a_chain_of_one_gets_the_gradient_of_its_own_loss(rule):
    network = Network(
        {"only": nn.Sequential(nn.Flatten(), nn.Linear(192, 16), nn.ReLU())}, width=16
    )
    network.image_size = (8, 8)
    learner = CUT[rule](network).double()
    angles = credit_audit(learner, a_batch(), seed=0)
    expected = [each for name, each in angles.items() if not (rule == "hsic" and name == "only")]
    assert expected
    assert all(angle < 1e-3 and abs(ratio - 1) < 1e-9 for angle, ratio in expected)


def test_greedy_is_backprop_in_the_last_block_and_not_below():
    history = train("mlp3/categorise/greedy@digits:brief#0").history
    angles = history.angle[-1]
    assert float(angles.sel(block="block3")) < 1e-3
    assert 5 < float(angles.sel(block="block2")) < 90
    assert float(history.loss[-5:].mean()) < float(history.loss[0]) / 2


def test_matching_is_the_mean_squared_difference_of_correlations():
    units, labels = torch.randn(6, 5, dtype=torch.float64), torch.tensor([0, 1, 2, 0, 1, 2])
    wanted = np.corrcoef(np.eye(3)[labels])
    expected = ((np.corrcoef(units) - wanted) ** 2).mean()
    assert float(similarity_matching(units, labels)) == pytest.approx(expected, rel=1e-12)
    perfect = functional.one_hot(labels).double() * 3 + 1
    assert float(similarity_matching(perfect, labels)) == pytest.approx(0, abs=1e-12)


def one_layer(inputs, units):
    torch.manual_seed(1)
    block = nn.Sequential(nn.Flatten(), nn.Linear(inputs, units, bias=False), nn.ReLU())
    network = Network({"layer": block}, width=units).double()
    network.image_size = (1, inputs // 3)
    return network


def test_the_bottleneck_is_pre_times_post_times_a_modulator():
    network = one_layer(12, 7)
    learner = hsic(network, categorise(digits())).double()
    images, labels = torch.randn(10, 3, 1, 4, dtype=torch.float64), torch.arange(10) % 3
    learner.step(Batch(images, labels), noise())
    pre = images.flatten(1)
    post = network(images).detach()
    size = post.norm(dim=1)
    alike = (post @ post.T) / (size[:, None] * size)
    same = (labels[:, None] == labels).double()
    modulator = 2 * (alike - alike.mean()) - 2.0 * (same - same.mean())
    expected = torch.zeros(7, 12, dtype=torch.float64)
    for i in range(10):
        for j in range(10):
            other = (post[j] / size[j] - alike[i, j] * post[i] / size[i]) / size[i]
            expected += 2 * modulator[i, j] * torch.outer(other * (post[i] > 0), pre[i]) / 10**2
    torch.testing.assert_close(network.blocks["layer"][1].weight.grad, expected, rtol=1e-10, atol=0)


def test_clapp_is_a_three_factor_rule():
    network = one_layer(12, 7)
    learner = clapp(network, none(digits())).double()
    films = torch.randn(2, 2, 3, 1, 4, dtype=torch.float64) * 2
    learner.step(Batch(films[:, 1], sequence=films), noise())
    (before, after), slope = films.flatten(2).transpose(0, 1), lambda answer: (answer > 0).double()
    c, z = (
        functional.relu(x @ network.blocks["layer"][1].weight.T).detach() for x in (before, after)
    )
    predictor = learner.predictors["layer"].weight.detach()
    expected, lateral = torch.zeros(7, 12).double(), torch.zeros(7, 7).double()
    gates = []
    for i in range(2):
        for j, sign in ((i, 1), (1 - i, -1)):
            open_ = float(sign * (z[j] @ predictor @ c[i]) < 1) * sign / 2
            gates.append(open_)
            expected -= open_ * torch.outer(predictor @ c[i] * slope(z[j]), after[j])
            expected -= open_ * torch.outer(predictor.T @ z[j] * slope(c[i]), before[i])
            lateral -= open_ * torch.outer(z[j], c[i])
    assert 0 in gates
    assert len(set(gates)) == 3
    found = network.blocks["layer"][1].weight.grad, learner.predictors["layer"].weight.grad
    torch.testing.assert_close(found, (expected, lateral), rtol=1e-10, atol=1e-14)


def answers_of(network, images, labels):
    with torch.no_grad():
        answers = network.eval().answers(labelled(images, labels), cut=True)
    return {name: goodness(answer) for name, answer in answers.items()}


def test_goodness_tells_true_from_wrong_labels_in_each_block():
    diet = digits()
    network = mlp3((8, 8), width=128, activation="ReLU")
    learner = forward_forward(network, none(diet))
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3)
    for step in range(200):
        learner.zero_grad()
        learner.step(diet.batch_at(step, 64, seed=0), noise(step))
        optimiser.step()
    unseen = diet.test.batch(np.arange(400))
    true = answers_of(network, unseen.images, unseen.labels)
    wrong = answers_of(network, unseen.images, wrong_labels(unseen.labels, noise()))
    for block in true:
        assert float((true[block] > wrong[block]).double().mean()) > 0.9
        assert float(true[block].mean()) > 1 > float(wrong[block].mean())


def test_goodness_is_not_passed_on():
    network = perceptron()
    forward_forward(network, none(digits()))
    above = nn.Sequential(*list(network.blocks.values())[1:])
    answer = network.blocks["block1"](a_batch().images)
    torch.testing.assert_close(above(answer), above(5 * answer), rtol=1e-4, atol=1e-6)


def test_wrong_labels_are_labels_of_others():
    labels = torch.tensor([3, 7, 7, 9] * 50)
    wrong = wrong_labels(labels, noise())
    assert not (wrong == labels).any()
    assert set(wrong.tolist()) == {3, 7, 9}


def test_the_waves_of_a_thousand_labels_differ():
    blank = torch.zeros(1000, 3, 32, 32)
    waves = labelled(blank, torch.arange(1000))[:, 0].flatten(1)
    assert float(torch.pdist(waves).min()) > 0.1


def spread_after(hebbian):
    """The standard deviation of the embedding's units over unseen images, once trained."""
    diet = moving_digits()
    network = mlp3((8, 8), width=32, activation="Tanh")
    learner = latent_predictive(network, none(diet), hebbian=hebbian, decorrelation=10.0)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    for step in range(250):
        learner.zero_grad()
        learner.step(diet.batch_at(step, 64, seed=0), noise(step))
        optimiser.step()
    with torch.no_grad():
        return float(network(diet.test.batch(np.arange(400)).images).std(dim=0).mean())


def test_without_the_hebbian_term_responses_collapse():
    assert spread_after(hebbian=0.0) < 1e-3
    assert spread_after(hebbian=1.0) > 0.1


def test_the_terms_of_latent_prediction_are_those_of_the_paper():
    network = one_layer(12, 4)
    films = torch.randn(9, 2, 3, 1, 4, dtype=torch.float64)
    learner = latent_predictive(network, none(digits()), hebbian=0.5, decorrelation=3.0)
    before, after = (network(films[:, time]).detach().numpy() for time in (0, 1))
    covariance = np.cov(after.T)
    shared = (covariance**2).sum() - (np.diag(covariance) ** 2).sum()
    expected = (
        ((after - before) ** 2).mean() / 2
        - 0.5 * np.log(np.diag(covariance) + 1e-4).mean() / 2
        + 3.0 * shared / (4 * 3)
    )
    found = learner.step(Batch(films[:, 1], sequence=films), noise())
    assert float(found) == pytest.approx(expected, rel=1e-12)


class TowardsOne(Objective):
    """Half the squared distance of the outputs from 1."""

    def loss(self, outputs, batch):
        return ((outputs - 1) ** 2).sum(dim=1).mean() / 2


def one_hot_batch(count):
    return Batch(torch.eye(count, dtype=torch.float64)[:, :, None, None])


IMAGES = 400
"""Each of them has a column of weights, so a step estimates as many gradients."""


def estimates(units, draws):
    """The gradients at the units for each image, (unit, image): true, and by perturbation."""
    block = nn.Sequential(nn.Flatten(), nn.Linear(IMAGES, units, bias=False))
    network = Network({"layer": block}, width=units).double()
    learner, batch = node_perturbation(network, TowardsOne(), draws=draws), one_hot_batch(IMAGES)
    learner.loss(batch, noise()).backward()
    weight = network.blocks["layer"][1].weight
    true = weight.grad.clone()
    learner.zero_grad()
    learner.step(batch, noise())
    return true, weight.grad


@pytest.mark.parametrize("draws", [4, 16, 64])
def test_node_perturbation_comes_nearer_the_gradient_with_each_draw(draws):
    true, found = estimates(20, draws)
    cosine = ((true * found).sum(0) ** 2).sum() / ((true**2).sum(0) * (found**2).sum(0)).sum()
    expected = ((draws + 2) / (draws + 20 + 1)) ** 0.5
    angles = np.degrees(np.arccos([float(cosine) ** 0.5, expected]))
    assert angles[0] == pytest.approx(angles[1], abs=3)


@pytest.mark.parametrize("units", [10, 20, 40])
def test_the_variance_of_node_perturbation_is_proportional_to_the_units(units):
    true, found = estimates(units, 40)
    variance = float(((found - true) ** 2).sum() / (true**2).sum())
    assert variance == pytest.approx((units + 1) / 40, rel=0.1)


def squared_error(learner, batch, seeds=4):
    """Of all gradients together, as a share of the squared gradient, averaged over seeds."""
    learner.zero_grad()
    learner.loss(batch, noise()).backward()
    true = torch.cat([each.grad.flatten() for each in learner.taught().values()])
    errors = []
    for seed in range(seeds):
        learner.zero_grad()
        learner.step(batch, noise(seed))
        found = torch.cat([each.grad.flatten() for each in learner.taught().values()])
        errors.append(float(((found - true) ** 2).sum() / (true**2).sum()))
    return float(np.mean(errors))


def test_the_mean_of_node_perturbation_is_the_gradient_of_a_deep_network():
    one = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Tanh())
    two = nn.Sequential(nn.Flatten(), nn.Linear(8, 3))
    network = Network({"one": one, "two": two}, width=3)
    head = categorise(digits())
    images, labels = torch.randn(2, 3, 4, 4).double(), torch.tensor([1, 4])
    few, many = (
        squared_error(node_perturbation(network, head, draws=k).double(), Batch(images, labels))
        for k in (100, 1600)
    )
    assert many < 0.1
    assert few / many == pytest.approx(1600 / 100, rel=0.4)


@pytest.mark.parametrize("draws", [10, 100, 1000])
def test_weight_perturbation_comes_nearer_the_gradient_with_each_draw(draws):
    block = nn.Sequential(nn.Flatten(), nn.Linear(8, 5, bias=False))
    learner = weight_perturbation(
        Network({"layer": block}, width=5).double(), TowardsOne(), draws=draws
    )
    audits = [credit_audit(learner, one_hot_batch(8), seed=seed)["layer"] for seed in range(8)]
    expected = np.degrees(np.arccos(((draws + 2) / (draws + 40 + 1)) ** 0.5))
    assert np.mean([angle for angle, _ in audits]) == pytest.approx(expected, abs=4)


@pytest.mark.parametrize("rule", [node_perturbation, weight_perturbation])
def test_perturbation_leaves_the_network_as_it_was(rule):
    network = perceptron()
    learner = rule(network, categorise(digits()), draws=2).double()
    before, answer = copy.deepcopy(network.state_dict()), network(a_batch().images)
    found = gradients(learner, a_batch())
    assert all(each.abs().max() > 0 for each in found.values())
    assert all(torch.equal(each, before[name]) for name, each in network.state_dict().items())
    assert torch.equal(network(a_batch().images), answer)


def test_node_perturbation_says_what_it_can_not_perturb():
    attention = nn.MultiheadAttention(192, 2)
    block = nn.Sequential(nn.Flatten(), nn.Linear(192, 192))
    pair = Network({"one": block, "two": attention}, width=192).double()
    pair.blocks["two"].forward = lambda x: (x, x)
    with pytest.raises(IncompatibleError, match="MultiheadAttention gives several answers"):
        node_perturbation(pair, TowardsOne(), draws=1).step(a_batch(), noise())
    folded = nn.Sequential(
        nn.Flatten(0, 2), nn.Linear(8, 8), nn.Flatten(), nn.Unflatten(0, (24, 24))
    )
    mixed = Network({"one": folded, "two": nn.Flatten()}, width=192).double()
    with pytest.raises(IncompatibleError, match=r"\(576, 8\) to 24 inputs"):
        node_perturbation(mixed, TowardsOne(), draws=1).step(a_batch(), noise())


def test_answers_are_pooled_into_one_vector_for_each_image():
    maps = torch.arange(32.0).reshape(1, 2, 4, 4)
    assert pooled(maps).tolist() == [[sum(range(16)) / 16, sum(range(16, 32)) / 16]]
    assert pooled(maps, 2).shape == (1, 2 * 2 * 2)
    assert pooled(torch.ones(1, 2, 1, 4), 2).shape == (1, 2 * 1 * 2)
    assert pooled(torch.ones(5, 7, 3)).shape == (5, 3)
    assert block_widths(perceptron(), 2) == {"block1": 32, "block2": 32, "block3": 32}


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("conv4/categorise/forward-forward@digits#0", "forward-forward needs no-loss"),
        ("conv4/none/greedy@digits#0", "greedy needs loss"),
        ("conv4/none/clapp@digits#0", "clapp needs sequence"),
        ("conv4/none/latent-predictive@digits#0", "latent-predictive needs sequence"),
        ("conv4/none/node-perturbation@digits#0", "node-perturbation needs loss and output-error"),
        ("conv4/none/weight-perturbation@digits#0", "weight-perturbation needs loss"),
    ],
)
def test_parts_that_do_not_fit_are_refused(recipe, message):
    with pytest.raises(IncompatibleError, match=message):
        require_fitting(Recipe.parse(recipe))


class TwoViews(TowardsOne):
    def inputs(self, batch, generator):
        return torch.cat([batch.images, batch.images])


def test_what_can_not_be_learned_says_why():
    batch = a_batch()
    with pytest.raises(InputError, match="48 inputs for 24 labels"):
        hsic(perceptron(), TwoViews()).step(batch, noise())
    same = Batch(batch.images, torch.zeros(24, dtype=torch.long))
    with pytest.raises(InputError, match="one label"):
        forward_forward(perceptron(), none(digits())).step(same, noise())
    frozen = Batch(batch.images, sequence=batch.sequence[:, :1])
    with pytest.raises(InputError, match="films of 1 frame"):
        CUT["latent-predictive"](perceptron()).step(frozen, noise())
    with pytest.raises(InputError, match=r"set network\.image_size"):
        clapp(mlp3((8, 8), width=8, activation="ReLU"), none(digits()))


@pytest.mark.parametrize("rule", [*CUT, "node-perturbation", "weight-perturbation"])
def test_the_rules_are_found_by_name(rule):
    assert find_entry("learning_rule", rule).card.name == rule
