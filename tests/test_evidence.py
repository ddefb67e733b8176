"""What is stored beside records: what each split drew, and how each test sample fared."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing

import numpy as np
import pytest
from drawn import EVERY, draw, task
from hypothesis import given, settings
from hypothesis import strategies as st

from fsbench.errors import StoreError
from fsbench.evidence import LARGEST_INFLUENCE, Drawn, pack_influence, unpack_influences
from fsbench.judge import _storable
from fsbench.record import Record
from fsbench.runner import run
from fsbench.store import Store
from fsbench.tasks.splits import drawn

PARTS = ("train", "val", "test", "test_y", "unlabeled", "source")


def record(key="k", **more) -> Record:
    fields = {"status": "ok", "split_fingerprint": "ab"} | more
    return Record(key=key, task="t", split_seed=0, init_seed=0, spec="erm", recipe="", **fields)


def parts(seed=0) -> Drawn:
    rng = np.random.default_rng(seed)
    shapes = {"train": (2, 5), "val": (2, 0), "test": (2, 9), "test_y": (2, 9)}
    sorts = {"unlabeled": np.zeros(0, dtype=np.int64), "source": np.sort(rng.choice(2**33, 20))}
    datasets = ("digits", "mnist5k(size=8)")
    return Drawn(
        **{name: rng.integers(0, 2**33, shape) for name, shape in shapes.items()}, **sorts, datasets=datasets
    )


def same(one: Drawn, other: Drawn) -> bool:
    equal = (np.array_equal(getattr(one, name), getattr(other, name)) for name in PARTS)
    return one.datasets == other.datasets and all(equal)


@pytest.mark.parametrize("text", EVERY)
def test_the_ids_of_a_split_name_its_samples(text):
    split = draw(text)
    found = drawn(task(text), split)
    assert np.array_equal(found.test & 0xFFFFFFFF, split.test.index)
    assert np.array_equal(found.test >> 32, split.test.origin)
    assert np.array_equal(found.test_y, split.test.y)
    assert not set(found.train.ravel()) & set(found.test.ravel()) or "episodes" in text
    assert len(found.source) == (0 if split.source is None else len(split.source.index))
    assert same(Drawn.unpack(found.pack()), found)


def test_whole_sources_take_little_space():
    text = "kshot(digits, k=3, source=mnist5k(size=8))"
    found = drawn(task(text), draw(text))
    assert len(found.source) == 5000
    assert len(found.pack()) < 4000


@given(st.lists(st.floats(-1e3, 1e3), max_size=30))
def test_influences_are_kept_to_half_a_step(values):
    values = np.array(values)
    error = np.abs(unpack_influences([pack_influence(values)])[0] - values)
    assert (error <= np.abs(values).max(initial=0) * (0.5 / 127 + 1e-6) + 1e-30).all()


@given(st.lists(st.integers(-999, 999).map(lambda n: n / 997), max_size=20))
def test_influences_that_were_read_are_packed_alike(values):
    packed = pack_influence(np.array(values))
    assert pack_influence(unpack_influences([packed])[0]) == packed


@settings(max_examples=10)
@given(st.integers(0, 99))
def test_evidence_is_read_back(seed):
    values = np.random.default_rng(seed).normal(size=(2, 9))
    with tempfile.TemporaryDirectory() as folder:
        with Store(folder) as store:
            store.commit(record(), None, {"accuracy": values, "nll": -values}, parts(seed))
            store.commit(record("other"), None, {"accuracy": values}, parts(seed))
            found = store.evidence()
        assert same(found.drawn["ab"], parts(seed))
        read = found.influences("nll", ["k", "other", "absent"])
        assert read.keys() == {"k"}
        assert read["k"] == pytest.approx(-values.ravel(), abs=0.02 * np.abs(values).max())
        assert found.influences("accuracy", ["k", "other"]).keys() == {"k", "other"}


def downgrade(folder):
    """Make the store one of version 1."""
    with closing(sqlite3.connect(folder / "fsbench.sqlite")) as old, old:
        for name in ("splits", "influences"):
            old.execute(f"DROP TABLE {name}")
        old.execute("PRAGMA user_version = 1")


def test_an_older_store_is_read_without_evidence_and_upgraded_by_the_next_record(tmp_path):
    with Store(tmp_path) as store:
        store.commit(record("old"))
    downgrade(tmp_path)
    os.chmod(tmp_path / "fsbench.sqlite", 0o444)
    with Store(tmp_path, create=False) as store:
        assert [r.key for r in store.records()] == ["old"]
        assert (store.evidence().drawn, store.influences("accuracy", ["old"])) == ({}, {})
    os.chmod(tmp_path / "fsbench.sqlite", 0o644)
    with Store(tmp_path) as store:
        store.commit(record(), None, {"accuracy": np.ones((2, 9))}, parts())
        assert [r.key for r in store.records()] == ["old", "k"]
        assert set(store.evidence().drawn) == {"ab"}
        assert set(store.influences("accuracy", ["old", "k"])) == {"k"}


def test_damaged_evidence_is_one_line(tmp_path):
    with Store(tmp_path) as store:
        store.commit(record(), None, None, parts())
    with closing(sqlite3.connect(tmp_path / "fsbench.sqlite")) as db, db:
        db.execute("UPDATE splits SET data = x'00'")
    with Store(tmp_path) as store, pytest.raises(StoreError, match="is damaged"):
        store.evidence()


def test_a_run_stores_each_split_once_and_the_influences_of_each_trial(tmp_path):
    options = {"tasks": "kshot(wine, k=5)", "seeds": 2, "recipe": {"steps": 3}, "baseline": "erm"}
    results = run("sklearn", results=tmp_path, jobs=1, **options)
    with Store(tmp_path, create=False) as store:
        found = store.evidence()
    assert set(found.drawn) == {r.split_fingerprint for r in results.records}
    read = found.influences("balanced_accuracy", [r.key for r in results.records])
    assert {values.shape for values in read.values()} == {(results.records[0].n_test,)}
    assert len(read) == len(results.records) == 4


def test_influences_that_could_not_be_read_are_not_stored():
    problems: list[str] = []
    huge = {"nll": np.array([1e36, 0.0]), "brier": np.array([LARGEST_INFLUENCE * 0.999, -1.0])}
    kept = _storable(huge, problems)
    assert list(kept) == ["brier"]
    assert problems == ["metric nll: influences of 1e+32 or more are not stored"]
    (read,) = unpack_influences([pack_influence(kept["brier"])])
    assert read[0] == pytest.approx(LARGEST_INFLUENCE, rel=0.01)
