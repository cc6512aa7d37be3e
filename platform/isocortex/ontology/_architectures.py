"""Architectures: how units are joined."""

from typing import Final

from ._terms import Term


def _architecture(name: str, parent: str, label: str, reference: str = "", **facts: bool) -> Term:
    return Term("architecture", name, parent, label, reference, facts)


ARCHITECTURES: Final[tuple[Term, ...]] = (
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
        "two-compartment",
        "recurrent-convolutional",
        "cells with a basal and an apical dendrite",
        "Sacramento et al. 2018, NeurIPS",
        recurrent=True,
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
    Term("architecture", "unknown", "any-architecture", "not stated"),
)
