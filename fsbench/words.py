"""Numbers, nouns and times in messages, and strangers' texts in one line."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from datetime import UTC, datetime

_UNITS = ((86400, "days"), (3600, "h"), (60, "min"), (1, "s"))


def plural(n: int, noun: str) -> str:
    """`1 image`, `2 images`, `2 classes`, `2 strategies`."""
    if n == 1:
        return f"1 {noun}"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{n} {noun[:-1]}ies"
    return f"{n} {noun}es" if noun.endswith("s") else f"{n} {noun}s"


def enumerated(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def roughly(seconds: float) -> str:
    """A time in one unit, with one or two digits: `40 s`, `3 h`."""
    size, unit = next((each for each in _UNITS if seconds >= 1.5 * each[0]), _UNITS[-1])
    number = max(1, round(seconds / size))
    number = round(number, -1) if number >= 20 else number
    return f"{number} {unit}"


def to_install(package: str, what: str = "an extra") -> str:
    """Why something cannot run, and what to do: `needs an extra: pip install 'fsbench[text]'`."""
    return f"needs {what}: pip install '{package}'"


def names_package(reason: str) -> bool:
    """Whether a reason is that of `to_install`, so that it is a matter of what is installed."""
    return re.search(r"\bneeds .+: pip install ", reason) is not None


def capital(line: str) -> str:
    """The line with a capital first letter."""
    return line[:1].upper() + line[1:]


def doc_summary(cls: type) -> str:
    """The first line of the docstring of a class."""
    return (inspect.getdoc(cls) or "").partition("\n")[0]


def printable(text: str) -> str:
    """The text in one line: spaces for line breaks and tabs, `\\x1b` and the like for control characters.

    So no text can move the cursor, change colours, or reverse the direction of what follows.
    """
    if text.isprintable() and "  " not in text:
        return text
    return visible(re.sub(r"\s+", " ", text))


def visible(text: str) -> str:
    """The text in its own lines, with `\\x1b` and the like for all other control characters."""
    return "".join(
        each if each.isprintable() or each == "\n" else each.encode("unicode_escape").decode()
        for each in text
    )


def duration(seconds: float) -> str:
    """`14 s`, `4 min 10 s` or `2 h 05 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def timestamp() -> str:
    """The current time as in records and logs: UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
