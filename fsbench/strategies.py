"""The strategies by name, and the checks of a class when its plugin is loaded."""

from __future__ import annotations

import difflib
import inspect
import typing
from collections.abc import Collection, Set
from dataclasses import Field, fields
from types import CodeType
from typing import Any

from fsbench.code import check_version
from fsbench.declared import check_uses
from fsbench.errors import PluginError, SpecError, UnknownName
from fsbench.families import FAMILIES
from fsbench.params import is_range, tune_range
from fsbench.sorts import Sort
from fsbench.spec import Call, can_be_written, expand, parse_call, type_options
from fsbench.stages import STAGES
from fsbench.strategy import Strategy, checked_value, overrides, to_call, without_default

_NEAR = 0.85
_SETS = ("uses", "kinds", "replaces", "yields")


def check_kinds(cls: type[Strategy], known: Collection[str]) -> None:
    """Raise PluginError if `kinds` names a kind of samples that is not among the known ones."""
    for kind in sorted((cls.kinds or frozenset()).difference(known)):
        raise PluginError(f"{cls.__name__}.kinds: {UnknownName('kind', kind, known)}")


def _check_stages(cls: type[Strategy]) -> None:
    """Raise PluginError for a stage with other arguments, or a class with nearly the name of one instead."""
    changed = [stage for stage in STAGES if overrides(cls, stage)]
    for stage in changed:
        takes, wanted = (list(inspect.signature(getattr(of, stage)).parameters) for of in (cls, Strategy))
        try:
            inspect.signature(getattr(cls, stage)).bind(*wanted)
        except TypeError:
            raise PluginError(
                f"{cls.__name__}.{stage} takes ({', '.join(takes)}); expected ({', '.join(wanted)})"
            ) from None
    others = [stage for stage in STAGES if stage not in changed]
    for name in _idle_names(cls):
        # A class with some stage may well have a method whose name is a little like one.
        cutoff = _NEAR if changed else 0.6
        if inspect.isfunction(getattr(cls, name)) and (near := _nearest(name, others, cutoff)):
            raise PluginError(
                f"{cls.__name__} overrides no stage {near!r}; it has a method {name!r}: did you mean "
                f"{near!r}?"
            )


def _check_names(cls: type[Strategy]) -> None:
    """Raise PluginError for an attribute with nearly the name of one that Strategy has."""
    others = [name for name in dir(Strategy) if not name.startswith("_") and name not in STAGES]
    others = [name for name in others if _static(cls, name) is _static(Strategy, name)]
    for name in _idle_names(cls):
        if near := _nearest(name, others, _NEAR):
            raise PluginError(f"{cls.__name__} has {name!r}, which nothing reads; did you mean {near!r}?")


def _static(cls: type[Strategy], name: str) -> Any:
    return inspect.getattr_static(cls, name)


def _nearest(name: str, others: Collection[str], cutoff: float) -> str | None:
    return next(iter(difflib.get_close_matches(name, others, n=1, cutoff=cutoff)), None)


def _idle_names(cls: type[Strategy]) -> list[str]:
    """The public attributes of a class that Strategy lacks and its own functions do not name; no fields."""
    members = [value for base in cls.__mro__ if base is not Strategy for value in vars(base).values()]
    functions = [value.fget if isinstance(value, property) else value for value in members]
    named = {name for each in functions if inspect.isfunction(each) for name in _names(each.__code__)}
    own = {name for name in dir(cls) if not (hasattr(Strategy, name) or name.startswith("_"))}
    return sorted(own - named - {f.name for f in fields(cls)})


def _names(code: CodeType) -> set[str]:
    inner = (each for each in code.co_consts if isinstance(each, CodeType))
    return set(code.co_names).union(*map(_names, inner))


def _check_strategy(cls: Any) -> None:
    if not (isinstance(cls, type) and issubclass(cls, Strategy)):
        raise PluginError(f"fsbench_strategies returned {cls!r}; expected subclasses of fsbench.Strategy")
    if not ("__dataclass_params__" in vars(cls) and vars(cls)["__dataclass_params__"].frozen):
        raise PluginError(f"{cls.__name__} is not a frozen dataclass; put @dataclass(frozen=True) above it")
    if cls.family and cls.family not in FAMILIES:
        raise PluginError(f"{cls.__name__}: {UnknownName('family', cls.family, FAMILIES)}")
    if taken := ", ".join(f.name for f in fields(cls) if hasattr(Strategy, f.name)):
        raise PluginError(
            f"{cls.__name__}: every strategy has {taken}, no hyperparameter; leave out the annotation, or "
            "choose another name"
        )
    for attribute in (*_SETS, "content_hash"):
        if inspect.isfunction(_static(cls, attribute)):
            raise PluginError(f"{cls.__name__}.{attribute} is a method; put @property above it")
    for attribute in _SETS:
        _check_set(cls, attribute)
    _check_stages(cls)
    _check_names(cls)
    if missing := ", ".join(without_default(cls)):
        raise PluginError(
            f"{cls.__name__}: {missing} has no default; every hyperparameter needs one, by its value and not "
            "by a default_factory"
        )
    _check_fields(cls)
    _check_types(cls)
    _check_post_init(cls)
    check_version(cls.name, cls.results_version)
    try:
        strategy = cls()
    except Exception as error:
        raise PluginError(
            f"{cls.__name__}() raises {type(error).__name__}: {error}; mend its defaults"
        ) from error
    check_uses(strategy)
    _check_named_stages(strategy)
    _check_tuned(cls)
    _check_text(strategy)


def _check_fields(cls: type[Strategy]) -> None:
    """Raise PluginError for a hyperparameter that cannot be given, or a default that dataclasses overlook."""
    for f in fields(cls):
        if not f.init:
            raise PluginError(
                f"{cls.__name__}.{f.name} has init=False, so no text can set it; leave that out"
            )
        owner = next((base for base in cls.__mro__ if f.name in vars(base)), cls)
        if f.name not in inspect.get_annotations(owner):
            raise PluginError(
                f"{owner.__name__}.{f.name} has a value but no annotation, so the inherited default stays; "
                f"write {f.name}: {_type_name(f)} = ..."
            )


def _type_name(f: Field[Any]) -> str:
    return f.type if isinstance(f.type, str) else inspect.formatannotation(f.type)


def _check_text(strategy: Strategy) -> None:
    """Raise PluginError for hyperparameters whose names or defaults cannot be read back from a spec."""
    arguments = Call("strategy", (), to_call(strategy, full=True).kwargs)
    try:
        expand(parse_call(str(arguments)))
    except SpecError as error:
        raise PluginError(
            f"{type(strategy).__name__}: its arguments cannot be written as a text ({error}); change their "
            "names or defaults"
        ) from None


def _check_types(cls: type[Strategy]) -> None:
    """Raise PluginError for a hyperparameter whose values cannot be written in a spec."""
    hints = typing.get_type_hints(cls)
    for f in fields(cls):
        if not can_be_written(hints[f.name]):
            raise PluginError(
                f"{cls.__name__}.{f.name} is annotated {inspect.formatannotation(hints[f.name])}; expected "
                "bool, int, float, str, Literal[...], tuple[int, ...], or several of these or None by `|`"
            )


def _check_post_init(cls: type[Strategy]) -> None:
    """Raise PluginError for a `__post_init__` that never calls the one which checks the arguments."""
    for base in cls.__mro__[: cls.__mro__.index(Strategy)] if fields(cls) else ():
        own = vars(base).get("__post_init__")
        if inspect.isfunction(own) and "__post_init__" not in _names(own.__code__):
            raise PluginError(
                f"{base.__name__}.__post_init__ leaves the arguments unchecked; call super().__post_init__() "
                "in it first"
            )


def _check_named_stages(strategy: Strategy) -> None:
    """Raise PluginError if `replaces`, `yields` or `param(..., stage=)` names no stage."""
    named = {name: getattr(strategy, name) for name in ("replaces", "yields")}
    named |= {f.name: {f.metadata["stage"]} for f in fields(strategy) if f.metadata.get("stage")}
    for name, stages in named.items():
        for stage in sorted((stages or frozenset()) - STAGES.keys()):
            raise PluginError(f"{type(strategy).__name__}.{name}: {UnknownName('stage', stage, STAGES)}")


def _check_tuned(cls: type[Strategy]) -> None:
    """Raise PluginError for a range to tune that names a value which its field does not allow."""
    hints = typing.get_type_hints(cls)
    for f in fields(cls):
        listed = any(typing.get_origin(each) is typing.Literal for each in type_options(hints[f.name]))
        if listed and is_range(f):
            raise PluginError(
                f"{cls.__name__}.{f.name}: tune is {tune_range(f)}, which means all numbers between; list "
                f"the values as choices={tune_range(f)} too"
            )
        for value in tune_range(f):
            try:
                checked_value(cls.name, f, value, hints[f.name])
            except SpecError as error:
                raise PluginError(
                    f"{cls.__name__}.{f.name}: tune is {tune_range(f)}, but {error}; change tune or the "
                    "annotation"
                ) from None


def _check_set(cls: type[Strategy], attribute: str) -> None:
    """Raise PluginError for an attribute that is neither a set nor computed, such as a property."""
    value = _static(cls, attribute)
    if isinstance(value, str):
        raise PluginError(f"{cls.__name__}.{attribute} is {value!r}; expected a set: {{{value!r}}}")
    if not (value is None or isinstance(value, Set) or hasattr(value, "__get__")):
        raise PluginError(f"{cls.__name__}.{attribute} is {value!r}; expected a set of names")


STRATEGIES: Sort[type[Strategy]] = Sort(
    "strategy", "fsbench_strategies", _check_strategy, lambda cls: cls.name
)
