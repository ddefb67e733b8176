"""What the splits of a setting have in common, from the evidence stored beside its records."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from fsbench.evidence import Drawn, Evidence
from fsbench.spec import parse_call
from fsbench.stats import shared_fraction

# Training parts that share more than this are the same: their results differ by the noise of training only.
_SAME = 0.999


@dataclass(eq=False)
class Splits:
    """The splits of a task, by split seed; `places` numbers the samples of each test part within a group.

    Settings of a group, which may have data in common, number the same sample alike. Without evidence of
    every split there are none. After a search, `tuned` results are trained on the validation part too.
    """

    drawn: Mapping[int, Drawn] = field(default_factory=dict)
    places: Mapping[int, np.ndarray] = field(default_factory=dict)
    tuned: bool = False

    @cached_property
    def shared(self) -> float:
        """The fraction of its training samples that a split shares with another, on average."""
        parts = [[each.train, each.val] if self.tuned else [each.train] for each in self.drawn.values()]
        return shared_fraction(_numbered([np.concatenate([p.ravel() for p in each]) for each in parts]))

    @cached_property
    def tested(self) -> float:
        """The fraction of its test samples that a split shares with another, on average."""
        return shared_fraction(list(self.places.values()))

    @cached_property
    def joined(self) -> float:
        """The labels of the target in the training and validation parts, over those in the training part.

        This is a mean over splits, NaN without evidence. The target is the data of the test part; the
        validation part of a shift is of the source.
        """
        return float(np.mean([_joined(each) for each in self.drawn.values()])) if self.drawn else math.nan

    @property
    def same(self) -> bool:
        """Whether all splits train on the same samples, so that their spread is that of training only."""
        return len(self.drawn) > 1 and self.shared > _SAME


def splits_of(settings: Sequence[tuple[Mapping[int, str], bool]], evidence: Evidence) -> list[Splits]:
    """The splits of settings that may have data in common.

    Each setting is given as fingerprints by split seed, and by whether its strategies were tuned.
    """
    drawn = [_all_drawn(fingerprints, evidence) for fingerprints, _ in settings]
    names: dict[str, int] = {}
    codes = [_codes(each, names) for found in drawn for each in found.values()]
    places = iter(_numbered(codes))
    return [
        Splits(found, {seed: next(places) for seed in found}, tuned)
        for found, (_, tuned) in zip(drawn, settings, strict=True)
    ]


def _all_drawn(fingerprints: Mapping[int, str], evidence: Evidence) -> dict[int, Drawn]:
    """What each split drew; nothing if that of one is unknown."""
    if any(fingerprint not in evidence.drawn for fingerprint in fingerprints.values()):
        return {}
    return {seed: evidence.drawn[fingerprint] for seed, fingerprint in fingerprints.items()}


def _joined(drawn: Drawn) -> float:
    target = np.unique(drawn.test >> 32)
    train, val = (int(np.isin(part >> 32, target).sum()) for part in (drawn.train, drawn.val))
    return (train + val) / train if train else 1.0


def _codes(drawn: Drawn, names: dict[str, int]) -> np.ndarray:
    """The test samples as ids that agree between settings, whatever the places of their datasets.

    A dataset counts as the same with other arguments, such as another size of its images.
    """
    ids = drawn.test.ravel()
    texts = drawn.datasets or tuple(map(str, range(1 + int(ids.max() >> 32))))
    numbers = [
        names.setdefault(parse_call(text).name if drawn.datasets else text, len(names)) for text in texts
    ]
    codes: np.ndarray = (np.array(numbers, dtype=np.int64)[ids >> 32] << 32) + (ids & 0xFFFFFFFF)
    return codes


def _numbered(ids: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The ids as numbers from 0 on."""
    known = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *ids]))
    return [np.searchsorted(known, each) for each in ids]
