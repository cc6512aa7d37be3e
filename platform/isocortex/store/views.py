"""What one reader sees of all scores: those that count, by the versions that were scored last.

Only scores of the version of each candidate and benchmark that was scored last count: versions
never mix. What is hidden from the reader takes no part in deciding which that is, so that each
reader sees the newest version that is shown to them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from .columns import Column, Columns, Positions
from .records import StoredBenchmark, StoredCandidate, StoredScore
from .sight import Ids, Sight
from .submitted import worded


@dataclass(frozen=True, eq=False)
class View:
    """The scores of `columns` that count for a reader; `rows` are their positions, by id.

    `benchmark_versions` are fingerprints to use instead of those that were scored last.
    """

    columns: Columns = field(repr=False)
    sight: Sight
    benchmark_versions: tuple[str, ...] | None = None

    @cached_property
    def rows(self) -> Positions:
        """The positions of the scores that count."""
        candidate, benchmark = self._column("candidate"), self._column("benchmark")
        counting = self._is_last(candidate, self._candidate_names)
        if self.benchmark_versions is None:
            counting &= self._is_last(benchmark, self._benchmark_names)
        else:
            fixed = [one.fingerprint in self.benchmark_versions for one in self.columns.benchmarks]
            counting &= np.array(fixed, bool)[benchmark]
        return self._seen[counting]

    @cached_property
    def candidates(self) -> Mapping[str, StoredCandidate]:
        """The version of each candidate that was scored last, by name."""
        latest = {one.name: one for one in reversed(self.versions())}
        return dict(sorted(latest.items()))

    @cached_property
    def benchmarks(self) -> Mapping[str, StoredBenchmark]:
        """The version of each benchmark that was used last, by name, with its candidates."""
        used, counts = np.unique(self.columns.scores["benchmark"][self.rows], return_counts=True)
        count_of = dict(zip(used.tolist(), counts.tolist(), strict=True))
        last = set(self._column("benchmark")[self._last_of(self._benchmark_names)].tolist())
        found = (
            replace(self.columns.benchmarks[place], candidates=count_of.get(place, 0))
            for place in (last if self.benchmark_versions is None else set(used.tolist()))
        )
        return {one.name: one for one in sorted(found, key=lambda one: one.name)}

    def versions(self, name: str | None = None) -> tuple[StoredCandidate, ...]:
        """The versions with scores, scored last first; all, or those of one candidate."""
        candidate = self._column("candidate")
        used, last, counts = _last_and_counts(candidate)
        order = np.argsort(-last)
        found = (
            replace(self._candidates[used[place]], scores=int(counts[place])) for place in order
        )
        return tuple(one for one in found if name is None or one.name == name)

    def benchmark_versions_of(self, name: str) -> tuple[StoredBenchmark, ...]:
        """The versions of a benchmark with scores that are seen, that used last first."""
        used, last, counts = _last_and_counts(self._column("benchmark"))
        found = (
            replace(self.columns.benchmarks[used[place]], candidates=int(counts[place]))
            for place in np.argsort(-last)
        )
        return tuple(one for one in found if one.name == name)

    def scores(self, rows: Positions) -> Iterator[StoredScore]:
        """The scores at these positions, as records."""
        return (StoredScore(**fields) for fields in self.columns.fields(rows))

    def of_candidates(self, names: Iterable[str]) -> npt.NDArray[np.bool_]:
        """Which of `rows` are scores of these candidates."""
        return self._among("candidate", self.columns.candidates, names)

    def of_benchmarks(self, names: Iterable[str]) -> npt.NDArray[np.bool_]:
        """Which of `rows` are scores on these benchmarks."""
        return self._among("benchmark", self.columns.benchmarks, names)

    def _among(
        self, kind: str, versions: tuple[Any, ...], names: Iterable[str]
    ) -> npt.NDArray[np.bool_]:
        wanted = set(names)
        among = np.array([one.name in wanted for one in versions], bool)
        return np.asarray(among[self.columns.scores[kind][self.rows]], bool)

    @cached_property
    def _seen(self) -> Positions:
        """The positions of all scores that the reader may see, of whatever version."""
        seen = np.ones(len(self.columns.scores["id"]), bool)
        seen[self.columns.owned_places[0]] = False
        seen[self._shared[0]] = True
        return np.flatnonzero(seen)

    @cached_property
    def _shared(self) -> tuple[Positions, Ids]:
        """Where scores lie that count for submissions which the reader sees, and these."""
        places, submissions = self.columns.owned_places
        owners = self.columns.owned.owners
        seen = [number for number, owner in owners.items() if self.sight.sees(owner)]
        kept = np.isin(submissions, np.array(seen, np.int64))
        return places[kept], submissions[kept]

    @cached_property
    def _candidates(self) -> Sequence[StoredCandidate]:
        """All versions, each in the words of its newest submission that the reader sees."""
        places, submissions = self._shared
        found, owners = list(self.columns.candidates), self.columns.owned.owners
        newest = np.full(len(found), -1)
        np.maximum.at(newest, self.columns.scores["candidate"][places], submissions)
        for place in np.flatnonzero(newest >= 0):
            one = found[place]
            found[place] = replace(one, card=worded(one.card, owners[int(newest[place])].card))
        return found

    def _column(self, name: str) -> Column:
        return self.columns.scores[name][self._seen]

    @cached_property
    def _candidate_names(self) -> Positions:
        return _owners(self.columns.candidates, self._column("candidate"))

    @cached_property
    def _benchmark_names(self) -> Positions:
        return _owners(self.columns.benchmarks, self._column("benchmark"))

    def _last_of(self, owners: Positions) -> Positions:
        """The place of the newest score of each owner, among those that are seen."""
        _, first = np.unique(owners[::-1], return_index=True)
        return np.asarray(len(owners) - 1 - first)

    def _is_last(self, version: Column, owners: Positions) -> npt.NDArray[np.bool_]:
        """Whether each score is of the version of its owner to which the newest score belongs."""
        last = np.full(owners.max(initial=-1) + 1, -1)
        places = self._last_of(owners)
        last[owners[places]] = version[places]
        return np.asarray(version == last[owners])


def _owners(versions: tuple[Any, ...], positions: Column) -> Positions:
    """A number for the name of the version at each position."""
    numbers: dict[str, int] = {}
    by_version = [numbers.setdefault(one.name, len(numbers)) for one in versions]
    return np.array(by_version, np.intp)[positions]


def _last_and_counts(positions: Column) -> tuple[Column, Column, Column]:
    """The positions that occur, where each occurs last, and how often."""
    used, first, counts = np.unique(positions[::-1], return_index=True, return_counts=True)
    return used, len(positions) - 1 - first, counts
