"""Datasets, scorers, and the benchmarks they make together."""

from typing import Annotated, Final

from fastapi import APIRouter, Query

from isocortex.agreements import agreement
from isocortex.errors import InputError

from . import answers, catalogue, schemas
from .filters import Text
from .viewing import Opened, Viewer

router = APIRouter(tags=["benchmarks"])

MOST_CORRELATED: Final = 12


@router.get("/benchmarks", operation_id="listBenchmarks")
def list_benchmarks(store: Opened, viewer: Viewer) -> schemas.BenchmarkList:
    """All benchmarks by name, used or not."""
    known = catalogue.known_benchmarks(store, viewer=viewer).values()
    return schemas.BenchmarkList(items=[answers.benchmark_answer(one) for one in known])


@router.get("/benchmark-tree", operation_id="getBenchmarkTree")
def get_benchmark_tree(
    store: Opened,
    viewer: Viewer,
    simulated: Annotated[bool, Query(description="Those on simulated data instead.")] = False,
) -> schemas.BenchmarkTree:
    """The benchmarks that have scores, as a tree: dataset, region, scorer."""
    used = [one for one in store.benchmarks(viewer=viewer) if one.simulated == simulated]
    return schemas.BenchmarkTree(items=answers.benchmark_tree(used))


@router.get("/benchmark-versions/{name:path}", operation_id="listBenchmarkVersions")
def list_benchmark_versions(
    name: str, store: Opened, viewer: Viewer
) -> schemas.BenchmarkVersionList:
    """All versions of a benchmark that have scores; scores of different versions never mix."""
    found = store.benchmark_versions(name, viewer=viewer)
    return schemas.BenchmarkVersionList.model_validate({"items": found})


@router.get("/benchmarks/{name:path}", operation_id="getBenchmark")
def get_benchmark(name: str, store: Opened, viewer: Viewer) -> schemas.Benchmark:
    """A benchmark; its scores, with their ceilings, are at `/scores?benchmark=…`."""
    return answers.benchmark_answer(catalogue.find_benchmark(store, name, viewer=viewer))


@router.get("/datasets", operation_id="listDatasets")
def list_datasets(store: Opened, viewer: Viewer) -> schemas.CardList:
    """The cards of all datasets: what was measured, by whom, under which licence."""
    return answers.card_list(store, "dataset", viewer)


@router.get("/scorers", operation_id="listScorers")
def list_scorers(store: Opened, viewer: Viewer) -> schemas.CardList:
    """The cards of all scorers: how network and brain are compared."""
    return answers.card_list(store, "scorer", viewer)


@router.get("/correlations", operation_id="correlateBenchmarks")
def correlate_benchmarks(
    store: Opened,
    viewer: Viewer,
    benchmark: Annotated[
        list[Text], Query(min_length=2, max_length=MOST_CORRELATED, description="Two or more.")
    ],
) -> schemas.CorrelationList:
    """Whether benchmarks rank models alike, with intervals from resampling the models."""
    if len(set(benchmark)) < len(benchmark):
        raise InputError("a benchmark is named twice; each is compared with the others once")
    table = store.score_table(benchmark, viewer=viewer)
    found = agreement(table.labelled())
    confidence = float(found.attrs["confidence"])
    return schemas.CorrelationList(
        items=[
            schemas.Correlation(
                a=benchmark[one],
                b=benchmark[other],
                models=int(found.candidates[one, other]),
                rho=_number(found.values[one, other]),
                low=_number(found.low.values[one, other]),
                high=_number(found.high.values[one, other]),
                confidence=confidence,
            )
            for one in range(len(benchmark))
            for other in range(one + 1, len(benchmark))
        ]
    )


def _number(value: float) -> float | None:
    return None if value != value else float(value)
