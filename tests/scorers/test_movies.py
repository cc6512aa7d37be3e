"""Movies of dissimilarities: each bin is what it is by itself, and times can be compared."""

import numpy as np
import pytest
import rsatoolbox
import xarray as xr
from isocortex.scorers._trials import decoding_accuracies
from isocortex.scorers.movies import rdm_movie, rsa_movie, time_generalisation
from isocortex.scorers.rsa import rsa
from scipy.spatial.distance import pdist, squareform
from scipy.stats import spearmanr
from tests.scorers.test_trials import precision, trials, values
from tests.synthetic import layer, stimulus_ids

from isocortex.errors import InputError, MismatchError, UnknownNameError
from isocortex.geometry import Brain, Dissimilarities

N, TIMES = 10, (-0.05, 0.1, 0.25)


def responses(*, missing: bool = False) -> xr.DataArray:
    """Trials (stimulus, repeat, neuroid, time) whose signal sets on after the first bin."""
    bins = np.stack([values(seed=each) for each in range(3)], axis=-1)
    if missing:
        bins[2, 3] = np.nan
    coords = {"stimulus": stimulus_ids(N), "time": list(TIMES)}
    return xr.DataArray(bins, coords, ("stimulus", "repeat", "neuroid", "time"))


def mean_references() -> dict:
    return {
        "pearson": lambda x: squareform(pdist(x, "correlation")),
        "cosine": lambda x: squareform(pdist(x, "cosine")),
        "euclidean": lambda x: squareform(pdist(x)) / x.shape[1] ** 0.5,
        "squared-euclidean": lambda x: squareform(pdist(x, "sqeuclidean")) / x.shape[1],
        "spearman": lambda x: 1 - spearmanr(x, axis=1).statistic,
    }


@pytest.mark.parametrize("dissimilarity", mean_references())
def test_a_bin_holds_the_dissimilarities_of_its_means(dissimilarity):
    x = responses(missing=True)
    movie = rdm_movie(x, dissimilarity=dissimilarity)
    assert movie.dims == ("time", "stimulus", "other_stimulus")
    for time in TIMES:
        mean = x.sel(time=time).mean("repeat", skipna=True).values
        expected = mean_references()[dissimilarity](mean)
        np.testing.assert_allclose(movie.sel(time=time), expected, atol=1e-9)


@pytest.mark.parametrize("method", ["crossnobis", "mahalanobis"])
def test_movies_of_trials_equal_rsatoolboxs(method):
    x = responses()
    movie = rdm_movie(x, dissimilarity=method)
    for position, time in enumerate(TIMES):
        one = x.isel(time=[position]).transpose("stimulus", "repeat", "neuroid", "time")
        dataset = rsatoolbox.data.TemporalDataset(
            one.values.reshape(-1, *one.shape[2:]),
            obs_descriptors={
                "stimulus": np.repeat(stimulus_ids(N), 5),
                "repeat": np.tile(list("abcde"), N),
            },
            time_descriptors={"time": [time]},
        )
        theirs = rsatoolbox.rdm.calc_rdm_movie(
            dataset,
            method,
            "stimulus",
            noise=precision(one.values[..., 0], "shrinkage_diag"),
            cv_descriptor="repeat",
        )
        np.testing.assert_allclose(
            movie.sel(time=time), theirs.get_matrices()[0], rtol=1e-9, atol=1e-12
        )


def test_movies_need_no_repeats_and_no_order_of_dims():
    x = responses()
    one = rdm_movie(x.mean("repeat")).values
    np.testing.assert_allclose(one, rdm_movie(x.transpose("time", ...)).values, atol=1e-12)
    with pytest.raises(InputError, match="has 1 trials of neuroid number 0, expected 2"):
        rdm_movie(x.mean("repeat"), dissimilarity="crossnobis")


def movies(subjects: int = 2) -> xr.DataArray:
    each = [rdm_movie(responses() + 2 * values(seed=9 + s)[..., None]) for s in range(subjects)]
    return xr.concat(each, xr.DataArray(["a", "b"], dims="subject", name="subject"))


@pytest.mark.parametrize("comparison", ["spearman", "cosine-whitened"])
def test_a_bin_is_scored_as_it_is_by_itself(comparison):
    movie, model = movies(), layer(N)
    similarity = rsa_movie(model, movie, comparison=comparison)
    assert similarity.dims == ("time", "subject")
    for time in TIMES:
        own = movie.sel(time=time)
        sides = tuple(Dissimilarities(model.ids, each.values) for each in own)
        expected = rsa(model, Brain(("a", "b"), sides), comparison=comparison)
        np.testing.assert_allclose(similarity.sel(time=time), expected, atol=1e-12)


def test_a_movie_of_one_subject_needs_no_name():
    similarity = rsa_movie(layer(N), movies().sel(subject="a", drop=True))
    assert list(similarity.subject) == ["all"]
    expected = rsa_movie(layer(N), movies()).sel(subject="a")
    np.testing.assert_allclose(similarity[:, 0], expected, atol=1e-12)


def test_times_are_alike_as_their_dissimilarities_are():
    movie = movies()
    alike = time_generalisation(movie)
    assert alike.dims == ("subject", "time", "other_time")
    upper = np.triu_indices(N, 1)
    first, last = (movie.sel(subject="b", time=t).values[upper] for t in (TIMES[0], TIMES[2]))
    expected = spearmanr(first, last).statistic
    assert alike.sel(subject="b", time=TIMES[0], other_time=TIMES[2]).item() == pytest.approx(
        expected
    )
    np.testing.assert_allclose(np.diagonal(alike.sel(subject="a")), 1, atol=1e-12)


def test_an_other_movie_stands_on_the_other_side():
    one, other = (movies().sel(subject=name, drop=True) for name in "ab")
    alike = time_generalisation(one, other.isel(time=slice(0, 2)))
    assert alike.sizes == {"time": 3, "other_time": 2}
    expected = rsa_movie(Dissimilarities(layer(N).ids, one[2].values), other)
    assert alike[2, 1].item() == pytest.approx(expected[1, 0].item())
    with pytest.raises(MismatchError, match="of other subjects"):
        time_generalisation(movies(), one)
    with pytest.raises(MismatchError, match="differ in their stimuli: 9 and 10"):
        time_generalisation(one[:, 1:, 1:], other)


def test_what_is_no_movie_is_refused():
    x = responses()
    with pytest.raises(InputError, match=r"responses have dims .* expected \('stimulus', 'repeat'"):
        rdm_movie(x.isel(time=0))
    with pytest.raises(InputError, match="infinite responses"):
        rdm_movie(x.where(x.time > 0, np.inf))
    with pytest.raises(InputError, match="neuroid 0 has no trial of stimulus 'stimulus-000'"):
        rdm_movie(x.where(x.stimulus != "stimulus-000"))
    with pytest.raises(UnknownNameError, match="did you mean spearman"):
        rdm_movie(x, dissimilarity="spearmann")
    with pytest.raises(InputError, match="a movie has dims"):
        rsa_movie(layer(N), movies().isel(time=0))
    with pytest.raises(
        InputError, match=r"all dissimilarities of subject a at 0\.1 seconds are eq"
    ):
        rsa_movie(layer(N), movies().where(movies().time != 0.1, 1.0))


def test_a_movie_of_decoding_holds_the_accuracies_of_each_bin():
    movie = rdm_movie(responses(), dissimilarity="decoding", noise="diag")
    expected = decoding_accuracies(trials(values(seed=1)), "diag")
    np.testing.assert_array_equal(movie.sel(time=0.1), expected)


def test_a_movie_with_its_two_dims_of_stimuli_out_of_step_is_refused():
    movie = rdm_movie(responses())
    reordered = movie.isel(stimulus=np.arange(N)[::-1])
    for wrong in (reordered, movie.isel(stimulus=slice(5))):
        with pytest.raises(MismatchError, match="select and order both dims alike"):
            rsa_movie(layer(N), wrong)
        with pytest.raises(MismatchError, match="select and order both dims alike"):
            time_generalisation(wrong)


def test_a_bin_that_is_not_finite_is_named():
    movie = rdm_movie(responses())
    with pytest.raises(InputError, match=r"of subject all at -0\.05 seconds is not finite"):
        rsa_movie(layer(N), movie.where(movie.time > 0))
