"""Scores: lists, one with its parts and arrays, files of them, and a feed of new ones."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path, Query, Request, Response

from isocortex.store import ScoreQuery, Store
from isocortex.store.listing import SORTED_BY, ScoreRows

from . import exports, feeds, schemas
from .cursors import Order, next_link, page_of
from .filters import LeaderboardFilters, ScoreFilters, ScorePageQuery, Text
from .origins import site_url
from .sparse import chosen_fields, sparse
from .viewing import Opened, Viewer, Warm, json_answer

router = APIRouter(tags=["scores"])

_SORTED_BY: Final = {name: name for name in SORTED_BY} | {
    "score": "value",
    "name": "candidate",
    "model": "candidate",
}
_LARGEST_ID: Final = 2**53
ScoreId = Annotated[int, Path(ge=1, le=_LARGEST_ID, description="The score's id.")]
OfModel = Annotated[
    Text | None, Query(description="Its model, without which that of an unlisted one is not found.")
]


@router.get(
    "/scores",
    operation_id="listScores",
    response_model=schemas.ScorePage,
    responses=exports.file_responses(*exports.ROWS, with_json=False),
)
async def list_scores(
    request: Request, store: Warm, viewer: Viewer, asked: Annotated[ScorePageQuery, Query()]
) -> Response:
    """Current scores of the versions scored last, newest first by default.

    With `Accept: text/csv` (or another format of `/scores.{suffix}`), all of them as a file.
    """
    found, order = _found(store, asked, viewer)
    if (suffix := exports.wanted_suffix(request, exports.ROWS)) is not None:
        return exports.scores_file(found, suffix)
    wanted = chosen_fields(asked.fields, schemas.Score)
    page = page_of(
        request,
        found,
        order,
        limit=asked.limit,
        key_at=lambda place: found.sorted_by(place, order.names),
    )
    items = sparse(found.fields(page.first, len(page.items)), wanted)
    return json_answer({"items": items, "next": page.next}, next_link(request, page.next))


@router.get(
    "/scores.atom",
    operation_id="getScoreFeed",
    response_class=Response,
    responses={200: {"description": "An Atom feed.", "content": {"application/atom+xml": {}}}},
)
def get_feed(request: Request, store: Opened, asked: Annotated[ScoreFilters, Query()]) -> Response:
    """The newest 50 public scores as an Atom feed."""
    found, _ = _found(store, asked.model_copy(update={"sort": "-id"}), None)
    text = feeds.atom(site_url(request), request.url.path, found[:50])
    return Response(text, media_type="application/atom+xml")


@router.get(
    "/scores.{suffix}",
    operation_id="exportScores",
    response_class=Response,
    responses=exports.file_responses(*exports.ROWS),
)
def export_scores(
    suffix: Literal["csv", "json", "ndjson", "parquet"],
    store: Opened,
    viewer: Viewer,
    asked: Annotated[ScoreFilters, Query()],
) -> Response:
    """All scores under the same filters as a file."""
    found, _ = _found(store, asked, viewer)
    return exports.scores_file(found, suffix)


@router.get(
    "/leaderboard.{suffix}",
    operation_id="exportLeaderboard",
    response_class=Response,
    responses=exports.file_responses(*exports.MEDIA_TYPES),
)
def export_leaderboard(
    suffix: exports.Suffix,
    store: Opened,
    viewer: Viewer,
    asked: Annotated[LeaderboardFilters, Query()],
) -> Response:
    """The whole leaderboard under the same filters as a file: a line for each score."""
    board = asked.board(store, viewer=viewer)
    return exports.leaderboard_file(board, suffix, models=[row.candidate for row in board.rows])


@router.get("/scores/{score_id}", operation_id="getScore")
def get_score(
    score_id: ScoreId, store: Opened, viewer: Viewer, model: OfModel = None
) -> schemas.ScoreWithParts:
    """A score with its layers, subjects and folds; also one that was replaced since."""
    score, parts = store.score(score_id, model=model, viewer=viewer)
    return schemas.ScoreWithParts.model_validate({**vars(score), "parts": parts})


@router.get(
    "/scores/{score_id}/detail.{suffix}",
    operation_id="getScoreDetail",
    response_class=Response,
    responses={
        200: {
            "description": "All arrays of the score, down to neuroids where it holds them.",
            "content": {
                "application/x-netcdf": {"schema": {"type": "string", "format": "binary"}},
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            },
        }
    },
)
def get_score_detail(
    score_id: ScoreId,
    suffix: Literal["nc", "safetensors"],
    store: Opened,
    viewer: Viewer,
    model: OfModel = None,
) -> Response:
    """The arrays behind a score as NetCDF or safetensors: layers, neuroids, resamples."""
    score, _ = store.score(score_id, model=model, viewer=viewer)
    headers = {"Content-Disposition": f'attachment; filename="score-{score_id}.{suffix}"'}
    if suffix == "safetensors":
        content = store.artifacts.read(score.detail)
        return Response(content, media_type="application/octet-stream", headers=headers)
    content = exports.netcdf(store.load_detail(score))
    return Response(content, media_type="application/x-netcdf", headers=headers)


def _found(store: Store, asked: ScoreFilters, viewer: int | None) -> tuple[ScoreRows, Order]:
    """The scores that are asked for, in their order. Raises UnknownNameError."""
    order = Order.parse(asked.sort, _SORTED_BY, "id")
    query = ScoreQuery(
        candidate=asked.model,
        benchmark=asked.benchmark,
        dataset=asked.dataset,
        criteria=asked.criteria(
            lambda: {one.name: one.card for one in store.models(viewer=viewer)}
        ),
        order=order.keys,
    )
    return store.score_list(query, viewer=viewer), order
