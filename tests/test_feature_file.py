"""The file of features: all damage is repaired, nothing is computed twice, nothing waits forever."""

from __future__ import annotations

import multiprocessing
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch
from feature_jobs import KEYS, fill, rows_of
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fsbench.engine import feature_cache, frozen_body
from fsbench.engine.backbones import build_network
from fsbench.engine.feature_cache import FeatureCache, MemoryCache
from fsbench.engine.frozen_body import sample_keys


def test_two_processes_share_the_work_and_compute_nothing_twice(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier, queue = context.Barrier(2), context.Queue()
    workers = [context.Process(target=fill, args=(tmp_path / "f.sqlite", barrier, queue)) for _ in range(2)]
    for worker in workers:
        worker.start()
    (first, right), (second, also) = queue.get(), queue.get()
    for worker in workers:
        worker.join()
    assert right
    assert also
    assert first
    assert second
    assert sorted(first + second) == KEYS


def get(path: Path, limit: int = feature_cache.LIMIT) -> int:
    """Ask for everything, check it, and return how many samples were computed."""
    calls: list[bytes] = []

    def compute(keys: Sequence[bytes]) -> np.ndarray:
        calls.extend(keys)
        return rows_of(keys)

    found = FeatureCache(path, 3, limit).get(KEYS, compute, 16)
    assert all((found[key] == rows_of([key])[0]).all() for key in KEYS)
    return len(calls)


def test_computed_features_are_found_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "f.sqlite"
    assert [get(path), get(path)] == [300, 0]


@pytest.mark.parametrize("damage", ["garbage", "cut", "holes", "empty"])
def test_a_damaged_file_is_replaced(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "f.sqlite"
    get(path)
    whole = path.read_bytes()
    spoiled = bytearray(whole)
    spoiled[4096:] = b"\xa5" * (len(whole) - 4096)
    path.write_bytes(
        {"garbage": b"x" * 5000, "cut": whole[: len(whole) // 2], "holes": bytes(spoiled), "empty": b""}[
            damage
        ]
    )
    assert get(path) == 300
    assert get(path) == 0


def test_a_flipped_bit_in_a_row_is_noticed_and_repaired(tmp_path: Path) -> None:
    path = tmp_path / "f.sqlite"
    get(path)
    with closing(sqlite3.connect(path)) as db, db:
        ((value,),) = db.execute("SELECT value FROM features WHERE key = ?", (KEYS[7],))
        flipped = value[:-1] + bytes([value[-1] ^ 1])
        db.execute("UPDATE features SET value = ? WHERE key = ?", (flipped, KEYS[7]))
        db.execute("UPDATE features SET value = x'00' WHERE key = ?", (KEYS[8],))
    assert [get(path), get(path)] == [2, 0]


def test_a_row_under_another_key_is_noticed_and_repaired(tmp_path: Path) -> None:
    path = tmp_path / "f.sqlite"
    get(path)
    with closing(sqlite3.connect(path)) as db, db:
        ((value,),) = db.execute("SELECT value FROM features WHERE key = ?", (KEYS[7],))
        db.execute("UPDATE features SET value = ? WHERE key = ?", (value, KEYS[8]))
    assert [get(path), get(path)] == [1, 0]


def test_a_damaged_file_is_not_replaced_while_another_process_has_it_open(tmp_path: Path) -> None:
    path = tmp_path / "f.sqlite"
    get(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("DELETE FROM features WHERE key = ?", (KEYS[0],))
        journal = path.with_name("f.sqlite-journal")
        assert journal.exists()
        path.write_bytes(b"x" * 5000)
        before = journal.read_bytes()
        assert [get(path), get(path)] == [300, 0]
        assert path.read_bytes() == b"x" * 5000
        assert journal.read_bytes() == before
    path.with_name("f-1.sqlite").write_bytes(b"x" * 5000)
    assert [get(path), get(path)] == [300, 0]
    assert path.with_name("f-2.sqlite").exists()


def test_the_lease_ends_when_a_computation_fails(tmp_path: Path) -> None:
    path = tmp_path / "f.sqlite"

    def fail(keys: Sequence[bytes]) -> np.ndarray:
        raise MemoryError("no room")

    with pytest.raises(MemoryError):
        FeatureCache(path, 3).get(KEYS, fail, 16)
    begin = time.monotonic()
    assert get(path) == 300
    assert time.monotonic() - begin < feature_cache._LEASE_SECONDS / 4


def test_a_full_cache_is_read_and_no_longer_written(tmp_path: Path) -> None:
    path = tmp_path / "f.sqlite"
    assert [get(path, limit=1), get(path, limit=1)] == [300, 300]
    assert [get(path), get(path, limit=1)] == [300, 0]


def test_where_nothing_can_be_written_features_are_computed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert get(tmp_path / "file" / "f.sqlite") == 300
    (tmp_path / "f.sqlite").mkdir()
    assert get(tmp_path / "f.sqlite") == 300


def leased(folder: Path, seconds: float) -> Path:
    """A cache in which another process computes one sample, with a lease of so many seconds."""
    path = folder / "f.sqlite"
    get(path)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DELETE FROM features WHERE key = ?", (KEYS[3],))
        db.execute("INSERT INTO leases VALUES (?, ?)", (KEYS[3], time.time() + seconds))
    return path


def test_a_sample_that_another_process_computes_is_awaited_until_its_lease_expires(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = leased(tmp_path, 0.5)
    begin = time.monotonic()
    assert get(path) == 1
    assert time.monotonic() - begin > 0.4


def test_a_lease_from_before_the_clock_was_set_back_is_not_awaited(tmp_path: Path) -> None:
    path = leased(tmp_path, 3600)
    begin = time.monotonic()
    assert get(path) == 1
    assert time.monotonic() - begin < feature_cache._LEASE_SECONDS / 4


def test_a_failure_while_computing_is_not_mistaken_for_a_file_error(tmp_path: Path) -> None:
    def broken(keys: Sequence[bytes]) -> np.ndarray:
        raise ValueError("the body broke")

    with pytest.raises(ValueError, match="the body broke"):
        FeatureCache(tmp_path / "f.sqlite", 3).get(KEYS, broken, 16)


def test_memory_use_is_bounded() -> None:
    cache = MemoryCache(limit=100)
    assert cache.get(KEYS, rows_of, 4).keys() == set(KEYS)
    assert len(cache.rows) == 8


# Keys


@given(
    arrays(np.float32, (2, 1, 2, 2), elements=st.floats(0, 1, width=32)),
)
def test_equal_samples_have_equal_keys(x: np.ndarray) -> None:
    first, second = sample_keys(torch.from_numpy(x))
    assert (first == second) == (x[0].tobytes() == x[1].tobytes())
    assert sample_keys(torch.from_numpy(x).flatten(2)) != [first, second]


def test_the_digest_of_weights_sees_every_value() -> None:
    state = build_network("conv4", "image", (1, 8, 8), 3).body.state_dict()
    before = frozen_body.weights_digest(state)
    assert frozen_body.weights_digest(dict(reversed(state.items()))) == before
    for name in state:
        changed = {**state, name: state[name] + 1}
        assert frozen_body.weights_digest(changed) != before
