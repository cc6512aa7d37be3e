"""Networks that spike: what cells compute, how surrogates teach them, what timing does."""

import sys
from itertools import pairwise, product

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from isocortex.budgets import BUDGETS, Budget
from isocortex.errors import IncompatibleError, InputError
from isocortex.runs import load_candidate, score
from isocortex.training import Batch, Keeper, train
from isocortex.training.loop import load_part

pytest.importorskip("snntorch", reason="pip install 'isocortex[spiking]'")

from isocortex.model_zoo.architectures._spiking import LeakyCells, SpikingBlock, SpikingNetwork
from isocortex.model_zoo.architectures.leaky_integrate_and_fire import lif3, lif_conv
from isocortex.model_zoo.diets.digits import digits
from isocortex.model_zoo.learning_rules.backprop import backprop
from isocortex.model_zoo.learning_rules.stdp import Pairs, Window, first_to_fire, stdp
from isocortex.model_zoo.objectives.categorise import categorise
from isocortex.model_zoo.objectives.none import none

ARCHITECTURES = ("lif3", "lif-conv")


def made(name, side=8):
    torch.manual_seed(0)
    network = load_part("architecture", name)((side, side))
    network.image_size = (side, side)
    return network


def images(count=4, side=8):
    generator = torch.Generator().manual_seed(1)
    return 2 * torch.rand(count, 3, side, side, generator=generator) - 1


def recorded(network, shown):
    """What each block gives at each step, (time, image, …), by name; the last call is for rates."""
    given = {name: [] for name in network.blocks}
    hooks = [
        block.register_forward_hook(lambda _, __, output, name=name: given[name].append(output))
        for name, block in network.blocks.items()
    ]
    with torch.no_grad():
        network(shown)
    for hook in hooks:
        hook.remove()
    return {name: torch.stack(each[:-1]) for name, each in given.items()}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_cells_fire_or_do_not_and_rates_are_their_mean(name):
    network = made(name)
    spikes = recorded(network, images())
    rates = network.answers(images())
    for block, trains in spikes.items():
        assert len(trains) == network.steps
        assert torch.equal(trains.mean(0), rates[block])
        if block != "pool":
            assert set(trains.unique().tolist()) == {0, 1}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_image_leaves_nothing_behind(name):
    network = made(name)
    first = network(images())
    network(-images())
    assert torch.equal(network(images()), first)


def rectified(network, shown):
    """The rates of a network of clipped rectifiers with the same weights, by block."""
    rates = {"input": functional.relu(torch.cat([shown, -shown], 1)) / 2}
    for below, name in pairwise(network.blocks):
        drive = network.blocks[name].layers[1](rates[below].flatten(1))
        rates[name] = drive.clamp(0, 1)
    return rates


def test_rates_without_leak_go_to_rectified_units_as_steps_grow():
    torch.manual_seed(0)
    network = lif3((4, 4), width=16, decay=1.0, steps=0).double()
    shown = images(side=4).double()
    expected = rectified(network, shown)
    errors = []
    for network.steps in (20, 200, 2000):
        found = network.answers(shown)
        errors.append(
            max(float((found[n] - each).detach().abs().max()) for n, each in expected.items())
        )
    assert errors[0] > 4 * errors[1] > 16 * errors[2]
    assert errors[2] < 0.01


@pytest.mark.parametrize(("drive", "fires"), [(0.9 * 0.2, False), (1.1 * 0.2, True)])
def test_a_cell_with_leak_fires_where_its_drive_is_above_the_leak(drive, fires):
    cells = LeakyCells(0.8)
    trains = torch.stack([cells(torch.tensor([[drive]])) for _ in range(200)])
    assert bool(trains.any()) == fires


def test_a_surrogate_gradient_is_that_of_the_membrane_past_each_spike():
    torch.manual_seed(0)
    decay, steps = 0.5, 6
    layer, cells = nn.Linear(3, 2, bias=False).double(), LeakyCells(decay).double()
    trains = torch.rand(steps, 1, 3, dtype=torch.float64)
    spikes = torch.stack([cells(20 * layer(each)) for each in trains])
    (gradient,) = torch.autograd.grad(spikes.sum(), layer.weight)
    expected, membrane, heard = torch.zeros(2, 3).double(), torch.zeros(2).double(), 0.0
    for train_, spike in zip(trains[:, 0], [torch.zeros(2), *spikes[:-1, 0]], strict=True):
        membrane = decay * membrane + 20 * layer(train_).detach() - spike
        heard = decay * heard + 20 * train_
        expected += (1 / (1 + 25 * (membrane - 1).abs()) ** 2)[:, None] * heard
    assert spikes.sum() > 0
    torch.testing.assert_close(gradient, expected, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_gradients_reach_every_synapse_and_cutting_stops_them(name):
    network = made(name)
    network(images()).sum().backward()
    assert all(each.grad.abs().sum() > 0 for each in network.parameters())
    network.zero_grad()
    whole, cut = network.answers(images()), network.answers(images(), cut=True)
    assert all(torch.equal(whole[block], cut[block]) for block in whole)
    cut["block3"].sum().backward()
    taught = {
        block
        for block, _, *_ in (
            n.split(".")[1:] for n, p in network.named_parameters() if p.grad is not None
        )
    }
    assert taught == {"block3"}


@pytest.fixture
def brief(monkeypatch):
    def last(steps):
        monkeypatch.setitem(BUDGETS, "brief", Budget("brief", steps))

    return last


@pytest.fixture(scope="module")
def diet():
    return digits()


@pytest.mark.parametrize(("name", "steps", "least"), [("lif3", 250, 0.95), ("lif-conv", 60, 0.5)])
def test_surrogate_gradients_teach_digits(name, steps, least, diet):
    torch.manual_seed(0)
    learner = backprop(made(name), categorise(diet))
    optimiser = torch.optim.Adam(learner.taught().values())
    budget = Budget("own", steps, rate=5e-3)
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = budget.rate_at(step)
        learner.zero_grad()
        learner.step(diet.batch_at(step, 64, seed=0), torch.Generator())
        optimiser.step()
    test = diet.test.batch(np.arange(len(diet.test)))
    with torch.no_grad():
        answers = learner.head(learner.network(test.images)).argmax(1)
    assert float((answers == test.labels).float().mean()) > least


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("conv4/categorise/surrogate-gradient@digits#0", "surrogate-gradient needs spiking"),
        ("lif3/none/surrogate-gradient@digits#0", "surrogate-gradient needs loss"),
        ("conv4/none/stdp@digits#0", "stdp needs spiking"),
        ("lif3/categorise/stdp@digits#0", "stdp needs no-loss"),
        ("lif3/categorise/burst@digits#0", "burst needs chain"),
    ],
)
def test_rules_of_spikes_are_refused_without_and_others_with_them(recipe, message):
    with pytest.raises(IncompatibleError, match=message):
        train(recipe)


def test_without_snntorch_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "snntorch", None)
    with pytest.raises(InputError, match=r"pip install 'isocortex\[spiking\]'"):
        LeakyCells(0.9)


@pytest.mark.parametrize("recipe", ["lif3/categorise/surrogate-gradient", "lif3/none/stdp"])
def test_a_network_that_spikes_goes_on_to_the_same_weights(recipe, brief, tmp_path):
    brief(4)
    recipe = f"{recipe}@digits:brief#0"
    whole = train(recipe, keeper=Keeper(tmp_path)).network.state_dict()
    for step in Keeper(tmp_path).steps()[-2:]:
        (tmp_path / f"step-{step:08d}.safetensors").unlink()
    taken_up = train(recipe, keeper=Keeper(tmp_path)).network.state_dict()
    assert all(torch.equal(taken_up[name], value) for name, value in whole.items())


def test_a_network_that_spikes_is_scored_like_any_other(brief, empty_home):
    brief(2)
    candidate = load_candidate("lif3/categorise/surrogate-gradient@digits:brief#0")
    found = score(candidate, "simulated/V1/rsa")
    assert found.low <= found.raw <= found.high


WINDOW = Window(potentiation=0.7, depression=0.9, rise=2.0, fall=5.0)


def closed_form(after):
    """What a pair does whose cell fires `after` steps past its input, half a step later still."""
    late = after + 0.5
    if late > 0:
        return WINDOW.potentiation * np.exp(-late / WINDOW.rise)
    return -WINDOW.depression * np.exp(late / WINDOW.fall)


@pytest.mark.parametrize("after", range(-6, 7))
def test_a_single_pair_does_what_the_window_says(after):
    pairs = Pairs(WINDOW)
    for step in range(14):
        input_spike, cell_spike = float(step == 6), float(step == 6 + after)
        pairs.add(torch.tensor([[input_spike]]).double(), torch.tensor([[cell_spike]]).double())
    change = float(pairs.strengthen - pairs.weaken)
    assert change == pytest.approx(closed_form(after), rel=1e-9)


def thin_network(decay=0.9, steps=10):
    """Two blocks of one cell each, so that each cell is the first of its block to fire."""
    torch.manual_seed(0)
    blocks = {
        f"block{n}": SpikingBlock(nn.Flatten(), nn.Linear(size, 1), LeakyCells(decay))
        for n, size in enumerate((6 * 16, 1), start=1)
    }
    network = SpikingNetwork(blocks, width=1, steps=steps).double()
    with torch.no_grad():
        for name in blocks:
            network.blocks[name].layers[1].weight.fill_(0.5)
            network.blocks[name].layers[1].bias.fill_(0.05)
    return network


def test_a_layer_learns_from_all_pairs_of_its_spikes():
    network, shown = thin_network(), images(side=4).double()
    trains = recorded(network, shown)
    learner = stdp(network, none(None), multiplicative=False)
    learner.window = WINDOW
    learner.step(Batch(shown), torch.Generator())
    for below, name in pairwise(network.blocks):
        inputs, cells = trains[below].flatten(2), trains[name]
        assert cells.sum() > 1
        expected = sum(
            closed_form(late - early) * (cells[late].T @ inputs[early])
            for late, early in product(range(network.steps), repeat=2)
        )
        change = -network.blocks[name].layers[1].weight.grad
        torch.testing.assert_close(change, expected / len(shown), rtol=1e-9, atol=1e-12)


def test_the_first_cell_to_fire_at_a_place_is_the_one_that_learns():
    drive = torch.tensor([[1.0, 3.0, 2.0]]).repeat(3, 1)
    before = torch.tensor([[1.0, 0, 0], [0, 0, 0], [0, 0, 0]])
    fired = torch.tensor([[0.0, 1, 1], [1, 0, 1], [0, 0, 0]])
    expected = [[1, 0, 0], [0, 0, 1], [0, 0, 0]]
    assert first_to_fire(before, fired, drive).tolist() == expected


@pytest.mark.parametrize("multiplicative", [False, True])
@pytest.mark.parametrize("build", [lif3, lif_conv])
def test_weights_stay_within_the_bounds_of_birth(build, multiplicative):
    torch.manual_seed(0)
    network = build((8, 8), width=8, decay=0.9, steps=8)
    layers = {
        n: each for n, each in network.named_modules() if isinstance(each, nn.Linear | nn.Conv2d)
    }
    bounds = {name: float(each.weight.detach().abs().max()) for name, each in layers.items()}
    learner = stdp(network, none(None), multiplicative=multiplicative)
    biases = [each.bias.clone() for each in layers.values()]
    optimiser = torch.optim.SGD(learner.taught().values(), lr=10.0)
    changed = 0.0
    for _ in range(20):
        learner.step(Batch(images(16)), torch.Generator())
        optimiser.step()
        with torch.no_grad():
            learner.after_update()
        for name, each in layers.items():
            assert float(each.weight.detach().abs().max()) <= bounds[name] * (1 + 1e-6)
            changed += float(each.weight.grad.abs().max())
    assert changed > 0
    assert all(
        torch.equal(each.bias, old) for each, old in zip(layers.values(), biases, strict=True)
    )


@pytest.mark.parametrize("side", [1, -1])
def test_multiplicative_changes_vanish_towards_the_bound_they_have_reached(side):
    network, shown = thin_network(), images(side=4).double()
    with torch.no_grad():
        network.blocks.block1.layers[1].weight.fill_(side * 0.1)
        network.blocks.block1.layers[1].bias.fill_(3.0)
    learner = stdp(network, none(None), multiplicative=True)
    learner.step(Batch(shown), torch.Generator())
    change = -network.blocks.block1.layers[1].weight.grad * side
    assert (change <= 0).all()
    assert (change < 0).any()


def test_a_block_of_two_layers_of_synapses_is_refused():
    network = thin_network()
    network.blocks.block1.layers.append(nn.Linear(1, 1))
    with pytest.raises(IncompatibleError, match="block1 has 2 layers of synapses"):
        stdp(network, none(None), multiplicative=False)
