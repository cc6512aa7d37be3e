"""Leaderboards, those that stay as they were, and comparisons of models."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response

from isocortex.errors import InputError, UnknownNameError
from isocortex.store import Leaderboard, LeaderboardRow, Selection
from isocortex.store.account_records import StoredAccount

from . import answers, exports, schemas
from .access import actor_of, require
from .cursors import Order, next_link, page_of
from .filters import LeaderboardQuery, Text
from .sparse import chosen_fields
from .viewing import Opened, Viewer, json_answer

router = APIRouter(tags=["scores"])

MOST_COMPARED: Final = 60
_BEST_FIRST: Final = Order((("mean", True), ("covered", True), ("name", False)))
Admin = Annotated[StoredAccount, Depends(require("admin"))]


@router.get(
    "/leaderboard",
    operation_id="getLeaderboard",
    response_model=schemas.Leaderboard,
    responses=exports.file_responses(*exports.MEDIA_TYPES, with_json=False),
)
def get_leaderboard(
    request: Request, store: Opened, viewer: Viewer, asked: Annotated[LeaderboardQuery, Query()]
) -> Response:
    """Models × benchmarks with means, ranks and their intervals.

    The intervals are paired: they use that all models saw the same stimuli. Those of very large
    leaderboards (over 20,000 scores) are not, and are wider. With `Accept: text/csv` (or another
    format of `/leaderboard.{suffix}`), the whole of it as a file.
    """
    board = asked.board(store, viewer=viewer)
    if (suffix := exports.wanted_suffix(request, tuple(exports.MEDIA_TYPES))) is not None:
        models = [row.candidate for row in board.rows]
        return exports.leaderboard_file(board, suffix, models=models)
    wanted = chosen_fields(asked.fields, schemas.LeaderboardRow)
    allowed = {name: name for name in ("mean", "name", "covered", "parameters")}
    allowed |= {one.name: one.name for one in board.benchmarks}
    usual = asked.sort in ("", "-mean")
    order = _BEST_FIRST if usual else Order.parse(asked.sort, allowed, "name")

    def key_of(row: LeaderboardRow) -> tuple[Any, ...]:
        return tuple(_sort_key(row, name) for name in order.names)

    ordered = order.sorted(board.rows, key_of)
    page = page_of(
        request, ordered, order, limit=asked.limit, key_at=lambda place: key_of(ordered[place])
    )
    rows = answers.leaderboard_rows(board, page.items, wanted)
    return json_answer(
        _about(board) | {"rows": rows, "next": page.next}, next_link(request, page.next)
    )


@router.get("/leaderboards", operation_id="listFrozenLeaderboards")
def list_frozen(store: Opened) -> schemas.FrozenList:
    """The leaderboards that were frozen: versions, weights and scores that stay."""
    return schemas.FrozenList.model_validate({"items": store.frozen_boards()})


@router.post("/leaderboards", operation_id="freezeLeaderboard", status_code=201)
def freeze_leaderboard(
    request: Request, store: Opened, account: Admin, wanted: schemas.FrozenRequest
) -> schemas.Frozen:
    """Keep the leaderboard as it is now, under a name; needs the scope `admin`."""
    selection = Selection(
        simulated=wanted.simulated,
        benchmarks=None if wanted.benchmarks is None else tuple(sorted(set(wanted.benchmarks))),
        weights=tuple(wanted.weights.items()),
    )
    found = store.freeze(wanted.name, wanted.summary, selection)
    address = actor_of(request).address
    store.accounts.audit("freeze leaderboard", found.name, account_id=account.id, address=address)
    return schemas.Frozen.model_validate(found)


@router.get("/leaderboards/{name}", operation_id="getFrozenLeaderboard")
def get_frozen(name: str, store: Opened) -> schemas.Frozen:
    """What a frozen leaderboard is made of; `/leaderboard?frozen=…` has its rows."""
    return schemas.Frozen.model_validate(store.frozen(name))


@router.get("/comparisons", operation_id="compareModels")
def compare_models(
    store: Opened,
    viewer: Viewer,
    model: Annotated[list[Text], Query(min_length=2, max_length=6, description="2 to 6 models.")],
    benchmark: Annotated[
        list[Text],
        Query(
            max_length=MOST_COMPARED,
            description="On these benchmarks; by default on all that have scored all models.",
        ),
    ] = [],  # noqa: B006 - never changed
) -> schemas.Comparison:
    """How much better each model is than those after it, by equal resamples of both.

    `low` and `high` hold by themselves, the joint interval and `p` for all pairs and benchmarks.
    """
    if len(set(model)) < len(model) or len(set(benchmark)) < len(benchmark):
        raise InputError("a model or benchmark is named twice; name each once")
    names = benchmark or _shared_benchmarks(store, model, viewer)
    if not names:
        raise UnknownNameError(f"no benchmark has scored all of {', '.join(model)}")
    if len(names) > MOST_COMPARED:
        raise InputError(f"they share {len(names)} benchmarks; name {MOST_COMPARED} at most")
    pairs = store.comparison(model, names, viewer=viewer)
    return schemas.Comparison.model_validate({"models": model, "benchmarks": names, "pairs": pairs})


def _shared_benchmarks(store: Opened, models: list[str], viewer: int | None) -> list[str]:
    found = [store.model(name, viewer=viewer).scores for name in models]
    shared = set.intersection(*({score.benchmark for score in scores} for scores in found))
    return sorted(shared)


def _about(board: Leaderboard) -> dict[str, Any]:
    return {
        "simulated": board.simulated,
        "benchmarks": [one.name for one in board.benchmarks],
        "counted": board.counted,
        "weights": board.weights,
        "total": len(board.rows),
        "data_version": board.data_version,
    }


def _sort_key(row: LeaderboardRow, name: str) -> Any:
    if name == "mean":
        return None if row.standing is None else row.standing.mean
    if name in ("name", "covered", "parameters"):
        return getattr(row, "candidate" if name == "name" else name)
    score = row.scores.get(name)
    if score is None:
        return None
    return score.raw if score.value is None else score.value
