"""Images that a column of a table names, in the folder of the table or in the folders there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fsbench.errors import DataError
from fsbench.own.folders import IMAGES, as_inputs, read_files
from fsbench.own.form import Form
from fsbench.own.given import OwnData
from fsbench.own.pictures import depth, shallow, stack
from fsbench.own.samples import SOURCE, TARGET, Progress, Samples, safe_name, some
from fsbench.own.tree import File, empty_classes, is_hidden
from fsbench.words import plural

if TYPE_CHECKING:
    import pandas as pd


def located(names: pd.Series, table: Path, remarks: list[str]) -> pd.Series:
    """The paths of the files that a column of a table names, as texts; the remarks count missing names.

    Paths are relative to the folder of the table. The ending may be missing, and so may the folders: the file
    is then looked for up to two folders down. Raises DataError if two files that are equally near have the
    name, or none of the names is that of a file.
    """
    column, there = repr(safe_name(str(names.name))), names.dropna()
    if there.empty:
        raise DataError(f"{table}: the column {column} is empty; expected the paths of images there")
    if missing := len(names) - len(there):
        remarks.append(f"{plural(missing, 'row')} of {table} without {column} left out")
    found = there.map(_Folder(table).find)
    if not any(map(os.path.isfile, found)):
        raise DataError(
            f"{table}: there is no file {safe_name(found.iloc[0])}; expected paths relative to the folder of "
            f"the table in the column {column}, or names of images in the folders there"
        )
    return found


class _Folder:
    """The folder of a table, in which images are looked up by the names that the table has for them."""

    def __init__(self, table: Path) -> None:
        # Not resolved: where a store of files links to them, images are beside the link.
        self._table, self._folder = table, table.parent.absolute()

    @cached_property
    def _places(self) -> dict[str, list[Path]]:
        """The nearest images, up to two folders down, by name and by path, with and without the ending."""
        found: dict[str, list[Path]] = {}
        for down in ("*", "*/*", "*/*/*"):
            there: dict[str, list[Path]] = {}
            for path in sorted(self._folder.glob(down)):
                place = path.relative_to(self._folder)
                if (IMAGES.has(path) or IMAGES.is_foreign(path)) and not any(map(is_hidden, place.parts)):
                    for name in {place.name, place.stem, place.as_posix(), place.with_suffix("").as_posix()}:
                        there.setdefault(name, []).append(path)
            found = there | found
        return found

    def find(self, name: str) -> str:
        """The path of a file, even if there is none."""
        name = name.replace("\\", "/")
        path = self._folder / name
        if os.path.isfile(path):
            return str(path)
        places = self._places.get(name, [path])
        if len(places) > 1:
            shown = some([safe_name(place.relative_to(self._folder).as_posix()) for place in places])
            raise DataError(
                f"{self._table}: {safe_name(name)} may be {shown}; write paths relative to the folder of the "
                "table"
            )
        return str(places[0])


def read_listed(samples: Samples, data: OwnData, progress: Progress) -> Samples:
    """Samples and unlabelled inputs with pixels in place of the paths that were read from a table.

    Files that cannot be read are left out and named. Raises DataError if none is left.
    """
    assert samples.form is not None, "tables have a form"
    remarks, form = samples.warnings, samples.form
    files = [
        File(Path(path), f"{safe_name(Path(path).name)} ({row})", samples.classes[label], None)
        for path, row, label in zip(samples.x[:, 0], samples.names, samples.y, strict=True)
    ]
    pictures = read_files(data, files, remarks, progress)
    remarks += empty_classes(files, list(pictures), "image")
    found = samples.keep(np.array([file in pictures for file in files]))
    found.names = [file.name for file in pictures]
    found.looks = np.stack([picture.look for picture in pictures.values()])
    found.x, bits = _stacked([picture.pixels for picture in pictures.values()], found.domain)
    found.form = Form("image", found.x.shape[1:], form.columns, bits=bits)
    if samples.unlabeled is not None:
        alike = replace(data, path=str(data.unlabeled), image_size=found.x.shape[-1])
        more = [
            File(Path(path), safe_name(Path(path).name), str(number), None)
            for number, path in enumerate(samples.unlabeled.x[:, 0])
        ]
        others = read_files(alike, more, remarks, progress).values()
        found.unlabeled = as_inputs(others, found.form, remarks)
    return found


def _stacked(pixels: Sequence[np.ndarray], domain: np.ndarray | None) -> tuple[np.ndarray, int]:
    """All pictures, each scaled by the depth of its domain, and the depth of the tested domain."""
    if domain is None:
        return stack(pixels), depth(pixels)
    bits = [
        depth([pixels[number] for number in np.flatnonzero(domain == each).tolist()])
        for each in (SOURCE, TARGET)
    ]
    return stack([shallow(each, bits[of]) for each, of in zip(pixels, domain, strict=True)]), bits[TARGET]
