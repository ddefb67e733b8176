"""Loads plugins, and lists those that could not be loaded."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import os
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import pluggy

from fsbench import __version__, builtin, hookspecs
from fsbench.building import StrategyBuilder
from fsbench.code import UNPACKAGED, source_hash
from fsbench.datasets.known import DATASETS
from fsbench.errors import FsbenchError, PluginError, UnknownName, UsageError
from fsbench.families import groups
from fsbench.given_classes import check_importable, import_class
from fsbench.importing import importing
from fsbench.kinds import KINDS
from fsbench.metrics import METRICS
from fsbench.recipes.catalogue import BACKBONES
from fsbench.sorts import HOUSE, Brought, Origin, Sort
from fsbench.spec import NAME, TUNED
from fsbench.strategies import STRATEGIES, check_kinds
from fsbench.strategy import Strategy, to_call
from fsbench.tasks.protocols import PROTOCOLS
from fsbench.tasks.suites import SUITES

GROUP = "fsbench"
EXTRA_MODULES = "FSBENCH_PLUGINS"
_HOOKS = [name for name in vars(hookspecs) if name.startswith("fsbench_")]


SORTS: tuple[Sort[Any], ...] = (STRATEGIES, KINDS, DATASETS, PROTOCOLS, BACKBONES, METRICS, SUITES)
"""Every sort of thing in plugins, in the order of listing."""


@dataclass(frozen=True)
class LoadFailure:
    """A plugin that could not be loaded: its name, the reason in one line, and the traceback."""

    plugin: str
    message: str
    traceback: str = ""

    @property
    def said(self) -> str:
        """The plugin and the reason in one line."""
        return f"plugin {self.plugin} could not be loaded: {self.message}"


class Registry(StrategyBuilder):
    """What the loaded plugins bring, by hook and name; `failures` lists those that could not be loaded.

    `modules` names what was loaded in addition to the installed plugins, as `load_modules` takes it.

    The core's own plugin is always loaded. The version of a module outside any distribution is computed from
    its source: `unpackaged+1a2b3c4d`.
    """

    def __init__(self) -> None:
        super().__init__({sort.hook: {} for sort in SORTS})
        self.failures: list[LoadFailure] = []
        self.modules: list[str] = []
        self._loaded: dict[str, list[tuple[Sort[Any], str, Brought[Any]]]] = {}
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(hookspecs)
        self.load(f"{HOUSE}:core", lambda: builtin, (HOUSE, __version__))

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

    def packages(self) -> set[str]:
        """The names of the packages, or modules outside any, that plugins come from."""
        modules = [
            type(self).__module__,
            *(each.module for m in self.brought.values() for each in m.values()),
        ]
        return {module.partition(".")[0] for module in modules}

    def brought_by(self, plugin: str) -> list[tuple[Sort[Any], str, Brought[Any]]]:
        """What a plugin brought; it is named by its distribution, its entry point, or its module."""
        return [
            each
            for name, found in self._loaded.items()
            for each in found
            if plugin in (*name.split(":"), each[2].module)
        ]

    @property
    def origin(self) -> dict[str, Origin]:
        """Where each strategy comes from, by its name."""
        return {name: each.origin for name, each in self.brought[STRATEGIES.hook].items()}

    def load_entry_points(self) -> None:
        """Load every installed plugin; one that fails is listed and does not affect the others."""
        found = {(e.name, e.value): e for e in metadata.entry_points(group=GROUP)}
        for _, entry in sorted(found.items()):
            dist = entry.dist
            origin = (dist.name, dist.version) if dist else (entry.value, "unknown")
            self.load(f"{origin[0]}:{entry.name}", entry.load, origin)

    def load_modules(self, names: Iterable[str]) -> None:
        """Load plugin modules by name, as `FSBENCH_PLUGINS` gives them, or strategies as `module:Class`.

        Then plugins with a strategy for a kind of samples that no plugin brings are taken back.
        """
        for name in names:
            module, _, place = name.partition(":")
            import_it = functools.partial(import_class if place else importlib.import_module, name)
            self.load(name, import_it, (module, UNPACKAGED))
            self.modules.append(name)
        known = self.brought[KINDS.hook].keys() | KINDS.added.keys()
        self._refuse(lambda cls: check_kinds(cls, known))

    def refuse_wrong_members(self) -> None:
        """Take plugins back of which a strategy names others by default that do not exist."""
        self._refuse(lambda cls: self._with_members(cls(), ()))

    def spec(self, strategy: str | Strategy | type[Strategy]) -> str:
        """The spec of a strategy that is given as a text, an instance or a class.

        A class outside any plugin is loaded from its module, also by workers. Raises UsageError for something
        that is not a strategy or that workers cannot import, PluginError for an invalid class.
        """
        if isinstance(strategy, str):
            return strategy
        cls = strategy if isinstance(strategy, type) else type(strategy)
        if not issubclass(cls, Strategy):
            raise UsageError(
                f"{strategy!r} is not a strategy; give a spec, or a Strategy's class or instance"
            )
        self._take_class(cls)
        return str(to_call(strategy() if isinstance(strategy, type) else strategy))

    def _take_class(self, cls: type[Strategy]) -> None:
        strategies, place = self.brought[STRATEGIES.hook], f"{cls.__module__}:{cls.__qualname__}"
        known = strategies.get(cls.name)
        if known is not None and known.thing is cls:
            return
        check_importable(cls)
        if known is not None and f"{known.thing.__module__}:{known.thing.__qualname__}" == place:
            strategies[cls.name] = dataclasses.replace(known, thing=cls)  # its module was reloaded
            return
        failures = len(self.failures)
        self.load_modules([place])
        if len(self.failures) > failures:
            self.modules.remove(place)
            raise PluginError(self.failures.pop().message)

    def check_loaded(self) -> None:
        """Raise PluginError if a plugin could not be loaded."""
        if self.failures:
            raise PluginError("; ".join(f"plugin {f.plugin}: {f.message}" for f in self.failures))

    def load(self, plugin: str, importer: Callable[[], object], origin: tuple[str, str]) -> None:
        """Import one plugin and take everything that it brings, or nothing."""
        try:
            with importing(plugin):
                module = importer()
                if self._manager.is_registered(module):
                    return
                self._manager.register(module, name=plugin)
                self._check_hooks(module)
                found = list(self._gather(module, _origin(module, origin)))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a stranger's import may raise anything
            self._forget(plugin)
            message = (
                str(error)
                if isinstance(error, PluginError | UnknownName)
                else f"{type(error).__name__}: {error}"
            )
            self.failures.append(LoadFailure(plugin, " ".join(message.split()), traceback.format_exc()))
            return
        for sort, name, brought in found:
            self.brought[sort.hook][name] = brought
        self._loaded[plugin] = found

    def _refuse(self, check: Callable[[type[Strategy]], object]) -> None:
        """Take plugins back of which a strategy does not pass a check."""
        for plugin, found in list(self._loaded.items()):
            try:
                for cls in (brought.thing for sort, _, brought in found if sort is STRATEGIES):
                    check(cls)
            except FsbenchError as error:
                self._forget(plugin)
                for sort, name, _ in self._loaded.pop(plugin):
                    del self.brought[sort.hook][name]
                self.failures.append(LoadFailure(plugin, str(error), traceback.format_exc()))

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

    def _gather(self, module: object, origin: Origin) -> Iterator[tuple[Sort[Any], str, Brought[Any]]]:
        """What a plugin brings of each sort. Raises PluginError for an invalid entry."""
        others = [plugin for plugin in self._manager.get_plugins() if plugin is not module]
        for sort in SORTS:
            seen: set[str] = set()
            caller = self._manager.subset_hook_caller(sort.hook, others)
            returned = caller()
            if caller.get_hookimpls() and not returned:  # pluggy leaves None out
                raise PluginError(f"{sort.hook} returned None; expected a list: is its return missing?")
            for things in returned:
                if not isinstance(things, list | tuple):
                    raise PluginError(f"{sort.hook} returned {things!r}; expected a list")
                for thing in things:
                    name = self._checked_name(sort, thing, seen)
                    yield sort, name, Brought(thing, origin, _module_name(module))

    def _checked_name(self, sort: Sort[Any], thing: Any, seen: set[str]) -> str:
        sort.check(thing)
        name = sort.name_of(thing)
        if not (isinstance(name, str) and NAME.fullmatch(name)):
            shown = getattr(thing, "__name__", type(thing).__name__)
            raise PluginError(f"{shown}.name is {name!r}; expected a name such as 'focal'")
        if sort is STRATEGIES and name in (*groups(), TUNED):
            raise PluginError(f"no strategy can be named {name!r}, which has another meaning in specs")
        if name in seen:
            raise PluginError(f"{sort.hook} returned {name!r} twice; a name is for one {sort.noun}")
        seen.add(name)
        if name in (taken := self.brought[sort.hook]):
            owner = taken[name].origin.distribution
            raise PluginError(f"the {sort.noun} name {name!r} belongs to {owner}; choose another")
        return name


def _module_name(plugin: object) -> str:
    return str(getattr(plugin, "__name__", None) or type(plugin).__module__)


def _origin(module: object, origin: tuple[str, str]) -> Origin:
    if origin[1] != UNPACKAGED:
        return Origin(*origin)
    return Origin(origin[0], f"{UNPACKAGED}+{source_hash([_module_name(module)])}")


def load_registry(extra_modules: Iterable[str] = ()) -> Registry:
    """A registry of every installed plugin and of the modules named."""
    registry = Registry()
    registry.load_entry_points()
    registry.load_modules(extra_modules)
    registry.refuse_wrong_members()
    return registry


def extra_modules() -> list[str]:
    """The plugin modules that the environment variable FSBENCH_PLUGINS names."""
    return [name.strip() for name in os.environ.get(EXTRA_MODULES, "").split(",") if name.strip()]


_loading = threading.local()


@functools.cache
def get_registry() -> Registry:
    """The registry of this process, loaded once. Raises PluginError if it is requested while it loads."""
    if getattr(_loading, "now", False):
        raise PluginError(
            "it asks for the contents of plugins while they are being loaded; ask inside a function"
        )
    _loading.now = True
    try:
        return load_registry(extra_modules())
    finally:
        _loading.now = False


def load_here(modules: Iterable[str]) -> Registry:
    """Load the installed plugins and these modules as the registry of this process, for a worker."""
    os.environ[EXTRA_MODULES] = ",".join(modules)
    get_registry.cache_clear()
    return get_registry()


def brought(sort: Sort[Any]) -> Mapping[str, Brought[Any]]:
    """The entries of one sort in the plugins of this process, by name."""
    return get_registry().brought[sort.hook]
