"""Ridge with the penalty of each neuroid by inner folds, without a fit for any of the folds."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, final

import numpy as np
from scipy.linalg import cho_factor, cho_solve, cholesky, solve_triangular
from scipy.linalg.blas import dtrsm
from scipy.linalg.lapack import dpotrf, dpotri

from isocortex.encoding import HeldOut
from isocortex.errors import InputError
from isocortex.geometry import Array, Positions
from isocortex.splits import Split
from isocortex.statistics import columnwise_correlation

from ._spectrum import NEGLIGIBLE, centred_on, folds_within, spectrum

_ROUNDING: Final = 1e-11
"""A penalty below this share of a kernel's trace nears its rounding: Cholesky can't be trusted."""

_TOGETHER: Final = 512
"""How many neuroids are worked on at once: their residuals on a fold fit into the cache."""


@dataclass(frozen=True)
class Choice:
    """How inner folds choose the penalty of each neuroid: by the mean over folds of the mean
    squared error, as scikit-learn and himalaya do.

    Folds that are not `shuffled` follow the order of the stimuli. Without an `intercept` nothing is
    centred. A penalty λ may be worse by `slope` · ln λ and still win against a smaller one.
    """

    folds: int = 5
    shuffled: bool = True
    intercept: bool = True
    slope: float = 0.0


def nested_ridge(
    kernel: Array,
    responses: Array,
    splits: Sequence[Split],
    *,
    penalties: Iterable[float],
    inner_folds: int,
) -> list[HeldOut]:
    """Ridge on a centred kernel (n, n), the penalty of each neuroid by inner folds of each split.

    Cost: that of `try_penalties`. Memory: four times that of the kernel and of the responses,
    whatever the number of penalties.
    """
    if len(splits) == 1:
        return [_alone(kernel, responses, splits[0], penalties, Choice(inner_folds))]
    contests = [Contest(split, responses, Choice(inner_folds)) for split in splits]
    try_penalties(contests, kernel, penalties)
    return [each.held_out() for each in contests]


def _alone(
    kernel: Array, responses: Array, split: Split, penalties: Iterable[float], choice: Choice
) -> HeldOut:
    """The same for a single split: nothing is shared, and the test stimuli need not be inverted."""
    within, across = centred_on(kernel, split.train, split.test)
    places = np.arange(len(split.train))
    inside = Split(places, places[:0], split.groups)
    contest = Contest(inside, responses[split.train], choice, keeps_weights=True)
    try_penalties([contest], within, penalties)
    mean = responses[split.train].mean(axis=0)
    return HeldOut(split, mean + across[:, contest.order] @ contest.weights, contest.selection)


def try_penalties(
    contests: Sequence["Contest"], kernel: Array, penalties: Iterable[float], *, number: int = 0
) -> None:
    """Enter a kernel (n, n), the one of that `number`, with each of the penalties into contests.

    The kernel is centred if they have an intercept. With R = (K + λ)⁻¹ of all stimuli, the
    residuals on any set F of a fit that never saw F are R_FF⁻¹ (R y)_F. So R, which costs n³/2
    multiplications for each penalty, serves all folds of all contests.
    """
    responses = contests[0].responses
    resolvent = _Resolvent(kernel, intercept=contests[0].choice.intercept)
    weights = np.empty_like(responses)
    for penalty in penalties:
        inverse = resolvent.at(penalty)
        np.matmul(inverse, responses, out=weights)
        for contest in contests:
            contest.enter(inverse, weights, penalty, number)


@final
class _Resolvent:
    """(K + λ)⁻¹ of a kernel (n, n), which is centred if there is an `intercept`."""

    def __init__(self, kernel: Array, *, intercept: bool) -> None:
        self._kernel, self._intercept = kernel, intercept
        self._trace = float(np.trace(kernel))
        self._result = np.empty(kernel.shape)  # for all penalties: new pages cost as much as a pass

    def at(self, penalty: float) -> Array:
        """(K + λ)⁻¹ (n, n), until the next call; without the constant vector for an intercept.

        The constant vector, which the intercept takes up, is lifted above all others, so that its
        part is known exactly and can be taken out. Cost: n³/2 multiplications.
        """
        if not penalty > _ROUNDING * self._trace:
            values, vectors = self._spectrum
            root = vectors / np.sqrt(values + penalty)
            return np.asarray(root @ root.T)
        count = len(self._kernel)
        lift = 2 * self._trace / count if self._intercept else 0.0
        np.add(self._kernel, lift, out=self._result)
        self._result[np.diag_indices(count)] += penalty
        _invert(self._result)
        if self._intercept:
            self._result -= 1 / (count * lift + penalty) / count
        return self._result

    @cached_property
    def _spectrum(self) -> tuple[Array, Array]:
        """Eigenvalues and vectors; those that may be rounding are 0, as they would swamp λ."""
        both = spectrum(self._kernel) if self._intercept else np.linalg.eigh(self._kernel)
        values, vectors = both
        return np.where(values > NEGLIGIBLE * values.max(initial=0), values, 0), vectors


def _invert(matrix: Array) -> None:
    """Put the inverse of a symmetric positive definite matrix in its place."""
    factor, failed = dpotrf(matrix.T, lower=1, clean=0, overwrite_a=1)
    if failed:
        raise InputError("the kernel has negative eigenvalues: no features have such products")
    dpotri(factor, lower=1, overwrite_c=1)
    _mirror(matrix.T)


def _mirror(matrix: Array) -> None:
    """Copy the lower triangle onto the upper one, block by block, which the cache can hold."""
    size = 128
    for start in range(0, len(matrix), size):
        stop = start + size
        matrix[start:stop, stop:] = matrix[stop:, start:stop].T
        block = matrix[start:stop, start:stop]
        block[...] = np.tril(block) + np.tril(block, -1).T


@final
class Contest:
    """The best kernel and penalty so far of each neuroid in one split; of equal ones the first.

    `order` (train,) holds the training stimuli fold by fold. `errors` and `selection` (neuroid) are
    the squared error and correlation over inner folds, `prediction` (test stimulus, neuroid) what
    the fit to all training stimuli says of the test stimuli. With `keeps_weights`, `weights`
    (train, neuroid) are the dual weights of that fit, `number` (neuroid) that of its kernel.
    """

    def __init__(
        self, split: Split, responses: Array, choice: Choice, *, keeps_weights: bool = False
    ) -> None:
        neuroids = responses.shape[1]
        self.split, self.responses, self.choice = split, responses, choice
        self.folds = folds_within(split, choice.folds, shuffled=choice.shuffled)
        self.order = np.concatenate(self.folds)
        self._outside = np.setdiff1d(np.arange(len(responses)), split.train)
        self._tested = np.searchsorted(self._outside, split.test)
        self.errors = np.full(neuroids, np.inf)
        self.selection = np.zeros(neuroids)
        self.prediction = np.zeros((len(split.test), neuroids))
        self.number = np.zeros(neuroids, dtype=np.intp)
        self._keeps_weights = keeps_weights
        self.weights = np.zeros((len(split.train) if keeps_weights else 0, neuroids))

    def held_out(self) -> HeldOut:
        """The predictions of the best."""
        return HeldOut(self.split, self.prediction, self.selection)

    def enter(self, inverse: Array, weights: Array, penalty: float, number: int) -> None:
        """Try one penalty, given R = (K + λ)⁻¹ (n, n) and R y (n, neuroid).

        An inner fit leaves out its fold F and all stimuli T outside of the training ones. T is
        eliminated once for all folds by block Cholesky: R_TT = L Lᵀ, A = L⁻¹ R_T·, and
        R_FF − A_Fᵀ A_F is left of F.
        Cost, with m stimuli in T and folds of f: m² n/2 + n m f/2 + n v (m + f) multiplications.
        """
        rows = inverse[self._outside]
        factor = cholesky(rows[:, self._outside], lower=True, check_finite=False)
        # Transposed, Aᵀ Lᵀ = R_·T, each fold is a slice, and BLAS works in place.
        beside = rows.take(self.order, axis=1).T
        across = dtrsm(1.0, factor, beside, side=1, lower=1, trans_a=1, overwrite_b=1)
        factors = []
        for part, fold in self._parts():
            within = inverse[np.ix_(fold, fold)] - across[part] @ across[part].T
            factors.append(cho_factor(within, lower=True, overwrite_a=True, check_finite=False))
        bonus = self.choice.slope * np.log(penalty)
        for start in range(0, weights.shape[1], _TOGETHER):
            some = slice(start, start + _TOGETHER)
            carried = _solved(factor, weights[self._outside, some])
            left = weights[self.order, some] - across @ carried
            better = self._better(left, factors, some, bonus)
            outer = _solved(factor, carried[:, better], transposed=True)[self._tested]
            if self._keeps_weights:
                self.weights[:, better + start] = left[:, better]
            better += start
            self.prediction[:, better] = self.responses[np.ix_(self.split.test, better)] - outer
            self.number[better] = number

    def _parts(self) -> Iterator[tuple[slice, Positions]]:
        """The place of each fold in `order`, and its stimuli."""
        start = 0
        for fold in self.folds:
            yield slice(start, start + len(fold)), fold
            start += len(fold)

    def _better(
        self, left: Array, factors: Sequence[tuple[Array, bool]], some: slice, bonus: float
    ) -> Positions:
        """Which of `some` neuroids do better than before, given the dual weights `left` of the fit
        to all training stimuli (train, some)."""
        inner = [
            cho_solve(factor, left[part], check_finite=False)
            for factor, (part, _) in zip(factors, self._parts(), strict=True)
        ]
        errors = np.mean([np.einsum("ij,ij->j", each, each) / len(each) for each in inner], axis=0)
        better = np.flatnonzero(errors - bonus < self.errors[some])
        correlations = []
        for (_, fold), residuals in zip(self._parts(), inner, strict=True):
            observed = self.responses[fold, some][:, better]
            correlations.append(columnwise_correlation(observed - residuals[:, better], observed))
        self.errors[some][better] = errors[better] - bonus
        self.selection[some][better] = np.mean(correlations, axis=0)
        return better


def _solved(factor: Array, columns: Array, *, transposed: bool = False) -> Array:
    """L⁻¹ or L⁻ᵀ times some columns."""
    solved: Array = solve_triangular(
        factor, columns, lower=True, trans=int(transposed), check_finite=False
    )
    return solved
