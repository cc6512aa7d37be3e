"""Sparse regressions against scikit-learn's ElasticNetCV, refitted for every neuroid."""

import numpy as np
import pytest
import xarray as xr
from isocortex.scorers import sparse as module
from isocortex.scorers.sparse import sparse
from sklearn.linear_model import ElasticNetCV
from tests.synthetic import stimulus_ids

from isocortex.errors import InputError
from isocortex.responses import Responses
from isocortex.splits import make_splits

STIMULI, UNITS, NEUROIDS = 45, 30, 4
SPLITS = make_splits(STIMULI, {"kind": "k-fold", "folds": 3, "seed": 0})


def layer(units: int = UNITS) -> Responses:
    x = np.random.default_rng(0).normal(size=(STIMULI, units)) * np.linspace(1, 3, units) + 5
    return Responses(tuple(stimulus_ids(STIMULI)), x)


def brain(x: np.ndarray, *, noise: float = 1.0) -> xr.DataArray:
    """Each neuroid adds three units and takes away one."""
    generator = np.random.default_rng(1)
    y = np.stack([x[:, [n, n + 5, n + 9]].sum(1) - x[:, n + 2] for n in range(NEUROIDS)], axis=1)
    y = y + noise * generator.normal(size=y.shape) * np.linspace(0.5, 6, NEUROIDS) - 40
    coords = {"stimulus": stimulus_ids(STIMULI)}
    return xr.DataArray(y, dims=("stimulus", "neuroid"), coords=coords)


def by_scikit_learn(x, y, split, *, l1_share, positive):
    """The prediction for one neuroid of cross-validated scikit-learn on the same scales."""
    train, test = split.train, split.test
    size, deviation = np.sqrt(x[train].var(axis=0).mean()), y[train].std()
    x, target = (x - x[train].mean(0)) / size, (y - y[train].mean()) / deviation
    pull = x[train].T @ target[train]
    largest = (pull if positive else np.abs(pull)).max() / len(train) / l1_share
    folds = make_splits(len(train), {"kind": "k-fold", "folds": 5, "seed": 0})
    model = ElasticNetCV(
        l1_ratio=l1_share,
        alphas=largest * np.logspace(0, -2, 12),
        cv=[(fold.train, fold.test) for fold in folds],
        positive=positive,
        tol=1e-10,
        max_iter=100_000,
    )
    return model.fit(x[train], target[train]).predict(x[test]) * deviation + y[train].mean()


@pytest.fixture
def converged(monkeypatch):
    """Coordinate descent to the end: at scikit-learn's tolerance the order of units shows."""
    import sklearn.linear_model

    path = sklearn.linear_model.enet_path
    to_the_end = lambda *given, **options: path(*given, **options, tol=1e-10)  # noqa: E731
    monkeypatch.setattr(sklearn.linear_model, "enet_path", to_the_end)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("l1_share", [1.0, 0.5])
@pytest.mark.parametrize("units", [15, 40], ids=["tall", "wide"])
def test_predictions_equal_cross_validated_scikit_learn(units, l1_share, positive, converged):
    x = layer(units)
    y = brain(x.values)
    for held_out in sparse(x, y, SPLITS[:1], l1_share=l1_share, positive=positive):
        expected = [
            by_scikit_learn(x.values, column, held_out.split, l1_share=l1_share, positive=positive)
            for column in y.values.T
        ]
        np.testing.assert_allclose(held_out.prediction, np.transpose(expected), atol=1e-5)


def test_screening_keeps_the_units_with_the_largest_covariance_in_training():
    """The units' sizes differ, so that the largest correlation would choose others."""
    x = layer()
    y = brain(x.values)
    y.values[:] = x.values[:, :NEUROIDS] + x.values[:, -NEUROIDS:]
    held_out = sparse(x, y, SPLITS, units=1)[0]
    train, test = held_out.split.train, held_out.split.test
    covariances = np.cov(x.values[train].T, y.values[train].T)[:UNITS, UNITS:]
    for neuroid, unit in enumerate(np.abs(covariances).argmax(0)):
        moved = np.corrcoef(held_out.prediction[:, neuroid], x.values[test, unit])[0, 1]
        assert abs(moved) == pytest.approx(1)


def test_screening_of_all_units_changes_nothing():
    x = layer()
    y = brain(x.values)
    for some, every in zip(
        sparse(x, y, SPLITS, units=UNITS), sparse(x, y, SPLITS, units=10_000), strict=True
    ):
        np.testing.assert_array_equal(some.prediction, every.prediction)


def test_positive_weights_never_take_a_unit_away():
    x = layer()
    only = xr.DataArray(
        -x.values[:, :2], dims=("stimulus", "neuroid"), coords={"stimulus": stimulus_ids(STIMULI)}
    )
    free = sparse(x, only, SPLITS)[0]
    added = sparse(x, only, SPLITS, positive=True)[0]
    assert free.selection.min() > 0.9
    assert added.selection.max() < 0.5


def test_held_out_responses_do_not_reach_their_own_prediction():
    x = layer()
    y = brain(x.values)
    before = sparse(x, y, SPLITS[:1])[0]
    y.values[SPLITS[0].test] += 1000 * np.random.default_rng(3).normal(size=(15, NEUROIDS))
    after = sparse(x, y, SPLITS[:1])[0]
    np.testing.assert_array_equal(after.prediction, before.prediction)
    np.testing.assert_array_equal(after.selection, before.selection)


def test_constant_units_are_passed_over_and_a_constant_neuroid_is_its_mean():
    x = layer()
    y = brain(x.values)
    y[:, 1] = 2.0
    before = sparse(x, y, SPLITS[:1])[0]
    padded = Responses(x.ids, np.c_[np.full(STIMULI, 1e6), x.values])
    after = sparse(padded, y, SPLITS[:1])[0]
    np.testing.assert_array_equal(before.prediction[:, 1], 2)
    assert before.selection[1] == 0
    assert np.isfinite(after.prediction).all()


def test_what_cannot_be_fitted_is_refused():
    x = layer()
    for options in ({"l1_share": 0.0}, {"l1_share": 1.1}, {"units": 0}):
        with pytest.raises(InputError, match="use the scorer 'ridge'"):
            sparse(x, brain(x.values), SPLITS, **options)


def test_penalties_span_two_decades():
    assert module._SHARES[0] / module._SHARES[-1] == pytest.approx(100)
