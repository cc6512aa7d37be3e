"""Scores: what one benchmark says of one candidate, with ceiling, interval and all its detail."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import xarray as xr

ALL_LAYERS: Final = "all layers"
"""The name under which a fit of all layers together is reported."""


@dataclass(frozen=True)
class Ceiling:
    """What the best possible model would reach, given the noise of the recordings.

    `lower` is what one part of the data says of the rest (leave-one-out), `upper` what the data
    say of themselves (including self, or corrected for their noise). Same scale as the raw score.
    """

    lower: float
    upper: float


@dataclass(frozen=True)
class Score:
    """What one benchmark says of one candidate.

    `raw` is on the scorer's own scale and signed. `value` is `raw` relative to the upper ceiling,
    None where the recordings allow no ceiling. `low` and `high` bound `raw` with the probability
    `confidence`, by resampling what `resampled` names. `layer` is the layer that was chosen most
    often; every choice was made on stimuli other than those that were scored.

    `detail` holds, as far as the scorer yields it: `layer_score`, `layer_units`, `layer_units_read`
    (layer) and what is said of a projection; `layer_share` (part, neuroid) of layers that were
    fitted together; `fold_score` and `fold_layer` (fold), `subject_score` (subject),
    `neuroid_score` and `neuroid_reliability` (neuroid) and `resampled_raw` (resample): equal
    positions of the last are equal draws for all candidates. `layer_rdm` (pair) holds 1 − r between
    the answers of all units of `layer` to the stimuli i < j of `rdm_stimulus` (rdm_stimulus), row
    by row: those that `isocortex.matrices.matrix_of` shows of the recording, in its order; nothing
    of layers that were fitted together. Of a sample of units or a projection it is an estimate. The
    rest is what `isocortex.variation` needs for the difference of two scores.
    """

    candidate: str
    benchmark: str
    raw: float
    ceiling: Ceiling | None
    value: float | None
    low: float
    high: float
    confidence: float
    resampled: tuple[str, ...]
    layer: str
    counts: Mapping[str, int]
    detail: xr.Dataset

    def scaled(self, raw: float) -> float | None:
        """A raw number of this score on the scale of `value`; the ceiling is held fixed."""
        return normalise(raw, self.ceiling, self.detail.attrs.get("normalisation", "ratio"))


def normalise(raw: float, ceiling: Ceiling | None, normalisation: str) -> float | None:
    """`raw` relative to the upper ceiling, with its sign; None without a positive ceiling.

    "ratio" is raw/ceiling. "signed-square-ratio" is Brain-Score's r²/c, where `ceiling.upper` is
    the reliability c, with the sign of r: theirs makes −0.5 as good as +0.5.
    """
    if ceiling is None or not ceiling.upper > 0:
        return None
    if normalisation == "signed-square-ratio":
        return math.copysign(raw**2, raw) / ceiling.upper
    return raw / ceiling.upper


def score_facts(score: Score) -> dict[str, Any]:
    """The score as JSON-like facts, without its detail."""
    ceiling = score.ceiling
    return {
        "candidate": score.candidate,
        "benchmark": score.benchmark,
        "raw": score.raw,
        "value": score.value,
        "low": score.low,
        "high": score.high,
        "confidence": score.confidence,
        "ceiling": None if ceiling is None else {"lower": ceiling.lower, "upper": ceiling.upper},
        "layer": score.layer,
        "resampled": list(score.resampled),
        "counts": dict(score.counts),
    }
