"""What holds for every candidate of the zoo."""

import re
from collections.abc import Callable

import pytest
import torch

from isocortex.candidates import Candidate
from isocortex.cards import CandidateCard
from isocortex.fetching import fetch
from isocortex.registry import candidate_card, entries

CARDS = [
    candidate_card(entry)
    for entry in entries("candidate")
    if entry.module.startswith("isocortex.model_zoo.")
]
Load = Callable[[str], Candidate]


def named(cards: list[CandidateCard]) -> list[object]:
    return [
        pytest.param(card, id=card.name, marks=[pytest.mark.mirror] if card.files else [])
        for card in cards
    ]


def test_the_zoo_holds_every_network_of_the_foundation():
    assert {card.name for card in CARDS} == {
        *(f"mobilenet_v1/{name}" for name in ("imagenet", "faces")),
        *(f"mobilenet_v1/untrained#{seed}" for seed in (0, 1, 2)),
        *(f"cifar_resnet/{name}" for name in ("20", "32", "44", "56", "20-untrained#0")),
        *(f"gdes/config_{depth}l" for depth in (1, 2, 3, 4)),
        *(f"hebb/{name}" for name in ("config_1l", "config_1l_som", "top4")),
        "pixels",
        "gabor_energy",
    }


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_a_card_cites_and_licenses_its_network(card: CandidateCard):
    braces = card.bibtex.count("{") - card.bibtex.count("}")
    assert (braces, bool(re.match(r"@\w+\{\w+,\n", card.bibtex))) == (0, True)
    assert card.licence in ("MIT", "BSD-2-Clause", "BSD-3-Clause")
    assert len(card.summary) < 80
    assert bool(card.files) == bool(card.accuracy)


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_the_four_components_agree_on_whether_a_network_learnt(card: CandidateCard):
    learnt = card.learning_rule not in ("untrained", "hand-set")
    assert (card.objective != "none", card.diet != "none", bool(card.files)) == (learnt,) * 3


@pytest.mark.parametrize("card", named(CARDS))
def test_files_are_as_long_as_their_card_says(card: CandidateCard):
    assert {key: fetch(file).stat().st_size for key, file in card.files.items()} == {
        key: file.bytes for key, file in card.files.items()
    }


@pytest.mark.parametrize("card", named(CARDS))
def test_a_candidate_answers_from_every_layer_in_order(card: CandidateCard, load_candidate: Load):
    candidate, seen = load_candidate(card.name), []
    for layer in candidate.layers:
        part = candidate.module.get_submodule(layer)
        part.register_forward_hook(lambda *call, layer=layer: seen.append((layer, call[2])))
    with torch.no_grad():
        candidate.module(torch.rand(2, 3, *(2 * [card.preprocessing["crop"]])))
    assert tuple(layer for layer, _ in seen) == candidate.layers
    assert all(len(answer) == 2 and answer.std() > 1e-3 for _, answer in seen)
    assert not candidate.module.training


@pytest.mark.parametrize("card", named(CARDS))
def test_loading_a_candidate_leaves_the_random_state_alone(
    card: CandidateCard, load_candidate: Load
):
    before = torch.get_rng_state()
    load_candidate(card.name)
    assert torch.equal(torch.get_rng_state(), before)
