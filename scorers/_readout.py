"""Linear readout: the category that a side assigns to stimuli which its readout never saw.

The readout sees the responses through their Gram matrix, here called the kernel, since the weights
of a penalised linear readout are sums of the training stimuli. All categories count as equally
frequent. Where some are not, a readout of noise would name the most frequent one, and the one that
a fold happens to hold less of; both readouts of two unrelated sides would, and so seem to agree.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.sparse.linalg import LinearOperator, cg
from scipy.special import softmax

from isocortex.errors import IncompatibleError, InputError
from isocortex.geometry import Array, Positions, Side
from isocortex.responses import Choices, Responses
from isocortex.splits import Split

from ._gram import centred_kernel
from ._spectrum import LeaveOneOut, centred_on, penalty_grid, spectrum

FOLDS: Final = 5
"""A stimulus is read out by what was trained on the other four fifths, or more of few stimuli."""

FoldKernel = tuple[Split, Array, Array]
"""A split, the kernel of its training stimuli (F, F), and that of the held-out ones (H, F)."""


@dataclass(frozen=True)
class Task:
    """Categories to tell apart, and the stimuli on which that can be tested.

    `positions` (n,) of the stimuli, category by category and in an order that follows from their
    ids alone. All else is in that order, in which a side is selected for each function here:
    `truth` (n,) is each one's category as an index of `names`, `starts` where each category begins,
    and `splits` hold every stimulus out once.
    """

    names: tuple[str, ...]
    positions: Positions
    truth: Positions
    starts: Positions
    splits: tuple[Split, ...]

    @property
    def indicators(self) -> Array:
        """1 for the category of each stimulus, 0 for all others: (stimulus, category)."""
        return np.eye(len(self.names))[self.truth]


def task_of(ids: Sequence[str], categories: Mapping[str, str]) -> Task:
    """The task of telling apart the categories of these stimuli.

    A stimulus that is the only one of its category is left out: nothing else could teach what it
    is. Folds are balanced over the categories. Raises InputError where a stimulus has no category
    or fewer than two categories have two stimuli.
    """
    members: dict[str, list[int]] = {}
    for position in sorted(range(len(ids)), key=ids.__getitem__):
        if ids[position] not in categories:
            raise InputError(f"stimulus {ids[position]!r} has no category; give one to each")
        members.setdefault(categories[ids[position]], []).append(position)
    shared = {name: members[name] for name in sorted(members) if len(members[name]) > 1}
    if len(shared) < 2:
        raise InputError(
            f"{len(shared)} of the {len(members)} categories of {len(ids)} stimuli have two "
            "stimuli or more; to tell categories apart takes two such"
        )
    generator = np.random.default_rng(0)  # so that neighbours by id do not always part alike
    positions = np.concatenate([generator.permutation(each) for each in shared.values()])
    sizes = [len(each) for each in shared.values()]
    return Task(
        names=tuple(shared),
        positions=positions,
        truth=np.repeat(np.arange(len(sizes)), sizes),
        starts=np.cumsum([0, *sizes[:-1]]),
        splits=_folds(len(positions)),
    )


def _folds(stimuli: int) -> tuple[Split, ...]:
    """Every fifth stimulus is a fold: of sorted categories each fold holds its share."""
    fold = np.arange(stimuli) % FOLDS
    held = [fold == each for each in range(min(FOLDS, stimuli))]
    return tuple(Split(np.flatnonzero(~each), np.flatnonzero(each)) for each in held)


def chosen_shares(side: Choices, task: Task, whose: str) -> Array:
    """How often an observer called each stimulus each category, as shares: (stimulus, category).

    Choices beside the categories are errors: without them a row sums to less than 1. Raises
    InputError where a category could not be chosen.
    """
    missing = sorted(set(task.names) - set(side.choices))
    if missing:
        raise InputError(
            f"{whose} chose among {', '.join(side.choices)}, which does not name the category "
            f"{missing[0]!r} of the stimuli: give choices and categories the same names"
        )
    shares: Array = side.shares[:, [side.choices.index(name) for name in task.names]]
    return shares


def decisions(side: Side, task: Task, whose: str) -> Array:
    """The category that ridge reads out of each held-out stimulus: 1, or less each where they tie.

    (stimulus, category), rows summing to 1. Cost and errors are those of `ridge_margins`.
    """
    margins = ridge_margins(side, task, whose)
    largest = margins >= margins.max(axis=1, keepdims=True) - 1e-12
    shares: Array = largest / largest.sum(axis=1, keepdims=True)
    return shares


def ridge_margins(side: Side, task: Task, whose: str) -> Array:
    """The evidence of ridge for each category of each held-out stimulus: (stimulus, category).

    1 for a stimulus's category and −1 for the others are regressed on the responses. Of 21
    penalties, one for all categories, it takes that of the least squared error when each training
    stimulus is left out in turn: scikit-learn's RidgeClassifierCV. The evidence for a category is
    the deviation from its mean in units of its standard deviation, which leaves out how frequent it
    is. Cost: an eigendecomposition of (n, n) for each fold. Raises as `centred_kernel` does.
    """
    kernel = centred_kernel(side, whose)
    penalties = penalty_grid(kernel)
    targets = 2 * task.indicators - 1
    margins = np.empty_like(targets)
    for split, within, across in _fold_kernels(kernel, task):
        margins[split.test] = _ridge(within, across, targets[split.train], penalties)
    return margins


def _ridge(within: Array, across: Array, targets: Array, penalties: Array) -> Array:
    """The evidence (H, category) under the penalty of the least leave-one-out error."""
    if not within.any():  # all training stimuli are answered alike
        return np.zeros((len(across), targets.shape[1]))
    fits = LeaveOneOut.of(within, targets)
    evidence: Array = fits.predicted(across, fits.best(penalties)) / targets.std(axis=0)
    return evidence


def probabilities(
    side: Side, task: Task, whose: str, *, penalty: float, standardised: bool
) -> Array:
    """The probability of each category for each held-out stimulus: (stimulus, category).

    Multinomial logistic regression with a free intercept, trained on the other folds, whose base
    rates are divided out. The penalty on ½‖w‖² is `penalty` times the mean squared norm of a
    stimulus, each unit centred; or, if `standardised`, `penalty` itself on units that each have
    mean 0 and variance 1 over the training stimuli. Cost: for each fold an eigendecomposition of
    (n, n) and some 50 products with (n, category). Raises InputError as `centred_kernel` does and
    for a penalty that is not positive, IncompatibleError to standardise where no units are known.
    """
    if not penalty > 0:
        raise InputError(f"the penalty of the readout is {penalty}; give a positive one")
    if standardised:
        folds, strength = _standardised_kernels(side, task, whose), penalty
    else:
        kernel = centred_kernel(side, whose)
        folds, strength = _fold_kernels(kernel, task), penalty * np.trace(kernel) / len(kernel)
    targets = task.indicators
    shares = np.empty_like(targets)
    for split, within, across in folds:
        shares[split.test] = _logistic(within, across, targets[split.train], strength)
    return shares


def _fold_kernels(kernel: Array, task: Task) -> Iterator[FoldKernel]:
    """Each fold's kernel, centred on its training stimuli; of all stimuli (n, n) is given."""
    for split in task.splits:
        yield split, *centred_on(kernel, split.train, split.test)


def _standardised_kernels(side: Side, task: Task, whose: str) -> Iterator[FoldKernel]:
    """Each fold's kernel of units standardised on its training stimuli; constant ones are left."""
    if not isinstance(side, Responses):
        raise IncompatibleError(f"units can't be standardised: those of {whose} are not known")
    if side.is_constant:
        raise InputError(f"{whose} answers alike to all stimuli: there is nothing to read out")
    for split in task.splits:
        training = side.values[split.train]
        mean, spread = training.mean(axis=0), training.std(axis=0)
        spread[spread <= 1e-12 * np.abs(mean)] = np.inf
        features = (training - mean) / spread
        held = (side.values[split.test] - mean) / spread
        yield split, features @ features.T, held @ features.T


def _logistic(within: Array, across: Array, targets: Array, penalty: float) -> Array:
    """Probabilities (H, category) after training on `targets` (F, category), which are 0 or 1."""
    values, vectors = spectrum(within)
    features = np.column_stack([vectors * np.sqrt(values), np.ones(len(within))])
    penalties = np.append(np.full(len(values), penalty), 0.0)
    # Units of the weights in which no curvature exceeds 1 (Böhning 1992, Ann Inst Stat Math
    # 44:197): conjugate gradients then take few steps, whatever the spectrum.
    scale = 1 / np.sqrt(penalties + (features**2).sum(axis=0) / 2)
    weights = _newton(features * scale, targets, (penalties * scale**2)[:, None])
    errors = targets - softmax(features * scale @ weights, axis=1)
    # At the optimum the weights are Fᵀ(y − p)/λ, so that new stimuli need their kernel alone.
    evidence = across @ errors / penalty + scale[-1] * weights[-1]
    return np.asarray(softmax(evidence - np.log(targets.mean(axis=0)), axis=1))


def _newton(features: Array, targets: Array, penalties: Array) -> Array:
    """The weights (feature, category) of the least penalised cross-entropy, to rounding."""
    weights = np.zeros((features.shape[1], targets.shape[1]))
    for _ in range(100):
        shares = softmax(features @ weights, axis=1)
        gradient = features.T @ (shares - targets) + penalties * weights
        if np.linalg.norm(gradient) <= 1e-11:
            return weights
        step = _newton_step(features, shares, penalties, gradient)
        # At most u is added to the evidence for one category over another. A step shortened to
        # log(1 + u)/u of its length descends (Bach 2010, Electron J Stat 4:384).
        added = float(np.ptp(features @ step, axis=1).max())
        weights -= np.log1p(added) / added * step
    raise InputError("the readout does not converge; give a larger penalty")


def _newton_step(features: Array, shares: Array, penalties: Array, gradient: Array) -> Array:
    """The gradient (feature, category) over the curvature, by conjugate gradients."""

    def curve(flat: Array) -> Array:
        direction = flat.reshape(gradient.shape)
        change = shares * (features @ direction)
        change -= shares * change.sum(axis=1, keepdims=True)
        return np.ravel(features.T @ change + penalties * direction)

    curvature = LinearOperator((gradient.size, gradient.size), matvec=curve, dtype=np.float64)
    accuracy = min(0.1, float(np.linalg.norm(gradient)))
    # Not below rounding: no step changes all categories' intercepts alike.
    step, _ = cg(curvature, gradient.ravel(), rtol=accuracy, atol=1e-13, maxiter=gradient.size)
    return np.asarray(step).reshape(gradient.shape)
