"""Leaderboards compare like with like, and say how sure they are."""

import numpy as np
import pytest
from tests.made_up_scores import benchmark_facts, candidate_facts, record_score

from isocortex.errors import InputError, UnknownNameError
from isocortex.scores import Ceiling, normalise
from isocortex.store import Leaderboard, Selection, Store, ranking
from isocortex.store.ranking import normalised, ranks

IT, V1 = benchmark_facts("faces/IT/rsa"), benchmark_facts("faces/V1/rsa")


def names(board: Leaderboard) -> list[str]:
    return [row.candidate for row in board.rows]


def record_all(store: Store, **raw: float) -> None:
    """Score each candidate equally on IT and V1."""
    for name, number in raw.items():
        for benchmark in (IT, V1):
            record_score(store, candidate_facts(name), benchmark, number)


def test_the_mean_is_over_normalised_values(store: Store) -> None:
    net = candidate_facts("net")
    record_score(store, net, IT, 0.4, ceiling=Ceiling(lower=0.5, upper=0.8))
    record_score(store, net, V1, 0.3, ceiling=Ceiling(lower=0.3, upper=0.4))
    (row,) = store.leaderboard().rows
    assert row.standing is not None
    assert row.standing.mean == pytest.approx((0.4 / 0.8 + 0.3 / 0.4) / 2, abs=1e-15)


def test_rows_come_by_rank_and_equals_share_the_best(store: Store) -> None:
    record_all(store, low=0.1, twin=0.3, other_twin=0.3, high=0.5)
    board = store.leaderboard()
    places = {row.candidate: row.standing.rank for row in board.rows if row.standing}
    assert places == {"high": 1, "twin": 2, "other_twin": 2, "low": 4}
    assert names(board)[0] == "high"
    assert names(board)[-1] == "low"


def test_an_incomplete_row_has_no_standing_and_comes_last(store: Store) -> None:
    record_all(store, low=0.1)
    record_score(store, candidate_facts("half"), IT, 0.7)
    board = store.leaderboard()
    assert names(board) == ["low", "half"]
    assert (board.rows[1].standing, board.rows[1].covered) == (None, 1)


def test_a_benchmark_without_ceiling_is_shown_but_not_counted(store: Store) -> None:
    net = candidate_facts("net")
    record_score(store, net, IT, 0.4)
    record_score(store, net, V1, 0.9, ceiling=None)
    board = store.leaderboard()
    assert board.counted == ("faces/IT/rsa",)
    assert board.rows[0].scores["faces/V1/rsa"].value is None
    assert board.rows[0].standing is not None
    assert board.rows[0].standing.mean == 0.4 / 0.8


def test_only_the_version_scored_last_takes_part(store: Store) -> None:
    record_all(store, net=0.4)
    record_score(store, candidate_facts("net", version=2), IT, 0.1)
    (row,) = store.leaderboard().rows
    assert {name: score.raw for name, score in row.scores.items()} == {"faces/IT/rsa": 0.1}


def test_versions_of_a_benchmark_never_mix(store: Store) -> None:
    record_all(store, old=0.4)
    record_score(store, candidate_facts("new"), benchmark_facts("faces/IT/rsa", version=2), 0.2)
    board = store.leaderboard(benchmarks=["faces/IT/rsa"])
    assert names(board) == ["new"]
    assert board.benchmarks[0].protocol["version"] == 2


def test_an_old_version_that_is_scored_again_comes_back(store: Store) -> None:
    record_all(store, net=0.4)
    record_score(store, candidate_facts("net", version=2), IT, 0.1)
    record_score(store, candidate_facts("net"), IT, 0.3)
    (row,) = store.leaderboard().rows
    assert row.scores["faces/IT/rsa"].raw == 0.3


def test_simulated_data_stand_apart(store: Store) -> None:
    record_all(store, net=0.4)
    toy = benchmark_facts("toy/IT/rsa", simulated=True)
    record_score(store, candidate_facts("net"), toy, 0.9)
    found = {flag: store.leaderboard(simulated=flag).counted for flag in (False, True)}
    assert found == {False: ("faces/IT/rsa", "faces/V1/rsa"), True: ("toy/IT/rsa",)}


def test_a_term_stands_for_all_below_it(store: Store) -> None:
    record_score(store, candidate_facts("sorter", objective="categorise"), IT)
    record_score(store, candidate_facts("finder", objective="detect-faces"), IT)
    record_score(store, candidate_facts("random", objective="none"), IT)
    assert sorted(names(store.leaderboard(objective="supervised"))) == ["finder", "sorter"]
    assert names(store.leaderboard(objective="categorise")) == ["sorter"]
    assert names(store.leaderboard(objective="supervised", diet="cifar-10")) == []


def test_unknown_terms_and_benchmarks_are_named(store: Store) -> None:
    record_all(store, net=0.4)
    with pytest.raises(UnknownNameError, match="supervised"):
        store.leaderboard(objective="supervisd")
    with pytest.raises(UnknownNameError, match="faces/IT/rsa"):
        store.leaderboard(benchmarks=["faces/IT/rso"])


def test_ranks_are_told_apart_where_candidates_move_together(store: Store) -> None:
    shared = np.random.default_rng(0).normal(0, 0.2, 400)
    for name, raw in {"better": 0.42, "worse": 0.40}.items():
        record_score(store, candidate_facts(name), IT, raw, draws=raw + shared)
    standings = [row.standing for row in store.leaderboard().rows]
    assert [(place.rank_low, place.rank_high) for place in standings if place] == [(1, 1), (2, 2)]


def test_ranks_overlap_where_candidates_move_apart(store: Store) -> None:
    half = np.random.default_rng(0).normal(0, 0.2, 200)
    opposed = np.concatenate([half, -half])  # either candidate's draws are spread alike
    record_score(store, candidate_facts("better"), IT, 0.42, draws=0.42 + opposed)
    record_score(store, candidate_facts("worse"), IT, 0.40, draws=0.40 - opposed)
    standings = [row.standing for row in store.leaderboard().rows]
    assert [(place.rank_low, place.rank_high) for place in standings if place] == [(1, 2), (1, 2)]


def test_the_interval_of_the_mean_is_that_of_its_resamples(store: Store) -> None:
    for benchmark in (IT, V1):
        draws = np.linspace(0.2, 0.6, 401)
        record_score(store, candidate_facts("net"), benchmark, 0.4, draws=draws)
    place = store.leaderboard().rows[0].standing
    assert place is not None
    assert place.mean_low == pytest.approx((0.2 + 0.025 * 0.4) / 0.8, abs=1e-12)
    assert place.mean_high == pytest.approx((0.2 + 0.975 * 0.4) / 0.8, abs=1e-12)


def test_a_leaderboard_is_kept_until_the_next_score(store: Store) -> None:
    record_all(store, net=0.4)
    first = store.leaderboard()
    assert store.leaderboard() is first
    record_all(store, net=0.5)
    assert store.leaderboard().rows[0].scores["faces/IT/rsa"].raw == 0.5


def test_an_empty_store_has_an_empty_leaderboard(store: Store) -> None:
    board = store.leaderboard()
    assert (board.rows, board.benchmarks, board.counted) == ((), (), ())


def test_a_paired_difference_is_surer_than_its_parts(store: Store) -> None:
    shared = np.random.default_rng(0).normal(0, 0.2, 400)
    record_score(store, candidate_facts("a"), IT, 0.42, draws=0.42 + shared)
    record_score(store, candidate_facts("b"), IT, 0.40, draws=0.40 + shared)
    found = store.paired_difference("a", "b", IT.name)
    assert found.difference == 0.42 - 0.40
    assert found.low == pytest.approx(0.42 - 0.40, abs=1e-12)
    assert found.high == pytest.approx(0.42 - 0.40, abs=1e-12)


def test_a_difference_without_a_score_names_the_candidate(store: Store) -> None:
    record_all(store, net=0.4)
    with pytest.raises(UnknownNameError, match="'neat'; did you mean net"):
        store.paired_difference("net", "neat", IT.name)


def test_scores_come_in_pages(store: Store) -> None:
    record_all(store, a=0.1, b=0.2, c=0.3)
    first = store.scores(limit=4)
    second = store.scores(limit=4, after=first.next)
    assert (len(first.scores), len(second.scores), second.next) == (4, 2, None)
    assert len({score.id for score in first.scores + second.scores}) == 6


def test_models_are_listed_by_name_in_their_last_version(store: Store) -> None:
    record_all(store, b=0.1, a=0.2)
    record_score(store, candidate_facts("a", version=2), IT, 0.3)
    listed = [(model.name, model.scores) for model in store.models()]
    assert listed == [("a", 1), ("b", 2)]
    assert [version.scores for version in store.model("a").versions] == [1, 2]


def test_an_unknown_model_is_named_with_its_neighbour(store: Store) -> None:
    record_all(store, net=0.1)
    with pytest.raises(UnknownNameError, match="did you mean net"):
        store.model("nett")


def test_ranks_count_those_that_are_greater() -> None:
    values = np.array([[0.1, 3.0], [0.5, 2.0], [0.5, 1.0]])
    assert ranks(values).tolist() == [[3, 1], [1, 2], [1, 3]]


@pytest.mark.parametrize("normalisation", ["ratio", "signed-square-ratio"])
def test_draws_are_normalised_as_scores_are(normalisation: str) -> None:
    raw, ceiling = np.array([-0.5, 0.0, 0.3]), Ceiling(lower=0.4, upper=0.8)
    one_by_one = [normalise(number, ceiling, normalisation) for number in raw.tolist()]
    assert normalised(raw, ceiling, normalisation).tolist() == one_by_one


def test_weights_are_products_along_the_path(store: Store) -> None:
    net = candidate_facts("net")
    record_score(store, net, IT, 0.4)
    record_score(store, net, V1, 0.2)
    weights = (("faces", 2.0), ("faces/IT", 3.0), ("faces/V1/rsa", 0.5))
    board = store.leaderboard(Selection(weights=weights))
    assert board.weights == {IT.name: 2 * 3, V1.name: 2 * 0.5}
    place = board.rows[0].standing
    assert place is not None
    assert place.mean == pytest.approx((6 * 0.4 / 0.8 + 1 * 0.2 / 0.8) / (6 + 1), abs=1e-15)


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_a_weight_that_is_none_is_refused(small_store: Store, weight: float) -> None:
    record_all(small_store, net=0.4)
    with pytest.raises(InputError, match="from 0 to"):
        small_store.leaderboard(Selection(weights=(("faces", weight),)))
    with pytest.raises(UnknownNameError, match="did you mean faces"):
        small_store.leaderboard(Selection(weights=(("face", 1.0),)))


def test_large_leaderboards_are_as_unsure_as_their_scores(
    small_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The errors of one dataset add up, those of two are independent."""
    monkeypatch.setattr(ranking, "MOST_PAIRED", 0)
    other = benchmark_facts("houses/IT/rsa")
    for benchmark in (IT, V1, other):
        record_score(small_store, candidate_facts("net"), benchmark, 0.4)
    half = {}
    for names in ([IT.name], [IT.name, V1.name], [IT.name, other.name]):
        place = small_store.leaderboard(benchmarks=names).rows[0].standing
        assert place is not None
        assert place.mean_low is not None
        assert place.mean_high is not None
        half[tuple(names)] = (place.mean_high - place.mean_low) / 2
    score = small_store.scores(benchmark=IT.name).scores[0]
    assert score.value_high is not None
    assert score.value_low is not None
    own = (score.value_high - score.value_low) / 2
    few = 0.1  # 400 draws tell a tail to a tenth
    assert half[IT.name,] == pytest.approx(own, rel=few)
    assert half[IT.name, V1.name] == pytest.approx(own, rel=few)
    assert half[IT.name, other.name] == pytest.approx(own / 2**0.5, rel=few)


def test_large_leaderboards_have_rank_intervals(
    small_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranking, "MOST_PAIRED", 0)
    record_all(small_store, best=0.75, near=0.41, nearer=0.40, worst=-0.2)
    found = {row.candidate: row.standing for row in small_store.leaderboard().rows}
    places = {name: (one.rank_low, one.rank_high) for name, one in found.items() if one}
    assert places == {"best": (1, 1), "near": (2, 3), "nearer": (2, 3), "worst": (4, 4)}
