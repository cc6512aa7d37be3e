"""Probes: what an embedding holds while it is learned; its spread tells a collapse."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
import xarray as xr
from sklearn.linear_model import RidgeClassifierCV

from .diets import Diet, Images
from .parts import Network

_READ_FROM: Final = 2000
_READ_ON: Final = 1000
_COLLAPSED: Final = 0.01


@dataclass(frozen=True)
class Probe:
    """An embedding at one step of training.

    `accuracy` is that of a linear readout of the labels on test images, NaN without labels.
    `spread` is the root mean square over units of their standard deviation over images, as a share
    of the root mean square response. `rank` is the embedding's effective dimensionality, (Σλ)²/Σλ².
    `angles` are the credit audit, `settling` what the rule says of its own relaxation.
    """

    step: int
    accuracy: float
    spread: float
    rank: float
    angles: Mapping[str, tuple[float, float]]
    settling: Mapping[str, float] = field(default_factory=dict)

    @property
    def collapsed(self) -> bool:
        """Whether all images have all but the same embedding."""
        return self.spread < _COLLAPSED

    @staticmethod
    def table(probes: Sequence["Probe"]) -> xr.Dataset:
        """Probes as a dataset over `probed_step`, `block` and `quantity` (of `settling`)."""
        blocks = list(dict.fromkeys(block for each in probes for block in each.angles))
        missing = (np.nan, np.nan)
        audit = np.array(
            [[each.angles.get(block, missing) for block in blocks] for each in probes]
        ).reshape(len(probes), len(blocks), 2)
        quantities = list(dict.fromkeys(name for each in probes for name in each.settling))
        settling = np.array(
            [[each.settling.get(name, np.nan) for name in quantities] for each in probes]
        ).reshape(len(probes), len(quantities))
        return xr.Dataset(
            {
                "accuracy": ("probed_step", [each.accuracy for each in probes]),
                "spread": ("probed_step", [each.spread for each in probes]),
                "rank": ("probed_step", [each.rank for each in probes]),
                "angle": (("probed_step", "block"), audit[..., 0], {"units": "degrees"}),
                "ratio": (("probed_step", "block"), audit[..., 1]),
                "settling": (("probed_step", "quantity"), settling),
            },
            coords={
                "probed_step": [each.step for each in probes],
                "block": blocks,
                "quantity": np.array(quantities, dtype=str),
            },
        )


def probed(
    network: Network,
    diet: Diet,
    *,
    step: int,
    angles: Mapping[str, tuple[float, float]],
    settling: Mapping[str, float],
) -> Probe:
    """The probe of a network on up to 1,000 test images, read out from up to 2,000 others."""
    test = embedded(network, diet.test, spread_out(diet.test, _READ_ON))
    centred = test - test.mean(axis=0)
    size = float(np.sqrt((test**2).mean()))
    values = np.linalg.svd(centred, compute_uv=False) ** 2
    return Probe(
        step=step,
        accuracy=_readout_accuracy(network, diet, test),
        spread=float(np.sqrt((centred**2).mean())) / size if size else 0.0,
        rank=float(values.sum() ** 2 / (values**2).sum()) if values.any() else 0.0,
        angles=angles,
        settling=settling,
    )


def spread_out(images: Images, most: int) -> npt.NDArray[np.intp]:
    """At most that many positions at equal steps through the images, which may stand by category.

    >>> spread_out(Images(np.zeros((9, 2, 2, 3), np.uint8)), 3)
    array([0, 4, 8])
    """
    return np.linspace(0, len(images) - 1, min(most, len(images))).round().astype(np.intp)


def embedded(
    network: Network, images: Images, positions: npt.NDArray[np.intp]
) -> npt.NDArray[np.float64]:
    """The embeddings of the images at those positions, (image, width), in evaluation mode."""
    training = network.training
    device = device_of(network)
    network.eval()
    with torch.no_grad():
        parts = [
            network(images.batch(some).images.to(device)).cpu()
            for some in np.array_split(positions, -(-len(positions) // 256))
        ]
    network.train(training)
    return torch.cat(parts).numpy().astype(np.float64)


def device_of(network: Network) -> torch.device:
    """Where the network's numbers are; a network without any is on the CPU."""
    return next((each.device for each in network.state_dict().values()), torch.device("cpu"))


def _readout_accuracy(network: Network, diet: Diet, test: npt.NDArray[np.float64]) -> float:
    if diet.train.labels is None or diet.test.labels is None:
        return float("nan")
    read_from = spread_out(diet.train, _READ_FROM)
    train = embedded(network, diet.train, read_from)
    readout = RidgeClassifierCV(np.logspace(-3, 3, 7)).fit(train, diet.train.labels[read_from])
    return float(readout.score(test, diet.test.labels[spread_out(diet.test, _READ_ON)]))
