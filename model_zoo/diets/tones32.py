"""Tones: sounds as spectrograms, for visual networks that are rewired to hear."""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from isocortex.registry import diet
from isocortex.training import Diet, Images

from ._drawing import Numbers, as_pixels, balanced, uniform

Waves = npt.NDArray[np.float64]

_SIDE: Final = 32
_RATE: Final = 8000
_HOP: Final = 160
_WINDOW: Final = 512
"""Samples a second, from column to column (20 ms) and under the longest window (64 ms)."""
_CYCLES: Final = 16
"""Cycles under a row's window: so each row hears as far as the next ones, as in the cochlea."""
_LOWEST: Final = 200.0
_OCTAVES: Final = 4
_RANGE: Final = 50.0
"""Decibels between middle grey and white."""
_AT_ONCE: Final = 128


@diet(
    name="tones32",
    summary="spectrograms of eight kinds of sound that scroll by in eight frames, 32 × 32 pixels",
    term="spectrograms",
    offers=("labels", "latents", "sequence"),
    options={"count": (2400, 400), "frames": 8, "seed": 0},
    source="synthesised by isocortex; after von Melchner, Pallas & Sur 2000, Nature 404:871",
    bibtex="""@article{melchner2000visual,
  author = {von Melchner, Laurie and Pallas, Sarah L. and Sur, Mriganka},
  title = {Visual behaviour mediated by retinal projections directed to the auditory pathway},
  journal = {Nature},
  volume = {404},
  pages = {871--876},
  year = {2000},
  doi = {10.1038/35009102}
}""",
    licence="BSD-3-Clause",
)
def tones32(*, count: tuple[int, int], frames: int, seed: int) -> Diet:
    """Grey spectrograms with the kind of sound as label; the image is a film's last frame.

    Silence is middle grey. Rows are 4 octaves above 200 Hz, low ones at the bottom, columns 20 ms.
    From frame to frame a sound moves on by two columns. The latents are `pitch` in octaves above
    200 Hz, that of the middle of the sound, `tempo` (octaves, beats or notes a second, 0 of other
    sounds) and `loudness` in decibels. The ferrets' auditory cortex got visual input; here a visual
    network gets auditory input.
    """
    train, test = (
        _sounds(each, frames, np.random.default_rng([seed, split]))
        for split, each in enumerate(count)
    )
    return Diet(train, test, tuple(_KINDS))


def _sounds(count: int, frames: int, random: np.random.Generator) -> Images:
    labels = balanced(count, len(_KINDS), random)
    pitch, loudness = uniform(1, 3, count, random), uniform(-20, 0, count, random)
    tempo = np.zeros(count, np.float32)
    columns = _SIDE + 2 * (frames - 1)
    time = (np.arange(_WINDOW + (columns - 1) * _HOP) / _RATE)[None]
    shown = np.empty((count, _SIDE, columns), np.float32)
    for number, (wave, tempi) in enumerate(_KINDS.values()):
        chosen = np.flatnonzero(labels == number)
        tempo[chosen] = uniform(*tempi, len(chosen), random)
        for some in np.array_split(chosen, -(-len(chosen) // _AT_ONCE)):
            sung, going = (each[some, None].astype(np.float64) for each in (pitch, tempo))
            waves = wave(time - time.mean(), sung, going, random)
            waves = waves * 10 ** (loudness[some, None] / 20)
            shown[some] = spectrograms(waves + random.normal(0, 0.03, waves.shape))
    films = np.stack([shown[:, :, 2 * at : 2 * at + _SIDE] for at in range(frames)], axis=1)
    pixels = as_pixels((1 + films) / 2)
    latents = {"pitch": pitch, "tempo": tempo, "loudness": loudness}
    return Images(pixels[:, -1], labels, latents, pixels)


def spectrograms(waves: Waves) -> Numbers:
    """Levels of waves (sound, sample) as shares of the range, (sound, 32 rows, column)."""
    octaves = (np.arange(_SIDE)[::-1] + 0.5) * _OCTAVES / _SIDE
    filters = np.stack([_filter(_LOWEST * 2**octave) for octave in octaves], axis=1)
    pieces = np.lib.stride_tricks.sliding_window_view(waves, _WINDOW, axis=1)[:, ::_HOP]
    level = 20 * np.log10(np.abs(pieces @ filters) + 1e-9)
    return (1 + level / _RANGE).clip(0, 1).astype(np.float32).swapaxes(1, 2)


def _filter(hertz: float) -> npt.NDArray[np.complex128]:
    """A Hann window of 16 cycles of a frequency, which answers 1 to a sine of amplitude 1."""
    length = min(_WINDOW, round(_CYCLES * _RATE / hertz))
    window = np.pad(np.hanning(length), (_WINDOW - length + 1) // 2)[:_WINDOW]
    wave = np.exp(-2j * np.pi * hertz * np.arange(_WINDOW) / _RATE)
    answers: npt.NDArray[np.complex128] = 2 / window.sum() * window * wave
    return answers


def _sung(octaves: Waves, random: np.random.Generator) -> Waves:
    """A sine whose pitch, in octaves above the lowest, may change: (sound, sample)."""
    cycles = np.cumsum(_LOWEST * 2**octaves, axis=1) / _RATE
    start: Waves = random.uniform(0, 1, (len(octaves), 1))
    sine: Waves = np.sin(2 * np.pi * (cycles + start))
    return sine


def _steady(time: Waves, pitch: Waves, tempo: Waves, random: np.random.Generator) -> Waves:
    return _sung(pitch + 0 * time, random)


def _swept(time: Waves, pitch: Waves, tempo: Waves, random: np.random.Generator) -> Waves:
    return _sung(pitch + tempo * time, random)


def _chord(time: Waves, pitch: Waves, tempo: Waves, random: np.random.Generator) -> Waves:
    """A tone with the major third and the fifth above it, each a third as loud."""
    semitones = np.array([0, 4, 7]) / 12
    chord: Waves = np.mean([_sung(pitch + up + 0 * time, random) for up in semitones], axis=0)
    return chord


def _beating(time: Waves, pitch: Waves, tempo: Waves, random: np.random.Generator) -> Waves:
    phase = random.uniform(0, 1, pitch.shape)
    loud = (1 - np.cos(2 * np.pi * (tempo * time + phase))) / 2
    return loud * _sung(pitch + 0 * time, random)


def _melody(time: Waves, pitch: Waves, tempo: Waves, random: np.random.Generator) -> Waves:
    """Two notes an octave apart, by turns."""
    phase = random.uniform(0, 2, pitch.shape)
    high = np.floor(tempo * time + phase) % 2
    return _sung(pitch + high - 0.5, random)


def _hiss(time: Waves, pitch: Waves, tempo: Waves, random: np.random.Generator) -> Waves:
    """Noise of half an octave's breadth."""
    count, samples = len(pitch), time.shape[1]
    spectrum = np.fft.rfft(random.normal(0, 1, (count, samples)))
    octave = np.log2(np.maximum(np.fft.rfftfreq(samples, 1 / _RATE), 1) / _LOWEST)
    noise = np.fft.irfft(spectrum * (np.abs(octave - pitch) < 0.25), samples)
    as_strong: Waves = noise / noise.std(axis=1, keepdims=True) / 2**0.5
    return as_strong


_Wave = Callable[[Waves, Waves, Waves, np.random.Generator], Waves]

_KINDS: Final[Mapping[str, tuple[_Wave, tuple[float, float]]]] = {
    "steady": (_steady, (0, 0)),
    "rising": (_swept, (0.7, 2)),
    "falling": (_swept, (-2, -0.7)),
    "chord": (_chord, (0, 0)),
    "slow beats": (_beating, (3, 5)),
    "fast beats": (_beating, (7, 11)),
    "melody": (_melody, (3, 6)),
    "hiss": (_hiss, (0, 0)),
}
"""Kinds of sound, and their tempi."""
