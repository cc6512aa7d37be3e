"""Diets: what a network has seen."""

from typing import Final

from ._terms import Term

DIETS: Final[tuple[Term, ...]] = (
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
)
