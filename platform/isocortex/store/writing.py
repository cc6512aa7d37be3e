"""What is written, each function within one transaction of its caller.

Rows are found or made with `ON CONFLICT DO NOTHING`, so two processes never make one twice. What
two transactions may still both attempt (an attempt's number, the current score) is refused by a
unique index, and `commit` tries again.
"""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar, cast

import xarray as xr
from sqlalchemy import Connection, Engine, Insert, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from .. import ontology
from ..errors import InputError, MismatchError, StoreError
from ..fingerprints import fingerprint
from ..scores import Score
from . import owning, schema
from .facts import BenchmarkFacts, CandidateFacts
from .opening import writing

Result = TypeVar("Result")

_LARGEST_ROW: Final = 100_000
_LONGEST_ERROR: Final = 4_000
_ATTEMPTS: Final = 20


def commit(engine: Engine, work: Callable[[Connection], Result]) -> Result:
    """What `work` returns, once it is committed; it is done again if another process was first."""
    for _ in range(_ATTEMPTS):
        try:
            with writing(engine) as connection:
                return work(connection)
        except IntegrityError as error:
            refused = error
    raise StoreError(f"the database refused a row {_ATTEMPTS} times: {refused.orig}") from refused


def ensure_candidate(connection: Connection, facts: CandidateFacts) -> int:
    """The id of this candidate version, which is made if it is not there."""
    name_id = _ensure(connection, schema.Candidate, {"name": facts.name})
    components = {
        f"{axis}_id": _ensure_component(connection, axis, facts.card[axis])
        for axis in ontology.AXES
    }
    rest = {
        "candidate_id": name_id,
        "card": dict(facts.card),
        "weights_hash": facts.weights_hash,
        "parameters": facts.parameters,
        "seed": facts.card.get("seed"),
        "layers": list(facts.layers),
    }
    key = {"fingerprint": facts.fingerprint}
    return _ensure(connection, schema.CandidateVersion, key, rest | components)


def ensure_benchmark(connection: Connection, facts: BenchmarkFacts) -> int:
    """The id of this benchmark version, which is made with its dataset and scorer if need be."""
    rest = {
        "benchmark_id": _ensure(connection, schema.Benchmark, {"name": facts.name}),
        "dataset_version_id": _ensure_dataset(connection, facts),
        "scorer_version_id": _ensure_scorer(connection, facts),
        "region": facts.region,
        "protocol": dict(facts.protocol),
        "normalisation": facts.normalisation,
    }
    return _ensure(connection, schema.BenchmarkVersion, {"fingerprint": facts.fingerprint}, rest)


def begin_run(connection: Connection, pair: Mapping[str, int], *, seed: int | None) -> int:
    """The id of a new run of this pair of versions (and environment), in the state `running`."""
    run = schema.Run
    earlier = select(func.max(run.attempt)).where(
        run.candidate_version_id == pair["candidate_version_id"],
        run.benchmark_version_id == pair["benchmark_version_id"],
    )
    attempt = (connection.scalar(earlier) or 0) + 1
    made = connection.execute(insert(run).values(**pair, attempt=attempt, seed=seed))
    return _made_id(made.inserted_primary_key)


def ensure_environment(connection: Connection, facts: Mapping[str, Any]) -> int:
    """The id of this environment."""
    key = {"fingerprint": fingerprint(facts)}
    return _ensure(connection, schema.Environment, key, {"facts": dict(facts)})


def current_score(connection: Connection, pair: Mapping[str, int]) -> int | None:
    """The id of the current score of this pair of versions, if there is one."""
    table = schema.Score
    found: int | None = connection.scalar(
        select(table.id).where(
            table.candidate_version_id == pair["candidate_version_id"],
            table.benchmark_version_id == pair["benchmark_version_id"],
            table.is_current,
        )
    )
    return found


def finish_run(connection: Connection, run_id: int, score: Score, *, detail: str) -> int:
    """The id of the score, which is now the current one of its pair; the run is `done`.

    It is seen by all who saw the score that it replaces.
    """
    run = connection.execute(select(schema.Run.__table__).where(schema.Run.id == run_id)).one()
    _end_run(connection, run_id, "done")
    pair = {
        "candidate_version_id": run.candidate_version_id,
        "benchmark_version_id": run.benchmark_version_id,
    }
    former = current_score(connection, pair)
    if former is not None:
        replaced = update(schema.Score).where(schema.Score.id == former)
        connection.execute(replaced.values(is_current=False))
    values = _score_values(score) | pair | {"run_id": run_id, "detail": detail, "is_current": True}
    made = connection.execute(insert(schema.Score).values(**values))
    score_id = _made_id(made.inserted_primary_key)
    if slices := [part | {"score_id": score_id} for part in slice_values(score.detail)]:
        connection.execute(insert(schema.ScoreSlice), slices)
    if former is not None:
        owning.hand_on(connection, former, score_id)
    count_revision(connection)
    return score_id


def count_revision(connection: Connection) -> None:
    """Tell all readers that what they made of the data before is out of date."""
    connection.execute(update(schema.Revision).values(number=schema.Revision.number + 1))


def fail_run(connection: Connection, run_id: int, error: str) -> None:
    """Mark a running run as failed; a run that is done stays done."""
    _end_run(connection, run_id, "failed", error=error[:_LONGEST_ERROR], required=False)


def check_score(score: Score, candidate: CandidateFacts, benchmark: BenchmarkFacts) -> None:
    """Raise MismatchError or InputError unless this score belongs to the pair and is finite."""
    if (score.candidate, score.benchmark) != (candidate.name, benchmark.name):
        raise MismatchError(
            f"the run is of {candidate.name!r} on {benchmark.name!r}, but the score is of "
            f"{score.candidate!r} on {score.benchmark!r}"
        )
    normalisation = score.detail.attrs.get("normalisation", "ratio")
    if normalisation != benchmark.normalisation:
        raise MismatchError(
            f"benchmark {benchmark.name!r} is normalised by {benchmark.normalisation!r}, but the "
            f"detail's attribute `normalisation` of its score is {normalisation!r}"
        )
    for name in ("raw", "low", "high", "value"):
        number = getattr(score, name)
        if number is not None and not math.isfinite(number):
            raise InputError(
                f"{score.candidate!r} on {score.benchmark!r}: {name} is {number}; only finite "
                "scores are kept"
            )


def slice_values(detail: xr.Dataset) -> list[dict[str, Any]]:
    """The rows of the detail's layers, subjects and folds, in order; NaN becomes None."""
    parts = []
    for kind in ("layer", "subject", "fold"):
        if f"{kind}_score" not in detail:
            continue
        numbers = detail[f"{kind}_score"].values.tolist()
        names = detail[kind].values.tolist() if kind in detail.coords else range(len(numbers))
        for position, (name, number) in enumerate(zip(names, numbers, strict=True)):
            value = number if math.isfinite(number) else None
            parts.append({"kind": kind, "position": position, "name": str(name), "value": value})
    return parts


def _score_values(score: Score) -> dict[str, Any]:
    ceiling = score.ceiling
    return {
        "raw": score.raw,
        "low": score.low,
        "high": score.high,
        "confidence": score.confidence,
        "ceiling_lower": None if ceiling is None else ceiling.lower,
        "ceiling_upper": None if ceiling is None else ceiling.upper,
        "value": score.value,
        "value_low": None if score.value is None else score.scaled(score.low),
        "value_high": None if score.value is None else score.scaled(score.high),
        "layer": score.layer,
        "resampled": list(score.resampled),
        "counts": dict(score.counts),
    }


def _end_run(
    connection: Connection,
    run_id: int,
    state: str,
    *,
    error: str | None = None,
    required: bool = True,
) -> None:
    run = schema.Run
    started = connection.scalar(select(run.started_at).where(run.id == run_id))
    finished = schema.now()
    seconds = (finished - started).total_seconds() if started else None
    ended = connection.execute(
        update(run)
        .where(run.id == run_id, run.state == "running")
        .values(state=state, error=error, finished_at=finished, seconds=seconds)
    )
    if required and ended.rowcount != 1:
        raise StoreError(f"run {run_id} has ended already; its score is not written twice")


def _ensure_component(connection: Connection, axis: ontology.Axis, name: str) -> int:
    """The id of a term; its row, and those above it, say what the ontology says now."""
    term, table = ontology.find_term(axis, name), schema.Component
    if term.parent is not None:
        _ensure_component(connection, axis, term.parent)
    facts = {
        "parent": term.parent,
        "label": term.label,
        "reference": term.reference,
        "properties": dict(term.properties),
    }
    found = _ensure(connection, table, {"axis": axis, "name": name}, facts)
    columns = [getattr(table, column) for column in facts]
    stored = connection.execute(select(*columns).where(table.id == found)).one()
    if tuple(stored) != tuple(facts.values()):
        connection.execute(update(table).where(table.id == found).values(**facts))
    return found


def _ensure_dataset(connection: Connection, facts: BenchmarkFacts) -> int:
    card = facts.dataset.card
    key = {
        "dataset_id": _ensure(connection, schema.Dataset, {"name": card["name"]}),
        "card_version": card["version"],
        "content_hash": facts.dataset.content_hash,
    }
    rest = {"card": dict(card), "simulated": card["simulated"]}
    return _ensure(connection, schema.DatasetVersion, key, rest)


def _ensure_scorer(connection: Connection, facts: BenchmarkFacts) -> int:
    scorer = facts.scorer
    rest = {
        "scorer_id": _ensure(connection, schema.Scorer, {"name": scorer.card["name"]}),
        "options": dict(scorer.options),
        "card": dict(scorer.card),
    }
    return _ensure(connection, schema.ScorerVersion, {"fingerprint": scorer.fingerprint}, rest)


def _ensure(
    connection: Connection,
    table: type[schema.Table],
    key: Mapping[str, Any],
    rest: Mapping[str, Any] | None = None,
) -> int:
    """The id of the row with this unique `key`; it is made with `rest` if it is not there."""
    find = select(table.id).where(*(getattr(table, name) == value for name, value in key.items()))
    found = connection.scalar(find)
    if found is None:
        values = {**key, **(rest or {})}
        _check_size(table, values)
        connection.execute(_insert_unless_there(connection, table).values(**values))
        found = connection.execute(find).scalar_one()
    return found


def _insert_unless_there(connection: Connection, table: type[schema.Table]) -> Insert:
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()


def _check_size(table: type[schema.Table], values: Mapping[str, Any]) -> None:
    size = len(json.dumps(values))
    if size > _LARGEST_ROW:
        raise InputError(
            f"a row of {table.__tablename__} would take {size:,} bytes, at most {_LARGEST_ROW:,} "
            "are kept in a row; put arrays into the score's detail"
        )


def _made_id(key: Any) -> int:
    return cast(int, key[0])
