"""Builds strategies from specs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from fsbench.code import code_mark
from fsbench.composition import BASELINE, Composition
from fsbench.errors import SpecError, UnknownName, UsageError
from fsbench.families import groups, membership
from fsbench.recipes.catalogue import BACKBONES
from fsbench.sorts import Brought
from fsbench.spec import TUNED, Call, Sum, expand_sum, format_value, parse_call, parse_list
from fsbench.strategies import STRATEGIES
from fsbench.strategy import Strategy, backbone_fields, from_call, spec_fields, to_call


class StrategyBuilder:
    """Builds strategies from the classes and backbones in `brought`: what plugins bring, by hook and name."""

    def __init__(self, brought: dict[str, dict[str, Brought[Any]]]) -> None:
        self.brought = brought

    @property
    def strategies(self) -> dict[str, type[Strategy]]:
        """The strategies by name."""
        return {name: each.thing for name, each in self.brought[STRATEGIES.hook].items()}

    def parse(self, text: str) -> list[Composition]:
        """The strategies of comma-separated specs; a group such as `all` means each of its strategies alone.

        Raises SpecError, UnknownName or ConflictError.
        """
        found: list[Composition] = []
        for each in parse_list(text):
            if str(each) in groups():
                found += self._alone(membership(str(each)))
            else:
                found += self._built([each], groups())
        return _without_twins(found)

    def baselines(self) -> list[Composition]:
        """The strategies that run in every leaderboard (`Strategy.baseline`)."""
        return self._alone(lambda cls: cls.baseline)

    def _alone(self, wanted: Callable[[type[Strategy]], bool]) -> list[Composition]:
        """Some strategies, each by itself, with the baseline of all comparisons first."""
        names = [name for name, cls in self.strategies.items() if wanted(cls)]
        return [self.build(Sum((Call(name),))) for name in sorted(names, key=lambda n: (n != BASELINE, n))]

    def _built(
        self, expressions: Iterable[Sum], meant: Iterable[str] = (), inside: tuple[Strategy, ...] = ()
    ) -> list[Composition]:
        sums = [expanded for each in expressions for expanded in expand_sum(each)]
        return _without_twins([self.build(each, meant=meant, inside=inside) for each in sums])

    def build(
        self, expression: Sum, *, meant: Iterable[str] = (), inside: tuple[Strategy, ...] = ()
    ) -> Composition:
        """The strategy of one parsed spec; `meant` are other names that an unknown one may be meant for.

        `inside` are the strategies whose fields it is in.
        """
        components = []
        for call in expression.terms:
            if call.name == TUNED:
                raise SpecError(
                    f"{expression}: {TUNED}(...) is a whole row of a run, never a part of a sum, an argument "
                    f"or a baseline; write {TUNED}(a+b, n=8) among the strategies of `fsbench run`"
                )
            if call.name not in self.strategies:
                raise UnknownName("strategy", call.name, self.strategies, meant, listed=True)
            components.append(from_call(self.strategies[call.name], call))
        return self.compose(components, inside)

    def compose(self, components: Iterable[Strategy], inside: tuple[Strategy, ...] = ()) -> Composition:
        """The strategy of components; the specs in their fields are looked up and written canonically.

        Raises SpecError, UnknownName or ConflictError for the spec in a field.
        """
        found: list[Strategy] = []
        members: dict[tuple[str, str], Composition] = {}
        for given in components:
            component, named = self._with_members(given, inside)
            members |= {(component.name, each.text): each for each in named}
            found.append(component)
        marks = {c.name: "#".join(filter(None, self._marks(c))) for c in found}
        return Composition(tuple(found), {name: mark for name, mark in marks.items() if mark}, members)

    def _with_members(
        self, component: Strategy, inside: tuple[Strategy, ...]
    ) -> tuple[Strategy, list[Composition]]:
        """A component with canonical texts in the fields that name strategies, and these strategies."""
        if component in inside:
            raise SpecError(f"{to_call(component)} is in a field of itself; name other strategies there")
        members: list[Composition] = []
        for name in spec_fields(component):
            text = getattr(component, name)
            try:
                named = self._built(parse_list(text), inside=(*inside, component))
            except UsageError as error:
                error.args = (f"{component.name}({name}={format_value(text)}): {error}",)
                raise
            component = dataclasses.replace(component, **{name: ", ".join(each.text for each in named)})
            members += named
        return component, members

    def _marks(self, component: Strategy) -> Iterator[str]:
        """The marks of a component's code and of the backbones that its fields name."""
        yield self._strategy_mark(component.name)
        for name in filter(None, (getattr(component, field) for field in backbone_fields(component))):
            found = self.brought[BACKBONES.hook].get(parse_call(name).name)
            if found is not None:
                modules = {found.module, found.thing.make.partition(":")[0]}
                yield code_mark(name, found.thing.results_version, found.origin, modules)

    def _strategy_mark(self, name: str) -> str:
        """The mark of a strategy's code: of its package, and of those of the strategies that it builds on."""
        found = self.brought[STRATEGIES.hook].get(name)
        if found is None:
            return ""
        classes = [base for base in found.thing.__mro__ if issubclass(base, Strategy)]
        modules = {found.module, *(base.__module__ for base in classes)} - {Strategy.__module__}
        # A results_version of a base class is about the results of that class only.
        declared = vars(found.thing).get("results_version", "")
        return code_mark(name, declared, found.origin, modules)


def _without_twins(compositions: Iterable[Composition]) -> list[Composition]:
    return list({composition.full_text: composition for composition in compositions}.values())
