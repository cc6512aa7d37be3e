"""What readers ask of all scores: lists, leaderboards and pages, kept until the data change."""

from functools import lru_cache
from typing import Final

from sqlalchemy import Engine

from .artifacts import Artifacts
from .columns import Columns, read_columns
from .leaderboards import Selection, build_leaderboard
from .listing import ScoreQuery, ScoreRows, listed_scores
from .opening import reading as transaction
from .ranking import Draws
from .records import Leaderboard
from .remembering import Remembered
from .sight import PUBLIC, UNLISTED, Sight
from .views import View
from .watching import VersionWatch

_KEPT_DRAWS: Final = 20_000
_KEPT_LEADERBOARDS: Final = 32
_KEPT_VIEWS: Final = 16
_KEPT_LISTS: Final = 32
_KEPT_MOMENTS: Final = 3


class Browsing:
    """All scores as each reader may see them."""

    def __init__(self, engine: Engine, artifacts: Artifacts) -> None:
        self._engine = engine
        self._artifacts = artifacts
        self.watch = VersionWatch(engine)
        self._current: Columns | None = None
        self._columns = Remembered[Columns](_KEPT_MOMENTS)
        self._views = Remembered[View](_KEPT_VIEWS)
        self._boards = Remembered[Leaderboard](_KEPT_LEADERBOARDS)
        self._lists = Remembered[ScoreRows](_KEPT_LISTS)
        self._draws = lru_cache(_KEPT_DRAWS)(self._read_draws)

    def data_version(self) -> str:
        """A string that changes with every committed score and every change of who may see it."""
        return self.watch.version()

    @property
    def is_warm(self) -> bool:
        """Whether all scores of this moment lie in memory, so that a list takes milliseconds."""
        return self.watch.is_quick and self._columns.state == self.data_version()

    def view(
        self,
        sight: Sight,
        *,
        last_score: int | None = None,
        versions: tuple[str, ...] | None = None,
    ) -> View:
        """What this reader sees now, or saw when `last_score` was the newest score.

        `versions` are fingerprints of benchmarks to use in place of those that were scored last.
        """
        return self._view(self.data_version(), sight, (last_score, versions))

    def leaderboard(self, selection: Selection, *, viewer: int | None) -> Leaderboard:
        """The leaderboard of this selection as this viewer sees it."""
        state = self.data_version()
        view = self._view(state, Sight(viewer), (selection.last_score, selection.versions))

        def build() -> Leaderboard:
            return build_leaderboard(view, selection, lambda score: self._draws(score.detail))

        return self._boards.get(state, (selection, view.sight), build)

    def scores(self, query: ScoreQuery, *, viewer: int | None) -> ScoreRows:
        """The scores that are asked for, as this viewer sees them, in their order."""
        state = self.data_version()
        names = () if query.candidate is None else (query.candidate,)
        view = self._view(state, Sight(viewer, names), (None, None))
        return self._lists.get(state, (query, view.sight), lambda: listed_scores(view, query))

    def _view(
        self, state: str, sight: Sight, moment: tuple[int | None, tuple[str, ...] | None]
    ) -> View:
        last_score, versions = moment
        columns = self._columns.get(state, last_score, lambda: self._read_columns(last_score))
        seen = _simplest(sight, columns)
        return self._views.get(state, (seen, moment), lambda: View(columns, seen, versions))

    def _read_columns(self, last_score: int | None) -> Columns:
        with transaction(self._engine) as connection:
            if last_score is not None:
                return read_columns(connection, last=last_score, before=self._current)
            self._current = read_columns(connection, before=self._current)
            return self._current

    def _read_draws(self, detail: str) -> Draws | None:
        return self._artifacts.load_array(detail, "resampled_raw")


def _simplest(sight: Sight, columns: Columns) -> Sight:
    """A sight that sees the same: most readers see what everybody sees, and share what is kept."""
    hidden = [one for one in columns.owned.owners.values() if one.visibility != PUBLIC]
    viewer = sight.viewer if sight.viewer in {one.account_id for one in hidden} else None
    unlisted = {one.model for one in hidden if one.visibility == UNLISTED}
    return Sight(viewer, tuple(sorted(set(sight.names) & unlisted)))
