"""Users' own files for tests: folders of images, CSV and npz."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from fsbench.own import OwnData, Reading, read_own
from fsbench.tasks.expressions import parse_tasks
from fsbench.tasks.splits import draw_split


def noise(seed: int, *shape: int) -> np.ndarray:
    """Blobs `shape`: noise that is smooth enough to survive resizing and JPEG."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (6, 6, *shape[2:]), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((shape[1], shape[0]), Image.Resampling.BICUBIC))


def save(path: Path, pixels: np.ndarray, **options: object) -> Path:
    """Write an image file, and make its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)  # type: ignore[arg-type]
    return path


def make(folder: Path, classes: dict[str, int], side: int = 12, start: int = 0) -> Path:
    """Make a folder of grey PNGs, no two of them alike."""
    for place, (name, count) in enumerate(classes.items()):
        for number in range(count):
            save(folder / name / f"{number}.png", noise(start + 1000 * place + number, side, side))
    return folder


def read(path: Path, **options: object) -> Reading:
    """What `fsbench run --data PATH` reads."""
    return read_own(OwnData(path, **options))  # type: ignore[arg-type]


def frame(n: int = 30) -> pd.DataFrame:
    """A table of two columns of numbers, one of categories, and a target."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "size": rng.normal(size=n).round(3),
            "count": rng.integers(0, 1000, n),
            "colour": [("red", "green", "blue")[i % 3] for i in range(n)],
            "kind": [("yes", "no")[i % 2] for i in range(n)],
        }
    )


def csv(folder: Path, table: pd.DataFrame | str, name: str = "things.csv", **options: object) -> Path:
    """A CSV of a table or a text."""
    path = folder / name
    text = table if isinstance(table, str) else table.to_csv(index=False, **options)  # type: ignore[call-overload]
    path.write_text(text, encoding="utf-8")
    return path


def npz(folder: Path, **arrays: np.ndarray) -> Path:
    """An npz of arrays."""
    np.savez(folder / "arrays.npz", **arrays)  # type: ignore[arg-type]
    return folder / "arrays.npz"


def pixels(n: int, *shape: int) -> np.ndarray:
    """Random images `[n, *shape]`."""
    return np.random.default_rng(n).integers(0, 256, (n, *shape), dtype=np.uint8)


def groups_of_parts(reading: Reading, splits: int = 10) -> Iterator[list[set[int]]]:
    """The groups in training, validation and test, for each of some holdout splits."""
    groups = reading.dataset.groups
    assert groups is not None
    (task,) = parse_tasks(f"holdout({reading.register()})")
    for seed in range(splits):
        split = draw_split(task, seed)
        yield [set(groups[rows.index[0]].tolist()) for rows in (split.train, split.val, split.test)]
