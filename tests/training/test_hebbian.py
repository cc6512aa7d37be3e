"""Rules of one layer find in their inputs what their papers say they find."""

from functools import partial
from itertools import product

import numpy as np
import pytest
import torch
from isocortex.model_zoo.architectures.convolutional import conv4
from isocortex.model_zoo.learning_rules._patches import patches
from isocortex.model_zoo.learning_rules.bcm import bcm
from isocortex.model_zoo.learning_rules.boltzmann import boltzmann, contrastive_divergence
from isocortex.model_zoo.learning_rules.nonlinear_hebbian import decorrelated, nonlinear_hebbian
from isocortex.model_zoo.learning_rules.principal_components import principal_components
from isocortex.model_zoo.learning_rules.slow_features import slow_features, slowest_directions
from isocortex.model_zoo.learning_rules.softhebb import softhebb
from isocortex.model_zoo.learning_rules.sparse_coding import sparse_codes, sparse_coding
from isocortex.model_zoo.learning_rules.trace import trace, traced
from isocortex.model_zoo.objectives.none import none
from scipy.linalg import eigh, subspace_angles
from scipy.stats import kurtosis, ortho_group
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA, sparse_encode
from sklearn.neural_network import BernoulliRBM
from torch import nn

from isocortex.budgets import BUDGETS, Budget
from isocortex.errors import IncompatibleError
from isocortex.training import Batch, Keeper, Network, credit_audit, train
from isocortex.training.audit import angle_and_ratio

DIGITS = torch.from_numpy(load_digits().data).float() / 8 - 1


def learner_of(rule, layer, **options):
    """A learner of one layer, whose images are vectors."""
    return rule(Network({"only": layer}, width=1), none(None), **options)


def teach(learner, batches, *, rate):
    """What training's loop does, on any batches."""
    budget = Budget("own", len(batches), rate=rate)
    optimiser = torch.optim.Adam(learner.taught().values())
    for step, batch in enumerate(batches):
        learner.step(batch, torch.Generator().manual_seed(step))
        optimiser.param_groups[0]["lr"] = budget.rate_at(step)
        optimiser.step()
        with torch.no_grad():
            learner.after_update()


def batches_of(samples, steps, *, size=256):
    """Images, or the last frames of films (film, time, input)."""
    generator = torch.Generator().manual_seed(0)
    chosen = [torch.randint(len(samples), (size,), generator=generator) for _ in range(steps)]
    if samples.ndim == 3:
        return [Batch(samples[each][:, -1], sequence=samples[each]) for each in chosen]
    return [Batch(samples[each]) for each in chosen]


def weights_after(rule, units, samples, *, steps, rate=1e-2, **options):
    torch.manual_seed(0)
    learner = learner_of(rule, nn.Linear(samples.shape[-1], units, bias=False), **options)
    teach(learner, batches_of(samples, steps), rate=rate)
    return learner.network.blocks["only"].weight.detach().numpy()


def components_and_samples():
    """Samples of eight inputs, with variances that halve along random axes."""
    axes = ortho_group.rvs(8, random_state=0)
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(4000, 8)) * 2.0 ** -np.arange(0, 4, 0.5) @ axes + 1
    return PCA(5).fit(samples).components_, torch.from_numpy(samples).float()


def test_one_unit_by_oja_is_the_first_component():
    components, samples = components_and_samples()
    (weights,) = weights_after(principal_components, 1, samples, steps=600, ordered=False)
    assert abs(weights @ components[0]) / np.linalg.norm(weights) > 0.99
    assert np.linalg.norm(weights) == pytest.approx(1, abs=0.01)


def test_units_by_oja_span_the_first_components():
    components, samples = components_and_samples()
    weights = weights_after(principal_components, 3, samples, steps=600, ordered=False)
    assert np.cos(subspace_angles(weights.T, components[:3].T)).min() > 0.99


def test_units_by_sanger_are_the_components_in_order():
    components, samples = components_and_samples()
    weights = weights_after(principal_components, 5, samples, steps=1000, ordered=True)
    cosines = abs((weights * components).sum(1)) / np.linalg.norm(weights, axis=1)
    assert cosines.min() > 0.99


def test_nonlinear_hebbian_units_find_the_sparse_sources_of_a_mixture():
    rng = np.random.default_rng(0)
    sparse = rng.laplace(size=(8000, 4)) * (rng.random((8000, 4)) < 0.5)
    sources = np.hstack([sparse / sparse.std(0), rng.normal(size=(8000, 2))])
    samples = torch.from_numpy(sources @ rng.normal(size=(6, 6))).float()
    before = samples.numpy() @ weights_after(nonlinear_hebbian, 4, samples, steps=1, rate=0).T
    after = samples.numpy() @ weights_after(nonlinear_hebbian, 4, samples, steps=600).T
    correlations = abs(np.corrcoef(after.T, sources.T)[:4, 4:])
    assert set(correlations.argmax(1)) == {0, 1, 2, 3}
    assert correlations.max(1).min() > 0.95
    assert kurtosis(after).min() > kurtosis(before).max()


def test_decorrelated_answers_have_the_identity_as_covariance():
    torch.manual_seed(0)
    weights, samples = torch.randn(5, 9, dtype=torch.float64), torch.randn(99, 9).double()
    covariances = samples.T @ samples
    found = decorrelated(weights, covariances)
    assert torch.allclose(found @ covariances @ found.T, torch.eye(5, dtype=torch.float64))


def bars(side=6):
    """Images of one bar each, at every row and column."""
    images = torch.zeros(2 * side, side, side)
    for place in range(side):
        images[place, place], images[side + place, :, place] = 1, 1
    return images.flatten(1)


def selectivity(weights, samples):
    """1 − mean/peak over inputs, for each unit, as in Bienenstock et al. 1982."""
    answers = np.maximum(0, (samples - samples.mean(0)).numpy() @ weights.T)
    return 1 - answers.mean(0) / answers.max(0)


def test_bcm_units_come_to_answer_to_one_input_of_twelve():
    samples = bars()
    before = selectivity(weights_after(bcm, 8, samples, steps=1, rate=0), samples)
    after = selectivity(weights_after(bcm, 8, samples, steps=1000), samples)
    assert (after > before).all()
    assert after == pytest.approx(np.full(8, 1 - 1 / 12), abs=0.01)


def sweeps():
    """Films of simple cells of four orientations, active one after the other at eight places."""
    films = torch.zeros(8, 8, 4, 8)
    for orientation, place in product(range(4), range(8)):
        films[orientation, place, orientation, place] = 1
        films[4 + orientation, 7 - place, orientation, place] = 1
    return films.flatten(2)


def invariance(weights):
    """The share of places at which an orientation's usual winner wins, and how many win."""
    counts = [np.bincount(each) for each in weights.argmax(0).reshape(4, 8)]
    return np.mean([each.max() / 8 for each in counts]), len({each.argmax() for each in counts})


def test_the_trace_makes_units_invariant_to_place():
    weights = weights_after(trace, 4, sweeps(), steps=500, rate=2e-2, decay=0.2)
    share, winners = invariance(weights)
    assert share > 0.9
    assert winners == 4


def test_without_a_trace_units_are_not_invariant():
    weights = weights_after(trace, 4, sweeps(), steps=500, rate=2e-2, decay=1.0)
    assert invariance(weights)[0] < 0.6


def test_a_trace_keeps_its_share_of_what_was():
    answers = torch.tensor([[[1.0], [0.0], [1.0]]])
    assert traced(answers, 0.2).flatten().tolist() == pytest.approx([0.2, 0.2 * 0.8, 0.128 + 0.2])


def test_codes_are_the_lasso_of_scikit_learn():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(24, 16))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    samples = rng.normal(size=(50, 16))
    theirs = sparse_encode(samples, features, algorithm="lasso_lars", alpha=0.3)
    inputs = torch.from_numpy(samples), torch.from_numpy(features)
    ours = sparse_codes(*inputs, penalty=0.3, iterations=3000).numpy()
    assert abs(ours - theirs).max() < 1e-6


def test_sparse_coding_lowers_the_energy_of_digits():
    samples = DIGITS - DIGITS.mean(0)

    def energy(features):
        inputs = samples, torch.from_numpy(features)
        codes = sparse_codes(*inputs, penalty=0.5, iterations=50)
        errors = inputs[0] - codes @ inputs[1]
        return float((errors**2).sum() / 2 + 0.5 * codes.abs().sum())

    before, after = (weights_after(sparse_coding, 32, DIGITS, steps=steps) for steps in (1, 300))
    assert energy(after) < 0.7 * energy(before)
    assert np.linalg.norm(after, axis=1) == pytest.approx(np.ones(32), abs=1e-5)


def test_slow_features_find_the_slow_latent_of_a_mixture():
    rng = np.random.default_rng(0)
    time = np.linspace(0, 2 * np.pi, 4000, endpoint=False)
    latents = np.sin(np.outer(time, (11, 97, 231, 410)))
    samples = latents @ rng.normal(size=(4, 6))
    films = torch.from_numpy(samples).float().reshape(500, 8, 6)
    answers = samples @ weights_after(slow_features, 2, films, steps=300).T
    for unit in (0, 1):
        assert abs(np.corrcoef(answers[:, unit], latents[:, unit])[0, 1]) > 0.99


def test_slowest_directions_solve_the_generalised_eigenproblem():
    rng = np.random.default_rng(0)
    variation, speed = (np.cov(rng.normal(size=(6, 50))) for _ in range(2))
    axes = eigh(speed, variation)[1]
    ours = slowest_directions(torch.from_numpy(variation), torch.from_numpy(speed)).numpy()
    assert ours @ variation @ ours.T == pytest.approx(np.eye(6), abs=0.01)  # noise of .001
    assert abs((ours @ variation @ axes).diagonal()) == pytest.approx(np.ones(6), abs=0.01)


def test_softhebb_brings_weights_to_a_norm_of_one():
    weights = weights_after(softhebb, 32, DIGITS, steps=1500)
    assert np.linalg.norm(weights, axis=1) == pytest.approx(np.ones(32), abs=0.01)


def states(units):
    return torch.tensor(list(product((0.0, 1.0), repeat=units)), dtype=torch.float64)


def log_likelihood(inputs, weights, visible_bias, hidden_bias):
    """The mean log likelihood of binary inputs, by enumeration of all others."""

    def unnormalised(seen):
        free = nn.functional.softplus(seen @ weights.T + hidden_bias).sum(1)
        return seen @ visible_bias + free

    return unnormalised(inputs).mean() - unnormalised(states(inputs.shape[1])).logsumexp(0)


def test_contrastive_divergence_of_ten_steps_is_the_gradient_of_the_likelihood():
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(6, 8, generator=generator, dtype=torch.float64) / 2
    machine = [weights, torch.zeros(8).double(), torch.zeros(6).double()]
    inputs = states(8)[torch.randint(256, (20,), generator=generator)]
    exact = torch.autograd.grad(
        log_likelihood(inputs, *(each.requires_grad_() for each in machine)), machine
    )
    with torch.no_grad():
        found = contrastive_divergence(
            inputs.repeat(1000, 1), weights, tuple(machine[1:]), steps=10, generator=generator
        )
    found, exact = (torch.cat([each.flatten() for each in parts]) for parts in (found, exact))
    assert angle_and_ratio(found, exact)[0] < 5


def test_a_machine_models_bars_as_well_as_that_of_scikit_learn():
    seen = bars(3).repeat(20, 1)
    theirs = BernoulliRBM(6, learning_rate=0.1, batch_size=30, n_iter=300, random_state=0).fit(seen)
    torch.manual_seed(0)
    learner = learner_of(boltzmann, nn.Linear(9, 6, bias=False))
    teach(learner, batches_of(40 * (seen - 0.5), 1500), rate=2e-2)
    weights = learner.network.blocks["only"].weight.detach()
    ours = weights, learner.visible["blocks_only"].detach(), learner.hidden["blocks_only"].detach()
    parts = theirs.components_, theirs.intercept_visible_, theirs.intercept_hidden_
    first, second = (
        float(log_likelihood(seen.double(), *(torch.as_tensor(each).double() for each in machine)))
        for machine in (ours, parts)
    )
    assert first > second


@pytest.fixture
def brief(monkeypatch):
    monkeypatch.setitem(BUDGETS, "brief", Budget("brief", 100))


def test_features_by_softhebb_are_read_out_better_than_random_ones(brief):
    accuracy = train("conv4/none/softhebb@digits:brief#0").history.accuracy
    assert float(accuracy[-1]) > float(accuracy[0]) + 0.02


def test_what_a_rule_remembers_is_kept_with_its_weights(brief, tmp_path, monkeypatch):
    recipe = "conv4/none/nonlinear-hebbian@digits:brief#0"
    monkeypatch.setitem(BUDGETS, "brief", Budget("brief", 12))
    whole = train(recipe, keeper=Keeper(tmp_path)).network.state_dict()
    for step in Keeper(tmp_path).steps()[-2:]:
        (tmp_path / f"step-{step:08d}.safetensors").unlink()
    taken_up = train(recipe, keeper=Keeper(tmp_path)).network.state_dict()
    assert all(torch.equal(taken_up[name], value) for name, value in whole.items())


RULES = {
    "oja": partial(principal_components, ordered=False),
    "sanger": partial(principal_components, ordered=True),
    "nonlinear-hebbian": nonlinear_hebbian,
    "bcm": bcm,
    "softhebb": softhebb,
    "trace": partial(trace, decay=0.2),
    "sparse-coding": sparse_coding,
    "slow-features": slow_features,
    "boltzmann": boltzmann,
}


def films_of_noise():
    torch.manual_seed(1)
    films = torch.randn(8, 4, 3, 8, 8)
    return Batch(films[:, -1], sequence=films)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_teaches_the_layers_of_a_chain_and_nothing_else(rule):
    torch.manual_seed(0)
    network = conv4((8, 8), width=4, activation="relu")
    before = {name: value.clone() for name, value in network.named_parameters()}
    learner = RULES[rule](network, none(None))
    names = {f"network.blocks.block{number}.0.weight" for number in (1, 2, 3, 4)}
    assert {each for each in learner.taught() if each.startswith("network")} == names
    teach(learner, [films_of_noise()], rate=1e-2)
    changed = {n for n, value in network.named_parameters() if not torch.equal(value, before[n])}
    assert {f"network.{name}" for name in changed} == names
    assert all(value.isfinite().all() for value in learner.state_dict().values())


def test_the_audit_of_a_rule_without_loss_finds_nothing_to_compare_with():
    learner = principal_components(
        conv4((8, 8), width=4, activation="relu"), none(None), ordered=True
    )
    angles = credit_audit(learner, films_of_noise(), seed=0)
    assert set(angles) == {"block1", "block2", "block3", "block4"}
    assert np.isnan(list(angles.values())).all()


@pytest.mark.parametrize(
    "layer", [nn.Linear(6, 5), nn.Conv2d(3, 5, (3, 2), (2, 1), (1, 0), (1, 2))]
)
def test_a_layer_is_one_linear_map_of_its_patches(layer):
    inputs = torch.randn(2, 3, 7, 6)
    answers = patches(layer, inputs) @ layer.weight.flatten(1).T + layer.bias
    expected = layer(inputs)
    if isinstance(layer, nn.Conv2d):
        expected = expected.movedim(1, -1)
    assert torch.allclose(answers, expected.reshape(answers.shape), atol=1e-5)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.Conv2d(4, 4, 3, groups=2), "teaches convolutions of one group"),
        (nn.Conv2d(4, 4, 3, padding="same"), "teaches convolutions of one group"),
        (nn.ReLU(), "no nn.Linear and no nn.Conv2d"),
    ],
)
def test_a_network_without_a_layer_to_teach_is_refused(layer, message):
    with pytest.raises(IncompatibleError, match=message):
        learner_of(bcm, layer)


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("conv4/categorise/oja@digits#0", "oja needs no-loss"),
        ("conv4/none/trace@digits#0", "trace needs sequence"),
    ],
)
def test_a_rule_of_one_layer_is_refused_where_it_makes_no_sense(recipe, message):
    with pytest.raises(IncompatibleError, match=message):
        train(recipe)
