"""Who may see which candidates: what is public, and what is one's own.

A candidate without a row of `ownership` is nobody's, and public. Lists, leaderboards and counts
hold public candidates and the viewer's own. Whoever gives a name also sees what is `unlisted`; what
is `private` is its owner's alone, and for all others does not exist.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Connection, or_, select

from .schema import Candidate
from .service import Ownership

PUBLIC: Final = "public"
PRIVATE: Final = "private"
Owned = Mapping[int, tuple[int, str]]
"""Account and visibility by the id of the candidate."""


@dataclass(frozen=True)
class Sight:
    """One reader: `viewer` is an account's id, `names` are candidates that are asked for by name.

    >>> Sight(viewer=7).sees("mine", (7, "private")), Sight().sees("mine", (7, "private"))
    (True, False)
    """

    viewer: int | None = None
    names: tuple[str, ...] = ()

    def sees(self, name: str, owned: tuple[int, str] | None) -> bool:
        """Whether this reader may see a candidate of that owner and visibility."""
        if owned is None:
            return True
        owner, visibility = owned
        if visibility == PUBLIC or owner == self.viewer:
            return True
        return visibility != PRIVATE and name in self.names

    def condition(self) -> ColumnElement[bool]:
        """The same as a condition on rows of `candidate`."""
        hidden = Ownership.visibility != PUBLIC
        if self.viewer is not None:
            hidden &= Ownership.account_id != self.viewer
        withheld = Candidate.id.not_in(select(Ownership.candidate_id).where(hidden))
        if not self.names:
            return withheld
        private = Ownership.visibility == PRIVATE
        if self.viewer is not None:
            private &= Ownership.account_id != self.viewer
        secret = Candidate.id.not_in(select(Ownership.candidate_id).where(private))
        return or_(withheld, Candidate.name.in_(self.names) & secret)


def read_owned(connection: Connection) -> Owned:
    """Whose each candidate is that is somebody's."""
    query = select(Ownership.candidate_id, Ownership.account_id, Ownership.visibility)
    return {row[0]: (row[1], row[2]) for row in connection.execute(query)}
