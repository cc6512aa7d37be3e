"""New categories are told from few examples, by prototypes or by weights that learn fast."""

from functools import cache

import numpy as np
import pytest
import torch
from isocortex.model_zoo.architectures.convolutional import conv4
from isocortex.model_zoo.diets.digits import digits
from isocortex.model_zoo.diets.glyphs32 import glyphs32
from isocortex.model_zoo.learning_rules.backprop import backprop
from isocortex.model_zoo.learning_rules.maml import maml, tasks
from isocortex.model_zoo.objectives.categorise import categorise
from isocortex.model_zoo.objectives.prototypes import episode, prototypes
from torch import nn
from torch.func import functional_call

from isocortex.errors import InputError
from isocortex.registry import find_entry
from isocortex.training import Batch, Diet, Images, Network, credit_audit


@cache
def letters():
    return glyphs32(**find_entry("diet", "glyphs32-new").card.options)


def numbers(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def noise():
    return torch.Generator().manual_seed(0)


def taught(make, steps, *, rate=3e-3):
    torch.manual_seed(0)
    network = conv4((16, 16), width=8, activation="relu")
    network.blocks["block1"].insert(0, nn.AvgPool2d(2))  # letters are as clear at half the size
    learner = make(network).train()
    optimiser = torch.optim.Adam(list(learner.taught().values()), lr=rate)
    for step in range(steps):
        learner.zero_grad()
        learner.step(letters().batch_at(step, 64, seed=0), noise())
        optimiser.step()
    return learner


def five_way_one_shot(answer, count=60):
    """How often `answer(support, queries)` is right on letters never seen; chance is .2."""
    test, random, found = letters().test, np.random.default_rng(0), []
    for _ in range(count):
        chosen = random.choice(np.unique(test.labels), 5, replace=False)
        places = [random.permutation(np.flatnonzero(test.labels == each))[:6] for each in chosen]
        support = test.batch(np.array([each[0] for each in places])).images
        queries = test.batch(np.concatenate([each[1:] for each in places])).images
        with torch.no_grad():
            told = answer(support, queries).numpy()
        found.append((told == np.repeat(np.arange(5), 5)).mean())
    return np.mean(found)


def nearest(support, queries):
    return torch.cdist(queries.flatten(1), support.flatten(1)).argmin(dim=1)


def test_the_letters_to_test_on_are_new():
    diet = letters()
    assert set(diet.train.labels) == set(range(48))
    assert set(diet.test.labels) == set(range(48, 64))
    assert np.bincount(diet.train.labels).tolist() == [50] * 48


# prototypes


def test_an_episode_is_of_the_categories_that_come_often_enough():
    labels = torch.tensor([7, 3, 5, 3, 7, 3, 9, 9])
    way, rank = episode(labels, ways=60, shots=1)
    assert way.tolist() == [0, 1, -1, 1, 0, 1, 2, 2]
    assert rank.tolist() == [0, 0, 0, 1, 1, 2, 0, 1]
    assert episode(labels, ways=2, shots=1)[0].tolist() == [0, 1, -1, 1, 0, 1, -1, -1]
    assert episode(labels, ways=60, shots=2)[0].tolist() == [-1, 0, -1, 0, -1, 0, -1, -1]


@pytest.mark.parametrize("shots", [1, 2])
def test_the_loss_is_the_surprise_of_the_nearest_prototype(shots):
    labels = torch.tensor([4, 1, 1, 4, 8, 1, 4, 1, 4])
    outputs = numbers(9, 5)
    places = {4: [0, 3, 6, 8], 1: [1, 2, 5, 7]}
    prototype = {each: outputs[at[:shots]].mean(dim=0) for each, at in places.items()}
    surprise = []
    for each, at in places.items():
        for query in at[shots:]:
            away = {c: ((outputs[query] - p) ** 2).sum() for c, p in prototype.items()}
            total = sum(torch.exp(-distance) for distance in away.values())
            surprise.append(-torch.log(torch.exp(-away[each]) / total))
    loss = prototypes(None, ways=60, shots=shots).loss(outputs, Batch(outputs, labels))
    torch.testing.assert_close(loss, sum(surprise) / len(surprise), rtol=1e-10, atol=0)


def test_a_batch_without_an_episode_teaches_nothing():
    outputs = numbers(4, 5).requires_grad_()
    goal = prototypes(None, ways=60, shots=1)
    goal.loss(outputs, Batch(outputs, torch.arange(4))).backward()
    assert not outputs.grad.any()


def test_prototypes_tell_new_letters_better_than_pixels():
    goal = prototypes(letters(), ways=60, shots=1)
    learner = taught(lambda network: backprop(network, goal), 150).eval()
    found = five_way_one_shot(lambda *each: nearest(*map(learner.network, each)))
    assert found > five_way_one_shot(nearest) + 0.1


# meta-gradients


def test_a_task_renumbers_its_categories_and_keeps_examples_from_queries():
    labels = torch.tensor([7, 3, 5, 3, 7, 3, 9, 9])
    batch = Batch(torch.arange(8.0)[:, None, None, None].expand(8, 3, 2, 2), labels, progress=0.5)
    ((support, queries),) = tasks(batch, 2)
    assert support.images[:, 0, 0, 0].tolist() == [0, 1]
    assert queries.images[:, 0, 0, 0].tolist() == [4, 3, 5]
    assert (support.labels.tolist(), queries.labels.tolist()) == ([0, 1], [0, 1, 1])
    assert (support.progress, queries.progress) == (0.5, 0.5)
    assert len(tasks(batch, 1)) == 3
    with pytest.raises(InputError, match="3 categories of two images or more holds no task of 4"):
        tasks(batch, 4)


def small(*, steps, rate, first_order=False):
    """A linear learner of two categories and a batch of one task, all in float64."""
    torch.manual_seed(0)
    network = Network({"block1": nn.Sequential(nn.Flatten(), nn.Linear(12, 4), nn.Tanh())}, width=4)
    images = Images(np.zeros((2, 2, 2, 3), np.uint8))
    goal = categorise(Diet(images, images, ("a", "b")))
    options = {"ways": 2, "steps": steps, "rate": rate, "first_order": first_order}
    batch = Batch(numbers(6, 3, 2, 2), torch.tensor([0, 1, 0, 1, 1, 0]))
    return maml(network, goal, **options).double(), batch


def by_hand(weights, images, labels):
    v, b, w, c = weights
    hidden = torch.tanh(images.flatten(1) @ v.T + b)
    return nn.functional.cross_entropy(hidden @ w.T + c, labels)


def left(learner, batch):
    learner.zero_grad()
    learner.step(batch, noise())
    return [each.grad.clone() for each in learner.taught().values()]


@pytest.mark.parametrize("first_order", [False, True])
def test_the_gradient_is_that_of_the_loss_after_learning(first_order):
    """By hand, and for the exact one by moving the weights a little as well."""
    learner, batch = small(steps=2, rate=0.3, first_order=first_order)
    support, queries = [0, 1], [2, 5, 3, 4]
    asked = torch.tensor([0, 0, 1, 1])

    def after(start):
        weights = list(start)
        for _ in range(2):
            loss = by_hand(weights, batch.images[support], torch.arange(2))
            slopes = torch.autograd.grad(loss, weights, create_graph=True)
            weights = [w - 0.3 * s for w, s in zip(weights, slopes, strict=True)]
        return weights

    start = [each.detach().clone().requires_grad_() for each in learner.taught().values()]
    end = after(start)
    loss = by_hand(end, batch.images[queries], asked)
    expected = torch.autograd.grad(loss, end if first_order else start)
    torch.testing.assert_close(left(learner, batch), list(expected), rtol=1e-10, atol=1e-12)
    shifted = [each.detach().clone().requires_grad_() for each in start]
    with torch.no_grad():
        shifted[0][1, 2] += 1e-6
    moved = by_hand(after(shifted), batch.images[queries], asked)
    change = float((moved - loss).detach()) / 1e-6
    exact = change == pytest.approx(float(expected[0][1, 2]), rel=1e-4)
    assert exact is not first_order


def test_without_steps_it_is_backpropagation_on_the_queries():
    learner, batch = small(steps=0, rate=0.3)
    queries = [2, 5, 3, 4]
    goal = backprop(learner.network, learner.objective)
    goal.head = learner.head
    found = left(learner, batch)
    expected = left(goal, Batch(batch.images[queries], batch.labels[queries]))
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)


def test_the_audit_tells_what_the_first_order_leaves_out():
    for first_order in (False, True):
        learner, batch = small(steps=2, rate=0.3, first_order=first_order)
        angles = [angle for angle, _ in credit_audit(learner, batch, seed=0).values()]
        assert all(1 < angle < 90 for angle in angles) if first_order else max(angles) < 1e-4


def test_a_learner_of_learning_tells_new_letters_better_than_pixels():
    def make(network):
        goal = categorise(letters())
        return maml(network, goal, ways=5, steps=1, rate=0.4, first_order=False)

    learner = taught(make, 100, rate=5e-3)
    judge = Judge(learner)

    def answer(support, queries):
        with torch.enable_grad():
            weights = learner.adapted(Batch(support, torch.arange(5)), noise())
        return functional_call(judge, weights, (queries,)).argmax(dim=1)

    assert five_way_one_shot(answer) > five_way_one_shot(nearest)


class Judge(nn.Module):
    """What a learner answers, named as its weights are."""

    def __init__(self, learner):
        super().__init__()
        self.network, self.head = learner.network, learner.head

    def forward(self, images):
        return self.head(self.network(images))


def test_tasks_keep_what_else_is_known_of_their_images():
    numbered = torch.arange(4.0)
    films = numbered[:, None, None, None, None].expand(4, 2, 3, 2, 2)
    batch = Batch(films[:, 0], torch.tensor([7, 9, 7, 9]), {"size": numbered}, films, progress=0.5)
    ((support, queries),) = tasks(batch, 2)
    assert (support.latents["size"].tolist(), queries.latents["size"].tolist()) == ([0, 1], [2, 3])
    assert torch.equal(support.sequence, films[:2])
    assert torch.equal(queries.sequence, films[2:])
    assert queries.progress == 0.5


def test_digits_hold_tasks_too():
    assert len(tasks(digits().batch_at(0, 64, seed=0), 5)) == 2
