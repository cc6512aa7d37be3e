"""Costs that change with age or with depth, and one that an innate detector begins."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from isocortex.model_zoo.architectures.convolutional import conv4
from isocortex.model_zoo.diets.digits import digits
from isocortex.model_zoo.diets.faces32 import faces32
from isocortex.model_zoo.learning_rules.backprop import backprop
from isocortex.model_zoo.learning_rules.greedy import greedy
from isocortex.model_zoo.objectives.bootstrap import bootstrap, face_likeness
from isocortex.model_zoo.objectives.per_block import per_block
from isocortex.model_zoo.objectives.staged import staged

from isocortex.budgets import BUDGETS, Budget
from isocortex.errors import IncompatibleError, InputError
from isocortex.registry import find_entry
from isocortex.training import Diet, Keeper, Recipe, require_fitting, train
from isocortex.training.loop import load_part

DIGITS = digits()


def noise(seed=0):
    return torch.Generator().manual_seed(seed)


def taught(rule, objective, diet=DIGITS, steps=12, *, width=8):
    """A learner after some steps at a constant rate, from the same weights each time."""
    torch.manual_seed(0)
    network = conv4(diet.image_size, width=width, activation="relu")
    network.image_size = diet.image_size
    learner = rule(network, objective).train()
    optimiser = torch.optim.Adam(list(learner.taught().values()), lr=2e-3)
    for step in range(steps):
        learner.zero_grad()
        learner.step(diet.batch_at(step, 64, seed=0, steps=steps), noise(step))
        optimiser.step()
    return learner


def in_greed(network, objective):
    return greedy(network, objective, similarity=0.0)


def same(one, other):
    """Whether two networks have the same weights and running means, bit for bit."""
    other = other.state_dict()
    return all(torch.equal(value, other[name]) for name, value in one.state_dict().items())


@cache
def single(name, rule=backprop):
    return taught(rule, load_part("objective", name)(DIGITS))


# progress


def test_batches_know_how_far_training_has_come():
    seen = [DIGITS.batch_at(step, 64, seed=0, steps=40).progress for step in (0, 10, 40)]
    assert seen == [0, 10 / 40, 1]
    assert DIGITS.batch_at(10, 64, seed=0).to("cpu").progress == 0
    assert DIGITS.batch_at(10, 64, seed=0, steps=40).to("cpu").progress == 10 / 40


def test_periods_show_their_images_for_equal_shares_of_training():
    diet = digits(periods=2)
    labels = [set(diet.batch_at(n, 64, seed=0, steps=20).labels.tolist()) for n in range(21)]
    assert set().union(*labels[:10]) == {0, 1, 2, 3, 4}
    assert set().union(*labels[10:]) == {5, 6, 7, 8, 9}
    first = Diet(diet.train, diet.test, periods=(np.arange(40), np.arange(100)))
    with pytest.raises(InputError, match="a batch of 64 from 40 images"):
        first.batch_at(0, 64, seed=0, steps=20)


def test_without_periods_batches_are_what_they_were():
    order = np.random.default_rng([3, 2]).permutation(len(DIGITS.train))  # the third round
    expected = DIGITS.train.labels[order[5 * 64 : 6 * 64]]
    found = DIGITS.batch_at(2 * (len(DIGITS.train) // 64) + 5, 64, seed=3, steps=1000)
    assert found.labels.tolist() == expected.tolist()


# staged


@pytest.mark.parametrize("name", ["contrast", "categorise", "autoencode"])
def test_a_constant_stage_is_the_single_objective_bit_for_bit(name):
    objective = staged(DIGITS, stages=(name, name), switches=(0.5,))
    assert same(single(name).network, taught(backprop, objective).network)


@pytest.mark.parametrize("switch", [0.0, 2.0])
def test_a_stage_that_never_comes_leaves_the_other_as_it_would_be_alone(switch):
    objective = staged(DIGITS, stages=("contrast", "categorise"), switches=(switch,))
    alone = "contrast" if switch else "categorise"
    assert same(single(alone).network, taught(backprop, objective).network)


def test_a_switch_comes_at_its_share_of_training():
    objective = staged(DIGITS, stages=("contrast", "categorise"), switches=(0.5,))
    head = objective.head(4)
    for progress, inputs, part in ((0.49, 128, 0), (0.5, 64, 1), (1.0, 64, 1)):
        batch = replace(DIGITS.batch_at(0, 64, seed=0), progress=progress)
        assert len(objective.inputs(batch, noise())) == inputs
        head.zero_grad()
        objective.loss(head(torch.randn(inputs, 4, generator=noise())), batch).backward()
        moved = [any(p.grad.any() for p in each.parameters()) for each in head.heads]
        assert moved == [part == 0, part == 1]


def test_switches_that_do_not_suit_the_stages_are_refused():
    for switches in ((), (0.5, 0.6), (0.5, 0.7)):
        with pytest.raises(InputError, match="one between each two stages"):
            staged(DIGITS, stages=("contrast", "categorise"), switches=switches)
    stages = ("contrast", "categorise", "contrast")
    with pytest.raises(InputError, match="growing shares"):
        staged(DIGITS, stages=stages, switches=(0.7, 0.5))


class KilledError(Exception):
    pass


def killed_at(step):
    def progress(done, of):
        if done == step:
            raise KilledError

    return progress


@pytest.mark.parametrize(
    "recipe",
    [
        "conv4/contrast-then-categorise/direct-feedback@digits:brief#0",
        "conv4/contrast-below-categorise/greedy@digits:brief#0",
    ],
)
def test_a_run_that_was_killed_goes_on_to_the_same_weights(recipe, tmp_path, monkeypatch):
    monkeypatch.setitem(BUDGETS, "brief", Budget("brief", 12))
    whole = train(recipe)
    with pytest.raises(KilledError):
        train(recipe, keeper=Keeper(tmp_path), progress=killed_at(9))
    taken_up = train(recipe, keeper=Keeper(tmp_path))
    assert same(whole.network, taken_up.network)
    assert len(whole.history.loss) == 12


# per block


@pytest.mark.parametrize("name", ["contrast", "categorise"])
def test_the_same_objective_below_and_above_is_the_single_one_bit_for_bit(name):
    objective = per_block(DIGITS, below=name, above=name, border=0.5)
    alone = single(name, in_greed)
    other = taught(in_greed, objective)
    assert same(alone.network, other.network)
    assert same(alone.heads, other.heads)


def test_a_border_below_all_blocks_leaves_the_upper_objective_bit_for_bit():
    objective = per_block(DIGITS, below="autoencode", above="categorise", border=0.0)
    assert same(single("categorise", in_greed).network, taught(in_greed, objective).network)
    with pytest.raises(InputError, match="a border at depth 2"):
        per_block(DIGITS, below="autoencode", above="categorise", border=2.0)


def test_each_block_learns_its_own_objective_and_hears_no_other():
    objective = per_block(DIGITS, below="autoencode", above="categorise", border=0.5)
    learner = taught(in_greed, objective, steps=0)
    outputs = {name: each.out_features for name, each in learner.heads.items()}
    assert outputs == {"block1": 3 * 8 * 8, "block2": 3 * 8 * 8, "block3": 10}
    batch = DIGITS.batch_at(0, 64, seed=0)
    below = {}
    for labels in (batch.labels, batch.labels.flip(0)):
        learner.zero_grad()
        learner.step(replace(batch, labels=labels), noise())
        for name, block in learner.network.blocks.items():
            below.setdefault(name, []).append(block[0].weight.grad.clone())
    unmoved = {name: torch.allclose(*each, rtol=1e-4, atol=1e-7) for name, each in below.items()}
    assert unmoved == {"block1": True, "block2": True, "block3": False, "block4": False}


def test_a_rule_without_losses_for_blocks_is_refused():
    with pytest.raises(IncompatibleError, match="categorise needs block-losses"):
        require_fitting(Recipe.parse("conv4/reconstruct-below-categorise/backprop@digits#0"))
    require_fitting(Recipe.parse("conv4/reconstruct-below-categorise/greedy@digits#0"))
    require_fitting(Recipe.parse("blt3/contrast-below-categorise/greedy@digits#0"))


# faces and bootstrap


@cache
def faces():
    return faces32(**{**find_entry("diet", "faces32").card.options, "count": (6400, 1000)})


def test_faces_are_drawn_the_same_each_time_balanced_and_in_one_half_only():
    one, other = (faces32(count=(60, 30), clutter=0.25, seed=seed) for seed in (0, 0))
    assert np.array_equal(one.train.pixels, other.train.pixels)
    assert np.bincount(one.train.labels).tolist() == [30, 30]
    assert not {each.tobytes() for each in one.train.pixels} & {
        each.tobytes() for each in one.test.pixels
    }
    another = faces32(count=(60, 30), clutter=0.25, seed=1)
    assert not np.array_equal(one.train.pixels, another.train.pixels)


def test_faces_and_others_have_the_same_parts():
    """Mean and spread of all pixels tell nothing, nor does where the mean image is dark."""
    images = faces().train
    grey = images.pixels[..., 0].reshape(len(images), -1) / 255.0
    for each in (grey.mean(axis=1), grey.std(axis=1)):
        apart = each[images.labels == 1].mean() - each[images.labels == 0].mean()
        assert abs(apart) < 0.1 * each.std()


def right(answers, labels):
    """How often the stronger half of answers are faces."""
    return float(((answers > answers.median()).long() == labels).double().mean())


def test_the_innate_detector_sees_a_face_anywhere_and_is_often_wrong():
    blank = torch.zeros(2, 3, 32, 32)
    for dy, dx in ((0, 0), (5, -6)):
        blank[0, :, 10 + dy : 13 + dy, 11 + dx : 14 + dx] = -1
        blank[0, :, 10 + dy : 13 + dy, 19 + dx : 22 + dx] = -1
        blank[0, :, 19 + dy : 22 + dy, 13 + dx : 20 + dx] = -1
        blank[1] = blank[0].flip(1)  # a line above two dots
        seen, upside_down = face_likeness(blank)
        assert seen > 3 * upside_down
    test = faces().test.batch(np.arange(1000))
    assert 0.6 < right(face_likeness(test.images), test.labels) < 0.75


def test_the_innate_detector_sees_nothing_in_an_even_field_and_has_a_size():
    for brightness in (0.1, 1.3):  # where the variance is rounded to below 0
        seen = face_likeness(torch.full((1, 3, 32, 32), brightness))
        assert abs(float(seen)) < 1e-3
    with pytest.raises(InputError, match="8 × 8 pixels are smaller than the innate detector"):
        bootstrap(DIGITS, handover=0.5)


def test_bootstrapped_learning_is_better_than_what_began_it_and_sees_no_label():
    diet = faces()
    unlabelled = Diet(replace(diet.train, labels=None), diet.test)
    learner = taught(backprop, bootstrap(unlabelled, handover=0.5), unlabelled, steps=300)
    learner.eval()
    test = diet.test.batch(np.arange(1000))
    with torch.no_grad():
        answers = learner.head(learner.network(test.images))[:, 0]
    innate = right(face_likeness(test.images), test.labels)
    assert right(answers, test.labels) > innate + 0.05
