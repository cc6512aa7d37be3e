"""Human and monkey inferior temporal cortex, and human judgements, of the same 92 objects."""

from typing import Any

import numpy as np
import xarray as xr

from isocortex.cards import DatasetCard
from isocortex.fetching import fetch
from isocortex.recordings import Recording
from isocortex.registry import dataset
from isocortex.stimuli import StimulusSet

from ._ninety_two import OBJECT_IDS, WIDTH_DEGREES, object_dissimilarities, object_metadata


@dataset(
    name="kriegeskorte2008",
    summary="92 object photographs in human IT, monkey IT and the judgements of human observers",
    version=1,
    species="human, macaque",
    method="fMRI; single-cell recordings; multi-arrangement of similarities",
    recorded="dissimilarities",
    regions=("human-IT", "monkey-IT", "judgements"),
    benchmarks=(("human-IT", "rsa"), ("monkey-IT", "rsa"), ("judgements", "rsa")),
    files={
        "{part}": {
            "url": "https://raw.githubusercontent.com/rsagroup/rsatoolbox/"
            "f1f83cadb7243492a1aae7460466e0f0140b20ac/demos/92imageData/{part}.mat",
            "sha256": {
                "92_brainRDMs": "1743f90a15e895798a94318649e80e1123a7e5943a1703fa1dd7c31ea5780b7c",
                "92_behavRDMs": "7a8e118c144c3840adeeeef6ea0706a0be2b3e80df719af15fbb56fc62562f5f",
                "Kriegeskorte_Neuron2008_supplementalData": (
                    "06f21214399a5d43dc264eed19a7f4b8daf11c8622a59eec3e106064ce5e3504"
                ),
            },
        },
    },
    source="Kriegeskorte et al. 2008, Neuron 60:1126; judgements: Mur et al. 2013, "
    "Front Psychol 4:128",
    bibtex="""@article{kriegeskorte2008matching,
  title = {Matching Categorical Object Representations in Inferior Temporal Cortex of Man
           and Monkey},
  author = {Kriegeskorte, Nikolaus and Mur, Marieke and Ruff, Douglas A. and Kiani, Roozbeh and
            Bodurka, Jerzy and Esteky, Hossein and Tanaka, Keiji and Bandettini, Peter A.},
  journal = {Neuron},
  volume = {60},
  number = {6},
  pages = {1126--1141},
  year = {2008},
  doi = {10.1016/j.neuron.2008.10.043},
}
@article{mur2013human,
  title = {Human Object-Similarity Judgments Reflect and Transcend the Primate-{IT} Object
           Representation},
  author = {Mur, Marieke and Meys, Mirjam and Bodurka, Jerzy and Goebel, Rainer and
            Bandettini, Peter A. and Kriegeskorte, Nikolaus},
  journal = {Frontiers in Psychology},
  volume = {4},
  pages = {128},
  year = {2013},
  doi = {10.3389/fpsyg.2013.00128},
}""",
    licence="MIT (repository); images carry no licence of their own",
)
def kriegeskorte2008(card: DatasetCard) -> Recording:
    """The dissimilarities of 92 objects for 4 people, for monkeys and for 16 observers.

    Human IT is the mean of each subject's two sessions (316 visually responsive voxels). Monkey IT
    is one matrix over 674 cells of two animals, hence one `subject`, and no ceiling.
    """
    published = _matlab(card, "Kriegeskorte_Neuron2008_supplementalData")
    images = [item["image"] for item in published["stimuli_92objs"]]
    return Recording(
        card=card,
        stimuli=StimulusSet(
            name="kriegeskorte2008",
            ids=OBJECT_IDS,
            sources=images,
            degrees=WIDTH_DEGREES,
            metadata=object_metadata(),
        ),
        regions={
            "human-IT": _human_it(_matlab(card, "92_brainRDMs")["RDMs"]),
            "monkey-IT": _monkey_it(published["RDMs_mIT_hIT_fig1"]),
            "judgements": _judgements(_matlab(card, "92_behavRDMs")["rdms_behav_92"]),
        },
    )


def _human_it(sessions: Any) -> xr.DataArray:
    # (subject, session) structures, named "hIT | BE | Session: 1"
    return object_dissimilarities(
        [np.mean([each["RDM"] for each in pair], axis=0, dtype=np.float64) for pair in sessions],
        [str(pair[0]["name"]).split(" | ")[1] for pair in sessions],
        units="1 - Pearson correlation",
        provenance="mean of each subject's two sessions",
    )


def _monkey_it(figure: Any) -> xr.DataArray:
    from scipy.spatial.distance import squareform

    return object_dissimilarities(
        [squareform(figure[0]["RDM"])],
        ["two monkeys"],
        units="1 - Pearson correlation",
        provenance="as published, over 674 cells pooled from two monkeys (Kiani et al. 2007)",
    )


def _judgements(observers: Any) -> xr.DataArray:
    return object_dissimilarities(
        [each["RDM"] for each in observers],
        [str(each["name"]).split(" | ")[1] for each in observers],
        units="distance on the arrangement, in each observer's own scale",
        provenance="as published, by multi-arrangement (Mur et al. 2013)",
    )


def _matlab(card: DatasetCard, part: str) -> dict[str, Any]:
    from scipy.io import loadmat

    path = fetch(card.files[part])
    contents: dict[str, Any] = loadmat(path, squeeze_me=True)
    return contents
