"""Lines of published files, which may come from anybody.

Nothing in them is executed or unpickled. Sizes are limited, also of what is packed in them, the type of each
field is checked, and every error names its line.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, NoReturn, TypeVar, get_args

from fsbench.errors import FsbenchError, StoreError
from fsbench.evidence import Drawn, unpack_influences, unzip
from fsbench.files import replacing
from fsbench.metrics import METRICS, TRAINING_METRIC, in_bounds
from fsbench.provenance import AGREEMENTS, Provenance, Verification
from fsbench.record import Record, Status
from fsbench.spec import Sum, expand_sum, parse_call, parse_list
from fsbench.tuning.tuned import Tuning

T = TypeVar("T", Record, Provenance, Verification)

LARGEST_LINE = 16 << 20
LARGEST_FILE = 4 << 30
_LARGEST_INFLUENCE = 64 << 20
_LARGEST_NUMBER = 2**63
_LARGEST_MAGNITUDE = 1e100
_LONGEST_EXPRESSION = 10_000


@dataclass(frozen=True, eq=False)
class Published:
    """A published record, the packed influences of its test samples, and the digest of its predictions."""

    record: Record
    influence: bytes | None = None
    digest: str = ""


@dataclass(frozen=True, eq=False)
class Split:
    """What a split drew, and its fingerprint."""

    fingerprint: str
    drawn: Drawn


Line = Published | Split | Provenance | Verification


def read_lines(path: str | Path) -> Iterator[tuple[int, Line]]:
    """What the lines of a file say, with their numbers. Raises StoreError, which names the line at fault."""
    known: set[str] = set()
    for number, _, text in read_texts(path):
        try:
            yield number, _read(text, known)
        except json.JSONDecodeError as error:
            if text.startswith("{") and not text.endswith("\n"):
                raise StoreError(f"{path} was cut off in line {number}: fetch it again") from error
            raise StoreError(
                f"{path}, line {number} is not a record (no JSON); expected a file of `fsbench publish`"
            ) from error
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError, OverflowError) as error:
            why = " ".join(str(error).split())[:200]
            raise StoreError(f"{path}, line {number} is not a record ({why})") from error


def read_texts(path: str | Path) -> Iterator[tuple[int, int, str]]:
    """The lines of a file that are not empty: number, first byte and text. Raises StoreError."""
    try:
        with Path(path).open("rb") as file:
            total = 0
            for number, line in enumerate(iter(lambda: file.readline(LARGEST_LINE + 1), b""), 1):
                first, total = total, total + len(line)
                if len(line) > LARGEST_LINE:
                    raise StoreError(f"{path}, line {number} is longer than {LARGEST_LINE} bytes")
                if total > LARGEST_FILE:
                    raise StoreError(f"{path} is larger than {LARGEST_FILE} bytes, from line {number} on")
                if line.strip():
                    yield number, first, _decoded(line, path, number)
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}") from error


def replace_lines(path: Path, lines: Iterable[str]) -> None:
    """Write the lines of a file, all or none. Raises StoreError."""
    try:
        with replacing(path) as draft, draft.open("w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}; name another file") from error


def _decoded(line: bytes, path: str | Path, number: int) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise StoreError(
            f"{path}, line {number} is not UTF-8 text; expected one JSON record per line"
        ) from error


def _read(text: str, known: set[str]) -> Line:
    """What a line says. Raises ValueError; `known` are expressions that were checked already."""
    values = json.loads(text, parse_constant=_no_constant)
    if not isinstance(values, dict):
        raise ValueError("expected a JSON object")
    if "drawn" in values:
        drawn = Drawn.unpack(_bytes(values["drawn"]))
        drawn.check()
        for text in drawn.datasets:
            _check_expression(text, parse_call, known)
        return Split(_text(values["split"]), drawn)
    if "provenance" in values:
        return _made(Provenance, values["provenance"])
    if "verification" in values:
        return _verification(values["verification"])
    record = _made(Record, values)
    if not record.key.isascii():
        raise ValueError(f"key is {_short(record.key)}, not ASCII text")
    _check_expressions(record, known)
    _check_bounds(record)
    _check_search(record.search)
    packed = None
    if values.get("influence") is not None:
        packed = unzip(_bytes(values["influence"]), _LARGEST_INFLUENCE)
        unpack_influences([packed])
    return Published(record, packed, _text(values.get("predictions", "")))


def _made(cls: type[T], values: Any) -> T:
    """A dataclass from JSON; fields that this version does not know are ignored. Raises ValueError."""
    if not isinstance(values, dict):
        raise ValueError("expected a JSON object")
    kept: dict[str, Any] = {}
    for each in fields(cls):
        if each.name in values and (values[each.name] is not None or "None" in str(each.type)):
            right, read = _KINDS[str(each.type)]
            if not right(values[each.name]):
                raise ValueError(f"{each.name} is {_short(values[each.name])}, not {each.type}")
            kept[each.name] = read(values[each.name])
    needed = [e.name for e in fields(cls) if e.default is MISSING and e.default_factory is MISSING]
    if lacking := [name for name in needed if name not in kept]:
        raise ValueError(f"it has no {', '.join(lacking)}")
    made: T = cls(**kept)
    return made


def _verification(values: Any) -> Verification:
    found = _made(Verification, values)
    if unknown := set(found.outcomes.values()) - set(AGREEMENTS):
        raise ValueError(
            f"{_short(min(unknown))} is not what comes of a trial; expected {', '.join(AGREEMENTS)}"
        )
    return found


def _check_bounds(record: Record) -> None:
    """Raise ValueError for a score that its metric cannot have, and for a negative time."""
    shares = ("train_accuracy", "source_before", "source_after")
    scores = [(TRAINING_METRIC, name, getattr(record, name)) for name in shares]
    scores += [(name, name, value) for name, value in record.metrics.items()]
    scores += [(name, f"the resolution of {name}", value) for name, value in record.resolution.items()]
    for metric, name, value in scores:
        if value is not None and metric in METRICS and not in_bounds(METRICS[metric], value):
            raise ValueError(f"{name} is {value:g}; expected 0 to 1")
    for name in ("seconds_fit", "seconds_predict", "overlap"):
        if (value := getattr(record, name)) < 0:
            raise ValueError(f"{name} is {value:g}; expected 0 or more")


def _check_expressions(record: Record, known: set[str]) -> None:
    """Raise ValueError for texts that are not expressions of the grammar."""
    for text in (record.task, record.spec):
        _check_expression(text, _read_one, known)
    _check_expression(record.recipe, parse_call, known)
    if record.tuning:
        _check_expression(record.tuning, Tuning.read, known)


def _check_expression(text: str, read: Callable[[str], object], known: set[str]) -> None:
    if text in known:
        return
    if len(text) > _LONGEST_EXPRESSION:
        raise ValueError(f"{_short(text)} has more than {_LONGEST_EXPRESSION} characters")
    try:
        read(text)
    except (FsbenchError, TypeError) as error:
        raise ValueError(str(error)) from error
    known.add(text)


def _read_one(text: str) -> Sum:
    """A task or a spec, of which a record has one. Raises ValueError for several."""
    found = [each for written in parse_list(text) for each in expand_sum(written)]
    if len(found) != 1:
        raise ValueError(f"{_short(text)} stands for {len(found)}, not for one")
    return found[0]


def _check_search(search: Mapping[str, Any]) -> None:
    """Raise ValueError unless what was tried is a list of objects with texts."""
    tried = search.get("tried", [])
    if not isinstance(tried, list) or not all(isinstance(each, dict) for each in tried):
        raise ValueError("search.tried is not a list of JSON objects")
    for each in tried:
        for name in ("spec", "reason"):
            if each.get(name) is not None:
                _text(each[name])


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number of JSON")


def _bytes(value: Any) -> bytes:
    try:
        return base64.b64decode(_text(value), validate=True)
    except binascii.Error as error:
        raise ValueError(f"not base64 ({error})") from error


def _text(value: Any) -> str:
    if not _is_text(value):
        raise ValueError(f"{_short(value)} is not a text")
    return str(value)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."


def _is_text(value: Any) -> bool:
    """Whether it is a text that can be written: JSON can also stand for half a character."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_whole(value: Any) -> bool:
    return type(value) is int and 0 <= value < _LARGEST_NUMBER


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < _LARGEST_MAGNITUDE


def _is_mapping(of: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, dict) and all(map(_is_text, value)) and all(map(of, value.values()))
    )


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _or_none(right: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or right(value)


def _same(value: Any) -> Any:
    return value


def _tuples(value: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(texts) for name, texts in value.items()}


_KINDS: dict[str, tuple[Callable[[Any], bool], Callable[[Any], Any]]] = {
    "str": (_is_text, _same),
    "int": (_is_whole, _same),
    "bool": (lambda value: isinstance(value, bool), _same),
    "float": (_is_number, _same),
    "float | None": (_or_none(_is_number), _same),
    "Status": (lambda value: value in get_args(Status), _same),
    "tuple[str, ...]": (_are_texts, tuple),
    "Mapping[str, float]": (_is_mapping(_is_number), _same),
    "Mapping[str, str]": (_is_mapping(_is_text), _same),
    "Mapping[str, str] | None": (_or_none(_is_mapping(_is_text)), _same),
    "Mapping[str, Any]": (lambda value: isinstance(value, dict), _same),
    "Mapping[str, tuple[str, ...]]": (_is_mapping(_are_texts), _tuples),
}
"""Whether a value of JSON is right for a field, by the field's type, and what is made of it."""
