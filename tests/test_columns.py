"""Records read as columns give the same tables as the records themselves."""

from __future__ import annotations

import dataclasses
import json
import math
import random
import sqlite3
import statistics
from contextlib import closing

import numpy as np
import pandas as pd
import pytest
from records import failed, over_seeds, realistic, record, skipped

from fsbench import summaries
from fsbench.columns import Columns, of_records
from fsbench.errors import StoreError
from fsbench.record import Record
from fsbench.report.leaderboard import leaderboard
from fsbench.store import Store
from fsbench.store_file import FILE_NAME

METRICS = ["balanced_accuracy", "nll"]
A = "kshot(digits, k=5)"


def odd_records() -> list[Record]:
    """Records with every field that may be absent or strange, in a random order."""
    found = realistic(4)
    found += [record(A, "erm", seed, init_seed=1, train_accuracy=None, device="ein Gerät") for seed in (0, 3)]
    found += [record(A, "focal", 2**40, notes=('says "no"', "\n"), metrics={"accuracy": 0.5}, resolution={})]
    found += [failed(task=A, spec="x", split_seed=s, message=f"day {s}") for s in range(3)]
    found += [skipped(task=A, spec="y"), record(A, "z", uses=("source", "unlabeled"), full_spec="z(a=1)")]
    found += [record(A, "v", overlap=0.25, metric_codes={"nll": "code+1"}, versions={})]
    random.Random(0).shuffle(found)
    return found


def equal(one: Columns, other: Columns) -> bool:
    for field in dataclasses.fields(Columns):
        left, right = getattr(one, field.name), getattr(other, field.name)
        if isinstance(left, dict):
            same = left.keys() == right.keys() and all(
                np.array_equal(left[name], right[name], equal_nan=True) for name in left
            )
        elif field.name == "evidence":
            same = (left.drawn, left.looks) == (right.drawn, right.looks)
        else:
            same = np.array_equal(left, right) if isinstance(left, np.ndarray) else left == right
        if not same:
            return False
    return True


def test_a_store_gives_the_columns_of_its_records(tmp_path):
    with Store(tmp_path) as store:
        store.commit_all(odd_records())
        assert equal(store.columns(METRICS), of_records(store.records(), METRICS))
        assert equal(store.columns([]), of_records(store.records(), []))


def summarised(folder) -> bool:
    with closing(sqlite3.connect(folder / FILE_NAME)) as db:
        return summaries.complete(db)


def test_a_record_that_takes_the_place_of_another_has_the_only_summary(tmp_path):
    before = [
        failed(task=A, spec="erm", split_seed=seed, created=f"2026-01-0{9 - seed}") for seed in range(3)
    ]
    with Store(tmp_path) as store:
        store.commit_all(before)
        store.commit(record(A, "erm", 1, created="2026-02-01"))
        store.commit(record(A, "erm", 1, value=0.1))
        assert summarised(tmp_path)
        columns = store.columns(METRICS)
        assert equal(columns, of_records(store.records(), METRICS))
    assert columns.latest == ("2026-01-09", "2026-02-01")


def test_a_store_of_an_older_version_gets_summaries_with_the_next_record(tmp_path):
    with Store(tmp_path) as store:
        store.commit_all(odd_records())
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as db, db:
        for statement in ("DROP TABLE texts", "DROP TABLE summaries", "PRAGMA user_version = 3"):
            db.execute(statement)
        for what in ("update", "delete"):
            db.execute(f"DROP TRIGGER no_summary_after_{what}")
    with Store(tmp_path) as store:
        old = store.columns(METRICS)
        assert equal(old, of_records(store.records(), METRICS))
        store.commit(record(A, "new"))
        assert summarised(tmp_path)
        assert equal(store.columns(METRICS), of_records(store.records(), METRICS))


def test_a_text_that_was_changed_by_hand_is_read_again(tmp_path):
    with Store(tmp_path) as store:
        store.commit_all(odd_records())
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as db, db:
        db.execute("UPDATE trials SET record = json_set(record, '$.n_test', 7) WHERE status = 'ok'")
    assert not summarised(tmp_path)
    with Store(tmp_path) as store:
        columns = store.columns(METRICS)
        assert set(columns.numbers["n_test"]) >= {7}
        assert equal(columns, of_records(store.records(), METRICS))


def test_an_empty_store_gives_empty_columns(tmp_path):
    with Store(tmp_path) as store:
        assert equal(store.columns(METRICS), of_records([], METRICS))
        assert leaderboard(store.columns(["balanced_accuracy"])).rows == []


def test_records_of_older_stores_lack_fields(tmp_path):
    with Store(tmp_path) as store:
        store.commit_all(over_seeds(A, "erm", [0.5, 0.6]))
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as db, db:
        for key, text in db.execute("SELECT key, record FROM trials").fetchall():
            kept = json.loads(text)
            for name in ("full_spec", "resolution", "overlap", "metric_codes", "notes", "train_accuracy"):
                del kept[name]
            db.execute("UPDATE trials SET record = ? WHERE key = ?", (json.dumps(kept), key))
    with Store(tmp_path) as store:
        board = leaderboard(store.columns(METRICS))
        assert board == leaderboard(store.records())
        assert board.overall[0].score.mean == pytest.approx(0.55)


def test_a_damaged_record_is_a_clear_error(tmp_path):
    with Store(tmp_path) as store:
        store.commit_all([record()])
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as db, db:
        db.execute("UPDATE trials SET record = '{'")
    with Store(tmp_path) as store, pytest.raises(StoreError, match="malformed JSON"):
        store.columns(METRICS)


def test_a_table_is_the_same_from_columns_and_from_records(tmp_path):
    records = [r for r in odd_records() if r.spec != "v"]
    with Store(tmp_path) as store:
        store.commit_all(records)
        for metric in METRICS:
            assert leaderboard(store.columns([metric]), metric) == leaderboard(records, metric)


def test_selected_columns_are_those_of_the_selected_records():
    records = odd_records()
    columns = of_records(records, METRICS)
    kept = columns.select([shared.task == A and shared.status == "ok" for shared in columns.shared])
    chosen = of_records([r for r in records if r.task == A and r.status == "ok"], METRICS)
    assert kept.shared == chosen.shared
    assert np.array_equal(kept.code, chosen.code)
    assert [kept.fingerprints[i] for i in kept.split] == [chosen.fingerprints[i] for i in chosen.split]
    for mine, other in ((kept.numbers, chosen.numbers), (kept.values, chosen.values)):
        assert all(np.array_equal(mine[name], other[name], equal_nan=True) for name in mine)


def test_rows_agree_with_an_independent_computation():
    """Means, medians and counts of random records, computed by pandas."""
    rng, records = np.random.default_rng(0), []
    for task in (A, "kshot(wine, k=5)"):
        for spec in ("erm", "focal", "svm"):
            for split in range(6):
                for init in range(rng.integers(1, 4)):
                    make = failed if rng.random() < 0.2 else record
                    more = {"seconds_fit": rng.random(), "peak_memory": int(rng.integers(1, 9)),
                            "train_accuracy": rng.random()}  # fmt: skip
                    if make is record:
                        more["value"] = rng.random()
                    records.append(make(task=task, spec=spec, split_seed=split, init_seed=init, **more))
    table = pd.DataFrame([vars(r) | {"score": r.metrics.get("balanced_accuracy")} for r in records])
    table["seconds"] = table.seconds_fit + table.seconds_predict
    rows = {(row.task, row.strategy): row for row in leaderboard(records).rows}
    for (task, spec), part in table.groupby(["task", "spec"]):
        row, ok = rows[task, spec], part[part.status == "ok"]
        assert row.score.mean == pytest.approx(ok.groupby("split_seed").score.mean().mean(), rel=1e-15)
        assert (row.done, row.failed) == (len(ok), len(part) - len(ok))
        assert (row.seconds, row.peak_memory) == (ok.seconds.median(), ok.peak_memory.median())
        assert row.train_accuracy == math.fsum(ok.train_accuracy) / len(ok)
        pairs = ok.merge(table[(table.spec == "erm") & (table.task == task) & (table.status == "ok")],
                         on=["split_seed", "init_seed"])  # fmt: skip
        if spec != "erm":
            gains = (pairs.score_x - pairs.score_y).groupby(pairs.split_seed).mean()
            assert row.difference.mean == pytest.approx(gains.mean(), rel=1e-12)
            assert row.cost == pytest.approx(statistics.median(pairs.seconds_x / pairs.seconds_y))
