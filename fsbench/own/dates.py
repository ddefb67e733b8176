"""Dates in a column of texts, with or without times: their formats, and how they become numbers of days."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

ZONE = "%z"
"""The end of a format whose times have a zone; they become times of one zone."""
FORMATS = tuple(
    order.format(mark) + zone
    for zone in ("", ZONE)
    for mark in "-./"
    for order in ("%Y{0}%m{0}%d", "%d{0}%m{0}%Y", "%m{0}%d{0}%Y")
)
MOMENT = re.compile(
    r"(?P<day>\d{1,4}([-/.])\d{1,2}\2\d{1,4})"
    r"([ T](?P<time>\d{1,2}:\d{2})((?P<seconds>:\d{2})(?P<fraction>\.\d{1,9})?)?"
    r" ?(?P<zone>Z|[+-]\d{2}(:?\d{2})?)?)?"
)


def days(column: pd.Series, date: str) -> np.ndarray:
    """Dates of one of the FORMATS as days since 1970, float64 `[N]`; NaN for other texts.

    A date without a time is its midnight. Where the format has zones, a time without one is NaN, and where it
    has none, a time with one.
    """
    import pandas as pd

    zoned = date.endswith(ZONE)
    moments = pd.Series([_moment(text, zoned) for text in column.astype(str)], dtype=object)
    full = f"{date.removesuffix(ZONE)} %H:%M:%S.%f%z"
    found = pd.to_datetime(moments, format=full, errors="coerce", utc=True)
    # In the unit that holds them all: nanoseconds since 1970 end in 2262.
    epoch = pd.Timestamp(0, tz="UTC").as_unit(found.dt.unit)
    numbers: np.ndarray = ((found - epoch) / pd.Timedelta(days=1)).to_numpy(dtype=np.float64)
    return numbers


def example(date: str) -> str:
    """A date in one of the FORMATS."""
    day = date.removesuffix(ZONE).replace("%Y", "2024").replace("%m", "01").replace("%d", "31")
    return f"{day} 08:15Z" if date.endswith(ZONE) else day


def formats_of(texts: pd.Series, least: float = 1.0) -> list[str]:
    """The formats under which at least this share of some texts are dates.

    These are two where day and month cannot be told apart.
    """
    matches = list(filter(None, map(MOMENT.fullmatch, texts)))
    if not matches or len(matches) < least * len(texts):
        return []
    mark, zoned = matches[0][2], bool(matches[0]["zone"])
    likely = [each for each in FORMATS if mark in each and each.endswith(ZONE) is zoned]
    return [each for each in likely if (~np.isnan(days(texts, each))).mean() >= least]


def _moment(text: object, zoned: bool) -> str | None:
    """A date and a time in full; None for other texts, also for those with a zone unless `zoned`."""
    match = MOMENT.fullmatch(text) if isinstance(text, str) else None
    if match is None or bool(match["zone"]) is not zoned:
        return None
    zone = (match["zone"] or "Z") + ("00" if match["zone"] and len(match["zone"]) == 3 else "")
    time = (match["time"] or "00:00") + (match["seconds"] or ":00") + (match["fraction"] or ".0")
    return f"{match['day']} {time}{zone}"
