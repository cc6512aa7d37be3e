"""The conventions of others, reproduced: rsatoolbox's and those of the Algonauts challenge."""

import numpy as np
import pytest
import rsatoolbox
from isocortex.scorers.rsa_conventions import algonauts2019
from scipy.spatial.distance import squareform
from scipy.stats import spearmanr
from tests.synthetic import brain, layer, recorded_rdms, recording, responses

from isocortex import registry
from isocortex.benchmarks import Benchmark, load_scorer
from isocortex.evaluation import evaluate
from isocortex.geometry import Brain, Dissimilarities, geometry_of
from isocortex.statistics import upper_triangle

CONVENTIONS = {
    "rsatoolbox-corr": "corr",
    "rsatoolbox-cosine": "cosine",
    "rsatoolbox-spearman": "spearman",
    "rsatoolbox-rho-a": "rho-a",
    "rsatoolbox-tau-a": "tau-a",
    "rsatoolbox-corr-cov": "corr_cov",
    "rsatoolbox-cosine-cov": "cosine_cov",
    "rsatoolbox-bures": "bures",
}


def on_recorded(scorer: str, matrices: np.ndarray) -> Benchmark:
    card = registry.scorer_card(scorer)
    score = registry.find_entry("scorer", scorer).load()
    return Benchmark(recording(recorded_rdms(matrices)), "IT", card, score, "", resamples=20)


def subjects_and_model(stimuli: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """RDMs of three subjects with something in common, and a model with some of it."""
    shared = responses(stimuli, 20, seed=1).values
    noisy = [shared + 0.7 * responses(stimuli, 20, seed=each).values for each in range(10, 14)]
    matrices = np.array([1 - np.corrcoef(each) for each in noisy])
    for matrix in matrices:
        np.fill_diagonal(matrix, 0)
    return matrices[:3], matrices[3]


@pytest.mark.parametrize("name", CONVENTIONS)
def test_rsatoolboxs_numbers_come_out_from_responses_to_them(name):
    model = responses(16, 40, seed=1)
    regions = [responses(16, 25, seed=each) for each in (2, 3)]
    theirs = [
        rsatoolbox.rdm.calc_rdm(rsatoolbox.data.Dataset(each.values))  # by default euclidean
        for each in (model, *regions)
    ]
    subjects = Brain(("one", "two"), tuple(geometry_of(each) for each in regions))
    actual = load_scorer(name)(geometry_of(model), subjects)
    method = CONVENTIONS[name]
    expected = [rsatoolbox.rdm.compare(theirs[0], each, method).item() for each in theirs[1:]]
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", CONVENTIONS)
def test_a_convention_scores_all_stimuli_at_once(name):
    recorded, model = subjects_and_model()
    benchmark = on_recorded(name, recorded)
    side = Dissimilarities(benchmark.brain.ids, model)
    expected = load_scorer(name)(side, benchmark.brain).mean().item()
    assert evaluate(benchmark, {"layer": side}).raw == pytest.approx(expected, abs=1e-12)


def test_algonauts_is_the_mean_squared_rho_over_that_of_the_mean_subject():
    recorded, model = subjects_and_model()
    benchmark = on_recorded("algonauts2019", recorded)
    score = evaluate(benchmark, {"layer": Dissimilarities(benchmark.brain.ids, model)})

    def mean_square(matrix: np.ndarray) -> float:
        vector = upper_triangle(matrix)
        each = [spearmanr(vector, upper_triangle(one)).statistic for one in recorded]
        return float(np.mean(np.square(each)))

    assert score.raw == pytest.approx(mean_square(model), abs=1e-12)
    ceiling = mean_square(recorded.mean(axis=0))
    assert score.value == pytest.approx(mean_square(model) / ceiling, abs=1e-12)


def test_algonauts_rewards_a_model_that_has_it_upside_down():
    vector = np.arange(1.0, 46.0)
    ids = layer(10).ids
    subject = Brain(("one",), (Dissimilarities(ids, squareform(vector)),))
    reverse = Dissimilarities(ids, squareform(vector.max() + 1 - vector))
    assert algonauts2019(reverse, subject).item() == pytest.approx(1, abs=1e-14)


def test_a_convention_resamples_as_rsa_does():
    counts = np.random.default_rng(0).multinomial(20, np.full(20, 0.05), 4).astype(float)
    sides = layer(seed=1), brain()
    drawn = load_scorer("rsatoolbox-spearman")(*sides, counts=counts)
    assert drawn.dims == ("resample", "subject")
    np.testing.assert_array_equal(drawn, load_scorer("rsa-euclidean")(*sides, counts=counts))
    squared = algonauts2019(*sides, counts=counts)
    np.testing.assert_allclose(squared, load_scorer("rsa")(*sides, counts=counts) ** 2, rtol=1e-14)
