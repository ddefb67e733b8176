"""Further inputs without labels, read as the data was with which a model was fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fsbench.errors import DataError
from fsbench.kinds.text import encode_texts
from fsbench.own.archives import read_inputs
from fsbench.own.files import contents, form_of
from fsbench.own.folders import as_inputs, read_files, read_images
from fsbench.own.form import Form
from fsbench.own.given import OwnData
from fsbench.own.listed import located
from fsbench.own.parsing import in_numbers, parse_table
from fsbench.own.pictures import SUFFIXES, with_channels
from fsbench.own.samples import Progress, as_float32, because, columns_named, safe_name, some
from fsbench.own.spellings import advice, odd_one
from fsbench.own.texts import clean, read_text_files, tell_of_cut
from fsbench.own.tree import File
from fsbench.own.unknown import tell_of_unknown
from fsbench.words import plural

if TYPE_CHECKING:
    import pandas as pd

_EXPECTED = {
    "pictures": "a folder of images, an image file, an npz with an array x of images, or a table (.csv) if "
    "the model was fitted on one",
    "columns": "a table (.csv)",
    "rows": "an npz with an array x",
    "texts": "a folder of .txt files, a .txt file, or a table (.csv) if the model was fitted on one",
}
_WORDS = {"table file": "a table", "npz": "an npz"}


@dataclass(frozen=True)
class Further:
    """Inputs `x` as their kind stores them, with the name of each (a file, or the number of a row)."""

    names: Sequence[str]
    x: np.ndarray
    warnings: tuple[str, ...]


def read_further(path: str | Path, form: Form, progress: Progress = lambda done, total: None) -> Further:
    """The inputs at a path. Raises DataError for inputs of another kind, and for what is missing in them."""
    path, remarks = Path(path), list[str]()
    match _found_at(path), form.of:
        case "a folder of images" | "a folder" | "an image", "pictures":
            names, x = _pictures(path, form, progress, remarks)
        case "a table" | "a text file", "pictures" if form.columns:
            names, x = _pictures_of_table(path, form, progress, remarks)
        case "a table" | "a text file", "columns":
            names, x = _table(path, form, remarks)
        case "a table" | "a text file", "texts" if form.columns[0].name:
            names, x = _texts_of_table(path, form, remarks)
        case "a folder of texts" | "a folder" | "a text file", "texts":
            names, x = _texts_of_files(path, form, progress, remarks)
        case "an npz", "pictures" | "rows":
            names, x = _array(path, form, progress, remarks)
        case found, of:
            takes = "rows without column names" if of == "rows" else f"inputs of the kind {form.kind}"
            raise DataError(f"{path} is {found}, but the model takes {takes}; give {_EXPECTED[of]}")
    _require_known(names, x, form, path, remarks)
    return Further(names, x, tuple(remarks))


def _require_known(names: Sequence[str], x: np.ndarray, form: Form, path: Path, remarks: list[str]) -> None:
    """Raise DataError for missing values, if the training data had none."""
    missing = np.zeros_like(x, dtype=bool) if form.fills or x.ndim > 2 else np.isnan(x)
    if missing.any():
        row, place = (int(each[0]) for each in np.nonzero(missing))
        where = f" in {safe_name(str(form.columns[place].name))!r}" if form.of == "columns" else ""
        raise DataError(
            f"{path}: row {names[row]} has a missing value{where}; the training data had none, so the model "
            f"cannot fill it in: fill it in, or leave the row out{because(remarks)}"
        )


def _found_at(path: Path) -> str:
    """What is at a path, in words. Raises DataError for something that fsbench cannot read."""
    suffix = path.suffix.lower() if path.is_file() else ""
    if suffix in SUFFIXES:
        return "an image"
    form = form_of(path)
    if form == "folder":
        return f"a folder of {found}" if (found := contents(path)) else "a folder"
    return "a text file" if suffix == ".txt" else _WORDS[form]


def _pictures(
    path: Path, form: Form, progress: Progress, remarks: list[str]
) -> tuple[Sequence[str], np.ndarray]:
    """One image or all in a folder, resized and scaled as in training."""
    found = read_images(OwnData(path, image_size=form.shape[-1]), progress, remarks)
    return list(found), as_inputs(found.values(), form, remarks).x


def _pictures_of_table(
    path: Path, form: Form, progress: Progress, remarks: list[str]
) -> tuple[Sequence[str], np.ndarray]:
    """The images whose paths are in a column of a table; those that cannot be read are left out and named."""
    written = _column_of(path, form)
    paths = located(written, path, remarks)
    names = {
        File(Path(place), safe_name(name), str(row), None): name
        for row, name, place in zip(paths.index, written[paths.index], paths, strict=True)
    }
    found = read_files(OwnData(path, image_size=form.shape[-1]), list(names), remarks, progress)
    return [names[file] for file in found], as_inputs(found.values(), form, remarks).x


def _texts_of_files(
    path: Path, form: Form, progress: Progress, remarks: list[str]
) -> tuple[Sequence[str], np.ndarray]:
    """All .txt files in a folder, or one."""
    texts = read_text_files(path, progress, remarks)
    _tell_of_empty([safe_name(name) for name, text in texts.items() if not text], remarks)
    return list(texts), _encoded(list(texts.values()), remarks)


def _texts_of_table(path: Path, form: Form, remarks: list[str]) -> tuple[Sequence[str], np.ndarray]:
    """The column of texts in a table; missing ones are empty."""
    texts = [clean(text) for text in _column_of(path, form)]
    names = [str(number + 1) for number in range(len(texts))]
    _tell_of_empty([f"row {name}" for name, text in zip(names, texts, strict=True) if not text], remarks)
    return names, _encoded(texts, remarks)


def _encoded(texts: Sequence[str], remarks: list[str]) -> np.ndarray:
    """Texts as bytes, of their own length: they may be longer than those in training."""
    tell_of_cut(texts, remarks)
    return encode_texts(texts)


def _column_of(path: Path, form: Form) -> pd.Series:
    """The column of a table that has the texts, or the paths of the images."""
    name = str(form.columns[0].name)
    table = parse_table(path, None, fewest=1, texts=[name], blank_rows=True)
    if name not in table:
        raise DataError(f"{path} has no column {safe_name(name)!r}, which the model needs")
    return table[name]


def _tell_of_empty(names: Sequence[str], remarks: list[str]) -> None:
    if names:
        remarks.append(f"{plural(len(names), 'empty text')}, of which the model knows nothing: {some(names)}")


def _array(
    path: Path, form: Form, progress: Progress, remarks: list[str]
) -> tuple[Sequence[str], np.ndarray]:
    """The array `x` of an npz: images, or rows without column names."""
    pictures = form.of == "pictures"
    size = form.shape[-1] if pictures else None
    x = read_inputs(OwnData(path, image_size=size), progress, remarks, form).x
    if (x.ndim == 4) != pictures:
        found = "images" if x.ndim == 4 else "a table"
        raise DataError(f"{path} has {found}, but the model takes inputs of the kind {form.kind}")
    x = with_channels(x, form.shape[0]) if pictures else x
    if x.shape[1:] != form.shape:
        raise DataError(f"{path}: x has inputs of {list(x.shape[1:])}, the model takes {list(form.shape)}")
    x = x if pictures else as_float32(x, remarks, form.shifts)
    return [str(number) for number in range(len(x))], x


def _table(path: Path, form: Form, remarks: list[str]) -> tuple[Sequence[str], np.ndarray]:
    """The columns of a table by their names, in any order."""
    names = [str(column.name) for column in form.columns]
    texts = [str(column.name) for column in form.columns if column.texts]
    table = parse_table(path, None, fewest=1, texts=texts, blank_rows=True)
    if missing := [name for name in names if name not in table]:
        raise DataError(f"{path} has no {columns_named(missing)}, which the model needs")
    values = []
    for column in form.columns:
        given = table[column.name]
        if given.dtype.kind == "O" and not column.texts and not column.date:
            table[column.name] = given = in_numbers(given)
        is_text = given.dtype.kind == "O"
        if is_text and not column.texts and not column.date and given.notna().any():
            found = advice(given)
            shown, why = ("", f": {found.text}") if found else (f", such as {odd_one(given)}", "")
            name = safe_name(str(column.name))
            raise DataError(
                f"{path}: the column {name!r} has texts{shown}; the model takes numbers there{why}"
            )
        values.append(column.values(table))
        tell_of_unknown(column, table, remarks)
    x = as_float32(np.stack(values, axis=1), remarks, form.shifts)
    return [str(number + 1) for number in range(len(x))], x
