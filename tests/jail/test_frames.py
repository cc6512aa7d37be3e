"""The trusted side survives every lie about what follows."""

import contextlib
import json
import os
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from isocortex.errors import JailError
from isocortex.jail.channel import Channel
from isocortex.jail.header import HEADER_BYTES, ITEM_BYTES


@pytest.fixture
def ends() -> Iterator[tuple[Channel, int]]:
    """A channel, and where its other side writes."""
    incoming, writing = os.pipe()
    reading, outgoing = os.pipe()
    yield Channel(incoming, outgoing), writing
    for each in (incoming, reading, outgoing):
        os.close(each)
    with contextlib.suppress(OSError):  # the test may have closed it
        os.close(writing)


@pytest.fixture
def pair() -> Iterator[tuple[Channel, Channel]]:
    """Two channels that hear each other."""
    (a, b), (c, d) = os.pipe(), os.pipe()
    yield Channel(a, d), Channel(c, b)
    for each in (a, b, c, d):
        os.close(each)


def framed(header: bytes, rest: bytes = b"") -> bytes:
    return len(header).to_bytes(4, "little") + header + rest


def header_of(*arrays: object, body: object = None, kind: object = "message") -> bytes:
    return json.dumps({"kind": kind, "body": body or {}, "arrays": list(arrays)}).encode()


@pytest.mark.parametrize("dtype", ITEM_BYTES)
def test_what_one_sends_the_other_takes(pair, dtype):
    sender, taker = pair
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)[:, ::-1]
    sender.send({"text": "ü", "list": [1, 2.5, None, True]}, {"x": array})
    body, arrays = taker.receive(most_bytes=array.nbytes)
    assert body == {"text": "ü", "list": [1, 2.5, None, True]}
    assert arrays["x"].dtype == array.dtype
    np.testing.assert_array_equal(arrays["x"], array)


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,)])
def test_empty_and_single_arrays_keep_their_shape(pair, shape):
    sender, taker = pair
    sender.send({}, {"x": np.ones(shape), "y": np.ones(2)})
    _, arrays = taker.receive(most_bytes=99)
    assert arrays["x"].shape == shape
    assert arrays["y"].tolist() == [1, 1]


def test_big_endian_arrays_arrive_with_their_values(pair):
    sender, taker = pair
    sender.send({}, {"x": np.array([1, 2], ">i4")})
    assert taker.receive(most_bytes=8)[1]["x"].tolist() == [1, 2]


def test_a_frame_larger_than_the_pipe_passes(pair):
    sender, taker = pair
    array = np.random.default_rng(0).standard_normal(300_000)
    thread = threading.Thread(target=sender.send, args=({}, {"x": array}))
    thread.start()
    np.testing.assert_array_equal(taker.receive(most_bytes=array.nbytes)[1]["x"], array)
    thread.join()


FLAWED_HEADERS = {
    "not JSON": b"{",
    "not text": b"\xff\xfe",
    "not an object": b"[1]",
    "too little": b'{"kind":"message","body":{}}',
    "too much": b'{"kind":"message","body":{},"arrays":[],"more":1}',
    "twice the same name": b'{"kind":"message","kind":"message","body":{},"arrays":[]}',
    "twice the same name below": header_of(body={"a": 1}).replace(b'"a": 1', b'"a": 1, "a": 2'),
    "NaN": header_of(body={"a": 1}).replace(b"1", b"NaN"),
    "infinity": header_of(body={"a": 1}).replace(b"1", b"-Infinity"),
    "a number too large": header_of(body={"a": 1}).replace(b"1", b"1e999"),
    "a number too long": header_of(body={"a": 1}).replace(b"1", b"1" * 20),
    "a number of a million digits": header_of(body={"a": 1}).replace(b"1", b"1" * 1_000_000),
    "too deep": b'{"kind":"message","body":{"a":' + b"[" * 40 + b"]" * 40 + b'},"arrays":[]}',
    "endlessly deep": b"[" * 500_000,
    "endlessly deep objects": b'{"a":' * 200_000,
    "half a pair": header_of(body={"a": "\ud800"}),
    "NUL": header_of(body={"a": "\0"}),
    "NUL in a name": header_of(body={"a\0": 1}),
    "another kind of kind": header_of(kind=1),
    "a body that is a list": b'{"kind":"message","body":[],"arrays":[]}',
    "arrays that are an object": b'{"kind":"message","body":{},"arrays":{}}',
    "too many arrays": header_of(*([f"x{i}", "int8", [0]] for i in range(5000))),
    "two arrays of one name": header_of(["x", "int8", [1]], ["x", "int8", [1]]),
    "an array without a name": header_of(["", "int8", [1]]),
    "an array with a long name": header_of(["x" * 300, "int8", [1]]),
    "an array with a number for a name": header_of([1, "int8", [1]]),
    "an array of objects": header_of(["x", "object", [1]]),
    "an array of text": header_of(["x", "U10", [1]]),
    "an array of a list of dtypes": header_of(["x", ["int8"], [1]]),
    "an array with half a declaration": header_of(["x", "int8"]),
    "a negative size": header_of(["x", "int8", [-1]]),
    "two negative sizes": header_of(["x", "int8", [-1, -1]]),
    "a fraction for a size": header_of(["x", "int8", [1.0]]),
    "a truth for a size": header_of(["x", "int8", [True]]),
    "text for a size": header_of(["x", "int8", ["1"]]),
    "text for a shape": header_of(["x", "int8", "1"]),
    "nothing for a shape": header_of(["x", "int8", None]),
    "more bytes than expected": header_of(["x", "float64", [13]]),
    "more bytes than expected together": header_of(["x", "int8", [60]], ["y", "int8", [60]]),
    "a product that overflows to 0": header_of(["x", "int8", [2**32, 2**32]]),
    "a product that overflows to 1": header_of(["x", "int8", [3, 0xAAAAAAAAAAAAAAAB]]),
    "a size beyond all machines": header_of(["x", "int8", [2**60]]),
    "a size that hides behind 0": header_of(["x", "int8", [0, 2**39, 2**39]]),
    "nine dimensions": header_of(["x", "int8", [1] * 9]),
}


@pytest.mark.parametrize("name", FLAWED_HEADERS)
def test_a_flawed_header_is_refused(ends, name):
    channel, writing = ends
    frame = framed(FLAWED_HEADERS[name], bytes(200))

    def write() -> None:
        os.write(writing, frame)
        os.close(writing)

    thread = threading.Thread(target=write)
    thread.start()
    with pytest.raises(JailError):
        channel.receive(most_bytes=100)
    os.set_blocking(channel._incoming, False)
    while thread.is_alive():
        try:
            os.read(channel._incoming, 1 << 20)
        except BlockingIOError:
            thread.join(0.01)


@pytest.mark.parametrize("length", [0, HEADER_BYTES + 1, 2**32 - 1])
def test_a_header_without_measure_is_refused_before_it_is_read(ends, length):
    channel, writing = ends
    os.write(writing, length.to_bytes(4, "little"))
    with pytest.raises(JailError, match="was announced"):
        channel.receive(most_bytes=100)


def test_an_early_end_is_told_apart(ends):
    channel, writing = ends
    os.write(writing, framed(header_of(["x", "int8", [10]]), b"123"))
    os.close(writing)
    with pytest.raises(EOFError):
        channel.receive(most_bytes=100)


def test_a_truth_is_0_or_1(ends):
    channel, writing = ends
    os.write(writing, framed(header_of(["x", "bool", [2]]), b"\1\2"))
    with pytest.raises(JailError, match="declared bool"):
        channel.receive(most_bytes=100)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_what_is_not_finite_is_refused_where_asked(pair, value, dtype):
    sender, taker = pair
    array = np.array([1, value], dtype)
    sender.send({}, {"x": array})
    sender.send({}, {"x": array})
    np.testing.assert_array_equal(taker.receive(most_bytes=16)[1]["x"], array)
    with pytest.raises(JailError, match="must be finite"):
        taker.receive(most_bytes=16, finite=True)


@pytest.mark.parametrize("shape", [(2,), (2, 4), (3, 3), (2, 3, 1)])
def test_another_shape_than_expected_is_refused(pair, shape):
    sender, taker = pair
    sender.send({}, {"x": np.zeros((2, 3))})
    sender.send({}, {"x": np.zeros(shape)})
    assert taker.receive(most_bytes=999, shapes={"x": (None, 3)})[1]["x"].shape == (2, 3)
    with pytest.raises(JailError, match="has shape"):
        taker.receive(most_bytes=999, shapes={"x": (2, 3)})


@pytest.mark.parametrize("names", [("x",), ("x", "y", "z"), ("x", "z")])
def test_other_arrays_than_expected_are_refused(pair, names):
    sender, taker = pair
    sender.send({}, {name: np.zeros(1) for name in names})
    with pytest.raises(JailError, match="expected were"):
        taker.receive(most_bytes=999, shapes={"x": (1,), "y": (1,)})


@pytest.mark.parametrize("header", [{"a": float("nan")}, {"a": object()}, {"a": "x" * 2**20}])
def test_what_no_header_can_hold_is_not_sent(pair, header):
    with pytest.raises(JailError):
        pair[0].send(header)
