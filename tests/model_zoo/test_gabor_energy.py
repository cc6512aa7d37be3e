"""The model of V1, probed with gratings as an electrophysiologist would."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from isocortex.model_zoo.gabor_energy import quadrature_pairs

from isocortex.candidates import Candidate

SIDE = 65
WAVELENGTHS = (4, 8, 16, 32)
CELLS = (33, 17, 9, 5)  # on a side, by wavelength
PHASES = np.linspace(0, 2 * np.pi, 16, endpoint=False)


def grating(wavelength: float, degrees: float, phase: float = 0, contrast: float = 1) -> np.ndarray:
    """A grating in the middle grey; it varies along `degrees`, from rightwards on to downwards."""
    row, column = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    angle = np.radians(degrees)
    along = column * np.cos(angle) + row * np.sin(angle)
    grey = 127.5 * (1 + contrast * np.cos(2 * np.pi * along / wavelength + phase))
    return np.repeat(grey.round().astype(np.uint8)[..., None], 3, axis=2)


@pytest.fixture
def central(load_candidate: Callable[[str], Candidate]) -> Callable[..., np.ndarray]:
    """The cells in the middle of the image: (picture, wavelength, phase, orientation)."""
    candidate, answers = load_candidate("gabor_energy"), {}
    for layer in candidate.layers:
        part = candidate.module.get_submodule(layer)
        part.register_forward_hook(lambda *call, layer=layer: answers.update({layer: call[2]}))

    def respond(layer: str, pictures: list[np.ndarray]) -> np.ndarray:
        candidate.module(torch.stack([candidate.preprocessing(picture) for picture in pictures]))
        phases = 4 if layer == "simple" else 1
        sizes = [phases * 8 * cells**2 for cells in CELLS]
        scales = [
            part.reshape(-1, phases, 8, cells, cells)[..., cells // 2, cells // 2]
            for part, cells in zip(answers[layer].split(sizes, dim=1), CELLS, strict=True)
        ]
        return torch.stack(scales, dim=1).numpy()

    return respond


def modulation(responses: np.ndarray) -> float:
    return float((responses.max() - responses.min()) / (responses.max() + responses.min()))


@pytest.mark.parametrize("scale", range(4))
@pytest.mark.parametrize("orientation", [0, 3, 4])
def test_a_drifting_grating_modulates_simple_cells_but_not_complex_ones(
    central, scale, orientation
):
    drift = [grating(WAVELENGTHS[scale], 22.5 * orientation, phase) for phase in PHASES]
    complex_cell = central("complex", drift)[:, scale, 0, orientation]
    simple_cells = central("simple", drift)[:, scale, :, orientation]
    assert modulation(complex_cell) < 0.01
    assert all(modulation(cell) > 0.99 for cell in simple_cells.T)


@pytest.mark.parametrize("scale", range(4))
@pytest.mark.parametrize("orientation", range(8))
def test_gratings_recover_preferred_frequency_and_orientation(central, scale, orientation):
    amplitudes = central("complex", [grating(WAVELENGTHS[scale], 22.5 * orientation)])[0, :, 0]
    assert np.unravel_index(amplitudes.argmax(), amplitudes.shape) == (scale, orientation)


@pytest.mark.parametrize("contrast", [1.0, 0.5])
def test_a_preferred_grating_excites_a_complex_cell_by_its_contrast(central, contrast):
    amplitude = central("complex", [grating(8, 45, contrast=contrast)])[0, 1, 0, 2]
    assert amplitude == pytest.approx(contrast, abs=0.01)


def test_simple_cells_come_in_four_phases(central):
    quarter_turns = [grating(8, 0, phase) for phase in (0, -np.pi / 2, np.pi, np.pi / 2)]
    preferred = central("simple", quarter_turns)[:, 1, :, 0]
    np.testing.assert_allclose(preferred, np.eye(4), atol=0.01)


def test_tuning_is_as_wide_as_in_macaque_cortex(central):
    frequencies, angles = np.linspace(0.03, 0.12, 91), np.arange(-60, 61)
    by_frequency = central("complex", [grating(1 / f, 0) for f in frequencies])[:, 2, 0, 0]
    by_angle = central("complex", [grating(16, angle) for angle in angles])[:, 2, 0, 0]
    half_height = frequencies[by_frequency > by_frequency.max() / 2]
    assert np.log2(half_height[-1] / half_height[0]) == pytest.approx(1.4, abs=0.15)
    assert np.ptp(angles[by_angle > by_angle.max() / 2]) == pytest.approx(40, abs=3)


def test_an_even_grey_excites_no_kernel():
    kernels = quadrature_pairs(8, 8, octaves=1.4, degrees=40)
    np.testing.assert_allclose(kernels.sum((-2, -1)), np.zeros((2, 8)), atol=1e-6)


def test_normalisation_saturates_with_contrast_and_is_suppressed_by_a_mask(central):
    contrasts = [grating(8, 0, contrast=contrast) for contrast in (0.1, 0.2, 0.4, 0.8)]
    answers = central("normalised", contrasts)[:, 1, 0, 0]
    gains = answers[1:] / answers[:-1]
    assert all(np.diff(answers) > 0)
    assert all(np.diff(gains) < 0)
    mask = grating(8, 0, contrast=0.4) // 2 + grating(8, 90, contrast=0.8) // 2
    masked = central("normalised", [mask, grating(8, 0, contrast=0.2)])[:, 1, 0, 0]
    assert masked[0] < 0.9 * masked[1]


def test_normalised_responses_follow_the_equation(central):
    pictures = [grating(8, 10, contrast=0.5)]
    amplitude, normalised = central("complex", pictures), central("normalised", pictures)
    pool = (amplitude**2).mean(axis=-1, keepdims=True)
    np.testing.assert_allclose(normalised, amplitude / np.sqrt(0.2**2 + pool), rtol=1e-5)


def test_colours_count_by_their_luminance(central):
    white = grating(8, 0, contrast=0.5)
    red = np.full_like(white, 128)
    red[..., 0] = white[..., 0]
    amplitudes = central("complex", [white, red])[:, 1, 0, 0]
    assert amplitudes[1] / amplitudes[0] == pytest.approx(0.2126, abs=0.001)
