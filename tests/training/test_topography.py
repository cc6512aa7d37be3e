"""Sheets: each unit has its place, neighbours come to be alike, and long wires waste away."""

from functools import cache

import numpy as np
import pytest
import torch
from isocortex.model_zoo.architectures.sheet import sheet, sheet4
from isocortex.model_zoo.constraints.topography import decay_with_length, diffuse
from tests.core.test_extraction import images

from isocortex.errors import IncompatibleError
from isocortex.extraction import extract_answers
from isocortex.planning import plan_extraction
from isocortex.runs import load_candidate
from isocortex.training import BUDGETS, Budget, Diet, Keeper, Recipe, Run, load_part, train


@pytest.fixture(autouse=True)
def brief(monkeypatch):
    monkeypatch.setitem(BUDGETS, "brief", Budget("brief", 3))


@pytest.fixture
def network():
    """A network of sheets for 16 × 16 pixels, in double precision."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return sheet4((16, 16), patches=(4, 4, 6, 8)).double()


def sheets(network):
    return [block[0] for block in network.blocks.values()]


def places_of(block):
    """Where the units of a block lie, in the order of their weights: (unit, 2)."""
    return block.unit_places.reshape(block[0].outputs, -1, 2).transpose(0, 1).flatten(0, 1)


def test_units_of_a_place_are_a_patch_and_patches_tile_the_sheet():
    block = sheet(torch.full((3, 2), 0.5), (8, 8), side=2)
    row, column = (8 * block.unit_places).T.reshape(2, 4, 4, 4)  # channel, then row and column
    first = 2 * torch.arange(4.0) + 0.5
    for channel in range(4):
        assert row[channel].equal((first + channel // 2)[:, None].expand(4, 4))
        assert column[channel].equal((first + channel % 2).expand(4, 4))


def test_neighbours_are_those_whose_answers_lie_next_on_the_sheet():
    block = sheet(torch.full((3, 2), 0.5), (6, 6), side=2).eval()
    maps, connections = torch.randn(1, 3, 6, 6).abs(), block[0]

    def place(unit):
        """Where the answer changes if the weights of a unit do."""
        before = connections(maps)
        with torch.no_grad():
            connections.weight[unit] += 1
        changed = (connections(maps) != before).flatten().nonzero().item()
        return 6 * block.unit_places[changed]

    for unit, around in enumerate(connections.neighbours.tolist()):
        here = place(unit)
        for neighbour, step in zip(around, [(-1, 0), (1, 0), (0, -1), (0, 1)], strict=True):
            beyond = ((here + torch.tensor(step)) % 6 - here - torch.tensor(step)).abs().max() > 1
            expected = (0, 0) if beyond else step
            torch.testing.assert_close(place(neighbour) - here, torch.tensor(expected).float())


def test_wires_are_as_long_as_the_way_from_unit_to_unit(network):
    lower, upper = network.blocks["block1"], network.blocks["block2"]
    below = lower.unit_places.reshape(16, 8, 8, 2)
    wires = upper[0].wires.reshape(4, 4, 16, 16, 3, 3)
    above = upper.unit_places.reshape(16, 4, 4, 2)
    for row, column, unit, source, up, along in np.random.default_rng(0).integers(
        [1, 1, 0, 0, 0, 0], [4, 4, 16, 16, 3, 3], (50, 6)
    ):
        start = below[source, 2 * row - 1 + up, 2 * column - 1 + along]
        length = (above[unit, row, column] - start).norm()
        torch.testing.assert_close(wires[row, column, unit, source, up, along], length)


def test_wires_from_pixels_are_as_long_as_the_way_from_the_pixels_middle(network):
    block = network.blocks["block1"]
    start = torch.tensor([2 * 3 - 1 + 2 + 0.5, 2 * 5 - 1 + 0 + 0.5], dtype=torch.float64) / 16
    unit = block.unit_places.reshape(16, 8, 8, 2)[7, 3, 5]
    found = block[0].wires.reshape(8, 8, 16, 3, 3, 3)[3, 5, 7, :, 2, 0]
    torch.testing.assert_close(found, (unit - start).norm().expand(3))


def test_smoothing_spreads_a_weight_to_the_four_neighbours(network):
    connections = sheets(network)[1]
    unit = int((places_of(network.blocks["block2"]) - 0.5).norm(dim=1).argmin())
    with torch.no_grad():
        connections.weight.zero_()
        connections.weight[unit, 3, 1, 2] = 1
        diffuse(network, share=0.2)
    found = connections.weight[:, 3, 1, 2]
    assert found[unit].item() == pytest.approx(1 - 0.2, abs=1e-15)
    assert found[connections.neighbours[unit]].tolist() == pytest.approx([0.2 / 4] * 4, abs=1e-15)
    assert connections.weight.count_nonzero() == 5


def test_smoothing_leaves_a_constant_sheet_and_the_mean_of_any(network):
    before = [connections.weight.mean(dim=0) for connections in sheets(network)]
    with torch.no_grad():
        diffuse(network, share=0.2)
        for connections, mean in zip(sheets(network), before, strict=True):
            torch.testing.assert_close(connections.weight.mean(dim=0), mean, rtol=0, atol=1e-15)
            connections.weight[:] = mean
        diffuse(network, share=0.2)
    for connections, mean in zip(sheets(network), before, strict=True):
        constant = mean.expand_as(connections.weight)
        torch.testing.assert_close(connections.weight.detach(), constant, rtol=0, atol=1e-15)


def dissimilarity(connections):
    weight = connections.weight
    return (weight[:, None] - weight[connections.neighbours]).square().sum() / 2  # each pair once


def wiring(connections):
    return (connections.wires * connections.weight**2).sum()


@pytest.mark.parametrize(
    ("name", "factor", "cost"),
    [("smooth", 0.02 / 8, dissimilarity), ("short-wires", 0.1 / 2, wiring)],
)
def test_a_constraint_of_sheets_is_a_gradient_step_on_its_cost(network, name, factor, cost):
    expected = {key: value.clone() for key, value in network.state_dict().items()}
    for block, connections in zip(network.blocks, sheets(network), strict=True):
        (gradient,) = torch.autograd.grad(factor * cost(connections), connections.weight)
        expected[f"blocks.{block}.0.weight"] -= gradient
    with torch.no_grad():
        load_part("constraint", name)(network)
    for key, value in network.state_dict().items():
        torch.testing.assert_close(value, expected[key], rtol=0, atol=1e-12)


def test_longer_wires_decay_more(network):
    connections = sheets(network)[0]
    with torch.no_grad():
        connections.weight.fill_(2)
        decay_with_length(network, rate=0.3)
    order = connections.wires.flatten().argsort()
    left = connections.weight.detach().flatten()[order]
    torch.testing.assert_close(left, 2 * (1 - 0.3 * connections.wires.flatten()[order]))
    assert (left.diff() <= 0).all()
    assert left[0] > left[-1] + 0.05


STEPS = 60


@cache
def trained(*constraints):
    """A network that has learned the orientation of gratings for a while, and the diet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BUDGETS, "own", Budget("own", STEPS + 1))  # the last step is looked at
        recipe = Recipe("sheet4", "categorise", "backprop", "gratings32", 0, constraints, "own")
        run = Run.begin(recipe, "cpu")
        run.marks = ()
        for step in range(STEPS):
            run.learn(step)
    return run.learner.network.eval(), run.diet


def tuning(network, diet: Diet, block):
    """Mean answers by orientation of a block's units on the sheet: (row, column, orientation)."""
    shown = diet.test.batch(np.arange(len(diet.test)))
    with torch.no_grad():
        answers = network.answers(shown.images)[block].flatten(1)
    curves = torch.stack([answers[shown.labels == label].mean(0) for label in range(8)], dim=1)
    places = network.blocks[block].unit_places
    side = round(len(places) ** 0.5)
    laid = torch.empty(side, side, 8)
    laid[tuple((places * side).long().T)] = curves
    return laid


def likeness(curves):
    """The mean correlation of the tuning curves of units that lie next to each other."""
    centred = curves - curves.mean(dim=-1, keepdim=True)
    units = centred / centred.norm(dim=-1, keepdim=True).clamp(min=1e-9)
    pairs = (units[1:] * units[:-1]).sum(-1), (units[:, 1:] * units[:, :-1]).sum(-1)
    return float(torch.cat([each.flatten() for each in pairs]).mean())


def shuffled(curves):
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(curves) ** 2))
    return curves.flatten(0, 1)[order].reshape(curves.shape)


def test_neighbours_of_a_smooth_sheet_come_to_be_tuned_alike():
    """All-TNN's orientation maps (Lu et al. 2025): not by chance, nor by the training alone."""
    (smooth, diet), (free, _) = trained("smooth"), trained()
    for block in ("block1", "block2"):
        curves = tuning(smooth, diet, block)
        assert likeness(curves) > likeness(shuffled(curves)) + 0.1
        assert likeness(curves) > likeness(tuning(free, diet, block)) + 0.1


def mean_length(connections, wires):
    """The mean length of the connections, each counted by its squared weight."""
    power = connections.weight.detach() ** 2
    return float((wires * power).sum() / power.sum())


def test_wires_become_short_only_where_length_costs():
    short, free = (sheets(trained(*each)[0]) for each in (("short-wires",), ()))
    for connections, control in zip(short, free, strict=True):
        wires = connections.wires
        order = torch.from_numpy(np.random.default_rng(0).permutation(wires.numel()))
        disorder = wires.flatten()[order].reshape(wires.shape)
        assert mean_length(connections, wires) < 0.95 * mean_length(connections, disorder)
        assert mean_length(connections, wires) < 0.95 * mean_length(control, wires)


class KilledError(Exception):
    pass


def test_a_run_with_a_sheet_ends_with_the_same_weights_though_killed(tmp_path):
    def killed(done, of):
        if done == 2:
            raise KilledError

    recipe = "sheet4+smooth+short-wires/categorise/greedy@digits:brief#0"
    whole = train(recipe).network
    with pytest.raises(KilledError):
        train(recipe, keeper=Keeper(tmp_path), progress=killed)
    taken_up = train(recipe, keeper=Keeper(tmp_path)).network
    for name, value in taken_up.state_dict().items():
        assert torch.equal(value, whole.state_dict()[name]), name
    assert not [name for name in taken_up.state_dict() if "wires" in name or "places" in name]
    assert torch.equal(sheets(taken_up)[0].wires, sheets(whole)[0].wires)


@pytest.mark.parametrize("rule", ["feedback", "direct-feedback", "node-perturbation"])
def test_constraints_follow_every_rule(rule):
    recipe = f"sheet4+short-wires+smooth/categorise/{rule}@digits:brief#0"
    run = Run.begin(Recipe.parse(recipe), "cpu")
    run.marks, applied = (), []
    run._project = [applied.append]
    run.learn(0)
    assert applied == [run.learner.network]
    assert all(layer.weight.grad.abs().sum() > 0 for layer in sheets(run.learner.network))


@pytest.mark.parametrize("name", ["smooth", "short-wires"])
def test_a_network_without_a_sheet_is_refused(name):
    with pytest.raises(IncompatibleError, match=f"{name} needs sheet"):
        train(f"local4+{name}/categorise/backprop@digits:brief#0")


def test_extracted_units_lie_where_the_sheet_says():
    candidate = load_candidate("sheet4/none/untrained@digits:brief#0")
    plan = plan_extraction(candidate, images(), units=True, memory=10**9)
    found = list(extract_answers(candidate, images(), plan))
    assert [each.layer.removeprefix("blocks.") for each in found] == [
        f"block{n}" for n in range(1, 5)
    ]
    for each in found:
        own = candidate.module.get_submodule(each.layer).unit_places
        np.testing.assert_array_equal(each.responses.places, own)
        assert len(np.unique(own, axis=0)) == each.responses.values.shape[1]
