"""The splits of a run: drawn once, one after the other, from data that is kept only while needed."""

from __future__ import annotations

import gc
import shutil
import time
import tracemalloc
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fsbench import draw
from fsbench.datasets import known
from fsbench.datasets.dataset import Dataset, DatasetInfo
from fsbench.datasets.known import DatasetEntry, keep_datasets
from fsbench.draw import Splits
from fsbench.errors import DataError, PluginError, StoreError
from fsbench.record import Trial
from fsbench.same_data import SameData
from fsbench.tasks.drawing import Rows, Split, cells, stack
from fsbench.tasks.expressions import Task, parse_tasks
from fsbench.tasks.protocols.kshot import KShot
from fsbench.tasks.splits import draw_split
from fsbench.tasks.suites import Suite, ad_hoc

ROWS, COLUMNS = 2000, 500
SIZE = ROWS * COLUMNS * 4
ONE, TWO = "kshot(wine, k=1)", "kshot(wine, k=2)"


def trial(task: str, seed: int, spec: str = "erm") -> Trial:
    return Trial(task, seed, 0, spec, "recipe(steps=1)", f"{task}/{seed}/{spec}")


def made(trials: list[Trial], folder: Path, same: SameData | None = None) -> Splits:
    tasks = {t.task: parse_tasks(t.task)[0] for t in trials}
    return Splits(trials, tasks, same or SameData(ad_hoc(ONE), {}, folder), folder)


def fingerprint(task: str, seed: int) -> str:
    return draw_split(*parse_tasks(task), seed).fingerprint


@pytest.fixture
def large(monkeypatch):
    """The names of eight datasets of 4 MB each, and which of them have been loaded."""
    loads: list[str] = []
    living: list[weakref.ref[Dataset]] = []

    def load(info: DatasetInfo) -> Dataset:
        loads.append(info.text)
        x = np.random.default_rng(len(info.text)).random((ROWS, COLUMNS), dtype=np.float32)
        dataset = Dataset(info, x, np.arange(ROWS) % 2)
        living.append(weakref.ref(dataset))
        return dataset

    def entry(name: str) -> DatasetEntry:
        info = DatasetInfo(name, "", "table", (COLUMNS,), ("a", "b"), (ROWS // 2,) * 2, "none", "nobody")
        return DatasetEntry(name, lambda text: info, load)

    names = [f"large{n}" for n in range(8)]
    for name in names:
        monkeypatch.setitem(known.DATASETS, name, entry(name))
    yield names, loads, living
    keep_datasets(())


@pytest.mark.slow
def test_a_run_holds_one_dataset_at_a_time_without_room_for_others(large, tmp_path, monkeypatch) -> None:
    names, loads, living = large
    monkeypatch.setattr(draw, "ROOM", 0)
    trials = [trial(f"kshot({name}, k=1)", seed) for name in names for seed in range(3)]
    splits = made(trials, tmp_path)
    made([trial(ONE, 0)], tmp_path / "first").of(trial(ONE, 0))  # so that the imports are not measured
    gc.freeze()  # so that collecting garbage looks only at what is made from here on
    tracemalloc.start()
    try:
        for each in trials:
            splits.of(each)
            gc.collect()
            assert sum(ref() is not None for ref in living) == 1
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.unfreeze()
    assert loads == names
    assert held < 1.2 * SIZE
    assert peak < len(names) * SIZE / 2


def test_datasets_that_fit_are_not_loaded_again_for_the_next_split_seed(large, tmp_path) -> None:
    names, loads, _ = large
    trials = [trial(f"kshot({name}, k=1)", seed) for seed in range(3) for name in names]
    splits = made(trials, tmp_path)
    for each in trials:
        splits.of(each)
    assert loads == names


def test_both_datasets_of_a_task_are_held(large, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(draw, "ROOM", 0)
    trials = [trial("kshot(large0, k=1, source=large1)", seed) for seed in range(3)]
    splits = made([*trials, trial("kshot(large1, k=1)", 0)], tmp_path)
    for each in trials:
        splits.of(each)
    splits.of(trial("kshot(large1, k=1)", 0))
    assert sorted(large[1]) == ["large0", "large1"]


def test_a_split_is_on_disk_from_its_first_trial_to_its_last(tmp_path) -> None:
    first, second = trial(ONE, 0), trial(ONE, 0, "focal")
    other = trial(ONE, 1)
    splits = made([first, second, other], tmp_path)
    assert list(tmp_path.iterdir()) == []
    split = splits.of(first)
    assert splits.of(second) is split
    splits.done(first)
    assert Path(split.path).exists()
    splits.of(other)
    splits.done(second)
    assert not Path(split.path).exists()
    splits.done(other)
    end = time.monotonic() + 20
    while any(tmp_path.iterdir()) and time.monotonic() < end:
        time.sleep(0.01)
    assert list(tmp_path.iterdir()) == []


def test_a_removed_split_can_still_be_marked_done(tmp_path) -> None:
    splits = made([trial(ONE, 0)], tmp_path)
    shutil.rmtree(splits.of(trial(ONE, 0)).path)
    splits.done(trial(ONE, 0))
    assert list(tmp_path.iterdir()) == []


def test_what_could_not_be_deleted_does_not_stop_the_next_rounds_of_a_search(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)
    for _ in range(3):
        splits = made([trial(ONE, 0)], tmp_path)
        assert Path(splits.of(trial(ONE, 0)).path).exists()
        splits.done(trial(ONE, 0))
    assert len(list(tmp_path.glob("gone-*"))) == 3


def test_a_split_that_cannot_be_written_is_not_available(tmp_path, monkeypatch) -> None:
    splits = made([trial(ONE, 0)], tmp_path / "file" / "below")
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot write the split"):
        splits.of(trial(ONE, 0))
    (tmp_path / "file").unlink()
    assert Path(splits.of(trial(ONE, 0)).path).exists()


@pytest.fixture
def drawn(monkeypatch) -> list[tuple[str, int]]:
    """The draws for comparison with stored splits."""
    found: list[tuple[str, int]] = []

    def draw(task: Task, seed: int):
        found.append((task.text, seed))
        return draw_split(task, seed)

    monkeypatch.setattr("fsbench.same_data.draw_split", draw)
    return found


def test_a_split_of_the_same_seed_is_compared_without_another_draw(drawn, tmp_path) -> None:
    same = SameData(ad_hoc(ONE), {(ONE, seed): fingerprint(ONE, seed) for seed in (0, 1)}, tmp_path)
    same.check(ONE, 1, fingerprint(ONE, 1))
    with pytest.raises(StoreError, match=r"on other data, .*\(split 0 was \w{12}, is now ffffffffffff\)"):
        same.check(ONE, 0, "f" * 64)
    assert drawn == []


def test_for_new_seeds_one_stored_split_of_the_task_is_drawn_again(drawn, tmp_path) -> None:
    same = SameData(ad_hoc(ONE), {(ONE, seed): fingerprint(ONE, seed) for seed in (3, 4)}, tmp_path)
    for seed in (0, 1, 2):
        same.check(ONE, seed, fingerprint(ONE, seed))
        same.check(TWO, seed, fingerprint(TWO, seed))
    assert drawn == [(ONE, 3)]
    with pytest.raises(StoreError, match="split 3 was eeeeeeeeeeee"):
        SameData(ad_hoc(ONE), {(ONE, 3): "e" * 64}, tmp_path).check(ONE, 0, fingerprint(ONE, 0))


def test_a_suites_own_splits_come_first(tmp_path) -> None:
    suite = Suite("named", 1, "", (ONE,), 1, {ONE: ("0123456789abcdef",)})
    with pytest.raises(DataError, match="named: split 0 of"):
        SameData(suite, {(ONE, 0): "e" * 64}, tmp_path).check(ONE, 0, "f" * 64)


def test_own_data_are_compared_in_every_task_that_can_be_drawn(drawn, tmp_path) -> None:
    mixed = "kshot(wine, k=1, source=somebodys)"
    right, of_others = {(ONE, 0): fingerprint(ONE, 0)}, {("kshot(digits, k=1)", 0): "x"}
    same = SameData(ad_hoc(ONE), right | of_others | {(mixed, 0): "x"}, tmp_path)
    same.check_own("wine")
    same.check(ONE, 5, "not compared again")
    assert drawn == [(ONE, 0)]
    changed = SameData(ad_hoc(ONE), {("kshot(wine, k=400)", 0): fingerprint(ONE, 0)}, tmp_path)
    with pytest.raises(StoreError, match=r"is now impossible: .*k=400.*name another results folder"):
        changed.check_own("wine")


def test_damaged_data_are_reported_as_damaged(monkeypatch, tmp_path) -> None:
    """Another results folder, which is the advice for other data, would not repair them."""

    def damaged(task: Task, seed: int):
        raise DataError("cannot read wine.npz: it is cut off; remove it, then fetch or prepare it again")

    monkeypatch.setattr("fsbench.same_data.draw_split", damaged)
    with pytest.raises(DataError, match="it is cut off"):
        SameData(ad_hoc(ONE), {(ONE, 0): "e" * 64}, tmp_path).check_own("wine")


def test_any_exception_of_a_protocol_is_one_line_that_names_the_task(tmp_path, monkeypatch) -> None:
    def draw(self, seed: int):
        raise KeyError("a\nbug")

    monkeypatch.setattr("fsbench.tasks.protocols.kshot.KShot.draw", draw)
    with pytest.raises(PluginError) as caught:
        made([trial(ONE, 3)], tmp_path).of(trial(ONE, 3))
    assert str(caught.value) == f"{ONE}: its protocol cannot draw split 3 (KeyError: 'a\\nbug')"
    assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.parametrize(
    ("part", "name"), [("train", "training"), ("val", "validation"), ("source", "source")]
)
def test_a_protocol_that_draws_test_samples_twice_is_refused(tmp_path, monkeypatch, part, name) -> None:
    """Otherwise its scores would be those of labels that were trained on."""
    whole = KShot.draw

    def draw(self, seed: int):
        split = whole(self, seed)
        leak = split.test.first(2)
        flat = Rows(leak.index[0], leak.y[0], leak.origin[0])
        return replace(split, **{part: flat if part == "source" else leak})

    monkeypatch.setattr(KShot, "draw", draw)
    with pytest.raises(
        PluginError, match=rf"its protocol draws 2 {name} samples for the test too; the parts"
    ):
        made([trial(ONE, 3)], tmp_path).of(trial(ONE, 3))


def swapped(split: Split) -> Split:
    rows = split.train
    return replace(split, train=Rows(rows.index, rows.origin, np.full_like(rows.y, 2)))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda split: None, "draw returned NoneType; expected a Split"),
        (
            swapped,
            "train has origin 2; expected 0 for the protocol's datasets; rows are Rows(index, y, origin)",
        ),
        (
            lambda split: replace(split, test=cells(split.test)[0]),
            "test has index [70], y [70], origin [70]; expected one shape [E, N], as stack([rows, "
            "...]) makes them",
        ),
        (
            lambda split: replace(split, unlabeled=split.train),
            "unlabeled has index [1, 3], y [1, 3], origin [1, 3]; expected one shape [N]",
        ),
        (
            lambda split: replace(split, train=replace(split.train, y=split.train.y[:, 1:])),
            "train has index [1, 3], y [1, 2], origin [1, 3]; expected one shape [E, N], as stack([rows, "
            "...]) makes them",
        ),
        (
            lambda split: replace(split, train=replace(split.train, y=split.train.y.astype(np.float32))),
            "train has y of float32; expected int64",
        ),
        (
            lambda split: replace(split, test=stack(cells(split.test) * 2)),
            "train 1 cell, val 1 cell, test 2 cells; expected as many in each part",
        ),
        (
            lambda split: replace(split, train=split.train.first(0)),
            "train is empty; expected training samples",
        ),
        (
            lambda split: replace(split, val=replace(split.train, index=split.train.index + 1000)),
            "val has index 1",
        ),
        (
            lambda split: replace(split, test=replace(split.test, index=-1 - split.test.index)),
            "expected 0 to 177 for the samples of wine; rows are Rows(index, y, origin)",
        ),
        (
            lambda split: replace(split, test=replace(split.test, y=split.test.y + 3)),
            "expected 0 to 2 for the classes; rows are Rows(index, y, origin)",
        ),
    ],
)
def test_a_malformed_split_is_refused(monkeypatch, change, problem) -> None:
    """Otherwise a trial runs on memory without content, or fails with an error of the strategy."""
    whole = KShot.draw
    monkeypatch.setattr(KShot, "draw", lambda self, seed: change(whole(self, seed)))
    with pytest.raises(PluginError) as caught:
        draw_split(*parse_tasks(ONE), 3)
    assert str(caught.value).startswith(f"{ONE}: its protocol cannot draw split 3 (")
    assert problem in str(caught.value)


def test_a_protocol_that_validates_on_training_samples_is_refused(monkeypatch) -> None:
    whole = KShot.draw

    def draw(self, seed: int):
        split = whole(self, seed)
        return replace(split, val=split.train.first(2))

    monkeypatch.setattr(KShot, "draw", draw)
    with pytest.raises(PluginError, match="its protocol draws 2 training samples for the validation too; th"):
        draw_split(*parse_tasks(ONE), 3)
