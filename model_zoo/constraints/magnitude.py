"""Constraints on how large weights are."""

import torch

from isocortex.registry import constraint
from isocortex.training import Network

from ._weights import weights


@constraint(
    name="non-negative",
    summary="no weight is negative",
    source="Chorowski & Zurada 2015, IEEE Trans Neural Netw Learn Syst 26:62",
    bibtex="""@article{chorowski2015learning,
  author = {Chorowski, Jan and Zurada, Jacek M.},
  title = {Learning Understandable Neural Networks With Nonnegative Weight Constraints},
  journal = {IEEE Transactions on Neural Networks and Learning Systems},
  volume = {26},
  number = {1},
  pages = {62--69},
  year = {2015},
}""",
)
def clip_negative(network: Network) -> None:
    """Negative weights become 0; biases and gains stay as they are."""
    for weight in weights(network):
        weight.clamp_(min=0)


@constraint(
    name="sparse",
    summary="of each layer's weights only the largest tenth are not 0",
    options={"kept": 0.1},
    source="Blumensath & Davies 2009, Appl Comput Harmon Anal 27:265",
    bibtex="""@article{blumensath2009iterative,
  author = {Blumensath, Thomas and Davies, Mike E.},
  title = {Iterative hard thresholding for compressed sensing},
  journal = {Applied and Computational Harmonic Analysis},
  volume = {27},
  number = {3},
  pages = {265--274},
  year = {2009},
  doi = {10.1016/j.acha.2009.04.002}
}""",
)
def thin(network: Network, *, kept: float) -> None:
    """Weights below the `kept` largest by magnitude become 0; later updates may bring them back."""
    for weight in weights(network):
        fewest = max(1, round(kept * weight.numel()))
        threshold = weight.abs().flatten().topk(fewest).values[-1]
        weight.mul_(weight.abs() >= threshold)


@constraint(
    name="unit-norm",
    summary="each unit's incoming weights have a norm of 1",
    source="Oja 1982, J Math Biol 15:267",
    bibtex="""@article{oja1982simplified,
  author = {Oja, Erkki},
  title = {Simplified neuron model as a principal component analyzer},
  journal = {Journal of Mathematical Biology},
  volume = {15},
  number = {3},
  pages = {267--273},
  year = {1982},
  doi = {10.1007/BF00275687}
}""",
)
def normalise(network: Network) -> None:
    """Weights are divided by their unit's norm; those that are all 0 stay so."""
    for weight in weights(network):
        norms = torch.linalg.vector_norm(weight.flatten(1), dim=1)
        norms = torch.where(norms > 0, norms, 1).reshape(-1, *(1,) * (weight.ndim - 1))
        weight.div_(norms)
