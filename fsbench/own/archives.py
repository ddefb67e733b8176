"""An npz: arrays `x` and `y` (and a mask `test`), or `x_train`, `y_train`, `x_test` and `y_test`; groups."""

from __future__ import annotations

import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fsbench.errors import DataError
from fsbench.kinds import get_kind
from fsbench.own.accents import one_form
from fsbench.own.arrays import SHAPES, pictures_of, white_of
from fsbench.own.form import Form
from fsbench.own.given import OwnData
from fsbench.own.pictures import depth, stack, stack_alike
from fsbench.own.samples import PARTS, TEST, TRAIN, Inputs, Progress, Samples, safe_name, some
from fsbench.rng import derive_key
from fsbench.words import plural

MAX_BYTES = 4 * 2**30
_NO_LABEL = ("", "nan", "NaN")
_EXPECTED = "expected arrays x and y, or x_train, y_train, x_test, y_test (and x_val, y_val)"


def _named(arrays: Collection[str]) -> str:
    """What arrays an archive has, in words."""
    return f"only {some(sorted(map(repr, arrays)))}" if arrays else "no arrays"


def read_archive(data: OwnData, progress: Progress) -> Samples:
    """The samples of an npz: images `[N, H, W]`, `[N, H, W, C]` or `[N, C, H, W]`, or tables `[N, F]`.

    `groups` (or `groups_train`, ...) says which samples belong together, `classes` names the classes, and
    `test` (bool `[N]`) marks the samples of `x` that are for the test. Raises DataError for other arrays,
    arrays that are too large or contain pickled objects, and a group in more than one part.
    """
    data.refuse("an npz", "target", "text", "image", "group", "domain")
    arrays = _load(Path(data.path))
    divided = "x_train" in arrays
    keys = [f"_{part}" for part in PARTS if f"x_{part}" in arrays] if divided else [""]
    if divided and "x_test" not in arrays:
        raise DataError(f"{data.path} has x_train but no x_test; {_EXPECTED}")
    for key in keys:
        for name in ("x", "y"):
            if name + key not in arrays:
                raise DataError(f"{data.path} has {_named(arrays)}; {_EXPECTED}")
        if (given := arrays["x" + key]).ndim < 2 or (len(given) and not given.size):
            raise DataError(f"{data.path}: x{key} is {given.dtype} {list(given.shape)}; {SHAPES}")
        if arrays["y" + key].shape[:1] != arrays["x" + key].shape[:1]:
            sizes = len(arrays["x" + key]), arrays["y" + key].size
            raise DataError(f"{data.path}: x{key} has {sizes[0]} samples and y{key} {sizes[1]} labels")
    keys = [key for key in keys if len(arrays["x" + key])]
    if not keys:
        raise DataError(f"{data.path} has no samples; {_EXPECTED}")
    try:
        x, given = (np.concatenate([arrays[name + key] for key in keys]) for name in ("x", "y"))
    except ValueError:
        raise DataError(
            f"{data.path}: the samples of {' and '.join('x' + k for k in keys)} differ in shape"
        ) from None
    remarks = _unused(arrays, keys)
    classes, y = _labels(given, arrays.get("classes"), str(data.path), remarks)
    part = _part(arrays, keys, str(data.path))
    table = x.ndim == 2
    samples = Samples(
        kind=get_kind("table" if table else "image"),
        x=x,
        y=y,
        classes=classes,
        names=[f"sample {number} of x{key}" for key in keys for number in range(len(arrays["x" + key]))],
        part=part,
        groups=_groups(arrays, keys, part, str(data.path)),
        warnings=remarks,
    )
    if table:
        return _as_table(samples, data)
    white = white_of({"x" + key: arrays["x" + key] for key in keys}, str(data.path), remarks)
    return _as_images(samples, white, data, progress, remarks)


def read_inputs(data: OwnData, progress: Progress, remarks: list[str], form: Form) -> Inputs:
    """The arrays `x` and `groups` of an npz without labels. Raises DataError for other arrays.

    Images have the brightness of earlier ones of this form: its value of white, unless they are numbers from
    0 to 1, or bytes (numbers to 255 where those were to 1), and its depth.
    """
    arrays = _load(Path(data.path))
    if "x" not in arrays:
        there = ", ".join(sorted(arrays)) or "nothing"
        raise DataError(f"{data.path} has {there}; expected an array x of inputs without labels")
    if (given := arrays["x"]).ndim < 2 or not given.size:
        one = "; for one input, give x[None]" if given.size else ""
        raise DataError(f"{data.path}: x is {given.dtype} {list(given.shape)}; {SHAPES}{one}")
    if other := [safe_name(name) for name in arrays if name not in ("x", "groups")]:
        remarks.append(f"{plural(len(other), 'array')} of {data.path} not read: {some(other)}")
    x, groups = arrays["x"], _groups(arrays, [""], None, str(data.path))
    if x.ndim == 2:
        if x.dtype.kind not in "biuf":
            raise DataError(f"{data.path}: x is {x.dtype} {list(x.shape)}; expected numbers")
        return Inputs(x.astype(np.float64), groups=groups)
    white = white_of({"x": x}, str(data.path), [])
    as_bytes = white == 255 and (form.white == 1 or x.dtype == np.uint8)
    says_itself = as_bytes or (white == 1 and x.dtype.kind in "bf")
    if not says_itself:
        if x.max() > form.white:
            raise DataError(
                f"{data.path}: pixels go up to {x.max():g}, and to {form.white:g} in the labelled images"
            )
        white = form.white
    found = pictures_of(x, white, data, progress, remarks)
    pixels = [picture.pixels for picture in found]
    return Inputs(stack_alike(pixels, form.bits, remarks), np.stack([each.look for each in found]), groups)


def _load(path: Path) -> dict[str, np.ndarray]:
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > MAX_BYTES:
            raise DataError(
                f"{path} unpacks to {size / 2**30:.1f} GB; fsbench reads up to {MAX_BYTES >> 30} GB"
            )
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except ValueError as error:
        if "pickle" in str(error):
            raise DataError(
                f"{path} contains pickled objects, which could run code and are not loaded; save plain arrays"
            ) from None
        raise DataError(f"{path} is damaged: {' '.join(str(error).split())}") from None
    except MemoryError as error:
        raise DataError(f"{path} is damaged, or too large: {' '.join(str(error).split())}") from None
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError):
        raise DataError(f"{path} is not an npz, or is damaged; write one by numpy.savez") from None
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None


def _labels(
    given: np.ndarray, names: np.ndarray | None, path: str, remarks: list[str]
) -> tuple[list[str], np.ndarray]:
    """The names of the classes that occur and the class of each sample."""
    if given.ndim == 2 and given.shape[1] == 1:
        given = given[:, 0]
    if given.ndim != 1 or given.dtype.kind not in "biufUS":
        raise DataError(
            f"{path}: labels are {given.dtype} {list(given.shape)}; expected one number or text for each "
            f"sample{_instead(given)}"
        )
    if given.dtype.kind == "f" and not (np.isfinite(given).all() and (given % 1 == 0).all()):
        raise DataError(
            f"{path}: labels are missing or not whole numbers; fsbench needs classes: make classes of them "
            "first"
        )
    if given.dtype.kind == "f" and np.abs(given).max(initial=0) > (
        most := 2 ** (np.finfo(given.dtype).nmant + 1)
    ):
        raise DataError(
            f"{path}: labels are {given.dtype} beyond {most}, where some whole numbers are equal; save them "
            "as int64 or as texts"
        )
    given = given.astype(np.int64) if given.dtype.kind in "bf" else given
    given, names = _decoded(given), None if names is None else _decoded(names)
    if given.dtype.kind == "U" and (missing := np.isin(np.char.strip(given), _NO_LABEL)).any():
        raise DataError(
            f"{path}: {plural(int(missing.sum()), 'label')} missing ('' or 'nan'); leave these samples out, "
            "or give their x in an npz of its own: --unlabeled"
        )
    values, y = np.unique(given, return_inverse=True)
    if 2 * len(values) > max(2, len(y)):
        raise DataError(
            f"{path}: {len(values)} different labels for {len(y)} samples; expected a few classes"
        )
    fits = names is not None and names.ndim == 1 and given.dtype.kind in "iu" and values.min() >= 0
    if names is not None and fits and values.max() < len(names):
        found = names[values]
        if len(set(found.tolist())) < len(found):
            raise DataError(f"{path}: classes has one name for two labels; give each label a name of its own")
        return [safe_name(str(name)) for name in found], y.astype(np.int64)
    if names is not None:
        remarks.append(f"classes not read: the labels are not numbers from 0 to {names.size - 1}")
    return [safe_name(str(value)) for value in values], y.astype(np.int64)


def _instead(given: np.ndarray) -> str:
    """What to write in place of a matrix of labels."""
    if given.ndim != 2 or not np.isin(given, (0, 1)).all():
        return ""
    if (given.sum(1) == 1).all():
        return " (of these one-hot labels, the number of the column: y.argmax(1))"
    return ", not several labels; ask about one of them at a time: y[:, 0]"


def _decoded(values: np.ndarray) -> np.ndarray:
    """Texts, also those given as bytes, with one form of accented letters; other values as they are."""
    if values.dtype.kind not in "SU":
        return values
    texts = np.char.decode(values, "utf-8", "backslashreplace") if values.dtype.kind == "S" else values
    return np.array([one_form(text) for text in texts.ravel()], str).reshape(texts.shape)


def _part(arrays: Mapping[str, np.ndarray], keys: list[str], path: str) -> np.ndarray | None:
    """The part of each sample, by the arrays' names or by a mask `test`; None if there are no parts."""
    if keys != [""]:
        numbers = [PARTS.index(key[1:]) for key in keys]
        return np.repeat(np.array(numbers, dtype=np.int8), [len(arrays["x" + key]) for key in keys])
    if "test" not in arrays:
        return None
    test, n = arrays["test"], len(arrays["x"])
    if test.dtype != np.bool_ or test.shape != (n,):
        raise DataError(
            f"{path}: test is {test.dtype} {list(test.shape)}; expected bool [{n}], true where a sample of x "
            "is for the test, or images for the test as x_test with y_test"
        )
    return np.where(test, TEST, TRAIN).astype(np.int8)


def _unused(arrays: Mapping[str, np.ndarray], keys: list[str]) -> list[str]:
    """A warning about the arrays that are not read, if there are any."""
    read = {"classes", *(name + key for name in ("x", "y", "groups") for key in keys)}
    read |= {"test"} if keys == [""] else set()
    other = [safe_name(name) for name in arrays if name not in read]
    return [f"{plural(len(other), 'array')} not read: {some(other)}"] if other else []


def _groups(
    arrays: Mapping[str, np.ndarray], keys: list[str], part: np.ndarray | None, path: str
) -> np.ndarray | None:
    """The group number of each sample. Raises DataError if the given parts divide a group."""
    if not any("groups" + key in arrays for key in keys):
        return None
    for key in keys:
        if arrays.get("groups" + key, np.empty(0)).shape != (len(arrays["x" + key]),):
            raise DataError(f"{path}: groups{key} does not have one value for each sample of x{key}")
    given = _decoded(np.concatenate([arrays["groups" + key] for key in keys]))
    values, numbers = np.unique(given, return_inverse=True, equal_nan=False)
    if part is not None:
        inside = np.stack([np.bincount(numbers[part == n], minlength=len(values)) > 0 for n in range(3)])
        if len(divided := np.flatnonzero(inside.sum(0) > 1)):
            where = [name for name, there in zip(PARTS, inside[:, divided[0]], strict=True) if there]
            more = f", as are {len(divided) - 1} more" if len(divided) > 1 else ""
            raise DataError(
                f"{path}: group {safe_name(str(values[divided[0]]))} is in {' and '.join(where)}{more}; put "
                "each group into one part, or give only x, y and groups, so that fsbench draws the parts"
            )
    return _common_numbers(values, path)[numbers]


def _common_numbers(values: np.ndarray, path: str) -> np.ndarray:
    """A number for each different value, int64, the same in all archives; each NaN has its own."""
    names = [
        f"{path} {place}" if value != value else str(int(value) if _is_whole(value) else value)
        for place, value in enumerate(values.tolist())
    ]
    return np.array([derive_key("group", name) % 2**62 for name in names], dtype=np.int64)


def _is_whole(value: Any) -> bool:
    return isinstance(value, float) and value.is_integer()


def _as_table(samples: Samples, data: OwnData) -> Samples:
    data.refuse("a table", "image_size", "symmetries")
    if samples.x.dtype.kind not in "biuf":
        raise DataError(f"{data.path}: x is {samples.x.dtype}; expected numbers")
    samples.x = samples.x.astype(np.float64)
    samples.features = [f"{number} of x" for number in range(samples.x.shape[1])]
    samples.form = Form("table", samples.x.shape[1:])
    return samples


def _as_images(
    samples: Samples, white: float, data: OwnData, progress: Progress, remarks: list[str]
) -> Samples:
    found = pictures_of(samples.x, white, data, progress, remarks)
    pixels = [picture.pixels for picture in found]
    samples.x = stack(pixels)
    samples.form = Form("image", samples.x.shape[1:], bits=depth(pixels), white=white)
    samples.looks = np.stack([picture.look for picture in found])
    return samples
