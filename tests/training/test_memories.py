"""Memories give back what was stored, by a part of it, and keep old things from being forgotten."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from isocortex.model_zoo.architectures.convolutional import conv4
from isocortex.model_zoo.architectures.memory import Memory, memory
from isocortex.model_zoo.diets.digits import digits
from isocortex.model_zoo.learning_rules.backprop import backprop
from isocortex.model_zoo.learning_rules.replay import FastStore, replay
from isocortex.model_zoo.objectives.attributes import attributes
from isocortex.model_zoo.objectives.categorise import categorise

from isocortex.budgets import BUDGETS, Budget
from isocortex.errors import InputError
from isocortex.training import Batch, Diet, Images, Keeper, train

DIGITS = digits()
BLOCKED = digits(periods=2)
HALVES = (DIGITS.train, DIGITS.test)
KINDS = ["autoassociative", "key-value"]


def noise(seed=0):
    return torch.Generator().manual_seed(seed)


def taught(make, diet, steps):
    torch.manual_seed(0)
    network = conv4((8, 8), width=8, activation="relu")
    network.image_size = (8, 8)
    learner = make(network, categorise(diet)).train()
    optimiser = torch.optim.Adam(list(learner.taught().values()), lr=2e-3)
    for step in range(steps):
        learner.zero_grad()
        learner.step(diet.batch_at(step, 64, seed=0, steps=steps), noise(step))
        optimiser.step()
    return learner.eval()


# the modern Hopfield memory


def stored(dim, count, *, steps=3, sharpness=1.0):
    """A memory of random patterns of ±1, in float64, and cues with a tenth of the signs flipped."""
    random = noise(dim)
    held = Memory(dim, count, kind="autoassociative", sharpness=sharpness, steps=steps).double()
    patterns = torch.randn(count, dim, generator=random).sign().double()
    with torch.no_grad():
        held.keys.copy_(patterns)
    flipped = torch.rand(count, dim, generator=random) < 0.1
    return held, torch.where(flipped, -patterns, patterns)


@torch.no_grad()
def retrieved(dim, count):
    held, cues = stored(dim, count)
    return float(((held(cues) - held.keys).abs().amax(dim=1) < 0.01).double().mean())


def test_corrupted_patterns_are_retrieved():
    assert retrieved(64, 256) == 1


def test_capacity_grows_with_the_dimension_faster_than_linearly():
    counts = (4, 16, 64, 256, 1024, 4096)
    capacity = [
        max((count for count in counts if retrieved(dim, count) > 0.9), default=0)
        for dim in (8, 16, 24, 32)
    ]
    assert capacity == sorted(set(capacity))
    assert capacity[3] > 2 * capacity[2] > 4 * capacity[1]
    assert capacity[3] > 10 * 0.138 * 32  # the classical network's


def test_the_energy_falls_with_each_step():
    energies = []
    for steps in range(5):
        held, cues = stored(32, 64, steps=steps, sharpness=0.2)
        with torch.no_grad():
            energies.append(held.energy(held(cues)))
    falls = torch.stack(energies).diff(dim=0)
    assert float(falls.max()) < 1e-9
    assert float(falls[0].max()) < 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_memory_answers_with_its_patterns_weighted_by_likeness(kind):
    torch.manual_seed(0)
    held = Memory(6, 9, kind=kind, sharpness=0.3, steps=1).double()
    cue = torch.randn(2, 6, dtype=torch.float64)
    likeness = torch.exp(0.3 * torch.stack([(held.keys * each).sum(dim=1) for each in cue]))
    share = likeness / likeness.sum(dim=1, keepdim=True)
    expected = sum(share[:, [slot]] * held.values[slot] for slot in range(9))
    torch.testing.assert_close(held(cue), expected, rtol=1e-12, atol=0)
    assert (held.values is held.keys) == (kind == "autoassociative")


@pytest.mark.parametrize("kind", KINDS)
def test_images_of_any_size_become_embeddings_and_all_weights_learn(kind):
    for side in (8, 32):
        torch.manual_seed(0)
        network = memory((side, side), width=4, slots=16, kind=kind)
        answer = network(torch.randn(5, 3, side, side))
        assert answer.shape == (5, network.width) == (5, 32)
        answer.square().sum().backward()
        assert all(each.grad.any() for each in network.parameters())


@pytest.mark.parametrize("rule", ["backprop", "feedback", "greedy"])
def test_networks_with_a_memory_learn_by_several_rules(rule, monkeypatch):
    monkeypatch.setitem(BUDGETS, "brief", Budget("brief", 80))
    for name in ("conv4-hopfield", "conv4-key-value"):
        history = train(f"{name}/categorise/{rule}@digits:brief#0").history
        assert float(history.loss[-5:].mean()) < 0.9 * float(history.loss[0])
        assert float(history.spread[-1]) > 0.1


# complementary learning systems


@cache
def remembered():
    """How many test digits of each half are named right after training on one, then the other."""
    makes = {"backprop": backprop} | {
        f"replay of {size}": lambda *parts, size=size: replay(*parts, capacity=size)
        for size in (50, 500)
    }
    test = BLOCKED.test.batch(np.arange(len(BLOCKED.test)))
    found = {}
    for name, make in makes.items():
        learner = taught(make, BLOCKED, 100)
        with torch.no_grad():
            right = learner.head(learner.network(test.images)).argmax(dim=1) == test.labels
        old = test.labels < 5
        found[name] = float(right[old].double().mean()), float(right[~old].double().mean())
    return found


def test_replay_keeps_the_first_digits_from_being_forgotten():
    old, new = remembered()["backprop"]
    assert old < 0.1  # catastrophic interference
    assert new > 0.9
    old, new = remembered()["replay of 500"]
    assert min(old, new) > 0.85
    assert remembered()["backprop"][0] < remembered()["replay of 50"][0] < old


def written(count, *, capacity):
    torch.manual_seed(0)
    store = FastStore(capacity, (3, 8, 8))
    batch = DIGITS.train.batch(np.arange(count))
    store.write(batch, noise())
    return store, batch


def test_what_was_seen_once_is_recalled_from_a_corrupted_cue():
    store, batch = written(300, capacity=300)
    cues = batch.images + 0.5 * torch.randn(batch.images.shape, generator=noise())
    images, labels = store.recalled(cues)
    assert float((images == batch.images).flatten(1).all(dim=1).double().mean()) > 0.9
    assert float((labels == batch.labels).double().mean()) > 0.95
    exact, _ = store.recalled(batch.images)
    assert torch.equal(exact, batch.images)


def test_codes_are_sparse_and_less_alike_than_images():
    store, batch = written(200, capacity=200)
    code = store.code(batch.images)
    assert code.mean(dim=1).tolist() == pytest.approx([int(0.05 * 1024) / 1024] * 200)
    apart = ~torch.eye(200, dtype=torch.bool)
    overlap = (code @ code.T / code.sum(dim=1))[apart]
    alike = torch.corrcoef(batch.images.flatten(1))[apart]
    assert float(overlap.mean()) < 0.7 * float(alike.mean())
    assert float((overlap < alike)[alike > 0.5].double().mean()) > 0.95


def test_a_full_store_is_a_fair_sample_of_all_that_was_seen():
    images = torch.arange(400.0)[:, None, None, None].expand(400, 3, 2, 2)
    kept = torch.zeros(400)
    for seed in range(60):
        torch.manual_seed(0)
        store = FastStore(40, (3, 2, 2))
        random = noise(seed)
        for part in range(4):
            some = images[100 * part : 100 * (part + 1)]
            store.write(Batch(some, torch.zeros(100, dtype=torch.long)), random)
        assert len(store.images[:, 0, 0, 0].unique()) == 40
        kept[store.images[:, 0, 0, 0].long()] += 1
    share = kept.reshape(4, 100).mean(dim=1) / 60
    assert share.tolist() == pytest.approx([0.1] * 4, abs=4 * (0.09 / 6000) ** 0.5)


def test_a_step_is_backpropagation_of_the_batch_and_what_is_stored():
    """At first nothing is, then a batch of 32 and, with room for all, the 32 before it."""
    batches = [DIGITS.batch_at(step, 32, seed=0) for step in range(2)]
    both = [torch.cat([getattr(each, name) for each in batches[::-1]]) for name in NAMES]
    learner = taught(lambda *parts: replay(*parts, capacity=32), DIGITS, 0)
    for batch, together in zip(batches, (batches[0], Batch(*both)), strict=True):
        plain = backprop(learner.network, learner.objective)
        plain.head = learner.head
        left = []
        for each, shown in ((learner, batch), (plain, together)):
            each.zero_grad()
            each.step(shown, noise())
            left.append([p.grad.clone() for p in each.taught().values()])
        torch.testing.assert_close(*left, rtol=1e-4, atol=1e-6)


NAMES = ("images", "labels")


def test_the_store_is_kept_in_checkpoints(tmp_path, monkeypatch):
    monkeypatch.setitem(BUDGETS, "brief", Budget("brief", 12))
    recipe = "conv4/categorise/replay-small@digits-blocked:brief#0"
    whole = train(recipe)
    keeper = Keeper(tmp_path)
    train(recipe, keeper=keeper)
    (tmp_path / f"step-{12:08d}.safetensors").unlink()
    assert keeper.latest().step < 12
    taken_up = train(recipe, keeper=keeper)
    for name, value in whole.network.state_dict().items():
        assert torch.equal(taken_up.network.state_dict()[name], value)
    named = whole.history.settling.sel(quantity="named right by the store")
    assert float(named[0]) == 0
    assert float(named.sel().max()) > 0.3


def test_what_cannot_be_replayed_is_refused():
    torch.manual_seed(0)
    network = conv4((8, 8), width=8, activation="relu")
    with pytest.raises(InputError, match="does not say which images"):
        replay(network, categorise(DIGITS), capacity=10)
    network.image_size = (8, 8)
    batch = DIGITS.batch_at(0, 8, seed=0)
    for goal in (categorise(DIGITS), categorise(DIGITS, film=True)):
        learner = replay(network, goal, capacity=10)
        with pytest.raises(InputError, match="keeps single images, and the diet shows films"):
            learner.step(replace(batch, sequence=batch.images[:, None]), noise())
    latents = {"x": torch.arange(8.0)}
    scored = Diet(*(Images(each.pixels[:8], latents={"x": np.arange(8.0)}) for each in HALVES))
    learner = replay(network, attributes(scored), capacity=10)
    with pytest.raises(InputError, match="images and labels, not 'x'"):
        learner.step(replace(batch, latents=latents), noise())
