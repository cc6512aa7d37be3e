"""Negative images: what can be foretold from one's own commands is subtracted from a sense."""

from typing import cast

import torch
from torch import Tensor, nn

from isocortex.errors import IncompatibleError
from isocortex.registry import learning_rule
from isocortex.training import Batch, FilmNetwork, Learner, Network, Objective


@learning_rule(
    name="negative-image",
    summary="anti-Hebbian: inputs that tell of own commands come to cancel what follows those",
    term="negative-image",
    mechanism="local",
    needs=("no-loss", "sequence", "corollary-discharge"),
    source="Bell et al. 1997, Nature 387:278; as a model: Kennedy et al. 2014, Nat Neurosci 17:416",
    bibtex="""@article{bell1997synaptic,
  author = {Bell, Curtis C. and Han, Victor Z. and Sugawara, Yoshiko and Grant, Kirsty},
  title = {Synaptic plasticity in a cerebellum-like structure depends on temporal order},
  journal = {Nature},
  volume = {387},
  pages = {278--281},
  year = {1997},
  doi = {10.1038/387278a0}
}""",
)
def negative_image(network: Network, objective: Objective) -> Learner:
    """A learner of Δw = −⟨p g⟩ of principal cells p and granule cells g, over films and times.

    It is taught to the block `parallel`, from granule to principal cells; others stay as they are.
    Activity is counted from that at rest, so the paper's potentiation without pairing is in p. The
    rule is the gradient of ½⟨p²⟩, its loss, and comes to rest where g tells nothing more of p:
    w = −⟨x gᵀ⟩⟨g gᵀ⟩⁻¹ of what the afferents x bring.
    """
    return _NegativeImage(network, objective)


class _NegativeImage(Learner):
    network: FilmNetwork

    def __init__(self, network: Network, objective: Objective) -> None:
        super().__init__(network, objective)
        parallel = dict(network.blocks.items()).get("parallel")
        if not isinstance(network, FilmNetwork) or not isinstance(parallel, nn.Linear):
            raise IncompatibleError(
                "the network has no block `parallel` of nn.Linear from granule to principal cells; "
                "choose cerebellum-like"
            )

    @property
    def parallel(self) -> nn.Linear:
        """From granule to principal cells."""
        return cast(nn.Linear, self.network.blocks["parallel"])

    def taught(self) -> dict[str, nn.Parameter]:
        name = "network.blocks.parallel.weight"
        return {name: self.get_parameter(name)}

    @torch.no_grad()
    def step(self, batch: Batch, generator: torch.Generator) -> Tensor:
        granules: list[Tensor] = []
        hook = self.parallel.register_forward_pre_hook(lambda _, given: granules.append(given[0]))
        principal = self._answers(batch)
        hook.remove()
        before = torch.cat(granules)
        self.parallel.weight.grad = principal.T @ before / len(before)
        return _energy(principal)

    def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        return _energy(self._answers(batch))

    def _answers(self, batch: Batch) -> Tensor:
        """What principal cells say at each time to each film, (time · film, cell)."""
        assert batch.sequence is not None  # the card needs it
        return self.network.states(batch.sequence).flatten(0, 1)


def _energy(principal: Tensor) -> Tensor:
    return principal.square().sum(dim=1).mean() / 2
