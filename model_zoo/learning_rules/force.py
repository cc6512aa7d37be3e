"""FORCE: a readout is kept right from the first moment on, while the network hears it."""

from typing import Protocol, cast

import torch
from torch import Tensor, nn

from isocortex.errors import IncompatibleError
from isocortex.registry import learning_rule
from isocortex.training import Batch, FilmNetwork, Learner, Memory, Network, Objective


@learning_rule(
    name="force",
    summary="recursive least squares on the readout of a reservoir, which hears what it says",
    term="force",
    mechanism="local",
    needs=("loss", "targets", "reservoir"),
    options={"ridge": 1.0},
    source="Sussillo & Abbott 2009, Neuron 63:544, eqs. 3–5",
    bibtex="""@article{sussillo2009generating,
  author = {Sussillo, David and Abbott, L. F.},
  title = {Generating coherent patterns of activity from chaotic neural networks},
  journal = {Neuron},
  volume = {63},
  number = {4},
  pages = {544--557},
  year = {2009},
  doi = {10.1016/j.neuron.2009.07.018}
}""",
)
def force(network: Network, objective: Objective, *, ridge: float) -> Learner:
    """A learner that closes the reservoir's loop by the objective's head, which must be linear.

    `ridge` is the paper's α. All films of a batch run side by side and teach one readout, each at
    every frame, and its bias as the weight of a unit that always answers 1; the paper runs one. The
    network hears what the readout said before it learned. Sums are kept at double precision. The
    optimiser's step is undone: the weights are those of least squares. Raises IncompatibleError for
    a head that is not linear.
    """
    return _Force(network, objective, ridge)


class _Closable(Protocol):
    def close_loop(self, readout: nn.Linear) -> None: ...


class _Force(Learner):
    readout: Tensor
    precision: Tensor

    def __init__(self, network: Network, objective: Objective, ridge: float) -> None:
        super().__init__(network, objective)
        if not isinstance(self.head, nn.Linear):
            raise IncompatibleError(
                f"force teaches a linear readout, but the objective's head is a "
                f"{type(self.head).__name__}; choose another objective, such as categorise"
            )
        cast(_Closable, network).close_loop(self.head)
        inverse = torch.eye(network.width + 1, dtype=torch.float64) / ridge
        self.register_buffer("precision", inverse)
        start = torch.zeros(network.width + 1, self.head.out_features, dtype=torch.float64)
        self.register_buffer("readout", start)
        self.after_update()

    @torch.no_grad()
    def step(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """Leave −Δw of all frames in the readout's weights."""
        targets = self.objective.targets(batch)
        network = cast(FilmNetwork, self.network)
        film = network.film(self.objective.inputs(batch, generator))
        before = self.readout.clone()
        said = self.follow(film, targets.expand(film.shape[1], *targets.shape))
        change = (before - self.readout).to(said).T
        self.network.get_submodule("blocks.readout").weight.grad = change[:, :-1].contiguous()
        self.network.get_submodule("blocks.readout").bias.grad = change[:, -1].contiguous()
        return self.objective.loss(said, batch)

    def follow(self, film: Tensor, targets: Tensor) -> Tensor:
        """Learn targets (time, film, output) during films; what is said at last, (film, output)."""
        network, memory = cast(FilmNetwork, self.network), cast(Memory, ())
        for frame, target in zip(film.unbind(1), targets, strict=True):
            rates, memory = network.advance(frame, memory)
            said = self._learned(rates, target).to(rates)
            memory = (memory[0], said)
        return said

    def _learned(self, rates: Tensor, target: Tensor) -> Tensor:
        """What the readout says of rates, before it learns the targets for them."""
        seen = torch.cat([rates, torch.ones_like(rates[:, :1])], dim=1).to(self.precision)
        said = seen @ self.readout
        spread = seen @ self.precision
        among = torch.eye(len(seen)).to(seen) + spread @ seen.T
        gain = torch.linalg.solve(among, spread)
        self.precision -= spread.T @ gain
        self.readout -= gain.T @ (said - target)
        return said

    @torch.no_grad()
    def after_update(self) -> None:
        assert isinstance(self.head, nn.Linear)
        self.head.weight.copy_(self.readout[:-1].T)
        self.head.bias.copy_(self.readout[-1])
