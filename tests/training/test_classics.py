"""The classic models of vision do what their papers show."""

import numpy as np
import pytest
import torch
from isocortex.model_zoo.architectures import rao_ballard as rao_ballard_module
from isocortex.model_zoo.architectures.neocognitron import SimpleCells
from isocortex.model_zoo.architectures.rao_ballard import rao_ballard
from isocortex.model_zoo.learning_rules._patches import patches
from isocortex.model_zoo.learning_rules.competitive import competitive
from isocortex.model_zoo.learning_rules.generative_predictive_coding import (
    generative_predictive_coding,
)
from isocortex.model_zoo.learning_rules.imprint import imprint
from isocortex.model_zoo.objectives.none import none
from scipy.linalg import subspace_angles
from scipy.stats import ortho_group
from sklearn.decomposition import PCA
from torch import nn
from torch.nn import functional

from isocortex.budgets import BUDGETS, Budget
from isocortex.errors import IncompatibleError, InputError
from isocortex.training import Batch, Diet, Images, Keeper, Network, Recipe, credit_audit, train
from isocortex.training.loop import Run, load_part


def made(name, side, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return load_part("architecture", name)((side, side)).eval()


def taught(learner, batches, *, rate):
    """What training's loop does, on any batches."""
    optimiser = torch.optim.Adam(learner.taught().values())
    for step, batch in enumerate(batches):
        learner.zero_grad()
        learner.step(batch, torch.Generator().manual_seed(step))
        optimiser.param_groups[0]["lr"] = rate * (1 - step / len(batches))
        optimiser.step()
        with torch.no_grad():
            learner.after_update()
    return learner


@torch.no_grad()
def answers(network, images):
    """What each block gives, (image, unit)."""
    return {name: each.flatten(1) for name, each in network.answers(images).items()}


def grating(degrees, wavelength, side=32):
    """A grating whose bars stand vertical at 0°, brightest in the middle."""
    axis = torch.arange(side) - side // 2
    row, column = torch.meshgrid(axis, axis, indexing="ij")
    angle = torch.tensor(degrees).deg2rad()
    wave = (2 * torch.pi * (column * angle.cos() + row * angle.sin()) / wavelength).cos()
    return wave.expand(3, -1, -1)


def drawings(*, side=32, size=12, shift=0, count=8):
    """Random figures of `size` pixels on grey, in the middle but for a shift to the right."""
    generator = torch.Generator().manual_seed(0)
    blobs = torch.randn(count, 1, size // 3, size // 3, generator=generator)
    figures = functional.interpolate(blobs, scale_factor=3)
    images, start = torch.zeros(count, 1, side, side), (side - size) // 2
    images[:, :, start : start + size, start + shift : start + shift + size] = figures
    return images.expand(-1, 3, -1, -1)


def likeness(first, second):
    """The mean correlation of two sets of responses (image, unit)."""
    pairs = zip(first.numpy(), second.numpy(), strict=True)
    return float(np.mean([np.corrcoef(*pair)[0, 1] for pair in pairs]))


def kept_over_shifts(network, blocks, shifts):
    """The likeness of each block's answers before and after a shift, averaged over shifts."""
    still = answers(network, drawings())
    moved = [answers(network, drawings(shift=shift)) for shift in shifts]
    return [np.mean([likeness(still[name], each[name]) for each in moved]) for name in blocks]


@pytest.mark.parametrize("name", ["hmax", "neocognitron", "rao-ballard", "rao-ballard-sparse"])
def test_classic_networks_embed_any_image_and_are_small(name):
    for side in (8, 32, 64):
        network = made(name, side)
        found = network(drawings(side=side, size=6)).detach()
        assert found.shape == (8, network.width)
        assert found.isfinite().all()
    assert sum(values.numel() for values in made(name, 32).parameters()) < 500_000
    assert found.std(dim=0).max() > 0


@pytest.mark.parametrize("wavelength", [4.0, 6.0])
def test_simple_cells_of_hmax_prefer_their_orientation(wavelength):
    images = torch.stack([grating(degrees, wavelength) for degrees in (0, 45, 90, 135)])
    maps = made("hmax", 32).blocks.S1(images).unflatten(1, (4, 4))[:, :, :, 12:20, 12:20]
    tuning = maps.amax(dim=(3, 4))[:, {4.0: 1, 6.0: 2}[wavelength]]
    assert tuning.argmax(dim=1).tolist() == [0, 1, 2, 3]
    across = tuning.roll(2, dims=1).diagonal()
    assert (across < 0.2 * tuning.diagonal()).all()


def test_simple_cells_of_hmax_do_not_see_contrast_where_it_is_high():
    cells, images = made("hmax", 32).blocks.S1, torch.randn(4, 3, 32, 32)
    torch.testing.assert_close(cells(1e3 * images), cells(1e4 * images), rtol=0, atol=1e-4)
    assert cells(1e4 * images).max() <= 1 + 1e-4


def test_complex_cells_of_hmax_tolerate_larger_shifts_than_simple_cells_do():
    network = made("hmax", 32)
    near, far = (kept_over_shifts(network, ("S1", "C1"), (shift,)) for shift in (1, 3))
    assert far[1] > near[0]
    assert far[1] > far[0] + 0.2


@torch.no_grad()
def test_the_last_cells_of_hmax_do_not_see_where_a_figure_is():
    network = made("hmax", 64)
    still = network(drawings(side=64))
    for shift in (2, 4, 8):
        torch.testing.assert_close(network(drawings(side=64, shift=shift)), still)
    odd = network(drawings(side=64, shift=5))
    others = (still - still.roll(1, 0)).square().mean()
    assert (odd - still).square().mean() < 0.1 * others


def test_imprinted_units_are_patches_that_were_seen_and_answer_to_them_fully():
    network, images = made("hmax", 16), drawings(side=16)
    learner = imprint(network, none(None))
    taught(learner, [Batch(images)] * 24, rate=1e-2)
    assert learner._is_full()
    for layer in network.blocks.S2.prototypes:
        bands = network.blocks.C1(network.blocks.S1(images)).unflatten(1, (2, 4)).flatten(0, 1)
        seen = patches(layer, bands).flatten(0, 1)
        away = (layer.weight.flatten(1)[:, None] - seen).abs().amax(dim=2)
        assert away.amin(dim=1).max() < 1e-6
    assert network(images).max(dim=0).values.min() > 0.999


def test_imprinting_fills_layers_in_order_and_then_stops():
    network = Network({n: nn.Linear(6, 12, bias=False) for n in ("first",)}, width=12)
    network.blocks["second"] = nn.Linear(12, 4, bias=False)
    before = network.blocks.second.weight.clone()
    learner = imprint(network, none(None))
    taught(learner, [Batch(torch.randn(9, 6))] * 2, rate=1e-2)
    assert torch.equal(network.blocks.second.weight, before)
    taught(learner, [Batch(torch.randn(9, 6))], rate=1e-2)
    stored = [each.clone() for each in network.parameters()]
    assert not torch.equal(network.blocks.second.weight, before)
    taught(learner, [Batch(torch.randn(9, 6))] * 3, rate=1e-2)
    assert all(torch.equal(*pair) for pair in zip(network.parameters(), stored, strict=True))


def s_cells(*, threshold=0.6, planes=4):
    torch.manual_seed(0)
    return SimpleCells(2, planes, threshold=threshold).double()


def test_s_cells_answer_to_the_cosine_of_pattern_and_input():
    cells = s_cells()
    inputs = torch.rand(200, 2, 3, 3, dtype=torch.float64) ** 2
    given = cells(1e8 * inputs)[:, :, 1, 1].detach()
    templates = cells.excitation.weight.detach().flatten(1)
    cosines = functional.normalize(inputs.flatten(1)) @ functional.normalize(templates).T
    torch.testing.assert_close(given, (cosines - 0.6).relu() / (1 - 0.6), rtol=0, atol=1e-7)
    assert 0 < (given > 0).double().mean() < 1


def test_inhibition_of_s_cells_is_shunting():
    cells = s_cells(planes=1)
    template = cells.excitation.weight.detach()
    given = [float(cells(c * template)[0, 0, 1, 1].detach()) for c in (1e-3, 1e-1, 1e1, 1e3)]
    assert given == sorted(given)  # weak patterns excite less
    assert given[2:] == pytest.approx([1, 1], abs=0.01)  # strong ones no more than 1


def test_tolerance_of_shifts_grows_from_stage_to_stage():
    kept = kept_over_shifts(made("neocognitron", 32), ("US1", "UC1", "UC2", "UC3"), (2, 4))
    assert (np.diff(kept) > 0.05).all(), kept


def test_competing_units_come_to_point_at_clusters():
    generator = torch.Generator().manual_seed(0)
    centres = torch.rand(4, 12, generator=generator) ** 4
    noise = 0.02 * torch.rand(4000, 12, generator=generator)
    samples = centres[torch.randint(4, (4000,), generator=generator)] + noise
    torch.manual_seed(0)
    network = Network({"only": nn.Linear(12, 4, bias=False)}, width=4)
    with torch.no_grad():
        network.blocks.only.weight.copy_(torch.rand(4, 12))
    learner = competitive(network, none(None))
    taught(learner, [Batch(samples[torch.randperm(4000)[:256]]) for _ in range(400)], rate=2e-2)
    weights = network.blocks.only.weight.detach()
    cosines = functional.normalize(weights) @ functional.normalize(centres + 0.01).T
    assert sorted(cosines.argmax(dim=1).tolist()) == [0, 1, 2, 3]
    assert cosines.max(dim=1).values.min() > 0.99


def large_digits(times):
    digits = load_part("diet", "digits")()

    def enlarged(images):
        return Images(images.pixels.repeat(times, 1).repeat(times, 2), images.labels)

    return Diet(enlarged(digits.train), enlarged(digits.test), digits.categories)


def readouts(architecture, rule, diet, *, steps, monkeypatch):
    """The accuracy of a linear readout before and after training."""
    monkeypatch.setitem(BUDGETS, "brief", Budget("brief", steps))
    torch.manual_seed(0)
    objective = none(diet)
    network = load_part("architecture", architecture)(diet.image_size)
    learner = load_part("learning_rule", rule)(network, objective).train()
    run = Run(Recipe.parse(f"{architecture}/none/{rule}@digits:brief#0"), learner, diet, "cpu")
    run.marks = (0,)
    for step in range(steps):
        run.learn(step)
    return [each.accuracy for each in run.probes]


def test_competition_raises_the_readout_of_the_neocognitron(monkeypatch):
    diet = large_digits(3)
    found = readouts("neocognitron", "competitive", diet, steps=150, monkeypatch=monkeypatch)
    assert found[1] > found[0] + 0.02


def one_level(units, side=8):
    torch.manual_seed(0)
    return rao_ballard((side, side), units=(units,), priors=(0.0,), sparse=False)


@pytest.mark.parametrize("name", ["rao-ballard", "rao-ballard-sparse"])
@torch.no_grad()
def test_the_energy_falls_in_each_sweep(name, monkeypatch):
    monkeypatch.setattr(rao_ballard_module, "_SWEEPS", 1)
    network, images = made(name, 16).double(), 3 * torch.randn(5, 3, 16, 16).double()
    network.blocks.level1.generative.weight *= 3
    states = [each.silent(images) for each in network.blocks.values()]
    energies = []
    for _ in range(60):
        energies.append(network.energy(images, states))
        states = network.settle(images, states)
    falls = -torch.stack(energies).diff(dim=0)
    assert (falls > -1e-9).all()
    assert (falls[:5] > 0).all()


@torch.no_grad()
def test_states_settle_at_the_regularised_least_squares():
    network = rao_ballard((8, 8), units=(6,), priors=(0.5,), sparse=False).double()
    images = torch.randn(4, 3, 8, 8).double()
    weights = network.blocks.level1.generative.weight
    gram = weights.T @ weights + 0.5 * torch.eye(6)  # where Uᵀ(I − Ur) = αr, as the paper's
    seen = weights.T @ images.flatten(1).T
    torch.testing.assert_close(network(images), torch.linalg.solve(gram, seen).T)


def test_one_level_without_prior_finds_the_principal_components():
    rng = np.random.default_rng(0)
    axes = ortho_group.rvs(192, random_state=0)[:10]
    samples = rng.normal(size=(3000, 10)) * 2.0 ** -np.arange(0, 5, 0.5) @ axes
    images = torch.from_numpy(samples).float().reshape(-1, 3, 8, 8)
    learner = generative_predictive_coding(one_level(4), none(None), decay=0.0)
    chosen = torch.randint(3000, (250, 128), generator=torch.Generator().manual_seed(0))
    taught(learner, [Batch(images[each]) for each in chosen], rate=2e-2)
    weights = learner.network.blocks.level1.generative.weight.detach().numpy()
    components = PCA(4).fit(samples).components_
    assert np.cos(subspace_angles(weights, components.T)).min() > 0.99


def leaves(count=600):
    from isocortex.model_zoo.diets._drawing import as_pixels
    from isocortex.model_zoo.diets._leaves import leaves as drawn

    pixels = as_pixels(drawn(count, 16, np.random.default_rng(0), canvases=2))
    return Images(pixels).batch(np.arange(count)).images


def test_learned_fields_predict_images_better_than_random_ones():
    images = leaves()
    train_on, test_on = images[:500], images[500:]
    errors, angles = [], []
    for steps in (0, 100):
        learner = generative_predictive_coding(made("rao-ballard", 16), none(None), decay=0.02)
        chosen = torch.randint(500, (steps, 64), generator=torch.Generator().manual_seed(0))
        taught(learner, [Batch(train_on[each]) for each in chosen], rate=1e-2)
        level = learner.network.blocks.level1
        with torch.no_grad():
            state = learner.network.settle(test_on)[0]
            pixels = rao_ballard_module._patches(test_on)
            errors.append(float(level.error(pixels, state).square().mean()))
        angles.append(credit_audit(learner, Batch(test_on), seed=0))
    assert errors[1] < 0.25 * errors[0]
    assert max(angle for each in angles for angle, _ in each.values()) < 5


def test_generative_learning_needs_a_network_that_generates():
    with pytest.raises(IncompatibleError, match="needs generative"):
        train("hopfield2/none/predictive-coding-generative@digits#0")
    with pytest.raises(InputError, match="a module sees 8 × 8 pixels"):
        made("rao-ballard", 6)


@pytest.mark.parametrize(
    "cell",
    [
        "hmax/none/imprint",
        "neocognitron/none/competitive",
        "rao-ballard/none/predictive-coding-generative",
    ],
)
def test_classic_rules_go_on_from_where_they_were_killed(cell, tmp_path, monkeypatch):
    monkeypatch.setitem(BUDGETS, "brief", Budget("brief", 12))
    monkeypatch.setattr("isocortex.training.loop.log_spaced", lambda steps: (7, steps))
    recipe = f"{cell}@digits:brief#0"
    whole = train(recipe, keeper=Keeper(tmp_path))
    (tmp_path / "step-00000012.safetensors").unlink()
    taken_up = train(recipe, keeper=Keeper(tmp_path))
    state = taken_up.network.state_dict()
    assert all(torch.equal(state[n], value) for n, value in whole.network.state_dict().items())
    if "rao" in cell:
        rest = taken_up.history.settling.sel(quantity="energy at rest")
        assert (rest < taken_up.history.settling.sel(quantity="energy before settling")).all()
