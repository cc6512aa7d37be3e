"""Which benchmarks are meant by what stands on the command line."""

from collections.abc import Iterable, Mapping, Sequence

import typer

from .. import registry
from ..benchmarks import (
    Benchmark,
    load_benchmark,
    load_dataset,
    offered_benchmarks,
    require_compatible,
    split_name,
)
from ..errors import FetchError, IncompatibleError, InputError, IsocortexError
from ..recordings import Recording
from ._output import print_note


def wanted_names(places: Sequence[str], scorers: Sequence[str]) -> tuple[str, ...]:
    """The names of benchmarks: those in `places`, or each scorer on each dataset or region there.

    Scorers without a place are meant for all recordings at hand, else for the simulated ones.
    """
    if not scorers:
        if not places:
            raise typer.BadParameter("name a benchmark with -b, or a scorer with --scorer")
        return expanded(places)
    at_hand = reachable_benchmarks() if not places else []
    here = [each.name.rpartition("/")[0] for each in at_hand]
    return expanded(
        f"{region}/{scorer}"
        for place in places or here or ["simulated"]
        for region in _regions(place)
        for scorer in scorers
    )


def _regions(place: str) -> list[str]:
    """`dataset/region` of a dataset, or of one region of it. Raises InputError for a benchmark."""
    if place.count("/") > 1:
        raise InputError(
            f"-b names the benchmark {place!r} and --scorer another scorer; with --scorer name a "
            "dataset or dataset/region"
        )
    if "/" in place:
        return [place]
    return [f"{place}/{region}" for region in registry.dataset_card(place).regions]


def without_misfits(
    errors: dict[str, IsocortexError], *, asked: Sequence[str]
) -> dict[str, IsocortexError]:
    """The errors but those of scorers that do not fit the model and were not asked for by name.

    These are said in one line for each reason.
    """
    misfits = {
        name: error
        for name, error in errors.items()
        if isinstance(error, IncompatibleError) and not any(name.endswith(f" {a}") for a in asked)
    }
    _print_misfits(misfits)
    return {name: error for name, error in errors.items() if name not in misfits}


def load_fitting(names: Iterable[str], *, asked: Sequence[str]) -> list[Benchmark]:
    """The benchmarks with their data, but those that were not asked for by name and whose scorer,
    splits or measurements the data do not allow; these are said in one line for each reason.

    Raises the first reason where nothing is left.
    """
    fitting: list[Benchmark] = []
    misfits: dict[str, IsocortexError] = {}
    recordings: dict[str, Recording] = {}
    for name in names:
        try:
            benchmark = _load(name, recordings)
            if name not in asked:
                _ = benchmark.splits, benchmark.brain
            fitting.append(benchmark)
        except (IncompatibleError, InputError) as error:
            if name in asked:
                raise
            misfits[name] = error
    if misfits and not fitting:
        raise next(iter(misfits.values()))
    _print_misfits(misfits)
    return fitting


def _print_misfits(misfits: Mapping[str, IsocortexError]) -> None:
    reasons: dict[str, list[str]] = {}
    for name, error in misfits.items():
        reasons.setdefault(str(error), []).append(name.rpartition("/")[2])
    for reason, scorers in reasons.items():
        print_note(f"left out {', '.join(dict.fromkeys(scorers))}: {reason}")


def expanded(names: Iterable[str]) -> tuple[str, ...]:
    """Benchmark names; a dataset stands for all it offers, `…/all` for every scorer that fits."""
    known = {entry.name for entry in registry.entries("dataset")}
    offered = offered_benchmarks()
    wanted: list[str] = []
    for name in names:
        stem, _, scorer = name.rpartition("/")
        if name in known:
            wanted += [each for each in offered if split_name(each)[0] == name]
        elif scorer == "all" and stem.partition("/")[0] in known:
            wanted += [f"{stem}/{scorer}" for scorer in _fitting(stem.partition("/")[0])]
        else:
            wanted.append(name)
    for name in wanted:
        split_name(name)
    return tuple(dict.fromkeys(wanted))


def _fitting(dataset: str) -> list[str]:
    """The scorers that accept what the dataset recorded; the others are said in one line."""
    recorded = registry.dataset_card(dataset).recorded
    cards = [registry.scorer_card(entry.name) for entry in registry.entries("scorer")]
    if others := [card.name for card in cards if recorded not in card.accepts]:
        print_note(f"left out {len(others)} scorers that do not take {recorded} ({dataset})")
    return [card.name for card in cards if recorded in card.accepts]


def load_benchmarks(names: Iterable[str]) -> list[Benchmark]:
    """The benchmarks with their data; those of one dataset share it."""
    recordings: dict[str, Recording] = {}
    return [_load(name, recordings) for name in names]


def _load(name: str, recordings: dict[str, Recording]) -> Benchmark:
    """The benchmark, its dataset taken from `recordings` or put there.

    What does not go together is refused before anything is fetched.
    """
    dataset, _, scorer = split_name(name)
    require_compatible(registry.dataset_card(dataset), registry.scorer_card(scorer))
    if dataset not in recordings:
        recordings[dataset] = load_dataset(dataset)
    return load_benchmark(name, recording=recordings[dataset])


def reachable_benchmarks() -> list[Benchmark]:
    """The benchmarks of recorded data that can be had here, without the variants of a dataset."""
    found: list[Benchmark] = []
    names = [name for name in offered_benchmarks(simulated=False) if ":" not in name]
    for dataset in dict.fromkeys(split_name(name)[0] for name in names):
        try:
            found += load_benchmarks(name for name in names if split_name(name)[0] == dataset)
        except FetchError as error:
            print_note(f"left out {dataset}: {error}")
    return found
