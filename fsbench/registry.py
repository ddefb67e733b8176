"""Finds strategy plugins, says which could not be loaded, and turns specs into strategies."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib
import os
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import pluggy

from fsbench import hookspecs
from fsbench.composition import BASELINE, Composition
from fsbench.errors import PluginError, UnknownName
from fsbench.spec import NAME, Call, Sum, expand_sum, parse_list
from fsbench.strategy import Strategy, from_call, has_defaults

GROUP = "fsbench"
EXTRA_MODULES = "FSBENCH_PLUGINS"
UNPACKAGED = "unpackaged"
_HOOKS = [name for name in vars(hookspecs) if name.startswith("fsbench_")]


@dataclass(frozen=True)
class LoadFailure:
    """A plugin that could not be loaded: its name, one line of why, and the traceback."""

    plugin: str
    message: str
    traceback: str = ""


class Registry:
    """The strategies that the loaded plugins bring.

    `strategies` maps names to classes, `origin` maps them to (distribution, version), and
    `failures` lists the plugins that could not be loaded. The version of a module that no
    distribution brings is made of its source: `unpackaged+1a2b3c4d`.
    """

    def __init__(self) -> None:
        self.strategies: dict[str, type[Strategy]] = {}
        self.origin: dict[str, tuple[str, str]] = {}
        self.failures: list[LoadFailure] = []
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(hookspecs)

    def listeners(self) -> list[tuple[str, Callable[..., object]]]:
        """The `fsbench_trial_finished` of each plugin that has one, with the plugin's name."""
        name, plugins = "fsbench_trial_finished", self._manager.get_plugins()
        having = [hook.plugin for hook in getattr(self._manager.hook, name).get_hookimpls()]
        return [
            (
                self._manager.get_name(plugin) or str(plugin),
                self._manager.subset_hook_caller(name, plugins - {plugin}),
            )
            for plugin in having
        ]

    def load_entry_points(self) -> None:
        """Load every installed plugin; one that fails is listed and hides nobody."""
        found = {(e.name, e.value): e for e in metadata.entry_points(group=GROUP)}
        for _, entry in sorted(found.items()):
            dist = entry.dist
            origin = (dist.name, dist.version) if dist else (entry.value, "unknown")
            self.load(f"{origin[0]}:{entry.name}", entry.load, origin)

    def load_modules(self, names: Iterable[str]) -> None:
        """Load plugin modules by name, as `FSBENCH_PLUGINS` gives them."""
        for name in names:
            self.load(name, functools.partial(importlib.import_module, name), (name, UNPACKAGED))

    def check_loaded(self) -> None:
        """Raise PluginError if a plugin could not be loaded."""
        if self.failures:
            raise PluginError("; ".join(f"plugin {f.plugin}: {f.message}" for f in self.failures))

    def load(self, plugin: str, importer: Callable[[], object], origin: tuple[str, str]) -> None:
        """Import one plugin and take its strategies, all or none."""
        try:
            module = importer()
            if self._manager.is_registered(module):
                return
            if origin[1] == UNPACKAGED:
                origin = origin[0], f"{UNPACKAGED}+{_source_hash(module)}"
            self._manager.register(module, name=plugin)
            self._check_hooks(module)
            hook = self._manager.subset_hook_caller(
                "fsbench_strategies", [p for p in self._manager.get_plugins() if p is not module]
            )
            classes = [cls for group in hook() for cls in group]
            for cls in classes:
                self._check(cls, origin)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a stranger's import may raise anything
            self._forget(plugin)
            message = (
                str(error)
                if isinstance(error, PluginError | UnknownName)
                else f"{type(error).__name__}: {error}"
            )
            self.failures.append(LoadFailure(plugin, " ".join(message.split()), traceback.format_exc()))
            return
        for cls in classes:
            self.strategies[cls.name] = cls
            self.origin[cls.name] = origin

    def _forget(self, plugin: str) -> None:
        if self._manager.get_plugin(plugin) is not None:
            self._manager.unregister(name=plugin)

    def _check_hooks(self, module: object) -> None:
        callers = self._manager.get_hookcallers(module)
        if not callers:
            raise PluginError("nothing in it is marked with @fsbench.hookimpl")
        for caller in callers:
            if not caller.has_spec():
                raise UnknownName("hook", caller.name, _HOOKS)

    def _check(self, cls: Any, origin: tuple[str, str]) -> None:
        if not (isinstance(cls, type) and issubclass(cls, Strategy)):
            raise PluginError(f"fsbench_strategies returned {cls!r}; expected subclasses of fsbench.Strategy")
        if not NAME.fullmatch(cls.name):
            raise PluginError(f"{cls.__name__}.name is {cls.name!r}; expected a name such as 'focal'")
        if not ("__dataclass_params__" in vars(cls) and vars(cls)["__dataclass_params__"].frozen):
            raise PluginError(
                f"{cls.__name__} is not a frozen dataclass; put @dataclass(frozen=True) above it"
            )
        if not has_defaults(cls):
            missing = [f.name for f in dataclasses.fields(cls) if f.default is dataclasses.MISSING]
            raise PluginError(
                f"{cls.__name__}: {', '.join(missing)} has no default; every hyperparameter needs one"
            )
        if cls.name in self.strategies:
            raise PluginError(
                f"strategy {cls.name!r} of {origin[0]} is already taken by {self.origin[cls.name][0]}"
            )

    def parse(self, text: str) -> list[Composition]:
        """The strategies of comma-separated specs; `all` is every strategy on its own.

        Raises SpecError, UnknownName or ConflictError.
        """
        if text.strip() == "all":
            names = sorted(self.strategies, key=lambda name: (name != BASELINE, name))
            return [self.build(Sum((Call(name),))) for name in names]
        sums = [expanded for each in parse_list(text) for expanded in expand_sum(each)]
        found = [self.build(each) for each in sums]
        return list({composition.full_text: composition for composition in found}.values())

    def build(self, expression: Sum) -> Composition:
        """The strategy of one parsed spec."""
        components = []
        for call in expression.terms:
            if call.name not in self.strategies:
                raise UnknownName("strategy", call.name, self.strategies)
            components.append(from_call(self.strategies[call.name], call))
        origins = {c.name: self.origin[c.name][1] for c in components}
        sources = {name: each for name, each in origins.items() if each.startswith(UNPACKAGED)}
        return Composition(tuple(components), sources)

    def versions(self, composition: Composition) -> dict[str, str]:
        """The distributions that the components come from, with their versions."""
        return dict(sorted(self.origin[c.name] for c in composition.components))


def load_registry(extra_modules: Iterable[str] = ()) -> Registry:
    """A registry of every installed plugin and of the modules named."""
    registry = Registry()
    registry.load_entry_points()
    registry.load_modules(extra_modules)
    return registry


def _source_hash(module: object) -> str:
    """Eight digits of the SHA-256 of a module's source file; of a package, of all its source files."""
    place = Path(str(getattr(module, "__file__", None)))
    files = sorted(place.parent.rglob("*.py")) if hasattr(module, "__path__") else [place]
    found = hashlib.sha256()
    for file in files:
        found.update(f"{file.relative_to(place.parent).as_posix()}\0".encode())
        found.update(hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()[:8]


def extra_modules() -> list[str]:
    """The plugin modules that the environment variable FSBENCH_PLUGINS names."""
    return [name.strip() for name in os.environ.get(EXTRA_MODULES, "").split(",") if name.strip()]


@functools.cache
def get_registry() -> Registry:
    """The registry of this process, loaded once."""
    return load_registry(extra_modules())
