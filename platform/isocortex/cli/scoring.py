"""Commands that score candidates and show the standings."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import registry, settings
from ..benchmarks import Benchmark, offered_benchmarks
from ..errors import FetchError, IsocortexError
from ..matrices import write_matrices
from ..scores import Score, score_facts
from ..store import Leaderboard, LeaderboardRow, Store, StoredScore, open_store
from ._app import app
from ._benchmarks import (
    expanded,
    load_benchmarks,
    load_fitting,
    reachable_benchmarks,
    wanted_names,
    without_misfits,
)
from ._output import print_error, print_json, print_note, print_table, progress_bar
from .listing import AsJson

if TYPE_CHECKING:
    from ..answers import Engine

Wanted = Annotated[
    list[str],
    typer.Option("--benchmark", "-b", help="A benchmark, a dataset, or dataset/region/all."),
]
Forced = Annotated[bool, typer.Option("--force", help="Score again what is stored.")]
Layers = Annotated[
    list[str] | None, typer.Option("--layer", help="Read out here instead; may be repeated.")
]
Device = Annotated[str, typer.Option(help="The torch device that runs the networks.")]
Memory = Annotated[
    str | None,
    typer.Option(help="The most memory to add, such as 4GB; by default half of what is free."),
]
Reduce = Annotated[
    int | None,
    typer.Option(min=1, help="Project wider layers to so many dimensions, with an error."),
]
Scorers = Annotated[
    list[str] | None,
    typer.Option("--scorer", help="A scorer for each region named by -b, or all that fit."),
]
Wished = Annotated[
    list[str] | None,
    typer.Option(
        "--benchmark",
        "-b",
        help="A benchmark, a dataset, or dataset/region/all; with --scorer, a dataset or region.",
    ),
]
Term = Annotated[str | None, typer.Option(help="Only this term of the axis, or one below it.")]


@app.command()
def score(
    models: Annotated[list[str], typer.Argument(help="The candidates to score.")],
    benchmark: Wished = None,
    scorer: Scorers = None,
    layer: Layers = None,
    device: Device = "cpu",
    memory: Memory = None,
    reduce: Reduce = None,
    force: Forced = False,
    as_json: AsJson = False,
) -> None:
    """Score models and store the results.

    What is stored already is shown and not computed again, unless it is forced. Benchmarks that
    share stimuli share the forward pass.
    """
    asked = benchmark or []
    wanted = load_fitting(wanted_names(asked, scorer or []), asked=asked)
    with open_store() as store:
        scores, errors = score_models(
            models,
            wanted,
            store=store,
            engine=make_engine(device, memory, reduce),
            layers=tuple(layer) if layer else None,
            force=force,
        )
    errors = without_misfits(errors, asked=asked)
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
        others = not simulated and bool(store.leaderboard(simulated=True, **filters).rows)
    if as_json:
        print_json([_row_facts(row) for row in board.rows])
        return
    if board.rows or not others:
        print_leaderboard(board)
    if others:
        print_note("Scores on simulated data stand apart: `isocortex leaderboard --simulated`.")


@app.command()
def compare(
    first: Annotated[str, typer.Argument(help="A scored model.")],
    second: Annotated[str, typer.Argument(help="The model to compare it with.")],
    benchmark: Wanted,
    as_json: AsJson = False,
) -> None:
    """Show how two scored models differ, with an interval.

    Both were scored on the same resamples, so the difference is paired. Intervals and p-values of
    several benchmarks allow for their number.
    """
    with open_store() as store:
        found = store.paired_differences(first, second, expanded(benchmark))
    if as_json:
        print_json([asdict(each) for each in found])
        return
    print_table(
        f"{first} − {second}",
        ("benchmark", "difference (raw)", "interval", "p", "verdict"),
        [
            (
                each.benchmark,
                f"{each.difference:+.3f}",
                f"{_number(each.joint_low)} … {_number(each.joint_high)}",
                "–" if each.p is None else f"{each.p:.3f}",
                _verdict(each.joint_low, each.joint_high),
            )
            for each in found
        ],
        caption=_paired_caption(len(found)),
    )


def _paired_caption(benchmarks: int) -> str:
    paired = "paired: both models were scored on the same resamples of stimuli and subjects"
    if benchmarks == 1:
        return paired
    return (
        f"{paired}; the intervals hold all at once, and p is adjusted, for {benchmarks} benchmarks "
        "(max-statistic)"
    )


@app.command()
def demo(device: Device = "cpu", memory: Memory = None) -> None:
    """Score all networks on the recordings at hand.

    Without a mirror and without internet the built-in simulated data set is used instead.
    """
    engine = make_engine(device, memory)
    names = [entry.name for entry in registry.entries("candidate")]
    wanted, simulated = recorded_or_simulated()
    with open_store() as store:
        _, errors = score_models(names, wanted, store=store, engine=engine)
        board = store.leaderboard(simulated=simulated)
    for name, recording in {each.recording.card.name: each.recording for each in wanted}.items():
        write_matrices(name, recording=recording)
    print_leaderboard(board)
    for name, error in errors.items():
        if not isinstance(error, FetchError):
            print_error(f"{name}: {error}")
    if unreachable := [name for name, error in errors.items() if isinstance(error, FetchError)]:
        print_note(f"Left out, because their weights can't be fetched: {', '.join(unreachable)}")
    print_note("Browse it: make serve, then open http://127.0.0.1:8000")


def recorded_or_simulated() -> tuple[list[Benchmark], bool]:
    """The benchmarks of recordings that can be had; without any, those of simulated data, told."""
    if wanted := reachable_benchmarks():
        return wanted, False
    print_note(
        "No recordings could be fetched: there is no internet, and ISOCORTEX_MIRROR names no "
        "folder that has them. This goes on with SIMULATED data: the numbers below say nothing "
        "about any brain."
    )
    return load_benchmarks(offered_benchmarks(simulated=True)), True


def make_engine(device: str, memory: str | None, reduce: int | None = None) -> "Engine":
    """The engine of these options. Raises InputError for a memory that is none."""
    from ..answers import Engine

    cap = None if memory is None else settings.parse_bytes(memory, name="--memory")
    return Engine(device, memory=cap, reduce=reduce)


def score_models(
    models: Sequence[str],
    benchmarks: Sequence[Benchmark],
    *,
    store: Store,
    engine: "Engine",
    layers: tuple[str, ...] | None = None,
    force: bool = False,
) -> tuple[list[Score], dict[str, IsocortexError]]:
    """All scores that could be had, and the error of each model or pair that has none."""
    from ..runs import load_candidate, score_all

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
            for benchmark, found in score_all(
                candidate, benchmarks, store=store, engine=engine, force=force
            ):
                if isinstance(found, Score):
                    scores.append(found)
                else:
                    errors[f"{name} on {benchmark.name}"] = found
                progress.update(total, advance=1, description=f"{name} on {benchmark.name}")
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


def print_leaderboard(board: Leaderboard) -> None:
    """The standings as a table, or what to do where there are none."""
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
                row.candidate + ("\nactivations only" if row.evidence == "activations" else ""),
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
        "evidence": row.evidence,
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
