from __future__ import annotations

import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsbench.errors import StoreError
from fsbench.record import Record, Trial, Tried
from fsbench.store import Store
from fsbench.store_file import SCHEMA


def record(key="k", status="ok", **more) -> Record:
    return Record(key, status, "kshot(digits, k=5)", 0, 0, "erm", "recipe(steps=1)", **more)


def trial(key="k") -> Trial:
    return Trial("kshot(digits, k=5)", 0, 0, "erm", "recipe(steps=1)", key)


def logits(seed=0, shape=(1, 7, 3)) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_a_record_is_read_back_unchanged(tmp_path):
    full = record(
        uses=("source",),
        notes=("one", "two"),
        split_fingerprint="ab12",
        metrics={"accuracy": 0.1 + 0.2},
        train_accuracy=1.0,
        n_train=5,
        n_test=7,
        seconds_fit=0.25,
        peak_memory=1 << 40,
        device="cpu",
        versions={"fsbench": "0.1.0"},
        created="2030-01-01T00:00:00+00:00",
    )
    reason = {"kind": "Crash", "message": "é\n\0 \U0001f600 \udc80", "traceback": "x" * 9999}
    failed = record("f", "failed", reason=reason)
    with Store(tmp_path / "a" / "b") as store:
        store.commit(full, logits())
        store.commit(failed)
    with Store(tmp_path / "a" / "b", create=False) as store:
        assert store.records() == [full, failed]
        assert store.predictions("k").tobytes() == logits().tobytes()
        with pytest.raises(StoreError, match="no predictions of trial f"):
            store.predictions("f")


@settings(max_examples=25)
@given(st.lists(st.integers(0, 5), min_size=3, max_size=3), st.integers(0, 2**32 - 1))
def test_predictions_are_exact(shape, seed):
    values = np.random.default_rng(seed).integers(0, 2**32, shape, dtype=np.uint32).view(np.float32)
    with tempfile.TemporaryDirectory() as folder, Store(folder) as store:
        store.commit(record(), values)
        back = store.predictions("k")
    assert (back.dtype, back.shape, back.tobytes()) == (np.float32, tuple(shape), values.tobytes())


def test_the_first_ok_record_stays_and_anything_replaces_a_failed_one(tmp_path):
    with Store(tmp_path) as store:
        store.commit(record(status="failed", reason={"kind": "a", "message": "m"}))
        store.commit(record(status="failed", reason={"kind": "b", "message": "m"}))
        assert store.records()[0].reason["kind"] == "b"
        store.commit(record(device="first"), logits(1))
        store.commit(record(device="second"), logits(2))
        store.commit(record(status="failed", reason={"kind": "c", "message": "m"}))
        assert [r.device for r in store.records()] == ["first"]
        assert np.array_equal(store.predictions("k"), logits(1))


def test_records_keep_the_order_of_the_first_commit(tmp_path):
    with Store(tmp_path) as store:
        for key in "cab":
            store.commit(record(key, "failed"))
        store.commit(record("a"))
        assert [r.key for r in store.records()] == ["c", "a", "b"]


def test_record_and_predictions_are_one_transaction(tmp_path):
    with Store(tmp_path) as store:
        with pytest.raises(ValueError, match="could not convert"):
            store.commit(record(), np.array(["no number"]))
        assert store.records() == []
        store.commit(record(), logits())
        assert len(store.records()) == 1


class Interrupted:
    """A connection on which Ctrl-C comes just after the first transaction has begun."""

    def __init__(self, real):
        self.real, self.left = real, 1

    def __getattr__(self, name):
        return getattr(self.real, name)

    def execute(self, sql, *values):
        found = self.real.execute(sql, *values)
        if sql.startswith("BEGIN") and self.left:
            self.left = 0
            raise KeyboardInterrupt
        return found


def test_an_interrupt_leaves_no_transaction_open(tmp_path, monkeypatch):
    with Store(tmp_path) as store:
        monkeypatch.setattr(store, "_db", Interrupted(store._db))
        with pytest.raises(KeyboardInterrupt):
            store.commit(record(), logits())
        store.commit(record(), logits())
        assert len(store.records()) == 1


def test_two_processes_can_write_at_once(tmp_path):
    def write(name: str) -> None:
        with Store(tmp_path) as store:
            for i in range(20):
                store.commit(record(f"{name}{i}", device=name), logits(i))
                store.commit(record(f"shared{i}", device=name), logits(i))

    writers = [threading.Thread(target=write, args=(name,)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    with Store(tmp_path, create=False) as store:
        assert len(store.records()) == 60
        assert all(np.array_equal(store.predictions(f"shared{i}"), logits(i)) for i in range(20))


def test_a_folder_without_a_store_is_an_error(tmp_path):
    with pytest.raises(StoreError, match=r"no results in .*`fsbench run --results .*`fsbench\.run\("):
        Store(tmp_path / "absent", create=False)
    assert not (tmp_path / "absent").exists()
    with pytest.raises(StoreError, match=f"`fsbench run --results '{tmp_path}/my results'` or, in Python"):
        Store(tmp_path / "my results", create=False)


def test_a_file_in_place_of_the_folder_is_an_error(tmp_path):
    (tmp_path / "file").write_text("hello")
    with pytest.raises(StoreError, match="cannot make the results folder"):
        Store(tmp_path / "file")


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("content", [b"just some text\n" * 100, b"x"])
def test_a_text_file_is_refused_and_left_alone(tmp_path, create, content):
    (tmp_path / "fsbench.sqlite").write_bytes(content)
    with pytest.raises(StoreError, match="is not an fsbench store"):
        Store(tmp_path, create)
    assert (tmp_path / "fsbench.sqlite").read_bytes() == content


def test_a_foreign_database_is_refused(tmp_path):
    with sqlite3.connect(tmp_path / "fsbench.sqlite") as stranger:
        stranger.execute("CREATE TABLE trials (key, status, record)")
    stranger.close()
    with pytest.raises(StoreError, match="is not an fsbench store"):
        Store(tmp_path)


def test_a_folder_in_place_of_the_file_is_an_error(tmp_path):
    (tmp_path / "fsbench.sqlite").mkdir()
    with pytest.raises(StoreError, match="cannot write"):
        Store(tmp_path)


def test_an_empty_file_left_by_a_killed_run_can_be_written(tmp_path):
    (tmp_path / "fsbench.sqlite").touch()
    with pytest.raises(StoreError, match="is empty"):
        Store(tmp_path, create=False)
    with Store(tmp_path) as store:
        assert store.records() == []


def test_a_newer_store_is_refused_and_says_who_wrote_it(tmp_path):
    Store(tmp_path).close()
    with sqlite3.connect(tmp_path / "fsbench.sqlite") as newer:
        newer.execute(f"PRAGMA user_version = {SCHEMA + 1}")
        newer.execute("UPDATE about SET value = '9.8.7'")
    newer.close()
    with pytest.raises(StoreError, match=r"written by fsbench 9\.8\.7 .* upgrade fsbench"):
        Store(tmp_path)


def test_a_damaged_store_says_so(tmp_path):
    with Store(tmp_path) as store:
        for i in range(50):
            store.commit(record(f"k{i}"), logits(i, (1, 500, 3)))
        path = store.path
    content = bytearray(path.read_bytes())
    content[8192:-4096] = b"\xff" * (len(content) - 8192 - 4096)
    path.write_bytes(bytes(content))
    with Store(tmp_path) as store, pytest.raises(StoreError, match=r"malformed|damaged"):
        [store.predictions(r.key) for r in store.records()]


def test_a_record_that_is_not_json_is_damage(tmp_path):
    with Store(tmp_path) as store:
        store.commit(record(), logits())
        store._db.execute("UPDATE trials SET record = '{'")
        store._db.execute("UPDATE predictions SET data = x'00'")
        with pytest.raises(StoreError, match="is damaged"):
            store.records()
        with pytest.raises(StoreError, match="is damaged"):
            store.predictions("k")


@pytest.mark.parametrize(
    ("change", "read"),
    [
        ("UPDATE trials SET record = '[1]'", lambda store: store.records()),
        ("UPDATE summaries SET shared = 9999", lambda store: store.columns(["accuracy"])),
        ("UPDATE predictions SET data = x''", lambda store: store.predictions("k")),
    ],
    ids=["no fields", "no such texts", "nothing"],
)
def test_contents_of_another_kind_are_damage(tmp_path, change, read):
    with Store(tmp_path) as store:
        store.commit(record(), logits())
        store._db.execute(change)
        with pytest.raises(StoreError, match="is damaged"):
            read(store)


def test_a_full_disk_is_one_line_and_loses_nothing(tmp_path):
    with Store(tmp_path) as store:
        store.commit(record("before"), logits())
        pages = store._db.execute("PRAGMA page_count").fetchone()[0]
        store._db.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(StoreError, match="no space left") as caught:
            store.commit(record("large"), logits(shape=(1, 9999, 9)))
        assert "\n" not in str(caught.value)
        store._db.execute("PRAGMA max_page_count = 100000")
        store.commit(record("after"), logits())
        assert [r.key for r in store.records()] == ["before", "after"]


@pytest.mark.skipif(sys.platform == "win32", reason="resource limits are POSIX")
def test_a_file_that_cannot_grow_is_one_line(tmp_path):
    """The operating system refuses (a limit on the file's size), in a separate process."""
    script = """
        import resource, signal, sys
        import numpy as np
        from fsbench.errors import StoreError
        from fsbench.store import Store
        from fsbench.record import Record
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
        store = Store(sys.argv[1])
        put = lambda key, n: store.commit(Record(key, "ok", "t", 0, 0, "erm", "r"), np.random.rand(1, n, 9))
        put("small", 10)
        try:
            put("large", 99999)
        except StoreError as error:
            assert "\\n" not in str(error), error
            put("later", 10)
            print([r.key for r in store.records()])
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "['small', 'later']\n", done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are POSIX")
def test_a_read_only_folder_can_be_read_and_not_written(tmp_path):
    """As a user who may not write: root always may, so root becomes nobody for this test."""
    script = """
        import os, sys
        from fsbench.errors import StoreError
        from fsbench.store import Store
        from fsbench.record import Record

        def use(folder):
            store = Store(folder)
            print([r.key for r in store.records()], len(store.predictions("k")))
            try:
                store.commit(Record("new", "ok", "t", 0, 0, "erm", "r"))
            except StoreError as error:
                print(error)

        use(sys.argv[2])  # import now: nobody may be unable to read Python's library
        if os.geteuid() == 0:
            os.setuid(65534)
        use(sys.argv[1])
    """
    with Store(tmp_path) as store:
        store.commit(record(), logits())
    with tempfile.TemporaryDirectory() as folder:
        with Store(folder) as store:
            store.commit(record(), logits())
        store.path.chmod(0o444)
        Path(folder).chmod(0o555)
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script), folder, str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
        )
        Path(folder).chmod(0o755)
    assert done.returncode == 0, done.stderr
    other, first, second = done.stdout.splitlines()
    assert other == first == "['k'] 1"
    assert second.startswith("cannot write")


def test_a_lock_that_is_never_released_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr("fsbench.store_file._BUSY_SECONDS", 0.1)
    with (
        Store(tmp_path) as store,
        Store(tmp_path) as other,
        other.exclusive(),
        pytest.raises(StoreError, match="has been locked for"),
    ):
        store.commit(record())


def test_unknown_fields_of_a_record_are_ignored(tmp_path):
    with Store(tmp_path) as store:
        store.commit(record())
        store._db.execute("UPDATE trials SET record = json_insert(record, '$.colour', 'blue')")
        assert store.records() == [replace(record())]


def test_a_commit_says_what_is_stored(tmp_path):
    with Store(tmp_path) as store:
        failed, good, better = (record(status=s, seconds_fit=n) for n, s in enumerate(["failed", "ok", "ok"]))
        assert store.commit(failed) == failed
        assert store.commit(good, logits()) == good
        assert store.commit(better, logits(1)) == good
        assert store.commit(failed) == good
        assert store.predictions("k").tobytes() == logits().tobytes()


@pytest.mark.parametrize("key", ["k", "another"])
def test_runs_on_other_data_cannot_mix_even_at_the_same_time(tmp_path, key):
    with Store(tmp_path) as one, Store(tmp_path) as other:
        one.commit(record(split_fingerprint="a" * 64))
        for write in (
            lambda: other.commit(record(key, split_fingerprint="b" * 64)),
            lambda: other.keep_try(trial(key), Tried(0.5), "b" * 64),
        ):
            with pytest.raises(StoreError, match=r"on other data, .*split 0 was aaaaaaaaaaaa, is now bbbbb"):
                write()
        other.keep_try(trial("try"), Tried(0.5), "a" * 64)
        other.commit(replace(record("next", split_fingerprint="b" * 64), split_seed=1))
        assert one.fingerprints([]) == {
            ("kshot(digits, k=5)", 0): "a" * 64,
            ("kshot(digits, k=5)", 1): "b" * 64,
        }
        assert list(one.tries()) == ["try"]
        assert [each.key for each in one.records()] == ["k", "next"]


def test_many_records_are_stored_all_or_none(tmp_path):
    with Store(tmp_path) as store:
        store.commit(record("good"), logits())
        store.commit_all([record("a", "skipped"), record("good", "skipped"), record("b", "skipped")])
        assert {r.key: r.status for r in store.records()} == {"good": "ok", "a": "skipped", "b": "skipped"}

        def broken():
            yield record("c", "skipped")
            raise ValueError("half way")

        with pytest.raises(ValueError, match="half way"):
            store.commit_all(broken())
        assert {r.key for r in store.records()} == {"good", "a", "b"}
