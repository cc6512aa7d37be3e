"""Objectives: what a network is trained for."""

from typing import Final

from ._terms import Term


def _unlabelled(name: str, parent: str, label: str, reference: str) -> Term:
    """An objective that needs no labels."""
    return Term("objective", name, parent, label, reference, {"needs_labels": False})


OBJECTIVES: Final[tuple[Term, ...]] = (
    Term("objective", "any-objective", None, "any objective"),
    Term("objective", "none", "any-objective", "no objective", "", {"needs_labels": False}),
    Term("objective", "supervised", "any-objective", "supervised", "", {"needs_labels": True}),
    Term(
        "objective",
        "categorise",
        "supervised",
        "categorise objects",
        "Yamins et al. 2014, PNAS 111:8619",
        {"needs_labels": True},
    ),
    Term(
        "objective",
        "detect-faces",
        "supervised",
        "detect faces and their landmarks",
        "Deng et al. 2019, arXiv:1905.00641",
        {"needs_labels": True},
    ),
    Term(
        "objective",
        "self-supervised",
        "any-objective",
        "self-supervised",
        "",
        {"needs_labels": False},
    ),
    Term(
        "objective",
        "contrast",
        "self-supervised",
        "tell two views of one image from others",
        "Chen et al. 2020, arXiv:2002.05709",
        {"needs_labels": False},
    ),
    Term(
        "objective",
        "cluster-inputs",
        "self-supervised",
        "represent the input's clusters",
        "Rumelhart & Zipser 1985, Cogn Sci 9:75",
        {"needs_labels": False},
    ),
    Term(
        "objective",
        "attributes",
        "supervised",
        "tell several continuous properties",
        "Hong et al. 2016, Nat Neurosci 19:613",
        {"needs_labels": True},
    ),
    Term(
        "objective",
        "describe",
        "supervised",
        "the meaning of a description in words",
        "Doerig et al. 2025, Nat Mach Intell",
        {"needs_labels": True},
    ),
    Term(
        "objective",
        "combine-cues",
        "supervised",
        "one value from several noisy cues",
        "Orhan & Ma 2017, Nat Commun 8:138",
        {"needs_labels": True},
    ),
    _unlabelled(
        "reduce-redundancy",
        "self-supervised",
        "the same of two views, by units that are not redundant",
        "Zbontar et al. 2021, arXiv:2103.03230; Bardes et al. 2022, arXiv:2105.04906",
    ),
    _unlabelled(
        "distil-itself",
        "self-supervised",
        "foretell one's own answer to another view, or that of one's slow copy",
        "Grill et al. 2020, arXiv:2006.07733; Caron et al. 2021, arXiv:2104.14294",
    ),
    _unlabelled(
        "cluster-views",
        "self-supervised",
        "put two views of one image into the same cluster",
        "Caron et al. 2020, arXiv:2006.09882",
    ),
    _unlabelled(
        "pretext",
        "self-supervised",
        "tell what was done to an image",
        "Gidaris, Singh & Komodakis 2018, arXiv:1803.07728",
    ),
    _unlabelled(
        "reconstruct",
        "self-supervised",
        "give the image back",
        "Hinton & Salakhutdinov 2006, Science 313:504",
    ),
    _unlabelled(
        "fill-in",
        "reconstruct",
        "fill in what is hidden of an image",
        "He et al. 2022, arXiv:2111.06377",
    ),
    _unlabelled(
        "predict-future",
        "self-supervised",
        "predict what comes next",
        "Lotter, Kreiman & Cox 2017, arXiv:1605.08104",
    ),
    _unlabelled(
        "slowness",
        "self-supervised",
        "change slowly",
        "Wiskott & Sejnowski 2002, Neural Comput 14:715",
    ),
    Term("objective", "combined", "any-objective", "several objectives together"),
    Term(
        "objective",
        "staged",
        "combined",
        "one objective after the other",
        "Marblestone, Wayne & Kording 2016, Front Comput Neurosci 10:94",
    ),
    Term(
        "objective",
        "per-block",
        "combined",
        "one objective below and another above",
        "Marblestone, Wayne & Kording 2016, Front Comput Neurosci 10:94",
    ),
    _unlabelled(
        "bootstrap",
        "self-supervised",
        "what an innate detector says, then what was learned of it",
        "Marblestone, Wayne & Kording 2016, Front Comput Neurosci 10:94, Fig. 1B",
    ),
    Term(
        "objective",
        "few-shot",
        "supervised",
        "tell new categories from few examples",
        "Snell, Swersky & Zemel 2017, NeurIPS",
        {"needs_labels": True},
    ),
    Term(
        "objective",
        "reward",
        "supervised",
        "earn rewards from a judge who knows the category",
        "Williams 1992, Mach Learn 8:229",
        {"needs_labels": True},
    ),
    Term("objective", "unknown", "any-objective", "not stated"),
)
