"""Rules that relax: what is left once a network has settled is the gradient, or close to it."""

import copy
from itertools import pairwise

import pytest
import torch
from isocortex.model_zoo.architectures.convolutional import conv4
from isocortex.model_zoo.architectures.hopfield import hopfield
from isocortex.model_zoo.diets.digits import digits
from isocortex.model_zoo.learning_rules.backprop import backprop
from isocortex.model_zoo.learning_rules.burst import burst, excess_bursts
from isocortex.model_zoo.learning_rules.contrastive_hebbian import contrastive_hebbian
from isocortex.model_zoo.learning_rules.difference_targets import difference_targets
from isocortex.model_zoo.learning_rules.equilibrium import equilibrium
from isocortex.model_zoo.learning_rules.predictive_coding import (
    fixed_prediction,
    predictive_coding,
    relaxed,
)
from isocortex.model_zoo.objectives.categorise import categorise
from torch import nn

from isocortex.errors import IncompatibleError, InputError
from isocortex.training import Batch, Network, Objective, credit_audit

STRICT = {"steps": 200, "rate": 0.5, "precision": 1.0}
FIXED = {"steps": 0, "rate": 1.0}


@pytest.fixture(scope="module")
def diet():
    return digits()


def noise(seed=0):
    return torch.Generator().manual_seed(seed)


def batch_of(diet, step=0, size=64):
    batch = diet.batch_at(step, size, seed=0)
    return Batch(batch.images.double(), batch.labels)


def perceptron(*widths, activation=nn.Tanh):
    torch.manual_seed(0)
    layers = enumerate(pairwise((192, *widths)), start=1)
    blocks = {f"block{n}": nn.Sequential(nn.Linear(*pair), activation()) for n, pair in layers}
    blocks["block1"].insert(0, nn.Flatten())
    network = Network(blocks, width=widths[-1])
    network.image_size = (8, 8)
    return network


def convolutional():
    torch.manual_seed(0)
    network = conv4((8, 8), width=8, activation="relu")
    network.image_size = (8, 8)
    return network


def energetic(*units):
    torch.manual_seed(0)
    return hopfield((8, 8), units=units)


def learner(rule, network, objective, **options):
    return rule(network, objective, **options).double().train()


def angles(taught, batch):
    return {name: angle for name, (angle, _) in credit_audit(taught, batch, seed=0).items()}


def train(taught, diet, steps, rate=2e-3):
    optimiser = torch.optim.Adam(list(taught.taught().values()), lr=rate)
    for step in range(steps):
        taught.zero_grad()
        taught.step(batch_of(diet, step), noise(step))
        optimiser.step()
    return taught


class Match(Objective):
    """Half the squared distance of the embedding to what it should be."""

    def __init__(self, wanted):
        self.wanted = wanted

    def loss(self, outputs, batch):
        return (outputs - self.wanted).square().sum(1).mean() / 2


def missed_by(error, network, batch):
    """The objective that the network's embedding misses by so much."""
    with torch.no_grad():
        answer = network.double()(batch.images)
    return Match(answer + error * torch.randn(answer.shape, generator=noise()))


@pytest.mark.parametrize("network", [perceptron(32, 32, 16), convolutional()])
def test_predictive_coding_about_fixed_predictions_is_backprop(network, diet):
    batch, objective = batch_of(diet), categorise(diet)
    torch.manual_seed(1)
    taught = learner(fixed_prediction, network, objective, **FIXED)
    exact = learner(backprop, copy.deepcopy(network), objective)
    exact.head.load_state_dict(taught.head.state_dict())
    assert torch.isclose(taught.step(batch, noise()), exact.step(batch, noise()))
    for name, parameter in taught.taught().items():
        expected = exact.taught()[name].grad
        torch.testing.assert_close(parameter.grad, expected, rtol=1e-6, atol=1e-12)


def test_fixed_predictions_need_a_step_for_each_block_that_credit_crosses(diet):
    network, batch = perceptron(32, 32, 16), batch_of(diet)
    options = {**FIXED, "steps": 2}  # credit crosses three: the head, block3 and block2
    found = angles(learner(fixed_prediction, network, categorise(diet), **options), batch)
    assert found["block2"] < 1e-3
    assert found["block1"] != found["block1"]  # NaN: nothing has come down


def angle_of_strict(error, precision, batch):
    network = perceptron(32, 32, 16)
    options = {**STRICT, "precision": precision}
    taught = learner(predictive_coding, network, missed_by(error, network, batch), **options)
    return max(angles(taught, batch).values())


def test_strict_predictive_coding_nears_the_gradient_as_the_error_and_its_precision_fall(diet):
    batch = batch_of(diet)
    by_error = [angle_of_strict(error, 0.1, batch) for error in (10, 1, 0.1)]
    assert by_error[0] > by_error[1] > by_error[2]
    assert by_error[2] < 5
    by_precision = [angle_of_strict(0.1, precision, batch) for precision in (1, 0.1, 0.01)]
    assert by_precision[0] > by_precision[1] > by_precision[2]
    assert by_precision[2] < 1


def linear_pair(largest):
    """Two linear blocks, the second of that largest singular value, and a cost to descend."""
    torch.manual_seed(0)
    first, second = nn.Linear(6, 5, bias=False).double(), nn.Linear(5, 4, bias=False).double()
    with torch.no_grad():
        second.weight *= largest / torch.linalg.matrix_norm(second.weight, 2)
    inputs = torch.randn(20, 6, dtype=torch.float64)
    wanted = torch.randn(20, 4, dtype=torch.float64)
    values = [inputs, first(inputs).detach()]
    return [first, second], values, lambda outputs: (outputs - wanted).square().sum() / 2


def test_small_errors_alone_leave_the_turn_that_the_theory_predicts(diet):
    # About a linear network all is exact: the error within is (1 + WᵀW)⁻¹Wᵀ times that without.
    modules, values, cost = linear_pair(3.0)
    settled, _ = relaxed(modules, values, cost, steps=2000, rate=0.1)
    weight = modules[1].weight
    outer = torch.autograd.grad(cost(modules[1](values[1].requires_grad_())), values[1])[0]
    curvature = torch.eye(5, dtype=torch.float64) + weight.T @ weight
    expected = torch.linalg.solve(curvature, outer.T).T
    torch.testing.assert_close(modules[0](values[0]) - settled[1], expected, rtol=1e-6, atol=1e-9)


def values_and_cost(network, batch, error):
    modules, objective = list(network.blocks.values()), missed_by(error, network, batch)
    values = [batch.images]
    for module in modules[:-1]:
        values.append(module(values[-1]).detach())
    return modules, values, lambda outputs: len(batch) * objective.loss(outputs, batch)


@pytest.mark.parametrize("rate", [0.05, 0.5, 20.0])
def test_the_free_energy_never_rises(rate, diet):
    parts = values_and_cost(perceptron(32, 32, 16), batch_of(diet), 1.0)
    _, energies = relaxed(*parts, steps=60, rate=rate)
    assert all(after <= before for before, after in pairwise(energies))
    assert energies[-1] < 0.9 * energies[0]


@pytest.mark.parametrize(("share", "accepted"), [(0.9, True), (1.5, False)])
def test_only_rates_above_two_over_the_curvature_are_halved(share, accepted):
    largest = 3.0
    parts = linear_pair(largest)
    _, energies = relaxed(*parts, steps=300, rate=share * 2 / (1 + largest**2))
    assert all(after < before for before, after in pairwise(energies[:30])) == accepted
    _, least = relaxed(*parts, steps=2000, rate=0.1)
    assert energies[-1] == pytest.approx(least[-1], rel=1e-6)


def test_relaxing_leaves_running_means_as_one_pass_does(diet):
    batch, network = batch_of(diet), convolutional()
    taught = learner(predictive_coding, network, categorise(diet), **{**STRICT, "steps": 3})
    once = copy.deepcopy(network)
    once(batch.images)
    taught.step(batch, noise())
    for name, buffer in network.named_buffers():
        torch.testing.assert_close(buffer, once.get_buffer(name))


def test_a_hopfield_net_rests_where_its_energy_is_least_without_autograd(diet):
    network, images = energetic(40, 30, 20).double(), batch_of(diet).images
    with torch.no_grad():
        states = network.settle(images)
    states = [each.requires_grad_() for each in states]
    slopes = torch.autograd.grad(network.energy(images, states).sum(), states)
    assert max(float(each.abs().max()) for each in slopes) < 1e-5
    assert torch.equal(network(images).detach(), states[-1])


def test_settling_never_raises_the_energy_even_with_strong_synapses(diet, monkeypatch):
    network, images = energetic(40, 30, 20).double(), batch_of(diet).images
    with torch.no_grad():
        for parameter in network.parameters():
            parameter *= 20
        energies, states = [], None
        monkeypatch.setattr("isocortex.model_zoo.architectures.hopfield._MOST_SWEEPS", 1)
        for _ in range(30):
            states = network.settle(images, states)
            energies.append(network.energy(images, states))
    for before, after in pairwise(energies):
        assert bool((after <= before + 1e-9).all())
    assert float((energies[0] - energies[-1]).max()) > 0.1


def residual(network, images, states):
    """How far any state is from what its unit would do next, all at once."""
    layers, below = list(network.blocks.values()), [images.flatten(1), *states]
    above = [*(layer.down(state) for layer, state in zip(layers[1:], states[1:], strict=True)), 0.0]
    heard = zip(layers, below, above, states, strict=False)
    return max(float((layer(b, a) - state).abs().max()) for layer, b, a, state in heard)


def test_equilibrium_propagation_nears_the_gradient_as_the_nudge_falls(diet):
    batch, largest = batch_of(diet), []
    for nudge in (1.0, 0.1, 0.01):
        taught = learner(equilibrium, energetic(40, 30, 20), categorise(diet), nudge=nudge)
        largest.append(max(angles(taught, batch).values()))
    with torch.no_grad():
        states = taught.network.settle(batch.images)
        assert residual(taught.network, batch.images, states) < 1e-5
    assert largest[0] > largest[1] > 50 * largest[2]  # nudged both ways, the error goes with β²
    assert largest[2] < 2


def test_contrastive_hebbian_learning_nears_the_gradient_as_feedback_weakens(diet):
    batch, largest = batch_of(diet), []
    for feedback in (1.0, 0.1, 0.01):
        options = {"feedback": feedback}
        taught = learner(contrastive_hebbian, energetic(40, 30, 20), categorise(diet), **options)
        largest.append(max(angles(taught, batch).values()))
    assert largest[0] > largest[1] > largest[2]
    assert largest[2] < 2


def test_the_contrastive_update_is_hebbian_minus_anti_hebbian(diet):
    batch = batch_of(diet)
    taught = learner(contrastive_hebbian, energetic(20, 10), categorise(diet), feedback=0.5)
    taught.step(batch, noise())
    weight = taught.head.weight
    with torch.no_grad():
        settle, head = taught.network.settle, taught.head
        free = settle(batch.images, push=lambda top: 0.5 * head(top).softmax(1) @ weight)[-1]
        targets = taught.objective.targets(batch).double()
        clamped = settle(batch.images, push=lambda top: 0.5 * targets @ weight)[-1]
        hebbian = targets.T @ clamped - head(free).softmax(1).T @ free
    torch.testing.assert_close(weight.grad, -hebbian / len(batch), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("rule", "options"), [(equilibrium, {"nudge": 0.2}), (contrastive_hebbian, {"feedback": 0.05})]
)
def test_rules_of_rest_learn_and_refuse_networks_without_an_energy(rule, options, diet):
    taught = learner(rule, energetic(32, 16), categorise(diet), **options)
    first = float(taught.step(batch_of(diet), noise()))
    train(taught, diet, 30, rate=2e-2)
    assert float(taught.step(batch_of(diet), noise())) < first / 2
    with pytest.raises(IncompatibleError, match="settles where an energy is least"):
        rule(perceptron(8), categorise(diet), **options)


def test_targets_that_are_no_probabilities_cannot_be_clamped(diet):
    objective = categorise(diet)
    objective.targets = lambda batch: torch.full((len(batch), 10), 2.0)
    taught = learner(contrastive_hebbian, energetic(8), objective, feedback=0.1)
    with pytest.raises(InputError, match="probabilities"):
        taught.step(batch_of(diet), noise())


@pytest.mark.parametrize("network", [perceptron(32, 32, 32), convolutional()])
def test_difference_targets_are_exact_on_top_and_below_90_degrees_once_inverses_learned(
    network, diet
):
    taught = train(learner(difference_targets, network, categorise(diet), noise=1.0), diet, 50)
    found = angles(taught, batch_of(diet, 51))
    top = list(network.blocks)[-1]
    assert max(found["head"], found[top]) < 1e-3
    assert all(found[block] < 90 for block in network.blocks)


def test_inverses_are_kept_and_learned_with_the_network(diet):
    taught = learner(difference_targets, convolutional(), categorise(diet), noise=1.0)
    taught.step(batch_of(diet), noise())
    own = [name for name in taught.taught() if name.startswith("inverses.")]
    assert len(own) == 3 * 2  # weights and biases for all blocks but the first
    assert all(taught.taught()[name].grad.abs().sum() > 0 for name in own)
    assert set(own) <= set(taught.state_dict())


def test_difference_targets_must_know_the_size_of_images(diet):
    network = perceptron(8)
    network.image_size = None
    with pytest.raises(InputError, match="image_size"):
        difference_targets(network, categorise(diet), noise=1.0)


@pytest.mark.parametrize("network", [perceptron(32, 32, 16), convolutional()])
def test_bursts_near_the_gradient_as_teaching_weakens(network, diet):
    batch, largest = batch_of(diet), []
    for teaching in (1.0, 0.1, 0.01):
        taught = learner(burst, network, categorise(diet), teaching=teaching, symmetric=True)
        largest.append(max(angles(taught, batch).values()))
    assert largest[0] > largest[1] > largest[2]
    assert largest[2] < 2


def test_random_feedback_of_bursts_is_kept_and_turns_only_hidden_credit(diet):
    network, batch = perceptron(32, 32, 16), batch_of(diet)
    taught = learner(burst, network, categorise(diet), teaching=1e-3, symmetric=False)
    found = angles(taught, batch)
    assert found["head"] < 0.1
    assert all(30 < found[block] < 150 for block in network.blocks)
    kept = taught.feedback.tensors()
    assert sum(name.startswith("feedback.") for name in taught.state_dict()) == len(kept) == 4
    for name, each in kept.items():
        each.copy_(taught.taught()[name].detach())
    assert max(angles(taught, batch).values()) < 0.1


def test_bursts_are_a_share_of_events():
    responses, heard = torch.tensor([-3.0, 0.0, 2.0]), torch.tensor([100.0, -100.0, 1e-3])
    expected = [(3 + 0.1) / 2, -0.1 / 2, 1e-3]
    torch.testing.assert_close(excess_bursts(responses, heard), torch.tensor(expected))
