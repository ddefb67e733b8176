"""Fetching a dataset: download or read the original files, convert, check, and keep one canonical file."""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
import textwrap
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from fsbench.acquire.originals import Tell, archive_folder, read_original
from fsbench.datasets import files
from fsbench.datasets.about import About, image_sets
from fsbench.datasets.dataset import digest
from fsbench.datasets.image_files import describer, find_file, read_checked
from fsbench.datasets.known import about as about_dataset
from fsbench.errors import DataError, UsageError
from fsbench.words import to_install

_SPARE_MB = 200
_TIMES = 3


def fetch(name: str, originals: Path | None = None, tell: Tell = lambda done, total: None) -> Path:
    """Download a dataset into the data folder as `NAME.npz`, completely or not at all; returns the file.

    With `originals`, a folder of the original files, nothing is downloaded. An existing valid file is kept.
    `tell` is called with the number of converted images. Raises UsageError for a dataset that is not
    downloaded, DataError for every other problem.
    """
    about = downloadable(name)
    folder = files.data_dir()
    target = folder / f"{name}.npz"
    if find_file(name) == target and _is_whole(about):
        return target
    try:
        with _room(about, folder) as inside, _offline(about, originals):
            _convert(about, inside, originals, target, tell)
    except (DataError, UsageError):
        raise
    except ImportError as error:
        extra = about.loader.partition(":")[0]
        raise DataError(f"{name} {to_install(f'fsbench[{extra}]', extra)} ({error})") from error
    except Exception as error:  # the loaders of other libraries raise anything, even a bare RuntimeError
        # The reason is in what urllib wraps; its own text is for programmers.
        cause = error.reason if isinstance(error, urllib.error.URLError) else error
        told = (isinstance(cause, OSError) and cause.strerror) or str(cause)
        reason = textwrap.shorten(told, 200) or type(error).__name__
        hint = (
            "try again, or get the original files and name their folder with --from "
            "(in Python: originals=FOLDER)"
        )
        if originals is not None:
            hint = f"{originals} should contain the original files as they were published"
        raise DataError(f"cannot fetch {name}: {reason}; {hint}") from error
    return target


def downloadable(name: str) -> About:
    """What is known about a dataset that is downloaded. Raises UsageError or UnknownName for others."""
    if name in image_sets():
        return image_sets()[name]
    known = about_dataset(name)
    if known.by_hand:
        raise UsageError(f"{name} is not downloaded into {files.data_dir()}: {known.by_hand}")
    raise UsageError(f"{known.name} is not downloaded: it comes with a Python package")


@contextmanager
def _room(about: About, folder: Path) -> Iterator[Path]:
    """A temporary folder in the data folder while a dataset is fetched. Raises DataError if that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(folder, about.name)
        _check_space(about, folder)
        prefix = f".fetch-{about.name}-{os.getpid()}-"
        inside = tempfile.TemporaryDirectory(dir=folder, prefix=prefix, ignore_cleanup_errors=True)
    except OSError as error:
        raise DataError(
            f"cannot write into the data folder {folder}: {error.strerror or error}; name another with "
            f"--data-dir or {files.DATA_DIR}"
        ) from None
    with inside as path:
        yield Path(path)


class _NoNetwork(urllib.request.BaseHandler):
    """Opens no address, and remembers the names of the requested files."""

    handler_order = 0

    def __init__(self) -> None:
        self.asked: list[str] = []

    def http_open(self, request: urllib.request.Request) -> None:
        self.asked.append(urlsplit(request.full_url).path.rpartition("/")[2])
        raise OSError(f"{self.asked[-1]} is not there, and nothing is downloaded")

    https_open = http_open


@contextmanager
def _offline(about: About, originals: Path | None) -> Iterator[None]:
    """If original files are given, nothing is downloaded: a missing file is a DataError that names it."""
    if originals is None:
        yield
        return
    before, none = getattr(urllib.request, "_opener", None), _NoNetwork()
    urllib.request.install_opener(urllib.request.build_opener(none))
    try:
        yield
    except Exception as error:
        if none.asked and not isinstance(error, UsageError):
            raise DataError(
                f"cannot fetch {about.name}: {originals} has no {none.asked[0]}; put all the original files "
                "there, or leave out --from (in Python: originals=FOLDER), so that they are downloaded"
            ) from error
        raise
    finally:
        urllib.request.install_opener(before)


def _is_whole(about: About) -> bool:
    """Whether the file can be read completely and has the expected content."""
    try:
        read_checked(about, describer(about)(about.name))
    except DataError:
        return False
    return True


def _remove_leftovers(folder: Path, name: str) -> None:
    """Remove what a killed fetch of this dataset left behind."""
    for found in folder.glob(f".fetch-{name}-*"):
        process = found.name.removeprefix(f".fetch-{name}-").partition("-")[0]
        if process.isdigit() and not _is_alive(int(process)):
            shutil.rmtree(found, ignore_errors=True)
    for found in folder.glob(f".{name}.npz.partial-*"):
        if not _is_alive(int(found.name.rpartition("-")[2])):
            found.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _check_space(about: About, folder: Path) -> None:
    needed = _TIMES * (about.download or 0) + _SPARE_MB
    free = shutil.disk_usage(folder).free // 1_000_000
    if free < needed:
        raise DataError(
            f"{folder} has {free} MB free; fetching {about.name} needs about {needed} MB for a while; free "
            f"some space, or name another folder with --data-dir or {files.DATA_DIR}"
        )


def _convert(about: About, inside: Path, originals: Path | None, target: Path, tell: Tell) -> None:
    """Read the original files in `inside`, check their content, and write the canonical file."""
    if originals is not None:
        _bring(about, originals, archive_folder(about, inside))
    x, y, test, classes = read_original(about, inside, tell)
    if len(x) != len(y):
        raise DataError(
            f"cannot fetch {about.name}: it has {len(x)} images and {len(y)} labels; are these the original "
            "files?"
        )
    if y.min() < 0 or len(np.unique(y)) != about.num_classes or y.max() >= about.num_classes:
        raise DataError(
            f"cannot fetch {about.name}: it has labels {y.min()} to {y.max()}, "
            f"expected each of 0 to {about.num_classes - 1}; are these the original files?"
        )
    fingerprint = digest([x, y, *([] if test is None else [test])], *([] if test is None else ["test"]))
    known = about.fingerprints.get(about.name, fingerprint)
    if fingerprint != known:
        raise DataError(
            f"cannot fetch {about.name}: it has other data than fsbench knows (fingerprint "
            f"{fingerprint[:16]}, expected {known[:16]}); are these the original files?"
        )
    facts = {
        "name": about.name,
        "classes": about.classes or classes,
        "fingerprint": fingerprint,
        "licence": about.licence,
        "citation": about.citation,
    }
    files.write(target, x, y, test, facts)


def _bring(about: About, originals: Path, archives: Path) -> None:
    """Put original files where the loader looks for them; unpack compressed ones with known content.

    A package may have compressed them again, and the loader would then refuse them because of their hash. Of
    a file that is there twice, the one that is not compressed is taken.
    """
    if not originals.is_dir():
        raise UsageError(
            f"{originals} is not a folder; name the folder with the original files of {about.name}"
        )
    archives.mkdir(parents=True, exist_ok=True)
    found = [each for each in originals.iterdir() if each.is_file()]
    names = {file.name for file in found}
    for file in found:
        if file.suffix == ".gz" and about.fingerprints and not file.name.endswith(".tar.gz"):
            if file.stem not in names:
                with gzip.open(file) as packed, (archives / file.stem).open("xb") as unpacked:
                    shutil.copyfileobj(packed, unpacked)
        else:
            (archives / file.name).symlink_to(file.resolve())
