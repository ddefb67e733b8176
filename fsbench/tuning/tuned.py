"""What a search is asked for, by the options of a run or by a row of its own such as `tuned(erm, n=8)`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from fsbench.composition import Composition
from fsbench.errors import SpecError, UnknownName, UsageError
from fsbench.registry import Registry
from fsbench.spec import TUNED, Call, Sum, Value, coerce, expand, format_value, parse_call, parse_list
from fsbench.tuning.criteria import CRITERIA
from fsbench.tuning.samplers import RANDOM_FIRST, SAMPLERS


@dataclass(frozen=True)
class Tuning:
    """A search among `n` configurations, all but the first drawn by a `sampler`.

    They are compared as the protocol of a task does or, where no label of the target is known, by a
    `criterion` if one is named. The text of a search is `tuning(n=8)`, with other arguments where they differ
    from their defaults; the text "" stands for no search. Raises SpecError or UsageError for a wrong
    argument, UnknownName for an unknown sampler or criterion.
    """

    n: int = 8
    sampler: str = "random"
    criterion: str = ""

    def __post_init__(self) -> None:
        for name, kind in (("n", int), ("sampler", str), ("criterion", str)):
            given = getattr(self, name)
            coerce(f"tuning({name}={format_value(given)})", given, kind)
        if self.n < 1:
            raise UsageError(f"tuning over {self.n} configurations; expected at least 1")
        if self.sampler not in SAMPLERS:
            raise UnknownName("sampler", self.sampler, SAMPLERS)
        if self.criterion and self.criterion not in CRITERIA:
            raise UnknownName("criterion", self.criterion, CRITERIA)

    def __str__(self) -> str:
        return str(Call("tuning", (), (("n", self.n), *((k, v) for k, v in self._given() if k != "n"))))

    @classmethod
    def read(cls, text: str) -> Tuning:
        """The search of a text."""
        known: dict[str, Any] = parse_call(text).keywords
        return cls(**known)

    @property
    def at_once(self) -> int:
        """How many configurations can be drawn before anything is known of them."""
        return self.n if self.sampler == "random" else min(self.n, RANDOM_FIRST)

    def row(self, strategy: str) -> str:
        """The name of the row of a strategy: `tuned(erm)`, with the arguments that are not the defaults."""
        return f"{TUNED}({', '.join([strategy, *(f'{k}={format_value(v)}' for k, v in self._given())])})"

    def _given(self) -> list[tuple[str, Value]]:
        """The arguments that differ from their defaults."""
        return [(f.name, getattr(self, f.name)) for f in fields(self) if getattr(self, f.name) != f.default]


def row_name(strategy: str, tuning: str) -> str:
    """The name of the row of a strategy, which says how it was tuned; `tuning` is the text of its search."""
    return Tuning.read(tuning).row(strategy) if tuning else strategy


def size_of(tuning: str) -> int:
    """The number of configurations of a search given as a text, 0 for none."""
    return Tuning.read(tuning).n if tuning else 0


def read_rows(registry: Registry, text: str, whole: Tuning | None = None) -> dict[str, list[Composition]]:
    """The strategies of comma-separated specs, by the text of the search that each row asks for.

    `erm, tuned(erm, n=8)` has two rows; with `whole`, every row is searched so. Raises SpecError, UnknownName
    or ConflictError for a wrong spec, UsageError if there are searches of both kinds.
    """
    specs: dict[str, list[str]] = {}
    for expression in parse_list(text):
        for tuning, spec in _rows(expression):
            if tuning and whole:
                raise UsageError(
                    f"{expression} and a search of all rows ({whole.n} configurations) are both asked for; "
                    "leave one of them out"
                )
            specs.setdefault(tuning or (str(whole) if whole else ""), []).append(spec)
    return {tuning: registry.parse(", ".join(several)) for tuning, several in specs.items()}


def _rows(expression: Sum) -> Iterator[tuple[str, str]]:
    """The text of the search, or "", and the spec, for each row that an expression stands for."""
    first = expression.terms[0]
    if len(expression.terms) > 1 or first.name != TUNED:
        yield "", str(expression)
        return
    known = [f.name for f in fields(Tuning)]
    if len(first.args) != 1 or not isinstance(first.args[0], str | Call | Sum):
        raise SpecError(f"{first}: expected one strategy, then {', '.join(known)}, as in {TUNED}(a+b, n=8)")
    for call in expand(first):
        for name in call.keywords:
            if name not in known:
                raise SpecError(f"{first}: {TUNED} has no argument {name!r}; it takes {', '.join(known)}")
        given: dict[str, Any] = call.keywords
        yield str(Tuning(**given)), str(first.args[0])
