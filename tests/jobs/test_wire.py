"""What goes over the wire comes back the same; what is no score is refused, whatever it is."""

import json
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from tests.made_up_scores import benchmark_facts, candidate_facts, made_up_score

from isocortex import registry
from isocortex.cards import card_facts
from isocortex.errors import InputError, IsocortexError
from isocortex.jobs import wire
from isocortex.store.queue import Lease, Outcome

LEASE = Lease(3, 2, "faces/IT/rsa")


def outcome(**changes: object) -> Outcome:
    candidate, benchmark = candidate_facts("ann/net"), benchmark_facts()
    made = Outcome(
        candidate=candidate,
        benchmark=benchmark,
        score=made_up_score(candidate, benchmark),
        seconds=1.5,
        peak_bytes=10**9,
        seed=0,
        spent={"cpu_seconds": 1.25},
        environment={"python": "3.11"},
    )
    return replace(made, **changes)


def sent(found: Outcome) -> bytes:
    return wire.encode_outcome("host-1", LEASE, found, environment={"python": "3.11"})


def test_a_score_arrives_as_it_was_sent():
    found = outcome()
    told, arrived = wire.decode_outcome(sent(found))
    assert (told.worker, told.attempt) == ("host-1", 2)
    assert arrived.score.detail.identical(found.score.detail)
    assert replace(arrived, score=found.score) == found
    facts = ("raw", "low", "high", "value", "ceiling", "counts", "resampled", "layer")
    assert all(getattr(arrived.score, name) == getattr(found.score, name) for name in facts)


def test_the_cards_of_every_candidate_arrive_as_they_were_sent():
    """Cards are read back through their class, which must lose nothing."""
    for entry in registry.entries("candidate")[:20]:
        part = replace(candidate_facts(), card=json.loads(json.dumps(card_facts(entry.card))))
        _, arrived = wire.decode_outcome(
            sent(outcome(candidate=part, score=made_up_score(part, benchmark_facts())))
        )
        assert arrived.candidate == part


def test_undefined_parts_may_be_missing():
    detail = xr.Dataset({"layer_score": ("layer", [0.1, np.nan])}, coords={"layer": ["a", "b"]})
    score = replace(outcome().score, detail=detail)
    assert np.isnan(wire.decode_outcome(sent(outcome(score=score)))[1].score.detail.layer_score[1])


@pytest.mark.parametrize("name", ["raw", "low", "high", "value", "confidence"])
@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_score_that_is_not_finite_is_not_even_sent(name, number):
    with pytest.raises(ValueError, match=name):
        sent(outcome(score=replace(outcome().score, **{name: number})))


def changed(content: bytes, change) -> bytes:
    header, arrays = wire._parted(content)
    return wire._joined(change(header) or header, arrays)


def told(**facts):
    """A change of what is told beside the arrays."""

    def change(header):
        old = json.loads(header["__metadata__"]["outcome"])
        header["__metadata__"]["outcome"] = json.dumps(old | facts)

    return change


def part(name, /, **facts):
    """A change of one part of what is told."""

    def change(header):
        old = json.loads(header["__metadata__"]["outcome"])
        old[name] |= facts
        header["__metadata__"]["outcome"] = json.dumps(old)

    return change


def array(**facts):
    """A change of what the header says of an array."""

    def change(header):
        header["resampled_raw"] |= facts

    return change


def described(name, facts):
    """A change of how a variable of the detail is described."""

    def change(header):
        old = json.loads(header["__metadata__"]["xarray"])
        old["variables"][name] = facts
        header["__metadata__"]["xarray"] = json.dumps(old)

    return change


def no_metadata(header):
    del header["__metadata__"]


def no_outcome(header):
    del header["__metadata__"]["outcome"]


HOSTILE = {
    "not finite": part("score", raw="NaN"),
    "infinite": part("score", high=1e400),
    "another fact": told(extra=1),
    "a negative time": told(seconds=-1),
    "a huge attempt": told(attempt=2**70),
    "a worker with a path": told(worker="../../x"),
    "no layers": part("candidate", layers=[]),
    "no fingerprint": part("candidate", fingerprint="x"),
    "a card that is none": part("candidate", card={"name": "ann/net"}),
    "a card with other facts": part("candidate", card={"__class__": "x"}),
    "cards of another benchmark": part("benchmark", name="faces/V1/rsa"),
    "a dataset without facts": part("benchmark", dataset={"card": {}, "content_hash": "0" * 64}),
    "an array beyond the end": array(shape=[10**9]),
    "an array of another type": array(dtype="F8_E4M3"),
    "an array with negative shape": array(shape=[-1]),
    "an array that overlaps": array(data_offsets=[0, 8]),
    "an array without facts": array(dtype=None),
    "other dims": described("layer_score", {"dims": ["a", "b"], "attrs": {}}),
    "a variable without array": described("more", {"dims": [], "attrs": {}}),
    "strings nested without end": described(
        "layer", {"dims": ["layer"], "attrs": {}, "strings": [["x"], "y"]}
    ),
    "no metadata": no_metadata,
    "no outcome": no_outcome,
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_score_is_refused(change):
    header, arrays = wire._parted(sent(outcome()))
    change(header)
    with pytest.raises(IsocortexError):
        wire.decode_outcome(wire._joined(header, arrays))


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"x", b"\xff" * 8, b"\xff" * 100, b"{}", (2**40).to_bytes(8, "little") + b"{}"),
        (2).to_bytes(8, "little") + b"[]",
        (10**6).to_bytes(8, "little") + b"[" * 10**6,
        (4).to_bytes(8, "little") + b"null" + b"x" * 100,
    ],
)
def test_bytes_that_are_no_file_are_refused(content):
    with pytest.raises(InputError, match="no score"):
        wire.decode_outcome(content)


def test_infinite_arrays_are_refused():
    detail = xr.Dataset({"layer_score": ("layer", [0.1, np.inf])}, coords={"layer": ["a", "b"]})
    with pytest.raises(InputError, match="infinite"):
        wire.decode_outcome(sent(outcome(score=replace(outcome().score, detail=detail))))


def test_a_file_that_is_too_large_is_refused(monkeypatch):
    content = sent(outcome())
    monkeypatch.setattr(wire, "MOST_BYTES", len(content) - 1)
    with pytest.raises(InputError, match="at most"):
        wire.decode_outcome(content)
