"""The components of a network, as terms: what Richards et al. (2019) ask us to tell apart.

Each axis is a small tree. A term has a parent (None at the root of its axis), a reference, and
properties that say how plausible it is as an account of a brain, or what it demands of the world.
Those of a learning rule follow Richards et al. 2019 and Lillicrap et al. 2020.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from .errors import UnknownNameError

Axis = Literal["architecture", "objective", "learning_rule", "diet"]
AXES: Final[tuple[Axis, ...]] = get_args(Axis)


@dataclass(frozen=True)
class Term:
    """One term of an axis: `properties` are facts a leaderboard can filter by."""

    axis: Axis
    name: str
    parent: str | None
    label: str
    reference: str = ""
    properties: Mapping[str, bool] = field(default_factory=dict)


def terms(axis: Axis) -> tuple[Term, ...]:
    """All terms of one axis, parents before children."""
    return tuple(term for term in _TERMS if term.axis == axis)


def find_term(axis: Axis, name: str) -> Term:
    """The term of that name. Raises UnknownNameError with the nearest names."""
    for term in _TERMS:
        if term.axis == axis and term.name == name:
            return term
    kind = axis.replace("_", " ")
    raise UnknownNameError.among(kind, name, (term.name for term in terms(axis)))


def _architecture(name: str, parent: str, label: str, reference: str = "", **facts: bool) -> Term:
    return Term("architecture", name, parent, label, reference, facts)


def _rule(name: str, parent: str, label: str, reference: str, facts: str) -> Term:
    """A learning rule; `facts` are `+` or `-` for each of `_RULE_PROPERTIES`, in order."""
    values = {key: mark == "+" for key, mark in zip(_RULE_PROPERTIES, facts, strict=True)}
    return Term("learning_rule", name, parent, label, reference, values)


_RULE_PROPERTIES: Final = (
    "no_weight_transport",
    "local",
    "one_phase",
    "no_separate_backward_pass",
    "needs_no_labels",
)

_TERMS: Final[tuple[Term, ...]] = (
    Term("architecture", "any-architecture", None, "any architecture"),
    _architecture("identity", "any-architecture", "the stimulus itself"),
    _architecture("feedforward", "any-architecture", "feedforward network", recurrent=False),
    _architecture("fixed-filters", "feedforward", "hand-made filter bank", weight_sharing=True),
    _architecture(
        "energy-model",
        "fixed-filters",
        "quadrature energy model",
        "Adelson & Bergen 1985, J Opt Soc Am A 2:284",
        weight_sharing=True,
    ),
    _architecture("multilayer-perceptron", "feedforward", "multilayer perceptron"),
    _architecture(
        "convolutional",
        "feedforward",
        "convolutional network",
        "LeCun et al. 1989, Neural Comput 1:541",
        weight_sharing=True,
    ),
    _architecture(
        "depthwise-separable",
        "convolutional",
        "depthwise-separable convolutional network",
        "Howard et al. 2017, arXiv:1704.04861",
        weight_sharing=True,
    ),
    _architecture(
        "residual",
        "convolutional",
        "residual convolutional network",
        "He et al. 2016, arXiv:1512.03385",
        weight_sharing=True,
    ),
    _architecture(
        "transformer",
        "feedforward",
        "transformer",
        "Vaswani et al. 2017, arXiv:1706.03762",
        weight_sharing=True,
    ),
    _architecture("recurrent", "any-architecture", "recurrent network", recurrent=True),
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
    Term("learning_rule", "any-rule", None, "any learning rule"),
    _rule("untrained", "any-rule", "no learning: random weights", "", "+++++"),
    _rule("hand-set", "any-rule", "no learning: weights set by hand", "", "+++++"),
    _rule(
        "backprop",
        "any-rule",
        "backpropagation of error",
        "Rumelhart, Hinton & Williams 1986, Nature 323:533",
        "-----",
    ),
    _rule("hebbian", "any-rule", "Hebbian plasticity", "Hebb 1949", "+++++"),
    _rule(
        "hebbian-winner-take-all",
        "hebbian",
        "Hebbian winner-take-all",
        "Grossberg 1976, Biol Cybern 23:121; Lagani et al. 2021",
        "+++++",
    ),
    _rule(
        "self-organising-map",
        "hebbian",
        "self-organising map",
        "Kohonen 1982, Biol Cybern 43:59",
        "+++++",
    ),
    _rule(
        "backprop-then-hebbian",
        "any-rule",
        "backpropagation below, Hebbian winner-take-all above",
        "Lagani et al. 2021, Neural Netw 143:719",
        "-----",
    ),
    Term("diet", "any-diet", None, "any training data"),
    Term("diet", "none", "any-diet", "no training data"),
    Term("diet", "photographs", "any-diet", "photographs"),
    Term("diet", "imagenet-1k", "photographs", "ImageNet-1k", "Russakovsky et al. 2015"),
    Term(
        "diet",
        "instagram-hashtags",
        "photographs",
        "Instagram photographs with hashtags",
        "Singh et al. 2022, arXiv:2201.08371",
    ),
    Term("diet", "cifar-10", "photographs", "CIFAR-10", "Krizhevsky 2009"),
    Term("diet", "wider-face", "photographs", "WIDER FACE", "Yang et al. 2016"),
    Term(
        "diet",
        "imagenet-1k-then-wider-face",
        "photographs",
        "ImageNet-1k, then WIDER FACE",
        "Deng et al. 2019, arXiv:1905.00641",
    ),
    Term("diet", "unknown", "any-diet", "not stated"),
    Term("objective", "unknown", "any-objective", "not stated"),
    Term("architecture", "unknown", "any-architecture", "not stated"),
    Term("learning_rule", "unknown", "any-rule", "not stated"),
)
