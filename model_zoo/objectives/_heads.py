"""Heads that several objectives share."""

import torch
from torch import Tensor, nn
from torch.nn import functional


def projector(width: int, outputs: int, *, hidden: int | None = None) -> nn.Module:
    """Two linear maps with batch normalisation and a rectification between them.

    There are as many `hidden` units as outputs, unless they are told.

    The loss sees its outputs only, so that the embedding may keep what the loss throws away (Chen
    et al. 2020, section 4.2).
    """
    hidden = hidden or outputs
    return nn.Sequential(
        nn.Linear(width, hidden, bias=False),
        nn.BatchNorm1d(hidden),
        nn.ReLU(),
        nn.Linear(hidden, outputs),
    )


class Predicting(nn.Module):
    """A `predictor` on a `projector`; the projection may stand `beside` what is foretold."""

    def __init__(self, projector: nn.Module, predictor: nn.Module, *, beside: bool = False) -> None:
        super().__init__()
        self.projector = projector
        self.predictor = predictor
        self.beside = beside

    def forward(self, embedding: Tensor) -> Tensor:
        """What is foretold, (input, output), or (input, 2 · output) with the projection."""
        projection = self.projector(embedding)
        foretold: Tensor = self.predictor(projection)
        return torch.cat([foretold, projection], dim=1) if self.beside else foretold


class Cosines(nn.Module):
    """The cosines of a projection with `outputs` directions that are learned, its prototypes."""

    def __init__(self, projector: nn.Module, width: int, outputs: int) -> None:
        super().__init__()
        self.projector = projector
        self.prototypes = nn.Linear(width, outputs, bias=False)

    def forward(self, embedding: Tensor) -> Tensor:
        """Numbers from −1 to 1, (input, output)."""
        # Divided after the product, not before, so that rules see the product with the weight.
        products: Tensor = self.prototypes(functional.normalize(self.projector(embedding)))
        lengths: Tensor = self.prototypes.weight.norm(dim=1)
        return products / lengths


def decoder(width: int, image_size: tuple[int, int]) -> nn.Module:
    """One linear map to all pixels, (image, 3 · height · width)."""
    return nn.Linear(width, 3 * image_size[0] * image_size[1])


class Together(nn.Module):
    """A head of several inputs at once: (image · `inputs`, width) to (image, output)."""

    def __init__(self, inputs: int, decode: nn.Module) -> None:
        super().__init__()
        self.inputs = inputs
        self.decode = decode

    def forward(self, embedding: Tensor) -> Tensor:
        """One row of outputs for each image, whose inputs follow each other."""
        outputs: Tensor = self.decode(embedding.reshape(len(embedding) // self.inputs, -1))
        return outputs
