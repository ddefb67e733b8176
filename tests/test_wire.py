"""The messages of workers: they cannot execute, they are bounded, and only a worker's own fields count."""

from __future__ import annotations

import json
import math
import pickle
import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsbench.errors import BadOutcome, BadReply, FsbenchError
from fsbench.executors.wire import LARGEST_HEADER, Reader, encode
from fsbench.jobs import Job, Preflight, logits_bytes, read_outcome, read_place
from fsbench.record import Trial

SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text()
ARRAYS = st.lists(st.integers(0, 3), max_size=4).map(
    lambda shape: np.arange(math.prod(shape), dtype=np.float32).reshape(shape)
)
VALUES = st.recursive(
    SCALARS | ARRAYS,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(min_size=8), inner),
    max_leaves=8,
)
JOB = Job(Trial("kshot(wine, k=1)", 0, 0, "erm", "recipe(steps=1)", "k"), "split-0", "cpu", (1, 2, 3))
OUTCOME = {
    "predictions": np.zeros((1, 2, 3), dtype=np.float32),
    "train_accuracy": 0.5,
    "seconds_fit": 1.0,
    "seconds_predict": 0.0,
    "peak_memory": 7,
    "notes": ["a"],
    "source_before": 0.9,
    "source_after": None,
    "validation": None,
}


def same(one, other) -> bool:
    if isinstance(one, np.ndarray):
        return one.shape == other.shape and one.tobytes() == other.tobytes()
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other or (one != one and other != other)


@given(values=st.lists(VALUES, min_size=1, max_size=3), data=st.data())
def test_messages_arrive_however_they_are_split(values, data) -> None:
    sent = b"".join(map(encode, values))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=5)))
    reader, found = Reader(10**6), []
    for first, last in zip([0, *cuts], [*cuts, len(sent)], strict=True):
        found += reader.feed(sent[first:last])
    assert same(found, values)
    assert not reader.begun


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_bad_reply(data) -> None:
    with suppress(BadReply):
        Reader(100).feed(data)


@given(st.text(max_size=200), st.binary(max_size=40))
def test_every_header_gives_a_message_or_a_bad_reply(text, body) -> None:
    header = text.encode(errors="replace")
    with suppress(BadReply):
        Reader(100).feed(struct.pack("<IQ", len(header), len(body)) + header + body)


@pytest.mark.parametrize(
    "shape",
    [[-1], [2.5], [10**12], [True], "ab", 3, None, [1] * 9, [4, 4], {"a": 1}, [[1]], [1]],
)
def test_a_missing_array_is_a_bad_reply(shape) -> None:
    header = json.dumps({"float32": shape}).encode()
    with pytest.raises(BadReply):
        Reader(100).feed(struct.pack("<IQ", len(header), 8) + header + b"\0" * 8)


@pytest.mark.parametrize("header", [b"[" * 10**5, b"9" * 10**5, b"\xff", b"", b"{", b"nonsense"])
def test_a_header_that_is_not_json_is_a_bad_reply(header) -> None:
    with pytest.raises(BadReply):
        Reader().feed(struct.pack("<IQ", len(header), 0) + header)


@pytest.mark.parametrize(
    ("header", "body"), [(LARGEST_HEADER + 1, 0), (2**32 - 1, 0), (2, 101), (2, 2**64 - 1)]
)
def test_a_message_that_is_too_long_is_refused_at_its_start(header, body) -> None:
    with pytest.raises(BadReply, match="expected at most"):
        Reader(100).feed(struct.pack("<IQ", header, body))


def test_values_that_cannot_be_sent_are_refused_by_the_sender() -> None:
    with pytest.raises(ValueError, match="bytes beside its arrays"):
        encode("x" * (LARGEST_HEADER + 1))
    for odd in ({1, 2}, np.zeros(2), object()):
        with pytest.raises(TypeError, match="expected float32 arrays"):
            encode(odd)


class Bomb:
    def __reduce__(self):
        return Path.touch, (Path("it-ran"),)


def test_reading_a_message_never_executes_it(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    bomb = pickle.dumps(Bomb())
    with pytest.raises(BadReply):
        Reader(10**6).feed(struct.pack("<IQ", len(bomb), 0) + bomb)
    pickle.loads(bomb)
    assert Path("it-ran").exists(), "the bomb is none"


def test_a_valid_outcome_is_read() -> None:
    outcome = read_outcome(JOB, OUTCOME)
    assert vars(outcome) == OUTCOME | {"notes": ("a",)}
    assert logits_bytes(JOB) == outcome.predictions.nbytes


@pytest.mark.parametrize(
    "odd",
    [
        {"uses": []},
        {"versions": {"fsbench": "9"}},
        {"split_fingerprint": "x"},
        {"metrics": {"accuracy": 1.0}},
        {"predictions": [[0.0]]},
        {"predictions": None},
        {"predictions": np.zeros((1, 2, 3))},
        {"train_accuracy": 1.5},
        {"train_accuracy": float("nan")},
        {"train_accuracy": "1"},
        {"seconds_fit": -1.0},
        {"seconds_predict": math.inf},
        {"peak_memory": -1},
        {"peak_memory": 1.0},
        {"notes": "abc"},
        {"source_before": 1.1},
        {"source_after": "1"},
        {"validation": [0.0]},
    ],
    ids=str,
)
def test_a_worker_sets_only_its_own_fields(odd) -> None:
    with pytest.raises(BadOutcome):
        read_outcome(JOB, OUTCOME | odd)
    with pytest.raises(BadOutcome):
        read_outcome(JOB, odd)


def test_notes_are_bounded() -> None:
    outcome = read_outcome(JOB, OUTCOME | {"notes": ["x" * 10**6, 7, {}] + ["y"] * 1000})
    assert len(outcome.notes) == 100
    assert max(map(len, outcome.notes)) == 500


@pytest.mark.parametrize(
    "odd", [{}, None, "cpu", {"device": 1}, {"device": "tpu", "hardware": "", "torch": ""}]
)
def test_a_place_is_a_possible_device(odd) -> None:
    with pytest.raises(FsbenchError, match="device"):
        read_place(Preflight("auto"), odd)
