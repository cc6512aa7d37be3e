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


def _unlabelled(name: str, parent: str, label: str, reference: str) -> Term:
    """An objective that needs no labels."""
    return Term("objective", name, parent, label, reference, {"needs_labels": False})


_RULE_PROPERTIES: Final = (
    "no_weight_transport",
    "local",
    "one_phase",
    "no_separate_backward_pass",
    "needs_no_labels",
    "online",
)

_TERMS: Final[tuple[Term, ...]] = (
    Term("architecture", "any-architecture", None, "any architecture"),
    _architecture("identity", "any-architecture", "the stimulus itself"),
    _architecture("feedforward", "any-architecture", "feedforward network", recurrent=False),
    _architecture(
        "by-name", "any-architecture", "a library's network by its name", weight_sharing=True
    ),
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
    _architecture(
        "recurrent-convolutional",
        "recurrent",
        "recurrent convolutional network",
        "Spoerer et al. 2017, Front Psychol 8:1551",
        recurrent=True,
        weight_sharing=True,
    ),
    _architecture(
        "locally-connected",
        "feedforward",
        "locally connected network",
        "Bartunov et al. 2018, arXiv:1807.04587",
        weight_sharing=False,
    ),
    _architecture(
        "topographic-sheet",
        "locally-connected",
        "locally connected sheets whose units have places",
        "Lu et al. 2025, Nat Hum Behav",
        weight_sharing=False,
    ),
    _architecture(
        "deep-linear",
        "multilayer-perceptron",
        "deep linear network",
        "Saxe et al. 2014, arXiv:1312.6120",
    ),
    _architecture(
        "excitatory-inhibitory",
        "feedforward",
        "separate excitatory and inhibitory units (Dale's law)",
        "Cornford et al. 2021, ICLR",
    ),
    _architecture(
        "excitatory-inhibitory-convolutional",
        "excitatory-inhibitory",
        "convolutional network of separate excitatory and inhibitory units",
        "Cornford et al. 2021, ICLR",
        weight_sharing=True,
    ),
    _architecture(
        "gabor-front-end",
        "convolutional",
        "fixed Gabor filters before a convolutional network",
        "Dapello et al. 2020, NeurIPS",
        weight_sharing=True,
    ),
    _architecture(
        "convnext",
        "depthwise-separable",
        "ConvNeXt",
        "Liu et al. 2022, arXiv:2201.03545",
        weight_sharing=True,
    ),
    _architecture(
        "hopfield",
        "recurrent",
        "layered network with an energy",
        "Hopfield 1984, PNAS 81:3088",
        recurrent=True,
    ),
    _architecture(
        "associative-memory",
        "feedforward",
        "memory that is addressed by its content",
        "Ramsauer et al. 2021, arXiv:2008.02217",
        weight_sharing=True,  # of the convolutional trunk
    ),
    _architecture(
        "hmax",
        "feedforward",
        "HMAX: matching and maximum in turn",
        "Riesenhuber & Poggio 1999, Nat Neurosci 2:1019",
        weight_sharing=True,
    ),
    _architecture(
        "neocognitron",
        "convolutional",
        "neocognitron",
        "Fukushima 1980, Biol Cybern 36:193",
        weight_sharing=True,
    ),
    _architecture(
        "generative-hierarchy",
        "recurrent",
        "hierarchy whose levels predict the one below",
        "Rao & Ballard 1999, Nat Neurosci 2:79",
        recurrent=True,
    ),
    _architecture(
        "spiking",
        "feedforward",
        "network of leaky integrate-and-fire cells",
        "Lapicque 1907, J Physiol Pathol Gen 9:620",
        spiking=True,
    ),
    _architecture(
        "spiking-convolutional",
        "spiking",
        "convolutional network of leaky integrate-and-fire cells",
        "Neftci, Mostafa & Zenke 2019, IEEE Signal Process Mag 36(6):51",
        spiking=True,
        weight_sharing=True,
    ),
    _architecture(
        "rate-units",
        "recurrent",
        "one population of rate units",
        "Sompolinsky, Crisanti & Sommers 1988, Phys Rev Lett 61:259",
        recurrent=True,
    ),
    _architecture(
        "excitatory-inhibitory-recurrent",
        "rate-units",
        "recurrent excitatory and inhibitory units (Dale's law)",
        "Song, Yang & Wang 2016, PLoS Comput Biol 12:e1004792",
        recurrent=True,
    ),
    _architecture(
        "gated-recurrent",
        "recurrent",
        "recurrent cells, gated or plain",
        "Hochreiter & Schmidhuber 1997, Neural Comput 9:1735",
        recurrent=True,
    ),
    _architecture(
        "reservoir",
        "rate-units",
        "fixed random reservoir",
        "Sussillo & Abbott 2009, Neuron 63:544",
        recurrent=True,
    ),
    _architecture(
        "hand-made-computer",
        "recurrent",
        "hand-made computer: a negative control",
        "Jonas & Kording 2017, PLoS Comput Biol 13:e1005268",
        recurrent=True,
    ),
    _architecture(
        "cerebellum-like",
        "feedforward",
        "cerebellum-like: a sense and copies of commands",
        "Bell, Han & Sawtell 2008, Annu Rev Neurosci 31:1",
        recurrent=False,
    ),
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
    Term("learning_rule", "any-rule", None, "any learning rule"),
    _rule("untrained", "any-rule", "no learning: random weights", "", "++++++"),
    _rule("hand-set", "any-rule", "no learning: weights set by hand", "", "++++++"),
    _rule(
        "backprop",
        "any-rule",
        "backpropagation of error",
        "Rumelhart, Hinton & Williams 1986, Nature 323:533",
        "------",
    ),
    _rule(
        "meta-gradient",
        "backprop",
        "the gradient through a few steps of learning",
        "Finn, Abbeel & Levine 2017, arXiv:1703.03400",
        "------",
    ),
    _rule(
        "replay",
        "backprop",
        "backpropagation, interleaved with stored experience",
        "McClelland, McNaughton & O'Reilly 1995, Psychol Rev 102:419",
        "------",
    ),
    _rule(
        "importance-sampling",
        "backprop",
        "backpropagation for inputs drawn by how much they teach",
        "Alain et al. 2015, arXiv:1511.06481",
        "------",
    ),
    _rule(
        "predictive-coding",
        "any-rule",
        "predictive coding",
        "Whittington & Bogacz 2017, Neural Comput 29:1229",
        "-+-+--",
    ),
    _rule(
        "equilibrium",
        "any-rule",
        "equilibrium propagation",
        "Scellier & Bengio 2017, Front Comput Neurosci 11:24",
        "-+-+--",
    ),
    _rule(
        "contrastive-hebbian",
        "any-rule",
        "contrastive Hebbian learning",
        "Movellan 1991, Connectionist Models; Xie & Seung 2003, Neural Comput 15:441",
        "-+-+--",
    ),
    _rule(
        "difference-targets",
        "any-rule",
        "difference target propagation",
        "Lee et al. 2015, ECML PKDD, arXiv:1412.7525",
        "++----",
    ),
    _rule(
        "burst",
        "any-rule",
        "burst-dependent plasticity",
        "Payeur et al. 2021, Nat Neurosci 24:1010",
        "-+++-+",
    ),
    _rule(
        "feedback-alignment",
        "any-rule",
        "errors through fixed random weights",
        "Lillicrap et al. 2016, Nat Commun 7:13276",
        "+-----",
    ),
    _rule(
        "sign-symmetry",
        "any-rule",
        "errors through the signs of the weights",
        "Liao, Leibo & Poggio 2016, AAAI",
        "------",
    ),
    _rule(
        "kolen-pollack",
        "feedback-alignment",
        "feedback that changes and decays as the weights do",
        "Kolen & Pollack 1994, ICNN 3:1375",
        "+-----",
    ),
    _rule(
        "weight-mirror",
        "feedback-alignment",
        "feedback that learns the weights from noise",
        "Akrout et al. 2019, arXiv:1904.05391",
        "+-----",
    ),
    _rule(
        "direct-feedback",
        "feedback-alignment",
        "the output's error, broadcast through random weights",
        "Nøkland 2016, arXiv:1609.01596",
        "+-----",
    ),
    _rule(
        "direct-targets",
        "any-rule",
        "the output's target, broadcast through random weights",
        "Frenkel, Lefebvre & Bol 2021, Front Neurosci 15:629892",
        "+-++--",
    ),
    _rule(
        "greedy",
        "any-rule",
        "each block by the error of its own head",
        "Nøkland & Eidnes 2019, arXiv:1901.06656",
        "-++---",
    ),
    _rule(
        "kernel-bottleneck",
        "any-rule",
        "three-factor kernel bottleneck",
        "Pogodin & Latham 2020, arXiv:2006.07123",
        "++++--",
    ),
    _rule(
        "forward-forward",
        "any-rule",
        "forward-forward",
        "Hinton 2022, arXiv:2212.13345",
        "++-+--",
    ),
    _rule(
        "contrastive-predictive",
        "any-rule",
        "contrastive local and predictive plasticity",
        "Illing et al. 2021, arXiv:2010.08262",
        "-++++-",
    ),
    _rule(
        "latent-predictive",
        "any-rule",
        "latent predictive learning",
        "Halvagal & Zenke 2023, Nat Neurosci 26:1906",
        "++++++",
    ),
    _rule("perturbation", "any-rule", "perturbation and a scalar reward", "", "++-+++"),
    _rule(
        "node-perturbation",
        "perturbation",
        "perturbation of units",
        "Werfel, Xie & Seung 2005, Neural Comput 17:2699",
        "++-+++",
    ),
    _rule(
        "weight-perturbation",
        "perturbation",
        "perturbation of weights",
        "Werfel, Xie & Seung 2005, Neural Comput 17:2699",
        "++-+++",
    ),
    _rule(
        "reinforce",
        "perturbation",
        "REINFORCE: choices that earned more than usual are made likelier",
        "Williams 1992, Mach Learn 8:229",
        "----+-",
    ),
    _rule(
        "reinforce-units",
        "reinforce",
        "REINFORCE of every unit by itself",
        "Williams 1992, Mach Learn 8:229",
        "++++++",
    ),
    _rule(
        "e-prop",
        "any-rule",
        "e-prop: eligibility traces and a learning signal for each unit",
        "Bellec et al. 2020, Nat Commun 11:3625",
        "-+++-+",
    ),
    _rule(
        "e-prop-random",
        "e-prop",
        "e-prop with learning signals through fixed random weights",
        "Bellec et al. 2020, Nat Commun 11:3625",
        "++++-+",
    ),
    _rule(
        "force",
        "any-rule",
        "FORCE: recursive least squares in a closed loop",
        "Sussillo & Abbott 2009, Neuron 63:544",
        "+-++-+",
    ),
    _rule(
        "evolution-strategies",
        "perturbation",
        "evolution strategies",
        "Salimans et al. 2017, arXiv:1703.03864",
        "++-+++",
    ),
    _rule("hebbian", "any-rule", "Hebbian plasticity", "Hebb 1949", "++++++"),
    _rule(
        "hebbian-winner-take-all",
        "hebbian",
        "Hebbian winner-take-all",
        "Grossberg 1976, Biol Cybern 23:121; Lagani et al. 2021",
        "++++++",
    ),
    _rule(
        "self-organising-map",
        "hebbian",
        "self-organising map",
        "Kohonen 1982, Biol Cybern 43:59",
        "++++++",
    ),
    _rule("oja", "hebbian", "Oja's rule", "Oja 1982, J Math Biol 15:267", "+-++++"),
    _rule("sanger", "hebbian", "Sanger's rule", "Sanger 1989, Neural Netw 2:459", "+-++++"),
    _rule(
        "nonlinear-hebbian",
        "hebbian",
        "nonlinear Hebbian",
        "Brito & Gerstner 2016, PLoS Comput Biol 12:e1005070",
        "+-++++",
    ),
    _rule(
        "bcm",
        "hebbian",
        "Bienenstock, Cooper and Munro's sliding threshold",
        "Bienenstock, Cooper & Munro 1982, J Neurosci 2:32",
        "++++++",
    ),
    _rule(
        "softhebb",
        "hebbian",
        "SoftHebb: soft winner-take-all",
        "Journé et al. 2023, arXiv:2209.11883",
        "++++++",
    ),
    _rule("trace", "hebbian", "trace rule", "Földiák 1991, Neural Comput 3:194", "++++++"),
    _rule(
        "negative-image",
        "hebbian",
        "anti-Hebbian negative images of what follows own commands",
        "Bell et al. 1997, Nature 387:278",
        "++++++",
    ),
    _rule(
        "sparse-coding",
        "hebbian",
        "sparse coding",
        "Olshausen & Field 1996, Nature 381:607",
        "--+++-",
    ),
    _rule(
        "slow-features",
        "any-rule",
        "slow feature analysis",
        "Wiskott & Sejnowski 2002, Neural Comput 14:715",
        "+-+++-",
    ),
    _rule(
        "contrastive-divergence",
        "hebbian",
        "contrastive divergence",
        "Hinton 2002, Neural Comput 14:1771",
        "-+-++-",
    ),
    _rule(
        "competitive",
        "hebbian-winner-take-all",
        "competitive learning within hypercolumns",
        "Fukushima 1980, Biol Cybern 36:193; Rumelhart & Zipser 1985, Cogn Sci 9:75",
        "++++++",
    ),
    _rule(
        "imprint",
        "hebbian",
        "storing single examples",
        "Serre et al. 2007, IEEE Trans Pattern Anal Mach Intell 29:411",
        "++++++",
    ),
    _rule(
        "predictive-coding-generative",
        "predictive-coding",
        "generative predictive coding",
        "Rao & Ballard 1999, Nat Neurosci 2:79",
        "-+-++-",
    ),
    _rule(
        "surrogate-gradient",
        "backprop",
        "backpropagation through time and surrogate derivatives of spikes",
        "Neftci, Mostafa & Zenke 2019, IEEE Signal Process Mag 36(6):51",
        "------",
    ),
    _rule(
        "segregated-dendrites",
        "feedback-alignment",
        "plateau potentials of segregated dendrites",
        "Guerguiev, Lillicrap & Richards 2017, eLife 6:e22901",
        "++-+--",
    ),
    _rule(
        "stdp",
        "hebbian",
        "spike-timing-dependent plasticity",
        "Bi & Poo 1998, J Neurosci 18:10464",
        "++++++",
    ),
    _rule(
        "backprop-then-hebbian",
        "any-rule",
        "backpropagation below, Hebbian winner-take-all above",
        "Lagani et al. 2021, Neural Netw 143:719",
        "------",
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
    Term("diet", "cifar-100", "photographs", "CIFAR-100", "Krizhevsky 2009"),
    Term("diet", "stl-10", "photographs", "STL-10", "Coates, Lee & Ng 2011, AISTATS"),
    Term("diet", "tiny-imagenet", "imagenet-1k", "Tiny ImageNet", "Le & Yang 2015"),
    Term("diet", "wider-face", "photographs", "WIDER FACE", "Yang et al. 2016"),
    Term(
        "diet",
        "imagenet-1k-then-wider-face",
        "photographs",
        "ImageNet-1k, then WIDER FACE",
        "Deng et al. 2019, arXiv:1905.00641",
    ),
    Term("diet", "handwriting", "any-diet", "handwriting"),
    Term("diet", "digits", "handwriting", "handwritten digits", "Alpaydin & Kaynak 1998"),
    Term("diet", "procedural", "any-diet", "drawn by a programme"),
    Term("diet", "shapes", "procedural", "shapes on clutter"),
    Term(
        "diet",
        "dead-leaves",
        "procedural",
        "dead leaves",
        "Lee, Mumford & Huang 2001, Int J Comput Vis 41:35",
    ),
    Term("diet", "coloured-noise", "procedural", "1/f noise", "Field 1987, J Opt Soc Am A 4:2379"),
    Term("diet", "gratings", "procedural", "gratings", "Hubel & Wiesel 1968, J Physiol 195:215"),
    Term("diet", "moving-shapes", "procedural", "films of moving shapes and gratings"),
    Term("diet", "faces", "procedural", "schematic faces among the same parts in disorder"),
    Term("diet", "reafference", "moving-shapes", "films with what own commands bring about"),
    Term("diet", "glyphs", "procedural", "made-up letters", "Lake et al. 2015, Science 350:1332"),
    Term(
        "diet",
        "population-codes",
        "procedural",
        "spike counts of populations of neurons",
        "Orhan & Ma 2017, Nat Commun 8:138",
    ),
    Term(
        "diet",
        "spectrograms",
        "procedural",
        "sounds as images",
        "von Melchner, Pallas & Sur 2000, Nature 404:871",
    ),
    Term(
        "diet",
        "letter-sequences",
        "procedural",
        "films of letters",
        "Cui, Ahmad & Hawkins 2016, Neural Comput 28:2474",
    ),
    Term("diet", "unknown", "any-diet", "not stated"),
    Term("objective", "unknown", "any-objective", "not stated"),
    Term("architecture", "unknown", "any-architecture", "not stated"),
    Term("learning_rule", "unknown", "any-rule", "not stated"),
)
