"""Colours of numbers and of kinds: perceptually uniform, and told apart by the colour-blind.

They are written as attributes of SVG, which need no style that the content security policy forbids.
"""

from typing import Final

_CIVIDIS: Final = (
    *("#00224e", "#1a386f", "#434e6c", "#61656f", "#7d7c78"),
    *("#9b9476", "#bcae6c", "#dec958", "#fee838"),
)
"""Nine steps of cividis (Nuñez, Anderton & Renslow 2018, PLoS ONE 13:e0199239), dark to light."""

KINDS: Final = 8
"""So many kinds have a colour and a shape of their own, `c0` … `c7` in style.css (Okabe & Ito)."""


def heat(share: float) -> str:
    """The colour of a number from 0 (dark blue) to 1 (yellow); those beyond are at the ends.

    >>> heat(0), heat(0.5), heat(7)
    ('#00224e', '#7d7c78', '#fee838')
    """
    place = min(max(share, 0.0), 1.0) * (len(_CIVIDIS) - 1)
    step = min(int(place), len(_CIVIDIS) - 2)
    pairs = zip(_channels(_CIVIDIS[step]), _channels(_CIVIDIS[step + 1]), strict=True)
    mixed = (round(one + (other - one) * (place - step)) for one, other in pairs)
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def ink_on(colour: str) -> str:
    """Black or white, whichever is read better on this colour."""
    red, green, blue = (_linear(channel / 255) for channel in _channels(colour))
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "#000000" if (luminance + 0.05) ** 2 > 0.05 * 1.05 else "#ffffff"


def _channels(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[place : place + 2], 16) for place in (1, 3, 5))


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)
