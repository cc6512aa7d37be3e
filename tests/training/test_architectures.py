"""Architectures give embeddings of any image and teach all they hold; constraints hold."""

import math

import numpy as np
import pytest
import torch
from isocortex.model_zoo.architectures._gabors import gabor_pairs
from isocortex.model_zoo.architectures.dale import Dann
from isocortex.model_zoo.architectures.deep_linear import deep_linear
from isocortex.model_zoo.architectures.gabor_front_end import PrimaryCortex
from isocortex.model_zoo.architectures.locally_connected import LocallyConnected, local4
from isocortex.model_zoo.constraints.dale import clip_signs
from isocortex.model_zoo.constraints.magnitude import clip_negative, normalise, thin
from torch import nn
from torch.nn import functional

from isocortex.errors import IncompatibleError
from isocortex.training import Network, Recipe, train
from isocortex.training.loop import Run, load_part

SHIPPED = (
    *(
        "mlp3",
        "mlp3-narrow",
        "mlp3-tanh",
        "mlp3-sigmoid",
        "local4",
        "local4-shared",
        "dann3",
        "dann4",
    ),
    *("blt3", "bl3", "bt3", "b3", "cornet", "deep-linear", "deep-linear-race", "gabor4"),
    *("vit-tiny", "convnext-tiny", "two-compartment3"),
)
ARCHITECTURES = (*SHIPPED, "resnet18")


def made(name, side, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return load_part("architecture", name)((side, side))


def images(side, *, count=3, seed=0):
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_images_of_any_size_become_embeddings(name):
    for side in (8, 32, 64):
        network = made(name, side)
        answer = network(images(side, count=2)).detach()
        assert answer.shape == (2, network.width)
        assert answer.isfinite().all()
        assert answer.std(dim=0).max() > 0


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_gradients_reach_every_parameter(name):
    network = made(name, 8)
    network(images(8)).square().sum().backward()
    for parameter, values in network.named_parameters():
        assert values.grad is not None, parameter
        assert values.grad.abs().sum() > 0, parameter


@pytest.mark.parametrize("name", SHIPPED)
def test_what_is_shipped_is_below_a_megabyte_at_half_precision(name):
    assert sum(values.numel() for values in made(name, 32).parameters()) < 500_000


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_seed_alone_decides_the_weights(name):
    first, same, other = (made(name, 8, seed) for seed in (0, 0, 1))
    given = [network(images(8)).detach() for network in (first, same, other)]
    assert torch.equal(given[0], given[1])
    assert not torch.allclose(given[0], given[2])


@pytest.mark.parametrize("name", ["mlp3", "local4", "dann4", "cornet", "gabor4", "vit-tiny", "b3"])
def test_a_chain_gives_what_its_blocks_give_one_after_the_other(name):
    network = made(name, 8).eval()
    assert torch.equal(network(images(8)), Network.forward(network, images(8)))


@pytest.mark.parametrize(("stride", "map_size"), [(1, (5, 4)), (2, (8, 8)), (2, (7, 5))])
def test_local_connections_with_one_weight_for_all_places_are_a_convolution(stride, map_size):
    convolution = nn.Conv2d(2, 4, 3, stride, padding=1, bias=False).double()
    local = LocallyConnected(2, 4, map_size, stride=stride).double()
    local.tie(convolution.weight)
    maps = torch.randn(3, 2, *map_size, dtype=torch.float64)
    given, expected = local(maps), convolution(maps)
    torch.testing.assert_close(given, expected, rtol=0, atol=1e-12)
    given.square().sum().backward()
    expected.square().sum().backward()
    gradient = local.weight.grad.reshape(-1, *convolution.weight.shape).sum(dim=0)
    torch.testing.assert_close(gradient, convolution.weight.grad, rtol=1e-10, atol=1e-12)


def test_a_locally_connected_network_with_tied_weights_is_the_convolutional_one():
    local, shared = (local4((8, 8), width=8, shared=each).double() for each in (False, True))
    for one, other in zip(local.modules(), shared.modules(), strict=True):
        if isinstance(one, LocallyConnected):
            one.tie(other.weight)
    maps = images(8).double()
    torch.testing.assert_close(local(maps), shared(maps), rtol=0, atol=1e-10)


def test_a_place_has_its_own_local_connections():
    local = LocallyConnected(1, 1, (4, 4), stride=1)
    maps = torch.randn(1, 1, 4, 4)
    before = local(maps)
    with torch.no_grad():
        local.weight[4 * 1 + 2] += 1
    changed = (local(maps) != before)[0, 0].nonzero()
    assert changed.tolist() == [[1, 2]]


def swept_once(network):
    """The embedding of the blocks one after the other, without a way back."""
    return Network.answers(network, images(8))["pool"]


def test_a_recurrent_network_at_one_step_is_its_feed_forward_part():
    network = made("blt3", 8).eval()
    network.steps = 1
    once = network(images(8))
    assert torch.equal(once, swept_once(network))
    for steps in (2, 3):
        network.steps = steps
        later = network(images(8))
        assert not torch.allclose(later, once, atol=1e-3)
        once = later


def test_a_cut_recurrent_network_answers_alike_and_teaches_areas_apart():
    network = made("blt3", 8).eval()
    whole, cut = network.answers(images(8)), network.answers(images(8), cut=True)
    assert list(whole) == list(cut) == list(network.blocks)
    for name, answer in whole.items():
        assert torch.equal(cut[name], answer)
    cut["area2"].sum().backward()
    taught = {name.split(".")[1] for name, p in network.named_parameters() if p.grad is not None}
    assert taught == {"area2"}
    assert network.blocks["area2"].lateral.weight.grad.abs().max() > 0  # its own past counts


def test_recurrent_connections_are_what_later_steps_add():
    network = made("blt3", 8).eval()
    once = swept_once(network)
    with torch.no_grad():
        for name, values in network.named_parameters():
            if "lateral" in name or "top_down" in name:
                values.zero_()
    torch.testing.assert_close(network(images(8)), once)


def test_top_down_signals_come_from_the_step_before():
    network, seen = made("bt3", 8).eval(), []
    network.blocks.area1.register_forward_pre_hook(lambda _, given: seen.append(given[2]))
    states = []
    network.blocks.area2.register_forward_hook(lambda *given: states.append(given[-1]))
    network(images(8))
    assert seen[0] is None
    assert seen[1] is states[0]
    assert seen[2] is states[1]


def test_a_soma_settles_at_the_mean_of_its_dendrites_weighed_by_conductance():
    area = made("two-compartment3", 8).double().blocks.area2
    below, above = torch.rand(2, 12, 8, 8).double(), torch.rand(2, 48, 2, 2).double()
    soma = None
    for _ in range(80):
        soma = area(below, soma, above)
    apical = area.apical(functional.interpolate(above, size=(4, 4)))
    expected = (1.0 * area.basal(below) + 0.8 * apical) / (0.1 + 1.0 + 0.8)
    torch.testing.assert_close(soma, expected, rtol=0, atol=1e-12)


def test_without_anything_above_a_soma_follows_its_basal_dendrite():
    area = made("two-compartment3", 8).double().blocks.area2
    below = torch.rand(2, 12, 8, 8).double()
    first = area(below)
    torch.testing.assert_close(first, 0.25 * 1.0 * area.basal(below))
    second = area(below, first)
    torch.testing.assert_close(second, first + 0.25 * (area.basal(below) - first - 0.1 * first))


def test_apical_dendrites_hear_the_area_above_a_step_later():
    network, heard = made("two-compartment3", 8).eval(), []
    network.steps = 2
    network.blocks.area1.register_forward_pre_hook(lambda _, given: heard.append(given[2]))
    states = []
    network.blocks.area2.register_forward_hook(lambda *given: states.append(given[-1]))
    rates = network.answers(images(8))
    assert heard[0] is None
    assert torch.equal(heard[1], functional.relu(states[0]))
    assert torch.equal(rates["area2"], functional.relu(states[1]))


def test_cut_pyramidal_areas_answer_alike_and_teach_apart():
    network = made("two-compartment3", 8)
    whole, cut = network.answers(images(8)), network.answers(images(8), cut=True)
    for name, answer in whole.items():
        assert torch.equal(cut[name], answer)
    cut["area2"].sum().backward()
    taught = {name.split(".")[1] for name, p in network.named_parameters() if p.grad is not None}
    assert taught == {"area2"}


def test_areas_of_cornet_use_the_same_connections_at_each_step():
    network, calls = made("cornet", 8), []
    for name, module in network.named_modules():
        if name.endswith("expand"):
            area = name.split(".")[1]
            module.register_forward_hook(lambda *_, area=area: calls.append(area))
    network(images(8))
    assert [calls.count(area) for area in ("V2", "V4", "IT")] == [2, 4, 2]


def test_resnet18_is_torchvisions_but_for_its_stem():
    from torchvision.models import resnet18

    network, whole = made("resnet18", 16).eval(), resnet18(weights=None).eval()
    whole.conv1, whole.maxpool, whole.fc = network.blocks.stem[0], nn.Identity(), nn.Identity()
    state = {f"layer{stage}": network.blocks[f"layer{stage}"].state_dict() for stage in range(1, 5)}
    for name, values in state.items():
        getattr(whole, name).load_state_dict(values)
    torch.testing.assert_close(network(images(16)), whole(images(16)))


def test_deep_linear_pathways_learn_along_the_analytic_curve():
    """u(t) = s e^{2st} / (e^{2st} − 1 + s/u₀) (Saxe et al. 2014), for the sum of the pathways."""
    rate, target, starts = 2e-3, 2.0, torch.tensor([0.02, 0.005], dtype=torch.float64)
    network = deep_linear((1, 1), width=3, depths=(2, 2)).double()
    paths = network.blocks.pathways[1].paths
    with torch.no_grad():
        for path, start in zip(paths, starts, strict=True):
            for layer in path:
                layer.weight.copy_(start.sqrt() * torch.eye(3))
    pixels, strengths = torch.eye(3, dtype=torch.float64), []
    for _ in range(1250):
        answer = network(pixels.reshape(3, 3, 1, 1))
        strengths.append([float(path(pixels).detach()[0, 0]) for path in paths])
        network.zero_grad()
        (target * pixels - answer).square().sum().div(2).backward()
        with torch.no_grad():
            for weight in network.parameters():
                weight -= rate * weight.grad
    grown = np.exp(2 * target * rate * np.arange(1250))
    expected = target * grown / (grown - 1 + target / float(starts.sum()))
    observed = np.array(strengths)
    np.testing.assert_allclose(observed.sum(axis=1), expected, atol=0.01 * target)
    np.testing.assert_allclose(observed[:, 0] / observed[:, 1], 0.02 / 0.005, rtol=1e-6)


def test_inhibition_at_the_start_centres_and_scales_the_drive():
    rates = torch.randn(500, 400, generator=torch.Generator().manual_seed(0)).relu()
    torch.manual_seed(0)
    drive = Dann(200, lambda outputs: nn.Linear(400, outputs, bias=False))(rates).detach()
    assert abs(float(drive.mean())) < 0.05
    # The paper's 1, less what all units share and the subtraction takes away.
    assert float(drive.std()) == pytest.approx(math.sqrt(math.pi / (2 * math.pi - 1)), abs=0.05)


def test_convolutional_inhibition_is_the_linear_one_at_each_place():
    local = Dann(20, lambda outputs: nn.Conv2d(4, outputs, 3, padding=1, bias=False)).double()
    linear = Dann(20, lambda outputs: nn.Linear(36, outputs, bias=False)).double()
    linear.load_state_dict(
        {
            name: values.flatten(1) if name.endswith("weight") else values
            for name, values in local.state_dict().items()
        }
    )
    maps = torch.rand(2, 4, 3, 3, dtype=torch.float64)
    torch.testing.assert_close(local(maps)[:, :, 1, 1], linear(maps.flatten(1)))


def smallest_signed(network):
    return min(
        float((sign * module.get_parameter(name)).detach().min())
        for module in network.modules()
        for name, sign in getattr(module, "signs", {}).items()
    )


def accuracy(run):
    batch = run.diet.test.batch(np.arange(len(run.diet.test)))
    learner = run.learner.eval()
    with torch.no_grad():
        answers = learner.head(learner.network(batch.images)).argmax(dim=1)
    return float((answers == batch.labels).double().mean())


def mean_accuracy(name, after=lambda network: None):
    """Of the head's own answers, for two seeds."""
    found = []
    for seed in (0, 1):
        run = Run.begin(Recipe.parse(f"{name}/categorise/backprop@digits:smoke#{seed}"), "cpu")
        run.marks = ()
        for step in range(run.budget.steps):
            run.learn(step)
            after(run.learner.network)
        found.append(accuracy(run))
    return sum(found) / 2


def test_dales_law_holds_after_every_step_and_costs_nothing():
    violations = []

    def check(network):
        violations.append(smallest_signed(network) < 0)

    lawful = mean_accuracy("dann3+dale", check)
    free, clipped = (mean_accuracy(f"mlp3-narrow{each}") for each in ("", "+sign-clip"))
    assert len(violations) == 2 * 300
    assert not any(violations)
    assert lawful > free - 0.015
    assert lawful > clipped + 0.03


def test_dales_law_needs_an_architecture_that_knows_its_signs():
    with pytest.raises(IncompatibleError, match="dale needs signed"):
        train("conv4+dale/categorise/backprop@digits#0")


@pytest.mark.parametrize("name", ["non-negative", "sparse", "unit-norm", "sign-clip"])
@pytest.mark.parametrize("architecture", ["mlp3", "local4", "vit-tiny"])
def test_a_constraint_is_a_projection_that_leaves_biases_and_gains(name, architecture):
    network = made(architecture, 8).double()
    before = {each: values.detach().clone() for each, values in network.named_parameters()}
    project = load_part("constraint", name)
    with torch.no_grad():
        project(network)
        once = {each: values.detach().clone() for each, values in network.named_parameters()}
        project(network)
    for each, values in network.named_parameters():
        torch.testing.assert_close(values.detach(), once[each], rtol=0, atol=1e-12)
        is_weight = each.endswith("weight") and values.ndim > 1
        assert torch.equal(once[each], before[each]) != is_weight


def single(weight):
    layer = nn.Linear(*reversed(weight.shape), bias=False)
    with torch.no_grad():
        layer.weight.copy_(weight)
    return layer.weight, Network({"only": layer}, width=len(weight))


@pytest.mark.parametrize(
    ("project", "expected"),
    [
        (clip_negative, [[3.0, 0, 1, 2, 0], [0.0, 0, 4, 0, 0]]),
        (clip_signs, [[3.0, 0, 1, 2, 0], [0.0, 0, 4, 0, -1]]),
        (lambda network: thin(network, kept=0.2), [[3.0, 0, 0, 0, 0], [0.0, 0, 4, 0, 0]]),
    ],
)
def test_constraints_do_to_weights_what_they_say(project, expected):
    weight, network = single(torch.tensor([[3.0, -1, 1, 2, 0], [0.0, 0, 4, -2, -1]]))
    with torch.no_grad():
        project(network)
    assert weight.tolist() == expected


def test_incoming_weights_have_unit_norm_and_silent_units_stay_so():
    weight, network = single(torch.tensor([[3.0, 4], [0, 0]]))
    with torch.no_grad():
        normalise(network)
    assert weight.flatten().tolist() == pytest.approx([3 / 5, 4 / 5, 0, 0])


def grating(degrees, wavelength, phase, side=41):
    row, column = np.mgrid[:side, :side] - side // 2
    along = column * math.cos(math.radians(degrees)) + row * math.sin(math.radians(degrees))
    grey = torch.from_numpy(np.cos(2 * np.pi * along / wavelength - phase)).float()
    return grey.expand(1, 3, side, side)


def test_gabor_cells_see_their_own_grating_and_no_grey():
    kernels = gabor_pairs(6.0, torch.arange(4) * (torch.pi / 4))
    assert kernels.sum((2, 3)).abs().max() < 1e-4
    cortex = PrimaryCortex((6.0,), 4)
    for place, degrees in enumerate((0, 45, 90, 135)):
        complex_cells = cortex(grating(degrees, 6.0, 0.0))[0, :4, 20, 20]
        assert int(complex_cells.argmax()) == place
        assert float(complex_cells.max()) == pytest.approx(1, abs=0.02)


def test_complex_cells_do_not_mind_the_phase_and_simple_cells_do():
    cortex = PrimaryCortex((6.0,), 4)
    phases = np.arange(8) * (np.pi / 4)
    middle = torch.stack([cortex(grating(0, 6.0, phase))[0, :, 20, 20] for phase in phases])
    complex_cell, simple_cell = middle[:, 0], middle[:, 4]
    assert float(complex_cell.min() / complex_cell.max()) > 0.95
    assert float(simple_cell.min()) == 0
    # Half-rectified responses to a drifting grating: F1/F0 of a simple cell is above 1.
    spectrum = torch.fft.rfft(simple_cell).abs()
    assert float(2 * spectrum[1] / spectrum[0]) > 1


def test_the_gabor_front_end_is_not_taught():
    network = made("gabor4", 8)
    assert list(network.blocks.V1.parameters()) == []
    assert functional.relu(network.blocks.V1(images(8))).equal(network.blocks.V1(images(8)))
