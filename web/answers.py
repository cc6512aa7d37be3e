"""From records and cards to what the API answers, as plain values."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np

from isocortex import ontology
from isocortex.store import (
    Leaderboard,
    LeaderboardRow,
    Store,
    StoredBenchmark,
    StoredModel,
)
from isocortex.store.columns import Positions

from . import catalogue, schemas

_CELL: Final = tuple(name for name in schemas.Cell.model_fields if name != "id")


def model_summary(one: catalogue.KnownModel) -> dict[str, Any]:
    """A model in a list."""
    stored = one.stored
    return {
        "name": one.name,
        "summary": one.card["summary"],
        **components(one.card),
        "licence": one.card["licence"],
        "evidence": one.evidence,
        "parameters": None if stored is None else stored.parameters,
        "fingerprint": None if stored is None else stored.fingerprint,
        "scores": 0 if stored is None else stored.scores,
    }


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


def benchmark_tree(benchmarks: Iterable[StoredBenchmark]) -> list[schemas.BenchmarkNode]:
    """Datasets, their regions and, below these, the benchmarks."""
    datasets: dict[str, dict[str, list[str]]] = {}
    for one in benchmarks:
        datasets.setdefault(one.dataset, {}).setdefault(one.region, []).append(one.name)

    def node(path: str, children: list[schemas.BenchmarkNode]) -> schemas.BenchmarkNode:
        names = [name for child in children for name in child.benchmarks] or [path]
        label = path.rpartition("/")[2]
        return schemas.BenchmarkNode(path=path, label=label, benchmarks=names, children=children)

    return [
        node(
            dataset,
            [
                node(f"{dataset}/{region}", [node(name, []) for name in names])
                for region, names in regions.items()
            ],
        )
        for dataset, regions in datasets.items()
    ]


def card_list(store: Store, kind: Any, viewer: int | None) -> schemas.CardList:
    """The cards of all datasets or scorers, with their benchmarks."""
    known = catalogue.known_benchmarks(store, viewer=viewer).values()
    return schemas.CardList(
        items=[
            schemas.Card(
                name=name,
                card=card,
                benchmarks=[one.name for one in known if getattr(one, kind) == name],
            )
            for name, card in catalogue.known_cards(store, kind, viewer=viewer).items()
        ]
    )


def leaderboard_rows(
    board: Leaderboard, rows: Iterable[LeaderboardRow], wanted: frozenset[str]
) -> list[dict[str, Any]]:
    """Rows with the wanted fields."""
    place = {row.candidate: number for number, row in enumerate(board.rows)}
    return [
        {
            name: value
            for name, value in {
                "candidate": row.candidate,
                "fingerprint": row.fingerprint,
                **components(row.card),
                "evidence": row.evidence,
                "parameters": row.parameters,
                "covered": row.covered,
                "standing": row.standing,
            }.items()
            if name in wanted
        }
        | ({"scores": _cells(board, place[row.candidate])} if "scores" in wanted else {})
        for row in rows
    ]


def components(card: Mapping[str, str]) -> dict[str, str]:
    """The terms that a candidate's card names."""
    return {axis: card[axis] for axis in ontology.AXES}


def _cells(board: Leaderboard, row: int) -> dict[str, dict[str, Any]]:
    """The cells of a row by benchmark, straight from the columns: there may be many."""
    positions: Positions = board.positions[row]
    having = np.flatnonzero(positions >= 0)
    columns = board.columns.scores
    numbers = [columns[name][positions[having]].tolist() for name in _CELL]
    ids = columns["id"][positions[having]].tolist()
    names = [board.benchmarks[place].name for place in having]
    return {
        name: {"id": score_id}
        | {key: None if x != x else x for key, x in zip(_CELL, found, strict=True)}
        for name, score_id, *found in zip(names, ids, *numbers, strict=True)
    }
