"""Agreements of readouts and choices against their formulas, written out plainly."""

from collections.abc import Mapping

import numpy as np
import pytest
from isocortex.scorers._readout import probabilities, ridge_margins, task_of
from isocortex.scorers.decoding import readout_accuracy
from scipy.stats import norm, ortho_group, pearsonr
from tests.core.test_evaluation import benchmark
from tests.scorers.test_readout import NAMES, labels, units
from tests.synthetic import recorded_trials, recording, stimulus_ids

from isocortex.benchmarks import load_benchmark, load_scorer
from isocortex.ceilings import subject_ceiling
from isocortex.errors import IncompatibleError, InputError, MismatchError
from isocortex.evaluation import evaluate
from isocortex.geometry import Brain, Dissimilarities, Side, geometry_of
from isocortex.responses import Choices, Responses

SCORERS = ["error-consistency", "confusion-similarity", "i2n"]


def observer(count: int, *, trials: int = 1, seed: int = 0) -> Choices:
    """Someone who is right on about half of the trials, and errs in favour of some choices."""
    generator = np.random.default_rng(seed)
    truth = np.array([NAMES.index(name) for name in labels(count).values()])
    chance = generator.dirichlet(np.ones(3), size=count) + np.eye(3)[truth]
    shares = [generator.multinomial(trials, each / each.sum()) / trials for each in chance]
    return Choices(tuple(stimulus_ids(count)), NAMES, np.array(shares))


def score(name: str, model: Side, side: Side, categories: Mapping[str, str] | None = None) -> float:
    chosen = labels(len(model.ids)) if categories is None else categories
    return float(load_scorer(name)(model, Brain(("s",), (side,)), categories=chosen).item())


def test_kappa_is_agreement_beyond_what_accuracies_imply():
    one, other = observer(43, seed=1), observer(43, seed=2)
    truth = np.array([NAMES.index(name) for name in labels(43).values()])
    right, also = (side.shares.argmax(axis=1) == truth for side in (one, other))
    observed = np.mean(right == also)
    expected = right.mean() * also.mean() + (1 - right.mean()) * (1 - also.mean())
    kappa = (observed - expected) / (1 - expected)
    assert score("error-consistency", one, other) == pytest.approx(kappa, abs=1e-12)


def test_errors_on_the_other_stimuli_are_negative_and_no_errors_say_nothing():
    truth = np.array([NAMES.index(name) for name in labels(40).values()])
    half = np.arange(40) % 2
    sides = [
        Choices(tuple(stimulus_ids(40)), NAMES, np.eye(3)[(truth + shift) % 3])
        for shift in (half, 1 - half, 0 * half, 0 * half + 1)
    ]
    assert score("error-consistency", sides[0], sides[1]) == pytest.approx(-1)
    assert score("error-consistency", sides[0], sides[0]) == pytest.approx(1)
    for constant in sides[2:]:  # always right, always wrong
        assert score("error-consistency", constant, constant) == 0
        assert score("error-consistency", constant, sides[0]) == 0


def test_several_trials_count_as_the_mean_agreement_with_each():
    trials = [observer(43, seed=each) for each in range(4)]
    model = observer(43, seed=9)
    truth = np.array([NAMES.index(name) for name in labels(43).values()])
    right = np.array([side.shares.argmax(axis=1) == truth for side in (model, *trials)])
    observed = np.mean([np.mean(right[0] == each) for each in right[1:]])
    accuracies = right[0].mean(), right[1:].mean()
    expected = np.prod(accuracies) + np.prod(1 - np.array(accuracies))
    pooled = Choices(model.ids, NAMES, np.mean([side.shares for side in trials], axis=0))
    kappa = (observed - expected) / (1 - expected)
    assert score("error-consistency", model, pooled) == pytest.approx(kappa, abs=1e-12)


def plain_i2n(side: Choices, categories: Mapping[str, str]) -> dict[tuple[str, str], float]:
    """brainscore_vision.metrics.i1i2, one number at a time: (stimulus, distractor) → d′."""
    truth = [categories[name] for name in side.ids]
    p = {
        (i, c): row[side.choices.index(c)]
        / (row[side.choices.index(c)] + row[side.choices.index(t)])
        for i, t, row in zip(side.ids, truth, side.shares, strict=True)
        for c in NAMES
        if c != t
    }
    scores = {}
    for (i, c), rate in p.items():
        t = categories[i]
        alarms = np.mean([p[j, t] for j in side.ids if categories[j] == c])
        scores[i, c] = float(np.clip(norm.ppf(1 - rate) - norm.ppf(alarms), -5, 5))
    cells = {
        (categories[i], c): np.mean(
            [d for (j, e), d in scores.items() if (categories[j], e) == (categories[i], c)]
        )
        for i, c in scores
    }
    return {(i, c): d - cells[categories[i], c] for (i, c), d in scores.items()}


def test_i2n_is_brain_scores_formula():
    sides = [observer(43, trials=50, seed=each) for each in (1, 2)]
    plain = [plain_i2n(side, labels(43)) for side in sides]
    assert (sides[0].shares == 0).any()  # so that a d′ is infinite before it is set to 5
    expected = pearsonr(*[[each[key] for key in plain[0]] for each in plain])[0]
    assert score("i2n", *sides) == pytest.approx(expected, abs=1e-12)


def test_an_image_called_neither_and_a_bias_without_discrimination_are_no_evidence():
    """Where all is called cat, a dog has d′ = z(0) − z(0); a cup is neither cat nor what it is."""
    ids, names = stimulus_ids(9), ("cat", "dog", "owl", "cup")
    categories = {name: NAMES[each % 3] for each, name in enumerate(ids)}
    shares = observer(9, trials=9).shares
    model = Choices(tuple(ids), NAMES, shares)
    always_cat = Choices(tuple(ids), NAMES, np.tile([1.0, 0, 0], (9, 1)))
    assert score("i2n", model, always_cat, categories) == 0
    cup = Choices(tuple(ids), names, np.column_stack([shares, np.zeros(9)]))
    cup.shares[0] = [0, 0, 0, 1]
    assert np.isfinite(score("i2n", model, cup, categories))
    assert score("i2n", cup, cup, categories) == pytest.approx(1)


def test_confusions_are_correlated_off_the_diagonal():
    sides = [observer(43, trials=3, seed=each) for each in (1, 2)]
    truth = np.array(list(labels(43).values()))
    confusions = [
        [
            side.shares[truth == true, NAMES.index(called)].mean()
            for true in NAMES
            for called in NAMES
            if called != true
        ]
        for side in sides
    ]
    expected = pearsonr(*confusions)[0]
    assert score("confusion-similarity", *sides) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", SCORERS)
def test_a_region_is_read_out_as_a_layer_is(name):
    """The readout of the region enters as the choices of an observer would."""
    model, region = geometry_of(units(43, seed=1)), geometry_of(units(43, seed=2))
    task = task_of(region.ids, labels(43))
    ordered = region.select(task.positions)
    if name == "i2n":
        read = probabilities(ordered, task, "x", penalty=1.0, standardised=False)
    else:
        read = np.eye(3)[ridge_margins(ordered, task, "x").argmax(axis=1)]
    shares = np.empty_like(read)
    shares[task.positions] = read
    chosen = Choices(region.ids, task.names, shares)
    assert score(name, model, region) == pytest.approx(score(name, model, chosen), abs=1e-12)


@pytest.mark.parametrize("name", SCORERS)
def test_counts_weigh_stimuli_as_often_as_they_are_drawn(name):
    sides = [observer(43, trials=5, seed=each) for each in (1, 2)]
    counts = np.random.default_rng(0).multinomial(43, np.full(43, 1 / 43), size=4) * 1.0
    weighed = load_scorer(name)(
        sides[0], Brain(("s",), (sides[1],)), categories=labels(43), counts=counts
    )
    assert weighed.dims == ("resample", "subject")
    for row, found in zip(counts, weighed.values[:, 0], strict=True):
        drawn = np.repeat(np.arange(43), row.astype(int))
        ids = tuple(stimulus_ids(43))
        again = [Choices(tuple(stimulus_ids(43)), NAMES, side.shares[drawn]) for side in sides]
        named = {new: labels(43)[ids[old]] for new, old in zip(ids, drawn, strict=True)}
        assert found == pytest.approx(score(name, *again, named), abs=1e-12)


@pytest.mark.parametrize("name", SCORERS)
def test_many_resamples_are_the_same_as_few(name, monkeypatch):
    monkeypatch.setattr("isocortex.scorers.decoding._AT_ONCE", 300)
    model, region = geometry_of(units(43, seed=1)), Brain(("s",), (geometry_of(units(43, seed=2)),))
    ones = load_scorer(name)(model, region, categories=labels(43), counts=np.ones((5, 43)))
    plain = load_scorer(name)(model, region, categories=labels(43))
    np.testing.assert_allclose(ones, np.tile(plain, (5, 1)), atol=1e-12)


@pytest.mark.parametrize("name", SCORERS)
def test_unrelated_sides_do_not_agree_where_categories_are_unequal(name):
    """With the base rates left in, noise names the most frequent category, and all noise agrees:
    κ was .6 and the confusions' r .8."""
    found = []
    for seed in range(60):
        sides = [geometry_of(units(30, strength=0, seed=seed + each)) for each in (0, 1000)]
        found.append(score(name, *sides))
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(60)


@pytest.mark.parametrize("name", SCORERS)
def test_the_order_of_stimuli_and_a_rotation_change_nothing(name):
    model, region = units(43, seed=1), units(43, seed=2)
    order = np.random.default_rng(0).permutation(43)
    turned = Responses(model.ids, model.values @ ortho_group.rvs(30, random_state=0) * 5 + 1e4)
    before = score(name, geometry_of(model), geometry_of(region))
    sides = [geometry_of(side.select(order)) for side in (turned, region)]
    assert score(name, *sides, labels(43)) == pytest.approx(before, abs=1e-9)


@pytest.mark.parametrize("name", SCORERS)
def test_the_only_stimulus_of_a_category_is_left_out(name):
    sides = [geometry_of(units(44, seed=each)) for each in (1, 2)]
    categories = {**labels(44), "stimulus-007": "yak"}
    rest = np.delete(np.arange(44), 7)
    without = score(name, *(side.select(rest) for side in sides), categories)
    assert score(name, *sides, categories) == pytest.approx(without, abs=1e-9)


def test_units_that_are_constant_in_training_are_left_out():
    side, other = units(43, seed=1), observer(43)
    constant = Responses(side.ids, np.column_stack([side.values, np.full(43, 0.5)]))
    alike = [score("brain-score-i2n", each, other) for each in (side, constant)]
    assert alike[0] == pytest.approx(alike[1], abs=1e-12)


@pytest.mark.parametrize("name", SCORERS)
@pytest.mark.parametrize("stimuli", [6, 8, 13])
def test_two_stimuli_of_each_category_are_enough(name, stimuli):
    categories = {each: NAMES[at % 3] for at, each in enumerate(stimulus_ids(stimuli))}
    sides = [geometry_of(units(stimuli, seed=each)) for each in (1, 2)]
    assert -1 <= score(name, *sides, categories) <= 1


@pytest.mark.parametrize("name", SCORERS)
@pytest.mark.parametrize(("stimuli", "answer"), [(43, 1.0), (32, 32.0)])  # the second is exact
def test_a_side_that_tells_one_stimulus_from_all_others_is_scored(name, stimuli, answer):
    values = np.zeros((stimuli, 4))
    values[5] = answer
    side = geometry_of(Responses(tuple(stimulus_ids(stimuli)), values))
    assert np.isfinite(score(name, side, observer(stimuli)))


REFUSALS: dict[str, tuple[type[Exception], str]] = {
    "no category": (InputError, "stimulus 'stimulus-004' has no category; give one to each"),
    "one category": (InputError, "1 of the 1 categories of 12 stimuli have two stimuli or more"),
    "all alone": (InputError, "0 of the 12 categories of 12 stimuli have two stimuli or more"),
    "other choices": (
        InputError,
        "subject s chose among a, b, c, which does not name the .* 'cat'",
    ),
    "dissimilarities": (IncompatibleError, "of the model only dissimilarities are known"),
    "constant": (InputError, "the model answers alike to all stimuli"),
    "other stimuli": (MismatchError, "differ in their stimuli"),
}


def refused(fault: str) -> None:
    model: Side = geometry_of(units(12))
    side, categories = observer(12), labels(12)
    if fault == "no category":
        del categories["stimulus-004"]
    elif fault == "one category":
        categories = dict.fromkeys(categories, "cat")
    elif fault == "all alone":
        categories = {name: name for name in categories}
    elif fault == "other choices":
        side = Choices(side.ids, ("a", "b", "c"), side.shares)
    elif fault == "dissimilarities":
        model = Dissimilarities(model.ids, 1 - np.eye(12))
    elif fault == "constant":
        model = geometry_of(Responses(model.ids, np.ones((12, 3))))
    elif fault == "other stimuli":
        model = geometry_of(units(13))
    score("error-consistency", model, side, categories)


@pytest.mark.parametrize("fault", REFUSALS)
def test_what_cannot_be_read_out_is_refused_with_a_reason(fault):
    error, message = REFUSALS[fault]
    with pytest.raises(error, match=message):
        refused(fault)


def test_two_categories_have_no_confusions_to_compare():
    categories = {name: NAMES[each % 2] for each, name in enumerate(stimulus_ids(12))}
    with pytest.raises(InputError, match=r"cat and dog are all categories with two .* takes three"):
        score("confusion-similarity", observer(12), observer(12), categories)


def test_readouts_are_asked_for_with_sense():
    side, choices = geometry_of(units(12)), Brain(("s",), (observer(12),))
    with pytest.raises(InputError, match="the penalty of the readout is 0; give a positive one"):
        load_scorer("i2n")(side, choices, categories=labels(12), penalty=0)
    with pytest.raises(IncompatibleError, match="those of the model are not known"):
        load_scorer("brain-score-i2n")(side, choices, categories=labels(12))
    with pytest.raises(InputError, match="there is no layer to read out"):
        readout_accuracy({}, labels(12))


def test_dissimilarities_hold_nothing_to_read_out():
    with pytest.raises(IncompatibleError, match="i2n needs responses or choices; cichy2014 holds"):
        load_benchmark("cichy2014/IT/i2n")


def test_the_ceiling_of_choices_is_with_and_without_oneself():
    sides = tuple(observer(43, trials=4, seed=each) for each in range(3))
    brain = Brain(("a", "b", "c"), sides)
    upper, lower = [], []
    for each, side in enumerate(sides):
        others = [other.shares for other in (*sides[:each], *sides[each + 1 :])]
        mean = Choices(side.ids, NAMES, np.mean(others, axis=0))
        lower.append(score("i2n", mean, side))
        mean = Choices(side.ids, NAMES, np.mean([*others, side.shares], axis=0))
        upper.append(score("i2n", mean, side))

    def similarity(model, brain):
        return load_scorer("i2n")(model, brain, categories=labels(43))

    ceiling = subject_ceiling(similarity, brain)
    assert ceiling.lower == pytest.approx(np.mean(lower), abs=1e-12)
    assert ceiling.upper == pytest.approx(np.mean(upper), abs=1e-12)


@pytest.mark.parametrize(("name", "least"), [*zip(SCORERS, [0.75, 0.7, 0.95], strict=True)])
def test_the_signal_reaches_the_ceiling_of_noisy_trials_but_for_what_decisions_lose(name, least):
    """Spearman and Brown's correction holds for graded evidence; a decision keeps less of it."""
    signal = units(120, width=20)
    region = recorded_trials(signal.values, noise=1.0)
    bench = benchmark(recording(region, category=list(labels(120).values())), name, resamples=9)
    bench = bench.with_splits(kind="halves", scored=120, seed=0)
    found = evaluate(bench, {"signal": signal, "noise": units(120, strength=0, seed=8)})
    assert found.layer == "signal"
    assert found.raw > found.ceiling.lower
    assert least < found.value < 1.05
