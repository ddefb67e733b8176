"""Pretrained weights: by name from torchvision or a package, or from a local file."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from fsbench.errors import DataError
from fsbench.recipes.catalogue import DEFAULT_WEIGHTS, find_weights, known_backbone
from fsbench.spec import parse_call


def load_weights(backbone: str, weights: str, device: torch.device) -> dict[str, Any]:
    """The state dictionary of a backbone's body.

    `weights` is "imagenet" for the backbone's default, the name of torchvision's weights
    (`ResNet18_Weights.IMAGENET1K_V1`), or the path of a state dictionary saved by `torch.save`: of the
    body, of a whole Network, or of the published network with its head, which is left out. Raises UsageError
    for a name that is not the backbone's, DataError for what cannot be read or downloaded.
    """
    known = known_backbone(parse_call(backbone))
    chosen = find_weights(backbone, weights)
    if isinstance(chosen, Path):
        found = _read(chosen, device)
    else:
        found = _packaged(device) if chosen == DEFAULT_WEIGHTS else _downloaded(chosen, device)
    return _without_head(found, known.head)


def _packaged(device: torch.device) -> dict[str, Any]:
    from fsbench.engine.backbones.lite import weights_file

    return _read(weights_file(), device)


def _downloaded(name: str, device: torch.device) -> dict[str, Any]:
    import torchvision

    weights = torchvision.models.get_weight(name)
    folder, file = Path(torch.hub.get_dir()) / "checkpoints", weights.url.rpartition("/")[2]
    try:
        found: dict[str, Any] = weights.get_state_dict(
            progress=False, check_hash=True, weights_only=True, map_location="cpu"
        )
    except Exception as error:  # torch.load raises anything on a damaged file
        if (folder / file).exists() and not isinstance(error, OSError | MemoryError):
            raise DataError(f"{folder / file} is damaged; remove it, and it is downloaded again") from error
        raise DataError(
            f"cannot download {name} ({_line(error)}); put {weights.url} into {folder} under the name {file}"
        ) from error
    return {key: value.to(device) for key, value in found.items()}


def _read(path: Path, device: torch.device) -> dict[str, Any]:
    problem = f"cannot read {str(path)!r} as a state dictionary of tensors"
    try:
        found = torch.load(path, map_location=device, weights_only=True)
    except pickle.UnpicklingError as error:
        raise DataError(
            f"{problem}: it is damaged, or holds more than tensors, which could run code and is not loaded; "
            "save model.state_dict()"
        ) from error
    except Exception as error:  # torch.load raises anything on a damaged file
        raise DataError(f"{problem}: {_line(error)}") from error
    if not isinstance(found, dict):
        raise DataError(f"{problem}: it holds {type(found).__name__}")
    for name, value in found.items():
        if not isinstance(value, torch.Tensor):
            raise DataError(
                f"{problem}: {name!r} in it is {type(value).__name__}; of a checkpoint, save the part with "
                "the model's tensors"
            )
    return found


def _without_head(found: Mapping[str, Any], head: str) -> dict[str, Any]:
    """What belongs to the body, of a whole Network's or a whole published network's state dictionary."""
    if "head.weight" in found and any(key.startswith("body.") for key in found):
        found = {key: value for key, value in found.items() if not key.startswith("head.")}
        return {key.removeprefix("body."): value for key, value in found.items()}
    return {key: value for key, value in found.items() if key not in (f"{head}.weight", f"{head}.bias")}


def _line(error: Exception) -> str:
    lines = str(error).splitlines() or [""]
    named = isinstance(error, OSError | RuntimeError) and lines[0].strip()
    return lines[0].strip().rstrip(".") if named else f"{type(error).__name__} {lines[0]}".strip()
