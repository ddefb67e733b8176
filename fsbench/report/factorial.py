"""The factorial of the components of a sum: every subset of them, and the weights of Shapley values."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fsbench.composition import BASELINE
from fsbench.errors import ConflictError, UsageError
from fsbench.registry import Registry
from fsbench.spec import Call, expand_sum, parse
from fsbench.words import plural

Subset = frozenset[int]
"""The places of some components."""
MOST = 5


@dataclass(frozen=True)
class Factorial:
    """The components of a sum, and the spec of each subset of them, the smaller ones first.

    Subsets that cannot be composed are in `conflicts`, with the reason, instead of in `specs`.
    """

    components: tuple[str, ...]
    specs: Mapping[Subset, str]
    conflicts: Mapping[Subset, str]

    @property
    def whole(self) -> Subset:
        """All components."""
        return frozenset(range(len(self.components)))

    def names(self, places: Sequence[int] | Subset) -> tuple[str, ...]:
        """The components at some places."""
        return tuple(self.components[place] for place in sorted(places))


def factorial(text: str, registry: Registry) -> Factorial:
    """The factorial of the terms of a sum, at least two and at most five; strategies as arguments stay whole.

    Raises UsageError for another number of terms or for several sums, and what `Registry.parse` raises.
    """
    (whole, *others) = expand_sum(parse(text))
    if others:
        raise UsageError(f"{text}: expected one sum, got {len(others) + 1}; give each argument one value")
    terms = [term for term in whole.terms if term.name != BASELINE]
    components = [_canonical(registry, [term]) for term in terms]
    if twice := [
        term.name for place, term in enumerate(terms) if term.name in {t.name for t in terms[:place]}
    ]:
        raise ConflictError(f"{text}: {twice[0]} is named twice; use it once in a sum")
    if not 2 <= len(terms) <= MOST:
        raise UsageError(
            f"{text} has {plural(len(terms), 'component')} besides {BASELINE}; expected 2 to {MOST}, such as "
            "a+b+c, because all sums of them are run"
        )
    specs, conflicts = {}, {}
    for subset in _subsets(len(terms)):
        try:
            specs[subset] = _canonical(registry, [terms[place] for place in sorted(subset)])
        except ConflictError as error:
            conflicts[subset] = str(error)
    return Factorial(tuple(components), specs, conflicts)


def _canonical(registry: Registry, terms: Sequence[Call]) -> str:
    text = "+".join(map(str, terms)) or BASELINE
    found = registry.parse(text)
    if len(found) != 1:
        several = plural(len(found), "strategy")
        raise UsageError(f"{text} names {several}; expected a sum of single ones: a+b+c")
    return found[0].text


def _subsets(count: int) -> Iterator[Subset]:
    """All subsets of so many places, the smaller ones first."""
    for size in range(count + 1):
        yield from map(frozenset, itertools.combinations(range(count), size))


def shapley(count: int, place: int) -> dict[Subset, float]:
    """The weights of all subsets' scores in the Shapley value of a component.

    It is what the component adds to the components before it, averaged over all their orders (Shapley 1953,
    "A value for n-person games").
    """
    return _index(count, (place,))


def interaction(count: int, first: int, second: int) -> dict[Subset, float]:
    """The weights of all subsets' scores in the interaction of two components.

    It is the Shapley interaction index (Grabisch & Roubens 1999, "An axiomatic approach to the concept of
    interaction among players in cooperative games"): what both add together beyond what each adds alone,
    averaged over what is there already. For a sum of two it is their effect in a 2 x 2 factorial.
    """
    return _index(count, (first, second))


def _index(count: int, places: tuple[int, ...]) -> dict[Subset, float]:
    """The weights of the difference by all of some places at once, averaged over the sets of the others."""
    others, weights = [place for place in range(count) if place not in places], {}
    for size in range(len(others) + 1):
        average = 1 / ((len(others) + 1) * math.comb(len(others), size))
        for before in itertools.combinations(others, size):
            for part in _subsets(len(places)):
                added = frozenset(before) | {places[each] for each in part}
                weights[added] = average * (-1.0) ** (len(places) - len(part))
    return weights
