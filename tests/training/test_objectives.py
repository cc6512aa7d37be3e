"""Losses are their papers' formulas, written out; and what they teach has not collapsed."""

from itertools import product

import numpy as np
import pytest
import torch
from isocortex.model_zoo.architectures.convolutional import conv4
from isocortex.model_zoo.learning_rules.backprop import backprop
from isocortex.model_zoo.objectives import _views

from isocortex.errors import IncompatibleError, InputError
from isocortex.registry import find_entry
from isocortex.training import Batch, Diet, Images, Network, Recipe, require_fitting
from isocortex.training.loop import load_part
from isocortex.training.probes import probed

DIGITS = load_part("diet", "digits")()


def objective(name, diet=DIGITS, **options):
    entry = find_entry("objective", name)
    return entry.load()(diet, **{**entry.card.options, **options})


def numbers(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def noise(seed=0):
    return torch.Generator().manual_seed(seed)


def taught(network, goal, diet, steps, rate=3e-3):
    """A learner after some steps of backpropagation, and its losses."""
    learner = backprop(network, goal).train()
    optimiser = torch.optim.Adam(list(learner.taught().values()), lr=rate)
    losses = []
    for step in range(steps):
        learner.zero_grad()
        losses.append(float(learner.step(diet.batch_at(step, 64, seed=0), noise(step))))
        optimiser.step()
    return learner.eval(), losses


def digits_network(seed=0):
    torch.manual_seed(seed)
    return conv4((8, 8), width=8, activation="relu")


def flat_network(pixels, width=64):
    torch.manual_seed(0)
    return Network(
        {
            "block1": torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(pixels, width)),
            "block2": torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Linear(width, width)),
        },
        width=width,
    )


# formulas


def test_contrast_is_the_mean_surprise_of_the_other_view():
    outputs, n = numbers(10, 4), 10
    unit = outputs / outputs.norm(dim=1, keepdim=True)
    likeness = torch.exp(unit @ unit.T / 0.5)
    surprise = [
        -torch.log(likeness[i, (i + 5) % n] / sum(likeness[i, k] for k in range(n) if k != i))
        for i in range(n)
    ]
    loss = objective("contrast").loss(outputs, Batch(numbers(5, 3, 8, 8)))
    torch.testing.assert_close(loss, sum(surprise) / n, rtol=1e-12, atol=0)


def test_barlow_is_the_distance_of_the_correlations_from_the_identity():
    outputs = numbers(12, 5)
    one, other = outputs[:6].numpy(), outputs[6:].numpy()
    loss = 0.0
    for i, j in product(range(5), repeat=2):
        a, b = one[:, i] - one[:, i].mean(), other[:, j] - other[:, j].mean()
        # the authors' batch normalisation adds 1e-5 to both variances
        spread = np.sqrt(((a**2).mean() + 1e-5) * ((b**2).mean() + 1e-5))
        correlation = (a * b).mean() / spread
        loss += (1 - correlation) ** 2 if i == j else 5e-3 * correlation**2
    assert float(objective("barlow").loss(outputs, None)) == pytest.approx(loss, rel=1e-12)


def variance_and_covariance(z):
    n, d = z.shape
    centred = z - z.mean(axis=0)
    covariance = centred.T @ centred / (n - 1)
    still = sum(max(0, 1 - np.sqrt(covariance[j, j] + 1e-4)) for j in range(d)) / d
    alike = sum(covariance[i, j] ** 2 for i, j in product(range(d), repeat=2) if i != j) / d
    return still, alike


def test_vicreg_is_its_three_terms():
    outputs = numbers(12, 5) * 0.7
    one, other = outputs[:6].numpy(), outputs[6:].numpy()
    (still, alike), (other_still, other_alike) = map(variance_and_covariance, (one, other))
    distance = ((one - other) ** 2).mean()
    expected = 25 * distance + 25 * (still + other_still) / 2 + alike + other_alike
    assert float(objective("vicreg").loss(outputs, None)) == pytest.approx(expected, rel=1e-12)


def test_slow_is_change_plus_missing_variance_plus_covariance():
    outputs = numbers(12, 5) * 0.7  # three films of four frames
    z = outputs.numpy()
    change = np.mean([(z[4 * f + t + 1] - z[4 * f + t]) ** 2 for f in range(3) for t in range(3)])
    goal = objective("slow", outputs=5)
    loss = float(goal.loss(outputs, Batch(numbers(3, 3, 8, 8))))
    assert loss == pytest.approx(change + sum(variance_and_covariance(z)), rel=1e-12)


def test_denoising_sees_noise_and_is_judged_by_the_clean_image():
    batch = Batch(numbers(200, 3, 8, 8))
    goal = objective("denoise")
    added = goal.inputs(batch, noise()) - batch.images
    assert float(added.std()) == pytest.approx(0.5, rel=0.02)
    outputs = numbers(200, 192, seed=1)
    expected = ((outputs - batch.images.reshape(200, 192)) ** 2).sum() / (200 * 192)
    torch.testing.assert_close(goal.loss(outputs, batch), expected)
    assert torch.equal(objective("autoencode").inputs(batch, noise()), batch.images)


def test_masking_hides_three_quarters_and_judges_only_those():
    batch, goal = Batch(numbers(20, 3, 8, 8)), objective("masked")
    seen = goal.inputs(batch, noise())
    hidden = seen == 0
    assert hidden.flatten(1).double().mean(dim=1).tolist() == [0.75] * 20
    assert not torch.equal(hidden[0], hidden[1])
    outputs = numbers(20, 192, seed=1)
    missed = (outputs.reshape(seen.shape) - batch.images)[hidden]
    torch.testing.assert_close(goal.loss(outputs, batch), (missed**2).sum() / len(missed))
    elsewhere = torch.where(hidden, batch.images, 7).flatten(1)
    assert float(goal.loss(elsewhere, batch)) == 0


def test_rotation_shows_each_image_in_four_turns():
    batch, goal = Batch(numbers(5, 3, 8, 8)), objective("rotation")
    turned = goal.inputs(batch, noise()).reshape(4, 5, 3, 8, 8)
    for turns in range(4):
        expected = batch.images
        for _ in range(turns):
            expected = expected.transpose(2, 3).flip(2)  # a quarter turn to the left
        assert torch.equal(turned[turns], expected)
    assert goal.targets(batch).argmax(dim=1).tolist() == [k for k in range(4) for _ in range(5)]
    outputs = numbers(20, 4, seed=1)
    right = torch.log_softmax(outputs, dim=1)[torch.arange(20), goal.targets(batch).argmax(dim=1)]
    torch.testing.assert_close(goal.loss(outputs, batch), -right.mean())


def test_attributes_are_judged_in_units_of_their_spread():
    latents = {"x": np.arange(6, dtype=np.float32), "angle": np.float32([1, -1, 1, 1, -1, -1])}
    images = Images(np.zeros((6, 8, 8, 3), np.uint8), latents=latents)
    goal = objective("attributes", Diet(images, images))
    batch = images.batch(np.arange(6))
    expected = torch.stack(
        [(torch.arange(6) - 2.5) / np.sqrt(35 / 12), torch.tensor([1.0, -1, 1, 1, -1, -1])], dim=1
    )
    torch.testing.assert_close(goal.targets(batch), expected)
    assert float(goal.loss(torch.zeros(6, 2), batch)) == pytest.approx(1)  # knowing nothing


# views


def test_views_come_from_the_generator_and_stay_images():
    images = DIGITS.train.batch(np.arange(50)).images
    views = _views.two_views(images, noise())
    assert torch.equal(views, _views.two_views(images, noise()))
    assert not torch.equal(views[:50], views[50:])
    assert views.shape == (100, 3, 8, 8)
    assert float(views.abs().max()) <= 2 + 1e-6  # what 0 and 255 are


def test_a_crop_keeps_a_fifth_or_more_and_mirrors_half():
    ramp = torch.linspace(-31 / 32, 31 / 32, 32).expand(2000, 3, 32, 32)
    slopes = _views._cropped(ramp, noise()).diff(dim=3)[:, 0, 8:24, 8:24].mean(dim=(1, 2)) / (
        2 / 32
    )
    assert float((slopes < 0).double().mean()) == pytest.approx(0.5, abs=4 * 0.5 / 2000**0.5)
    share = slopes.abs()
    assert float(share.max()) <= 1 + 1e-4
    assert float(share.min()) >= (0.2 * 3 / 4) ** 0.5 - 1e-4


def test_a_third_of_a_turn_of_the_hue_swaps_the_channels():
    images = numbers(2, 3, 4, 4)
    third = torch.full((2,), 2 * np.pi / 3, dtype=torch.float64)
    turned = _views._turned(images - _views.luma(images), third, torch.ones(2, 1, 1, 1).double())
    centred = images - _views.luma(images)
    expected = centred.roll(1, dims=1)
    torch.testing.assert_close(turned, expected)


def test_a_fifth_of_the_views_are_grey():
    images = numbers(1000, 3, 4, 4).clamp(-1, 1)
    views = _views._recoloured(images, noise())
    grey = (views.std(dim=1) < 1e-9).flatten(1).all(dim=1)
    assert float(grey.double().mean()) == pytest.approx(0.2, abs=4 * (0.2 * 0.8 / 1000) ** 0.5)


# what they teach


@pytest.mark.parametrize("name", ["contrast", "barlow", "vicreg"])
def test_an_embedding_of_views_learns_and_does_not_collapse(name):
    learner, losses = taught(digits_network(), objective(name), DIGITS, steps=50)
    found = probed(learner.network, DIGITS, step=50, angles={}, settling={})
    assert np.mean(losses[-10:]) < np.mean(losses[:3])
    assert found.spread > 0.3
    assert found.rank > 4


def test_without_variance_the_outputs_collapse():
    spread = {}
    for variance in (25.0, 0.0):
        goal = objective("vicreg", variance=variance, covariance=0.0)
        learner, _ = taught(digits_network(), goal, DIGITS, steps=60)
        views = goal.inputs(DIGITS.test.batch(np.arange(300)), noise())
        with torch.no_grad():
            outputs = learner.head(learner.network(views))
        spread[variance] = float(outputs.std(dim=0).mean())
    assert spread[25.0] > 0.5
    assert spread[0.0] < 0.1


@pytest.mark.parametrize("name", ["autoencode", "denoise", "masked"])
def test_a_decoder_beats_the_mean_image(name):
    goal = objective(name)
    learner, _ = taught(digits_network(), goal, DIGITS, steps=100)
    batch = DIGITS.test.batch(np.arange(400))
    mean = DIGITS.train.batch(np.arange(len(DIGITS.train))).images.mean(dim=0)
    with torch.no_grad():
        baseline = goal.loss(mean.flatten().expand(400, -1), batch)
        assert float(learner.loss(batch, noise())) < 0.8 * float(baseline)


def test_rotations_of_new_digits_are_told():
    goal = objective("rotation")
    learner, _ = taught(digits_network(), goal, DIGITS, steps=60)
    batch = DIGITS.test.batch(np.arange(400))
    with torch.no_grad():
        outputs = learner.head(learner.network(goal.inputs(batch, noise())))
    right = (outputs.argmax(dim=1) == goal.targets(batch).argmax(dim=1)).double().mean()
    assert float(right) > 0.8  # chance is .25


def test_each_attribute_of_new_shapes_is_told():
    diet = find_entry("diet", "shapes32").load()(count=(2000, 400), clutter=0.3, seed=0)
    goal, batch = objective("attributes", diet), diet.test.batch(np.arange(400))
    torch.manual_seed(0)
    learner, _ = taught(conv4((32, 32), width=16, activation="relu"), goal, diet, steps=100)
    with torch.no_grad():
        outputs = learner.head(learner.network(batch.images))
    for name, given, true in zip(goal.scales, outputs.T, goal.targets(batch).T, strict=True):
        found = np.corrcoef(given, true)[0, 1]
        assert found > (0.1 if name == "angle" else 0.5), name  # by chance it is .05 or so


def drifting_waves(count, seed):
    """Films of five frames of a wave that drifts to the right or to the left, 8 × 8 pixels."""
    random = np.random.default_rng(seed)
    phase, speed = random.uniform(0, 2 * np.pi, count), random.choice([-0.8, 0.8], count)
    along = 2 * np.pi * np.arange(8) / 8
    angle = phase[:, None] + speed[:, None] * np.arange(5)
    waves = (
        np.sin(along - angle[:, :, None])[:, :, None, :, None] * np.ones((8, 1, 3))[None, None, :]
    )
    films = np.rint(127.5 + 120 * waves.reshape(count, 5, 8, 8, 3)).astype(np.uint8)
    return Images(films[:, -1], sequences=films)


def test_a_prediction_of_new_films_beats_copying_the_last_frame():
    diet = Diet(drifting_waves(640, 0), drifting_waves(200, 1))
    goal = objective("predict", diet)
    learner, _ = taught(flat_network(192), goal, diet, steps=150)
    batch = diet.test.batch(np.arange(200))
    with torch.no_grad():
        copied = float(((batch.sequence[:, -1] - batch.sequence[:, -2]) ** 2).mean())
        assert float(goal.loss(torch.zeros(200, 192), batch)) == pytest.approx(copied)
        assert float(learner.loss(batch, noise())) < 0.1 * copied


def test_the_prediction_sees_the_frames_before_and_never_the_next():
    diet = Diet(drifting_waves(4, 0), drifting_waves(2, 1))
    batch = diet.train.batch(np.arange(4))
    seen = objective("predict", diet).inputs(batch, noise()).reshape(4, 3, 3, 8, 8)
    assert torch.equal(seen, batch.sequence[:, 1:4])


def slow_and_fast_films(count, seed):
    """Pixels mix one latent that stays with eleven that change; the slow one is returned too."""
    random = np.random.default_rng(seed)
    sources = random.standard_normal((count, 4, 12))
    sources[:, :, 0] = sources[:, :1, 0] + 0.1 * sources[:, :, 0]
    mixing = np.linalg.qr(np.random.default_rng(9).standard_normal((12, 12)))[0]
    films = torch.from_numpy((sources @ mixing).reshape(count, 4, 3, 2, 2)).float()
    return Batch(films[:, -1], sequence=films), sources[:, -1]


def test_slowness_recovers_the_slow_source():
    goal = objective("slow", outputs=1)
    torch.manual_seed(0)
    learner = backprop(Network({"block1": torch.nn.Flatten()}, width=12), goal)
    optimiser = torch.optim.Adam(list(learner.taught().values()), lr=3e-2)
    batch, _ = slow_and_fast_films(500, 0)
    for _ in range(200):
        learner.zero_grad()
        learner.step(batch, noise())
        optimiser.step()
    new, sources = slow_and_fast_films(500, 1)
    with torch.no_grad():
        found = learner.head(learner.network(new.images))[:, 0].numpy()
    correlations = [abs(np.corrcoef(found, sources[:, k])[0, 1]) for k in range(12)]
    assert correlations[0] > 0.95
    assert max(correlations[1:]) < 0.3


# none, and what is refused


def test_no_objective_gives_no_gradient_and_refuses_rules_that_need_one():
    outputs = numbers(4, 5).requires_grad_()
    objective("none").loss(outputs, Batch(numbers(4, 3, 8, 8))).backward()
    assert not outputs.grad.any()
    with pytest.raises(IncompatibleError, match="backprop needs loss"):
        require_fitting(Recipe.parse("conv4/none/backprop@digits#0"))


@pytest.mark.parametrize(("name", "needed"), [("predict", "sequence"), ("attributes", "latents")])
def test_an_objective_refuses_a_diet_that_lacks_what_it_judges(name, needed):
    with pytest.raises(IncompatibleError, match=f"{name} needs {needed}"):
        require_fitting(Recipe.parse(f"conv4/{name}/backprop@digits#0"))


def test_images_that_do_not_suit_an_objective_are_refused():
    long = Images(np.zeros((4, 12, 8, 3), np.uint8))
    with pytest.raises(InputError, match="12 × 8 pixels can't be turned"):
        objective("rotation", Diet(long, long))
    with pytest.raises(InputError, match="don't divide into 8 × 8 patches"):
        objective("masked", Diet(long, long))
    films = drifting_waves(4, 0)
    with pytest.raises(InputError, match="films of 5 frames; a prediction from 5 needs one more"):
        objective("predict", Diet(films, films), context=5)
    still = Images(long.pixels, latents={"x": np.zeros(4, np.float32)})
    with pytest.raises(InputError, match="constant: \\['x'\\]"):
        objective("attributes", Diet(still, still))
