"""Small made-up splits and contexts for tests."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from fsbench.composition import Composition
from fsbench.engine.context import Context, TrialState
from fsbench.engine.recipe import default_recipe
from fsbench.strategy import Strategy
from fsbench.types import LabeledSet, TaskInfo

SHAPES: dict[str, tuple[int, ...]] = {"image": (1, 8, 8), "tabular": (6,)}


def blobs(
    counts: list[int], modality: str = "tabular", spread: float = 1.0, seed: int = 0, shape: Any = None
) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian blobs, `counts[c]` samples of class c: float32 tables, or uint8 images, and labels.

    The centres depend on the shape only, so that two seeds draw from the same classes.
    """
    shape = tuple(shape or SHAPES[modality])
    rng = np.random.default_rng(seed)
    centres = 3 * np.random.default_rng(12345).normal(size=(len(counts), *shape))
    y = np.repeat(np.arange(len(counts)), counts)
    x = centres[y] + spread * rng.normal(size=(len(y), *shape))
    if modality == "image":
        return np.clip(127 + 20 * x, 0, 255).astype(np.uint8), y
    return (x / 3).astype(np.float32), y


def task_info(modality: str = "tabular", num_classes: int = 3, **fields: Any) -> TaskInfo:
    """A task's description that fits `blobs`."""
    values = {"text": "toy", "protocol": "toy", "input_shape": SHAPES[modality]} | fields
    return TaskInfo(modality=modality, num_classes=num_classes, **values)  # type: ignore[arg-type]


def toy_split(
    modality: str = "tabular",
    counts: list[int] | None = None,
    cells: int = 1,
    spread: float = 1.0,
    source: bool = False,
    unlabeled: int = 0,
    **info: Any,
) -> Any:
    """What `open_split` gives, made of blobs: `counts[c]` training samples of class c in each cell.

    Validation has 2 and the test part 20 samples a class; `source` adds 30 a class of the same classes.
    """
    counts = counts or [5, 5, 5]
    shape = info.get("input_shape")

    def draw(per_class: list[int], seed: int) -> tuple[np.ndarray, np.ndarray]:
        pairs = [blobs(per_class, modality, spread, seed + cell, shape) for cell in range(cells)]
        return np.stack([x for x, _ in pairs]), np.stack([y for _, y in pairs])

    same = [1] * len(counts)
    train_x, train_y = draw(counts, 1000)
    val_x, val_y = draw([2 * n for n in same], 2000)
    test_x, test_y = draw([20 * n for n in same], 3000)
    source_x, source_y = blobs([30 * n for n in same], modality, spread, 4000, shape)
    extras: dict[str, Any] = {"num_unlabeled": unlabeled}
    if source:
        extras |= {"source_shape": source_x.shape[1:], "source_classes": len(counts)}
    return SimpleNamespace(
        info=task_info(modality, len(counts), **extras | info),
        train_x=train_x,
        train_y=train_y,
        train_domain=None,
        val_x=val_x,
        val_y=val_y,
        test_x=test_x,
        test_y=test_y,
        source_x=source_x if source else None,
        source_y=source_y if source else None,
        unlabeled_x=_unlabeled(unlabeled, len(counts), modality, spread, shape),
    )


def _unlabeled(number: int, classes: int, modality: str, spread: float, shape: Any) -> np.ndarray | None:
    if not number:
        return None
    x, _ = blobs([-(-number // classes)] * classes, modality, spread, 5000, shape)
    return x[np.random.default_rng(0).permutation(len(x))[:number]]


def context(
    component: Strategy, stage: str, info: TaskInfo, seed: int = 0, train: LabeledSet | None = None
) -> Context:
    """A component's context inside a stage, outside any trial."""
    composition = Composition((component,))
    state = TrialState((info.text, 0, seed), info, composition, default_recipe(info), torch.device("cpu"))
    state.train = train
    return Context(state, component, stage)
