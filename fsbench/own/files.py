"""From paths to samples: the reader of each form of data, and what is read along with samples."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from fsbench.errors import DataError, UsageError
from fsbench.own.domains import join
from fsbench.own.given import OwnData
from fsbench.own.pictures import FOREIGN, with_channels
from fsbench.own.samples import Inputs, Progress, Samples, as_float32, may_be_ids, safe_name, shifts_for, some
from fsbench.own.tree import walk

_FORMS = {".npz": "npz", ".csv": "table file", ".tsv": "table file", ".txt": "table file"}
_HINTS = {
    **dict.fromkeys((".xlsx", ".xls", ".ods", ".numbers"), "save the sheet as CSV"),
    **dict.fromkeys((".zip", ".tar", ".gz", ".tgz", ".7z", ".rar"), "unpack it, and give what is in it"),
    **dict.fromkeys(FOREIGN, "convert it to PNG or JPEG"),
    ".npy": "save arrays x and y as .npz by numpy.savez",
}


def read_samples(data: OwnData, progress: Progress) -> Samples:
    """The labelled samples, with the unlabelled inputs and the target domain that are read like them.

    Raises UsageError for options that do not fit, DataError for data that cannot be used.
    """
    from fsbench.own.listed import read_listed

    form, samples = _check_forms(data), _read(data, progress)
    if form == "table file":
        return read_listed(samples, data, progress) if data.image else _as_stored(samples, str(data.path))
    side = samples.x.shape[-1] if samples.looks is not None else None
    if data.target_data is not None:
        other = replace(data, path=data.target_data, target_data=None, image_size=side)
        samples = join(samples, _read(other, progress), str(data.target_data))
    elif data.unlabeled is not None:
        other = replace(data, path=data.unlabeled, unlabeled=None, image_size=side)
        samples.unlabeled = _read_inputs(other, samples, progress)
    return _as_stored(samples, str(data.path))


def _read(data: OwnData, progress: Progress) -> Samples:
    from fsbench.own.archives import read_archive
    from fsbench.own.folders import read_folder
    from fsbench.own.table_files import read_table
    from fsbench.own.texts import read_text_folder

    match form_of(data.path):
        case "folder":
            found = contents(data.path)
            if not found:
                _refuse_tables(Path(data.path))
            return (read_text_folder if found == "texts" else read_folder)(data, progress)
        case "npz":
            return read_archive(data, progress)
        case _:
            return read_table(data)


def _refuse_tables(folder: Path) -> None:
    """Raise DataError if a folder has tables or arrays, which are read one by one."""
    tables = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in (".csv", ".tsv", ".npz"))
    if tables:
        named = some([safe_name(name) for name in tables])
        raise DataError(f"{folder} has no images or texts, but {named}; give the path of one file")


def _read_inputs(data: OwnData, samples: Samples, progress: Progress) -> Inputs:
    """Unlabelled inputs in the shape of some samples. Raises DataError for another shape."""
    from fsbench.own.archives import read_inputs
    from fsbench.own.folders import read_pictures
    from fsbench.own.texts import read_texts

    if samples.x.dtype == object:
        return read_texts(data, progress, samples.warnings)
    read = read_pictures if form_of(data.path) == "folder" else read_inputs
    assert samples.form is not None, "images and rows have a form"
    found = read(data, progress, samples.warnings, samples.form)
    found.x = with_channels(found.x, samples.x.shape[1])
    if found.x.shape[1:] != samples.x.shape[1:]:
        shapes = [list(each.shape[1:]) for each in (found.x, samples.x)]
        raise DataError(f"{data.path} has inputs of {shapes[0]}, the labelled samples {shapes[1]}")
    return found


def form_of(given: str | Path) -> str:
    """The form of the data at a path: folder, npz or table file. Raises DataError if it is none of these."""
    path = Path(given)
    try:
        there = path.exists()
    except OSError as error:
        raise DataError(f"cannot read {given}: {error.strerror or error}") from None
    if path.is_dir():
        return "folder"
    if not there:
        raise DataError(f"there is nothing at {given}; give a folder of images or texts, a .csv or an .npz")
    form = _FORMS.get(path.suffix.lower()) if path.is_file() else None
    if form is None:
        hint = _HINTS.get(path.suffix.lower(), "give a folder of images or texts, a .csv or an .npz")
        raise DataError(f"fsbench cannot read {given}; {hint}")
    return form


def contents(folder: str | Path) -> str:
    """What a folder is of: texts or images, even if they must be converted; "" if it has neither.

    Up to two texts for each image are taken to be about the images, such as captions.
    """
    from fsbench.own.folders import IMAGES
    from fsbench.own.texts import TEXTS

    root = Path(folder).resolve()
    paths = list(walk(root, root, []))
    texts, images = (sum(map(wanted.has, paths)) for wanted in (TEXTS, IMAGES))
    images += sum(map(IMAGES.is_foreign, paths))
    if texts > 2 * images or (not images and any(map(TEXTS.is_foreign, paths))):
        return "texts"
    return "images" if images else ""


def _check_forms(data: OwnData) -> str:
    """The form of the data. Raises UsageError if other data that goes with it has another form, or kind."""
    form = form_of(data.path)
    for other in (data.unlabeled, data.target_data):
        if other is None:
            continue
        beside = data.image is not None and other is data.unlabeled
        if (found := form_of(other)) != form and not (beside and (form, found) == ("table file", "folder")):
            raise UsageError(f"{data.path} is a {form} and {other} is a {found}; give both in one form")
        ours, theirs = (contents(each) if form == "folder" else "" for each in (data.path, other))
        if ours and theirs and ours != theirs:
            raise UsageError(f"{data.path} has {ours} and {other} has {theirs}; give both of one kind")
    return form


def _as_stored(samples: Samples, path: str) -> Samples:
    """Samples and unlabelled inputs as their kind stores them: texts as bytes, numbers in float32."""
    if samples.x.dtype == object:
        from fsbench.own.texts import as_stored

        return as_stored(samples, path)
    if samples.x.dtype == samples.kind.dtype:
        return samples
    samples.ids = may_be_ids(samples.x, samples.form)
    more, n = samples.unlabeled, len(samples.x)
    given = samples.x if more is None else np.concatenate([samples.x, more.x])
    shifts = shifts_for(given)
    x = as_float32(given, samples.warnings, shifts)
    if not samples.columns and np.isnan(x).any():
        samples.columns = (0,) * x.shape[1]
    if samples.form is not None:
        samples.form = replace(samples.form, shifts=shifts, fills=bool(samples.columns))
    samples.x = x[:n]
    if more is not None:
        more.x = x[n:]
    return samples
