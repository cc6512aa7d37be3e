"""Macaque V4 responses to photographs, from 50 recording sessions of three animals."""

import zipfile
from typing import Final

import numpy as np
import numpy.typing as npt
import xarray as xr

from isocortex.cards import DatasetCard
from isocortex.errors import MismatchError
from isocortex.fetching import fetch
from isocortex.recordings import Recording
from isocortex.registry import dataset
from isocortex.stimuli import StimulusSet, ZippedImage

Counts = npt.NDArray[np.float64]

SPIKES_PER_SECOND: Final = 10.0
"""The published numbers are spikes in a bin of 100 ms."""


@dataset(
    version=1,
    species="macaque",
    method="multi-electrode array",
    recorded="responses",
    regions=("V4",),
    benchmarks=(("V4", "ridge"),),
    source="Cowley, Stan, Pillow & Smith 2023, bioRxiv 2023.11.22.568315",
    bibtex="""@article{cowley2023compact,
  title = {Compact Deep Neural Network Models of Visual Cortex},
  author = {Cowley, Benjamin R. and Stan, Patricia L. and Pillow, Jonathan W. and
            Smith, Matthew A.},
  journal = {bioRxiv},
  year = {2023},
  doi = {10.1101/2023.11.22.568315},
}""",
    licence="GPL-3.0 (repository)",
    files={
        "images": {
            "url": "https://raw.githubusercontent.com/cowleygroup/V4_compact_models/"
            "f4552ad9d34a466ebc66658f72a08a8e5038f1cf/data_V4_responses/"
            "images/images_{session}.zip",
            "sha256": {
                "190925": "765b4d4372302d4ed72c3382d41ece5ca55d7dcc3d84da7402091253529b87d1",
                "201025": "3abb63679107665eab7220bdeaf7863832a1df943bf3d7792501f5082a55b2e8",
                "210224": "e2690810bee34c2e2821e5dd504c7970f3441579bc57659f27d2c11678b52c6b",
                "210322": "a72f357c73381fc6e496403820b38abe38c78b92f6d1c0b7153d6fe6d3986c32",
                "210325": "992774eca3508a2ad01accb1a31f5f3e3d90248c49f4eec314f2a915a263e454",
                "210621": "aff4d1639a04fb0d964ee09f8e76b07707e8435283c8e0ea47b0fd398ffcc233",
            },
        },
        "responses": {
            "url": "https://raw.githubusercontent.com/cowleygroup/V4_compact_models/"
            "f4552ad9d34a466ebc66658f72a08a8e5038f1cf/data_V4_responses/"
            "responses_repeat_averaged/responses_{session}.npy",
            "sha256": {
                "190925": "2f94d7bcef0f68fecdb7472f509737fafac92477cf6b11a4966162b1b1072529",
                "201025": "f729f3dc0d29aa38bd380c0da9e39aba916f9e2580949929b65d1714e7217a8a",
                "210224": "4dbb7367707a5ca47ab4cea863bbf4e9765b8409cb30216693721bddfad7abfe",
                "210322": "1d643594633c7ad6d5281147bf1742275135507c8b283550e00e7028c65a5373",
                "210325": "555e67037182611969ab90da291dcc39601de4411f651a64ad60e90572cf59d3",
                "210621": "28e57e8eefe774b455087a62f039931b9547b2300908a0af85eee5baa49aa1ba",
            },
        },
    },
    variants={
        "cowley2023": {
            "summary": "640 images in macaque V4, 50 cells, every trial (session 210325)",
            "benchmarks": (("V4", "ridge"), ("V4", "cka"), ("V4", "rsa")),
            "options": {"session": "210325", "animal": "PE", "role": "test", "repeats": 8},
            "files": {
                "images": {
                    "url": "https://raw.githubusercontent.com/cowleygroup/V4_compact_models/"
                    "f4552ad9d34a466ebc66658f72a08a8e5038f1cf/data_V4_responses/"
                    "images/images_210325.zip",
                    "sha256": "992774eca3508a2ad01accb1a31f5f3e3d90248c49f4eec314f2a915a263e454",
                },
                "responses": {
                    "url": "https://raw.githubusercontent.com/cowleygroup/V4_compact_models/"
                    "f4552ad9d34a466ebc66658f72a08a8e5038f1cf/data_V4_responses/"
                    "responses_raw/responses_210325.npy",
                    "sha256": "4008dbbf31a47d9b1b8d8da609f4a7a3433c7071f0e45c611c220b217dd75b76",
                },
            },
        },
        "cowley2023:{session}": {
            "summary": "V4 of macaque {animal}, session {session}, trials averaged: {shown} images",
            "table": (
                ("session", "animal", "role", "repeats", "shown"),
                ("190923", "WE", "test", 14, "natural"),
                ("190924", "WE", "train", 13, "natural, active-learning"),
                ("190925", "WE", "train", 14, "natural, active-learning"),
                ("190926", "WE", "train", 15, "natural, active-learning"),
                ("190927", "WE", "train", 11, "natural, active-learning"),
                ("190928", "WE", "train", 13, "natural, active-learning"),
                ("190929", "WE", "train", 15, "natural, active-learning"),
                ("201016", "PE", "train", 6, "natural, gaudy"),
                ("201017", "PE", "train", 7, "natural, active-learning, gaudy"),
                ("201018", "PE", "train", 5, "natural"),
                ("201019", "PE", "train", 4, "natural, active-learning, gaudy"),
                ("201020", "PE", "train", 4, "natural, active-learning, gaudy"),
                ("201021", "PE", "train", 7, "natural, active-learning, gaudy"),
                ("201022", "PE", "train", 5, "natural, active-learning, gaudy"),
                ("201023", "PE", "train", 7, "natural, active-learning, gaudy"),
                ("201024", "PE", "train", 7, "natural, active-learning, gaudy"),
                ("201025", "PE", "test", 12, "natural"),
                ("210224", "PE", "validation", 9, "natural"),
                ("210225", "PE", "test", 6, "natural"),
                ("210226", "PE", "train", 6, "natural, maximizing"),
                ("210301", "PE", "train", 4, "maximizing, validation"),
                ("210302", "PE", "train", 5, "maximizing, validation"),
                ("210303", "PE", "train", 3, "maximizing"),
                ("210304", "PE", "train", 5, "maximizing"),
                ("210305", "PE", "train", 22, "validation"),
                ("210308", "PE", "train", 4, "natural, validation"),
                ("210309", "PE", "train", 4, "natural, validation, artificial"),
                ("210310", "PE", "train", 3, "natural, gaudy"),
                ("210312", "PE", "train", 4, "maximizing"),
                ("210315", "PE", "train", 2, "maximizing"),
                ("210316", "PE", "train", 3, "natural, gaudy"),
                ("210322", "PE", "train", 4, "natural, Bashivan 2019"),
                ("210323", "PE", "train", 4, "natural, gaudy"),
                ("210324", "PE", "train", 4, "natural, gaudy"),
                ("210325", "PE", "test", 8, "Bashivan 2019"),
                ("210326", "PE", "train", 4, "natural, gaudy"),
                ("210620", "RA", "train", 9, "natural"),
                ("210621", "RA", "train", 16, "natural"),
                ("211008", "RA", "train", 24, "natural"),
                ("211012", "RA", "train", 15, "natural, gaudy"),
                ("211013", "RA", "train", 15, "natural, gaudy"),
                ("211014", "RA", "train", 11, "natural, gaudy"),
                ("211015", "RA", "train", 18, "natural, gaudy"),
                ("211018", "RA", "train", 10, "natural, gaudy"),
                ("211022", "RA", "test", 20, "natural"),
                ("211025", "RA", "train", 16, "natural, maximizing, gaudy, artificial"),
                ("211026", "RA", "train", 13, "natural, validation, active-learning, gaudy"),
                ("211027", "RA", "train", 18, "natural, validation, active-learning, gaudy"),
                ("211028", "RA", "train", 14, "natural, validation, active-learning, gaudy"),
                ("211103", "RA", "train", 13, "natural, maximizing, active-learning, gaudy"),
            ),
        },
    },
)
def cowley2023(card: DatasetCard) -> Recording:
    """The responses of V4 cells in one session, in spikes/second.

    `cowley2023` has single trials, 6 to 10 of an image, NaN where one has fewer than 10, and so a
    ceiling. `cowley2023:<session>` has the mean over trials as its only `repeat`, and no ceiling:
    the trials of these sessions are published too, but without a checksum anyone has verified.
    `role` is how the authors used a session, `repeats` what they say of it, `shown` its kinds of
    images. Their readme's image counts are not repeated here: those of 190925 contradict its file.
    """
    session = card.options["session"]
    archive = fetch(card.files["images"])
    with zipfile.ZipFile(archive) as images:
        members = sorted(images.namelist())  # the order of the columns, by the authors' loader
    ids = tuple(f"{session}/{member.removesuffix('.jpg')}" for member in members)
    counts = np.load(fetch(card.files["responses"]))  # (cell, image) or (cell, image, trial)
    if counts.shape[1] != len(ids):
        raise MismatchError(
            f"{card.name}: {counts.shape[1]} columns of responses for {len(ids)} images in "
            f"{archive}; one of the files is from another session"
        )
    sources = [ZippedImage(archive, member) for member in members]
    return Recording(
        card=card,
        stimuli=StimulusSet(name=f"cowley2023:{session}", ids=ids, sources=sources),
        regions={"V4": _responses(card, counts, ids)},
    )


def _responses(card: DatasetCard, counts: Counts, ids: tuple[str, ...]) -> xr.DataArray:
    trials = np.atleast_3d(counts).transpose(1, 2, 0) * SPIKES_PER_SECOND
    session, animal = card.options["session"], card.options["animal"]
    cells = trials.shape[2]
    return xr.DataArray(
        trials,
        dims=("stimulus", "repeat", "neuroid"),
        coords={
            "stimulus": list(ids),
            "neuroid": [f"{animal}-{session}-{cell:02d}" for cell in range(cells)],
            "subject": ("neuroid", [animal] * cells),
            "session": ("neuroid", [session] * cells),
            "region": ("neuroid", ["V4"] * cells),
        },
        attrs={
            "units": "spikes/second",
            "provenance": "spike counts in one bin of 100 ms, divided by 0.1 seconds",
            "repeats": "single trials"
            if counts.ndim == 3
            else "the mean over trials is one repeat",
        },
    )
