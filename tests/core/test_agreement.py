"""Agreement of scorers: Spearman's ρ over candidates, as scipy has it, and as it is drawn."""

import json

import numpy as np
import pytest
import xarray as xr
from scipy import stats
from tests.made_up_scores import benchmark_facts, candidate_facts, record_score
from tests.test_command_line import failing, isocortex

from isocortex.agreements import agreement, cluster_order, plot_agreement, score_table
from isocortex.errors import InputError
from isocortex.statistics import bootstrap_counts
from isocortex.store import open_store

DRAW = np.random.default_rng(0)


def table(values: np.ndarray) -> xr.DataArray:
    names = [f"scorer-{place}" for place in range(values.shape[1])]
    return xr.DataArray(values, dims=("candidate", "scorer"), coords={"scorer": names})


def test_agreement_is_scipys_with_ties():
    values = np.round(DRAW.normal(size=(12, 4)), 1)
    agreed = agreement(table(values), draws=10)
    np.testing.assert_allclose(agreed, stats.spearmanr(values).statistic, atol=1e-12)
    assert (agreed.candidates == 12).all()


def test_a_missing_score_is_missing_for_its_pairs_alone():
    values = DRAW.normal(size=(12, 3))
    values[[0, 5], 1] = np.nan
    agreed = agreement(table(values), draws=10)
    there = np.isfinite(values[:, 1])
    expected = stats.spearmanr(values[there, 0], values[there, 1]).statistic
    assert agreed[0, 1].item() == pytest.approx(expected, abs=1e-12)
    assert agreed[0, 2].item() == pytest.approx(stats.spearmanr(values[:, [0, 2]]).statistic)
    assert agreed.candidates.values.tolist() == [[12, 10, 12], [10, 10, 10], [12, 10, 12]]


def test_the_interval_is_over_candidates_drawn_with_return():
    values = DRAW.normal(size=(15, 2)) + DRAW.normal(size=(15, 1))
    agreed = agreement(table(values), draws=41, seed=3)
    drawn = [
        stats.spearmanr(np.repeat(values, row, axis=0)).statistic
        for row in bootstrap_counts(15, 41, seed=3).astype(int)
    ]
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert agreed.low[0, 1].item() == pytest.approx(low, abs=1e-12)
    assert agreed.high[1, 0].item() == pytest.approx(high, abs=1e-12)


def test_too_few_candidates_or_one_score_for_all_say_nothing():
    values = DRAW.normal(size=(6, 3))
    values[3:, 0] = np.nan
    values[:, 2] = 0.5
    agreed = agreement(table(values), draws=10)
    assert np.isnan(agreed.values[[0, 0, 1], [1, 2, 2]]).all()
    assert agreed[1, 1].item() == pytest.approx(1)


def test_scorers_that_agree_are_neighbours():
    base, other = DRAW.normal(size=(2, 20, 1))
    noise = 0.1 * DRAW.normal(size=(20, 6))
    mixed = np.concatenate([base, other, base, other, base, np.full((20, 1), 1.0)], axis=1)
    order = cluster_order(agreement(table(mixed + noise * [1, 1, 1, 1, 1, 0]), draws=2))
    sides = [(0 if place in (0, 2, 4) else 1) for place in order[:5]]
    assert sides in ([0, 0, 0, 1, 1], [1, 1, 0, 0, 0])
    assert order[5] == 5


def test_the_plot_names_every_scorer_and_every_number():
    agreed = agreement(table(DRAW.normal(size=(9, 5))), draws=2)
    figure = plot_agreement(agreed)
    axes = figure.axes[0]
    order = cluster_order(agreed)
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == agreed.scorer.values[order].tolist()
    expected = [f"{100 * value:.0f}" for value in agreed.values[np.ix_(order, order)].reshape(-1)]
    assert [text.get_text() for text in axes.texts] == expected


def test_what_is_no_table_of_scores_is_refused():
    with pytest.raises(InputError, match="two scorers or more"):
        agreement(table(DRAW.normal(size=(5, 1))))
    with pytest.raises(InputError, match="two scorers or more"):
        agreement(table(DRAW.normal(size=(5, 2))).rename(scorer="benchmark"))


@pytest.fixture
def scored(empty_home):
    """Five candidates of which one lacks a score; one scorer ranks them as none of the others."""
    with open_store() as store:
        for place in range(5):
            for scorer, sign in {"rsa": 1, "cka": 1, "rsa-kendall": -1}.items():
                if (place, scorer) != (4, "cka"):
                    facts = benchmark_facts(f"cichy2014/IT/{scorer}")
                    record_score(store, candidate_facts(f"net-{place}"), facts, sign * place / 10)
    return empty_home


def test_the_table_of_scores_is_what_is_stored(scored):
    names = [f"cichy2014/IT/{scorer}" for scorer in ("rsa", "cka", "nosuch")]
    with open_store() as store:
        found = score_table(store, names)
        with pytest.raises(InputError, match="one region at a time"):
            score_table(store, ["cichy2014/IT/rsa", "cichy2014/EVC/rsa"])
    assert found.scorer.values.tolist() == ["rsa", "cka"]
    expected = [[0, 0], [0.1, 0.1], [0.2, 0.2], [0.3, 0.3], [0.4, np.nan]]
    np.testing.assert_array_equal(found, expected)


def test_the_command_shows_the_agreement(scored, tmp_path):
    pairs = json.loads(isocortex("agreement", "cichy2014/IT", "--json"))
    found = {(pair["scorer"], pair["other_scorer"]): pair for pair in pairs}
    assert set(found) == {("cka", "rsa"), ("cka", "rsa-kendall"), ("rsa", "rsa-kendall")}
    assert found["rsa", "rsa-kendall"]["rho"] == pytest.approx(-1)
    assert (found["cka", "rsa"]["rho"], found["cka", "rsa"]["candidates"]) == (pytest.approx(1), 4)
    assert "-1.00" in isocortex("agreement", "cichy2014/IT")
    isocortex("agreement", "cichy2014/IT", "--plot", str(tmp_path / "agreed.svg"))
    assert "<svg" in (tmp_path / "agreed.svg").read_text()


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("cichy2014",), 3, "'cichy2014' is no region"),
        (("cichy2014/EVC",), 7, "0 scorers have scores on cichy2014/EVC"),
        (("cichy2014/IT", "--plot", "a.txt"), 7, "'a.txt' can't be drawn"),
    ],
)
def test_what_can_not_be_shown_is_told(arguments, status, message, scored, monkeypatch, capsys):
    found, text = failing("agreement", *arguments, monkeypatch=monkeypatch, capsys=capsys)
    assert found == status
    assert message in text


def test_several_comparisons_say_that_they_hold_at_once(scored):
    one = ("compare", "net-2", "net-1", "-b", "cichy2014/IT/rsa")
    both = (*one, "-b", "cichy2014/IT/cka")
    assert "max-statistic" in " ".join(isocortex(*both).split())
    assert "max-statistic" not in isocortex(*one)
    found = json.loads(isocortex(*both, "--json"))
    assert [each["difference"] for each in found] == pytest.approx([0.1, 0.1])
    assert {"low", "high", "joint_low", "joint_high", "p"} <= set(found[0])
