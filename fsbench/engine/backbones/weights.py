"""Pretrained weights: by name from torchvision or a package, or from a local file."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from fsbench.engine.backbones.catalogue import (
    BACKBONES,
    DEFAULT_WEIGHTS,
    Backbone,
    known_backbone,
    weights_path,
)
from fsbench.errors import DataError, UsageError
from fsbench.spec import Call, parse_call


def load_weights(backbone: str, weights: str, device: torch.device) -> dict[str, Any]:
    """The state dictionary of a backbone's body.

    `weights` is "imagenet" for the backbone's default, the name of torchvision's weights
    (`ResNet18_Weights.IMAGENET1K_V1`), or the path of a state dictionary saved by `torch.save`: of the
    body, of a whole Network, or of the published network with its head, which is left out. Raises UsageError
    for a name that is not the backbone's, DataError for what cannot be read or downloaded.
    """
    call = parse_call(backbone)
    known = known_backbone(call)
    path = weights_path(weights)
    if path is None:
        name = _choose(call, known, weights)
        found = _packaged(device) if name == DEFAULT_WEIGHTS else _downloaded(name, device)
    else:
        found = _read(path, device)
    return _without_head(found, known.head)


def _choose(call: Call, known: Backbone, weights: str) -> str:
    variant = str(call.keywords.get("variant", ""))
    names = [name for name in known.weights if variant in name.lower()]
    if not names:
        others = ", ".join(name for name, entry in BACKBONES.items() if entry.weights)
        raise UsageError(
            f"{call} has no pretrained weights of the name {weights!r}; "
            f"give the path of a file, or one of the backbones {others}"
        )
    if weights == DEFAULT_WEIGHTS:
        return names[0]
    if weights not in names:
        raise UsageError(f"{weights} are not weights of {call}; it has {', '.join(names)}")
    return weights


def _packaged(device: torch.device) -> dict[str, Any]:
    from fsbench.engine.backbones.lite import weights_file

    return _read(weights_file(), device)


def _downloaded(name: str, device: torch.device) -> dict[str, Any]:
    import torchvision

    weights = torchvision.models.get_weight(name)
    try:
        found: dict[str, Any] = weights.get_state_dict(
            progress=False, check_hash=True, weights_only=True, map_location=device
        )
    except (OSError, RuntimeError) as error:
        folder = Path(torch.hub.get_dir()) / "checkpoints"
        raise DataError(
            f"cannot download {name} ({_line(error)}); put {weights.url} into {folder} under the name "
            f"{weights.url.rpartition('/')[2]}"
        ) from None
    return found


def _read(path: Path, device: torch.device) -> dict[str, Any]:
    try:
        found = torch.load(path, map_location=device, weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise DataError(
            f"cannot read {str(path)!r} as a state dictionary of tensors: {_line(error)}"
        ) from None
    if not isinstance(found, dict):
        raise DataError(f"{str(path)!r} holds {type(found).__name__}; expected a state dictionary")
    return found


def _without_head(found: Mapping[str, Any], head: str) -> dict[str, Any]:
    """What belongs to the body, of a whole Network's or a whole published network's state dictionary."""
    if "head.weight" in found and any(key.startswith("body.") for key in found):
        found = {key: value for key, value in found.items() if not key.startswith("head.")}
        return {key.removeprefix("body."): value for key, value in found.items()}
    return {key: value for key, value in found.items() if key not in (f"{head}.weight", f"{head}.bias")}


def _line(error: Exception) -> str:
    lines = str(error).splitlines() or [type(error).__name__]
    return lines[0].strip().rstrip(".")
