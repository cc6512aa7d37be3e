"""Rules that draw samples have the right mean, and the variance that their papers say."""

import copy
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from isocortex.model_zoo.architectures.convolutional import conv4
from isocortex.model_zoo.architectures.perceptron import mlp3
from isocortex.model_zoo.learning_rules.backprop import backprop
from isocortex.model_zoo.learning_rules.evolution_strategies import (
    centred_ranks,
    evolution_strategies,
)
from isocortex.model_zoo.learning_rules.importance_sampling import importance_sampling, proposal
from isocortex.model_zoo.objectives.categorise import categorise
from torch import nn

from isocortex.budgets import BUDGETS, Budget
from isocortex.training import Batch, Network, Objective, train
from isocortex.training.loop import load_part

DIGITS = load_part("diet", "digits")()


def noise(seed=0):
    return torch.Generator().manual_seed(seed)


class _Of(Objective):
    """A loss that is a function of the weights alone, as outputs are the weights."""

    def __init__(self, function):
        self.function = function

    def loss(self, outputs, batch):
        return self.function(outputs[0])


def weights_alone(start, function, **options):
    """A learner of a vector of weights, that gives them as outputs whatever the image."""
    layer = nn.Linear(1, len(start), bias=False).double()
    layer.weight.data = torch.tensor(start, dtype=torch.float64)[:, None]
    network = Network({"only": layer}, width=len(start))
    options = {"pairs": 4, "noise": 0.5, "ranked": False} | options
    return evolution_strategies(network, _Of(function), **options)


ONE = Batch(torch.ones(1, 1, dtype=torch.float64))


def update(learner, batch, seed=0):
    learner.zero_grad()
    learner.step(batch, noise(seed))
    return torch.cat([each.grad.flatten() for each in learner.taught().values()])


def mean_and_error(learner, batch, draws):
    """The mean update over draws, and its standard error."""
    found = torch.stack([update(learner, batch, seed) for seed in range(draws)])
    return found.mean(0), found.std(0) / math.sqrt(draws)


# evolution strategies


def test_the_mean_update_is_the_gradient_of_the_smoothed_loss():
    start, size, wave = [0.3, -0.8, 1.1], 0.5, 3.0
    learner = weights_alone(start, lambda w: (wave * w).cos().sum(), pairs=64, noise=size)
    mean, error = mean_and_error(learner, ONE, 100)
    slope = -wave * (wave * torch.tensor(start, dtype=torch.float64)).sin()
    smoothed = slope * math.exp(-((wave * size) ** 2) / 2)  # of a cosine under Gaussian noise
    assert ((mean - smoothed).abs() < 4 * error).all()
    assert (error < 0.1 * smoothed.abs().max()).all()
    assert ((mean - slope).abs() > 20 * error).any()  # the loss's own gradient is another


def test_a_loss_of_steps_has_a_gradient_once_it_is_smoothed():
    start, size = [0.2, -0.4], 0.5
    learner = weights_alone(start, lambda w: (w > 0).double().sum(), pairs=64, noise=size)
    mean, error = mean_and_error(learner, ONE, 100)
    place = torch.tensor(start, dtype=torch.float64) / size
    density = (-(place**2) / 2).exp() / (math.sqrt(2 * math.pi) * size)
    assert ((mean - density).abs() < 4 * error).all()
    assert (error < 0.05).all()


def test_of_a_linear_loss_the_update_is_noise_times_slope_exactly():
    slope = torch.tensor([2.0, -1.0, 0.5], dtype=torch.float64)
    learner = weights_alone([0.1, 0.2, 0.3], lambda w: w @ slope, pairs=2)
    seeds = torch.randint(2**62, (2,), generator=noise(7)).tolist()
    drawn = torch.stack([torch.randn(3, 1, generator=noise(seed))[:, 0] for seed in seeds]).double()
    expected = (drawn @ slope) @ drawn / 2
    torch.testing.assert_close(update(learner, ONE, 7), expected, rtol=1e-12, atol=0)


def test_opposite_jitters_cancel_what_is_the_same_on_both_sides():
    even = weights_alone([0.0, 0.0], lambda w: w.square().sum() + 5)
    assert update(even, ONE).abs().max() < 1e-12
    plain, shifted = (
        weights_alone([0.4, -0.2], lambda w, c=constant: w.sin().sum() + c) for constant in (0, 100)
    )
    torch.testing.assert_close(update(plain, ONE), update(shifted, ONE), rtol=0, atol=1e-11)


def test_ranks_do_not_see_a_monotone_change_of_the_loss():
    ranked, curved = (
        weights_alone([0.4, -0.2], function, ranked=True)
        for function in (lambda w: w.sin().sum(), lambda w: w.sin().sum().exp() * 1e3)
    )
    assert torch.equal(update(ranked, ONE), update(curved, ONE))
    losses = torch.tensor([[3.0, 1.0], [2.0, 10.0]])
    expected = torch.tensor([[1 / 6, -1 / 2], [-1 / 6, 1 / 2]])
    torch.testing.assert_close(centred_ranks(losses), expected)


def conv4_of_seed(seed):
    torch.manual_seed(seed)
    return conv4((8, 8), width=4, activation="relu")


def digits_learner(rule, network, **options):
    torch.manual_seed(0)
    network.image_size = DIGITS.image_size
    return rule(network, categorise(DIGITS), **options).train()


def test_the_angle_to_the_gradient_is_that_of_its_number_of_pairs():
    torch.manual_seed(0)
    network = mlp3((8, 8), width=8, activation="Tanh")
    true = digits_learner(backprop, network).double()
    batch = DIGITS.train.batch(np.arange(64))
    batch = Batch(batch.images.double(), batch.labels)
    slope = update(true, batch)
    pairs, count = 256, len(slope)
    learner = evolution_strategies(
        network, true.objective, pairs=pairs, noise=1e-3, ranked=False
    ).double()
    learner.head = true.head
    cosines = [
        torch.cosine_similarity(update(learner, batch, seed), slope, dim=0) for seed in range(12)
    ]
    expected = math.sqrt((pairs + 2) / (pairs + count + 1))
    assert float(torch.stack(cosines).mean()) == pytest.approx(expected, rel=0.05)


def test_weights_and_running_means_are_as_after_one_quiet_pass():
    batch = DIGITS.train.batch(np.arange(32))
    options = {"pairs": 2, "noise": 0.1, "ranked": False}
    jittered, quiet = (
        digits_learner(rule, conv4_of_seed(0), **given)
        for rule, given in ((evolution_strategies, options), (backprop, {}))
    )
    before = copy.deepcopy(dict(jittered.named_parameters()))
    losses = [float(each.step(batch, noise()).detach()) for each in (jittered, quiet)]
    assert losses[0] == pytest.approx(losses[1])
    assert all(torch.equal(before[n], each) for n, each in jittered.named_parameters())
    means = dict(quiet.named_buffers())
    assert len(means) == 12
    assert all(torch.equal(means[n], each) for n, each in jittered.named_buffers())


# importance sampling


def separable(kind, **options):
    """A linear readout of inputs that stand for an embedding, so gradients are known by row."""
    torch.manual_seed(0)
    network = Network({"only": nn.Identity()}, width=6)
    learner = importance_sampling(
        network, kind(SimpleNamespace(categories=("a", "b", "c"))), share=0.25, **options
    ).double()
    images = torch.randn(32, 6, generator=noise(1)).double() * torch.linspace(0.1, 4, 32)[:, None]
    labels = torch.randint(3, (32,), generator=noise(2))
    return learner, Batch(images.double(), labels)


def rows_of(learner, batch):
    """What each input adds to the gradient, (input, weight); their sum is the gradient."""
    rows = []
    for each in range(len(batch)):
        learner.zero_grad()
        one = Batch(batch.images[each : each + 1], batch.labels[each : each + 1])
        (learner.loss(one, noise()) / len(batch)).backward()
        rows.append(torch.cat([p.grad.flatten() for p in learner.taught().values()]))
    return torch.stack(rows)


def variance(rows, chances):
    """The summed variance of rows/chances, one drawn."""
    return float((rows.square().sum(1) / chances).sum() - rows.sum(0).square().sum())


def chances_of(learner, batch):
    outputs = learner.head(batch.images).detach().requires_grad_()
    (error,) = torch.autograd.grad(learner.objective.loss(outputs, batch), outputs)
    return proposal(error, batch.images)


def test_sampled_updates_are_the_gradient_on_average():
    learner, batch = separable(categorise, important=True)
    gradient = rows_of(learner, batch).sum(0)
    mean, error = mean_and_error(learner, batch, 2000)
    assert ((mean - gradient).abs() < 4.5 * error).all()
    assert (error < 0.05 * gradient.abs().max()).all()


def test_updates_vary_as_the_chances_say_and_less_than_uniform_ones():
    learner, batch = separable(categorise, important=True)
    uniform, _ = separable(categorise, important=False)
    rows, draws = rows_of(learner, batch), 8
    least = float(rows.norm(dim=1).sum() ** 2 - rows.sum(0).square().sum())
    for each, chances in (
        (learner, chances_of(learner, batch)),
        (uniform, torch.full((32,), 1 / 32).double()),
    ):
        found = torch.stack([update(each, batch, seed) for seed in range(2000)])
        expected = variance(rows, chances) / draws
        assert float(found.var(0).sum()) == pytest.approx(expected, rel=0.1)
    important = variance(rows, chances_of(learner, batch))
    assert least <= important < 1.05 * least  # all but the best there is
    assert important < 0.6 * variance(rows, torch.full((32,), 1 / 32).double())


def test_on_digits_variance_falls_and_the_mean_stays():
    torch.manual_seed(0)
    network = mlp3((8, 8), width=32, activation="ReLU")
    true = backprop(network, categorise(DIGITS))
    optimiser = torch.optim.Adam(true.parameters(), 5e-3)
    for step in range(60):
        update(true, DIGITS.train.batch(np.arange(64) + 64 * (step % 20)))
        optimiser.step()
    batch, found = DIGITS.train.batch(np.arange(64)), {}
    for important in (True, False):
        learner = importance_sampling(network, true.objective, share=0.25, important=important)
        learner.head = true.head
        found[important] = torch.stack([update(learner, batch, seed) for seed in range(200)])
    least, most = (float(found[each].var(0).sum()) for each in (True, False))
    assert least < 0.5 * most
    off = found[True].mean(0) - update(true, batch)
    assert off.norm() < 2 * math.sqrt(least / 200)  # the standard error of the whole vector


@pytest.mark.parametrize(
    "recipe",
    [
        "mlp3-narrow/categorise/evolution-strategies@digits:brief#0",
        "mlp3-narrow/categorise/evolution-strategies-ranked@digits:brief#0",
        "conv4/categorise/importance-sampling@digits:brief#0",
        "conv4/contrast/uniform-sampling@digits:brief#0",
    ],
)
def test_rules_that_sample_lower_the_loss(recipe, monkeypatch):
    monkeypatch.setitem(BUDGETS, "brief", Budget("brief", 40))
    losses = train(recipe).history.loss.values
    assert losses[-5:].max() < losses[:5].min()


def test_all_draws_are_the_same_each_time():
    learner, batch = separable(categorise, important=True)
    assert torch.equal(update(learner, batch, 3), update(learner, batch, 3))
    assert not torch.equal(update(learner, batch, 3), update(learner, batch, 4))
