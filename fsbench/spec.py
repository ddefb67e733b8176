"""The expression grammar that tasks, strategies, datasets and backbones share.

    expression := term ("+" term)*
    term       := NAME [ "(" [argument ("," argument)*] ")" ]
    argument   := [NAME "="] value
    value      := number | "text" | true | false | none | NAME | expression | "[" value, ... "]"

Nothing is evaluated. Every expression has one canonical text (`str`), and `parse(str(e)) == e`.
"""

from __future__ import annotations

import itertools
import math
import re
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from fsbench.errors import SpecError

TUNED = "tuned"
"""The name of rows that are searched, `tuned(erm, n=8)` (`fsbench.tuning`); no strategy has it."""

NAME = re.compile(r"[A-Za-z_]\w*(?:-\w+)*", re.ASCII)
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
    | (?P<name>[A-Za-z_]\w*(?:-\w+)*)
    | (?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<mark>[()\[\],=+])
    )""",
    re.VERBOSE | re.ASCII,
)
_WORD_END = re.compile(r"[\s,=()\[\]\"']")
_PATH = re.compile(r"(?=.*[./~\\])(?=.*[A-Za-z]).*")
_CONSTANTS = {"true": True, "false": False, "none": None}
_MAX_DEPTH = 20

Value: TypeAlias = "bool | int | float | str | tuple[Value, ...] | Call | Sum | None"


@dataclass(frozen=True)
class Call:
    """A name with arguments: `kshot(digits, k=5)`. Keyword arguments are kept sorted by name."""

    name: str
    args: tuple[Value, ...] = ()
    kwargs: tuple[tuple[str, Value], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "kwargs", tuple(sorted(self.kwargs, key=lambda item: item[0])))

    def __str__(self) -> str:
        parts = [format_value(v) for v in self.args]
        parts += [f"{name}={format_value(v)}" for name, v in self.kwargs]
        return f"{self.name}({', '.join(parts)})" if parts else self.name

    @property
    def keywords(self) -> dict[str, Value]:
        """The keyword arguments as a dictionary."""
        return dict(self.kwargs)


@dataclass(frozen=True)
class Sum:
    """Terms joined by `+`, in the order written."""

    terms: tuple[Call, ...]

    def __str__(self) -> str:
        return "+".join(map(str, self.terms))


def format_value(value: Value) -> str:
    """The canonical text of an argument."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(format_value, value))}]"
    if isinstance(value, str):
        bare = NAME.fullmatch(value) and value.lower() not in _CONSTANTS
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return value if bare else f'"{escaped}"'
    return str(value) if isinstance(value, Call | Sum) else repr(value)


def parse(text: str) -> Sum:
    """Parse one expression. Raises SpecError, which names the place of the fault."""
    (only,) = _parse_all(text, single=True)
    return only


def parse_call(text: str) -> Call:
    """Parse an expression that must be a single term (a task, a dataset, a backbone)."""
    terms = parse(text).terms
    if len(terms) != 1:
        raise SpecError(f"{text!r}: expected one term, got {len(terms)} joined by '+'")
    return terms[0]


def parse_list(text: str) -> list[Sum]:
    """Parse comma-separated expressions: `erm, transfer+focal(gamma=1)`."""
    return _parse_all(text, single=False)


def as_call(value: Value) -> Call:
    """Read an argument that names something: `digits` or `mnist5k(size=8)`."""
    if isinstance(value, Call):
        return value
    if isinstance(value, str) and NAME.fullmatch(value):
        return Call(value)
    raise SpecError(f"expected a name, got {format_value(value)}")


def expand(call: Call) -> list[Call]:
    """One call for each combination of the list-valued keyword arguments, in the order written."""
    choices = [
        [(name, item) for item in value] if isinstance(value, tuple) else [(name, value)]
        for name, value in call.kwargs
    ]
    return [Call(call.name, call.args, combination) for combination in itertools.product(*choices)]


def expand_sum(expression: Sum) -> list[Sum]:
    """One expression for each combination of list-valued keyword arguments of its terms."""
    return [Sum(terms) for terms in itertools.product(*map(expand, expression.terms))]


def specs(text: str) -> list[str]:
    """The canonical texts of comma-separated expressions, one for each item of a list. Raises SpecError."""
    found = [str(each) for expression in parse_list(text) for each in expand_sum(expression)]
    return list(dict.fromkeys(found))


def coerce(what: str, value: Value, hint: Any) -> Any:
    """Check an argument against its annotation; an int is accepted as a float. Raises SpecError.

    `tuple[X, ...]` accepts a list of X.
    """
    options = type_options(hint)
    for option in options:
        if option in (None, type(None)) and value is None:
            return None
        if typing.get_origin(option) is typing.Literal and value in typing.get_args(option):
            return value
        if typing.get_origin(option) is tuple and isinstance(value, tuple):
            return tuple(coerce(what, item, typing.get_args(option)[0]) for item in value)
        if option is float and isinstance(value, int | float) and not isinstance(value, bool):
            if math.isfinite(value):
                return float(value)
        elif (
            isinstance(option, type)
            and isinstance(value, option)
            and (option is bool or not isinstance(value, bool))
        ):
            return value
    expected = " or ".join(_describe(option) for option in options)
    raise SpecError(f"{what}: expected {expected}, got {format_value(value)}")


def type_options(hint: Any) -> tuple[Any, ...]:
    """The types that an annotation names: `(int, NoneType)` for `int | None`."""
    return typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)


def can_be_written(hint: Any) -> bool:
    """Whether values of a type can be arguments of an expression."""
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        return all(each is ... or can_be_written(each) for each in inside)
    if hint in (bool, int, float, str, tuple, None, type(None)) or origin is typing.Literal:
        return True
    return len(options := type_options(hint)) > 1 and all(map(can_be_written, options))


def _describe(hint: Any) -> str:
    if typing.get_origin(hint) is typing.Literal:
        return "one of " + ", ".join(map(str, typing.get_args(hint)))
    if typing.get_origin(hint) is tuple:
        return "a list in a list, such as [[1, 2]]: the outer list would mean several strategies"
    names = {float: "a number", int: "a whole number", bool: "true or false", str: "a name or text"}
    return names.get(hint, str(hint).replace("<class 'NoneType'>", "none"))


def _parse_all(text: str, single: bool) -> list[Sum]:
    parser = _Parser(text)
    found = [parser.sum()]
    while not single and parser.accept(","):
        found.append(parser.sum())
    parser.expect_end()
    return found


class _Parser:
    """Recursive descent over the tokens of one text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(_tokens(text))
        self.position = 0
        self.depth = 0

    def fail(self, expected: str) -> SpecError:
        kind, token, place = self.tokens[self.position]
        got = "the end" if kind == "end" else repr(token)
        return SpecError(f"cannot read {self.text!r}: expected {expected} at column {place + 1}, got {got}")

    def accept(self, mark: str) -> bool:
        kind, token, _ = self.tokens[self.position]
        found = kind == "mark" and token == mark
        self.position += found
        return found

    def expect(self, mark: str, expected: str) -> None:
        if not self.accept(mark):
            raise self.fail(expected)

    def expect_end(self) -> None:
        if self.tokens[self.position][0] != "end":
            raise self.fail("the end")

    def sum(self) -> Sum:
        terms = [self.term()]
        while self.accept("+"):
            terms.append(self.term())
        return Sum(tuple(terms))

    def name(self, expected: str) -> str:
        kind, token, _ = self.tokens[self.position]
        if kind != "name":
            raise self.fail(expected)
        self.position += 1
        return token

    def term(self) -> Call:
        name = self.name("a name")
        return self.arguments(name) if self.accept("(") else Call(name)

    def arguments(self, name: str) -> Call:
        args: list[Value] = []
        kwargs: dict[str, Value] = {}
        while not self.accept(")"):
            if args or kwargs:
                self.expect(",", "',' or ')'")
            keyword = self.keyword()
            if keyword is None and kwargs:
                raise self.fail("NAME=value (positional arguments come first)")
            if keyword in kwargs:
                raise SpecError(f"{self.text!r}: {keyword} is given twice")
            value = self.value()
            if keyword is None:
                args.append(value)
            else:
                kwargs[keyword] = value
        return Call(name, tuple(args), tuple(kwargs.items()))

    def keyword(self) -> str | None:
        kind, token, _ = self.tokens[self.position]
        if kind == "name" and self.tokens[self.position + 1][:2] == ("mark", "="):
            self.position += 2
            return token
        return None

    def value(self) -> Value:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise SpecError(f"cannot read {self.text[:60]!r}...: more than {_MAX_DEPTH} levels deep")
        value = self._value()
        self.depth -= 1
        return value

    def _value(self) -> Value:
        kind, token, _ = self.tokens[self.position]
        if kind == "number":
            self.position += 1
            return self.number(token)
        if kind == "quoted":
            self.position += 1
            return re.sub(r"\\(.)", r"\1", token[1:-1])
        if kind == "name":
            if token.lower() in _CONSTANTS:
                self.position += 1
                return _CONSTANTS[token.lower()]
            terms = self.sum().terms
            (term, *others) = terms
            return Sum(terms) if others else term if term.args or term.kwargs else term.name
        if self.accept("["):
            return self.items()
        raise self.fail("a value")

    def number(self, token: str) -> int | float:
        if not math.isfinite(float(token)):
            raise SpecError(f"cannot read {self.text[:60]!r}: {token[:20]} is out of range")
        return int(token) if re.fullmatch(r"[+-]?\d+", token) else float(token)

    def items(self) -> tuple[Value, ...]:
        items: list[Value] = []
        while not self.accept("]"):
            if items:
                self.expect(",", "',' or ']'")
            items.append(self.value())
        if not items:
            raise SpecError(f"{self.text!r}: an empty list would mean no task; give at least one value")
        return tuple(items)


def _quoting(text: str, place: int) -> str:
    """Advice to quote the word at a place, if it is an argument that looks like a path."""
    before, after = _WORD_END.split(text[:place])[-1], _WORD_END.split(text[place:].lstrip())[0]
    word = before + after
    inside = text[:place].count("(") > text[:place].count(")")
    return f'; write a path in quotes: "{word}"' if inside and _PATH.fullmatch(word) else ""


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    place, end = 0, len(text.rstrip())
    while place < end:
        match = _TOKEN.match(text, place)
        if not match:
            raise SpecError(
                f"cannot read {text!r}: unexpected {text[place:].lstrip()[0]!r} at column {place + 1}"
                + _quoting(text, place)
            )
        kind = str(match.lastgroup)
        yield kind, match[kind], match.start(kind)
        place = match.end()
    yield "end", "", end
