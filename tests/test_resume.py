from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import fake_executor
import numpy as np
import pytest

from fsbench.errors import StoreError
from fsbench.store import Store

SCRIPT = Path(fake_executor.__file__)
SEEDS, TRIALS = 30, 120
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")


def start(folder: Path, seconds: float = 0.02, seeds: int = SEEDS, *tune: str) -> subprocess.Popen[str]:
    """A run of 2 tasks x 2 strategies x 30 seeds, each trial of `seconds`."""
    root = os.pathsep.join([str(SCRIPT.parent), *filter(None, sys.path)])
    command = [sys.executable, str(SCRIPT), str(folder), str(seeds), str(seconds), *tune]
    pipe, environment = subprocess.PIPE, {**os.environ, "PYTHONPATH": root}
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment)


def finish(process: subprocess.Popen[str]) -> None:
    out, err = process.communicate(timeout=60)
    assert (out, err, process.returncode) == (f"{TRIALS} False\n", "", 0)


def contents(folder: Path) -> dict:
    with Store(folder, create=False) as store:
        return {
            r.key: (r, store.predictions(r.key).tobytes() if r.status == "ok" else None)
            for r in store.records()
        }


def check_complete(found: dict) -> None:
    assert len(found) == TRIALS
    for record, predictions in found.values():
        assert record.status == ("failed" if record.spec == "reason" else "ok")
        if record.status == "ok":
            assert predictions == fake_executor.logits(record, record.n_test).tobytes()


def stored(folder: Path) -> int:
    """How many records there are now; none before the store exists."""
    try:
        return len(contents(folder))
    except StoreError:
        return 0


@pytest.mark.slow
def test_a_run_killed_at_any_moment_loses_no_stored_record(tmp_path):
    """Killed with SIGKILL at random moments of start and work; every commit survives every kill."""
    moments = random.Random(20)
    before: dict = {}
    for _ in range(10):
        process = start(tmp_path, seconds=0.01)
        wanted = min(TRIALS, len(before) + moments.choice([0, 1, 5, 9]))
        while stored(tmp_path) < wanted and process.poll() is None:
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 0.2))
        process.kill()
        process.communicate()
        after = contents(tmp_path) if stored(tmp_path) else {}
        assert before.items() <= after.items()
        assert wanted <= len(after)
        before = after
    assert before
    finish(start(tmp_path, seconds=0))
    complete = contents(tmp_path)
    assert before.items() <= complete.items()
    check_complete(complete)
    assert sorted(os.listdir(tmp_path)) == ["fsbench.sqlite", "run.log"]


@pytest.mark.slow
def test_a_killed_search_keeps_every_try(tmp_path):
    def tries(folder: Path) -> dict:
        try:
            with Store(folder, create=False) as store:
                return store.tries()
        except StoreError:
            return {}

    process = start(tmp_path / "killed", 0.02, 2, "4")
    while len(before := tries(tmp_path / "killed")) < 20:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    for folder in ("killed", "whole"):
        out, err = start(tmp_path / folder, 0, 2, "4").communicate(timeout=60)
        assert (out, err) == ("8 False\n", "")
    assert before.items() <= tries(tmp_path / "killed").items()
    chosen = [
        {key: (record.status, record.search) for key, (record, _) in contents(tmp_path / folder).items()}
        for folder in ("killed", "whole")
    ]
    assert chosen[0] == chosen[1]
    assert {status for status, _ in chosen[0].values()} == {"ok", "failed"}


@pytest.mark.slow
def test_two_runs_can_share_a_store(tmp_path):
    first, second = start(tmp_path), start(tmp_path)
    finish(first)
    finish(second)
    check_complete(contents(tmp_path))
    assert sorted(os.listdir(tmp_path)) == ["fsbench.sqlite", "run.log"]


@pytest.mark.slow
def test_a_run_continues_while_another_is_killed(tmp_path):
    first, second = start(tmp_path, seconds=0.05), start(tmp_path)
    while not stored(tmp_path):
        time.sleep(0.01)
    first.kill()
    first.communicate()
    finish(second)
    check_complete(contents(tmp_path))


def test_an_interrupted_commit_is_rolled_back(tmp_path):
    """A process that dies between the record and the end of its transaction leaves neither."""
    script = f"""
import os, sys
sys.path[:0] = {[str(SCRIPT.parent), *sys.path]!r}
import numpy as np
from fsbench import store
from fsbench.record import Record
opened = store.Store({str(tmp_path)!r})
opened.commit(Record("kept", "ok", "t", 0, 0, "erm", "r"), np.ones(3))
store._pack = lambda values: os.kill(os.getpid(), 9)
opened._db.execute("PRAGMA cache_size = 1")
opened.commit(Record("lost", "ok", "t", 0, 0, "erm", "r" * 100_000), np.ones(3))
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -9
    assert (tmp_path / "fsbench.sqlite-journal").exists()
    with Store(tmp_path, create=False) as store:
        assert [r.key for r in store.records()] == ["kept"]
        assert np.array_equal(store.predictions("kept"), np.ones(3))
