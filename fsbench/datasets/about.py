"""What is known about datasets, whether they are on this machine or not."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

_MEDMNIST = "Yang, Shi, Wei, Liu, Zhao, Ke, Pfister & Ni 2023, MedMNIST v2, Scientific Data 10; source of "


@dataclass(frozen=True)
class About:
    """What a list of datasets says about one of them.

    `family` names the data that it is made from, by default itself; `num_classes` and `shape` are 0 and `()`
    if only the data can tell; `download` is the size of the download in MB, None if there is none; `loader`
    is the `library:class` that downloads it; `fingerprints` are those of its arrays, by the name of the file
    that contains them; `by_hand` says how users get its files if nothing downloads them.
    """

    name: str
    description: str
    kind: str
    licence: str
    citation: str
    family: str
    num_classes: int = 0
    shape: tuple[int, ...] = ()
    classes: tuple[str, ...] = ()
    symmetries: frozenset[str] = frozenset()
    download: int | None = None
    loader: str = ""
    fingerprints: Mapping[str, str] = field(default_factory=dict, hash=False)
    by_hand: str = ""


@functools.cache
def image_sets() -> dict[str, About]:
    """The image datasets that are kept as files, by name."""
    text = (resources.files("fsbench.datasets") / "images.toml").read_text(encoding="utf-8")
    return {name: _image_set(name, facts) for name, facts in tomllib.loads(text).items()}


def _image_set(name: str, facts: dict[str, Any]) -> About:
    classes = facts.pop("classes")
    named = isinstance(classes, list)
    if facts["loader"].startswith("medmnist:"):
        facts["citation"] = _MEDMNIST + name
    return About(
        name=name,
        kind="image",
        family=facts.pop("family", name),
        num_classes=len(classes) if named else classes,
        shape=tuple(facts.pop("shape")),
        classes=tuple(classes) if named else (),
        symmetries=frozenset(facts.pop("symmetries")),
        fingerprints=facts.pop("fingerprints", {}),
        **facts,
    )
