"""Human ventral temporal cortex while six people saw faces, houses and six other categories."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from isocortex import settings
from isocortex.cards import DatasetCard
from isocortex.errors import FetchError, InputError
from isocortex.recordings import Recording
from isocortex.registry import dataset
from isocortex.stimuli import StimulusSet

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]


@dataset(
    name="haxby2001",
    summary="8 categories in ventral temporal cortex of 6 people (fMRI); "
    "one picture stands for each category",
    version=1,
    species="human",
    method="fMRI",
    recorded="responses",
    regions=("ventral-temporal", "face", "face-small", "house", "house-small"),
    # Eight stimuli are too few to choose a layer on some and score it on the others.
    benchmarks=(),
    files={
        "stimuli": {
            "url": "http://data.pymvpa.org/datasets/haxby2001/stimuli-2010.01.14.tar.gz",
            "sha256": None,
        },
        "subject {number}": {
            "url": "http://data.pymvpa.org/datasets/haxby2001/subj{number}-2010.01.14.tar.gz",
            "sha256": {"1": None, "2": None, "3": None, "4": None, "5": None, "6": None},
        },
    },
    options={
        "subjects": (1, 2, 3, 4, 5, 6),
        "runs": 12,
        "lag": 2,
        "masks": {
            "ventral-temporal": "mask_vt",
            "face": "mask_face",
            "face-small": "mask_face_little",
            "house": "mask_house",
            "house-small": "mask_house_little",
        },
        "pictures": {
            "bottle": "bottles",
            "cat": "cats",
            "chair": "chairs",
            "face": "faces",
            "house": "houses",
            "scissors": "scissors",
            "scrambledpix": "controls",
            "shoe": "shoes",
        },
    },
    source="Haxby et al. 2001, Science 293:2425",
    bibtex="""@article{haxby2001distributed,
  title = {Distributed and Overlapping Representations of Faces and Objects in Ventral Temporal
           Cortex},
  author = {Haxby, James V. and Gobbini, M. Ida and Furey, Maura L. and Ishai, Alumit and
            Schouten, Jennifer L. and Pietrini, Pietro},
  journal = {Science},
  volume = {293},
  number = {5539},
  pages = {2425--2430},
  year = {2001},
  doi = {10.1126/science.1063736},
}""",
    licence="CC BY-SA 3.0 (as stated by PyMVPA, which distributes it)",
)
def haxby2001(card: DatasetCard) -> Recording:
    """The responses of voxels to 8 categories in 12 runs, in standard deviations of a voxel's run.

    A run showed one block of each category: 24 seconds of changing pictures. Their order is lost,
    so only the category has a response. As its stimulus stands the first of its pictures by file
    name; that is a stand-in, not all that was on the screen.

    Each voxel is detrended and z-scored within a run. A block's response is the mean over its
    volumes, taken `lag` volumes of 2.5 seconds later for the haemodynamic delay; a run without
    labels (subject 5 has one) is NaN. A neuroid is a voxel, x, y and z its place in the scanner
    in millimetres.

    nilearn fetches and unpacks the files below `nilearn/haxby2001` in the home folder, some 2 GB,
    and checks their MD5; files that lie there already are used. Raises FetchError.
    """
    published = _fetch_with_nilearn(card.options["subjects"])
    voxels: dict[str, list[xr.DataArray]] = {region: [] for region in card.regions}
    for position in range(len(card.options["subjects"])):
        for region, responses in _subject_regions(published, position, card):
            voxels[region].append(responses)
    return Recording(
        card=card,
        stimuli=StimulusSet(
            name="haxby2001",
            ids=tuple(card.options["pictures"]),
            sources=[_first_picture(published, name) for name in card.options["pictures"].values()],
        ),
        regions={region: xr.concat(parts, dim="neuroid") for region, parts in voxels.items()},
    )


def _fetch_with_nilearn(subjects: Sequence[int]) -> Mapping[str, Any]:
    from nilearn.datasets import fetch_haxby

    folder = settings.home() / "nilearn"
    try:
        published: Mapping[str, Any] = fetch_haxby(
            data_dir=folder, subjects=list(subjects), fetch_stimuli=True, verbose=0
        )
    except (OSError, ValueError) as error:  # no connection; a wrong MD5
        raise FetchError(
            f"nilearn could not fetch haxby2001 ({error}). Connect to the internet, or put the "
            f"archives, unpacked, into {folder / 'haxby2001'} (subj1/bold.nii.gz, …, stimuli/, and "
            "mask.nii.gz and MD5SUMS beside them)"
        ) from None
    return published


def _first_picture(published: Mapping[str, Any], folder: str) -> Path:
    pictures = published["stimuli"].get(folder)
    while isinstance(pictures, dict):  # the scrambled controls lie in folders of their own
        pictures = pictures[min(pictures)]
    if not pictures:
        raise InputError(f"haxby2001: there is no picture in stimuli/{folder}; fetch it again")
    return Path(pictures[0])


def _subject_regions(
    published: Mapping[str, Any], position: int, card: DatasetCard
) -> Iterator[tuple[str, xr.DataArray]]:
    """Each region's name and the responses of one subject's voxels in it."""
    import pandas as pd
    from nilearn.image import load_img
    from nilearn.maskers import NiftiMasker

    design = pd.read_csv(published["session_target"][position], sep=" ")
    weights = _block_weights(design, card)
    bold = load_img(published["func"][position])  # 300 MB, read once for all masks
    subject = f"S{card.options['subjects'][position]}"
    for region, key in card.options["masks"].items():
        mask = load_img(published[key][position])
        masker = NiftiMasker(
            mask, runs=design["chunks"], detrend=True, standardize="zscore_sample", reports=False
        )
        series = masker.fit_transform(bold).astype(np.float64)  # (volume, voxel)
        yield region, _responses(weights @ series, mask, subject=subject, card=card)


def _block_weights(design: "pd.DataFrame", card: DatasetCard) -> Floats:
    """How much each volume counts in the mean of a block, (category, run, volume).

    NaN where a run has no block of a category, which makes its response NaN.
    """
    delayed = design.groupby("chunks")["labels"].shift(card.options["lag"])
    categories = np.array(list(card.options["pictures"]))[:, None, None]
    runs = np.arange(card.options["runs"])[:, None]
    in_block = (delayed.to_numpy() == categories) & (design["chunks"].to_numpy() == runs)
    with np.errstate(invalid="ignore"):
        weights: Floats = in_block / in_block.sum(axis=-1, keepdims=True)
    return weights


def _responses(values: Floats, mask: Any, *, subject: str, card: DatasetCard) -> xr.DataArray:
    from nilearn.image import coord_transform

    voxels = np.argwhere(mask.get_fdata() != 0)  # the order in which NiftiMasker returns them
    x, y, z = coord_transform(*voxels.T, mask.affine)
    return xr.DataArray(
        values,
        dims=("stimulus", "repeat", "neuroid"),
        coords={
            "stimulus": list(card.options["pictures"]),
            "neuroid": [f"{subject}-{i}-{j}-{k}" for i, j, k in voxels],
            "subject": ("neuroid", [subject] * len(voxels)),
            "x": ("neuroid", x),
            "y": ("neuroid", y),
            "z": ("neuroid", z),
        },
        attrs={
            "units": "standard deviations of the voxel's run",
            "provenance": f"mean over the volumes of a block, {card.options['lag']} volumes later",
        },
    )
