"""The pages: leaderboard, model, benchmarks, and the leaderboard as a file."""

from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from pydantic import BeforeValidator, Field

from isocortex import ontology
from isocortex.errors import UnknownNameError
from isocortex.store import Leaderboard, Store

from . import catalogue
from .api import Opened
from .drawing import Whisker
from .exports import leaderboard_csv
from .filters import LeaderboardFilters, none_if_empty
from .model_views import score_views
from .rendering import render
from .tables import AXIS_LABELS, BenchmarkRow, benchmark_rows, components, make_table

router = APIRouter(include_in_schema=False)


class PageFilters(LeaderboardFilters):
    """What the leaderboard's page is asked for."""

    data: Annotated[Literal["recorded", "simulated"] | None, BeforeValidator(none_if_empty)] = None
    dataset: Annotated[str | None, BeforeValidator(none_if_empty)] = None
    sort: str = "mean"
    page: int = Field(1, ge=1)

    def address(self, path: str = "/", **changes: object) -> str:
        """The address of this page with these changes; what is usual is left out."""
        asked = self.model_dump(exclude_defaults=True) | changes
        kept = {key: value for key, value in asked.items() if value not in (None, "", [])}
        return f"{path}?{urlencode(kept, doseq=True)}" if kept else path


Filters = Annotated[PageFilters, Query()]


@router.get("/")
def leaderboard(request: Request, store: Opened, filters: Filters) -> Response:
    """The leaderboard's page."""
    board = _board(store, filters)
    table = make_table(
        board,
        sort=filters.sort,
        page=filters.page,
        link=lambda sort: filters.address(sort=sort, page=None),
    )
    known = store.benchmarks()
    context = {
        "board": board,
        "table": table,
        "filters": filters,
        "axes": {axis: (label, ontology.terms(axis)) for axis, label in AXIS_LABELS.items()},
        "datasets": sorted({one.dataset for one in known if one.simulated == board.simulated}),
        "kinds": {one.simulated for one in known},
        "export": _export_address(filters, board),
        "example": Whisker(point=46, low=36, high=58, zero=0, ceiling_low=84, ceiling_high=100),
    }
    return render(request, "leaderboard.html", context)


@router.get("/leaderboard.csv")
def leaderboard_file(store: Opened, filters: Filters) -> Response:
    """The whole leaderboard under the same filters, as CSV."""
    text = leaderboard_csv(_board(store, filters))
    headers = {"Content-Disposition": 'attachment; filename="isocortex-leaderboard.csv"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/models/{name:path}")
def model(request: Request, name: str, store: Opened) -> Response:
    """A model's page."""
    card, found = catalogue.find_model(store, name)
    terms = list(zip(AXIS_LABELS.values(), components(card), strict=True))
    context = {
        "name": name,
        "card": card,
        "terms": terms,
        "model": found,
        "views": score_views(found, store.benchmarks()),
    }
    return render(request, "model.html", context)


@router.get("/benchmarks")
def benchmarks(request: Request, store: Opened) -> Response:
    """The list of all benchmarks, by dataset."""
    known = catalogue.known_benchmarks(store).values()
    cards = catalogue.known_cards(store, "dataset")
    whole = [name for name in cards if ":" not in name or name.partition(":")[0] not in cards]
    parts: dict[str, list[catalogue.KnownBenchmark]] = {name: [] for name in whole}
    own = {name: [one for one in known if one.dataset == name] for name in parts}
    for one in known:
        if one.dataset not in parts:  # such as `cowley2023:210325`, one session of a dataset
            parts[one.dataset.partition(":")[0]].append(one)
    context = {
        "cards": cards,
        "by_dataset": own,
        "parts": parts,
        "scorers": catalogue.known_cards(store, "scorer"),
    }
    return render(request, "benchmarks.html", context)


@router.get("/benchmarks/{name:path}")
def benchmark(request: Request, name: str, store: Opened) -> Response:
    """A benchmark's page: what it asks, and how the models answer."""
    one = catalogue.find_benchmark(store, name)
    rows: tuple[BenchmarkRow, ...] = ()
    if one.stored is not None:
        rows = benchmark_rows(store.leaderboard(simulated=one.simulated, benchmarks=[name]), name)
    context = {
        "benchmark": one,
        "dataset": catalogue.known_cards(store, "dataset")[one.dataset],
        "scorer": catalogue.known_cards(store, "scorer")[one.scorer],
        "rows": rows,
        "labels": AXIS_LABELS.values(),
    }
    return render(request, "benchmark.html", context)


def _export_address(filters: PageFilters, board: Leaderboard) -> str:
    """Where the API has this leaderboard."""
    names = [one.name for one in board.benchmarks] if filters.dataset else filters.benchmark
    asked = {**filters.components, "benchmark": names, "simulated": board.simulated or None}
    query = urlencode({key: value for key, value in asked.items() if value}, doseq=True)
    return f"/api/v1/leaderboard?{query}" if query else "/api/v1/leaderboard"


def _board(store: Store, filters: PageFilters) -> Leaderboard:
    """The leaderboard of recorded data; of simulated ones if asked for, or if there are no others.

    Raises UnknownNameError for a term, benchmark or dataset that is not there.
    """
    known = store.benchmarks()
    only_simulated = bool(known) and all(one.simulated for one in known)
    simulated = only_simulated if filters.data is None else filters.data == "simulated"
    names = filters.benchmark
    if filters.dataset is not None:
        datasets = {one.dataset for one in known if one.simulated == simulated}
        if filters.dataset not in datasets:
            raise UnknownNameError.among("scored dataset", filters.dataset, sorted(datasets))
        names = [one.name for one in known if one.dataset == filters.dataset]
    return store.leaderboard(simulated=simulated, benchmarks=names or None, **filters.components)
