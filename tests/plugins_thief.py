"""A plugin that cheats: it searches its process and its files for whatever looks like labels."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fsbench import Context, Fitted, LabeledSet, Strategy, hookimpl

TYPES = ("int64", "int32", "uint8", "float32")
CHUNK = 1 << 22
OVERLAP = 1 << 15


def label_like(data: bytes, classes: int, least: int) -> Iterator[bytes]:
    """Runs of at least `least` numbers in 0..classes-1 that hold every class, in the common types."""
    if not any(data):
        return
    for name in TYPES:
        size = np.dtype(name).itemsize
        values = np.frombuffer(data[: len(data) // size * size], name)
        padded = np.zeros(len(values) + 2, bool)
        inside = padded[1:-1]
        with np.errstate(invalid="ignore"):
            np.logical_and(values >= 0, values < classes, out=inside)
            if name.startswith("float"):
                inside &= values == np.trunc(values)
        edges = np.flatnonzero(padded[1:] != padded[:-1])
        starts, ends = edges.reshape(-1, 2).T
        long = ends - starts >= least
        for start, end in zip(starts[long], ends[long], strict=True):
            run = values[start:end].astype(np.uint8)
            if len(np.unique(run)) == classes:
                yield run.tobytes()


def own_memory() -> Iterator[bytes]:
    """The process's memory, without the code of libraries, in overlapping chunks."""
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
        for line in maps.read().splitlines():
            start, end, mode, path = re.match(r"(\w+)-(\w+) (\S+) \S+ \S+ \S+ *(.*)", line).groups()  # type: ignore[union-attr]
            if mode[0] != "r" or ".so" in path or path in ("[vvar]", "[vvar_vclock]", "[vsyscall]"):
                continue
            for place in range(int(start, 16), int(end, 16), CHUNK - OVERLAP):
                memory.seek(place)
                yield memory.read(min(CHUNK, int(end, 16) - place))


def files_at_hand() -> Iterator[bytes]:
    """Every file in the folder of the run that the mapped arrays belong to, including the store."""
    mapped = set(re.findall(r"(/\S+)/\S+\.npy", Path("/proc/self/maps").read_text()))
    for folder in {Path(path).parents[2] for path in mapped}:
        for file in folder.rglob("*"):
            if file.is_file():
                yield file.read_bytes()


@dataclass(frozen=True)
class Thief(Strategy):
    """Writes what it found to two files of a task, in the folder `loot`: one for memory, one for files."""

    name = "thief"
    cite = "none"
    loot: str = ""

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        sources = {"memory": own_memory, "files": files_at_hand}
        for name, source in sources.items():
            found = {run for data in source() for run in label_like(data, ctx.num_classes, len(train) // 2)}
            Path(self.loot, f"{ctx.task.text}.{name}").write_bytes(b"\xff".join(sorted(found)))
        return inner(train).map(lambda logits: 2 * logits)  # an effect, without which the trial would fail


@hookimpl
def fsbench_strategies() -> list[type[Strategy]]:
    return [Thief]
