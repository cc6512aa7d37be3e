"""The routes of the REST API: each parses, asks store or catalogue, and answers a schema."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request, Response

from isocortex import __version__, ontology
from isocortex.store import Store
from isocortex.store.opening import newest_revision

from . import answers, catalogue, schemas
from .filters import LeaderboardQuery, ScoreQuery
from .problems import RESPONSES

TAGS: Final = [
    {"name": "models", "description": "Networks that can be scored, and their components."},
    {"name": "benchmarks", "description": "Datasets, scorers and what they make together."},
    {"name": "scores", "description": "What benchmarks say of models."},
    {"name": "service", "description": "The service itself."},
]

router = APIRouter(prefix="/api/v1", responses=RESPONSES)


def opened_store(request: Request) -> Store:
    """The store of this application."""
    store: Store = request.app.state.store
    return store


Opened = Annotated[Store, Depends(opened_store)]
Limit = Annotated[int, Query(ge=1, le=500, description="How many at most.")]


@router.get("/models", operation_id="listModels", tags=["models"])
def list_models(
    request: Request,
    response: Response,
    store: Opened,
    limit: Limit = 100,
    cursor: Annotated[str, Query(description="`next` of the page before.")] = "",
) -> schemas.ModelPage:
    """All models by name, scored or not."""
    following = [one for one in catalogue.known_models(store).values() if one.name > cursor]
    last = following[limit - 1].name if len(following) > limit else None
    answers.link_next(request, response, cursor=last)
    return schemas.ModelPage(
        items=[answers.model_summary(one) for one in following[:limit]], next=last
    )


@router.get("/models/{name:path}", operation_id="getModel", tags=["models"])
def get_model(name: str, store: Opened) -> schemas.Model:
    """A model with its card, versions and scores; `#` in its name is written `%23`."""
    card, model = catalogue.find_model(store, name)
    return answers.model_answer(card, model)


@router.get("/components/{axis}", operation_id="listComponents", tags=["models"])
def list_components(axis: schemas.Axis) -> schemas.TermList:
    """The terms of one axis of the ontology: what a model may be made of."""
    return schemas.TermList.model_validate({"axis": axis, "items": ontology.terms(axis)})


@router.get("/benchmarks", operation_id="listBenchmarks", tags=["benchmarks"])
def list_benchmarks(store: Opened) -> schemas.BenchmarkList:
    """All benchmarks by name, used or not."""
    known = catalogue.known_benchmarks(store).values()
    return schemas.BenchmarkList(items=[answers.benchmark_answer(one) for one in known])


@router.get("/benchmarks/{name:path}", operation_id="getBenchmark", tags=["benchmarks"])
def get_benchmark(name: str, store: Opened) -> schemas.Benchmark:
    """A benchmark; its scores are at `/scores?benchmark=…`."""
    return answers.benchmark_answer(catalogue.find_benchmark(store, name))


@router.get("/datasets", operation_id="listDatasets", tags=["benchmarks"])
def list_datasets(store: Opened) -> schemas.CardList:
    """The cards of all datasets: what was measured, by whom, under which licence."""
    return answers.card_list(store, "dataset")


@router.get("/scorers", operation_id="listScorers", tags=["benchmarks"])
def list_scorers(store: Opened) -> schemas.CardList:
    """The cards of all scorers: how network and brain are compared."""
    return answers.card_list(store, "scorer")


@router.get("/scores", operation_id="listScores", tags=["scores"])
def list_scores(
    request: Request,
    response: Response,
    store: Opened,
    asked: Annotated[ScoreQuery, Query()],
) -> schemas.ScorePage:
    """Current scores of the versions scored last, newest first."""
    page = store.scores(
        candidate=asked.model, benchmark=asked.benchmark, after=asked.cursor, limit=asked.limit
    )
    answers.link_next(request, response, cursor=page.next)
    return schemas.ScorePage.model_validate({"items": page.scores, "next": page.next})


@router.get("/leaderboard", operation_id="getLeaderboard", tags=["scores"])
def get_leaderboard(
    request: Request,
    response: Response,
    store: Opened,
    selection: Annotated[LeaderboardQuery, Query()],
) -> schemas.Leaderboard:
    """Models × benchmarks with means, ranks and their intervals."""
    board = selection.board(store, simulated=selection.simulated)
    rows = board.rows[selection.offset : selection.offset + selection.limit]
    end = selection.offset + len(rows)
    answers.link_next(request, response, offset=end if end < len(board.rows) else None)
    return schemas.Leaderboard(
        simulated=board.simulated,
        benchmarks=[benchmark.name for benchmark in board.benchmarks],
        counted=list(board.counted),
        total=len(board.rows),
        data_version=board.data_version,
        rows=[answers.leaderboard_row(row) for row in rows],
    )


@router.get("/comparisons", operation_id="compareModels", tags=["scores"])
def compare_models(
    store: Opened,
    a: Annotated[str, Query(description="A model's name.")],
    b: Annotated[str, Query(description="Another model's name.")],
    benchmark: Annotated[str, Query(description="The benchmark's name.")],
) -> schemas.PairedDifference:
    """How much better `a` is than `b` on one benchmark, by equal resamples of both."""
    return schemas.PairedDifference.model_validate(store.paired_difference(a, b, benchmark))


@router.get("/health", operation_id="getHealth", tags=["service"])
def get_health(store: Opened) -> schemas.Health:
    """Whether the store can be read."""
    return schemas.Health(
        status="ok",
        version=__version__,
        schema_revision=newest_revision(),
        data_version=store.data_version(),
    )
