"""Predictive coding: values settle between predictions, and weights learn from what is left over.

Each block predicts the value of its output from the value of its input; an error is a value minus
its prediction. Values follow the gradient of the free energy F = ½ Σ ‖error‖² + cost, and weights
then follow it too. The cost is the objective's loss of the head's prediction, summed over images.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from isocortex.registry import learning_rule
from isocortex.training import Batch, Learner, Network, Objective

from ._chain import Cut, backward, cut, judged, links, statistics_kept

Cost = Callable[[Tensor], Tensor]


@learning_rule(
    name="predictive-coding",
    summary="predictive coding: values relax in 20 steps, then weights learn locally",
    term="predictive-coding",
    mechanism="relax",
    needs=("loss", "chain"),
    options={"steps": 20, "rate": 0.5, "precision": 1.0},
    source="Whittington & Bogacz 2017, Neural Comput 29:1229",
    bibtex="""@article{whittington2017approximation,
  author = {Whittington, James C. R. and Bogacz, Rafal},
  title = {An approximation of the error backpropagation algorithm in a predictive coding network
    with local {H}ebbian synaptic plasticity},
  journal = {Neural Computation},
  volume = {29},
  number = {5},
  pages = {1229--1262},
  year = {2017},
  doi = {10.1162/NECO_a_00949}
}""",
)
def predictive_coding(
    network: Network, objective: Objective, *, steps: int, rate: float, precision: float
) -> Learner:
    """A learner whose values relax from the first pass, while predictions follow them.

    `precision` weighs the cost against the errors within: the inverse variance of outputs in the
    paper. As it goes to 0 the rule goes to the gradient. At 1 small errors do not suffice for that:
    (1 + JJᵀ)⁻¹ turns even those. Blocks are any functions, where the paper has W f(x).
    """
    return _Strict(network, objective, steps=steps, rate=rate, precision=precision)


@learning_rule(
    name="predictive-coding-fixed",
    summary="predictive coding about the predictions of the first pass, which is backpropagation",
    term="predictive-coding",
    mechanism="relax",
    needs=("loss", "chain"),
    options={"steps": 0, "rate": 1.0},
    source="Millidge, Tschantz & Buckley 2022, Neural Comput 34:1329",
    bibtex="""@article{millidge2022predictive,
  author = {Millidge, Beren and Tschantz, Alexander and Buckley, Christopher L.},
  title = {Predictive coding approximates backprop along arbitrary computation graphs},
  journal = {Neural Computation},
  volume = {34},
  number = {6},
  pages = {1329--1368},
  year = {2022},
  doi = {10.1162/neco_a_01497}
}""",
)
def fixed_prediction(network: Network, objective: Objective, *, steps: int, rate: float) -> Learner:
    """A learner whose errors relax about predictions and Jacobians that are held.

    0 `steps` are as many as blocks and head together; with those and rate 1 the errors are the
    gradient.
    """
    return _FixedPrediction(network, objective, steps=steps, rate=rate)


class _FixedPrediction(Learner):
    def __init__(self, network: Network, objective: Objective, *, steps: int, rate: float) -> None:
        super().__init__(network, objective)
        self.steps, self.rate = steps, rate

    def step(self, batch: Batch, generator: torch.Generator) -> Tensor:
        cuts = cut(links(self), self.objective.inputs(batch, generator))
        loss, credit = judged(self, cuts[-1].after, batch)
        # Errors themselves are kept, not values: value minus prediction cancels in float32.
        errors = [*(torch.zeros_like(each.after) for each in cuts[:-1]), credit]
        for _ in range(self.steps or len(cuts)):
            heard = [above.down(error) for above, error in zip(cuts[1:], errors[1:], strict=True)]
            errors[:-1] = [
                own + self.rate * (from_above - own)
                for own, from_above in zip(errors, heard, strict=False)
            ]
        for each, error in zip(cuts, errors, strict=True):
            each.teach(error)
        return loss


class _Strict(Learner):
    def __init__(
        self,
        network: Network,
        objective: Objective,
        *,
        steps: int,
        rate: float,
        precision: float,
    ) -> None:
        super().__init__(network, objective)
        self.steps, self.rate, self.precision = steps, rate, precision

    def step(self, batch: Batch, generator: torch.Generator) -> Tensor:
        inputs = self.objective.inputs(batch, generator)
        cuts = cut(links(self), inputs)
        loss, _ = judged(self, cuts[-1].after, batch)
        cost = self._cost(batch, len(inputs))
        with statistics_kept(self):
            values, _ = self._relaxed(cuts, cost)
            energy = free_energy(links(self), values, cost)
            whole = torch.ones_like(energy) / (self.precision * len(inputs))
            backward(energy, list(self.taught().values()), whole)
        return loss

    def settling(self, batch: Batch, generator: torch.Generator) -> dict[str, float]:
        """The free energy of an input before and after relaxation."""
        inputs = self.objective.inputs(batch, generator)
        with statistics_kept(self):
            cuts = cut(links(self), inputs)
            _, energies = self._relaxed(cuts, self._cost(batch, len(inputs)))
        first, *_, last = energies
        return {
            "free energy of the first pass": first / len(inputs),
            "free energy at rest": last / len(inputs),
        }

    def _cost(self, batch: Batch, inputs: int) -> Cost:
        weight = self.precision * inputs  # the loss is a mean, F a sum over inputs
        return lambda outputs: weight * self.objective.loss(outputs, batch)

    def _relaxed(self, cuts: Sequence[Cut], cost: Cost) -> tuple[list[Tensor], list[float]]:
        values = [cuts[0].before, *(each.after for each in cuts[:-1])]
        return relaxed(links(self), values, cost, steps=self.steps, rate=self.rate)


def free_energy(modules: Sequence[nn.Module], values: Sequence[Tensor], cost: Cost) -> Tensor:
    """F, a scalar, for the `values` that each of the modules is given."""
    predictions = [module(value) for module, value in zip(modules, values, strict=True)]
    errors = [value - guess for value, guess in zip(values[1:], predictions, strict=False)]
    surprise = sum((error.square().sum() / 2 for error in errors), cost(predictions[-1]))
    return torch.as_tensor(surprise)


def relaxed(
    modules: Sequence[nn.Module],
    values: Sequence[Tensor],
    cost: Cost,
    *,
    steps: int,
    rate: float,
) -> tuple[list[Tensor], list[float]]:
    """Values after descending the free energy, the first of them held, and F after each step.

    F never rises: a rate above 2/(1 + σ²), with σ the largest singular value of a block's Jacobian,
    would diverge (the curvature for one layer of values is 1 + JᵀJ). So a step that would raise F
    is not made and halves the rate.
    """
    held, *free = (each.detach() for each in values)
    free, energy, slopes = _slopes(modules, held, free, cost)
    energies = [energy]
    for _ in range(steps):
        tried = [value - rate * slope for value, slope in zip(free, slopes, strict=True)]
        tried, energy, steeper = _slopes(modules, held, tried, cost)
        if energy <= energies[-1]:
            free, slopes = tried, steeper
        else:
            rate /= 2
        energies.append(min(energy, energies[-1]))
    return [held, *free], energies


def _slopes(
    modules: Sequence[nn.Module], held: Tensor, free: Sequence[Tensor], cost: Cost
) -> tuple[list[Tensor], float, tuple[Tensor, ...]]:
    """Values cut from what made them, F and its gradient: each crosses one block only."""
    free = [each.detach().requires_grad_() for each in free]
    with torch.enable_grad():
        energy = free_energy(modules, [held, *free], cost)
    slopes = torch.autograd.grad(energy, free)
    return [each.detach() for each in free], float(energy.detach()), slopes
