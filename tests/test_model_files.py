"""What stays in the folder of a model if a new one cannot be written."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest

from fsbench.errors import CannotSave
from fsbench.models.fitting import _check_output, _put

NAMES = ("model.json", "predictor.json", "predictor.safetensors")


def model(folder: Path, content: str) -> Path:
    """A folder with the files of a model."""
    folder.mkdir()
    for name in NAMES:
        (folder / name).write_text(content)
    return folder


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A disk that has no room for the last file, the card."""
    copy = shutil.copyfile

    def copied(source: Path, target: Path) -> None:
        copy(source, target)
        if source.name == "model.json":
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("fsbench.models.fitting.shutil.copyfile", copied)
    return monkeypatch


def test_an_earlier_model_stays_if_the_disk_is_full(tmp_path: Path, full: pytest.MonkeyPatch) -> None:
    new, output = model(tmp_path / "new", "new"), model(tmp_path / "model", "old")
    with pytest.raises(CannotSave, match=r"cannot write .*model: No space left on device; name another"):
        _put(new, output)
    assert contents(output) == dict.fromkeys(NAMES, "old")
    full.undo()
    _put(new, output)
    assert contents(output) == dict.fromkeys(NAMES, "new")


def test_nothing_is_left_that_would_forbid_another_attempt(tmp_path: Path, full: pytest.MonkeyPatch) -> None:
    new, output = model(tmp_path / "new", "new"), tmp_path / "models" / "first"
    with pytest.raises(CannotSave):
        _put(new, output)
    assert list(output.parent.iterdir()) == []
    _check_output(output)
    full.undo()
    _put(new, output)
    assert contents(output) == dict.fromkeys(NAMES, "new")
