"""Banded ridge: one penalty for each band of features, searched over the bands' shares of a kernel.

A band b with the penalty λ_b enters as the kernel Σ_b γ_b K_b with one penalty λ, λ_b = λ / γ_b
(Dupré la Tour et al. 2022, NeuroImage 264:119728, section 2).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from isocortex.encoding import HeldOut
from isocortex.errors import InputError, MismatchError
from isocortex.geometry import Array, Geometry
from isocortex.splits import Split

from ._nested import Choice, Contest, try_penalties
from ._spectrum import centred_on

CONCENTRATIONS: Final = (0.1, 1.0)
"""Of the Dirichlet distributions drawn from in turn: of few bands, and of all mixtures alike."""


def dirichlet_draws(bands: int, draws: int, *, seed: int) -> Array:
    """Shares γ of the bands, (draw, band): all equal at first, then random ones that sum to 1.

    Equal to himalaya's `generate_dirichlet_samples` of that seed. One band needs one draw. Raises
    InputError if none is asked for.
    """
    if draws < 1:
        raise InputError(f"{draws} draws of the bands' shares; ask for at least 1")
    generator = np.random.RandomState(seed)  # himalaya's, or its draws could not be had
    each = -(-draws // len(CONCENTRATIONS))
    drawn = [generator.dirichlet(np.full(bands, level), each) for level in CONCENTRATIONS]
    shares: Array = np.stack(drawn, axis=1).reshape(-1, bands)[: draws if bands > 1 else 1]
    shares[0] = 1 / bands
    return shares


def unit_kernels(layers: Mapping[str, Geometry]) -> Array:
    """The centred kernels (band, n, n) of the layers, each with a mean squared norm of 1.

    So the bands' shares mean the same for narrow and wide, weak and strong layers. Raises
    InputError for a layer that is constant, MismatchError for layers of different stimuli.
    """
    sides = list(layers.values())
    if any(side.ids != sides[0].ids for side in sides):
        raise MismatchError("the layers of a joint fit must hold the same stimuli in one order")
    if flat := [name for name, side in layers.items() if side.is_constant]:
        raise InputError(f"layer {flat[0]} answers alike to all stimuli: leave it out")
    kernels = np.array([side.centred_gram() for side in sides])
    kernels *= (kernels.shape[1] / np.trace(kernels, axis1=1, axis2=2))[:, None, None]
    return kernels


def banded_search(
    kernels: Array,
    responses: Array,
    splits: Sequence[Split],
    *,
    shares: Array,
    penalties: Callable[[Array], Sequence[float] | Array],
    choice: Choice,
) -> list[HeldOut]:
    """Ridge on Σ_b γ_b K_b, the shares γ and the penalty of each neuroid chosen by inner folds.

    `kernels` (band, n, n) are centred if there is an intercept; `shares` (draw, band) are what is
    tried, with the penalties of each kernel that they make. Of equal ones the first wins.
    `HeldOut.shares` (band, neuroid) is the product measure of each band on the test stimuli,
    Σ (2 ỹ ŷ_b − ŷ_b ŷ) / Σ ỹ², with ỹ the responses less their training mean: over the bands it
    sums to the R² of the fit (Dupré la Tour et al. 2022, section 2; himalaya's `r2_score_split`).

    Cost: for each draw that of `try_penalties`. Memory: the kernels, and for each split one array
    of the size of the responses.
    """
    contests = [Contest(split, responses, choice, keeps_weights=True) for split in splits]
    for number, share in enumerate(shares):
        kernel = np.tensordot(share, kernels, axes=1)
        try_penalties(contests, kernel, penalties(kernel), number=number)
    return [_held_out(contest, kernels, shares) for contest in contests]


def _held_out(contest: Contest, kernels: Array, shares: Array) -> HeldOut:
    split, responses = contest.split, contest.responses
    parts = np.array(
        [
            share * (_across(kernel, contest) @ contest.weights)
            for kernel, share in zip(kernels, shares[contest.number].T, strict=True)
        ]
    )
    mean = responses[split.train].mean(axis=0) if contest.choice.intercept else 0.0
    observed, whole = responses[split.test] - mean, parts.sum(axis=0)
    total = (observed**2).sum(axis=0)
    explained = ((2 * observed - whole) * parts).sum(axis=1) / np.where(total > 0, total, 1)
    return HeldOut(split, mean + whole, contest.selection, explained)


def _across(kernel: Array, contest: Contest) -> Array:
    """The kernel of test and training stimuli, less the means of the latter with an intercept."""
    if contest.choice.intercept:
        return centred_on(kernel, contest.order, contest.split.test)[1]
    block: Array = kernel[np.ix_(contest.split.test, contest.order)]
    return block
