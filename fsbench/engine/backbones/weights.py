"""Pretrained weights, by a name of the backbone or from a local file."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fsbench.engine.backbones.network import load_object
from fsbench.errors import DataError
from fsbench.recipes.catalogue import Backbone, find_weights, known_backbone
from fsbench.spec import parse_call


def load_weights(backbone: str, weights: str, device: torch.device) -> dict[str, Any]:
    """The state dictionary of a backbone's body.

    `weights` is "imagenet" for the backbone's default, a name of its weights
    (`ResNet18_Weights.IMAGENET1K_V1`), or the path of a state dictionary saved by `torch.save`: of the body,
    of a whole Network, or of the published network with its head, which is ignored. Raises UsageError for a
    name that is not the backbone's, DataError for weights that cannot be read or downloaded.
    """
    known = known_backbone(parse_call(backbone))
    chosen = find_weights(backbone, weights)
    found = _read(chosen, device) if isinstance(chosen, Path) else _named(known, chosen, device)
    return _without_head(found, known.head)


def load_into(body: nn.Module, found: Mapping[str, Any], weights: str, what: str) -> None:
    """Load a state dictionary into a body. Raises DataError, which says what does not fit.

    `weights` names it, `what` the body: `resnet18 for inputs [3, 8, 8]`.
    """
    wanted = body.state_dict()
    missing, unknown = sorted(wanted.keys() - found.keys()), sorted(found.keys() - wanted.keys())
    shapes = [
        f"{k} {list(found[k].shape)}, not {list(wanted[k].shape)}"
        for k in sorted(wanted.keys() & found.keys())
        if getattr(found[k], "shape", None) != wanted[k].shape
    ]
    wrong = [f"lacks {k}" for k in missing] + [f"has {k}" for k in unknown] + [f"has {s}" for s in shapes]
    if wrong:
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise DataError(f"{weights!r} does not fit the body of {what}: it {wrong[0]}{more}")
    body.load_state_dict(found)


def _named(known: Backbone, name: str, device: torch.device) -> dict[str, Any]:
    """The weights of a backbone under a name, from the function that it names."""
    found = load_object(known.load)(name)
    if isinstance(found, str | Path):
        return _read(Path(found), device)
    return {key: value.to(device) for key, value in found.items()}


def _read(path: Path, device: torch.device) -> dict[str, Any]:
    problem = f"cannot read {str(path)!r} as a state dictionary of tensors"
    try:
        found = torch.load(path, map_location=device, weights_only=True)
    except pickle.UnpicklingError as error:
        raise DataError(
            f"{problem}: it is damaged, or contains more than tensors, which could run code and is not "
            "loaded; save model.state_dict()"
        ) from error
    except Exception as error:  # torch.load raises anything on a damaged file
        raise DataError(f"{problem}: {first_line(error)}") from error
    if not isinstance(found, dict):
        raise DataError(f"{problem}: it contains {type(found).__name__}")
    for name, value in found.items():
        if not isinstance(value, torch.Tensor):
            raise DataError(
                f"{problem}: {name!r} in it is {type(value).__name__}; save only the part of a checkpoint "
                "with the model's tensors"
            )
    return found


def _without_head(found: Mapping[str, Any], head: str) -> dict[str, Any]:
    """The body's part of the state dictionary of a whole Network or a whole published network."""
    if "head.weight" in found and any(key.startswith("body.") for key in found):
        found = {key: value for key, value in found.items() if not key.startswith("head.")}
        return {key.removeprefix("body."): value for key, value in found.items()}
    return {key: value for key, value in found.items() if key not in (f"{head}.weight", f"{head}.bias")}


def first_line(error: Exception) -> str:
    """The first line of an error's message."""
    lines = str(error).splitlines() or [""]
    named = isinstance(error, OSError | RuntimeError) and lines[0].strip()
    return lines[0].strip().rstrip(".") if named else f"{type(error).__name__} {lines[0]}".strip()
