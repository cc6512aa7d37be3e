"""REINFORCE: the gradient of expected reward on average, from nothing but what choices earned."""

import numpy as np
import pytest
import torch
from torch import nn

from isocortex.errors import IncompatibleError
from isocortex.registry import find_entry
from isocortex.training import (
    BUDGETS,
    Batch,
    Budget,
    Diet,
    Images,
    Network,
    Recipe,
    require_fitting,
    train,
)
from isocortex.training.audit import angle_and_ratio


def noise(seed=0):
    return torch.Generator().manual_seed(seed)


def batch_of():
    images = torch.randn(5, 3, 2, 2, generator=noise(1), dtype=torch.float64)
    return Batch(images, torch.tensor([0, 1, 2, 3, 1]))


def four_categories():
    blank = Images(np.zeros((4, 2, 2, 3), np.uint8), np.arange(4))
    return Diet(blank, blank, tuple("DYHL"))


def chooser(units=0.0):
    torch.manual_seed(2)
    block = nn.Sequential(nn.Flatten(), nn.Linear(12, 4), nn.Tanh())
    network = Network({"first": block}, width=4)
    goal = find_entry("objective", "reward").load()(four_categories())
    learner = find_entry("learning_rule", "reinforce").load()(network, goal, noise=units, draws=1)
    learner.double().head.weight.data.mul_(3)
    learner.usual.fill_(0.4)
    return learner


def many(batch, times):
    return Batch(batch.images.repeat(times, 1, 1, 1), batch.labels.repeat(times))


def surprise(draws, expected_draws):
    """The mean square of how far means are apart, in standard errors: 1 if they are the same."""
    means = [torch.stack(each).mean(0) for each in (draws, expected_draws)]
    errors = [torch.stack(each).var(0) / len(each) for each in (draws, expected_draws)]
    return float(((means[0] - means[1]) ** 2 / (errors[0] + errors[1])).mean())


def flat(learner):
    return torch.cat([each.grad.flatten() for each in learner.taught().values()])


@pytest.mark.parametrize("units", [0.0, 0.5])
def test_reinforce_is_the_gradient_of_expected_reward_on_average(units):
    batch, found, true = many(batch_of(), 200), [], []
    for seed in range(60):
        learner = chooser(units)
        learner.step(batch, noise(seed))
        found.append(flat(learner))
        learner.zero_grad()
        mean = learner.network.blocks["first"][:2](batch.images)
        tried = torch.randn(mean.shape, generator=noise(1000 + seed)).to(mean)
        outputs = learner.head((mean + units * tried).tanh())
        learner.objective.loss(outputs, batch).backward()
        true.append(flat(learner))
    assert 0.4 < surprise(found, true) < 1.8
    angle, ratio = angle_and_ratio(torch.stack(found).mean(0), torch.stack(true).mean(0))
    assert angle < 15
    assert ratio == pytest.approx(1, abs=0.15)


def test_the_baseline_changes_the_spread_of_the_update_and_not_its_mean():
    batch, found = many(batch_of(), 50), {0.0: [], 0.5: [], 3.0: []}
    for usual, updates in found.items():
        for seed in range(60):
            learner = chooser()
            learner.usual.fill_(usual)
            learner.step(batch, noise(seed + int(1000 * usual)))
            updates.append(flat(learner))
    spread = {usual: float(torch.stack(each).var(0).mean()) for usual, each in found.items()}
    assert surprise(found[0.0], found[3.0]) < 1.8
    assert spread[3.0] > 3 * spread[0.5]


def test_all_that_reinforce_is_told_is_what_choices_earned():
    learner, batch = chooser(), batch_of()
    told = learner.objective.reward
    learner.objective.reward = lambda choices, _: (choices == 2).double()  # whatever the labels
    likelier = []
    for step in range(150):
        learner.zero_grad()
        learner.step(batch, noise(step))
        with torch.no_grad():
            for each in learner.taught().values():
                each -= 0.3 * each.grad
            likelier.append(
                float(learner.head(learner.network(batch.images)).softmax(1)[:, 2].mean())
            )
    assert likelier[-1] > 0.9 > likelier[0]
    assert told(torch.tensor([0, 1, 2, 3, 0]), batch).tolist() == [1, 1, 1, 1, 0]


@pytest.mark.parametrize(
    ("rule", "steps", "least"), [("reinforce", 100, 0.4), ("reinforce-units", 250, 0.15)]
)
def test_a_policy_earns_more_than_chance_on_digits(rule, steps, least, monkeypatch):
    monkeypatch.setitem(BUDGETS, "own", Budget("own", steps))
    history = train(f"mlp3/reward/{rule}@digits:own#0").history
    assert -float(history.loss[-20:].mean()) > least  # chance is .1


def test_tries_of_an_image_are_as_good_as_more_images():
    batch, learner = batch_of(), chooser(0.5)
    learner.draws = 3
    learner.step(batch, noise())
    found = flat(learner)
    learner = chooser(0.5)
    learner.step(many(batch, 3), noise())
    torch.testing.assert_close(found, flat(learner))


def test_rules_that_need_a_loss_are_refused_a_reward():
    with pytest.raises(IncompatibleError, match="backprop needs loss"):
        require_fitting(Recipe.parse("mlp3/reward/backprop@digits#0"))
    with pytest.raises(IncompatibleError, match="reinforce needs reward"):
        require_fitting(Recipe.parse("mlp3/categorise/reinforce@digits#0"))


def test_units_without_one_answer_are_not_left_to_chance():
    with pytest.raises(IncompatibleError, match="LSTMCell gives several answers"):
        train("lstm/reward/reinforce-units@digits:smoke#0")
