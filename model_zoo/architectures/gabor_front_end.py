"""A fixed primary visual cortex before blocks that learn."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from isocortex.registry import architecture
from isocortex.training import Network

from ._gabors import LUMINANCE, gabor_pairs


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
        self.register_buffer("luminance", torch.tensor(LUMINANCE).reshape(1, 3, 1, 1))

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
