"""Rules that bring credit down along other weights: exact where they must be, aligned elsewhere."""

import math

import numpy as np
import pytest
import torch
import torchvision
from isocortex.model_zoo.learning_rules._credit import Rerouting
from isocortex.model_zoo.learning_rules._rerouted import drawn_like
from isocortex.model_zoo.learning_rules.weight_mirror import _reflected
from torch import nn
from torch.nn import functional

from isocortex.budgets import BUDGETS, Budget
from isocortex.errors import IncompatibleError
from isocortex.training import Network, Objective, Recipe, credit_audit, train
from isocortex.training.audit import angle_and_ratio
from isocortex.training.loop import Run, load_part

REROUTED = (
    "feedback",
    "sign-symmetry",
    "sign-symmetry-batch",
    "sign-symmetry-frozen",
    "kolen-pollack",
    "weight-mirror",
)
BROADCAST = ("direct-feedback", "direct-targets")


@pytest.fixture(scope="module")
def digits():
    return load_part("diet", "digits")()


@pytest.fixture(autouse=True)
def brief(monkeypatch):
    monkeypatch.setitem(BUDGETS, "brief", Budget("brief", 30))
    monkeypatch.setitem(BUDGETS, "ten-epochs", Budget("ten-epochs", 210))


def conv4():
    return load_part("architecture", "conv4")((8, 8))


def perceptron():
    """Three hidden layers of hyperbolic tangents."""
    widths = {"first": (192, 128), "second": (128, 128), "third": (128, 64)}
    blocks = {n: nn.Sequential(nn.Flatten(), nn.Linear(*w), nn.Tanh()) for n, w in widths.items()}
    return Network(blocks, width=64)


def transformer():
    net = torchvision.models.VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=5)
    nn.init.normal_(net.heads.head.weight)  # it begins at 0 and would stop all credit
    return net


def resnet18():
    return torchvision.models.resnet18(num_classes=5)


def learner_of(rule, objective, network):
    return load_part("learning_rule", rule)(network, objective).train()


def run_of(rule, network, diet, *, budget="ten-epochs", seed=0):
    torch.manual_seed(seed)
    objective = load_part("objective", "categorise")(diet)
    recipe = Recipe.parse(f"conv4/categorise/{rule}@digits:{budget}#{seed}")
    run = Run(recipe, learner_of(rule, objective, network()), diet, "cpu")
    run.marks = ()
    return run


def taught(rule, network, diet):
    """A learner after ten rounds through the digits, and its angles before and after."""
    run = run_of(rule, network, diet)
    begun = angles(run.learner, diet)
    for step in range(run.budget.steps):
        run.learn(step)
    return run.learner, begun, angles(run.learner, diet)


def angles(learner, diet):
    """The angle between update and gradient in each block, over four batches."""
    found = [credit_audit(learner, diet.batch_at(n, 64, seed=1), seed=n) for n in range(4)]
    return {block: float(np.mean([each[block][0] for each in found])) for block in found[0]}


@torch.no_grad()
def accuracy(learner, images):
    learner.eval()
    batch = images.batch(np.arange(len(images)))
    answers = learner.head(learner.network(batch.images)).argmax(1)
    return float((answers == batch.labels).double().mean())


def gradients(net, images, feedback):
    state = {name: value.clone() for name, value in net.state_dict().items()}
    net.zero_grad()
    with Rerouting(feedback):
        loss = net(images).square().mean()
    loss.backward()
    net.load_state_dict(state)  # batch normalisation counts
    return {name: each.grad.clone() for name, each in net.named_parameters()}


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
@pytest.mark.parametrize("build", [conv4, resnet18, transformer])
def test_feedback_that_is_the_weights_is_backpropagation_bit_for_bit(build, kind):
    torch.manual_seed(0)
    net = build().to(kind)
    images = torch.randn(3, 3, 8 if build is conv4 else 32, 8 if build is conv4 else 32, dtype=kind)
    same = {id(each): each.detach().clone() for each in net.parameters() if each.dim() > 1}
    true, given = gradients(net, images, {}), gradients(net, images, same)
    for name, gradient in true.items():
        assert torch.equal(given[name], gradient), name
        assert gradient.any(), name


PRODUCTS = {
    "linear": (lambda x, w: functional.linear(x, w), (5, 4), (2, 3, 4)),
    "convolution": (
        lambda x, w: torch.conv2d(x, w, stride=2, padding=1),
        (6, 4, 3, 3),
        (2, 4, 5, 5),
    ),
    "grouped": (lambda x, w: functional.conv1d(x, w, groups=2), (6, 2, 3), (2, 4, 7)),
    "same padding": (lambda x, w: torch.conv2d(x, w, padding="same"), (6, 4, 3, 3), (2, 4, 5, 5)),
    "transposed view": (lambda x, w: x @ w.T, (5, 4), (2, 4)),
    "reshaped view": (lambda x, w: torch.bmm(x, w.reshape(2, 4, 5)), (2, 20), (2, 3, 4)),
    "einsum": (lambda x, w: torch.einsum("npi,poi->npo", x, w), (3, 5, 4), (2, 3, 4)),
    "transposed convolution": (functional.conv_transpose2d, (4, 6, 3, 3), (2, 4, 5, 5)),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_credit_passes_through_the_feedback_and_nothing_else_changes(name):
    product, shape, signals = PRODUCTS[name]
    torch.manual_seed(0)
    weight = nn.Parameter(torch.randn(shape, dtype=torch.float64))
    back, x = torch.randn_like(weight.detach()), torch.randn(signals, dtype=torch.float64)
    x.requires_grad_()
    with Rerouting({id(weight): back}):
        value = product(x, weight)
    credit = torch.randn_like(value)
    to_x, to_weight = torch.autograd.grad(value, (x, weight), credit)
    true = product(x, weight)
    assert torch.equal(value, true)
    assert torch.allclose(to_weight, torch.autograd.grad(true, weight, credit)[0], rtol=1e-12)
    assert torch.allclose(to_x, torch.autograd.grad(product(x, back), x, credit)[0], rtol=1e-12)


def test_credit_passes_through_the_feedback_of_attention():
    torch.manual_seed(0)
    net, images = transformer(), torch.randn(2, 3, 32, 32)
    weights = {n: each for n, each in net.named_parameters() if n.endswith("in_proj_weight")}
    assert len(weights) == 2
    true = gradients(net, images, {})["conv_proj.weight"]
    other = {id(each): torch.zeros_like(each) for each in weights.values()}
    assert not torch.allclose(gradients(net, images, other)["conv_proj.weight"], true)


def test_a_fused_recurrent_layer_is_refused():
    layer = nn.GRU(3, 4)
    with (
        Rerouting({id(layer.weight_hh_l0): layer.weight_hh_l0.detach()}),
        pytest.raises(IncompatibleError, match="within torch's gru; write it with linear layers"),
    ):
        layer(torch.randn(2, 1, 3))


@pytest.mark.parametrize("rule", ["feedback", "direct-feedback"])
def test_fixed_feedback_aligns_all_hidden_layers_of_a_perceptron(rule, digits):
    learner, _, after = taught(rule, perceptron, digits)
    assert max(after.values()) < 90
    assert after["head"] < 1e-3
    assert accuracy(learner, digits.test) > 0.9


@pytest.mark.parametrize("rule", ["feedback", "direct-feedback"])
def test_fixed_feedback_aligns_convolutions_above_the_first(rule, digits):
    _, _, after = taught(rule, conv4, digits)
    assert max(after[block] for block in ("block2", "block3", "block4")) < 90


@pytest.mark.parametrize("rule", ["sign-symmetry", "sign-symmetry-batch", "sign-symmetry-frozen"])
def test_the_signs_of_the_weights_point_within_45_degrees(rule, digits):
    learner, _, after = taught(rule, perceptron, digits)
    assert max(after.values()) < 45
    assert accuracy(learner, digits.test) > 0.9


@pytest.mark.parametrize("rule", ["sign-symmetry", "sign-symmetry-batch", "sign-symmetry-frozen"])
def test_sign_symmetric_feedback_shares_signs_and_spread(rule):
    torch.manual_seed(0)
    learner = learner_of(rule, load_part("objective", "none")(None), perceptron())
    drawn = [learner.feedback(torch.Generator().manual_seed(seed)) for seed in (0, 1)]
    for name, weight in learner.weights().items():
        assert torch.equal(drawn[0][name].sign(), weight.sign())
        assert float(drawn[0][name].norm()) == pytest.approx(
            float(weight.detach().norm()), rel=0.05
        )
        assert torch.equal(drawn[0][name], drawn[1][name]) == (rule != "sign-symmetry-batch")


def test_kolen_pollack_feedback_nears_the_weights_at_the_rate_of_decay(digits):
    torch.manual_seed(0)
    objective = load_part("objective", "categorise")(digits)
    learner = learner_of("kolen-pollack", objective, perceptron()).double()
    optimiser = torch.optim.Adam(list(learner.taught().values()), lr=2e-3)
    weights, back = learner.weights(), learner.kept.tensors()
    begun = {name: (back[name] - each).detach() for name, each in weights.items()}
    left = dict.fromkeys(weights, 1.0)
    for step in range(30):
        before = {name: each.detach().clone() for name, each in weights.items()}
        batch = digits.batch_at(step, 64, seed=0)
        images = type(batch)(batch.images.double(), batch.labels)
        learner.zero_grad()
        learner.step(images, torch.Generator())
        optimiser.step()
        for name, old in before.items():
            left[name] *= 1 - 0.2 * float((weights[name].detach() - old).norm() / old.norm())
        learner.after_update()
    for name, each in weights.items():
        assert left[name] < 0.95
        assert torch.allclose(back[name] - each, begun[name] * left[name], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("rule", ["kolen-pollack", "weight-mirror"])
def test_learned_feedback_comes_to_point_down_the_gradient(rule, digits):
    learner, begun, after = taught(rule, perceptron, digits)
    for block in learner.network.blocks:
        assert after[block] < min(45, begun[block])
    assert accuracy(learner, digits.test) > 0.9


@pytest.mark.parametrize(
    ("layer", "signals"),
    [(nn.Linear(6, 5), (8, 6)), (nn.Conv2d(4, 6, 3, 2, 1, groups=2), (8, 4, 5, 5))],
)
def test_the_mean_reflection_of_noise_is_the_weight(layer, signals):
    torch.manual_seed(0)
    noise, signal = torch.Generator().manual_seed(0), torch.randn(4000, *signals[1:])
    products = []

    def watch(weight, met, product):
        products.append((weight, met, product))

    with Rerouting({id(layer.weight): layer.weight.detach()}, watch):
        layer(signal)
    for weight, met, product in products:
        weight = weight.detach()
        found = [_reflected(weight, met, product, noise) for _ in range(50)]
        mean = torch.stack(found).mean(0)
        assert float((mean - weight).norm() / weight.norm()) < 0.05
        angles = [angle_and_ratio(each.flatten(), weight.flatten())[0] for each in (found[0], mean)]
        assert angles[1] < min(angles[0], 3)


@pytest.mark.parametrize("rule", BROADCAST)
def test_each_block_gets_the_broadcast_times_a_fixed_matrix(rule, digits):
    torch.manual_seed(0)
    learner = learner_of(rule, load_part("objective", "categorise")(digits), perceptron())
    batch = digits.batch_at(0, 16, seed=0)
    learner.step(batch, torch.Generator())
    given = {name: each.grad.clone() for name, each in learner.taught().items()}
    answer, targets = batch.images, functional.one_hot(batch.labels, 10)
    outputs = learner.head(learner.network(batch.images))
    error = (outputs.softmax(1) - targets).detach() / 16
    signal = error if rule == "direct-feedback" else targets / 16
    for place, (name, block) in enumerate(learner.network.blocks.items()):
        width = block[1].out_features
        seeded = torch.Generator().manual_seed(int(learner.seed) + place)
        matrix = torch.randn(10, width, generator=seeded) / math.sqrt(width)
        after = block(answer.detach())
        true = torch.autograd.grad(after, block[1].weight, signal @ matrix)[0]
        assert torch.allclose(given[f"network.blocks.{name}.1.weight"], true, atol=1e-6)
        answer = after
    assert torch.allclose(given["head.weight"], error.T @ answer.detach(), atol=1e-6)


class Views(Objective):
    """Two noisy views of an image are each other's nearest (Chen et al. 2020), without labels."""

    def head(self, width):
        return nn.Linear(width, 16)

    def inputs(self, batch, generator):
        both = torch.cat([batch.images, batch.images])
        return both + 0.3 * torch.randn(both.shape, generator=generator)

    def loss(self, outputs, batch):
        unit = functional.normalize(outputs)
        likeness = (unit @ unit.T / 0.2).fill_diagonal_(-1e9)
        return functional.cross_entropy(likeness, torch.arange(len(unit)).roll(len(unit) // 2))


def contrasted(rule, network, diet):
    """A learner of views, and its losses."""
    learner = learner_of(rule, Views(), network)
    optimiser = torch.optim.Adam(list(learner.taught().values()), lr=2e-3)
    losses = []
    for step in range(120):
        learner.zero_grad()
        noise = torch.Generator().manual_seed(step)
        losses.append(float(learner.step(diet.batch_at(step, 64, seed=0), noise)))
        optimiser.step()
    return learner, losses


def test_the_loss_falls_by_broadcast_for_a_self_supervised_objective(digits):
    torch.manual_seed(0)
    learner, losses = contrasted("direct-feedback", conv4(), digits)
    torch.manual_seed(0)
    _, shallow = contrasted("backprop", conv4().requires_grad_(False), digits)
    assert np.mean(losses[-10:]) < np.mean(losses[:3]) * 2 / 3
    assert np.mean(losses[-10:]) < np.mean(shallow[-10:])
    after = angles(learner, digits)
    assert max(after["block3"], after["block4"]) < 90


def test_direct_targets_reach_more_than_a_trained_head_on_random_layers(digits):
    shallow = run_of("backprop", lambda: perceptron().requires_grad_(False), digits)
    deep = run_of("direct-targets", perceptron, digits)
    for step in range(deep.budget.steps):
        shallow.learn(step)
        deep.learn(step)
    reached = [accuracy(each.learner, digits.test) for each in (deep, shallow)]
    assert reached[0] > reached[1] + 0.02


def test_direct_targets_are_refused_where_there_are_none():
    with pytest.raises(IncompatibleError, match="direct-targets needs targets"):
        train("conv4/contrast/direct-targets@digits:brief#0")
    with pytest.raises(IncompatibleError, match="needs an objective with targets"):
        learner_of("direct-targets", Views(), perceptron())


def test_broadcast_to_a_network_that_answers_otherwise_is_refused(digits):
    class Folded(Network):
        def forward(self, images):
            return super().forward(images.reshape(-1, 96)).reshape(len(images), -1)

    blocks = {"only": nn.Linear(96, 8)}
    learner = learner_of(
        "direct-feedback", load_part("objective", "categorise")(digits), Folded(blocks, width=16)
    )
    with pytest.raises(IncompatibleError, match="gives 128 answers, but 64 signals are broadcast"):
        learner.step(digits.batch_at(0, 64, seed=0), torch.Generator())


@pytest.mark.parametrize("rule", REROUTED + BROADCAST)
def test_a_run_goes_on_from_a_checkpoint_to_the_same_weights(rule, digits):
    whole, taken_up = (run_of(rule, perceptron, digits, budget="brief") for _ in range(2))
    for step in range(8):
        if step == 4:
            taken_up.restore(whole.checkpoint())
        whole.learn(step)
    for step in range(4, 8):
        taken_up.learn(step)
    for name, value in whole.learner.state_dict().items():
        assert torch.equal(taken_up.learner.state_dict()[name], value)


def test_feedback_of_weights_that_begin_at_zero_is_not_zero():
    drawn = drawn_like({"zero": torch.zeros(400, 100)})["zero"]
    assert float(drawn.std()) == pytest.approx(1 / math.sqrt(100), rel=0.05)
