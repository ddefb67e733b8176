"""The protocols by name. A new one is a file with a class, and a line here."""

from __future__ import annotations

from fsbench.tasks.protocols.base import Protocol, build
from fsbench.tasks.protocols.blocks import Blocks
from fsbench.tasks.protocols.episodes import Episodes
from fsbench.tasks.protocols.folds import Folds
from fsbench.tasks.protocols.holdout import Holdout
from fsbench.tasks.protocols.kshot import KShot
from fsbench.tasks.protocols.longtail import LongTail
from fsbench.tasks.protocols.noisy import Noisy
from fsbench.tasks.protocols.shift import Shift

PROTOCOLS: dict[str, type[Protocol]] = {
    cls.name: cls for cls in (Blocks, Episodes, Folds, Holdout, KShot, LongTail, Noisy, Shift)
}

__all__ = ["PROTOCOLS", "Protocol", "build"]
