"""What every encoding scorer returns: predictions of responses it never saw."""

from dataclasses import dataclass, field

from .geometry import Array
from .splits import Split


@dataclass(frozen=True)
class HeldOut:
    """The predictions of one split.

    `prediction` (test stimulus, neuroid) was fitted on `split.train` alone. `selection` (neuroid)
    is how well the layer did within `split.train`: a cross-validated correlation by which layers
    are chosen without a look at the test stimuli. `shares` (layer, neuroid) is what each layer
    contributes to a fit of all layers together, None of a fit of one.
    """

    split: Split
    prediction: Array = field(repr=False)
    selection: Array = field(repr=False)
    shares: Array | None = field(default=None, repr=False)
