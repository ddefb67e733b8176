"""All results of a folder are on the same data, which are those of the suite: other splits end the run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fake_executor import A, B, run

from fsbench.errors import DataError, StoreError
from fsbench.sorts import Origin
from fsbench.store import Store
from fsbench.tasks import splits
from fsbench.tasks.expressions import parse_tasks
from fsbench.tasks.protocols.base import PROTOCOLS
from fsbench.tasks.suites import Suite

BOTH = f"{A}, {B}"
pytestmark = pytest.mark.usefixtures("fakes")


@pytest.fixture
def suite(monkeypatch):
    """Puts a suite of both tasks at two seeds in place of the default one, with some fingerprints."""

    def put(**fingerprints: tuple[str, ...]) -> None:
        named = {{"a": A, "b": B}[name]: known for name, known in fingerprints.items()}
        made = Suite("fake", 1, "", (A, B), 2, named)
        monkeypatch.setattr("fsbench.request.load_suite", lambda name: made)

    return put


def fingerprint(task: str, seed: int = 0) -> str:
    return splits.draw_split(*parse_tasks(task), seed).fingerprint


def forge(folder: Path, task: str) -> None:
    """Make the stored records of a task those of other data."""
    with Store(folder) as store:
        store._db.execute("DELETE FROM fingerprints WHERE task = ?", (task,))
        for record in store.records():
            if record.task == task:
                store._db.execute("DELETE FROM predictions WHERE key = ?", (record.key,))
                store._db.execute("DELETE FROM trials WHERE key = ?", (record.key,))
                store.commit(replace(record, split_fingerprint="f" * 64))


def test_tasks_and_seeds_come_from_the_suite(tmp_path, suite):
    suite()
    results = run(tmp_path, tasks=None)
    assert [(r.task, r.split_seed) for r in results.records] == [(A, 0), (B, 0), (A, 1), (B, 1)]


def test_a_split_other_than_the_suites_ends_the_run_and_finished_trials_are_kept(tmp_path, suite):
    suite(b=("0123456789abcdef",))
    right = fingerprint(B)[:16]
    with pytest.raises(
        DataError, match=rf"fake: split 0 of kshot\(wine, k=2\) is {right}, not 0123456789abcdef"
    ):
        run(tmp_path, tasks=None)
    with Store(tmp_path) as store:
        assert [r.task for r in store.records()] == [A]


def test_the_suites_splits_are_accepted(tmp_path, suite):
    suite(a=(fingerprint(A)[:16], fingerprint(A, 1)[:16]), b=(fingerprint(B)[:16],))
    assert run(tmp_path, tasks=None).done == 4


def test_stored_records_of_other_splits_than_the_suites_are_refused_before_anything_runs(
    tmp_path, suite, drawn
):
    suite()
    run(tmp_path, tasks=None, seeds=1)
    suite(a=("another",))
    drawn.clear()
    with pytest.raises(StoreError, match=r"contains a record of erm on other data: fake: split 0 of kshot"):
        run(tmp_path, "reason", tasks=None, seeds=1)
    assert drawn == []


def test_what_a_plugin_draws_is_compared_even_if_nothing_is_left_to_run(tmp_path, monkeypatch, drawn):
    run(tmp_path, seeds=1)
    drawn.clear()
    run(tmp_path, seeds=1)
    assert drawn == []
    monkeypatch.setattr(PROTOCOLS, "origin", lambda name: Origin("mine", "1"))
    run(tmp_path, seeds=1)
    forge(tmp_path, A)
    with pytest.raises(StoreError, match=r"results of kshot\(wine, k=1\) .* drawn or read in another way"):
        run(tmp_path, seeds=1)


def test_results_on_other_data_do_not_mix(tmp_path):
    run(tmp_path, tasks=BOTH, seeds=1)
    forge(tmp_path, B)
    for more in ({"plugins": "reason", "seeds": 1}, {"seeds": 2}):
        with pytest.raises(StoreError, match=r"contains results of kshot\(wine, k=2\) on other data"):
            run(tmp_path, tasks=BOTH, **more)
    with Store(tmp_path) as store:
        assert {r.task for r in store.records() if r.spec == "reason"} == {A}
    assert run(tmp_path / "other", "reason", tasks=BOTH, seeds=1).total == 4
