"""Strategies that are given as classes, which workers find again by module and class name."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from fsbench.errors import UsageError
from fsbench.hookspecs import hookimpl
from fsbench.importing import named_object


def check_importable(cls: type) -> None:
    """Raise UsageError for a class that a worker could not import by its name."""
    module = cls.__module__
    found: Any = sys.modules.get(module)
    if module == "__main__" or "<locals>" in cls.__qualname__:
        where = "this script or notebook" if module == "__main__" else "a function"
        raise UsageError(
            f"{cls.__name__} is defined in {where}, where workers cannot import it; move it into a module, "
            "such as mine.py, and import it from there"
        )
    for part in cls.__qualname__.split("."):
        found = getattr(found, part, None)
    if found is not cls:
        raise UsageError(
            f"{module}.{cls.__qualname__} is not the class that was given, so workers would run other code; "
            "import it again from its module"
        )


def import_class(name: str) -> ModuleType:
    """A plugin with a single class, given as `module:Class`."""
    found = named_object(name)
    plugin = ModuleType(name.partition(":")[0])
    vars(plugin)["fsbench_strategies"] = hookimpl(lambda: [found])
    return plugin
