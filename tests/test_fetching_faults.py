"""A fault while fetching a dataset is one line that says where, and leaves nothing behind."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import numpy as np
import pytest

from fsbench.acquire import fetching
from fsbench.acquire.fetching import fetch
from fsbench.cli import main
from fsbench.errors import DataError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder."""
    monkeypatch.setenv("FSBENCH_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def test_images_without_labels_are_not_a_dataset(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = np.zeros((220, 1, 28, 28), np.uint8), np.arange(210) % 10
    monkeypatch.setattr(fetching, "read_original", lambda *_: (x, y, None, ()))
    with pytest.raises(DataError, match="it has 220 images and 210 labels; are these the original files"):
        fetch("kmnist")
    assert list(folder.iterdir()) == []


def test_a_missing_original_file_is_named_and_not_downloaded(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr("socket.create_connection", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    before = urllib.request._opener  # type: ignore[attr-defined]
    originals = tmp_path / "originals"
    originals.mkdir()
    with pytest.raises(DataError, match=r"has no train-images-idx3-ubyte\.gz; .*Python: originals="):
        fetch("mnist", originals)
    assert list(folder.iterdir()) == []
    assert urllib.request._opener is before  # type: ignore[attr-defined]


def test_a_missing_file_is_named_without_the_parameters_of_its_address(tmp_path: Path) -> None:
    pytest.importorskip("medmnist")
    with pytest.raises(DataError, match=r"has no pathmnist\.npz; put all .* --from .in Python: originals="):
        fetch("pathmnist", tmp_path)


def test_a_data_folder_that_cannot_be_written_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.write_text("a file", encoding="utf-8")
    assert main(["data", "fetch", "mnist"]) == 1
    err = capsys.readouterr().err.splitlines()[-1]
    assert f"cannot write into the data folder {folder}: File exists; name another with --data-dir" in err


def test_every_name_is_checked_before_the_first_download(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(fetching, "fetch", lambda name, *_: asked.append(name))
    assert main(["data", "fetch", "usps", "uspss"]) == 2
    assert "did you mean 'usps'?" in capsys.readouterr().err
    assert main(["data", "fetch", "usps", "wine"]) == 2
    assert "wine is not downloaded" in capsys.readouterr().err
    assert asked == []
