"""Losses of views are their papers' and lightly's; teachers follow; nothing has collapsed."""

import copy

import numpy as np
import pytest
import torch
from isocortex.model_zoo.architectures.convolutional import conv4
from isocortex.model_zoo.learning_rules.backprop import backprop
from isocortex.model_zoo.learning_rules.feedback import feedback
from isocortex.model_zoo.learning_rules.greedy import greedy

from isocortex.budgets import BUDGETS, Budget
from isocortex.errors import IncompatibleError
from isocortex.registry import find_entry
from isocortex.training import Batch, Keeper, Recipe, Run, credit_audit, require_fitting, train
from isocortex.training.loop import load_part
from isocortex.training.probes import probed

DIGITS = load_part("diet", "digits")()
TAUGHT_BY_A_COPY = ("byol", "moco", "dino")
ALL = (*TAUGHT_BY_A_COPY, "simsiam", "swav")
OUTPUTS = {"byol": 64, "moco": 64, "dino": 128, "simsiam": 256, "swav": 32}


def objective(name, **options):
    entry = find_entry("objective", name)
    return entry.load()(DIGITS, **{**entry.card.options, **options})


def numbers(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def noise(seed=0):
    return torch.Generator().manual_seed(seed)


def unit(vectors):
    return vectors / vectors.norm(dim=1, keepdim=True)


def batch_of(count):
    return Batch(numbers(count, 3, 8, 8))


def digits_learner(name, rule=backprop, **options):
    torch.manual_seed(0)
    network = conv4((8, 8), width=8, activation="relu")
    network.image_size = (8, 8)
    return rule(network, objective(name), **options).train()


def steps_of(learner, steps):
    """Take some steps as `Run.learn` takes them."""
    optimiser = torch.optim.Adam(list(learner.taught().values()), lr=3e-3)
    for step in range(steps):
        learner.zero_grad()
        learner.step(DIGITS.batch_at(step, 64, seed=0), noise(step))
        optimiser.step()
        with torch.no_grad():
            learner.objective.after_update(learner.network, learner.head)


# formulas


def test_byol_is_the_squared_distance_of_unit_vectors_in_both_orders():
    outputs, shown = numbers(12, 5), numbers(12, 5, seed=1)
    goal = objective("byol")
    goal.shown = shown
    q, z = unit(outputs), unit(shown)
    first, second = ((q[:6] - z[6:]) ** 2).sum(dim=1), ((q[6:] - z[:6]) ** 2).sum(dim=1)
    torch.testing.assert_close(goal.loss(outputs, batch_of(6)), (first + second).mean())


def test_simsiam_is_minus_the_cosine_with_the_other_view_held_still():
    outputs = numbers(12, 10).requires_grad_()
    loss = objective("simsiam").loss(outputs, batch_of(6))
    p, z = unit(outputs[:, :5]), unit(outputs[:, 5:])
    expected = -(p[:6] * z[6:]).sum(dim=1).mean() / 2 - (p[6:] * z[:6]).sum(dim=1).mean() / 2
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert outputs.grad[:, :5].any()
    assert not outputs.grad[:, 5:].any()


def test_moco_is_the_surprise_of_its_own_key_among_the_queue():
    goal = objective("moco", outputs=5, keys=7, temperature=0.2)
    goal.shown, goal.queue = unit(numbers(6, 5, seed=1)), unit(numbers(7, 5, seed=2))
    outputs = numbers(6, 5)
    surprise = []
    for query, key in zip(unit(outputs), goal.shown, strict=True):
        own, others = torch.exp(query @ key / 0.2), torch.exp(goal.queue @ query / 0.2)
        surprise.append(-torch.log(own / (own + others.sum())))
    torch.testing.assert_close(goal.loss(outputs, batch_of(6)), sum(surprise) / 6)


def shared_out(scores):
    """SwAV's algorithm 1 as its appendix writes it."""
    q = np.exp(scores.numpy() / 0.05).T
    q /= q.sum()
    for _ in range(3):
        q /= q.sum(axis=1, keepdims=True) * len(q)
        q /= q.sum(axis=0, keepdims=True) * q.shape[1]
    return torch.from_numpy(q * q.shape[1]).T


def test_swav_is_the_cross_entropy_of_the_other_views_code():
    scores = unit(numbers(12, 8)) @ unit(numbers(5, 8, seed=1)).T
    one, other = scores[:6], scores[6:]
    said = torch.log_softmax(scores / 0.1, dim=1)
    expected = -(shared_out(other) * said[:6]).sum(dim=1).mean() / 2
    expected -= (shared_out(one) * said[6:]).sum(dim=1).mean() / 2
    torch.testing.assert_close(objective("swav").loss(scores, batch_of(6)), expected)


def test_swav_uses_all_prototypes_as_often():
    from isocortex.model_zoo.objectives.swav import _shared_out

    codes = _shared_out(unit(numbers(60, 8)) @ unit(numbers(5, 8, seed=1)).T, 0.05, 200)
    torch.testing.assert_close(codes.sum(dim=1), torch.ones(60).double())
    torch.testing.assert_close(codes.sum(dim=0), torch.full((5,), 60 / 5).double())
    assert float(codes.max(dim=1).values.mean()) > 2 / 5  # and yet takes sides


def test_dino_is_the_cross_entropy_of_the_teachers_centred_and_sharpened_answer():
    goal = objective("dino", outputs=5)
    outputs, goal.shown = numbers(12, 5), numbers(12, 5, seed=1)
    goal.centre = numbers(5, seed=2)
    wanted = torch.softmax((goal.shown - goal.centre) / 0.04, dim=1)
    said = torch.log_softmax(outputs / 0.1, dim=1)
    first, second = (wanted[6:] * said[:6]).sum(dim=1), (wanted[:6] * said[6:]).sum(dim=1)
    torch.testing.assert_close(goal.loss(outputs, batch_of(6)), -(first + second).mean() / 2)


def test_prototypes_have_no_length():
    head = objective("swav").head(6).double()
    embedding = numbers(10, 6)
    before = head(embedding).detach()
    with torch.no_grad():
        head.prototypes.weight.mul_(torch.arange(1, 33)[:, None])
    torch.testing.assert_close(head(embedding), before)
    assert float(before.abs().max()) <= 1


# lightly, a second opinion


def test_stateless_losses_are_those_of_lightly():
    lightly = pytest.importorskip("lightly.loss")
    z = numbers(24, 7)
    one, other = z.chunk(2)
    images = batch_of(12)
    given = {n: objective(n).loss(z, images) for n in ("contrast", "barlow", "vicreg", "swav")}
    cosines = lightly.NegativeCosineSimilarity()
    torch.testing.assert_close(given["contrast"], lightly.NTXentLoss(temperature=0.5)(one, other))
    torch.testing.assert_close(
        given["barlow"], lightly.BarlowTwinsLoss()(one.clone(), other.clone())
    )
    torch.testing.assert_close(given["vicreg"], lightly.VICRegLoss()(one, other))
    torch.testing.assert_close(given["swav"], lightly.SwaVLoss()([one, other], [])[0])
    p = numbers(24, 7, seed=1)
    foretold, beside = p.chunk(2), torch.cat([p, z], dim=1)
    expected = cosines(foretold[0], other) / 2 + cosines(foretold[1], one) / 2
    torch.testing.assert_close(objective("simsiam").loss(beside, images), expected)
    goal = objective("byol")
    goal.shown = z  # 4 + 2 · (both) is the squared distance; lightly gives minus the cosine
    torch.testing.assert_close(goal.loss(p, images), 4 + 4 * expected)


def test_losses_with_a_memory_are_those_of_lightly_and_so_is_the_memory():
    lightly = pytest.importorskip("lightly.loss")
    goal = objective("moco", outputs=7, keys=24)
    goal.queue = unit(numbers(24, 7, seed=2))
    theirs = lightly.NTXentLoss(temperature=0.07, memory_bank_size=(24, 7))
    theirs.memory_bank.bank = goal.queue.clone()
    queries, keys = numbers(12, 7), numbers(12, 7, seed=1)
    goal.shown = unit(keys)
    torch.testing.assert_close(goal.loss(queries, batch_of(12)), theirs(queries, keys))

    goal = objective("dino", outputs=7)
    student, goal.shown = numbers(24, 7), numbers(24, 7, seed=1)
    goal.centre = numbers(7, seed=2)
    theirs = lightly.DINOLoss(output_dim=7)
    theirs.center = goal.centre[None, None].clone()
    expected = theirs(list(goal.shown.chunk(2)), list(student.chunk(2)))
    torch.testing.assert_close(goal.loss(student, batch_of(12)), expected)
    goal.teacher = type("Still", (), {"follow": lambda *given, **named: None})()
    goal.after_update(None, None)
    torch.testing.assert_close(goal.centre, theirs.center[0, 0])


# teachers


@pytest.mark.parametrize("name", TAUGHT_BY_A_COPY)
def test_a_teacher_moves_by_a_hundredth_of_the_way_and_is_not_taught(name):
    learner = digits_learner(name)
    teacher = learner.objective.teacher
    parts = list(teacher.network.parameters()) + list(teacher.projector.parameters())
    before = [each.clone() for each in parts]
    followed = list(learner.network.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, followed, strict=False))
    assert not any("teacher" in each for each in learner.taught())
    steps_of(learner, 1)
    for own, start, weight in zip(parts, before, followed, strict=False):
        torch.testing.assert_close(own, 0.99 * start + 0.01 * weight)
        assert own.grad is None
    assert not torch.equal(before[0], followed[0])


def test_the_queue_holds_the_last_keys_and_forgets_the_first():
    learner = digits_learner("moco")
    goal, first = learner.objective, learner.objective.queue.clone()
    torch.testing.assert_close(first.norm(dim=1), torch.ones(512))
    keys = []
    for step in range(9):
        learner.step(DIGITS.batch_at(step, 64, seed=0), noise(step))
        keys.insert(0, goal.shown.clone())
        goal.after_update(learner.network, learner.head)
        if step == 0:
            assert torch.equal(goal.queue, torch.cat([keys[0], first[:-64]]))
    assert torch.equal(goal.queue, torch.cat(keys[:8]))


@pytest.mark.parametrize("name", TAUGHT_BY_A_COPY)
def test_an_audit_moves_no_memory(name):
    learner = digits_learner(name)
    before = copy.deepcopy(learner.state_dict())
    angles = credit_audit(learner, DIGITS.batch_at(0, 64, seed=0), seed=0)
    assert all(torch.equal(each, before[key]) for key, each in learner.state_dict().items())
    assert max(angle for angle, _ in angles.values()) < 0.1


def test_training_lets_the_memory_follow():
    run = Run.begin(Recipe.parse("mlp3-narrow/moco/backprop@digits:smoke#0"), "cpu")
    run.learn(298)  # where nothing is probed
    goal = run.learner.objective
    assert torch.equal(goal.queue[:64], goal.shown)


class KilledError(Exception):
    pass


@pytest.mark.parametrize("name", ["moco", "dino"])
def test_a_killed_run_goes_on_with_its_memory(name, tmp_path, monkeypatch):
    monkeypatch.setitem(BUDGETS, "brief", Budget("brief", 8))
    recipe = f"mlp3-narrow/{name}/backprop@digits:brief#0"

    def killed(done, of):
        if done == 6:
            raise KilledError

    whole = train(recipe)
    with pytest.raises(KilledError):
        train(recipe, keeper=Keeper(tmp_path), progress=killed)
    taken_up = train(recipe, keeper=Keeper(tmp_path))
    for key, value in whole.network.state_dict().items():
        assert torch.equal(taken_up.network.state_dict()[key], value)
    kept = Keeper(tmp_path).latest().tensors
    assert any(each.startswith("learner.objective.teacher.network") for each in kept)


# what they teach, and by which rules


@pytest.mark.parametrize("name", ALL)
def test_the_embedding_does_not_collapse(name):
    learner = digits_learner(name)
    steps_of(learner, 60)
    found = probed(learner.network, DIGITS, step=60, angles={}, settling={})
    assert found.spread > 0.3
    assert found.rank > 4


def projections_after(steps, held):
    """SimSiam's projections of new digits, with or without a gradient through the other view."""
    learner = digits_learner("simsiam")
    goal, optimiser = learner.objective, torch.optim.Adam(learner.taught().values(), lr=3e-3)
    for step in range(steps):
        optimiser.zero_grad()
        seen = goal.inputs(DIGITS.batch_at(step, 64, seed=0), noise(step))
        foretold, other = learner.head(learner.network(seen)).chunk(2, dim=1)
        other = (other.detach() if held else other).roll(64, dims=0)
        torch.nn.functional.cosine_similarity(foretold, other).mean().neg().backward()
        optimiser.step()
    with torch.no_grad():
        images = DIGITS.test.batch(np.arange(400)).images
        return learner.eval().head(learner.network(images)).chunk(2, dim=1)[1]


def test_without_holding_the_other_view_still_simsiam_collapses_to_a_line():
    rank = {}
    for held in (True, False):
        found = projections_after(60, held)
        values = torch.linalg.svdvals(found - found.mean(dim=0)) ** 2
        rank[held] = float(values.sum() ** 2 / (values**2).sum())
    assert rank[True] > 1.5
    assert rank[False] < 1.05  # normalising over the batch keeps it from a point


@pytest.mark.parametrize("name", ALL)
def test_feedback_alignment_teaches_it_too(name):
    learner = digits_learner(name, feedback)
    batch = DIGITS.batch_at(0, 64, seed=0)
    learner.step(batch, noise())
    assert all(each.grad is not None for each in learner.taught().values())
    outputs = learner.head(learner.network(learner.objective.inputs(batch, noise())))
    assert outputs.shape[1] == OUTPUTS[name]


@pytest.mark.parametrize("name", ["simsiam", "swav"])
def test_blocks_can_learn_it_by_themselves(name):
    learner = digits_learner(name, greedy, similarity=0.0)
    learner.step(DIGITS.batch_at(0, 64, seed=0), noise())
    assert all(each.grad is not None for each in learner.taught().values())


@pytest.mark.parametrize("name", TAUGHT_BY_A_COPY)
def test_blocks_that_learn_apart_have_no_copy_to_learn_from(name):
    with pytest.raises(IncompatibleError, match=f"{name} needs uncut"):
        require_fitting(Recipe.parse(f"conv4/{name}/greedy@digits#0"))
    require_fitting(Recipe.parse(f"conv4/{name}/feedback@digits#0"))
