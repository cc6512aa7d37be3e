"""Which submissions a score counts for, each function within one transaction of its caller."""

from sqlalchemy import Connection, exists, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from .schema import Score
from .service import Ownership, Submission


def is_owned(connection: Connection, score_id: int) -> bool:
    """Whether a score counts for a submission; if for none, it is nobody's, and public."""
    return bool(connection.scalar(select(exists().where(Ownership.score_id == score_id))))


def own(connection: Connection, score_id: int, submission_id: int) -> None:
    """Let a score count for a submission, as it may already."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    made = dialect.insert(Ownership).values(score_id=score_id, submission_id=submission_id)
    connection.execute(made.on_conflict_do_nothing())


def hand_on(connection: Connection, former: int, score_id: int) -> None:
    """Let a new score count for all submissions of the score of the same versions before it."""
    theirs = select(Ownership.submission_id).where(Ownership.score_id == former)
    rows = [{"score_id": score_id, "submission_id": each} for each in connection.scalars(theirs)]
    if rows:
        connection.execute(insert(Ownership), rows)


def retire_scores(connection: Connection, submission_id: int) -> None:
    """Let the scores of a withdrawn submission count no more, but for those of a live one, too."""
    own_scores = select(Ownership.score_id).where(Ownership.submission_id == submission_id)
    needed = (
        exists()
        .where(Ownership.score_id == Score.id, Submission.id == Ownership.submission_id)
        .where(Submission.withdrawn_at.is_(None))
    )
    retired = update(Score).where(Score.id.in_(own_scores), Score.is_current, ~needed)
    connection.execute(retired.values(is_current=False))
