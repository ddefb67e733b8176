"""What to write in place of numbers, times and dates that are not read as such."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fsbench.own.dates import FORMATS, MOMENT, days, formats_of
from fsbench.own.parsing import NOTHING, NUMBER
from fsbench.own.samples import safe_name, some

if TYPE_CHECKING:
    import pandas as pd

_MOSTLY = 0.8
_DATES = (19000101, 21001231)
_MARKS = (-9, -99, -999, -9999, -99999, 999, 9999, 99999)
_BLANKS = str.maketrans("\u00a0\u202f\u2009\u2212", "   -")
_SPELLED = re.compile(
    r"(?P<before>(?:[-+( $€£¥₹]|USD|EUR|GBP|CHF|JPY)*)(?P<digits>(?!0\d)\d(?:[\d .,'’]*\d)?)"
    r"(?P<after> ?(?:[%‰°$€£¥₹]|[^\W\d_][^\d\s,;:<>=()-]*)?\)?)"
)
_THOUSANDS = re.compile(
    r"(?P<whole>\d{1,3}(?P<mark>[,.'’ ])\d{3}(?:(?P=mark)\d{3})*)(?P<rest>(?!(?P=mark))[.,]\d+)?"
)
_DECIMAL = re.compile(r"\d+([.,]\d+)?")
_TIME = re.compile(
    r"(?P<hours>\d{1,2}):(?P<minutes>[0-5]\d)(:[0-5]\d(\.\d+)?)?( ?(?P<half>[ap])\.?m\.?)?", re.I
)
_MONTH = r"(jan|feb|mar|mär|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez)[a-zä]*\.?"
_DATE = re.compile(
    r"(\d{1,2}[-/.]\d{1,2}[-/.]\d\d|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}[ T]\d{1,2}:\d\d"
    rf"|\d{{1,2}}\.?[ -]?{_MONTH}[ ,-]*(\d{{4}}|\d\d)|{_MONTH} \d{{1,2}},? \d{{4}})\b.*",
    re.I,
)
_MOMENTS = (_TIME, MOMENT, _DATE)


class Advice(NamedTuple):
    """What to change in a column, in words, and the kind of change, which is equal for similar columns."""

    kind: str
    text: str


class _Number(NamedTuple):
    """A number as it is written, and as it is read; perhaps in an `other` way; its unit, or a comma."""

    text: str
    plain: str
    other: str
    unit: str


def advice(column: pd.Series) -> Advice | None:
    """What to change in a column of texts, if most of them are probably meant as numbers, times or dates.

    At least 80 % of the texts, or of the different ones, must look like that.
    """
    counts = Counter(map(str, column.dropna().tolist()))
    del counts[NOTHING]
    meant = list(filter(_may_be_meant, counts))
    rows = sum(counts[text] for text in meant)
    if not counts or max(len(meant) / len(counts), rows / counts.total()) < _MOSTLY:
        return None
    texts = _texts(column)
    return _of_numbers(texts) or _of_times(texts) or _of_dates(texts)


def _may_be_meant(text: str) -> bool:
    """Whether a text looks like a number, a time or a date."""
    return bool(NUMBER.fullmatch(text) or _number(text) or any(form.fullmatch(text) for form in _MOMENTS))


def doubts(column: pd.Series) -> Advice | None:
    """What may be wrong about a column of numbers: that they are dates, or that one means a missing value."""
    values = column.to_numpy()
    if _may_be_dates(values):
        return Advice("dates", f"values such as {values[0]:.0f} may be dates; if so, write 2024-01-31")
    for mark in (values.min(), values.max()):
        others = values[values != mark]
        count = len(values) - len(others)
        apart = (mark < 0 <= others.min()) or (2 * np.abs(others) < abs(mark)).all()
        if mark in _MARKS and count > 1 and apart:
            text = f"{mark:.0f} in {count} rows may stand for a missing value; if so, leave it empty"
            return Advice(f"mark {mark}", text)
    return None


def _may_be_dates(values: np.ndarray) -> bool:
    """Whether all numbers are dates such as 20240131."""
    if values.min() < _DATES[0] or values.max() > _DATES[1]:
        return False
    months, days_ = values // 100 % 100, values % 100
    return bool((np.isin(months, np.arange(1, 13)) & np.isin(days_, np.arange(1, 32))).all())


def odd_one(column: pd.Series) -> str:
    """The first text in a column that is not a number, as it is shown."""
    texts = _texts(column)
    odd = texts[~texts.str.fullmatch(NUMBER)]
    return repr(safe_name((odd if len(odd) else texts).iloc[0]))


def _texts(column: pd.Series) -> pd.Series:
    return column[column.notna() & (column != NOTHING)].astype(str)


def _of_numbers(texts: pd.Series) -> Advice | None:
    plain = texts.str.fullmatch(NUMBER)
    found = {text: number for text in texts[~plain].unique() if (number := _number(text))}
    if not _mostly(plain | texts.isin(found), texts) or len({number.unit for number in found.values()}) > 1:
        return None
    odd = len(texts[~plain].unique()) > len(found)
    # With odd texts in it, a column of decimal commas may be one that is read without them.
    if odd and all(number.unit == "," for number in found.values()):
        return _but(texts, plain | texts.isin(found), "numbers")
    if not found:
        text = "all rows with a label have numbers, but another row does not; correct or remove that row"
        return Advice(text, text)
    settled = [number for number in found.values() if not number.other]
    number = (settled or list(found.values()))[0]
    mark = "comma" if "," in number.text else "point"
    either = f", or {number.other} if the {mark} is a decimal one" if number.other else ""
    return Advice(
        f"numbers {number.unit}",
        f"values such as {safe_name(number.text)!r} are not read as numbers; write {number.plain}{either}",
    )


def _number(text: str) -> _Number | None:
    """A number with separators of thousands, a currency or a unit; None for another text."""
    match = _SPELLED.fullmatch(text.translate(_BLANKS))
    if match is None:
        return None
    digits = match["digits"]
    sign = "-" if set(match["before"]) & set("-(") else ""
    unit = re.sub(r"[-+() ]", "", match["before"] + match["after"]) or ","
    decimal = sign + digits.replace(",", ".") if _DECIMAL.fullmatch(digits) else ""
    if thousands := _THOUSANDS.fullmatch(digits):
        rest = (thousands["rest"] or "").replace(",", ".")
        whole = thousands["whole"].replace(thousands["mark"], "")
        return _Number(text, sign + whole + rest, decimal, unit)
    return _Number(text, decimal, "", unit) if decimal else None


def _of_times(texts: pd.Series) -> Advice | None:
    times = {text: match for text in texts.unique() if (match := _TIME.fullmatch(text))}
    if not _mostly(texts.isin(times), texts):
        return None
    text, match = next(iter(times.items()))
    hours = int(match["hours"]) + int(match["minutes"]) / 60
    if match["half"]:
        hours = hours % 12 + 12 * (match["half"] in "pP")
    return Advice("times", f"values such as {text!r} are not read; write numbers, such as {hours:.2f} hours")


def _of_dates(texts: pd.Series) -> Advice | None:
    if formats := formats_of(texts, _MOSTLY):
        return _but(texts, texts.notna() & ~np.isnan(days(texts, formats[0])), "dates")
    if found := _of_several_forms(texts):
        return found
    alike = texts.str.fullmatch(_DATE)
    if not _mostly(alike, texts):
        return None
    shown = safe_name(texts[alike].iloc[0])
    return Advice(
        "dates", f"values such as {shown!r} are not read as dates; write 2024-01-31, or 2024-01-31 08:15"
    )


def _of_several_forms(texts: pd.Series) -> Advice | None:
    """That a column has dates in more than one form."""
    if not _mostly(texts.str.fullmatch(MOMENT), texts):
        return None
    read = np.stack([~np.isnan(days(texts, each)) for each in FORMATS])
    main = read[read.sum(1).argmax()]
    other = read.any(0) & ~main
    if not other.any() or not _mostly(texts.notna() & (main | other), texts):
        return None
    shown = f"{texts[main].iloc[0]!r} and {texts[other].iloc[0]!r}"
    return Advice("forms", f"dates in several forms, such as {shown}; write all of them as 2024-01-31")


def _but(texts: pd.Series, good: pd.Series, what: str) -> Advice | None:
    """That most texts are good, but some are not; None if there are no others."""
    odd = [repr(safe_name(text)) for text in texts[~good].unique()]
    if not odd:
        return None
    verb = "is" if len(odd) == 1 else "are"
    text = (
        f"{int(good.sum())} of {len(texts)} values are {what}, but {some(odd)} {verb} not; correct the file, "
        "or leave such values empty"
    )
    return Advice(text, text)


def _mostly(good: pd.Series, texts: pd.Series) -> bool:
    return bool(max(good.mean(), good[~texts.duplicated()].mean()) >= _MOSTLY)
