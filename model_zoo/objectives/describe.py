"""Describe: the meaning of what could be said of an image, as a point among all descriptions."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from isocortex.errors import InputError
from isocortex.registry import objective
from isocortex.training import Batch, Diet, Objective

Words = tuple[str, ...]
Bounds = npt.NDArray[np.float32]

_WORDS: Final[Mapping[str, Words]] = {
    "size": ("small", "medium", "large"),
    "contrast": ("faint", "clear", "strong"),
    "y": ("top", "middle", "bottom"),
    "x": ("left", "centre", "right"),
    "angle": ("anticlockwise", "upright", "clockwise"),
    "frequency": ("coarse", "even", "fine"),
}
"""What is said of a latent, from its lowest to its highest values, in the order it is said."""
_OF_DARK_OR_BRIGHT: Final[Words] = ("black", "dark", "bright", "white")
"""What is said of a contrast instead where it is below 0 as well."""


@objective(
    name="describe",
    summary="the meaning of a description of the image in words",
    term="describe",
    needs=("labels", "latents"),
    offers=("loss", "output-error", "targets"),
    options={"dimensions": 16},
    source="Doerig et al. 2025, Nat Mach Intell; meanings: Deerwester et al. 1990, "
    "J Am Soc Inf Sci 41:391",
    bibtex="""@article{doerig2025high,
  author = {Doerig, Adrien and Kietzmann, Tim C. and Allen, Emily and Wu, Yihan and Naselaris,
    Thomas and Kay, Kendrick and Charest, Ian},
  title = {High-level visual representations in the human brain are aligned with large language
    models},
  journal = {Nature Machine Intelligence},
  year = {2025}
}""",
)
def describe(diet: Diet, *, dimensions: int) -> Objective:
    """One minus the cosine to the meaning of a caption, as "small white top left upright disc".

    Captions are made of the category and of words for the latents, each as often as the others.
    Their meanings are from latent semantic analysis of all captions to train on, where the paper
    asks a language model about what people wrote. Raises InputError where no latent has words, and
    where captions have too few words for the `dimensions`.
    """
    return _Describe(_Captions(diet), diet, dimensions)


class _Captions:
    """What is said of images: names of categories, and words for bins of latents."""

    def __init__(self, diet: Diet) -> None:
        latents = diet.train.latents
        self.categories = np.array(diet.categories)
        self.spoken = {name: _spoken(name, latents[name]) for name in _WORDS if name in latents}
        if not self.spoken:
            raise InputError(
                f"there are no words for any of {', '.join(latents) or 'no latents'}; there are "
                f"for {', '.join(_WORDS)}"
            )

    def of(
        self, labels: npt.NDArray[np.intp], latents: Mapping[str, npt.NDArray[np.float32]]
    ) -> list[str]:
        """A caption for each image."""
        said = [
            words[np.searchsorted(bounds, latents[name])]
            for name, (words, bounds) in self.spoken.items()
        ]
        return [" ".join(each) for each in zip(*said, self.categories[labels], strict=True)]


def _spoken(name: str, values: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.str_], Bounds]:
    """The words for a latent, and where one ends and the next begins: each is said as often."""
    signed = name == "contrast" and values.min() < 0
    words = _OF_DARK_OR_BRIGHT if signed else _WORDS[name]
    bounds = np.quantile(values, np.arange(1, len(words)) / len(words))
    return np.array(words), bounds.astype(np.float32)


class _Describe(Objective):
    def __init__(self, captions: _Captions, diet: Diet, dimensions: int) -> None:
        assert diet.train.labels is not None  # the card needs them
        self.captions = captions
        self.dimensions = dimensions
        self._meanings = _meanings(captions.of(diet.train.labels, diet.train.latents), dimensions)

    def head(self, width: int) -> nn.Module:
        return nn.Linear(width, self.dimensions)

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        return 1 - functional.cosine_similarity(outputs, self.targets(batch)).mean()

    def targets(self, batch: Batch) -> Tensor:
        assert batch.labels is not None  # the card needs them
        latents = {name: each.cpu().numpy() for name, each in batch.latents.items()}
        captions = self.captions.of(batch.labels.cpu().numpy(), latents)
        return torch.from_numpy(self._meanings.transform(captions)).to(batch.images)


def _meanings(captions: Sequence[str], dimensions: int) -> Any:
    """What turns captions into unit vectors, (caption, dimension)."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import Normalizer

    counted = TfidfVectorizer(analyzer=str.split)  # also words of one sign
    words = counted.fit_transform(captions)
    if words.shape[1] <= dimensions:
        raise InputError(f"captions of {words.shape[1]} words have no {dimensions} dimensions")
    # "arpack" is exact, and begins from the same vector each time
    reduced = TruncatedSVD(dimensions, algorithm="arpack", random_state=0).fit(words)
    return make_pipeline(counted, reduced, Normalizer(copy=False))
