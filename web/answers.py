"""From records and cards to the schemas of the API."""

from collections.abc import Mapping
from urllib.parse import urlencode

from fastapi import Request, Response

from isocortex import ontology
from isocortex.cards import Kind
from isocortex.store import LeaderboardRow, Store, StoredModel

from . import catalogue, schemas


def model_summary(one: catalogue.KnownModel) -> schemas.ModelSummary:
    """A model in a list."""
    return schemas.ModelSummary(
        name=one.name,
        summary=one.card["summary"],
        licence=one.card["licence"],
        fingerprint=None if one.stored is None else one.stored.fingerprint,
        scores=0 if one.stored is None else one.stored.scores,
        **components(one.card),
    )


def model_answer(card: catalogue.CardFacts, model: StoredModel | None) -> schemas.Model:
    """A model with all that is known of it."""
    scores = () if model is None else model.scores
    slices = {} if model is None else model.slices
    return schemas.Model.model_validate(
        {
            "name": card["name"],
            "card": card,
            "versions": [] if model is None else model.versions,
            "scores": [{**vars(score), "parts": slices.get(score.id, ())} for score in scores],
        }
    )


def benchmark_answer(one: catalogue.KnownBenchmark) -> schemas.Benchmark:
    """A benchmark, used or not."""
    stored = one.stored
    return schemas.Benchmark(
        name=one.name,
        dataset=one.dataset,
        region=one.region,
        scorer=one.scorer,
        simulated=one.simulated,
        fingerprint=None if stored is None else stored.fingerprint,
        normalisation=None if stored is None else stored.normalisation,
        protocol=None if stored is None else stored.protocol,
        candidates=0 if stored is None else stored.candidates,
    )


def card_list(store: Store, kind: Kind) -> schemas.CardList:
    """The cards of all datasets or scorers, with their benchmarks."""
    known = catalogue.known_benchmarks(store).values()
    return schemas.CardList(
        items=[
            schemas.Card(
                name=name,
                card=card,
                benchmarks=[one.name for one in known if getattr(one, kind) == name],
            )
            for name, card in catalogue.known_cards(store, kind).items()
        ]
    )


def leaderboard_row(row: LeaderboardRow) -> schemas.LeaderboardRow:
    """A model's row, with its components' terms."""
    return schemas.LeaderboardRow.model_validate({**vars(row), **components(row.card)})


def components(card: Mapping[str, str]) -> dict[str, str]:
    """The terms that a candidate's card names."""
    return {axis: card[axis] for axis in ontology.AXES}


def link_next(request: Request, response: Response, **position: str | int | None) -> None:
    """Name the address of the following page in the header `Link`, if there is one."""
    ((key, value),) = position.items()
    if value is None:
        return
    kept = [(name, text) for name, text in request.query_params.multi_items() if name != key]
    query = urlencode([*kept, (key, value)])
    response.headers["Link"] = f'<{request.url.path}?{query}>; rel="next"'
