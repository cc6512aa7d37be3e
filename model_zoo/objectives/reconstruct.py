"""Reconstruct: give the image back, from itself or from a noisy version of it."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from isocortex.registry import objective
from isocortex.training import Batch, Diet, Objective

from ._heads import decoder


@objective(
    variants={
        "autoencode": {
            "summary": "give the image back",
            "options": {"noise": 0.0},
            "source": "Hinton & Salakhutdinov 2006, Science 313:504",
            "bibtex": """@article{hinton2006reducing,
  author = {Hinton, Geoffrey E. and Salakhutdinov, Ruslan R.},
  title = {Reducing the dimensionality of data with neural networks},
  journal = {Science},
  volume = {313},
  number = {5786},
  pages = {504--507},
  year = {2006},
  doi = {10.1126/science.1127647}
}""",
        },
        "denoise": {
            "summary": "give the image back from a noisy one",
            "options": {"noise": 0.5},
            "source": "Vincent et al. 2008, ICML, doi:10.1145/1390156.1390294",
            "bibtex": """@inproceedings{vincent2008extracting,
  author = {Vincent, Pascal and Larochelle, Hugo and Bengio, Yoshua and Manzagol, Pierre-Antoine},
  title = {Extracting and composing robust features with denoising autoencoders},
  booktitle = {International Conference on Machine Learning},
  pages = {1096--1103},
  year = {2008},
  doi = {10.1145/1390156.1390294}
}""",
        },
    },
    term="reconstruct",
    offers=("loss", "output-error", "targets"),
)
def reconstruct(diet: Diet, *, noise: float) -> Objective:
    """The mean squared error of pixels, decoded linearly from the embedding.

    `noise` is the standard deviation of Gaussian noise on the inputs, whose spread is about 1;
    Vincent et al. set pixels to 0 instead.
    """
    return _Reconstruct(diet.image_size, noise)


class _Reconstruct(Objective):
    def __init__(self, image_size: tuple[int, int], noise: float) -> None:
        self.image_size = image_size
        self.noise = noise

    def head(self, width: int) -> nn.Module:
        return decoder(width, self.image_size)

    def inputs(self, batch: Batch, generator: torch.Generator) -> Tensor:
        if not self.noise:
            return batch.images
        noise = torch.randn(batch.images.shape, generator=generator).to(batch.images)
        return batch.images + self.noise * noise

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        return functional.mse_loss(outputs, self.targets(batch))

    def targets(self, batch: Batch) -> Tensor:
        return batch.images.flatten(1)
