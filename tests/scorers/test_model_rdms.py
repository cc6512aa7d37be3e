"""Model RDMs against rsatoolbox's models and fitters, and what they must find by themselves."""

import numpy as np
import pytest
import rsatoolbox
import xarray as xr
from isocortex.scorers._rdm import dissimilarity_vector
from isocortex.scorers.model_rdms import (
    ModelRdm,
    cross_validated_similarity,
    fit_weights,
    predicted_rdm,
)
from isocortex.scorers.rsa import rsa
from rsatoolbox.model import ModelInterpolate, ModelSelect, ModelWeighted, fitter
from scipy.spatial.distance import squareform
from tests.synthetic import layer

from isocortex.errors import InputError, MismatchError, UnknownNameError
from isocortex.geometry import Brain, Dissimilarities, Geometry

STIMULI = 14
METHODS = {
    "cosine": "cosine",
    "pearson": "corr",
    "cosine-whitened": "cosine_cov",
    "correlation-whitened": "corr_cov",
}


def components(count: int = 3) -> dict[str, Geometry]:
    return {f"component-{each}": layer(STIMULI, 20, seed=each) for each in range(count)}


def mixed_brain(weights: tuple[float, ...], *, noise: float = 0.05, subjects: int = 4) -> Brain:
    """Subjects whose RDM is a weighted sum of the components, and noise."""
    vectors = np.array([dissimilarity_vector(side) for side in components(len(weights)).values()])
    generator = np.random.default_rng(5)
    sides = []
    for _ in range(subjects):
        vector = weights @ vectors + noise * generator.normal(size=vectors.shape[1])
        sides.append(Dissimilarities(layer(STIMULI).ids, squareform(vector)))
    return Brain(tuple(f"subject-{each}" for each in range(subjects)), tuple(sides))


def theirs(sides) -> rsatoolbox.rdm.RDMs:
    return rsatoolbox.rdm.RDMs(np.array([dissimilarity_vector(side) for side in sides]))


@pytest.mark.parametrize("comparison", METHODS)
@pytest.mark.parametrize("ridge", [0.0, 0.7])
def test_weights_equal_rsatoolboxs_regression(comparison, ridge):
    brain = mixed_brain((0.2, 1.0, -0.6))
    model = ModelRdm(components(), "weighted", comparison, ridge)
    expected = fitter.fit_regress(
        ModelWeighted("", theirs(components().values())),
        theirs(brain.sides),
        method=METHODS[comparison],
        ridge_weight=ridge,
    )
    np.testing.assert_allclose(fit_weights(model, brain), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("comparison", METHODS)
@pytest.mark.parametrize("ridge", [0.0, 0.7])
def test_non_negative_weights_equal_rsatoolboxs_regression(comparison, ridge):
    brain = mixed_brain((0.2, 1.0, -0.6, 0.3))
    model = ModelRdm(components(4), "non-negative", comparison, ridge)
    expected = fitter.fit_regress_nn(
        ModelWeighted("", theirs(components(4).values())),
        theirs(brain.sides),
        method=METHODS[comparison],
        ridge_weight=ridge,
    )
    weights = fit_weights(model, brain)
    assert (weights >= 0).all()
    assert (weights == 0).any()
    np.testing.assert_allclose(weights, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("comparison", ["cosine", "spearman", "kendall"])
def test_the_selected_component_is_rsatoolboxs(comparison):
    method = {"cosine": "cosine", "spearman": "spearman", "kendall": "tau-a"}[comparison]
    brain = mixed_brain((0.2, 0.3, 1.0))
    expected = fitter.fit_select(
        ModelSelect("", theirs(components().values())), theirs(brain.sides), method=method
    )
    weights = fit_weights(ModelRdm(components(), "selected", comparison), brain)
    np.testing.assert_array_equal(weights, np.eye(3)[expected])


@pytest.mark.parametrize("comparison", METHODS)
def test_the_interpolation_is_rsatoolboxs(comparison):
    brain = mixed_brain((0.0, 0.3, 0.7))
    expected = fitter.fit_interpolate(
        ModelInterpolate("", theirs(components().values())),
        theirs(brain.sides),
        method=METHODS[comparison],
    )
    weights = fit_weights(ModelRdm(components(), "interpolated", comparison), brain)
    np.testing.assert_allclose(weights, expected, rtol=0, atol=1e-4)  # both stop at 1e-5


@pytest.mark.parametrize("comparison", ["spearman", "kendall", "rho-a"])
def test_a_search_by_ranks_beats_least_squares_and_rsatoolboxs_search(comparison):
    method = {"spearman": "spearman", "kendall": "tau-a", "rho-a": "rho-a"}[comparison]
    brain = mixed_brain((0.2, 1.0, 0.6), noise=0.3)
    model = ModelRdm(components(), "non-negative", comparison)
    np.random.seed(0)
    their_weights = fitter.fit_optimize_positive(
        ModelWeighted("", theirs(components().values())), theirs(brain.sides), method=method
    )
    squares = fit_weights(ModelRdm(components(), "non-negative", "pearson"), brain)
    found = fit_weights(model, brain)

    def similarity(weights):
        prediction = predicted_rdm(model, found.copy(data=np.asarray(weights)))
        return float(rsa(prediction, brain, comparison=comparison).mean())

    assert similarity(found) > similarity(squares) + 1e-5
    assert similarity(found) > similarity(their_weights) - 1e-3


def test_the_mixture_that_was_put_in_comes_out():
    brain = mixed_brain((0.2, 1.0, 0.6), noise=0.0)
    for rule in ("weighted", "non-negative"):
        weights = fit_weights(ModelRdm(components(), rule, "cosine"), brain)
        truth = np.array([0.2, 1.0, 0.6])
        np.testing.assert_allclose(weights, truth / np.linalg.norm(truth), atol=1e-12)


def test_a_fixed_model_is_the_mean_of_its_components():
    model = ModelRdm(components(), "fixed")
    weights = fit_weights(model, mixed_brain((1.0, 0.0, 0.0)))
    vectors = [dissimilarity_vector(side) for side in components().values()]
    predicted = dissimilarity_vector(predicted_rdm(model, weights))
    np.testing.assert_allclose(predicted, np.mean(vectors, axis=0), rtol=1e-14)


def test_a_fold_is_scored_by_weights_that_never_saw_it():
    brain, model = mixed_brain((0.2, 1.0, 0.6), noise=0.3), ModelRdm(components(), "weighted")
    similarity = cross_validated_similarity(model, brain, stimulus_folds=2, subject_folds=4, seed=3)
    order = np.random.default_rng(3).permutation(STIMULI)
    test, train = np.sort(order[:7]), np.sort(order[7:])
    others = Brain(brain.subjects[1:], brain.sides[1:])
    weights = fit_weights(model.select(train), others.select(train))
    prediction = predicted_rdm(model.select(test), weights)
    first = Brain(brain.subjects[:1], brain.sides[:1]).select(test)
    expected = rsa(prediction, first, comparison="cosine").item()
    assert similarity.dims == ("stimulus_fold", "subject")
    assert similarity[0, 0].item() == pytest.approx(expected, abs=1e-12)


def test_held_out_stimuli_tell_a_fit_to_noise_from_a_fit():
    """With nothing to find, ten free weights fit what they see and predict nothing of the rest."""
    noise = Brain(("one",), (layer(STIMULI, 20, seed=99),))
    model = ModelRdm(components(10), "weighted", "pearson")
    seen = cross_validated_similarity(model, noise, stimulus_folds=1)
    unseen = cross_validated_similarity(model, noise, stimulus_folds=2)
    assert seen.mean() > 0.3
    assert unseen.mean() < 0.15


def test_components_against_which_all_speaks_get_no_weight():
    opposed = {
        name: Dissimilarities(side.ids, 2 * (1 - np.eye(STIMULI)) - squareform(vector))
        for name, side in components().items()
        for vector in [dissimilarity_vector(side)]
    }
    brain = mixed_brain((1.0, 1.0, 1.0))
    model = ModelRdm(opposed, "non-negative", "pearson")
    assert (fit_weights(model, brain) == 0).all()
    assert (cross_validated_similarity(model, brain) == 0).all()


def test_a_component_given_twice_needs_a_ridge():
    twice = {"first": layer(STIMULI, seed=0), "again": layer(STIMULI, seed=0)}
    brain = mixed_brain((1.0, 0.5))
    with pytest.raises(InputError, match="all but a sum of others"):
        fit_weights(ModelRdm(twice, "weighted"), brain)
    shared = fit_weights(ModelRdm(twice, "weighted", ridge=1e-3), brain)
    np.testing.assert_allclose(shared, [0.5**0.5] * 2, rtol=1e-9)


def test_models_that_make_no_sense_are_refused():
    with pytest.raises(UnknownNameError, match="did you mean weighted"):
        ModelRdm(components(), "weigted")
    with pytest.raises(UnknownNameError, match="did you mean cosine"):
        ModelRdm(components(), comparison="cosin")
    with pytest.raises(InputError, match="1 components; interpolated takes 2"):
        ModelRdm(components(1), "interpolated")
    with pytest.raises(InputError, match=r"a ridge of 1.0 by spearman"):
        ModelRdm(components(), comparison="spearman", ridge=1.0)
    with pytest.raises(InputError, match="8 folds of 14 stimuli"):
        cross_validated_similarity(
            ModelRdm(components()), mixed_brain((1.0, 1.0)), stimulus_folds=8
        )
    with pytest.raises(InputError, match="5 folds of 4 subjects"):
        cross_validated_similarity(ModelRdm(components()), mixed_brain((1.0, 1.0)), subject_folds=5)


def test_weights_bear_the_names_of_their_components():
    weights = fit_weights(ModelRdm(components()), mixed_brain((1.0, 1.0, 1.0)))
    assert list(weights.component.values) == list(components())


def test_weights_of_other_components_are_refused():
    model = ModelRdm({"one": layer(12, seed=1), "two": layer(12, seed=2)})
    weights = xr.DataArray([1.0, 1.0], {"component": ["one", "three"]}, ("component",))
    with pytest.raises(MismatchError, match="the weights lack the component 'two' of the model"):
        predicted_rdm(model, weights)
