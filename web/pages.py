"""The pages of leaderboard, models and benchmarks, and the leaderboard as a file."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from isocortex.errors import UnknownNameError
from isocortex.matrices import read_matrix

from . import boards, catalogue, exports, trees
from .badges import badge_text, badge_widths
from .benchmark_views import benchmark_view
from .boards import BoardQuery
from .columns import AXIS_LABELS
from .drawing import Whisker
from .images import heat_png
from .matrix_views import kept_matrix, percentiles
from .model_views import model_view
from .plausibility import STATEMENTS
from .rendering import render
from .scores_api import OfModel, ScoreId
from .tables import BenchmarkRow, benchmark_rows, components, make_table
from .viewing import Opened, Viewer

router = APIRouter(include_in_schema=False)

Asked = Annotated[BoardQuery, Depends(boards.asked)]


@router.get("/")
def leaderboard(request: Request, store: Opened, query: Asked, viewer: Viewer) -> Response:
    """The leaderboard's page; an address that a form made is answered by the shorter one."""
    if boards.is_untidy(request) and "hx-request" not in request.headers:
        return RedirectResponse(query.address(), status_code=303)
    board = boards.read_board(store, query, viewer)
    known = store.benchmarks(viewer=viewer)
    found = [one for one in known if one.simulated == board.simulated]
    left_out = boards.left_out_nodes(query, found, known)
    context = {
        "board": board,
        "table": make_table(board, query),
        "query": query,
        "tree": trees.benchmark_tree(found, left_out, query.weights),
        "known": found,
        "axes": {axis: (AXIS_LABELS[axis], boards.axis_terms()[axis]) for axis in AXIS_LABELS},
        "statements": STATEMENTS,
        "kinds": {one.simulated for one in known},
        "both_kinds_of_evidence": len({one.evidence for one in store.models(viewer=viewer)}) > 1,
        "frozen": store.frozen_boards(),
        "example": Whisker(point=46, low=36, high=58, zero=0, ceiling_low=84, ceiling_high=100),
    }
    answer = render(request, "leaderboard.html", context)
    answer.headers["HX-Push-Url"] = query.address()
    return answer


@router.get("/leaderboard.{suffix}")
def leaderboard_file(
    store: Opened, query: Asked, viewer: Viewer, suffix: Literal["csv", "json", "bib"]
) -> Response:
    """The whole leaderboard under the same filters as a file, or what to cite for it."""
    board = boards.searched(boards.read_board(store, query, viewer), query)
    models = [row.candidate for row in board.rows]
    return exports.leaderboard_file(board, suffix, models=models)


@router.get("/embed")
def embedded(
    request: Request, store: Opened, query: Asked, rows: Annotated[int, Query(ge=1, le=50)] = 10
) -> Response:
    """The first rows of the leaderboard as a page that others may frame."""
    board = boards.read_board(store, query)
    found = [row for row in board.rows if boards.matches(row, query)]
    context = {"board": board, "rows": found[:rows], "total": len(found), "query": query}
    return render(request, "embed.html", context)


@router.get("/badges/{name:path}.svg")
def badge(request: Request, name: str, store: Opened, query: Asked) -> Response:
    """A model's mean and rank as a picture."""
    catalogue.find_model(store, name)
    board = boards.read_board(store, query)
    found = next((row for row in board.rows if row.candidate == name), None)
    ranked = sum(row.standing is not None for row in board.rows)
    text = badge_text(found, ranked)
    left, right = badge_widths(text)
    context = {"text": text, "left": left, "right": right, "width": round(left + right, 1)}
    return render(request, "badge.html", context, media_type="image/svg+xml")


@router.get("/models/{name:path}")
def model(request: Request, name: str, store: Opened, viewer: Viewer, on: str = "") -> Response:
    """A model's page; its matrix is of the benchmark `on`."""
    card, found = catalogue.find_model(store, name, viewer=viewer)
    terms = list(zip(AXIS_LABELS.values(), components(card), strict=True))
    context = {"name": name, "card": card, "terms": terms, "model": found}
    view = model_view(store, card, found, viewer=viewer, on=on)
    return render(request, "model.html", context | view)


@router.get("/benchmarks")
def benchmarks(request: Request, store: Opened, viewer: Viewer) -> Response:
    """The list of all benchmarks, by dataset."""
    known = catalogue.known_benchmarks(store, viewer=viewer).values()
    cards = catalogue.known_cards(store, "dataset", viewer=viewer)
    whole = [name for name in cards if ":" not in name or name.partition(":")[0] not in cards]
    parts: dict[str, list[catalogue.KnownBenchmark]] = {name: [] for name in whole}
    own = {name: [one for one in known if one.dataset == name] for name in parts}
    for one in known:
        if one.dataset not in parts:  # such as `cowley2023:210325`, one session of a dataset
            parts[one.dataset.partition(":")[0]].append(one)
    context = {"cards": cards, "by_dataset": own, "parts": parts}
    return render(request, "benchmarks.html", context)


@router.get("/benchmarks/{name:path}")
def benchmark(request: Request, name: str, store: Opened, viewer: Viewer) -> Response:
    """A benchmark's page: what it asks, and how the models answer."""
    one = catalogue.find_benchmark(store, name, viewer=viewer)
    rows: tuple[BenchmarkRow, ...] = ()
    if one.stored is not None:
        board = store.leaderboard(simulated=one.simulated, benchmarks=[name], viewer=viewer)
        rows = benchmark_rows(board, name)
    context = {
        "benchmark": one,
        "dataset": catalogue.known_cards(store, "dataset", viewer=viewer)[one.dataset],
        "scorer": catalogue.known_cards(store, "scorer", viewer=viewer)[one.scorer],
        "rows": rows,
        "labels": AXIS_LABELS.values(),
    }
    return render(request, "benchmark.html", context | benchmark_view(store, one, rows))


@router.get("/matrices/{dataset}/{region}.png")
def matrix(dataset: str, region: str, ranks: bool = False) -> Response:
    """The dissimilarity matrix of a dataset's region as a picture, if it was made here.

    With `ranks`, by the ranks of its dissimilarities.
    """
    found = read_matrix(dataset, region)
    if found is None:
        raise UnknownNameError(
            f"the matrix of {dataset}/{region} was not made here: isocortex matrices {dataset}"
        )
    values = percentiles(found.values) if ranks else found.values
    return Response(heat_png(values), media_type="image/png")


@router.get("/matrices/{score_id}.png")
def layer_matrix(
    score_id: ScoreId, store: Opened, viewer: Viewer, model: OfModel = None
) -> Response:
    """The dissimilarity matrix of the layer that a score reports, by ranks, as a picture."""
    score, _ = store.score(score_id, model=model, viewer=viewer)
    found = kept_matrix(store, score)
    if found is None:
        raise UnknownNameError(f"the score {score_id} keeps no matrix: score again with --force")
    return Response(heat_png(percentiles(found.values)), media_type="image/png")


@router.get("/measures")
def measures(request: Request, store: Opened) -> Response:
    """What the scores are, and every measure with its claims."""
    cards = catalogue.known_cards(store, "scorer")
    used = {one.scorer for one in store.benchmarks()}
    context = {
        "families": {
            kind: {name: card for name, card in cards.items() if card["family"] == kind}
            for kind in ("similarity", "encoding")
        },
        "used": used,
    }
    return render(request, "measures.html", context)
