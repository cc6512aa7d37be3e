"""A fixed primary visual cortex before blocks that learn."""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from isocortex.registry import architecture
from isocortex.training import Network

_LUMINANCE: Final = (0.2126, 0.7152, 0.0722)  # Rec. 709
_ACROSS: Final = 0.42
"""Standard deviation across the bars over the wavelength: a bandwidth of 1.4 octaves, the median of
De Valois et al. 1982, Vision Res 22:545."""
_ASPECT: Final = 0.75
"""Standard deviation across over that along the bars: cells see rather few, longer bars."""


class PrimaryCortex(nn.Module):
    """Gabor simple cells of four phases and complex cells, none of them taught.

    Channels are complex cells by wavelength and orientation, then simple cells by phase, wavelength
    and orientation.
    """

    def __init__(self, wavelengths: Sequence[float], orientations: int) -> None:
        super().__init__()
        angles = torch.arange(orientations) * (torch.pi / orientations)
        kernels = [gabor_pairs(wavelength, angles) for wavelength in wavelengths]
        for place, kernel in enumerate(kernels):
            self.register_buffer(f"kernels{place}", kernel)
        self.scales = len(kernels)
        self.channels = 5 * self.scales * orientations
        self.register_buffer("luminance", torch.tensor(_LUMINANCE).reshape(1, 3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Responses (image, channel, row, column), not negative; outside the image all is grey."""
        grey = (images * self.get_buffer("luminance")).sum(dim=1, keepdim=True)
        filtered = torch.cat([self._filtered(grey, n) for n in range(self.scales)], dim=2)
        even, odd = filtered.unbind(dim=1)
        # The floor keeps the root's slope finite where nothing is seen.
        complex_cells = (even.square() + odd.square() + 1e-6).sqrt()
        simple = torch.cat((even, odd, -even, -odd), dim=1).relu()
        return torch.cat((complex_cells, simple), dim=1)

    def _filtered(self, grey: Tensor, scale: int) -> Tensor:
        """Linear responses, (image, phase, orientation, row, column)."""
        kernels = self.get_buffer(f"kernels{scale}")
        flat = kernels.flatten(0, 1).unsqueeze(1)
        responses = functional.conv2d(grey, flat, padding=kernels.shape[-1] // 2)
        return responses.reshape(len(grey), *kernels.shape[:2], *responses.shape[2:])


def gabor_pairs(wavelength: float, angles: Tensor) -> Tensor:
    """Even and odd Gabor kernels of that many pixels' wavelength, (phase, angle, row, column).

    At angle 0 bars are vertical. Even grey excites none; a grating of amplitude 1 excites its own
    by 1.
    """
    across = _ACROSS * wavelength
    reach = int(2.5 * across / _ASPECT) + 1
    axis = torch.arange(-reach, reach + 1.0)
    row, column = torch.meshgrid(axis, axis, indexing="ij")
    cosine, sine = angles.cos().reshape(-1, 1, 1), angles.sin().reshape(-1, 1, 1)
    u, v = column * cosine + row * sine, row * cosine - column * sine
    window = torch.exp(-(u.square() + (_ASPECT * v).square()) / (2 * across**2))
    bars = 2 * torch.pi * u / wavelength
    mean = (window * bars.cos()).sum((1, 2), keepdim=True) / window.sum((1, 2), keepdim=True)
    pairs = torch.stack((window * (bars.cos() - mean), window * bars.sin()))
    own = torch.stack((bars.cos(), bars.sin()))
    return pairs / (pairs * own).sum((2, 3), keepdim=True)


@architecture(
    name="gabor4",
    summary="fixed Gabor simple and complex cells, then three convolutional blocks as in conv4",
    term="gabor-front-end",
    offers=("chain",),
    options={"width": 16, "wavelengths": (3.0, 6.0), "orientations": 4},
    source="Dapello et al. 2020, NeurIPS; Gabor cells: Jones & Palmer 1987, J Neurophysiol 58:1233",
    bibtex="""@inproceedings{dapello2020simulating,
  author = {Dapello, Joel and Marques, Tiago and Schrimpf, Martin and Geiger, Franziska and Cox,
    David D. and DiCarlo, James J.},
  title = {Simulating a Primary Visual Cortex at the Front of {CNNs} Improves Robustness to Image
    Perturbations},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {33},
  year = {2020}
}
@article{jones1987evaluation,
  title = {An Evaluation of the Two-Dimensional {Gabor} Filter Model of Simple Receptive Fields in
    Cat Striate Cortex},
  author = {Jones, Judson P. and Palmer, Larry A.},
  journal = {Journal of Neurophysiology},
  volume = {58},
  number = {6},
  pages = {1233--1258},
  year = {1987},
  doi = {10.1152/jn.1987.58.6.1233}
}""",
)
def gabor4(
    image_size: tuple[int, int], *, width: int, wavelengths: Sequence[float], orientations: int
) -> Network:
    """Blocks 2 to 4 are those of conv4; the first is hand-made and sees luminance only.

    Dapello et al. add noise to the cells and a bottleneck after them, and draw the cells' tuning at
    random; here they are a grid without noise.
    """
    cortex = PrimaryCortex(wavelengths, orientations)
    channels = (cortex.channels, 2 * width, 4 * width, 8 * width)
    blocks: dict[str, nn.Module] = {"V1": cortex}
    for number in (2, 3, 4):
        outputs = channels[number - 1]
        connections = nn.Conv2d(channels[number - 2], outputs, 3, 2, padding=1, bias=False)
        blocks[f"block{number}"] = nn.Sequential(connections, nn.BatchNorm2d(outputs), nn.ReLU())
    blocks["block4"].extend([nn.AdaptiveAvgPool2d(1), nn.Flatten()])  # type: ignore[operator]
    return Network(blocks, width=8 * width)
