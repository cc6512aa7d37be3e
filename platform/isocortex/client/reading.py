"""The operations that read: models, benchmarks, scores, leaderboards, comparisons."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypeVar, Unpack

from pydantic import BaseModel

from .asking import (
    BoardAsked,
    BoardPageAsked,
    BoardSuffix,
    ModelPageAsked,
    ScorePageAsked,
    ScoresAsked,
    TableSuffix,
)
from .connecting import Call, Connection, in_path
from .schemas import (
    Axis,
    Benchmark,
    BenchmarkNode,
    BenchmarkVersion,
    Card,
    Comparison,
    Correlation,
    CorrelationList,
    Frozen,
    FrozenList,
    FrozenRequest,
    Health,
    Leaderboard,
    Model,
    ModelPage,
    ScorePage,
    ScoreWithParts,
    Term,
    TermList,
)
from .schemas import BenchmarkList as _BenchmarkList
from .schemas import BenchmarkTree as _BenchmarkTree
from .schemas import BenchmarkVersionList as _BenchmarkVersionList
from .schemas import CardList as _CardList

if TYPE_CHECKING:
    import xarray as xr

Schema = TypeVar("Schema", bound=BaseModel)


class Reading(Connection):
    """Reading what a server holds; with a token, also what is one's own."""

    def list_models(self, **asked: Unpack[ModelPageAsked]) -> ModelPage:
        """A page of models, scored or not: public ones, and one's own."""
        return self._read(ModelPage, "/models", asked)

    def get_model(self, name: str) -> Model:
        """A model with its card, versions and scores."""
        return self._read(Model, f"/models/{in_path(name)}")

    def list_components(self, axis: Axis) -> list[Term]:
        """The terms of one axis of the ontology, parents before children."""
        return self._read(TermList, f"/components/{axis}").items

    def list_benchmarks(self) -> list[Benchmark]:
        """All benchmarks by name, used or not."""
        return self._read(_BenchmarkList, "/benchmarks").items

    def get_benchmark(self, name: str) -> Benchmark:
        """A benchmark; its scores are `list_scores(benchmark=name)`."""
        return self._read(Benchmark, f"/benchmarks/{in_path(name)}")

    def get_benchmark_tree(self, *, simulated: bool = False) -> list[BenchmarkNode]:
        """The benchmarks that have scores, as a tree: dataset, region, scorer."""
        return self._read(_BenchmarkTree, "/benchmark-tree", {"simulated": simulated}).items

    def list_benchmark_versions(self, name: str) -> list[BenchmarkVersion]:
        """All versions of a benchmark that have scores; scores of different ones never mix."""
        return self._read(_BenchmarkVersionList, f"/benchmark-versions/{in_path(name)}").items

    def list_datasets(self) -> list[Card]:
        """The cards of all datasets: what was measured, by whom, under which licence."""
        return self._read(_CardList, "/datasets").items

    def list_scorers(self) -> list[Card]:
        """The cards of all scorers: how network and brain are compared."""
        return self._read(_CardList, "/scorers").items

    def correlate_benchmarks(self, benchmarks: Sequence[str]) -> list[Correlation]:
        """Whether two or more benchmarks rank models alike, each against those after it."""
        asked = {"benchmark": list(benchmarks)}
        return self._read(CorrelationList, "/correlations", asked).items

    def list_scores(self, **asked: Unpack[ScorePageAsked]) -> ScorePage:
        """A page of current scores, newest first by default."""
        return self._read(ScorePage, "/scores", asked)

    def get_score(self, score_id: int, *, model: str | None = None) -> ScoreWithParts:
        """A score with its layers, subjects and folds; name its `model` if it is unlisted."""
        return self._read(ScoreWithParts, f"/scores/{score_id}", {"model": model})

    def get_score_detail(
        self,
        score_id: int,
        suffix: Literal["nc", "safetensors"] = "nc",
        *,
        model: str | None = None,
    ) -> bytes:
        """The arrays behind a score as a file; `load_score_detail` opens it."""
        return self._file(f"/scores/{score_id}/detail.{suffix}", {"model": model})

    def load_score_detail(self, score_id: int, *, model: str | None = None) -> "xr.Dataset":
        """The arrays behind a score, in memory: layers, subjects, folds, resamples, neuroids."""
        import io

        import xarray as xr

        content = io.BytesIO(self.get_score_detail(score_id, model=model))
        return xr.load_dataset(content)

    def export_scores(self, suffix: TableSuffix, **asked: Unpack[ScoresAsked]) -> bytes:
        """All scores under these filters as a file."""
        return self._file(f"/scores.{suffix}", asked)

    def get_score_feed(self, **asked: Unpack[ScoresAsked]) -> str:
        """The newest 50 public scores as an Atom feed."""
        return self._file("/scores.atom", asked).decode()

    def get_leaderboard(self, **asked: Unpack[BoardPageAsked]) -> Leaderboard:
        """A page of models × benchmarks with means, ranks and their intervals."""
        return self._read(Leaderboard, "/leaderboard", asked)

    def whole_leaderboard(self, **asked: Unpack[BoardAsked]) -> Leaderboard:
        """The leaderboard with the rows of all its pages."""
        board = self.get_leaderboard(**asked, limit=500)
        rows, cursor = list(board.rows), board.next
        while cursor is not None:
            page = self.get_leaderboard(**asked, limit=500, cursor=cursor)
            rows, cursor = [*rows, *page.rows], page.next
        return board.model_copy(update={"rows": rows, "next": None})

    def export_leaderboard(self, suffix: BoardSuffix, **asked: Unpack[BoardAsked]) -> bytes:
        """The whole leaderboard as a file: a line for each score."""
        return self._file(f"/leaderboard.{suffix}", asked)

    def list_frozen_leaderboards(self) -> list[Frozen]:
        """The leaderboards that stay as they were, newest first."""
        return self._read(FrozenList, "/leaderboards").items

    def get_frozen_leaderboard(self, name: str) -> Frozen:
        """What a frozen leaderboard is made of; `get_leaderboard(frozen=name)` has its rows."""
        return self._read(Frozen, f"/leaderboards/{in_path(name, keep='')}")

    def freeze_leaderboard(self, wanted: FrozenRequest) -> Frozen:
        """The leaderboard as it is now, kept under a name; needs the scope `admin`."""
        return self._ask(Frozen, Call(method="POST", path="/leaderboards", body=wanted))

    def compare_models(self, models: Sequence[str], benchmarks: Sequence[str] = ()) -> Comparison:
        """How much better each model is than those after it, by equal resamples of both."""
        asked = {"model": list(models), "benchmark": list(benchmarks)}
        return self._read(Comparison, "/comparisons", asked)

    def get_health(self) -> Health:
        """Whether the server can read its store."""
        return self._read(Health, "/health")

    def get_metrics(self) -> str:
        """What the server counts, as Prometheus reads it."""
        return self._file("/metrics", {}).decode()

    def _read(self, schema: type[Schema], path: str, asked: object = None) -> Schema:
        query = dict(asked) if isinstance(asked, dict) else {}
        return self._ask(schema, Call(method="GET", path=path, query=query))

    def _file(self, path: str, asked: object) -> bytes:
        query = dict(asked) if isinstance(asked, dict) else {}
        call = Call(method="GET", path=path, query=query, headers={"Accept": "*/*"})
        return self._send(call).content
