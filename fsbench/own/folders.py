"""A folder with one folder of images per class, or with `train`, `val` and `test` that have those."""

from __future__ import annotations

import os
import statistics
import warnings
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from fsbench.errors import DataError
from fsbench.kinds import get_kind
from fsbench.own.form import Form
from fsbench.own.given import OwnData, kept_size
from fsbench.own.pictures import (
    FOREIGN,
    SUFFIXES,
    Picture,
    Unusable,
    depth,
    read_picture,
    shorter_side,
    stack,
    stack_alike,
    with_channels,
)
from fsbench.own.samples import Inputs, Progress, Samples, because, some
from fsbench.own.tree import File, Wanted, all_files, by_class, find_files, paths_in
from fsbench.words import plural

MAX_BYTES = 4 * 2**30
IMAGES = Wanted("image", frozenset(SUFFIXES), frozenset(FOREIGN), "PNG or JPEG", "--image COLUMN")
_Found = TypeVar("_Found")


def read_folder(data: OwnData, progress: Progress) -> Samples:
    """The images of a folder. Damaged files are left out and named.

    Raises DataError for a folder without images by class, one that is too large, or a link that leads
    out of it.
    """
    data.refuse("a folder of images", "target", "text", "image", "group", "domain")
    remarks: list[str] = []
    files = list(find_files(Path(data.path).resolve(), IMAGES, remarks))
    if not files:
        raise DataError(
            f"{data.path} has no images; expected a folder for each class with images in it, such as "
            f"cats/1.png and dogs/2.jpg{because(remarks)}"
        )
    pictures = read_files(data, files, remarks, progress)
    pixels = [picture.pixels for picture in pictures.values()]
    x = stack(pixels)
    samples = by_class(data.path, get_kind("image"), x, files, list(pictures))
    return replace(
        samples,
        looks=np.stack([picture.look for picture in pictures.values()]),
        warnings=remarks + samples.warnings,
        form=Form("image", x.shape[1:], bits=depth(pixels)),
    )


def read_pictures(data: OwnData, progress: Progress, remarks: list[str], form: Form) -> Inputs:
    """The images in a folder, whatever folders they are in, for a reading without labels.

    They have the depth and channels of earlier ones of this form. Raises DataError if there are none that can
    be read.
    """
    return as_inputs(read_images(data, progress, remarks).values(), form, remarks)


def as_inputs(pictures: Collection[Picture], form: Form, remarks: list[str]) -> Inputs:
    """Pictures without labels, scaled and with the channels of earlier ones of a form."""
    x = stack_alike([picture.pixels for picture in pictures], form.bits, remarks)
    return Inputs(with_channels(x, form.shape[0]), np.stack([picture.look for picture in pictures]))


def read_images(data: OwnData, progress: Progress, remarks: list[str]) -> dict[str, Picture]:
    """The images in a folder, or in a file, by their paths in it. Raises DataError like `read_pictures`."""
    files = find_images(Path(data.path), remarks)
    found = read_files(data, files, remarks, progress)
    return dict(zip(paths_in(Path(data.path), found), found.values(), strict=True))


def find_images(path: Path, remarks: list[str]) -> list[File]:
    """The images in a folder, in any folders, or a file itself. Raises DataError if there are none."""
    others: list[str] = []
    files = all_files(path, IMAGES, others)
    if not files:
        raise DataError(f"{path} has no images; give a folder with images, in any folders{because(others)}")
    remarks += others
    return files


def read_files(
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
