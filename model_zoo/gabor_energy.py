"""A model of primary visual cortex that learnt nothing: Gabor filters, energy, normalisation."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from isocortex.candidates import Candidate, Preprocessing
from isocortex.cards import CandidateCard
from isocortex.registry import candidate

_LUMINANCE: Final = (0.2126, 0.7152, 0.0722)  # Rec. 709, on sRGB values as they are
_HALF_HEIGHT: Final = np.sqrt(2 * np.log(2))  # in standard deviations of a Gaussian
_EXTENT: Final = 3  # standard deviations at which a kernel ends


class GaborEnergy(nn.Module):
    """Simple cells, complex cells and complex cells normalised by their neighbours.

    `wavelengths` are in pixels; the cells of each stand half a wavelength apart. `octaves` and
    `degrees` are the full widths of tuning to frequency and orientation, see `quadrature_pairs`. A
    grating of full contrast excites its cell by 1; `semisaturation` is in that unit. Outside the
    image all is mid-grey. Each layer is (image, unit), by wavelength, phase, orientation, place.
    """

    def __init__(
        self,
        wavelengths: Sequence[int],
        *,
        orientations: int,
        octaves: float,
        degrees: float,
        semisaturation: float,
    ) -> None:
        super().__init__()
        self.strides = tuple(wavelength // 2 for wavelength in wavelengths)
        self.semisaturation = semisaturation
        self.register_buffer("luminance", torch.tensor(_LUMINANCE).reshape(1, 3, 1, 1))
        for number, wavelength in enumerate(wavelengths):
            kernels = quadrature_pairs(wavelength, orientations, octaves=octaves, degrees=degrees)
            self.register_buffer(f"kernels{number}", torch.from_numpy(kernels))
        self.simple = nn.Identity()
        self.complex = nn.Identity()
        self.normalised = nn.Identity()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The normalised responses to RGB images (image, 3, row, column) from -1 to 1."""
        grey = (images * self.get_buffer("luminance")).sum(1, keepdim=True)
        filtered = [self._filtered(grey, number) for number in range(len(self.strides))]
        self.simple(_joined([torch.cat((pair, -pair), dim=1).relu() for pair in filtered]))
        amplitudes = [pair.square().sum(1).sqrt() for pair in filtered]
        self.complex(_joined(amplitudes))
        normalised: torch.Tensor = self.normalised(
            _joined([self._normalised(one) for one in amplitudes])
        )
        return normalised

    def _filtered(self, grey: torch.Tensor, number: int) -> torch.Tensor:
        """The linear responses, (image, phase, orientation, row, column)."""
        kernels = self.get_buffer(f"kernels{number}")
        margin = kernels.shape[-1] // 2
        flat = kernels.flatten(0, 1).unsqueeze(1)
        responses = functional.conv2d(grey, flat, stride=self.strides[number], padding=margin)
        return responses.reshape(len(grey), *kernels.shape[:2], *responses.shape[2:])

    def _normalised(self, amplitudes: torch.Tensor) -> torch.Tensor:
        # The pool is all orientations at the same place and frequency (Heeger 1992).
        pool = amplitudes.square().mean(1, keepdim=True)
        return amplitudes / (self.semisaturation**2 + pool).sqrt()


def quadrature_pairs(
    wavelength: float, orientations: int, *, octaves: float, degrees: float
) -> npt.NDArray[np.float32]:
    """Even and odd Gabor kernels, (phase, orientation, row, column), of odd side.

    Orientation i is the one of gratings that vary along i · 180° / `orientations`, from rightwards
    on to downwards. Amplitudes are half as high `octaves` apart in frequency and `degrees` apart in
    orientation. Kernels are balanced, so that an even grey excites none, which narrows 1.4 octaves
    to 1.3. A grating of amplitude 1 excites its kernel by 1.
    """
    across, along = _standard_deviations(wavelength, octaves=octaves, degrees=degrees)
    reach = int(np.ceil(_EXTENT * max(across, along)))
    row, column = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    pairs = []
    for angle in np.arange(orientations) * np.pi / orientations:
        u = column * np.cos(angle) + row * np.sin(angle)
        v = row * np.cos(angle) - column * np.sin(angle)
        window = np.exp(-((u / across) ** 2 + (v / along) ** 2) / 2)
        even, odd = np.cos(2 * np.pi * u / wavelength), np.sin(2 * np.pi * u / wavelength)
        balanced = window * (even - (window * even).sum() / window.sum())
        pairs.append((balanced / (balanced * even).sum(), window * odd / (window * odd**2).sum()))
    return np.asarray(pairs).swapaxes(0, 1).astype(np.float32)


def _standard_deviations(
    wavelength: float, *, octaves: float, degrees: float
) -> tuple[float, float]:
    """The Gaussian window's, in pixels, across and along the bars.

    Their Fourier transform is a Gaussian around the frequency 1 / wavelength. It falls to half at
    two frequencies, `octaves` apart, whose mean is the centre, and `degrees` / 2 to either side.
    """
    ratio = 2.0**octaves
    across = _HALF_HEIGHT * wavelength / (2 * np.pi) * (ratio + 1) / (ratio - 1)
    along = _HALF_HEIGHT * wavelength / (2 * np.pi) / np.sin(np.radians(degrees / 2))
    return float(across), float(along)


def _joined(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    return torch.cat([part.flatten(1) for part in parts], dim=1)


@candidate(
    name="gabor_energy",
    summary="Gabor simple cells, energy-model complex cells, divisive normalisation",
    architecture="energy-model",
    objective="none",
    learning_rule="hand-set",
    diet="none",
    preprocessing={
        "resize": 65,
        "crop": 65,
        "mean": (0.5, 0.5, 0.5),
        "std": (0.5, 0.5, 0.5),
    },
    options={
        "wavelengths": (4, 8, 16, 32),
        "orientations": 8,
        "octaves": 1.4,
        "degrees": 40.0,
        "semisaturation": 0.2,
    },
    source="Adelson & Bergen 1985, J Opt Soc Am A 2:284; Jones & Palmer 1987, J Neurophysiol "
    "58:1233; tuning widths of De Valois et al. 1982, Vision Res 22:531 and 22:545; "
    "normalisation of Heeger 1992, Vis Neurosci 9:181",
    bibtex="""@article{adelson1985spatiotemporal,
  title = {Spatiotemporal Energy Models for the Perception of Motion},
  author = {Adelson, Edward H. and Bergen, James R.},
  journal = {Journal of the Optical Society of America A},
  volume = {2},
  number = {2},
  pages = {284--299},
  year = {1985},
  doi = {10.1364/JOSAA.2.000284}
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
}
@article{devalois1982spatial,
  title = {Spatial Frequency Selectivity of Cells in Macaque Visual Cortex},
  author = {De Valois, Russell L. and Albrecht, Duane G. and Thorell, Lisa G.},
  journal = {Vision Research},
  volume = {22},
  number = {5},
  pages = {545--559},
  year = {1982},
  doi = {10.1016/0042-6989(82)90113-4}
}
@article{devalois1982orientation,
  title = {The Orientation and Direction Selectivity of Cells in Macaque Visual Cortex},
  author = {De Valois, Russell L. and Yund, E. William and Hepler, Norva},
  journal = {Vision Research},
  volume = {22},
  number = {5},
  pages = {531--544},
  year = {1982},
  doi = {10.1016/0042-6989(82)90112-2}
}
@article{heeger1992normalization,
  title = {Normalization of Cell Responses in Cat Striate Cortex},
  author = {Heeger, David J.},
  journal = {Visual Neuroscience},
  volume = {9},
  number = {2},
  pages = {181--197},
  year = {1992},
  doi = {10.1017/S0952523800009640}
}""",
    licence="BSD-3-Clause",
)
def gabor_energy(card: CandidateCard) -> Candidate:
    """The bank at 16, 8, 4 and 2 cycles per image, whatever the image's size in degrees."""
    network = GaborEnergy(**card.options).eval()
    layers = ("simple", "complex", "normalised")
    return Candidate(card, network, Preprocessing(**card.preprocessing), layers)
