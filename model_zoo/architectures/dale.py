"""Dale's law: networks whose units excite or inhibit all others, and never both (DANN)."""

import math
from collections.abc import Callable, Mapping
from typing import ClassVar, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from isocortex.registry import architecture
from isocortex.training import Network

_SPREAD_OVER_MEAN: Final = 2 * math.pi - 1
"""Squared, times the number of inputs: how much the drives of excitatory units vary as a share of
their mean when inputs are rectified Gaussians and weights exponential (Cornford et al. 2021)."""

_INHIBITORY: Final = 0.1
"""Inhibitory units as a share of the excitatory ones, as in the paper."""

_FLOOR: Final = 1e-3
"""Least divisive inhibition, as a share of its usual size of 1: where all inputs are silent."""


class OnOff(nn.Module):
    """Rectified images and their rectified negatives: no unit before the first sends a sign."""

    def forward(self, images: Tensor) -> Tensor:
        """On and off channels, (image, 6, row, column), not negative."""
        return torch.cat((images, -images), dim=1).relu()


class Dann(nn.Module):
    """Excitatory units, and inhibitory ones between their inputs and them that subtract and divide.

    z = g / γ · (W_EE x − W_EI W_IE x) + b with γ = W_EI (e^α · W_IE x). `excitatory` and `relay`
    hold W_EE and W_IE, linear or convolutional; `inhibition` is W_EI (unit, inhibitory unit). Each
    inhibitory unit starts as the mean of some excitatory ones, so that inhibition centres their
    drives; the paper draws it from the same distribution. No biases are taught inside.
    """

    signs: ClassVar[Mapping[str, int]] = {
        "excitatory.weight": 1,
        "relay.weight": 1,
        "inhibition": 1,
    }
    """Parameters that Dale's law binds, and their sign."""

    def __init__(self, outputs: int, connect: Callable[[int], nn.Linear | nn.Conv2d]) -> None:
        super().__init__()
        inhibitory = max(1, round(_INHIBITORY * outputs))
        self.excitatory, self.relay = connect(outputs), connect(inhibitory)
        weight = self.excitatory.weight
        fan_in = weight[0].numel()
        scale = math.sqrt(2 * math.pi / (fan_in * _SPREAD_OVER_MEAN))
        self.inhibition = nn.Parameter(torch.full((outputs, inhibitory), 1 / inhibitory))
        exponent = math.log(_SPREAD_OVER_MEAN / fan_in) / 2
        self.exponent = nn.Parameter(torch.full((inhibitory,), exponent))
        self.gain = nn.Parameter(torch.ones(outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        with torch.no_grad():
            weight.exponential_().mul_(scale)
            for place in range(inhibitory):
                self.relay.weight[place] = weight[place::inhibitory].mean(dim=0)

    def forward(self, rates: Tensor) -> Tensor:
        """Drives (image, unit, …) of rates (image, input, …) that are not negative."""
        inhibitory = self.relay(rates)
        form = (-1, *(1,) * (inhibitory.ndim - 2))
        subtracted = self._inhibited(inhibitory)
        divided = self._inhibited(inhibitory * self.exponent.exp().reshape(form)) + _FLOOR
        drive: Tensor = (self.excitatory(rates) - subtracted) / divided
        return self.gain.reshape(form) * drive + self.bias.reshape(form)

    def _inhibited(self, rates: Tensor) -> Tensor:
        if rates.ndim == 2:
            return functional.linear(rates, self.inhibition)
        return functional.conv2d(rates, self.inhibition[..., None, None])


@architecture(
    name="dann3",
    summary="three fully connected blocks of 64 units that obey Dale's law",
    term="excitatory-inhibitory",
    offers=("chain", "signed"),
    options={"width": 64},
    source="Cornford et al. 2021, ICLR",
    bibtex="""@inproceedings{cornford2021learning,
  author = {Cornford, Jonathan and Kalajdzievski, Damjan and Leite, Marco and Lamarquette,
    Am{\\'e}lie and Kullmann, Dimitri M. and Richards, Blake A.},
  title = {Learning to live with {Dale}'s principle: {ANNs} with separate excitatory and inhibitory
    units},
  booktitle = {International Conference on Learning Representations},
  year = {2021}
}""",
)
def dann3(image_size: tuple[int, int], *, width: int) -> Network:
    """The counterpart of mlp3-narrow; on and off channels come first. Train it with `+dale`.

    The head is not bound by Dale's law: it stands for the experimenter's readout. The paper's
    corrections of the gradients' scale are left out: training uses Adam, which does not see it.
    """
    inputs = (6 * image_size[0] * image_size[1], width, width)
    blocks: dict[str, nn.Module] = {
        f"block{number}": nn.Sequential(Dann(width, _linear(size)), nn.ReLU())
        for number, size in enumerate(inputs, start=1)
    }
    blocks["block1"] = nn.Sequential(OnOff(), nn.Flatten(), *blocks["block1"].children())
    return Network(blocks, width=width)


@architecture(
    name="dann4",
    summary="four convolutional blocks, 16 to 128 channels, that obey Dale's law",
    term="excitatory-inhibitory-convolutional",
    offers=("chain", "signed"),
    options={"width": 16},
    source="Cornford et al. 2021, ICLR",
    bibtex="""@inproceedings{cornford2021learning,
  author = {Cornford, Jonathan and Kalajdzievski, Damjan and Leite, Marco and Lamarquette,
    Am{\\'e}lie and Kullmann, Dimitri M. and Richards, Blake A.},
  title = {Learning to live with {Dale}'s principle: {ANNs} with separate excitatory and inhibitory
    units},
  booktitle = {International Conference on Learning Representations},
  year = {2021}
}""",
)
def dann4(image_size: tuple[int, int], *, width: int) -> Network:
    """The counterpart of conv4, with inhibition instead of batch normalisation; see `dann3`."""
    shapes = [(6, width, 1), (width, 2 * width, 2), (2 * width, 4 * width, 2)]
    shapes.append((4 * width, 8 * width, 2))
    blocks: dict[str, nn.Module] = {
        f"block{number}": nn.Sequential(Dann(outputs, _convolution(inputs, stride)), nn.ReLU())
        for number, (inputs, outputs, stride) in enumerate(shapes, start=1)
    }
    blocks["block1"] = nn.Sequential(OnOff(), *blocks["block1"].children())
    blocks["block4"].extend([nn.AdaptiveAvgPool2d(1), nn.Flatten()])  # type: ignore[operator]
    return Network(blocks, width=8 * width)


def _linear(inputs: int) -> Callable[[int], nn.Linear]:
    return lambda outputs: nn.Linear(inputs, outputs, bias=False)


def _convolution(inputs: int, stride: int) -> Callable[[int], nn.Conv2d]:
    return lambda outputs: nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
