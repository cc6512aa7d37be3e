"""Networks go on from frame to frame; films of sounds and letters are what their labels say."""

import numpy as np
import pytest
import torch
from isocortex.model_zoo.architectures.automaton import automaton
from isocortex.model_zoo.architectures.rate_units import leaky_rnn
from isocortex.model_zoo.diets.letters import letters
from isocortex.model_zoo.diets.tones32 import spectrograms, tones32
from torch import nn

from isocortex.errors import IncompatibleError
from isocortex.registry import find_entry
from isocortex.training import BUDGETS, Budget, FilmNetwork, Recipe, require_fitting, train
from isocortex.training.loop import load_part

CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
TAUGHT = ("leaky-rnn", "ei-rnn", *CELLS)
FILM_NETWORKS = (*TAUGHT, "reservoir", "automaton")


def made(name, side=4, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return load_part("architecture", name)((side, side))


def films(count=3, time=6, side=4, seed=0):
    return torch.randn(count, time, 3, side, side, generator=torch.Generator().manual_seed(seed))


# architectures


@pytest.mark.parametrize("name", FILM_NETWORKS)
def test_an_image_is_a_film_that_stands_still(name):
    network, images = made(name), films()[:, 0]
    assert isinstance(network, FilmNetwork)
    still = images[:, None].repeat(1, network.still, 1, 1, 1)
    answer = network(images).detach()
    assert answer.shape == (3, network.width)
    assert torch.equal(answer, network(still).detach())
    assert answer.std(dim=0).max() > 0


@pytest.mark.parametrize("name", FILM_NETWORKS)
def test_every_block_answers_at_every_frame_with_images_first(name):
    network, answers = made(name), []
    for block in network.blocks.values():
        block.register_forward_hook(lambda _, __, given: answers.append(given))
    network(films(time=5))
    assert len(answers) == 5 * len(network.blocks)
    for answer in answers:
        assert len(answer if isinstance(answer, torch.Tensor) else answer[0]) == 3


@pytest.mark.parametrize("name", FILM_NETWORKS)
def test_what_comes_first_in_a_film_changes_the_answer_to_its_end(name):
    film = films()
    other = torch.cat([films(seed=1)[:, :1], film[:, 1:]], dim=1)
    network = made(name)
    assert not torch.allclose(network(film), network(other))
    assert torch.equal(network.states(film)[:3], network.states(film[:, :3]))  # nor looks ahead


@pytest.mark.parametrize("name", CELLS)
def test_torch_does_the_work(name):
    network, film = made(name), films()
    layer = CELLS[name](64, 128)
    for mine, theirs in zip(layer.parameters(), network.blocks["units"].parameters(), strict=True):
        mine.data.copy_(theirs.data)
    features = torch.stack([network.blocks["frame"](frame) for frame in film.unbind(1)])
    torch.testing.assert_close(network.states(film), layer(features)[0])


def test_rate_units_without_leak_are_a_simple_recurrent_network():
    network, film = leaky_rnn((4, 4), units=10, leak=1.0), films()
    units, layer = network.blocks["units"], nn.RNN(48, 10)
    for mine, theirs in zip(
        (layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0, layer.bias_hh_l0),
        (units.inputs.weight, units.recurrent.weight, units.inputs.bias, torch.zeros(10)),
        strict=True,
    ):
        mine.data.copy_(theirs.data)
    expected = layer(film.flatten(2).transpose(0, 1))[0]
    torch.testing.assert_close(network.states(film), expected)


@pytest.mark.parametrize("name", TAUGHT)
def test_gradients_reach_every_parameter_of_a_small_file(name):
    network = made(name)
    network(films()).square().sum().backward()
    for parameter, values in network.named_parameters():
        assert values.grad.abs().sum() > 0, parameter
    assert sum(values.numel() for values in made(name, 32).parameters()) < 500_000


def test_no_unit_excites_and_inhibits_before_or_after_training(monkeypatch):
    monkeypatch.setitem(BUDGETS, "brief", Budget("brief", 10))
    for network in (
        made("ei-rnn"),
        train("ei-rnn+dale/categorise/backprop@digits:brief#0").network,
    ):
        units = network.blocks["units"]
        weights = (units.recurrent.weight * units.effect).detach()
        assert (weights[:, :80] >= 0).all()
        assert (weights[:, 80:] <= 0).all()
    free = train("ei-rnn/categorise/backprop@digits:brief#0").network
    assert (free.blocks["units"].recurrent.weight < 0).any()  # the constraint is what keeps them


def test_excitation_and_inhibition_balance_at_birth():
    units = made("ei-rnn").blocks["units"]
    weights = (units.recurrent.weight * units.effect).detach()
    assert float(torch.linalg.eigvals(weights).abs().max()) == pytest.approx(1.5, rel=1e-4)
    excitation, inhibition = weights[:, :80].sum(1).mean(), -weights[:, 80:].sum(1).mean()
    assert float(inhibition / excitation) == pytest.approx(1, abs=0.1)


def test_nothing_of_a_reservoir_or_an_automaton_is_taught():
    assert not any(values.requires_grad for values in made("reservoir").parameters())
    assert not list(made("automaton").parameters())
    trained = train("automaton/none/untrained@digits:smoke#0")
    assert trained.history.sizes["step"] == 0


def test_a_reservoir_with_a_closed_loop_is_read_from_its_weights():
    torch.manual_seed(0)
    network, again = made("reservoir"), made("reservoir", seed=1)
    network.close_loop(nn.Linear(network.width, 5))
    assert not torch.equal(network(films()), made("reservoir")(films()))  # what it says is heard
    again.load_state_dict(network.state_dict())
    assert torch.equal(again(films()), network(films()))


@pytest.mark.parametrize("rule", [30, 110])
def test_an_automaton_follows_its_rule_and_hears_bright_pixels(rule):
    image = (torch.rand(1, 1, 4, 4, generator=torch.Generator().manual_seed(3)) > 0.5).float()
    heard = [int(bit) for bit in image.flatten()]
    cells = [0] * 16
    for _ in range(8):
        flipped = [cell ^ bit for cell, bit in zip(cells, heard, strict=True)]
        around = [(flipped[i - 1], flipped[i], flipped[(i + 1) % 16]) for i in range(16)]
        cells = [rule // 2 ** (4 * left + 2 * own + right) % 2 for left, own, right in around]
    network = automaton((4, 4), rule=rule)
    assert network(2 * image.repeat(1, 3, 1, 1) - 1)[0].int().tolist() == cells


def test_a_film_needs_a_network_that_takes_films():
    with pytest.raises(IncompatibleError, match="categorise-film needs film"):
        require_fitting(Recipe.parse("conv4/categorise-film/backprop@letters#0"))
    with pytest.raises(IncompatibleError, match="categorise-film needs sequence"):
        require_fitting(Recipe.parse("gru/categorise-film/backprop@digits#0"))


# diets


@pytest.mark.parametrize("name", ["tones32", "letters"])
def test_films_are_drawn_by_their_seed_end_in_the_image_and_are_balanced(name):
    draw = find_entry("diet", name).load()
    options = {**find_entry("diet", name).card.options, "count": (40, 16)}
    diet, same, other = draw(**options), draw(**options), draw(**{**options, "seed": 1})
    assert np.array_equal(diet.train.sequences, same.train.sequences)
    assert not np.array_equal(diet.train.sequences, other.train.sequences)
    assert np.array_equal(diet.train.sequences[:, -1], diet.train.pixels)
    assert diet.image_size == (32, 32)
    assert len(set(np.bincount(diet.train.labels))) == 1
    images = {each.tobytes() for each in diet.train.pixels}
    assert len(images) == 40
    assert not images & {each.tobytes() for each in diet.test.pixels}


def heights(shares):
    """Octaves above 200 Hz where the columns of spectrograms (image, row, column) are loud."""
    loud = shares**6
    return (loud * (31.5 - np.arange(32)[:, None]) * 4 / 32).sum(axis=1) / loud.sum(axis=1)


def test_a_pure_tone_lights_the_row_of_its_pitch():
    octaves = np.array([[0.5], [2.0], [3.7]])
    waves = np.sin(2 * np.pi * 200 * 2**octaves * np.arange(4000) / 8000)
    shown = spectrograms(waves)
    expected = octaves.repeat(shown.shape[2], axis=1)
    np.testing.assert_allclose(heights(shown), expected, atol=4 / 32)
    assert shown.max(axis=(1, 2)) == pytest.approx(1, abs=0.1)  # no sine is louder than 1


def test_sounds_are_what_their_labels_and_latents_say():
    diet = tones32(count=(160, 8), frames=8, seed=0)
    images = diet.train
    found = heights((images.pixels[..., 0].astype(float) / 127.5 - 1).clip(0, 1))
    slope = np.polyfit(np.arange(32) * 0.02, found.T, 1)[0]
    kinds = np.array(diet.categories)[images.labels]
    swept = np.isin(kinds, ["rising", "falling"])
    np.testing.assert_allclose(slope[swept], images.latents["tempo"][swept], atol=0.1)
    assert (np.abs(slope[np.isin(kinds, ["steady"])]) < 0.05).all()
    for kind, tempo in (("slow beats", (3, 5)), ("fast beats", (7, 11))):
        told = images.latents["tempo"][kinds == kind]
        assert tempo[0] <= told.min()
        assert told.max() <= tempo[1]
    steady = kinds == "steady"
    pitch = images.latents["pitch"][steady]
    np.testing.assert_allclose(found[steady].mean(axis=1), pitch, atol=0.13)


def test_a_sound_moves_on_by_two_columns_a_frame():
    films = tones32(count=(16, 8), frames=8, seed=0).train.sequences
    assert np.array_equal(films[:, 1:, :, :-2], films[:, :-1, :, 2:])


def test_only_the_first_letter_tells_the_last():
    diet = letters(count=(1200, 40), hold=2, seed=0)
    images = diet.train
    assert diet.categories == ("D", "Y", "H", "L")
    assert images.sequences.shape == (1200, 6, 32, 32, 3)
    means = [images.sequences[images.labels == label].mean(axis=0)[..., 0] for label in range(4)]

    def apart(one, other, frame):
        return float(np.abs(means[one][frame] - means[other][frame]).mean())

    for frame in (2, 3, 4, 5):  # the shared middle
        assert apart(0, 1, frame) < apart(0, 1, 0) / 3.5
        assert apart(2, 3, frame) < apart(2, 3, 0) / 3.5
    assert apart(0, 2, 5) > 3 * apart(0, 1, 5)
