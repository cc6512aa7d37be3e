"""Scores are written whole or not at all, once, and found again."""

import math
from dataclasses import replace

import pytest
from sqlalchemy import select
from tests.made_up_scores import (
    SUBJECTS,
    benchmark_facts,
    candidate_facts,
    made_up_score,
    record_score,
)

from isocortex import ontology
from isocortex.errors import InputError, MismatchError
from isocortex.scores import Ceiling
from isocortex.store import Store, StoredScore
from isocortex.store.schema import Component

NET, FACES = candidate_facts("net"), benchmark_facts("faces/IT/rsa")


def find(store: Store) -> StoredScore | None:
    return store.find_score(NET.fingerprint, FACES.fingerprint)


def states(store: Store) -> list[str]:
    return [run.state for run in store.runs()]


def test_a_score_is_found_as_it_was_recorded(store: Store) -> None:
    record_score(store, NET, FACES, 0.4, draws=[0.3, 0.4, 0.5])
    found = find(store)
    assert found is not None
    assert (found.candidate, found.benchmark, found.raw) == ("net", "faces/IT/rsa", 0.4)
    assert found.ceiling == Ceiling(lower=0.5, upper=0.8)
    assert (found.value, found.value_low) == (0.4 / 0.8, found.low / 0.8)
    assert (found.counts, found.seed) == ({"stimuli": 92, "subjects": 3}, 0)
    assert store.load_detail(found).resampled_raw.values.tolist() == [0.3, 0.4, 0.5]


def test_another_version_is_not_found(store: Store) -> None:
    record_score(store, candidate_facts("net", version=2), FACES)
    record_score(store, NET, benchmark_facts("faces/IT/rsa", version=2))
    assert find(store) is None


def test_a_score_keeps_its_slices_in_order(store: Store) -> None:
    score_id = record_score(store, NET, FACES, 0.5)
    slices = store.model("net").slices[score_id]
    subjects = [(part.name, part.value) for part in slices if part.kind == "subject"]
    assert subjects == list(zip(SUBJECTS, [0.5 - 0.02, 0.5, 0.5 + 0.02], strict=True))


def test_an_exception_marks_the_run_as_failed_and_passes(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.record(NET, FACES):
        1 / 0  # noqa: B018
    (run,) = store.runs()
    assert (run.state, run.error) == ("failed", "ZeroDivisionError: division by zero")
    assert find(store) is None


def test_an_interrupted_run_has_failed(store: Store) -> None:
    with pytest.raises(KeyboardInterrupt), store.record(NET, FACES):
        raise KeyboardInterrupt
    assert states(store) == ["failed"]


def test_a_run_without_a_score_has_failed(store: Store) -> None:
    with pytest.raises(InputError, match="keep"), store.record(NET, FACES):
        pass
    assert states(store) == ["failed"]


def test_what_goes_wrong_after_the_score_does_not_undo_it(store: Store) -> None:
    def keep_and_fail() -> None:
        with store.record(NET, FACES) as run:
            run.keep(made_up_score(NET, FACES))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        keep_and_fail()
    assert states(store) == ["done"]
    assert find(store) is not None


def test_scoring_again_replaces_the_current_score(store: Store) -> None:
    record_score(store, NET, FACES, 0.4)
    record_score(store, NET, FACES, 0.5)
    assert [score.raw for score in store.scores().scores] == [0.5]
    assert [run.attempt for run in store.runs()] == [2, 1]


@pytest.mark.parametrize("number", ["raw", "low", "high", "value"])
def test_a_score_that_is_not_finite_leaves_nothing(store: Store, number: str) -> None:
    version = store.data_version()
    score = replace(made_up_score(NET, FACES), **{number: math.nan})
    with pytest.raises(InputError, match=f"{number} is nan"), store.record(NET, FACES) as run:
        run.keep(score)
    assert find(store) is None
    assert (states(store), store.data_version()) == (["failed"], version)


def test_a_score_of_something_else_is_refused(store: Store) -> None:
    other = made_up_score(candidate_facts("other"), FACES)
    with pytest.raises(MismatchError, match="other"), store.record(NET, FACES) as run:
        run.keep(other)


def test_a_score_normalised_otherwise_is_refused(store: Store) -> None:
    squared = benchmark_facts("faces/IT/rsa", normalisation="signed-square-ratio")
    with pytest.raises(MismatchError, match="signed-square"), store.record(NET, squared) as run:
        run.keep(made_up_score(NET, FACES))


def test_a_slice_that_is_undefined_is_kept_as_missing(store: Store) -> None:
    score = made_up_score(NET, FACES)
    score.detail["subject_score"][1] = math.nan
    with store.record(NET, FACES) as run:
        score_id = run.keep(score)
    slices = [part for part in store.model("net").slices[score_id] if part.kind == "subject"]
    assert [part.value is None for part in slices] == [False, True, False]


def test_no_row_holds_an_array(store: Store) -> None:
    large = replace(FACES, protocol={"splits": list(range(100_000))})
    with pytest.raises(InputError, match="at most 100,000"), store.record(NET, large):
        pass
    assert store.runs() == ()


def test_the_data_version_changes_with_every_score(store: Store) -> None:
    seen = [store.data_version()]
    for raw in (0.4, 0.4, 0.5):
        record_score(store, NET, FACES, raw)
        seen.append(store.data_version())
    assert len(set(seen)) == 1 + 3


def test_a_run_says_where_it_ran(store: Store) -> None:
    record_score(store, NET, FACES)
    environment = store.runs()[0].environment
    assert environment["packages"]["numpy"].count(".") >= 1
    assert environment["processor"]["cores"] >= 1


def test_the_components_say_what_the_ontology_says_now(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_score(store, NET, FACES)
    before = ontology.find_term("diet", "imagenet-1k")
    after = replace(before, label="ImageNet with 1,000 classes")
    terms = tuple(after if term == before else term for term in ontology._TERMS)
    monkeypatch.setattr(ontology, "_TERMS", terms)
    record_score(store, NET, FACES)
    with store.engine.connect() as connection:
        labels = connection.scalars(select(Component.label).where(Component.name == "imagenet-1k"))
        assert labels.all() == ["ImageNet with 1,000 classes"]
