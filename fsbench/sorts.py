"""The sorts of things that plugins bring: strategies, datasets, protocols, ..., each a table by name.

A table is declared next to what it holds. The registry, in a higher layer, fills it with what the plugins
bring. This module contains what all sorts share.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from fsbench.errors import UnknownName

T = TypeVar("T")
HOUSE = "fsbench"
"""The distribution of everything that comes with fsbench."""


class Origin(NamedTuple):
    """Where something comes from: a distribution, or a module outside any, and its version."""

    distribution: str
    version: str


@dataclass(frozen=True)
class Brought(Generic[T]):
    """Something from a plugin, its origin, and the module with the hook that returned it."""

    thing: T
    origin: Origin
    module: str


class Sort(MutableMapping[str, T]):
    """The things of one sort by name: those of this process's plugins, in their order, and what is added.

    `noun` is the word for one of them, `hook` the hook that returns them. `check` raises PluginError for
    anything else, and `name_of` gives the name of one. What is added exists only in this process and hides an
    entry of a plugin with the same name.
    """

    def __init__(
        self, noun: str, hook: str, check: Callable[[Any], None], name_of: Callable[[T], str]
    ) -> None:
        self.noun, self.hook, self.check, self.name_of = noun, hook, check, name_of
        self.added: dict[str, T] = {}

    def __repr__(self) -> str:
        return f"<Sort: {self.noun}>"

    def brought(self) -> Mapping[str, Brought[T]]:
        """What the plugins of this process bring; they are loaded at the first request."""
        # Imported by name, because the registry imports the tables that it fills.
        found: Mapping[str, Brought[T]] = importlib.import_module("fsbench.registry").brought(self)
        return found

    def find(self, name: str) -> T:
        """The thing of a name. Raises UnknownName, which suggests the nearest name."""
        try:
            return self[name]
        except KeyError:
            raise UnknownName(self.noun, name, self, listed=True) from None

    def origin(self, name: str) -> Origin | None:
        """Where the thing of a name comes from; None if it is not from a plugin."""
        brought = self.brought()
        return brought[name].origin if name in brought and name not in self.added else None

    def __getitem__(self, name: str) -> T:
        return self.added[name] if name in self.added else self.brought()[name].thing

    def __setitem__(self, name: str, thing: T) -> None:
        self.added[name] = thing

    def __delitem__(self, name: str) -> None:
        del self.added[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*self.brought(), *self.added]))

    def __len__(self) -> int:
        return len(self.brought().keys() | self.added.keys())
