"""Commands that score candidates and show the standings."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import registry
from ..benchmarks import Benchmark, load_benchmark, load_dataset, offered_benchmarks, split_name
from ..errors import FetchError, IsocortexError
from ..recordings import Recording
from ..scores import Score, score_facts
from ..store import Leaderboard, LeaderboardRow, Store, StoredScore, open_store
from ._app import app
from ._output import print_error, print_json, print_note, print_table, progress_bar
from .listing import AsJson

if TYPE_CHECKING:
    from ..runs import Engine

Wanted = Annotated[
    list[str],
    typer.Option("--benchmark", "-b", help="A benchmark, a dataset, or dataset/region/all."),
]
Forced = Annotated[bool, typer.Option("--force", help="Score again what is stored.")]
Layers = Annotated[
    list[str] | None, typer.Option("--layer", help="Read out here instead; may be repeated.")
]
Device = Annotated[str, typer.Option(help="The torch device that runs the networks.")]
Term = Annotated[str | None, typer.Option(help="Only this term of the axis, or one below it.")]


@app.command()
def score(
    models: Annotated[list[str], typer.Argument(help="The candidates to score.")],
    benchmark: Wanted,
    layer: Layers = None,
    device: Device = "cpu",
    force: Forced = False,
    as_json: AsJson = False,
) -> None:
    """Score models and store the results.

    What is stored already is shown and not computed again, unless it is forced.
    """
    from ..runs import Engine

    wanted = _load_benchmarks(_expanded(benchmark))
    with open_store() as store:
        scores, errors = _score_all(
            models,
            wanted,
            store=store,
            engine=Engine(device),
            layers=tuple(layer) if layer else None,
            force=force,
        )
    if as_json:
        print_json([score_facts(each) for each in scores])
    elif scores:
        _print_scores(scores)
    if len(models) * len(wanted) > 1:
        for name, error in errors.items():
            print_error(f"{name}: {error}")
    for error in errors.values():
        raise error


@app.command()
def leaderboard(
    architecture: Term = None,
    objective: Term = None,
    learning_rule: Term = None,
    diet: Term = None,
    simulated: Annotated[bool, typer.Option(help="Show the simulated data sets instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the stored scores, ranked."""
    terms = {
        "architecture": architecture,
        "objective": objective,
        "learning_rule": learning_rule,
        "diet": diet,
    }
    with open_store() as store:
        filters: Any = {axis: term for axis, term in terms.items() if term is not None}
        board = store.leaderboard(simulated=simulated, **filters)
    if as_json:
        print_json([_row_facts(row) for row in board.rows])
    else:
        _print_leaderboard(board)


@app.command()
def compare(
    first: Annotated[str, typer.Argument(help="A scored model.")],
    second: Annotated[str, typer.Argument(help="The model to compare it with.")],
    benchmark: Wanted,
    as_json: AsJson = False,
) -> None:
    """Show how two scored models differ, with an interval.

    Both were scored on the same resamples, so the difference is paired.
    """
    rows = []
    with open_store() as store:
        for name in _expanded(benchmark):
            rows.append((name, store.paired_difference(first, second, name)))
    if as_json:
        print_json(
            [
                {
                    "benchmark": name,
                    "difference": found.difference,
                    "low": found.low,
                    "high": found.high,
                    "confidence": found.confidence,
                }
                for name, found in rows
            ]
        )
        return
    print_table(
        f"{first} − {second}",
        ("benchmark", "difference (raw)", "interval", "verdict"),
        [
            (
                name,
                f"{found.difference:+.3f}",
                f"{_number(found.low)} … {_number(found.high)}",
                _verdict(found.low, found.high),
            )
            for name, found in rows
        ],
        caption="paired: both models were scored on the same resamples of stimuli and subjects",
    )


@app.command()
def demo(device: Device = "cpu") -> None:
    """Score all networks on the recordings at hand.

    Without a mirror and without internet the built-in simulated data set is used instead.
    """
    from ..runs import Engine

    names = [entry.name for entry in registry.entries("candidate")]
    wanted = _reachable_benchmarks()
    simulated = not wanted
    if simulated:
        print_note(
            "No recordings could be fetched: there is no internet, and ISOCORTEX_MIRROR names no "
            "folder that has them. The demo goes on with SIMULATED data: the numbers below say "
            "nothing about any brain."
        )
        wanted = _load_benchmarks(offered_benchmarks(simulated=True))
    with open_store() as store:
        _, errors = _score_all(names, wanted, store=store, engine=Engine(device))
        board = store.leaderboard(simulated=simulated)
    _print_leaderboard(board)
    for name, error in errors.items():
        if not isinstance(error, FetchError):
            print_error(f"{name}: {error}")
    if unreachable := [name for name, error in errors.items() if isinstance(error, FetchError)]:
        print_note(f"Left out, because their weights can't be fetched: {', '.join(unreachable)}")
    print_note("Browse it: make serve, then open http://127.0.0.1:8000")


def _expanded(names: Iterable[str]) -> tuple[str, ...]:
    """Benchmark names; a dataset stands for all it offers, `…/all` for every scorer that fits."""
    known = {entry.name for entry in registry.entries("dataset")}
    offered = offered_benchmarks()
    wanted: list[str] = []
    for name in names:
        stem, _, scorer = name.rpartition("/")
        if name in known:
            wanted += [each for each in offered if split_name(each)[0] == name]
        elif scorer == "all" and stem.partition("/")[0] in known:
            recorded = registry.dataset_card(stem.partition("/")[0]).recorded
            cards = (registry.scorer_card(entry.name) for entry in registry.entries("scorer"))
            wanted += [f"{stem}/{card.name}" for card in cards if recorded in card.accepts]
        else:
            wanted.append(name)
    for name in wanted:
        split_name(name)
    return tuple(dict.fromkeys(wanted))


def _load_benchmarks(names: Iterable[str]) -> list[Benchmark]:
    """The benchmarks with their data; those of one dataset share it."""
    recordings: dict[str, Recording] = {}
    loaded = []
    for name in names:
        dataset = split_name(name)[0]
        if dataset not in recordings:
            recordings[dataset] = load_dataset(dataset)
        loaded.append(load_benchmark(name, recording=recordings[dataset]))
    return loaded


def _reachable_benchmarks() -> list[Benchmark]:
    """The benchmarks of recorded data that can be had here, without the variants of a dataset."""
    found: list[Benchmark] = []
    names = [name for name in offered_benchmarks(simulated=False) if ":" not in name]
    for dataset in dict.fromkeys(split_name(name)[0] for name in names):
        try:
            found += _load_benchmarks(name for name in names if split_name(name)[0] == dataset)
        except FetchError as error:
            print_note(f"left out {dataset}: {error}")
    return found


def _score_all(
    models: Sequence[str],
    benchmarks: Sequence[Benchmark],
    *,
    store: Store,
    engine: "Engine",
    layers: tuple[str, ...] | None = None,
    force: bool = False,
) -> tuple[list[Score], dict[str, IsocortexError]]:
    """All scores that could be had, and the error of each model or pair that has none."""
    from ..runs import load_candidate
    from ..runs import score as score_one

    scores: list[Score] = []
    errors: dict[str, IsocortexError] = {}
    with progress_bar() as progress:
        total = progress.add_task("scores", total=len(models) * len(benchmarks))
        for name in models:
            progress.update(total, description=name)
            try:
                candidate = load_candidate(name, layers=layers)
            except IsocortexError as error:
                errors[name] = error
                continue
            for benchmark in benchmarks:
                progress.update(total, description=f"{name} on {benchmark.name}")
                try:
                    scores.append(
                        score_one(candidate, benchmark, store=store, engine=engine, force=force)
                    )
                except IsocortexError as error:
                    errors[f"{name} on {benchmark.name}"] = error
                progress.advance(total)
    return scores, errors


def _print_scores(scores: Sequence[Score]) -> None:
    print_table(
        "Scores",
        ("model", "benchmark", "value", "raw", "interval of raw", "ceiling", "layer"),
        [
            (
                each.candidate,
                each.benchmark,
                _number(each.value),
                _number(each.raw),
                f"{_number(each.low)} … {_number(each.high)}",
                "–"
                if each.ceiling is None
                else f"{_number(each.ceiling.lower)} … {_number(each.ceiling.upper)}",
                each.layer,
            )
            for each in scores
        ],
        caption="value: raw relative to the upper ceiling; – where the recordings allow no ceiling",
    )


def _print_leaderboard(board: Leaderboard) -> None:
    if not board.rows:
        print_note("Nothing is scored yet: run `isocortex demo`, or `isocortex score --help`.")
        return
    title = "Leaderboard (SIMULATED data, not a brain)" if board.simulated else "Leaderboard"
    columns = [each.name.replace("/", "\n") for each in board.benchmarks]
    print_table(
        title,
        ("model", "rank", "mean", *columns),
        [
            (
                row.candidate,
                "–" if row.standing is None else _ranks(row.standing),
                "–" if row.standing is None else _number(row.standing.mean),
                *(_cell(row.scores.get(each.name)) for each in board.benchmarks),
            )
            for row in board.rows
        ],
        caption="each cell: score relative to its ceiling, below it the 95 % interval; (raw) where "
        "the recordings allow no ceiling, which the mean leaves out",
    )


def _ranks(standing: Any) -> str:
    if standing.rank_low is None or standing.rank_low == standing.rank_high:
        return str(standing.rank)
    return f"{standing.rank_low}–{standing.rank_high}"


def _cell(stored: StoredScore | None) -> str:
    if stored is None:
        return "–"
    if stored.value is None or stored.value_low is None or stored.value_high is None:
        return f"({_number(stored.raw)})\n{_number(stored.low)}…{_number(stored.high)}"
    return f"{_number(stored.value)}\n{_number(stored.value_low)}…{_number(stored.value_high)}"


def _number(value: float | None) -> str:
    """Two digits, as much as any interval here supports."""
    return "–" if value is None else f"{value:.2f}".replace("-0.00", "0.00")


def _verdict(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "no interval"
    if low > 0:
        return "first is higher"
    return "second is higher" if high < 0 else "not separable"


def _row_facts(row: LeaderboardRow) -> dict[str, Any]:
    standing = row.standing
    return {
        "model": row.candidate,
        "rank": None if standing is None else standing.rank,
        "rank_low": None if standing is None else standing.rank_low,
        "rank_high": None if standing is None else standing.rank_high,
        "mean": None if standing is None else standing.mean,
        "scores": {
            name: {
                "value": stored.value,
                "raw": stored.raw,
                "low": stored.low,
                "high": stored.high,
                "layer": stored.layer,
            }
            for name, stored in row.scores.items()
        },
    }
