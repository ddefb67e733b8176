"""Checks of what a strategy declares; nothing is run."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
from typing import Any

from fsbench.composition import BASELINE
from fsbench.declared import content_hash
from fsbench.errors import DataError, SpecError
from fsbench.kinds import kind_names
from fsbench.spec import NAME, expand, parse, parse_call
from fsbench.stages import STAGES
from fsbench.strategy import USES, Strategy, from_call, overrides, to_call, without_default
from fsbench.testing.demands import require, require_text


def constructs(strategy: Strategy) -> None:
    """It is a frozen dataclass with a name, and every hyperparameter has a default."""
    cls = type(strategy)
    params = vars(cls).get("__dataclass_params__")
    require(params and params.frozen, f"{cls.__name__} lacks @dataclass(frozen=True)")
    require(NAME.fullmatch(cls.name), f"name = {cls.name!r}; expected a name such as 'focal'")
    require(not without_default(cls), "a hyperparameter has no default")
    cls()


def documented(strategy: Strategy) -> None:
    """It has its own docstring and cites its source; neither is a template's `TODO`."""
    doc = (inspect.getdoc(type(strategy)) or "") if "__doc__" in vars(type(strategy)) else ""
    generated = f"{type(strategy).__name__}("
    require(doc and not doc.startswith(generated), "the class has no docstring")
    require(strategy.cite.strip(), "cite is empty; name the paper or the library that it comes from")
    require_text("docstring", doc)
    require_text("cite", strategy.cite)


def declared(strategy: Strategy) -> None:
    """`uses`, `kinds` and `replaces` name things that exist, `content_hash` is a text; it changes a stage."""
    stages = [(name, STAGES) for name in ("replaces", "yields")]
    for attribute, known in (("uses", USES), ("kinds", kind_names()), *stages):
        wrong = sorted((getattr(strategy, attribute) or frozenset()).difference(known))
        require(not wrong, f"{attribute} names {wrong}; known: {', '.join(sorted(known))}")
    with contextlib.suppress(DataError):  # a file that is missing here
        content_hash(strategy)
    require(strategy.kinds != frozenset(), "kinds is empty; leave it out, or name the kinds of samples")
    owned = strategy.replaces | strategy.yields
    idle = sorted(stage for stage in owned if not overrides(strategy, stage))
    require(not idle, f"replaces or yields names {idle}, which it does not override")
    changed = [stage for stage in STAGES if overrides(strategy, stage)]
    require(changed or strategy.name == BASELINE, "it overrides no stage")


def round_trips(strategy: Strategy) -> None:
    """Its short and its full text read back as itself."""
    for full in (False, True):
        text = str(to_call(strategy, full))
        (call,) = expand(parse_call(text))
        again = from_call(type(strategy), call)
        same = again == strategy and str(to_call(again, full=True)) == str(to_call(strategy, full=True))
        require(same, f"{text} reads back as {to_call(again, full=True)}")
        require(str(parse(text)) == text, f"{text} is not canonical")


def bounded(strategy: Strategy) -> str | None:
    """Every hyperparameter accepts its bounds and choices, and refuses values beyond them."""
    tried = 0
    for f in dataclasses.fields(strategy):
        low, high = f.metadata.get("low"), f.metadata.get("high")
        several = isinstance(getattr(strategy, f.name), tuple)
        inside = [*(f.metadata.get("choices") or ()), *(v for v in (low, high) if v is not None)]
        for value in inside:
            dataclasses.replace(strategy, **{f.name: (value,) if several and value in (low, high) else value})
        outside = ([low - 1] if low is not None else []) + ([high + 1] if high is not None else [])
        for value in outside:
            require(
                _refused(strategy, f.name, (value,) if several else value),
                f"{f.name}={value} is accepted although it is beyond the bound",
            )
        tried += len(inside)
    return None if tried else "no hyperparameter has bounds"


def _refused(strategy: Strategy, name: str, value: Any) -> bool:
    try:
        dataclasses.replace(strategy, **{name: value})
    except SpecError:
        return True
    return False
