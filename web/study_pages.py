"""The pages that hold scores against each other: models, benchmarks, and what goes with a score."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from isocortex.errors import UnknownNameError

from . import boards
from .comparing import MOST_MODELS, Comparison, compare
from .correlating import FEWEST, Agreement, agreement
from .exploring import MEAN, explore_charts, facets_of, points_of
from .matrix_views import COLOUR_BAR
from .pages import Asked
from .rendering import render
from .viewing import Opened, Viewer

router = APIRouter(include_in_schema=False)

Names = Annotated[list[str], Query(max_length=50)]


@router.get("/compare")
def compare_models(
    request: Request,
    store: Opened,
    query: Asked,
    viewer: Viewer,
    model: Names = [],  # noqa: B006 - never changed
    on: str = "",
) -> Response:
    """Two to six models beside each other; without models, the forms to choose by.

    Their matrices are of the benchmark `on`.
    """
    board = boards.read_board(store, query, viewer)
    names = list(dict.fromkeys(name for name in model if name))
    found: Comparison | None = None
    if len(names) > 1:
        found = compare(store, board, names, viewer=viewer, on=on)
    context = {
        "query": query,
        "board": board,
        "names": names,
        "most": MOST_MODELS,
        "comparison": found,
        "colour_bar": COLOUR_BAR,
        "families": sorted({one.dataset for one in board.benchmarks}),
    }
    return render(request, "compare.html", context)


@router.get("/compare/benchmarks")
def compare_benchmarks(request: Request, store: Opened, query: Asked, viewer: Viewer) -> Response:
    """One benchmark, `x`, against another, `y`, over the models that both have scored."""
    x, y = (request.query_params.get(name, "") for name in ("x", "y"))
    board = boards.read_board(store, query, viewer)
    known = [one.name for one in board.benchmarks]
    for name in (x, y):
        if name and name not in known:
            raise UnknownNameError.among("scored benchmark here", name, known)
    found: Agreement | None = agreement(board, x, y) if x and y else None
    context = {"query": query, "board": board, "x": x, "y": y, "found": found, "fewest": FEWEST}
    return render(request, "compare_benchmarks.html", context)


@router.get("/explore")
def explore(
    request: Request, store: Opened, query: Asked, viewer: Viewer, of: str = ""
) -> Response:
    """What goes with a high score: components, accuracy, plausibility, size, depth and time."""
    board = boards.searched(boards.read_board(store, query, viewer), query)
    of = of or MEAN
    points = points_of(board, of, store.models(viewer=viewer))
    label = "Mean score" if of == MEAN else of
    context = {
        "query": query,
        "board": board,
        "of": of,
        "points": points,
        "facets": facets_of(points),
        "charts": explore_charts(points, label),
    }
    return render(request, "explore.html", context)
