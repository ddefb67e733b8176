"""Predictions beside a published file, which may come from anybody."""

from __future__ import annotations

import base64
import json
import shutil
import zlib
from pathlib import Path

import numpy as np
import pytest

import fsbench
from fsbench.errors import StoreError, UsageError
from fsbench.report.logits import beside, digest

TASK = "kshot(wine, k=2)"


@pytest.fixture
def copied(whole: Path, tmp_path: Path) -> Path:
    """A published file with its predictions beside it, to change."""
    shutil.copy(beside(whole), tmp_path)
    return Path(shutil.copy(whole, tmp_path))


def lines_of(path: Path) -> list[dict]:
    return [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines()]


def write_lines(path: Path, lines: list[dict]) -> None:
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")


def change(path: Path, name: str, value: str, changes: dict) -> None:
    """Change the line in which a field has this value."""
    write_lines(path, [line | (changes if line.get(name) == value else {}) for line in lines_of(path)])


def first_of_erm(path: Path) -> str:
    """The key of the trial of `erm` on the first split."""
    lines = (line for line in lines_of(path) if line.get("spec") == "erm")
    return next(line["key"] for line in lines if line["split_seed"] == 0)


def packed(logits: np.ndarray) -> dict:
    data = base64.b64encode(zlib.compress(logits.astype("<f4").tobytes())).decode()
    return {"logits": data, "shape": logits.shape}


def publish_as(path: Path, logits: np.ndarray) -> None:
    """Let the first trial of `erm` have these predictions, and their digest."""
    key = first_of_erm(path)
    change(path, "key", key, {"predictions": digest(logits)})
    change(beside(path), "trial", key, packed(logits))


def test_a_published_file_gives_what_the_results_folder_gives(stored, whole):
    ours, theirs = fsbench.load(stored), fsbench.load(whole)
    for seed in range(3):
        pairs = zip(ours.predictions("knn", TASK, seed), theirs.predictions("knn", TASK, seed), strict=True)
        for a, b in pairs:
            assert a.dtype == b.dtype
            assert np.array_equal(a, b)
    assert ours.confusion("erm", TASK).equals(theirs.confusion("erm", TASK))
    curves = [each.plot.reliability(["erm"]).lines for each in (ours, theirs)]
    for a, b in zip(*curves, strict=True):
        assert np.array_equal(a.get_xydata(), b.get_xydata(), equal_nan=True)


def test_without_the_file_beside_it_there_are_no_predictions(copied):
    beside(copied).unlink()
    with pytest.raises(UsageError, match="no stored predictions"):
        fsbench.load(copied).predictions("erm", TASK)


def test_trials_that_the_file_beside_lacks_have_no_predictions(copied):
    change(beside(copied), "trial", first_of_erm(copied), {"trial": "of another file"})
    results = fsbench.load(copied)
    with pytest.raises(UsageError, match="no stored predictions"):
        results.predictions("erm", TASK)
    results.predictions("erm", TASK, split_seed=1)


def test_predictions_of_another_trial_are_refused(copied):
    logits, _ = fsbench.load(copied).predictions("knn", TASK)
    change(beside(copied), "trial", first_of_erm(copied), packed(logits))
    with pytest.raises(StoreError, match=r"has other predictions of the trial .* than were published"):
        fsbench.load(copied).predictions("erm", TASK)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda logits: logits[:, 1:], id="fewer samples"),
        pytest.param(lambda logits: logits[..., :2], id="fewer classes than labels"),
        pytest.param(lambda logits: np.repeat(logits, 1000, axis=2), id="thousands of classes"),
        pytest.param(lambda logits: logits[0], id="no axis of cells"),
    ],
)
def test_predictions_that_do_not_fit_the_labels_are_refused(copied, wrong):
    logits, _ = fsbench.load(copied).predictions("erm", TASK)
    publish_as(copied, wrong(logits))
    with pytest.raises(StoreError, match="other predictions"):
        fsbench.load(copied).predictions("erm", TASK)


def test_trials_with_other_numbers_of_classes_are_not_joined(copied):
    logits, _ = fsbench.load(copied).predictions("erm", TASK)
    publish_as(copied, np.concatenate([logits, logits[..., :1]], axis=2))
    with pytest.raises(StoreError, match=r"erm on .* differ in their number of classes"):
        fsbench.load(copied).confusion("erm", TASK)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"logits": "no base64!"}, ""),
        ({"logits": base64.b64encode(b"not zipped").decode()}, ""),
        ({"shape": [1, 2, -3]}, "for the shape"),
        ({"shape": None}, ""),
        (packed(np.full((1, 1, 3), np.nan)), "not finite"),
    ],
)
def test_a_malformed_line_is_named(copied, changes, said):
    key = first_of_erm(copied)
    number = [line["trial"] for line in lines_of(beside(copied))].index(key) + 1
    change(beside(copied), "trial", key, changes)
    with pytest.raises(StoreError, match=rf"line {number} has no predictions \(.*{said}.*\); fetch it again"):
        fsbench.load(copied).predictions("erm", TASK)


def test_what_a_line_unpacks_to_is_limited(copied, monkeypatch):
    monkeypatch.setattr("fsbench.report.logits._LARGEST", 100)
    with pytest.raises(StoreError, match="more than 100 bytes unpacked"):
        fsbench.load(copied).predictions("erm", TASK)


@pytest.mark.parametrize("line", ["[]", "{}", "nothing", "3"])
def test_a_line_without_a_trial_is_named(copied, line):
    with beside(copied).open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    with pytest.raises(StoreError, match="line 8 has no predictions"):
        fsbench.load(copied).predictions("erm", TASK)


def test_a_trial_has_one_line(copied):
    found = lines_of(beside(copied))
    write_lines(beside(copied), [*found, found[2]])
    with pytest.raises(StoreError, match=r"line 7 has no predictions \(the trial of line 3 again\)"):
        fsbench.load(copied).predictions("erm", TASK)
