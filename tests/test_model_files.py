"""Which files are never lost: an earlier model if a new one cannot be written, and what is predicted from."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

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


class Model:
    """A saved model that predicts one class."""

    card = SimpleNamespace(files=NAMES[1:], uses=())

    def predict(self, *given: object) -> SimpleNamespace:
        return SimpleNamespace(warnings=(), to_csv=lambda: "input,predicted\n")


@pytest.mark.parametrize(
    ("inputs", "output", "refused"),
    [
        ("new.csv", "new.csv", True),
        ("new.csv", "photos/../new.csv", True),
        ("photos", "photos/a/1.png", True),
        ("new.csv", "model/predictor.safetensors", True),
        ("new.csv", "model/model.json", True),
        ("photos", "photos/answers.csv", False),
        ("new.csv", "photos/a/1.png", False),
        ("photos", "photos/further.txt", False),
    ],
)
def test_predictions_never_replace_what_they_are_made_from(
    call: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
    inputs: str,
    output: str,
    refused: bool,
) -> None:
    monkeypatch.setattr("fsbench.models.load", lambda folder: Model())
    model(Path("model"), "old")
    Path("photos", "a").mkdir(parents=True)
    for name in ("new.csv", "photos/a/1.png", "photos/answers.csv"):
        Path(name).write_text("old")
    status, _, err = call("predict", "model", inputs, "--output", output)
    said = f"--output {Path(output)} is one of the files to predict from; name another file"
    assert (status, said in err) == ((2, True) if refused else (0, False))
    assert Path(output).read_text() == ("old" if refused else "input,predicted\n")


def test_predictions_that_cannot_be_written_leave_the_old_ones(
    call: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fsbench.models.load", lambda folder: Model())
    Path("found.csv").write_text("old")
    write = Path.write_text

    def half(self: Path, text: str, **options: Any) -> int:
        write(self, text[: len(text) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", half)
    status, _, err = call("predict", "model", "new.csv", "--output", "found.csv")
    assert (status, "cannot write found.csv: No space left on device" in err) == (1, True)
    assert Path("found.csv").read_text() == "old"
    assert [path.name for path in Path().iterdir()] == ["found.csv"]


def test_the_line_after_a_fit_can_be_copied(
    call: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    card = SimpleNamespace(calibration={"how": "none"}, temperature=1.0)
    monkeypatch.setattr("fsbench.models.refit", lambda *given, **named: SimpleNamespace(card=card))
    status, _, err = call("fit", "--data", "x.csv", "--strategy", "svm", "--output", "my model")
    assert status == 0
    assert "wrote the model to my model; `fsbench predict 'my model' INPUTS` uses it" in err
