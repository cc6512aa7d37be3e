"""Dale's law: no unit excites some and inhibits others."""

import torch

from isocortex.registry import constraint
from isocortex.training import Network

from ._weights import weights

_EVERY = 5
"""One unit in so many is inhibitory: about the share in cortex."""


@constraint(
    name="dale",
    summary="weights whose sign would change become 0, where the architecture says which sign",
    needs=("signed",),
    offers=("dale",),
    source="Cornford et al. 2021, ICLR",
    bibtex="""@inproceedings{cornford2021learning,
  author = {Cornford, Jonathan and Kalajdzievski, Damjan and Leite, Marco and Lamarquette,
    Am{\\'e}lie and Kullmann, Dimitri M. and Richards, Blake A.},
  title = {Learning to live with {Dale}'s principle: {ANNs} with separate excitatory and inhibitory
    units},
  booktitle = {International Conference on Learning Representations},
  year = {2021}
}""",
)
def dale(network: Network) -> None:
    """Clip the parameters in the `signs` (name to 1 or -1) of the network's modules."""
    for module in network.modules():
        for name, sign in getattr(module, "signs", {}).items():
            parameter = module.get_parameter(name)
            parameter.copy_(sign * (sign * parameter).clamp(min=0))


@constraint(
    name="sign-clip",
    summary="every fifth input inhibits and all others excite: Dale's law without its remedies",
    offers=("dale",),
    source="Song, Yang & Wang 2016, PLoS Comput Biol 12:e1004792; as the control ColEI of Cornford "
    "et al. 2021, ICLR",
    bibtex="""@article{song2016training,
  author = {Song, H. Francis and Yang, Guangyu R. and Wang, Xiao-Jing},
  title = {Training Excitatory-Inhibitory Recurrent Neural Networks for Cognitive Tasks: A Simple
    and Flexible Framework},
  journal = {PLoS Computational Biology},
  volume = {12},
  number = {2},
  pages = {e1004792},
  year = {2016},
  doi = {10.1371/journal.pcbi.1004792}
}""",
)
def clip_signs(network: Network) -> None:
    """Clip all weights to the sign of their input, counted along the second dimension.

    In grouped convolutions an input is counted within its group.
    """
    for weight in weights(network):
        signs = torch.ones(weight.shape[1], device=weight.device)
        signs[_EVERY - 1 :: _EVERY] = -1
        signs = signs.reshape(1, -1, *(1,) * (weight.ndim - 2))
        weight.copy_(signs * (signs * weight).clamp(min=0))
