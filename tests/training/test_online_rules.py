"""E-prop and FORCE: exact where theory says so, and they learn; runs go on where they stopped."""

import math

import numpy as np
import pytest
import torch
from isocortex.model_zoo.architectures.gated import gated
from isocortex.model_zoo.architectures.rate_units import ei_rnn, leaky_rnn
from isocortex.model_zoo.architectures.reservoir import reservoir
from torch import nn

from isocortex.errors import IncompatibleError
from isocortex.registry import find_entry
from isocortex.training import (
    BUDGETS,
    Batch,
    Budget,
    Diet,
    Images,
    Keeper,
    Objective,
    Recipe,
    require_fitting,
    train,
)
from isocortex.training.audit import angle_and_ratio
from isocortex.training.loop import load_part


@pytest.fixture(autouse=True)
def brief(monkeypatch):
    monkeypatch.setitem(BUDGETS, "brief", Budget("brief", 5))
    monkeypatch.setitem(BUDGETS, "longer", Budget("longer", 80))


def numbers(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def noise(seed=0):
    return torch.Generator().manual_seed(seed)


def spelled(count, seed=0):
    """Films of three symbols on 2 × 2 pixels; of four sequences two share all but the first."""
    sequences = np.array([[0, 1, 2], [3, 1, 2], [0, 2, 1], [3, 2, 1]])
    labels = np.arange(count) % 4
    shown = 255 * np.eye(4, dtype=np.uint8)[sequences[labels]].reshape(count, 3, 2, 2, 1)
    random = np.random.default_rng(seed)
    films = (shown.repeat(3, axis=-1) * 0.6 + random.uniform(0, 100, (count, 3, 2, 2, 3))).astype(
        np.uint8
    )
    return Images(films[:, -1], labels, sequences=films)


SPELLED = Diet(spelled(256), spelled(64, seed=1), tuple("DYHL"))


def objective(name, diet=SPELLED):
    entry = find_entry("objective", name)
    return entry.load()(diet, **entry.card.options)


def learner_of(rule, network, goal=None):
    torch.manual_seed(7)
    goal = goal or objective("categorise-film")
    return load_part("learning_rule", rule)(network, goal).to(torch.float64).train()


def batch_of(frames=7):
    labels = torch.tensor([0, 1, 2, 3, 1])
    return Batch(numbers(5, 3, 2, 2, seed=1), labels, sequence=numbers(5, frames, 3, 2, 2))


def gradients(learner, batch=None):
    learner.zero_grad()
    learner.step(batch or batch_of(), noise())
    taught = learner.taught().items()
    return {name: each.grad.clone() for name, each in taught if each.grad is not None}


def rates(kind="leaky", units=12, leak=0.4):
    torch.manual_seed(3)
    if kind == "leaky":
        network = leaky_rnn((2, 2), units=units, leak=leak).double()
        network.blocks["units"].recurrent.weight.data.mul_(3)
        return network
    return ei_rnn((2, 2), units=units, leak=leak).double()


def off_by(found, expected):
    return float((found.detach() - expected).norm() / expected.norm())


# e-prop


def rerun(network, film):
    """Rates at each frame, which hear each other; units hear themselves by another way."""
    units = network.blocks["units"]
    own = torch.diag(units.effect * units.recurrent.weight.diagonal())
    others = units.recurrent.weight * units.effect - own
    potential, sent, found = torch.zeros(len(film), network.width).double(), None, []
    for frame in film.flatten(2).unbind(1):
        drive = units.inputs(frame) + units.rate(potential) @ own
        if sent is not None:
            drive = drive + sent @ others.T
        potential = (1 - units.leak) * potential + units.leak * drive
        sent = units.rate(potential)
        sent.retain_grad()
        found.append(sent)
    return found


def relearn(network, film):
    found, memory = [], ()
    for frame in film.unbind(1):
        _, memory = network.advance(frame, memory)
        memory[0].retain_grad()
        found.append(memory[0])
    return found


def lstm():
    torch.manual_seed(3)
    return gated((2, 2), cell="LSTMCell", units=9).double()


@pytest.mark.parametrize(
    ("network", "run"),
    [(rates("leaky"), rerun), (rates("ei", 10), rerun), (lstm(), relearn)],
    ids=["leaky-rnn", "ei-rnn", "lstm"],
)
def test_traces_times_the_total_derivative_are_the_gradient(network, run):
    film, readout = numbers(5, 7, 3, 2, 2), numbers(7, 5, network.width, seed=2)
    error = (network.states(film) * readout).sum(dim=(0, 2)).sin().sum()
    network.blocks["units"].zero_grad()
    error.backward()
    units = network.blocks["units"]
    true = {name: each.grad.clone() for name, each in units.named_parameters()}
    states = run(network, film)
    torch.testing.assert_close(torch.stack(states), network.states(film))
    error = (torch.stack(states) * readout).sum(dim=(0, 2)).sin().sum()
    error.backward()
    total = torch.stack([state.grad for state in states])
    network.zero_grad()
    network.states(film, apart=True).backward(total)
    for name, each in units.named_parameters():
        assert off_by(each.grad, true[name]) < 1e-6, name


@pytest.mark.parametrize("kind", ["leaky", "ei"])
def test_e_prop_is_the_gradient_where_units_hear_only_themselves(kind):
    network = rates(kind, 10)
    weight = network.blocks["units"].recurrent.weight
    weight.data.mul_(torch.eye(10))
    found, true = (gradients(learner_of(rule, network)) for rule in ("e-prop", "backprop"))
    for name, gradient in true.items():
        given = found[name]
        if name.endswith("recurrent.weight"):  # others' rates are heard by weights of 0
            given, gradient = given.diagonal(), gradient.diagonal()
        assert off_by(given, gradient) < 1e-6, name


def test_what_runs_backwards_is_what_traces_give_that_run_forward():
    network, batch = rates(), batch_of()
    learner = learner_of("e-prop", network)
    found = gradients(learner, batch)
    units, width = network.blocks["units"], network.width
    own = units.leak * units.recurrent.weight.diagonal().detach()
    potential = torch.zeros(5, width).double()
    traces = {n: torch.zeros(5, width, k).double() for n, k in (("x", 12), ("z", width), ("1", 1))}
    with torch.no_grad():
        for frame in batch.sequence.flatten(2).unbind(1):
            z = potential.tanh()
            heard = {"x": frame, "z": z, "1": torch.ones(5, 1).double()}
            kept = 1 - units.leak + own * (1 - z**2)
            for name, trace in traces.items():
                trace.mul_(kept[..., None]).add_(units.leak * heard[name][:, None])
            drive = units.inputs(frame) + units.recurrent(z)
            potential = (1 - units.leak) * potential + units.leak * drive
    read = potential.tanh().requires_grad_()
    learner.objective.loss(learner.head(read), batch).backward()
    signal = read.grad * (1 - potential.tanh() ** 2)
    for name, trace in (("inputs.weight", "x"), ("recurrent.weight", "z"), ("inputs.bias", "1")):
        expected = torch.einsum("fj,fji->ji", signal, traces[trace]).squeeze(-1)
        assert off_by(found[f"network.blocks.units.{name}"], expected) < 1e-12


def angle_to_gradient(rule, network):
    found, true = (gradients(learner_of(each, network)) for each in (rule, "backprop"))
    names = [name for name in found if name.startswith("network.blocks.units")]
    vectors = [torch.cat([each[name].flatten() for name in names]) for each in (found, true)]
    return angle_and_ratio(*vectors)[0]


@pytest.mark.parametrize("network", [rates("leaky"), rates("ei", 10), lstm()])
def test_e_prop_points_down_where_units_hear_each_other(network):
    assert 1 < angle_to_gradient("e-prop", network) < 90


@pytest.mark.parametrize("rule", ["e-prop", "e-prop-random"])
def test_e_prop_aligns_with_the_gradient_of_digits(rule):
    history = train(f"leaky-rnn/categorise/{rule}@digits:longer#0").history
    assert float(history.angle.sel(block="units")[-1]) < 90
    assert float(history.loss[-5:].mean()) < 0.25 * math.log(10)


def accuracy_on_spelled(rule, steps=200):
    torch.manual_seed(0)
    learner = load_part("learning_rule", rule)(
        leaky_rnn((2, 2), units=40, leak=0.5), objective("categorise-film")
    )
    optimiser = torch.optim.Adam(learner.taught().values(), lr=3e-3)
    for step in range(steps):
        learner.zero_grad()
        learner.step(SPELLED.batch_at(step, 64, seed=0), noise(step))
        optimiser.step()
    test = SPELLED.test.batch(np.arange(64))
    with torch.no_grad():
        outputs = learner.head(learner.network(test.sequence))
    return float((outputs.argmax(1) == test.labels).double().mean())


@pytest.mark.parametrize("rule", ["backprop", "e-prop", "e-prop-random"])
def test_the_first_symbol_is_remembered_to_the_end(rule):
    assert accuracy_on_spelled(rule) > 0.9  # the last frame alone gives .5


def test_e_prop_is_refused_where_units_have_no_memory_of_their_own():
    with pytest.raises(IncompatibleError, match="e-prop needs eligibility"):
        require_fitting(Recipe.parse("gru/categorise/e-prop@digits#0"))


# FORCE


class Regressed(Objective):
    """A linear readout that is to say the batch's latents."""

    def head(self, width):
        return nn.Linear(width, 3)

    def loss(self, outputs, batch):
        return nn.functional.mse_loss(outputs, self.targets(batch))

    def targets(self, batch):
        return batch.latents["wanted"]


def forced(units=30, goal=None, side=2):
    torch.manual_seed(5)
    network = reservoir((side, side), units=units, gain=1.5, leak=0.2).double()
    return load_part("learning_rule", "force")(network, goal or Regressed()).double()


def test_recursive_least_squares_is_the_ridge_of_all_that_was_seen():
    learner, seen, wanted = forced(), [], []
    learner.network.blocks["units"].register_forward_hook(
        lambda _, __, given: seen.append(given[0])
    )
    for number in range(4):
        batch = Batch(numbers(6, 3, 2, 2, seed=number), latents={"wanted": numbers(6, 3, seed=9)})
        learner.step(batch, noise())
        learner.after_update()
        wanted += [batch.latents["wanted"]] * learner.network.still
    x = torch.cat([torch.cat(seen), torch.ones(len(torch.cat(seen)), 1).double()], dim=1)
    ridge = torch.linalg.solve(x.T @ x + torch.eye(31).double(), x.T @ torch.cat(wanted))
    assert off_by(learner.readout, ridge) < 1e-8
    assert off_by(learner.head.weight, ridge[:-1].T) < 1e-8
    assert off_by(learner.head.bias, ridge[-1]) < 1e-8


def test_the_network_says_a_wave_by_itself_after_force():
    class Wave(Regressed):
        def head(self, width):
            return nn.Linear(width, 1)

    learner, period = forced(200, Wave(), side=4), 80
    film = torch.zeros(1, 10 * period, 3, 4, 4).double()
    film[:, :5] = numbers(1, 1, 3, 4, 4)  # a start, and then it is dark
    turn = 2 * math.pi * torch.arange(10 * period).double() / period
    wave = (turn.sin() + (2 * turn).sin() / 2)[:, None, None]

    def missed():
        said = learner.head(learner.network.states(film))
        return float((said - wave).square().mean() / wave.var())

    with torch.no_grad():
        assert missed() > 0.5
        for _ in range(5):
            learner.follow(film, wave)
            learner.after_update()
        assert missed() < 0.01
        learner.network.feedback.zero_()  # the loop is what keeps it going
        assert missed() > 0.5


def test_force_closes_the_loop_of_the_network_that_is_scored():
    trained = train("reservoir/categorise/force@digits:brief#0")
    assert list(trained.network.blocks) == ["units", "readout"]
    batch = load_part("diet", "digits")().test.batch(np.arange(400))
    with torch.no_grad():
        says = trained.network.blocks["readout"](trained.network(batch.images))
        assert float((says.argmax(1) == batch.labels).double().mean()) > 0.85
        said = trained.network(batch.images)
        trained.network.feedback.zero_()
        assert not torch.allclose(trained.network(batch.images), said)


def test_force_refuses_a_head_that_is_not_linear():
    class Deep(Regressed):
        def head(self, width):
            return nn.Sequential(nn.Linear(width, 3))

    with pytest.raises(
        IncompatibleError, match="linear readout, but the objective's head is a Seq"
    ):
        forced(goal=Deep())


# all


class KilledError(Exception):
    pass


@pytest.mark.parametrize(
    "recipe",
    [
        "ei-rnn+dale/categorise/e-prop-random@digits:brief#0",
        "reservoir/categorise/force@digits:brief#0",
        "gru/reward/reinforce@digits:brief#0",
    ],
)
def test_a_run_that_was_killed_ends_with_the_same_weights(recipe, tmp_path):
    def killed(done, of):
        if done == 3:
            raise KilledError

    whole = train(recipe)
    with pytest.raises(KilledError):
        train(recipe, keeper=Keeper(tmp_path), progress=killed)
    taken_up = train(recipe, keeper=Keeper(tmp_path))
    for name, value in whole.network.state_dict().items():
        assert torch.equal(taken_up.network.state_dict()[name], value), name
