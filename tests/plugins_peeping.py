"""A plugin that cheats: it keeps every file of a run that it can read, and says when."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fsbench import Context, Fitted, LabeledSet, Strategy, hookimpl


def _arrays(folder: Path) -> list[Path]:
    """The arrays below a folder; os.walk bears that another worker's split goes while it looks."""
    return [Path(at, name) for at, _, names in os.walk(folder) for name in names if name.endswith(".npy")]


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:  # another worker's split has gone since
        return b""


@dataclass(frozen=True)
class Peeping(Strategy):
    """Writes the arrays at hand to a file, named after the number of samples that it trains on."""

    name = "peeping"
    cite = "none"
    loot: str = ""

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        mapped = set(re.findall(r"(/\S+)/\S+\.npy", Path("/proc/self/maps").read_text()))
        files = {file for path in mapped for file in _arrays(Path(path).parent)}
        found = b"".join(map(_read, sorted(files)))
        Path(self.loot, f"{len(train)}-{secrets.token_hex(4)}").write_bytes(found)
        return inner(train).map(lambda logits: 2 * logits)  # an effect, without which the trial would fail


@hookimpl
def fsbench_strategies() -> list[type[Strategy]]:
    return [Peeping]
