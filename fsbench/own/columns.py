"""What the columns of a table become: numbers, categories, dates as numbers of days, or nothing."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Hashable
from pathlib import Path
from typing import TYPE_CHECKING

from fsbench.errors import DataError
from fsbench.kinds.words import words_of
from fsbench.own.column import Column
from fsbench.own.dates import formats_of
from fsbench.own.pictures import SUFFIXES
from fsbench.own.samples import columns_named, some, warn_of_spellings
from fsbench.own.spellings import Advice, advice, doubts

if TYPE_CHECKING:
    import pandas as pd

MAX_CATEGORIES = 200
_SENTENCE = 4
_MANY_FOLDERS = 50
_NUMBERS = "row numbers only"
_AMBIGUOUS = "dates that may be day/month or month/day; write them as 2024-01-31"
_SOMEBODY = re.compile(
    r"(patient|subject|participant|person|user|customer)s?([ _-]?(id|no|nr|number))?", re.I
)


def choose_columns(
    table: pd.DataFrame, numbering: Collection[Hashable], path: str, remarks: list[str]
) -> list[Column]:
    """The columns of the labelled rows that say something; the remarks name the others, and dates.

    Raises DataError if there are none.
    """
    found: list[Column] = []
    told: dict[tuple[str, str], tuple[str, list[Hashable]]] = {}
    for name in table:
        column, said = _column(table[name], Path(path).parent)
        if name in numbering:
            column, said = None, Advice(_NUMBERS, _NUMBERS)
        if column is not None:
            found.append(column)
            warn_of_spellings(column.texts, "category", f"column {name!r}: categories", remarks)
        if said is not None:
            what = "left out" if column is None else f"read as {'categories' if column.texts else 'numbers'}"
            told.setdefault((what, said.kind), (said.text, []))[1].append(name)
        if _SOMEBODY.fullmatch(str(name)) and table[name].duplicated().any():
            remarks.append(
                f"column {name!r}: if rows with equal values belong together, give it as the group "
                f"(--group {name})"
            )
    if dates := [column.name for column in found if column.date]:
        remarks.append(
            f"{columns_named(dates)}: dates, which become numbers of days; if the month or the weekday "
            "matters, add a column with it"
        )
    remarks += [f"{columns_named(names)} {what}: {why}" for (what, _), (why, names) in told.items()]
    if not found:
        raise DataError(f"{path}: no column is left to learn from ({some(remarks)})")
    return found


def _column(column: pd.Series, folder: Path) -> tuple[Column | None, Advice | None]:
    """A column as it is used, or None with the reason why it is left out; also what is doubtful about it."""
    known = column.dropna()
    if known.nunique() < 2:
        return None, _reason("only one value")
    if column.dtype.kind in "iufb":
        return Column(column.name), doubts(known) if column.dtype.kind != "b" else None
    texts = known.astype(str)
    formats = formats_of(texts)
    if len(formats) > 1:
        return None, _reason(_AMBIGUOUS)
    if formats:
        return Column(column.name, date=formats[0]), None
    different, hint = sorted(texts.unique()), advice(texts)
    if len(different) == len(texts):
        return None, hint or _reason(f"a different text in every row{_to_learn(texts, folder)}")
    if 2 * len(different) > len(texts):
        return None, hint or _reason(f"a text of its own in most rows{_to_learn(texts, folder)}")
    if len(different) > MAX_CATEGORIES:
        return None, hint or _reason(f"more than {MAX_CATEGORIES} different texts")
    return Column(column.name, tuple(different)), hint


def _to_learn(texts: pd.Series, folder: Path) -> str:
    """The option by which texts would be the samples, if they are sentences or names of images."""
    if texts.str.lower().str.endswith(SUFFIXES).mean() > 0.5 or _is_image(texts.iloc[0], folder):
        return "; to learn from these images, name the column by --image"
    long = texts.map(lambda text: len(words_of(text, punctuation=False))).median() >= _SENTENCE
    return "; to learn from these texts, name the column by --text" if long else ""


def _is_image(name: str, folder: Path) -> bool:
    """Whether a text is the name, without its ending, of an image beside the table or one folder down."""
    try:
        places = [folder, *itertools.islice(filter(Path.is_dir, folder.iterdir()), _MANY_FOLDERS)]
        return any((place / f"{name}{suffix}").is_file() for place in places for suffix in SUFFIXES)
    except (OSError, ValueError):  # a text that no file can be named
        return False


def _reason(text: str) -> Advice:
    return Advice(text, text)
