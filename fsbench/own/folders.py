"""A folder with one folder of images per class, or with `train`, `val` and `test` that have those."""

from __future__ import annotations

import os
import statistics
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from fsbench.errors import DataError
from fsbench.kinds import get_kind
from fsbench.own.form import Form
from fsbench.own.given import OwnData, kept_size
from fsbench.own.pictures import SUFFIXES, Picture, Unusable, depth, read_picture, shorter_side, stack
from fsbench.own.samples import PARTS, TEST, TRAIN, VAL, Inputs, Progress, Samples, printable, some
from fsbench.words import plural

MAX_BYTES = 4 * 2**30
_PART_NAMES = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation"), VAL),
    **dict.fromkeys(("test", "testing"), TEST),
}
_MAX_DEPTH = 20
_Found = TypeVar("_Found")


@dataclass(frozen=True)
class File:
    """An image file with the name of its class and its part (None if the folder is not divided)."""

    path: Path
    name: str
    label: str
    part: int | None


def read_folder(data: OwnData, progress: Progress) -> Samples:
    """The images of a folder. Damaged files are left out and named.

    Raises DataError for a folder without images by class, one that is too large, or a link that leads
    out of it.
    """
    data.refuse("a folder of images", "target", "group", "domain")
    remarks: list[str] = []
    files = list(_find_files(Path(data.path).resolve(), remarks))
    if not files:
        there = f" ({remarks[-1]}; convert images of other formats to PNG or JPEG)" if remarks else ""
        raise DataError(
            f"{data.path} has no images; expected a folder for each class with images in it, such as "
            f"cats/1.png and dogs/2.jpg{there}"
        )
    pictures = _read_files(data, files, remarks, progress)
    remarks += _empty_classes(files, list(pictures))
    read = list(pictures)
    classes = sorted({file.label for file in read})
    if len({file.label for file in files}) == 1 and (folders := _inside(read)):
        raise DataError(
            f"{data.path} has one class only, {printable(classes[0])!r}, with the folders {some(folders)} "
            "in it; if these are the classes, give this folder instead"
        )
    parts = [file.part for file in read if file.part is not None]
    pixels = [picture.pixels for picture in pictures.values()]
    x = stack(pixels)
    return Samples(
        kind=get_kind("image"),
        x=x,
        y=np.array([classes.index(file.label) for file in read], dtype=np.int64),
        classes=[printable(name) for name in classes],
        names=[file.name for file in read],
        part=np.array(parts, dtype=np.int8) if parts else None,
        looks=np.stack([picture.look for picture in pictures.values()]),
        warnings=remarks,
        form=Form("image", x.shape[1:], bits=depth(pixels)),
    )


def read_pictures(data: OwnData, progress: Progress, remarks: list[str]) -> Inputs:
    """The images in a folder, whatever folders they are in, for a reading without labels.

    Raises DataError if there are none that can be read.
    """
    pictures = read_images(data, progress, remarks).values()
    looks = np.stack([picture.look for picture in pictures])
    return Inputs(stack([picture.pixels for picture in pictures]), looks)


def read_images(data: OwnData, progress: Progress, remarks: list[str]) -> dict[str, Picture]:
    """The images in a folder, or in a file, by their paths in it. Raises DataError like `read_pictures`."""
    given = Path(data.path).resolve()
    root = given.parent if given.is_file() else given
    found = [given] if given.is_file() else _walk(root, root, remarks)
    paths = [path for path in found if _is_image(path)]
    if not paths:
        raise DataError(f"{data.path} has no images; give a folder with images, in any folders")
    files = [File(path, _relative(path, root), "", None) for path in paths]
    return {file.name: picture for file, picture in _read_files(data, files, remarks, progress).items()}


def _read_files(
    data: OwnData, files: Sequence[File], remarks: list[str], progress: Progress
) -> dict[File, Picture]:
    """The images that can be read, in one size; the remarks name the others.

    Raises DataError if there are none, or too many for the memory.
    """
    with warnings.catch_warnings():
        # Pillow's warnings about odd files would only repeat our own, or be of no use.
        warnings.simplefilter("ignore")
        sides, bad = _each(shorter_side, files, None)
        median = int(statistics.median_low(sides.values() or [0]))
        size = data.image_size or kept_size(median, len(sides))
        if len(sides) * 3 * size * size > MAX_BYTES:
            raise DataError(
                f"{data.path}: {plural(len(sides), 'image')} of {size}x{size} are more than "
                f"{MAX_BYTES >> 30} GB; give a smaller image size or fewer images"
            )
        pictures, worse = _each(lambda path: read_picture(path, size), list(sides), progress)
    bad |= worse
    if bad:
        named = [f"{file.name} ({reason})" for file, reason in bad.items()]
        remarks.append(f"{plural(len(bad), 'file')} left out: {some(named)}")
    if not pictures:
        raise DataError(f"{data.path}: none of {plural(len(files), 'image file')} can be read: {some(named)}")
    return pictures


def _each(
    work: Callable[[Path], _Found], files: Sequence[File], progress: Progress | None
) -> tuple[dict[File, _Found], dict[File, str]]:
    """Do some work on all files in a few threads (Pillow releases the interpreter): results, and faults."""

    def attempt(file: File) -> _Found | Unusable:
        try:
            return work(file.path)
        except Unusable as error:
            return error

    good: dict[File, _Found] = {}
    bad: dict[File, str] = {}
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as threads:
        for done, (file, found) in enumerate(zip(files, threads.map(attempt, files), strict=True), 1):
            if isinstance(found, Unusable):
                bad[file] = str(found)
            else:
                good[file] = found
            if progress:
                progress(done, len(files))
    return good, bad


def _find_files(root: Path, remarks: list[str]) -> Iterator[File]:
    """The image files in a fixed order, each with its class and its part."""
    parts = _parts(root, remarks)
    other: list[str] = []
    for part, folder in parts:
        entries = _entries(folder, root)
        loose = [entry for entry in entries if not _is_dir(entry)]
        images = [entry.name for entry in loose if _is_image(entry.path)]
        folders = [entry for entry in entries if _is_dir(entry)]
        if images and not folders:
            raise DataError(
                f"{printable(folder.name)} contains images but no folders; put the images of each class "
                "into a folder with the name of the class"
            )
        if images:
            remarks.append(
                f"{plural(len(images), 'image')} beside the class folders left out: {some(images)}"
            )
        other += [printable(entry.name) for entry in loose if not _is_image(entry.path)]
        for entry in folders:
            paths = list(_walk(Path(entry.path), root, remarks))
            chosen = [path for path in paths if _is_image(path)]
            other += [_relative(path, root) for path in paths if not _is_image(path)]
            if not chosen:
                remarks.append(f"the folder {_relative(Path(entry.path), root)} has no images")
            for path in chosen:
                yield File(path, _relative(path, root), _label(entry.name), part)
    if other:
        remarks.append(f"{plural(len(other), 'other file')} not read: {some(other)}")


def _parts(root: Path, remarks: list[str]) -> list[tuple[int | None, Path]]:
    """The folders that contain class folders, with their part; only the root if it is not divided.

    The root is divided if a folder with the name of a part contains folders; otherwise that folder is a
    class.
    """
    folders = {entry.name: Path(entry.path) for entry in _entries(root, root) if _is_dir(entry)}
    named = [name for name in folders if name.lower() in _PART_NAMES]
    if not any(_is_dir(entry) for name in named for entry in _entries(folders[name], root)):
        return [(None, root)]
    found: dict[int, str] = {}
    for name in named:
        part = _PART_NAMES[name.lower()]
        if part in found:
            raise DataError(
                f"{printable(root.name)} has {found[part]} and {name}, two names of the part {PARTS[part]}; "
                "put all its images into one of them"
            )
        found[part] = name
    for part in (TRAIN, TEST):
        if part not in found:
            raise DataError(
                f"{printable(root.name)} has {' and '.join(sorted(named))} but no {PARTS[part]} folder; add "
                f"{PARTS[part]}/, or give a folder of classes, and fsbench draws the parts"
            )
    if other := [printable(name) for name in folders if name not in named]:
        remarks.append(f"{plural(len(other), 'folder')} beside {' and '.join(named)} not read: {some(other)}")
    return [(part, folders[found[part]]) for part in sorted(found)]


def _walk(folder: Path, root: Path, remarks: list[str], depth: int = 0) -> Iterator[Path]:
    if depth > _MAX_DEPTH:
        raise DataError(
            f"{printable(folder.name)}: folders more than {_MAX_DEPTH} deep; give a flatter folder"
        )
    for entry in _entries(folder, root):
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), root, remarks, depth + 1)
        elif _is_dir(entry):
            remarks.append(f"{printable(entry.name)} is a link to a folder and is not followed")
        else:
            yield Path(entry.path)


def _entries(folder: Path, root: Path) -> list[os.DirEntry[str]]:
    """The entries of a folder, sorted, without hidden files. Raises DataError for a link out of the root."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: (_label(entry.name), entry.name))
    except OSError as error:
        raise DataError(f"cannot read the folder {printable(folder.name)}: {error.strerror}") from None
    kept = [entry for entry in entries if not entry.name.startswith((".", "__MACOSX", "Thumbs.db"))]
    for entry in kept:
        if entry.is_symlink() and not Path(os.path.realpath(entry.path)).is_relative_to(root):
            raise DataError(
                f"{_relative(Path(entry.path), root)} is a symbolic link that leads out of the folder and is "
                "not followed; put a copy there or remove it"
            )
    return kept


def _relative(path: Path, root: Path) -> str:
    return printable(path.relative_to(root).as_posix())


def _is_image(path: str | Path) -> bool:
    """Whether a path has the suffix of an image and is a plain file, not a pipe, which would block."""
    return Path(path).suffix.lower() in SUFFIXES and (os.path.isfile(path) or not os.path.exists(path))


def _label(name: str) -> str:
    """The class of a folder's name, with one form of accented letters on all systems."""
    return unicodedata.normalize("NFC", name)


def _is_dir(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder; a link to itself is not."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _inside(files: Sequence[File]) -> list[str]:
    """The folders within the one class folder of some files, if there are two or more with images."""
    found = sorted({name.split("/")[1] for file in files if (name := file.name).count("/") > 1})
    return found if len(found) > 1 and all(file.part is None for file in files) else []


def _empty_classes(files: Iterable[File], read: Iterable[File]) -> list[str]:
    gone = sorted({file.label for file in files} - {file.label for file in read})
    return [f"no image of class {printable(name)!r} can be read" for name in gone]
