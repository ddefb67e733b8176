"""The cost of loading and materialising a dataset of CIFAR-10's size, in seconds and relative to copying it.

    python benchmarks/splits.py [--repeats 5]

The dataset is random: 50,000 images of 3x32x32 to train and 10,000 to test. "Copying" only writes the bytes
of a split to one file. Medians over the repeats are printed.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fsbench.datasets import files
from fsbench.datasets.dataset import Dataset, DatasetInfo
from fsbench.datasets.known import add_dataset
from fsbench.tasks.expressions import parse_tasks
from fsbench.tasks.splits import draw_split, materialise

TASKS = (
    "kshot(random, k=5)",
    "longtail(random, head=5000, ir=100, val=0)",
    "longtail(random, head=5000, ir=1, val=0)",
)


def random_dataset() -> Dataset:
    """60,000 random images in ten classes; the last 10,000 are the test part."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (60_000, 3, 32, 32), dtype=np.uint8)
    y, test = np.arange(60_000) % 10, np.arange(60_000) >= 50_000
    names, counts = tuple("0123456789"), (6000,) * 10
    info = DatasetInfo(
        "random", "", "image", (3, 32, 32), names, counts, "none", "nobody", test_counts=(1000,) * 10
    )
    return Dataset(info, x, y, test)


def seconds(work: Callable[[int], object], repeats: int) -> tuple[float, float]:
    """The median wall-clock and processor time of some repeats, which are numbered from 0."""
    taken = []
    for repeat in range(repeats):
        start, busy = time.perf_counter(), time.process_time()
        work(repeat)
        taken.append((time.perf_counter() - start, time.process_time() - busy))
    wall, processor = zip(*taken, strict=True)
    return statistics.median(wall), statistics.median(processor)


def measure(text: str, folder: Path, repeats: int) -> str:
    """One line about a task; its splits are written into the folder."""
    (task,) = parse_tasks(text)
    drawing, _ = seconds(lambda seed: draw_split(task, seed), repeats)
    drawn = [draw_split(task, seed) for seed in range(repeats)]
    wall, processor = seconds(lambda seed: materialise(task, drawn[seed], folder / str(seed)), repeats)
    content = b"".join(file.read_bytes() for file in (folder / "0").iterdir())
    copying, copied = seconds(lambda seed: (folder / f"copy-{seed}").write_bytes(content), repeats)
    return (
        f"{text}: drawing {drawing:.2f} s, writing {wall:.2f} s (processor {processor:.2f} s); "
        f"copying {len(content) / 1e6:.0f} MB {copying:.2f} s ({copied:.2f} s), "
        f"ratio {(drawing + wall) / copying:.1f}"
    )


def main() -> None:
    """Print a line for loading, and one for each task."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    dataset = random_dataset()
    add_dataset(dataset)
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "random.npz"
        files.write(file, dataset.x, dataset.y, dataset.test, {})
        wall, processor = seconds(lambda _: Dataset(dataset.info, *files.read_arrays(file)), repeats)
        print(f"load (read, check, fingerprint): {wall:.2f} s (processor {processor:.2f} s)")
        for number, text in enumerate(TASKS):
            print(measure(text, Path(name) / str(number), repeats))


if __name__ == "__main__":
    main()
