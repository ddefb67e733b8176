"""A plugin with a new kind of samples: melodies, whole numbers that must not be computed with."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from fsbench import (
    Backbone,
    Batch,
    Context,
    Dataset,
    DatasetEntry,
    DatasetInfo,
    Fitted,
    Kind,
    LabeledSet,
    Recipe,
    Strategy,
    hookimpl,
    param,
)

NOTES, LENGTH, REST = 24, 10, 0
"""Notes are numbered from 1; 0 is a rest, and what stands for a note that the training part lacks."""


class Melody(Kind):
    """Melodies `[L]`, stored as int16 notes; strategies see int64, what training lacks as a rest."""

    name = "melody"
    sample = "melody"
    dtype = np.int16
    recipe = Recipe(backbone="bag_of_notes", steps=60, batch_size=16, lr=0.03)
    mixable = False
    symmetries = {"transposition": "all notes higher or lower by as much"}  # noqa: RUF012

    def check_values(self, info, x):
        assert x.min() >= REST
        assert x.max() <= NOTES

    def fit(self, train_x, info):
        known = [np.union1d(cell, [REST]) for cell in train_x]

        def prepare(x):
            kept = [np.where(np.isin(part, notes), part, REST) for part, notes in zip(x, known, strict=True)]
            return np.stack(kept).astype(np.int64)

        return prepare

    def toy_centre(self, rng):
        return rng.permutation(NOTES)[:4] + 1

    def toy_samples(self, centres, moved, rng):
        played = rng.integers(0, centres.shape[1], (len(centres), LENGTH))
        melodies = np.take_along_axis(centres, played, 1)
        wrong = rng.random(melodies.shape) < 0.1 + 0.1 * moved
        return np.where(wrong, rng.integers(1, NOTES + 1, melodies.shape), melodies).astype(np.int16)


def bag_of_notes(input_shape, width: int = 16):
    """The mean of the learned vectors of the notes. Fails on anything but int64."""
    from torch import nn

    class Mean(nn.Module):
        def forward(self, learned):
            return learned.mean(1)

    return nn.Sequential(nn.Embedding(NOTES + 1, width), Mean()), width


def describe(text, mistakes: float = 0.2):
    return DatasetInfo(
        text=text,
        description="melodies in three scales",
        kind="melody",
        shape=(LENGTH,),
        classes=("low", "middle", "high"),
        class_counts=(60, 60, 60),
        licence="CC0 1.0",
        citation="this test",
        symmetries=frozenset() if text.startswith("hymns") else frozenset({"transposition"}),
    )


def load(info, mistakes):
    rng = np.random.default_rng(len(info.name))
    y = np.repeat(np.arange(3), 60)
    x = 1 + 8 * y[:, None] + rng.integers(0, 8, (len(y), LENGTH))
    wrong = rng.random(x.shape) < mistakes
    return Dataset(info, np.where(wrong, rng.integers(1, NOTES + 1, x.shape), x).astype(np.int16), y)


@dataclass(frozen=True)
class Rests(Strategy):
    """Turns notes into rests, and records the numbers that it saw."""

    name = "rests"
    cite = "this test"
    kinds = frozenset({"melody"})
    uses = frozenset({"val"})
    rate: float = param(0.1, low=0.0, high=1.0)

    def resample(self, train: LabeledSet, ctx: Context) -> LabeledSet:
        ctx.note(f"training set of {train.x.dtype} up to {int(train.x.max())}")
        return train

    def augment(self, batch: Batch, ctx: Context) -> Batch:
        ctx.note(f"batches of {batch.x.dtype}")
        keep = ctx.rng.uniform(*batch.x.shape) >= self.rate
        return replace(batch, x=batch.x * keep)

    def postprocess(self, fitted: Fitted, val: LabeledSet, ctx: Context) -> Fitted:
        ctx.note(f"validation set of {val.x.dtype}")
        return fitted


@dataclass(frozen=True)
class Blur(Strategy):
    """Adds noise to all inputs; it declares no kinds."""

    name = "blur"
    cite = "this test"

    def augment(self, batch: Batch, ctx: Context) -> Batch:
        return replace(batch, x=batch.x + 0.1 * ctx.rng.normal(*batch.x.shape))


@hookimpl
def fsbench_kinds():
    return [Melody()]


@hookimpl
def fsbench_datasets():
    return [DatasetEntry("songs", describe, load), DatasetEntry("hymns", describe, load)]


@hookimpl
def fsbench_backbones():
    return [
        Backbone(
            "bag_of_notes", "plugins_melodies:bag_of_notes", "mean of notes", kinds=frozenset({"melody"})
        )
    ]


@hookimpl
def fsbench_strategies():
    return [Rests, Blur]
