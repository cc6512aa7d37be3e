"""New scores as an Atom feed (RFC 4287)."""

from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

from isocortex.store import StoredScore

_NEVER = datetime(2026, 1, 1, tzinfo=UTC)


def atom(base: str, path: str, scores: Sequence[StoredScore]) -> str:
    """The feed of these scores; `base` is the address of the site, `path` that of the feed."""
    address = f"{base.rstrip('/')}{path}"
    updated = max((score.scored_at for score in scores), default=_NEVER)
    entries = "".join(_entry(base.rstrip("/"), score) for score in scores)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">'
        f"<title>isocortex: new scores</title><id>{escape(address)}</id>"
        f'<link rel="self" href={quoteattr(address)}/>'
        f"<updated>{updated.isoformat()}</updated><author><name>isocortex</name></author>"
        f"{entries}</feed>\n"
    )


def _entry(base: str, score: StoredScore) -> str:
    value = "no ceiling" if score.value is None else f"{score.value:.3f} of the ceiling"
    text = f"raw {score.raw:.3f} [{score.low:.3f}, {score.high:.3f}], {value}, layer {score.layer}"
    link = f"{base}/models/{quote(score.candidate, safe='/')}"
    return (
        f"<entry><title>{_text(score.candidate)} on {_text(score.benchmark)}</title>"
        f"<id>{escape(base)}/api/v1/scores/{score.id}</id><link href={quoteattr(link)}/>"
        f"<updated>{score.scored_at.isoformat()}</updated><summary>{_text(text)}</summary></entry>"
    )


def _text(text: str) -> str:
    """Text as XML can hold it: without control characters."""
    return escape("".join(letter for letter in text if letter >= " "))
