"""What drawn diets share: balanced labels, and numbers that become pixels."""

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float32]


def balanced(count: int, categories: int, random: np.random.Generator) -> npt.NDArray[np.intp]:
    """Labels 0 … categories − 1 in random order, each as often as any other."""
    return random.permutation(np.arange(count) % categories).astype(np.intp)


def uniform(low: float, high: float, count: int, random: np.random.Generator) -> Numbers:
    """Numbers between two bounds, (count,)."""
    return random.uniform(low, high, count).astype(np.float32)


def as_pixels(shares: Numbers | npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Shares of the full range as uint8, clipped; grey ones (…, h, w) as (…, h, w, 3)."""
    levels = np.rint(shares * 255).clip(0, 255).astype(np.uint8)
    return levels if levels.shape[-1] == 3 else np.repeat(levels[..., None], 3, axis=-1)
