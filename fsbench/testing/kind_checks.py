"""The contract of every kind of samples, on its toy data."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from fsbench.engine.backbones import build_network
from fsbench.kinds import KINDS, Kind
from fsbench.rng import generator
from fsbench.testing.demands import require, require_own_randomness, require_text
from fsbench.testing.toy import toy_split
from fsbench.testing.toy_dataset import registered, toy_dataset

CLASSES, CELLS, FEW = 3, 2, 4


def described(kind: Kind) -> None:
    """It has a word for a sample, and explains each of its symmetries."""
    require_text("sample", kind.sample)
    for name, meaning in kind.symmetries.items():
        require_text(f"symmetry {name}", meaning)
    for named in ("assumed_symmetries", "toy_symmetries"):
        unknown = sorted(getattr(kind, named) - kind.symmetries.keys())
        require(not unknown, f"{named} names {unknown}, which symmetries does not explain")


def stores_toys(kind: Kind) -> None:
    """Its toy data is a dataset of this kind, and every draw gives the same data."""
    with registered(KINDS, kind.name, kind):
        first, second = toy_dataset("toys", kind.name), toy_dataset("toys", kind.name)
    require(first.fingerprint == second.fingerprint, "two draws of toy data differ; draw from the rng given")


def moves_toys(kind: Kind) -> None:
    """`moved` makes toy data of another domain."""
    still, moved = (_toys(kind, moved)[0] for moved in (0.0, 1.0))
    require(still.shape == moved.shape, f"moved samples are {list(moved.shape)}, not {list(still.shape)}")
    require(not np.array_equal(still, moved), "moved toy data is the same")


def prepares_alone(kind: Kind) -> None:
    """The preparation of a sample depends only on it and on its cell's training part."""
    x = _toys(kind)
    prepare = kind.fit_toys(x)
    whole = prepare(x)
    require(np.array_equal(prepare(x[:, :1]), whole[:, :1]), "a sample depends on the other samples")
    for cell in range(CELLS):
        alone = kind.fit_toys(x[[cell]])(x[[cell]])
        require(np.array_equal(alone[0], whole[cell]), "a cell's preparation depends on other cells")
    require(prepare(x[:, :0]).shape[1:] == (0, *whole.shape[2:]), "an empty part has another shape")


def opens(kind: Kind) -> None:
    """Strategies see finite numbers of the declared shape, as float32 if `mixable`."""
    x = _toys(kind)
    given = kind.tensor(kind.fit_toys(x)(x)[0], torch.device("cpu"))
    shape = kind.seen_shape(x.shape[2:], ())
    require(tuple(given.shape[1:]) == shape, f"samples became {list(given.shape[1:])}, not {list(shape)}")
    require(given.isfinite().all(), "some values are NaN or infinite")
    wrong = kind.mixable and given.dtype != torch.float32
    require(not wrong, f"samples are {given.dtype}; expected float32, or mixable = False")


def matches_itself(kind: Kind) -> None:
    """Samples that have the task's shape are not changed."""
    with registered(KINDS, kind.name, kind):
        split = toy_split(kind.name, classes=CLASSES)
    shape, x = split.info.input_shape, kind.tensor(split.train_x[0], torch.device("cpu"))
    reason = kind.mismatch(shape, shape)
    require(reason is None, f"samples of one shape are refused: {reason}")
    require(torch.equal(kind.match(x, shape), x), "match changes samples that already have the shape")


def has_a_backbone(kind: Kind) -> None:
    """The backbone of its recipe accepts its samples."""
    with registered(KINDS, kind.name, kind), torch.random.fork_rng(devices=()):
        split = toy_split(kind.name, classes=CLASSES)
        network = build_network(kind.recipe.backbone, kind.name, split.info.input_shape, CLASSES)
        logits = network.eval()(kind.tensor(split.train_x[0][:FEW], torch.device("cpu")))
    require(logits.shape == (FEW, CLASSES), f"logits of {FEW} samples are {list(logits.shape)}")


def leaves_globals(kind: Kind) -> None:
    """Toy data and preparation leave the global random states of Python, numpy and torch unchanged."""

    def work() -> None:
        x = _toys(kind)
        kind.tensor(kind.fit_toys(x)(x)[0], torch.device("cpu"))

    require_own_randomness(work)


def _toys(kind: Kind, moved: float = 0.0) -> np.ndarray:
    """Toy data as stored, `[E, N, ...]`."""
    rng = generator("kind check", kind.name)
    centres = np.stack([kind.toy_centre(rng) for _ in range(CLASSES)])
    y = np.arange(FEW * CLASSES) % CLASSES
    return np.stack([kind.toy_samples(centres[y], moved, rng) for _ in range(CELLS)])


CHECKS: dict[str, Callable[[Kind], str | None]] = {
    "is described, with its symmetries": described,
    "toy data are data of it": stores_toys,
    "toy data have a second domain": moves_toys,
    "prepares each sample on its own": prepares_alone,
    "gives what it promises": opens,
    "matches its own shape": matches_itself,
    "its recipe has a backbone for it": has_a_backbone,
    "leaves global randomness alone": leaves_globals,
}
