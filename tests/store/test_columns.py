"""Scores are read once, and afterwards only what is new."""

from dataclasses import replace

from tests.made_up_scores import benchmark_facts, candidate_facts, record_score

from isocortex.store import Store
from isocortex.store.columns import read_columns
from isocortex.store.opening import reading

IT = benchmark_facts("faces/IT/rsa")


def test_only_new_scores_are_read(store: Store) -> None:
    for name in ("a", "b"):
        record_score(store, candidate_facts(name), IT, 0.4)
    with reading(store.engine) as connection:
        first = read_columns(connection)
    marked = replace(first, scores={**first.scores, "raw": first.scores["raw"] + 1})
    record_score(store, candidate_facts("c"), IT, 0.5)
    record_score(store, candidate_facts("a"), IT, 0.6)  # replaces one
    with reading(store.engine) as connection:
        second = read_columns(connection, before=marked)
    found = {second.score(place).candidate: second.score(place).raw for place in range(3)}
    assert found == {"a": 0.6, "b": 0.4 + 1, "c": 0.5}
    assert len(second.scores["id"]) == 3


def test_what_was_current_then_is_one_score_of_each_pair(store: Store) -> None:
    ids = [record_score(store, candidate_facts("a"), IT, raw) for raw in (0.1, 0.2, 0.3)]
    with reading(store.engine) as connection:
        then = read_columns(connection, last=ids[1])
        empty = read_columns(connection, last=0)
    assert [then.score(place).raw for place in range(len(then.scores["id"]))] == [0.2]
    assert len(empty.scores["id"]) == 0


def test_a_record_is_the_same_whichever_way_it_is_read(store: Store) -> None:
    score_id = record_score(store, candidate_facts("a"), IT, 0.4, ceiling=None)
    (listed,) = store.scores().scores
    alone, _ = store.score(score_id)
    assert listed == alone == store.find_score(candidate_facts("a").fingerprint, IT.fingerprint)
