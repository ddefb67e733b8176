"""Images that a column of a table names, in the folder of the table or in the folders there."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fsbench.errors import DataError
from fsbench.own.folders import IMAGES, read_files
from fsbench.own.form import Form
from fsbench.own.given import OwnData
from fsbench.own.pictures import depth, stack, stack_alike, with_channels
from fsbench.own.samples import Inputs, Progress, Samples, printable, some
from fsbench.own.tree import File, empty_classes

if TYPE_CHECKING:
    import pandas as pd


def located(names: pd.Series, table: Path) -> pd.Series:
    """The paths of files that a column of a table names, as texts; missing names stay missing.

    Paths are relative to the folder of the table. Of a name without a folder, the ending may be missing, and
    the file may be in a folder beside the table. Raises DataError if several files have the name, or none of
    the names is that of a file.
    """
    folder = _Folder(table)
    found = names.map(folder.find, na_action="ignore")
    there = found.dropna()
    if len(there) and not any(map(os.path.isfile, there)):
        raise DataError(
            f"{table}: there is no file {printable(there.iloc[0])}; expected paths relative to the folder of "
            f"the table in the column {str(names.name)!r}, or names of images in a folder there"
        )
    return found


class _Folder:
    """The folder of a table, in which images are looked up by the names that the table has for them."""

    def __init__(self, table: Path) -> None:
        self._table, self._folder = table, table.resolve().parent

    @cached_property
    def _places(self) -> dict[str, list[Path]]:
        """The images in the folder and the folders in it, by name, with and without the ending."""
        found: dict[str, list[Path]] = {}
        for path in sorted((*self._folder.glob("*"), *self._folder.glob("*/*"))):
            if IMAGES.has(path) or IMAGES.is_foreign(path):
                for name in (path.name, path.stem):
                    found.setdefault(name, []).append(path)
        return found

    def find(self, name: str) -> str:
        """The path of a file, even if there is none."""
        path = self._folder / name.replace("\\", "/")
        if os.path.isfile(path) or path.parent != self._folder:
            return str(path)
        places = self._places.get(name, [path])
        if len(places) > 1:
            shown = some([printable(place.relative_to(self._folder).as_posix()) for place in places])
            raise DataError(
                f"{self._table}: {printable(name)} may be {shown}; write paths relative to the folder of the "
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
        File(Path(path), f"{Path(path).name} ({row})", samples.classes[label], None)
        for path, row, label in zip(samples.x[:, 0], samples.names, samples.y, strict=True)
    ]
    pictures = read_files(data, files, remarks, progress)
    remarks += empty_classes(files, list(pictures), "image")
    pixels = [picture.pixels for picture in pictures.values()]
    found = samples.keep(np.array([file in pictures for file in files]))
    found.x, found.names = stack(pixels), [file.name for file in pictures]
    found.looks = np.stack([picture.look for picture in pictures.values()])
    found.form = Form("image", found.x.shape[1:], form.columns, bits=depth(pixels))
    if samples.unlabeled is not None:
        alike = replace(data, path=str(data.unlabeled), image_size=found.x.shape[-1])
        more = [
            File(Path(path), Path(path).name, str(number), None)
            for number, path in enumerate(samples.unlabeled.x[:, 0])
        ]
        others = read_files(alike, more, remarks, progress).values()
        x = stack_alike([each.pixels for each in others], found.form.bits, remarks)
        looks = np.stack([each.look for each in others])
        found.unlabeled = Inputs(with_channels(x, found.x.shape[1]), looks)
    return found
