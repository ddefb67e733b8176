"""From files to the object that was saved. The files are not trusted, and nothing in them is executed."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from fsbench.errors import DataError, FsbenchError
from fsbench.failure import one_line
from fsbench.files import read_json
from fsbench.importing import named_object
from fsbench.savable import Savable
from fsbench.saved.estimators import load_estimator


def load_parts(folder: Path, stem: str, packages: Set[str]) -> Any:
    """The object that `save_parts` wrote.

    Its classes are found in `packages`, those of fsbench and of installed plugins. Raises DataError for
    anything that was not written by `save_parts`, or by other versions of these packages.
    """
    path = folder / f"{stem}.json"
    tree = read_json(path)
    try:
        tensors = load_file(folder / f"{stem}.safetensors")
    except (OSError, SafetensorError) as error:
        raise DataError(f"cannot read {folder / stem}.safetensors: {one_line(error)}") from None
    reader = _Reader(folder, stem, tensors, packages)
    try:
        return reader.value(tree)
    except FsbenchError as error:
        raise DataError(f"{path}: {error}") from error
    except Exception as error:  # whatever a constructor does with arguments that it does not expect
        raise DataError(f"{path} is damaged, or of another version: {one_line(error)}") from error


class _Reader:
    """Makes objects of JSON values, with the tensors of a file and the estimators of others."""

    def __init__(self, folder: Path, stem: str, tensors: dict[str, torch.Tensor], packages: Set[str]) -> None:
        self._folder, self._stem, self._tensors, self._packages = folder, stem, tensors, packages
        self._known: list[Savable] = []

    def value(self, tree: Any) -> Any:
        """The object of a JSON value."""
        match tree:
            case None | bool() | int() | float() | str():
                return tree
            case list():
                return [self.value(item) for item in tree]
            case {"float": str(text)}:
                return float(text)
            case {"tuple": list(items)}:
                return tuple(self.value(item) for item in items)
            case {"dict": dict(items)}:
                return {key: self.value(item) for key, item in items.items()}
            case {"tensor": str(name)}:
                return self._tensor(name)
            case {"array": str(name)}:
                return self._tensor(name).numpy()
            case {"estimator": int(number)}:
                return load_estimator(self._folder / f"{self._stem}-{number}.skops")
            case {"same": int(number)} if 0 <= number < len(self._known):
                return self._known[number]
            case {"class": str(place), "arguments": dict(arguments)}:
                return self._savable(place, arguments, tree.get("state"))
        raise DataError(f"{str(tree)[:60]!r} stands where a value is expected")

    def _tensor(self, name: str) -> torch.Tensor:
        if name not in self._tensors:
            raise DataError(f"the tensor {name!r} is missing in {self._stem}.safetensors")
        return self._tensors[name]

    def _savable(self, place: str, arguments: dict[str, Any], state: Any) -> Savable:
        thing = self._class(place).rebuild(**{name: self.value(item) for name, item in arguments.items()})
        if isinstance(thing, nn.Module):
            if not isinstance(state, dict):
                raise DataError(f"{place} has no tensors")
            thing.load_state_dict({name: self._tensor(key) for name, key in state.items()})
            thing.eval()
        self._known.append(thing)
        return thing

    def _class(self, place: str) -> type[Savable]:
        package = place.partition(":")[0].partition(".")[0]
        if package not in self._packages:
            raise DataError(
                f"{place} is not of an installed plugin; install its package, or name it in FSBENCH_PLUGINS"
            )
        found = named_object(place)
        if not (isinstance(found, type) and issubclass(found, Savable)):
            raise DataError(f"{place} is not a savable class")
        return found
