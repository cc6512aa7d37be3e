"""Who may see which scores: whoever may see a submission that the score counts for.

Each version of a model is a submission, and each is shown as it says itself, not as others do:

    submission                 its owner   who gives its model's name   everybody, in lists
    public                     yes         yes                          yes
    unlisted                   yes         yes, while no version of     no
                                           that name is public
    private, or withdrawn      yes         no                           no

A score of no submission is the operator's own, and public. One of several submissions (the very
same version was handed in twice) is seen by whoever sees one of them. Models, versions, benchmarks
and counts are those of the scores that are seen; a card is in the words of the newest submission
that is. What is not seen does not exist.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sqlalchemy import ColumnElement, Connection, Row, Select, and_, exists, func, or_, select
from sqlalchemy.orm import aliased

from .schema import Score
from .service import Ownership, Submission
from .submitted import Visibility

PUBLIC: Final = "public"
UNLISTED: Final = "unlisted"
PRIVATE: Final = "private"
Ids = npt.NDArray[np.int64]

_PAIR: Final = ("id", "score_id", "submission_id")


@dataclass(frozen=True)
class Owner:
    """A submission that has scores. `visibility` is `private` for what was withdrawn, and for what
    is unlisted under a name that a public version gives away."""

    account_id: int
    model: str
    visibility: Visibility
    card: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, eq=False)
class Owned:
    """Which scores count for which submissions, and these submissions by id.

    `pairs` are rows of three ids: of the pair itself, of a score and of a submission.
    """

    owners: Mapping[int, Owner] = field(repr=False)
    pairs: Ids = field(repr=False)


@dataclass(frozen=True)
class Sight:
    """One reader: `viewer` is an account's id, `names` are candidates that are asked for by name.

    >>> mine = Owner(7, "ann/mine", "private")
    >>> Sight(viewer=7).sees(mine), Sight(names=("ann/mine",)).sees(mine)
    (True, False)
    """

    viewer: int | None = None
    names: tuple[str, ...] = ()

    def sees(self, owner: Owner) -> bool:
        """Whether this reader may see the scores of that submission."""
        if owner.visibility == PUBLIC or owner.account_id == self.viewer:
            return True
        return owner.visibility == UNLISTED and owner.model in self.names

    def of_submissions(self) -> ColumnElement[bool]:
        """The same as a condition on rows of `submission`."""
        live = Submission.withdrawn_at.is_(None)
        seen = [and_(live, Submission.visibility == PUBLIC)]
        if self.viewer is not None:
            seen.append(Submission.account_id == self.viewer)
        if self.names:
            named = Submission.model.in_(self.names) & Submission.model.not_in(_listed_names())
            seen.append(and_(live, Submission.visibility == UNLISTED, named))
        return or_(*seen)

    def of_scores(self) -> ColumnElement[bool]:
        """The condition on rows of `score` of being seen; true where there is none."""
        owned = exists().where(Ownership.score_id == Score.id)
        seen = exists().where(
            Ownership.score_id == Score.id,
            Submission.id == Ownership.submission_id,
            self.of_submissions(),
        )
        return or_(~owned, seen)


def read_owned(connection: Connection, before: Owned | None = None) -> Owned:
    """Which scores count for submissions, and how each of these is shown now.

    Of the pairs, only those that are new since `before` are read.
    """
    return Owned(owners=_read_owners(connection), pairs=_read_pairs(connection, before))


def _read_pairs(connection: Connection, before: Owned | None) -> Ids:
    query = select(*(Ownership.__table__.c[name] for name in _PAIR)).order_by(Ownership.id)
    if before is not None and len(before.pairs):
        newer = connection.execute(query.where(Ownership.id > int(before.pairs[-1, 0])))
        pairs = np.concatenate([before.pairs, _as_pairs(newer.all())])
        if len(pairs) == connection.scalar(select(func.count(Ownership.id))):
            return pairs
        # Two processes committed in another order than that of their ids, or rows are gone.
    return _as_pairs(connection.execute(query).all())


def _as_pairs(rows: Sequence[Any]) -> Ids:
    columns = list(zip(*rows, strict=True)) or [()] * len(_PAIR)
    return np.array(columns, np.int64).T


def _read_owners(connection: Connection) -> dict[int, Owner]:
    table = Submission
    facts = (table.account_id, table.model, table.visibility, table.withdrawn_at, table.card)
    query = select(table.id, *facts).where(exists().where(Ownership.submission_id == table.id))
    rows = connection.execute(query).all()
    listed = {row.model for row in rows if row.withdrawn_at is None and row.visibility == PUBLIC}
    return {row.id: Owner(row.account_id, row.model, _shown(row, listed), row.card) for row in rows}


def _shown(submission: Row[Any], listed: Collection[str]) -> Visibility:
    hidden = submission.visibility == UNLISTED and submission.model in listed
    if submission.withdrawn_at is not None or hidden:
        return PRIVATE
    shown: Visibility = submission.visibility
    return shown


def _listed_names() -> Select[str]:
    """The names that lists give away: those of models with a public version that has scores."""
    other = aliased(Submission)
    return select(other.model).where(
        other.visibility == PUBLIC,
        other.withdrawn_at.is_(None),
        exists().where(Ownership.submission_id == other.id),
    )
