"""The regressions against scikit-learn and himalaya, which refit every fold.

Counted in multiplications, with n stimuli, S splits of m test stimuli, inner folds of f and v
neuroids, a penalty of nested ridge costs n³/2 for the inverse, n²v for its product with the
responses, S (m² n/2 + n m f/2) to leave out the splits, S v (n (m + f) + m²/2) for the residuals.
At n = 2560 the sum over 21 penalties is 2.8·10¹¹ for v = 168, two thirds of it for the inverses,
and 1.8·10¹² for v = 5000. A core that multiplies and adds 2.7·10¹⁰ times a second in float64 needs
10 and 65 s: against himalaya's 117 and 293 s there, more than 11 × and 4.5 × can't be had this way.

What a peer takes minutes for is timed on one fold and scaled by the number of folds, whose cost is
the same; the label says so. Ours is always timed whole, with the Gram and with the inner folds
that choose layers, which the peers' times for PLS leave out.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import numpy as np
import xarray as xr

from isocortex.benchmarks import load_scorer
from isocortex.encoding import HeldOut
from isocortex.geometry import gather_geometry, geometry_of
from isocortex.registry import scorer_card
from isocortex.splits import Split, make_splits

from .cases import labelled
from .timing import Measurement, timed

STIMULI: Final = 2560
DRAWS: Final = 10


def problem(units: int, neuroids: int, *, stimuli: int = STIMULI) -> tuple[np.ndarray, np.ndarray]:
    """Features with a spectrum that falls off, and responses with more or less noise."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(stimuli, units))
    x *= np.linspace(1, 0.1, units) ** 2
    y = x @ generator.normal(size=(units, neuroids)) / units**0.5
    return x, y + generator.normal(size=y.shape) * np.linspace(0.1, 3, neuroids)


def fitted(scorer: str, x: np.ndarray, y: np.ndarray, splits: Sequence[Split]) -> list[HeldOut]:
    """All of our work, from the responses of the model on."""
    targets: xr.DataArray = labelled(y, "neuroid")
    predictions: list[HeldOut] = load_scorer(scorer)(
        geometry_of(labelled(x)), targets, splits, **scorer_card(scorer).options
    )
    return predictions


def pls(units: int) -> list[Measurement]:
    """PLS with 25 components, ten draws of 90 %, 168 neuroids; ours besides selects in 50 folds."""
    from sklearn.cross_decomposition import PLSRegression

    x, y = problem(units, 168)
    splits = make_splits(STIMULI, scorer_card("brain-score-pls").splits)
    ours, mine = timed(lambda: fitted("brain-score-pls", x, y, splits), repeats=1)
    train, test = splits[0].train, splits[0].test

    def refitted(tolerance: float) -> Measurement:
        model = PLSRegression(25, scale=False, tol=tolerance, max_iter=100_000)
        seconds, their = timed(lambda: model.fit(x[train], y[train]).predict(x[test]), repeats=1)
        difference = np.abs(mine[0].prediction - their).max()
        label = f"scikit-learn, tolerance {tolerance:.0e} (one draw × {DRAWS})"
        return Measurement(ours, seconds * DRAWS, label, float(difference))

    # At 25,088 units a converged fit takes ten minutes.
    return [refitted(tolerance) for tolerance in ([1e-6, 1e-12] if units < 10_000 else [1e-6])]


def ridge(neuroids: int) -> list[Measurement]:
    """Nested ridge, 5 × 10 folds × 21 penalties, 4,096 units."""
    x, y = problem(4096, neuroids)
    splits = make_splits(STIMULI, {"kind": "k-fold", "folds": 5, "seed": 0})
    geometry, targets = geometry_of(labelled(x)), labelled(y, "neuroid")
    scale = np.trace(geometry.centred_gram()) / STIMULI
    penalties = scale * np.logspace(-6, 4, 21)
    run = load_scorer("ridge")
    ours, mine = timed(
        lambda: run(geometry_of(labelled(x)), targets, splits, inner_folds=10), repeats=1
    )
    return [
        _against_himalaya(ours, mine[0], x, y, penalties),
        _against_scikit_learn(ours, x, y, splits[0], penalties),
    ]


def _against_himalaya(ours, mine, x, y, penalties) -> Measurement:
    """One outer fold with its ten inner ones, × 5."""
    from himalaya.kernel_ridge import KernelRidgeCV
    from sklearn.model_selection import KFold

    inner = KFold(10, shuffle=True, random_state=0)
    model = KernelRidgeCV(alphas=penalties, kernel="linear", fit_intercept=True, cv=inner)
    train, test = mine.split.train, mine.split.test
    seconds, their = timed(lambda: model.fit(x[train], y[train]).predict(x[test]), repeats=1)
    difference = np.abs(mine.prediction - their).max()
    return Measurement(ours, seconds * 5, "himalaya (one fold × 5)", float(difference))


def _against_scikit_learn(ours, x, y, split, penalties) -> Measurement:
    """Three penalties in one inner fold, × 7 × 10 × 5; `test_ridge.py` compares the results."""
    from sklearn.linear_model import Ridge

    fold = make_splits(len(split.train), {"kind": "k-fold", "folds": 10, "seed": 0})[0]
    fit, check = split.train[fold.train], split.train[fold.test]
    seconds, _ = timed(
        lambda: [Ridge(each).fit(x[fit], y[fit]).predict(x[check]) for each in penalties[::10]],
        repeats=1,
    )
    return Measurement(ours, seconds * 7 * 50, "scikit-learn (3 fits × 350)", 0.0)


def unnested_ridge(neuroids: int) -> list[Measurement]:
    """Ridge on 2,560 stimuli and 4,096 units, 21 penalties, 5 folds, and 512 stimuli predicted."""
    from himalaya.kernel_ridge import KernelRidgeCV
    from sklearn.model_selection import KFold

    x, y = problem(4096, neuroids, stimuli=STIMULI + 512)
    split = Split(np.arange(STIMULI), np.arange(STIMULI, STIMULI + 512))
    ours, mine = timed(lambda: fitted("ridge", x, y, [split]), repeats=1)
    centred = x - x.mean(axis=0)
    penalties = (centred**2).sum() / len(x) * np.logspace(-6, 4, 21)
    folds = KFold(5, shuffle=True, random_state=0)
    model = KernelRidgeCV(penalties, kernel="linear", fit_intercept=True, cv=folds)
    theirs, their = timed(
        lambda: model.fit(x[split.train], y[split.train]).predict(x[split.test]), repeats=1
    )
    difference = np.abs(mine[0].prediction - their).max()
    return [Measurement(ours, theirs, "himalaya, KernelRidgeCV", float(difference))]


def banded(neuroids: int) -> list[Measurement]:
    """Banded ridge on 3 layers, 20 draws × 20 penalties, 5 × 5 folds, 800 stimuli."""
    from himalaya.kernel_ridge import MultipleKernelRidgeCV

    layers = [problem(units, neuroids, stimuli=800) for units in (500, 1000, 2000)]
    y = sum(responses for _, responses in layers)
    splits = make_splits(800, scorer_card("himalaya-banded").splits)
    sides = {f"{x.shape[1]}": geometry_of(labelled(x)) for x, _ in layers}
    targets = labelled(y, "neuroid")
    run = partial(load_scorer("himalaya-banded"), decades=(-6, 13))
    ours, mine = timed(lambda: run(sides, targets, splits), repeats=1)
    options = {"n_iter": 20, "alphas": np.logspace(-6, 13, 20), "progress_bar": False}
    model = MultipleKernelRidgeCV("precomputed", solver_params=options, random_state=0)
    train, test = splits[0].train, splits[0].test
    kernels = np.array([x @ x.T for x, _ in layers])
    within, across = kernels[:, train][:, :, train], kernels[:, test][:, :, train]
    theirs, their = timed(lambda: model.fit(within, y[train]).predict(across), repeats=1)
    difference = np.abs(mine[0].prediction - their).max()
    return [Measurement(ours, theirs * 5, "himalaya (one fold × 5)", float(difference))]


def after_the_gram(scorer: str) -> list[Measurement]:
    """A regression on 1,000 stimuli and 168 neuroids, once their Gram matrix is there."""
    ids = tuple(f"stimulus-{position:05}" for position in range(1000))
    y = labelled(problem(100, 168, stimuli=1000)[1], "neuroid")
    splits = make_splits(1000, scorer_card(scorer).splits)

    def seconds(units: int) -> float:
        x = np.random.default_rng(0).standard_normal((1000, units), dtype=np.float32)
        geometry = gather_geometry(ids, x, name="noise")
        return timed(lambda: load_scorer(scorer)(geometry, y, splits), repeats=2)[0]

    usual = seconds(1000)
    return [
        Measurement(seconds(units), usual, f"{scorer}: {units} units, 1,000 units", 0.0)
        for units in (25_088, 200_000)
    ]


CASES: Final[dict[str, Callable[[], list[Measurement]]]] = {
    "pls-1000": partial(pls, 1000),
    "pls-25088": partial(pls, 25_088),
    "ridge-168": partial(ridge, 168),
    "ridge-5000": partial(ridge, 5000),
    "ridge-unnested-168": partial(unnested_ridge, 168),
    "ridge-unnested-5000": partial(unnested_ridge, 5000),
    "banded-168": partial(banded, 168),
    "ridge-wide": partial(after_the_gram, "ridge"),
    "pls-wide": partial(after_the_gram, "pls"),
}
