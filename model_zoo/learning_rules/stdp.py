"""Spike-timing-dependent plasticity: what fires before a cell is strengthened, what after weakened.

A synapse and its two cells need no more than two traces: each spike leaves one that fades, and the
spike on the other side reads it. So the rule is local and works while spikes come.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import exp

import torch
from torch import Tensor, nn
from torch.nn import functional

from isocortex.errors import IncompatibleError
from isocortex.registry import learning_rule
from isocortex.training import Batch, Learner, Network, Objective

from ._patches import Layer, patches, require_plain
from ._rerouted import Kept


@dataclass(frozen=True)
class Window:
    """What a pair of spikes does, by how many steps Δt the cell fires after its input.

    It is `potentiation` · exp(−Δt / `rise`) where Δt > 0, and −`depression` · exp(Δt / `fall`)
    where Δt < 0. Inputs of a step come half a step before the cell's spike in it.
    """

    potentiation: float
    depression: float
    rise: float
    fall: float


@learning_rule(
    variants={
        "stdp": {
            "summary": "spike-timing-dependent plasticity, alike for strong and weak synapses",
            "options": {"multiplicative": False},
        },
        "stdp-multiplicative": {
            "summary": "spike-timing-dependent plasticity, the less the nearer to its bound",
            "options": {"multiplicative": True},
            "source": "van Rossum, Bi & Turrigiano 2000, J Neurosci 20:8812; Rubin, Lee & "
            "Sompolinsky 2001, Phys Rev Lett 86:364",
        },
    },
    term="stdp",
    mechanism="local",
    needs=("no-loss", "spiking"),
    source="Bi & Poo 1998, J Neurosci 18:10464; Song, Miller & Abbott 2000, Nat Neurosci 3:919",
    bibtex="""@article{song2000competitive,
  author = {Song, Sen and Miller, Kenneth D. and Abbott, L. F.},
  title = {Competitive {H}ebbian learning through spike-timing-dependent synaptic plasticity},
  journal = {Nature Neuroscience},
  volume = {3},
  number = {9},
  pages = {919--926},
  year = {2000},
  doi = {10.1038/78829}
}""",
)
def stdp(network: Network, objective: Objective, *, multiplicative: bool) -> Learner:
    """A learner of all pairs of spikes, with the `Window` of Song et al. in steps of 10 ms.

    A synapse excites by 0 to 2 · b, and each input inhibits by b, which is fixed: so weights stay
    within ±b, where b is the layer's strongest weight at birth. Additive changes are cut off at the
    bounds, multiplicative ones are in proportion to the distance from the bound they go towards.
    Biases stay. Deviations: at each place only the first cell to fire learns (Masquelier & Thorpe
    2007, PLoS Comput Biol 3:e31), or all cells would become alike; nothing keeps their rates, which
    drift; weights shared over space learn from the mean of all places; the shared optimiser scales
    changes. Raises IncompatibleError for a block of more than one layer of synapses.
    """
    window = Window(potentiation=1.0, depression=1.05, rise=2.0, fall=2.0)
    return _STDP(network, objective, window, multiplicative=multiplicative)


class Pairs:
    """All pairs of an input's and a cell's spikes, weighed by the window, while time goes on."""

    strengthen: Tensor
    """How much they potentiate each synapse, (cell, input), as a mean over samples."""
    weaken: Tensor
    """How much they depress it, of the same shape."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self._traces: tuple[Tensor, Tensor] | None = None

    def add(self, inputs: Tensor, cells: Tensor) -> None:
        """The spikes of the next time step, (sample, input) and (sample, cell)."""
        if self._traces is None:
            self._traces = torch.zeros_like(inputs), torch.zeros_like(cells)
            self.strengthen = self.weaken = inputs.new_zeros(cells.shape[1], inputs.shape[1])
        window = self.window
        before = self._traces[0] * exp(-1 / window.rise) + inputs
        after = self._traces[1] * exp(-1 / window.fall)
        gained = window.potentiation * exp(-0.5 / window.rise) * cells.T @ before
        lost = window.depression * exp(0.5 / window.fall) * after.T @ inputs
        self.strengthen = self.strengthen + gained / len(inputs)
        self.weaken = self.weaken + lost / len(inputs)
        self._traces = before, after + cells


class _STDP(Learner):
    def __init__(
        self, network: Network, objective: Objective, window: Window, *, multiplicative: bool
    ) -> None:
        super().__init__(network, objective)
        self.window, self.multiplicative = window, multiplicative
        self.bounds = Kept(
            {n: each.weight.detach().abs().max() for n, each in _synapses(network).items()}
        )

    def taught(self) -> dict[str, nn.Parameter]:
        weights = {id(each.weight) for each in _synapses(self.network).values()}
        return {name: each for name, each in self.named_parameters() if id(each) in weights}

    @torch.no_grad()
    def step(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """Leave −Δw in the synapses; 0, as there is no loss."""
        bounds = self.bounds.tensors()
        with _listening(self.network, self.window) as ears:
            self.network(self.objective.inputs(batch, generator))
        for name, layer in _synapses(self.network).items():
            change = self._change(layer.weight.flatten(1) / bounds[name], ears[name].pairs)
            layer.weight.grad = -change.view_as(layer.weight)
        return torch.zeros(())

    def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """0, whatever the weights are: the credit audit finds no gradient to compare with."""
        return sum((each.sum() * 0 for each in self.taught().values()), torch.zeros(()))

    def after_update(self) -> None:
        for name, layer in _synapses(self.network).items():
            bound = self.bounds.tensors()[name]
            layer.weight.clamp_(-bound, bound)

    def _change(self, strength: Tensor, pairs: Pairs) -> Tensor:
        """Δw of synapses (cell, input) whose strength is from −1 to 1."""
        if not self.multiplicative:
            return pairs.strengthen - pairs.weaken
        return ((1 - strength) * pairs.strengthen - (1 + strength) * pairs.weaken) / 2


def _synapses(network: Network) -> dict[str, Layer]:
    """The layer of synapses of each block that has one, by the block's name."""
    found: dict[str, Layer] = {}
    for name, block in network.blocks.items():
        layers = [each for each in block.modules() if isinstance(each, (nn.Linear, nn.Conv2d))]
        if len(layers) > 1:
            raise IncompatibleError(
                f"{name} has {len(layers)} layers of synapses; stdp pairs what comes into a block "
                "with what it fires, so it expects one, as in lif3"
            )
        if layers:
            require_plain(name, layers[0])
            found[name] = layers[0]
    return found


class _Ear:
    """What one block hears and fires while a network answers, as pairs of spikes."""

    def __init__(self, window: Window) -> None:
        self.pairs = Pairs(window)
        self._winners: Tensor | None = None

    def hear(self, layer: Layer, inputs: tuple[Tensor, ...], drive: Tensor) -> None:
        self._heard, self._drive = patches(layer, inputs[0]).flatten(0, 1), _by_place(drive)

    def pair(self, block: nn.Module, inputs: tuple[Tensor | None], spikes: Tensor) -> None:
        if inputs[0] is None:  # what is told are rates
            return
        fired = _by_place(spikes)
        before = torch.zeros_like(fired) if self._winners is None else self._winners
        self._winners = first_to_fire(before, fired, self._drive)
        self.pairs.add(self._heard, fired * self._winners)


def first_to_fire(before: Tensor, fired: Tensor, drive: Tensor) -> Tensor:
    """1 for the cell that has won and 0 for others, (place, cell); a place's winner stays.

    Of cells that fire first at once, the one that is driven most has won.
    """
    strongest = torch.where(fired > 0, drive, -torch.inf).argmax(1)
    first = fired * functional.one_hot(strongest, fired.shape[1])
    return torch.where(before.sum(1, keepdim=True) > 0, before, first)


def _by_place(answer: Tensor) -> Tensor:
    """Answers (image, cell) or maps (image, channel, row, column) as (place, cell)."""
    return answer.flatten(2).transpose(1, 2).flatten(0, 1) if answer.ndim == 4 else answer


@contextmanager
def _listening(network: Network, window: Window) -> Iterator[dict[str, _Ear]]:
    """What is heard in each block with synapses, while this is open."""
    layers = _synapses(network)
    ears = {name: _Ear(window) for name in layers}
    with ExitStack() as hooks:
        for name, ear in ears.items():
            hooks.callback(layers[name].register_forward_hook(ear.hear).remove)
            hooks.callback(network.blocks[name].register_forward_hook(ear.pair).remove)
        yield ears
