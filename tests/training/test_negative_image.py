"""A cerebellum-like structure comes to cancel what follows its commands, and nothing else."""

import numpy as np
import pytest
import torch
from isocortex.model_zoo.architectures.cerebellum_like import cerebellum_like
from isocortex.model_zoo.architectures.perceptron import mlp3
from isocortex.model_zoo.diets._sweeps import sweeps
from isocortex.model_zoo.diets.reafference32 import own_wave, reafference32
from isocortex.model_zoo.learning_rules.negative_image import negative_image
from isocortex.model_zoo.objectives.none import none

from isocortex.budgets import BUDGETS, Budget
from isocortex.errors import IncompatibleError
from isocortex.training import Batch, Keeper, credit_audit, train

SIDE, FRAMES = 6, 8
WAVE = torch.from_numpy(own_wave(FRAMES, SIDE, SIDE)).double()


def noise(seed=0):
    return torch.Generator().manual_seed(seed)


def films(seed, *, count=64, own=WAVE):
    """Films of noise outside, of a spread of ½, and of what a command brings about."""
    outside = torch.randn(count, FRAMES, SIDE, SIDE, generator=noise(seed)).double() / 2
    return seen(outside), Batch(seen(outside)[:, -1], sequence=seen(outside + own))


def seen(grey):
    """Grey films (film, time, h, w) as networks take them."""
    return grey[:, :, None].expand(-1, -1, 3, -1, -1)


def learner_of(**options):
    torch.manual_seed(0)
    options = {"granules": 24, "frames": FRAMES} | options
    return negative_image(cerebellum_like((SIDE, SIDE), **options), none(None)).double()


def taught(learner, *, own=lambda step: WAVE, steps=400):
    """What training's loop does."""
    budget = Budget("own", steps, rate=2e-2)
    optimiser = torch.optim.Adam(learner.taught().values())
    for step in range(steps):
        learner.step(films(step, own=own(step))[1], noise(step))
        optimiser.param_groups[0]["lr"] = budget.rate_at(step)
        optimiser.step()
    return learner


def size(values):
    return float(values.detach().square().mean().sqrt())


@pytest.fixture(scope="module")
def learned():
    return taught(learner_of())


def test_the_own_wave_is_cancelled_and_what_is_outside_is_left(learned):
    outside, both = films(10_000)
    network = learned.network
    quiet = network.states(seen(torch.zeros(1, FRAMES, SIDE, SIDE).double()))
    own = network.states(seen(WAVE[None]))
    before = size(WAVE)
    assert size(own) < 0.1 * before
    left = network.states(both.sequence) - outside.mean(2).flatten(2).movedim(1, 0)
    assert size(left) < 0.1 * before
    # without its wave a command brings about the negative image of it
    match = np.corrcoef(quiet.detach().flatten(), WAVE.flatten())[0, 1]
    assert match < -0.99


def test_weights_come_to_the_least_squares_prediction(learned):
    network = learned.network
    times = torch.arange(FRAMES).double()[:, None]
    granules = network.blocks["granules"](times)
    afferents = WAVE.flatten(1)
    best = -torch.linalg.lstsq(granules, afferents).solution
    found = granules @ network.blocks["parallel"].weight.T
    assert size(found - granules @ best) < 0.1 * size(granules @ best)


def test_the_rule_rests_where_it_predicts_as_well_as_it_can():
    learner = learner_of(granules=5)
    granules = learner.network.blocks["granules"](torch.arange(FRAMES).double()[:, None])
    best = -torch.linalg.lstsq(granules, WAVE.flatten(1)).solution
    learner.network.blocks["parallel"].weight.data = best.T.contiguous()
    learner.step(Batch(torch.zeros(1), sequence=seen(WAVE[None])), noise())
    weight = learner.network.blocks["parallel"].weight
    assert float(weight.grad.abs().max()) < 1e-12
    assert size(learner.network.states(seen(WAVE[None]))) > 0.01  # five can't say it all


def test_one_granule_cell_can_not_tell_the_time():
    learner = taught(learner_of(granules=1), steps=150)
    assert size(learner.network.states(seen(WAVE[None]))) > 0.5 * size(WAVE)


def test_a_wave_that_does_not_keep_to_the_command_is_left():
    def own(step):
        return WAVE.roll(int(torch.randint(FRAMES, (), generator=noise(step))), dims=0)

    learner = taught(learner_of(), own=own)
    assert size(learner.network.states(seen(WAVE[None]))) > 0.8 * size(WAVE - WAVE.mean(0))


def test_the_rule_is_the_gradient_of_what_principal_cells_do():
    learner = learner_of()
    torch.nn.init.normal_(learner.network.blocks["parallel"].weight)
    audit = credit_audit(learner, films(0)[1], seed=0)
    angle, ratio = audit["parallel"]
    assert angle < 1e-4
    assert ratio == pytest.approx(1, abs=1e-12)


def test_films_of_the_diet_are_those_outside_and_the_wave():
    found = reafference32(count=(18, 9), frames=8, seed=3).train
    outside = sweeps((18, 9), 8, 3).train
    wave = own_wave(8, 32, 32)[None, ..., None]
    expected = 127.5 + 0.5 * (outside.sequences - 127.5) + 60 * wave
    assert np.abs(found.sequences - expected).max() <= 0.5
    assert found.labels.tolist() == outside.labels.tolist()
    assert np.array_equal(found.pixels, found.sequences[:, -1])
    assert expected.min() > 0
    assert expected.max() < 255


def test_other_networks_are_refused():
    with pytest.raises(IncompatibleError, match=r"no block `parallel`.*choose cerebellum-like"):
        negative_image(mlp3((8, 8), width=8, activation="ReLU"), none(None))
    with pytest.raises(IncompatibleError, match="needs corollary-discharge"):
        train("mlp3/none/negative-image@reafference32#0")


def test_a_killed_run_ends_with_the_same_weights(tmp_path, monkeypatch):
    monkeypatch.setitem(BUDGETS, "brief", Budget("brief", 6, batch=16))
    monkeypatch.setattr("isocortex.training.probes._READ_FROM", 50)
    monkeypatch.setattr("isocortex.training.probes._READ_ON", 20)
    recipe = "cerebellum-like/none/negative-image@reafference32:brief#0"

    def killed(done, of):
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(recipe, keeper=Keeper(tmp_path), progress=killed)
    again, whole = train(recipe, keeper=Keeper(tmp_path)).network, train(recipe).network
    for name, value in whole.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name
    assert whole(torch.zeros(2, 3, 32, 32)).shape == (2, 1024)
