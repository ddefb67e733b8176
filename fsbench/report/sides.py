"""The two sides of a comparison: the records that each stands for, and both together, like with like."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from fsbench.code import marks_of
from fsbench.columns import Columns, Shared, both
from fsbench.errors import SpecError, UnknownName
from fsbench.evidence import Evidence
from fsbench.report.names import canonical, identity, strategy_names
from fsbench.report.one_version import is_installed, of_one_measure, of_one_version
from fsbench.spec import parse_list
from fsbench.tuning.tuned import row_name

LETTERS = "A", "B"


@dataclass(frozen=True)
class Side:
    """One side: its title, its records, of one version of each strategy, and what was left out of them.

    `only` is the name of the strategy that was asked for, "" if all were. `remarks` are about what is
    compared.
    """

    title: str
    columns: Columns
    only: str = ""
    left_out: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @cached_property
    def names(self) -> dict[str, list[Shared]]:
        """What the records of each strategy share, by its name: `focal`, `tuned(focal, n=4)`."""
        found: dict[str, list[Shared]] = defaultdict(list)
        for shared in self.columns.shared:
            found[_row_name(shared)].append(shared)
        return dict(found)

    def full_spec(self, name: str) -> str:
        """What identifies a strategy of this side, with the marks of its code."""
        return identity(self.names[name][0])


def _row_name(shared: Shared) -> str:
    return row_name(shared.spec, shared.tuning)


def side(title: str, columns: Columns, metric: str, text: str | None = None) -> Side:
    """The side of all strategies in some records, or of what a text names.

    The text is that of a strategy, `focal` or `tuned(focal, n=4)`; of a version of its code,
    `focal#code+1a2b3c4d`, where nothing after the `#` stands for code without a mark, or `focal [1a2b3c4d]`,
    as tables have it; or only such a mark, for all strategies of this version. The hash of a mark is enough.
    Without a version it is the installed one, or else the newest. Raises UnknownName if there are no such
    records.
    """
    only = ""
    if text is not None:
        columns, only = _named(columns, text)
    by_tuning: dict[str, list[Shared]] = defaultdict(list)
    for shared in columns.shared:
        by_tuning[shared.tuning].append(shared)
    kept: set[Shared] = set()
    lines: list[str] = []
    for several in by_tuning.values():
        some = set(several)
        found, said = of_one_version(columns.select([s in some for s in columns.shared]), of_spec=True)
        kept |= set(found.shared)
        lines += said
    columns, said = of_one_measure(columns.select([s in kept for s in columns.shared]), metric)
    other = {_row_name(shared) for shared in columns.shared if shared.full_spec and not is_installed(shared)}
    remarks = [f"these are not the installed versions: {', '.join(sorted(other))}"] if other else []
    return Side(title, columns, only, (*lines, *said), () if text and "#" in text else tuple(remarks))


def _named(columns: Columns, text: str) -> tuple[Columns, str]:
    """The records that a text names, and the name of the strategy if it is one. Raises UnknownName."""
    names, marks = [_row_name(s) for s in columns.shared], [marks_of(identity(s)) for s in columns.shared]
    shown = strategy_names(columns.shared)
    in_table = [shown[identity(s)] == text != s.spec for s in columns.shared]
    if any(in_table):
        return columns.select(in_table), names[in_table.index(True)]
    if any(_is_among(text, each) for each in marks):
        return columns.select([_is_among(text, each) for each in marks]), ""
    spec, hashed, mark = text.partition("#")
    name = _as_recorded(spec, names)
    of_name = [each == name for each in names]
    chosen = [
        ours and (not hashed or (_is_among(mark, own) if mark else not own))
        for ours, own in zip(of_name, marks, strict=True)
    ]
    if any(chosen):
        return columns.select(chosen), name
    if any(of_name):
        known = {own for ours, each in zip(of_name, marks, strict=True) if ours for own in each or [""]}
        raise UnknownName("version with results:", text, sorted(f"{name}#{each}" for each in known))
    versions = {shown[identity(s)] for s in columns.shared} - {s.spec for s in columns.shared}
    raise UnknownName("strategy or version with results:", text, {*names, *versions})


def _is_among(mark: str, marks: Sequence[str]) -> bool:
    """Whether a mark, which may be only its hash, is among some marks."""
    return any(mark in (each, each.partition("+")[2]) for each in marks)


def _as_recorded(text: str, known: Iterable[str]) -> str:
    """The name of a strategy as records have it: `focal` for `focal()`; the text if it is no strategy."""
    try:
        return text if text in known else ", ".join(canonical(text))
    except SpecError:
        return text


def with_strategies(one: Side, specs: str) -> Side:
    """The side with only some strategies, separated by commas. Raises UnknownName for one without records."""
    wanted = {_as_recorded(str(each), one.names) for each in parse_list(specs)}
    for name in wanted - one.names.keys():
        raise UnknownName(f"strategy with results in {one.title}:", name, one.names)
    return replace(one, columns=one.columns.select([_row_name(s) in wanted for s in one.columns.shared]))


def key_of(letter: str, name: str) -> str:
    """The name of a side's strategy among the records of both sides."""
    return f"{letter}:{name}"


def together(sides: Sequence[Side]) -> tuple[Columns, list[str]]:
    """The records of two sides as those of one table, in which each strategy has the name `key_of`.

    Splits that are not the same on both sides are left out; a line says so.
    """
    prints = [_fingerprints(each.columns) for each in sides]
    unlike = {place for place in prints[0].keys() & prints[1].keys() if prints[0][place] != prints[1][place]}
    first, second = (
        _marked(_without(each.columns, unlike), letter) for each, letter in zip(sides, LETTERS, strict=True)
    )
    evidence = _evidence([each.columns.evidence for each in sides])
    return both(first, second, evidence), _said(unlike, prints)


def _fingerprints(columns: Columns) -> dict[tuple[str, int], str]:
    """The fingerprint of each task's splits, by task and split seed, where it is known."""
    return {(shared.task, seed): found for shared, seed, found in columns.splits() if found}


def _without(columns: Columns, places: set[tuple[str, int]]) -> Columns:
    """The records of other splits than those at some places."""
    if not places:
        return columns
    seeds = {task: [seed for other, seed in places if other == task] for task, _ in places}
    rows = np.ones(len(columns), dtype=bool)
    for code, shared in enumerate(columns.shared):
        if shared.task in seeds:
            rows &= ~((columns.code == code) & np.isin(columns.split_seed, seeds[shared.task]))
    return columns.only(rows)


def _marked(columns: Columns, letter: str) -> Columns:
    """The records of a side, with names and keys that the other side does not have."""
    names = [key_of(letter, _row_name(each)) for each in columns.shared]
    shared = tuple(
        each._replace(spec=name, full_spec=name, tuning="")
        for each, name in zip(columns.shared, names, strict=True)
    )
    return replace(columns, shared=shared, key=np.char.add(letter.encode(), columns.key))


def _evidence(sides: Sequence[Evidence]) -> Evidence:
    """The evidence of both sides, for keys that begin with their letters."""

    def influences(metric: str, keys: Sequence[str]) -> Mapping[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        for letter, each in zip(LETTERS, sides, strict=True):
            own = [key[1:] for key in keys if key.startswith(letter)]
            found |= {letter + key: values for key, values in each.influences(metric, own).items()}
        return found

    return Evidence({**sides[0].drawn, **sides[1].drawn}, influences)


def _said(unlike: set[tuple[str, int]], prints: Sequence[Mapping[tuple[str, int], str]]) -> list[str]:
    """A line for each task with other splits on the two sides."""
    lines = []
    for task in sorted({task for task, _ in unlike}):
        seeds = sorted(seed for other, seed in unlike if other == task)
        first, second = (each[task, seeds[0]][:12] for each in prints)
        which = ", ".join(map(str, seeds))
        lines.append(
            f"{task}, split {which}: other data or another way of drawing (split {seeds[0]} has the "
            f"fingerprint {first} in A and {second} in B)"
        )
    return lines
