"""Pretexts, descriptions and cues: what is asked is what the paper asks, and it is learned."""

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import torch
from isocortex.model_zoo.architectures.convolutional import conv4
from isocortex.model_zoo.diets.cues import posterior_mean
from isocortex.model_zoo.learning_rules.backprop import backprop
from torch import nn

from isocortex.errors import IncompatibleError, InputError
from isocortex.registry import find_entry
from isocortex.training import Diet, Images, Network, Recipe, require_fitting
from isocortex.training.loop import load_part

DIGITS = load_part("diet", "digits")()


@cache
def drawn(name, *count):
    entry = find_entry("diet", name)
    return entry.load()(**{**entry.card.options, "count": count})


def objective(name, diet, **options):
    entry = find_entry("objective", name)
    return entry.load()(diet, **{**entry.card.options, **options})


def noise(seed=0):
    return torch.Generator().manual_seed(seed)


def taught(network, goal, diet, *, steps, rate=3e-3):
    """A learner after some steps of backpropagation with the schedule of a budget."""
    learner = backprop(network, goal).train()
    optimiser = torch.optim.Adam(list(learner.taught().values()), lr=rate)
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = rate * (1 + np.cos(np.pi * step / steps)) / 2
        learner.zero_grad()
        learner.step(diet.batch_at(step, 64, seed=0), noise(step))
        optimiser.step()
    return learner.eval()


def convolutional(side, width=8):
    torch.manual_seed(0)
    return conv4((side, side), width=width, activation="relu")


def layered(pool, *widths):
    """Rectified layers on means over places of the image."""
    torch.manual_seed(0)
    layers = [pool, nn.Flatten()]
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return Network({"block1": nn.Sequential(*layers)}, width=widths[-1])


# relative position


def test_patches_are_where_they_are_said_to_lie():
    """An image whose levels are its rows and columns says where a patch came from."""
    row, column = np.mgrid[:32, :32]
    pixels = np.stack([8 * row, 8 * column, 0 * row], axis=-1).astype(np.uint8)
    diet = Diet(Images(np.tile(pixels, (80, 1, 1, 1))), Images(pixels[None]))
    goal, batch = objective("relative-position", diet), diet.train.batch(np.arange(80))
    shown = goal.inputs(batch, noise()).reshape(80, 2, 3, 32, 32)[:, :, :2]
    place = (shown.mean(dim=(3, 4)) * 63.75 + 127.5) / 8 - 15.5  # rows and columns from the middle
    around = torch.tensor([(r, c) for r in (-1, 0, 1) for c in (-1, 0, 1) if r or c])
    expected = 11 * around[goal.places(batch)]  # a patch of 8, a gap of 3
    assert float((place[:, 0]).abs().max()) <= 1 + 1e-3  # moved by a pixel at most
    assert float((place[:, 1] - expected).abs().max()) <= 1 + 1e-3
    assert place[:, 0].round().unique().tolist() == [-1, 0, 1]
    extent = (shown.amax(dim=(3, 4)) - shown.amin(dim=(3, 4))) * 63.75 / 8
    assert float(extent.max()) < 8  # and no part of the gap is seen
    assert goal.places(batch).bincount().tolist() == [10] * 8


def enlarged(images):
    """Digits of 32 × 32 pixels, so that a patch is 2 × 2 pixels of the digit."""
    return Images(images.pixels.repeat(4, axis=1).repeat(4, axis=2))


def test_the_place_of_a_patch_of_new_images_is_told():
    diet = Diet(enlarged(DIGITS.train), enlarged(DIGITS.test))
    goal, batch = objective("relative-position", diet), diet.test.batch(np.arange(400))
    learner = taught(layered(nn.AvgPool2d(4), 192, 128, 128), goal, diet, steps=100)
    with torch.no_grad():
        outputs = learner.head(learner.network(goal.inputs(batch, noise())))
    right = (outputs.argmax(dim=1) == goal.places(batch)).double().mean()
    assert float(right) > 1 / 8 + 4 * (1 / 8 * 7 / 8 / 400) ** 0.5  # above chance


# colour


def tinted(images):
    """Digits of which each has a colour of its own, on black."""
    hues = np.random.default_rng(0).uniform(0.2, 1, (10, 3))
    pixels = (images.pixels * hues[images.labels][:, None, None]).astype(np.uint8)
    return Images(pixels, images.labels)


def test_colours_are_judged_and_only_brightness_is_seen():
    diet = Diet(tinted(DIGITS.train), tinted(DIGITS.test))
    goal, batch = objective("colour", diet), diet.train.batch(np.arange(20))
    seen = goal.inputs(batch, noise())
    weights = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    for channel in range(3):
        torch.testing.assert_close(seen[:, channel], (weights * batch.images).sum(dim=1))
    torch.testing.assert_close(goal.targets(batch).reshape(seen.shape) + seen, batch.images)
    assert float(goal.loss(goal.targets(batch), batch)) == 0
    assert float(goal.loss(goal.targets(batch) + 2, batch)) == pytest.approx(4)


def test_the_colours_of_new_images_are_given_better_than_on_average():
    diet = Diet(tinted(DIGITS.train), tinted(DIGITS.test))
    goal = objective("colour", diet)
    learner = taught(convolutional(8), goal, diet, steps=100)
    test = diet.test.batch(np.arange(400))
    mean = goal.targets(diet.train.batch(np.arange(len(diet.train)))).mean(dim=0)
    with torch.no_grad():
        baseline = float(goal.loss(mean.expand(400, -1), test))
        assert float(learner.loss(test, noise())) < 0.8 * baseline


# describe


def test_a_caption_says_what_is_seen():
    labels = np.array([0, 1, 1, 0, 0, 1])
    latents = {
        "x": np.float32([-3, 0, 3, 2.9, -2.9, 0.1]),
        "size": np.float32([1, 2, 3, 1.1, 2.1, 3.1]),
        "hunger": np.float32([1, 2, 3, 4, 5, 6]),
        "contrast": np.float32([-1, -0.5, 0.5, 1, 0.9, -0.9]),
    }
    images = Images(np.zeros((6, 8, 8, 3), np.uint8), labels, latents)
    goal = objective("describe", Diet(images, images, ("disc", "bar")), dimensions=2)
    assert goal.captions.of(labels, latents) == [
        "small black left disc",
        "medium dark centre bar",
        "large bright right bar",
        "small white right disc",
        "medium white left disc",
        "large black centre bar",
    ]
    unsigned = {"contrast": np.float32([0.1, 0.5, 1, 0.2, 0.6, 0.9])}
    images = Images(np.zeros((6, 8, 8, 3), np.uint8), labels, unsigned)
    goal = objective("describe", Diet(images, images, ("disc", "bar")), dimensions=2)
    said = goal.captions.of(labels, unsigned)
    assert said[:3] == ["faint disc", "clear bar", "strong bar"]


def test_captions_that_share_words_mean_more_alike():
    diet = drawn("shapes32", 2000, 400)
    goal, batch = objective("describe", diet), diet.test.batch(np.arange(400))
    meanings = goal.targets(batch)
    torch.testing.assert_close(meanings.norm(dim=1), torch.ones(400))
    latents = {name: each.numpy() for name, each in batch.latents.items()}
    words = [set(each.split()) for each in goal.captions.of(batch.labels.numpy(), latents)]
    pairs = np.triu_indices(400, 1)
    shared = np.array([len(words[i] & words[j]) for i, j in zip(*pairs, strict=True)])
    alike = (meanings @ meanings.T).numpy()[pairs]
    means = [alike[shared == number].mean() for number in range(5)]
    assert np.all(np.diff(means) > 0.1)


def test_the_right_caption_of_a_new_image_is_found():
    diet = drawn("shapes32", 2000, 400)
    goal, batch = objective("describe", diet), diet.test.batch(np.arange(400))
    learner = taught(convolutional(32), goal, diet, steps=60)
    with torch.no_grad():
        outputs = nn.functional.normalize(learner.head(learner.network(batch.images)))
    likeness = outputs @ goal.targets(batch).T
    better = (likeness > likeness.diagonal()[:, None]).double().mean(dim=1)
    assert float(better.mean()) < 0.25  # chance is a half, give or take .015
    found = likeness.reshape(20, 20, 20, 20)[range(20), :, range(20)].argmax(dim=2)  # of 20 each
    right = float((found == torch.arange(20)).double().mean())
    assert right > 1 / 20 + 4 * (1 / 20 * 19 / 20 / 400) ** 0.5


def test_meanings_are_the_same_each_time():
    diet = drawn("shapes32", 2000, 400)
    batch = diet.test.batch(np.arange(50))
    first, second = (objective("describe", diet).targets(batch) for _ in range(2))
    assert torch.equal(first, second)


# cues


def spikes_of(images):
    """Spikes (image, cue, neuron), read from the bars."""
    return np.rint(images.pixels[:, ::16, ::2, 0] / 9).astype(int)


def test_bayes_is_the_posterior_mean_of_poisson_spikes():
    """Against a sum over values and reliabilities, without the shortcut."""
    images = drawn("cues", 300, 20).test
    values, rates = np.linspace(-6, 6, 241), np.linspace(0.5, 10, 40)
    mean = np.exp(-(((values[:, None] - np.arange(-15, 16, 2)) / 3) ** 2) / 2)
    for spikes, bayes in zip(spikes_of(images), images.latents["bayes"], strict=True):
        posterior = np.ones(len(values))
        for cue in spikes:
            expected = rates[:, None, None] * mean
            log = (cue * np.log(expected) - expected).sum(axis=2)
            posterior *= np.exp(log - log.max()).sum(axis=0)
        assert bayes == pytest.approx(posterior @ values / posterior.sum(), abs=0.01)


def test_cues_are_drawn_the_same_each_time_and_vary_in_reliability():
    entry = find_entry("diet", "cues")
    again = entry.load()(**{**entry.card.options, "count": (300, 20)}).train
    images = drawn("cues", 300, 20).train
    assert np.array_equal(again.pixels, images.pixels)
    other = entry.load()(**{**entry.card.options, "count": (300, 20), "seed": 1}).train
    assert not np.array_equal(other.pixels, images.pixels)
    fired = spikes_of(images).sum(axis=2)
    assert np.corrcoef(fired.T)[0, 1] == pytest.approx(0, abs=4 / 300**0.5)
    assert np.percentile(fired, 90) > 4 * np.percentile(fired, 10)
    assert images.pixels.max() < 255  # no spike is cut off


def test_a_network_told_only_the_value_combines_cues_as_bayes_does():
    diet = drawn("cues", 20000, 2000)
    goal = objective("combine-cues", diet)
    network = layered(nn.AvgPool2d((16, 2)), 96, 100, 100, 100)  # sees one number for each bar
    learner = taught(network, goal, diet, steps=1500)
    batch = diet.test.batch(np.arange(2000))
    value = batch.latents["value"].numpy()
    mean, spread = goal.scales["value"]
    with torch.no_grad():
        outputs = learner.head(learner.network(batch.images))[:, 0].numpy()

    def single(images):
        return np.stack([posterior_mean(spikes_of(images)[:, cue]) for cue in (0, 1)], axis=1)

    told = np.c_[single(diet.train), np.ones(len(diet.train))]
    weights = np.linalg.lstsq(told, diet.train.latents["value"], rcond=None)[0]
    fixed = np.c_[single(diet.test), np.ones(2000)] @ weights

    def lost(estimate):
        """Of the information that Bayes' estimate gives, as if errors were Gaussian."""
        errors = [np.mean((each - value) ** 2) for each in (estimate, diet.test.latents["bayes"])]
        return np.log(errors[0] / errors[1]) / np.log(value.var() / errors[1])

    network = outputs * spread + mean
    assert lost(network) < 0.05
    assert lost(network) < lost(fixed) / 2


# what is refused


@pytest.mark.parametrize(
    ("name", "needed"), [("describe", "labels and latents"), ("combine-cues", "latents")]
)
def test_a_diet_that_lacks_what_is_asked_is_refused(name, needed):
    with pytest.raises(IncompatibleError, match=f"{name} needs {needed}"):
        require_fitting(Recipe.parse(f"conv4/{name}/backprop@leaves32#0"))


def test_images_that_do_not_suit_an_objective_are_refused():
    with pytest.raises(InputError, match="8 × 8 pixels have no patches around a middle"):
        objective("relative-position", DIGITS)
    with pytest.raises(InputError, match="the diet's images are grey"):
        objective("colour", DIGITS)
    with pytest.raises(InputError, match="no latent 'value' to give, only x, y"):
        objective("combine-cues", drawn("shapes32", 2000, 400))
    numbers = {"hunger": np.arange(3, dtype=np.float32)}
    images = Images(np.zeros((3, 8, 8, 3), np.uint8), np.arange(3), numbers)
    with pytest.raises(InputError, match="there are no words for any of hunger"):
        objective("describe", Diet(images, images, ("a", "b", "c")))
    with pytest.raises(InputError, match="have no 99 dimensions"):
        objective("describe", drawn("shapes32", 2000, 400), dimensions=99)


def test_a_head_of_two_inputs_reads_them_together():
    from isocortex.model_zoo.objectives._heads import Together

    embedding = torch.arange(12.0).reshape(6, 2)
    assert Together(2, nn.Identity())(embedding)[1].tolist() == [4, 5, 6, 7]
