"""From a savable object to files: a JSON tree, its tensors, and its estimators."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from sklearn.base import BaseEstimator
from torch import nn

from fsbench.errors import CannotSave
from fsbench.savable import Savable

_DEEPEST = 100


def save_parts(thing: Any, folder: Path, stem: str) -> None:
    """Write an object into `folder`: `STEM.json`, `STEM.safetensors`, and `STEM-N.skops` for estimators.

    Raises CannotSave, which names the first thing in it that is not savable.
    """
    from skops import io

    writer = _Writer()
    tree = writer.tree(thing, "it")
    save_file(writer.tensors, folder / f"{stem}.safetensors")
    for number, estimator in enumerate(writer.estimators):
        io.dump(estimator, folder / f"{stem}-{number}.skops")
    text = json.dumps(tree, indent=1, allow_nan=False)
    (folder / f"{stem}.json").write_text(text, encoding="utf-8")


class _Writer:
    """Collects tensors by name and estimators by number while a tree is made."""

    def __init__(self) -> None:
        self.tensors: dict[str, torch.Tensor] = {}
        self.estimators: list[BaseEstimator] = []
        self._names: dict[tuple[Any, ...], str] = {}
        self._known: dict[int, int] = {}
        self._alive: list[object] = []

    def tree(self, thing: Any, where: str, depth: int = 0) -> Any:
        """The JSON value of an object; `where` says what it is an argument of."""
        if depth > _DEEPEST:
            raise CannotSave(f"{where} is nested more than {_DEEPEST} deep")
        if isinstance(thing, np.generic):
            thing = thing.item()
        match thing:
            case None | bool() | int() | str():
                return thing
            case float():
                return thing if math.isfinite(thing) else {"float": str(thing)}
            case torch.Tensor():
                return {"tensor": self._tensor(thing)}
            case np.ndarray():
                return {"array": self._tensor(_as_tensor(thing, where))}
            case list() | tuple():
                items = [self.tree(item, where, depth + 1) for item in thing]
                return items if isinstance(thing, list) else {"tuple": items}
            case Mapping() if all(isinstance(key, str) for key in thing):
                return {"dict": {key: self.tree(item, where, depth + 1) for key, item in thing.items()}}
            case Mapping():
                raise CannotSave(f"{where} contains a dictionary with a key that is not a text")
            case BaseEstimator():
                self.estimators.append(thing)
                return {"estimator": len(self.estimators) - 1}
            case Savable():
                return self._savable(thing, depth)
        if (inner := getattr(thing, "__wrapped__", None)) is not None:
            return self.tree(inner, where, depth + 1)
        raise CannotSave(f"{where} contains {_named(thing)}, which is not savable")

    def _savable(self, thing: Savable, depth: int) -> dict[str, Any]:
        if id(thing) in self._known:
            return {"same": self._known[id(thing)]}
        cls = type(thing)
        if "<locals>" in cls.__qualname__:
            raise CannotSave(f"the class {cls.__name__} is inside a function, where it cannot be found again")
        place = f"{cls.__module__}:{cls.__qualname__}"
        given = {
            name: self.tree(value, f"{name} of {cls.__name__}", depth + 1)
            for name, value in thing.arguments().items()
        }
        found = {"class": place, "arguments": given}
        if isinstance(thing, nn.Module):
            found["state"] = {name: self._tensor(value) for name, value in thing.state_dict().items()}
        self._known[id(thing)] = len(self._known)
        self._alive.append(thing)
        return found

    def _tensor(self, tensor: torch.Tensor) -> str:
        """The name of a tensor in the file; a tensor that several modules share is there once."""
        key = tensor.device, tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype
        if not tensor.numel() or key not in self._names:
            self._names[key] = f"t{len(self.tensors)}"
            self._alive.append(tensor)  # so that no other tensor gets its address
            self.tensors[self._names[key]] = tensor.detach().cpu().clone().contiguous()
        return self._names[key]


def _as_tensor(array: np.ndarray, where: str) -> torch.Tensor:
    try:
        return torch.from_numpy(np.array(array))
    except TypeError:
        raise CannotSave(f"{where} contains an array of {array.dtype}; expected numbers") from None


def _named(thing: Any) -> str:
    if callable(thing) and not isinstance(thing, nn.Module) and hasattr(thing, "__qualname__"):
        return f"the function {thing.__module__}.{thing.__qualname__.replace('.<locals>', '')}"
    return f"a {type(thing).__module__}.{type(thing).__qualname__}"
