"""The protocols by name. A new one is a file with a class, and a line here."""

from __future__ import annotations

from fsbench.data.protocols.base import Protocol, build
from fsbench.data.protocols.blocks import Blocks
from fsbench.data.protocols.episodes import Episodes
from fsbench.data.protocols.folds import Folds
from fsbench.data.protocols.holdout import Holdout
from fsbench.data.protocols.kshot import KShot
from fsbench.data.protocols.longtail import LongTail
from fsbench.data.protocols.noisy import Noisy
from fsbench.data.protocols.shift import Shift

PROTOCOLS: dict[str, type[Protocol]] = {
    cls.name: cls for cls in (Blocks, Episodes, Folds, Holdout, KShot, LongTail, Noisy, Shift)
}

__all__ = ["PROTOCOLS", "Protocol", "build"]
