"""The strategies that come with fsbench, registered like those of any other plugin."""

from __future__ import annotations

import importlib
import pkgutil

from fsbench import Strategy, hookimpl


@hookimpl
def fsbench_strategies() -> list[type[Strategy]]:
    """The bundled strategies: those that the public modules of this package define."""
    names = [each.name for each in pkgutil.iter_modules(__path__) if not each.name.startswith("_")]
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    return [each for module in modules for each in vars(module).values() if _is_of(module.__name__, each)]


def _is_of(module: str, value: object) -> bool:
    """Whether a value is a strategy that a module defines."""
    return isinstance(value, type) and issubclass(value, Strategy) and value.__module__ == module
