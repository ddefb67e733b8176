"""The families of strategies, and the groups that `--plugins` takes by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

ALL = "all"
CORE = "core"

FAMILIES = {
    "augmentations": "more training samples from those at hand, or more views of a test sample",
    "fine_tuning": "a start from labelled source data or from pretrained weights",
    "adaptation": "from a source to a target whose inputs look different",
    "meta_learning": "learning to learn from many small tasks, and classifiers by distance",
    "generative": "models of the inputs: encoders, sampled training data, pretext tasks",
    "semi_supervised": "unlabelled samples of the same data",
    "imbalance": "classes with few samples",
    "label_noise": "training labels of which some are wrong",
    "hard_examples": "which samples to train on, and in which order",
    "regularisation": "less overfitting: penalties, averages of weights, smaller networks",
    "optimisation": "optimizers and schedules of the learning rate",
    "postprocessing": "better probabilities or decisions from a fitted model",
    "fusion": "several models in one",
    "classical": "methods without a neural network",
}
"""What each family is about, by its name, in the order of listing."""
_HYPHENATED = {"fine_tuning", "meta_learning", "semi_supervised"}


class Grouped(Protocol):
    """What decides to which groups a strategy belongs."""

    family: str
    in_all: bool
    in_core: bool


def title(family: str) -> str:
    """The heading of a family: `Semi-supervised`, `Label noise`."""
    return family.replace("_", "-" if family in _HYPHENATED else " ").capitalize()


def groups() -> tuple[str, ...]:
    """The names that stand for several strategies."""
    return (ALL, CORE, *FAMILIES)


def membership(group: str) -> Callable[[Grouped], bool]:
    """Whether a strategy belongs to a group: `all`, `core` or a family. Raises KeyError for another name."""
    if group == ALL:
        return lambda cls: cls.in_all
    if group == CORE:
        return lambda cls: cls.in_all and cls.in_core
    if group not in FAMILIES:
        raise KeyError(group)
    return lambda cls: cls.in_all and cls.family == group
