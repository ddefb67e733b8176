"""The text of a CSV file as a table with plain column names."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fsbench.errors import DataError
from fsbench.own.accents import ACCENTS
from fsbench.own.fields import DELIMITERS, check_widths, header, plain_name, quoting
from fsbench.own.samples import safe_name, some
from fsbench.words import plural

if TYPE_CHECKING:
    import pandas as pd

MAX_BYTES = 256 * 2**20
# What pandas takes as missing, and "?", but not "None": in medicine, most patients have none of something.
_MISSING = (
    *("", "?", "NA", "N/A", "n/a", "NaN", "nan", "-NaN", "-nan", "null", "NULL", "#N/A", "#NA", "<NA>"),
    *("#N/A N/A", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
    *("#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!"),
)
NOTHING = "None"
_TRUTHS = ("True", "TRUE", "true", "False", "FALSE", "false")
NUMBER = re.compile(r"[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf|infinity)", re.I)
_COMMA_NUMBER = re.compile(r"[+-]?\d+(,\d+)?([eE][+-]?\d+)?")
_WHOLE = re.compile(r"[+-]?\d+")
_CODE = re.compile(r"[+-]?(0\d|\d+e\d)", re.I)
_EXACT = 2**53
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}([.,]\d{3})+")


def parse_table(
    path: Path,
    labels: str | None,
    fewest: int = 2,
    texts: Collection[str] = (),
    domain: Collection[str] = (),
    groups: Collection[str] = (),
    codes: Collection[str] = (),
    blank_rows: bool = False,
) -> pd.DataFrame:
    """The table with plain column names; columns are numbers or texts.

    In the column `labels`, `None` is an ordinary text. There and in the columns `domain`, all numbers are
    texts if one is written as codes are: with a leading zero, as 1e3, or as 1.10 beside 1.1. There and in the
    columns `groups`, they are texts if one is beyond 2**53, from which on floating-point numbers cannot tell
    whole numbers apart; in the columns `codes`, they are texts in any case. The columns `texts` stay texts as
    they are. With `blank_rows`, a blank line of a file of one column, but not at its end, is a row with an
    empty field. Truth values become 1 and 0 or, in the columns `labels` and `domain`, the texts True and
    False. Raises DataError for a file that is too large, or not a table of at least `fewest` columns.
    """
    _check_size(path)
    delimiter, names = header(path)
    _check_names(path, names)
    table = _rows(path, delimiter, texts, blank=blank_rows and len(names) == 1)
    if table.shape[1] < fewest or not len(table):
        raise DataError(
            f"{path} has {plural(table.shape[1], 'column')} and {plural(len(table), 'row')} when read as "
            f"{DELIMITERS[delimiter]}-separated; expected names in the first line, a few rows, "
            "and fields separated by commas, semicolons, tabs or bars"
        )
    width = max((place for place, name in enumerate(names[: table.shape[1]], 1) if name), default=0)
    if width and table.iloc[:, width - 1].isna().any():
        check_widths(path, delimiter, width)
    with_commas: dict[Hashable, pd.Series] = {}
    for name in table:
        if table[name].dtype.kind in "bO":
            plain = table[name].astype(str).str.strip().where(table[name].notna())
            plain = plain.mask(plain.isin(_MISSING))
            plain = plain if name in texts else plain.str.normalize(ACCENTS)
            if name in texts or (name == labels and (plain == NOTHING).any()):
                table[name] = plain
            elif plain.dropna().isin(_TRUTHS).all():
                table[name] = plain.str.capitalize() if name in (labels, *domain) else in_numbers(plain)
            else:
                table[name] = _numbers(plain, delimiter != ",")
            if table[name].dtype.kind == "f" and (commas := plain.str.contains(",", na=False)).any():
                with_commas[name] = plain[commas]
    _check_commas(path, with_commas)
    if delimiter != ",":
        _check_points(path, delimiter, table, list(with_commas))
    for name in {labels, *domain, *groups, *codes}.intersection(table):
        if table[name].dtype.kind in "iuf":
            written = _written(path, delimiter, list(table).index(name))
            if name in codes or _are_codes(table[name], written, by_look=name in (labels, *domain)):
                table[name] = written
    return table


def _rows(path: Path, delimiter: str, texts: Collection[str], blank: bool) -> pd.DataFrame:
    """The table as pandas reads it; with `blank`, blank lines are rows, but not at its end."""
    written = map(str, _parse(path, delimiter, nrows=0)) if texts else ()
    kept = [name for name in written if plain_name(name) in texts]
    table = _parse(path, delimiter, dtype=dict.fromkeys(kept, str), skip_blank_lines=not blank)
    if blank:
        table = table.iloc[: len(table) - _blank_lines_at_end(path)]
    table.columns = table.columns.map(plain_name)
    return table


def _written(path: Path, delimiter: str, column: int) -> pd.Series:
    """A column, given by its place, as it is written."""
    return _parse(path, delimiter, dtype=str, usecols=[column]).iloc[:, 0].str.strip()


def _are_codes(numbers: pd.Series, written: pd.Series, by_look: bool) -> bool:
    """Whether numbers are codes: one is beyond 2**53 or, `by_look`, is written as codes are."""
    if ((numbers > _EXACT) | (numbers < -_EXACT)).any():
        return True
    if not by_look:
        return False
    fractions = numbers % 1 > 0
    merged = numbers[fractions].nunique() < written[fractions].nunique()
    return merged or bool(written.str.match(_CODE, na=False).any())


def _check_commas(path: Path, columns: Mapping[Hashable, pd.Series]) -> None:
    """Raise DataError if all commas of a file, in some columns of texts, may divide thousands."""
    if columns and all(texts.str.fullmatch(_THOUSANDS).all() for texts in columns.values()):
        name, texts = next(iter(columns.items()))
        text, column = texts.iloc[0], safe_name(str(name))
        raise DataError(
            f"{path}: column {column!r} has values such as {text}; write {text.replace(',', '')} if the "
            f"comma divides thousands, otherwise {text.replace(',', '.')}"
        )


def _check_points(path: Path, delimiter: str, table: pd.DataFrame, with_commas: Sequence[Hashable]) -> None:
    """Raise DataError if all points of a column may divide thousands, in a file with decimal commas.

    Without such commas, raise it if this holds for all points of the file, and the column also has whole
    numbers without a point.
    """
    names = [name for name in table if table[name].dtype.kind == "f" and name not in with_commas]
    if not names or (not with_commas and _has_more_decimals(table[names])):
        return
    raw = _parse(path, delimiter, dtype=str, usecols=[list(table).index(name) for name in names])
    columns = {name: raw.iloc[:, place].dropna().str.strip() for place, name in enumerate(names)}
    pointed = {name: texts[texts.str.contains(".", regex=False)] for name, texts in columns.items()}
    pointed = {name: texts for name, texts in pointed.items() if len(texts)}
    doubtful = [name for name, texts in pointed.items() if texts.str.fullmatch(_THOUSANDS).all()]
    for name in doubtful:
        text, whole = pointed[name].iloc[0], columns[name][columns[name].str.fullmatch(_WHOLE)]
        column, if_thousands = (
            safe_name(str(name)),
            f"write {text.replace('.', '')} if the point divides thousands",
        )
        if with_commas:
            raise DataError(
                f"{path}: column {column!r} has values such as {text}, and column "
                f"{safe_name(str(with_commas[0]))!r} has decimal commas; {if_thousands}, otherwise "
                f"{text.replace('.', ',', 1)}"
            )
        if len(whole) and len(doubtful) == len(pointed):
            raise DataError(
                f"{path}: column {column!r} has values such as {text} and {whole.iloc[0]}; {if_thousands}, "
                f"otherwise {whole.iloc[0]}.0"
            )


def _has_more_decimals(numbers: pd.DataFrame) -> bool:
    """Whether some numbers have more than three decimals."""
    thousandths = 1000 * numbers
    return bool(((thousandths - thousandths.round()).abs() > 1e-3).any(axis=None))


def missing_texts(path: Path, column: int) -> list[str]:
    """The texts that are read as missing in a column, given by its place; sorted, without the empty one."""
    texts = _parse(path, header(path)[0], na_values=(), usecols=[column], dtype=str).iloc[:, 0]
    return sorted({text.strip() for text in texts.dropna().unique()} & set(_MISSING) - {""})


def _parse(path: Path, delimiter: str, na_values: Collection[str] = _MISSING, **options: Any) -> pd.DataFrame:
    import pandas as pd

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table: pd.DataFrame = pd.read_csv(
                path,
                sep=delimiter,
                encoding="utf-8-sig",
                keep_default_na=False,
                na_values=list(na_values),
                skipinitialspace=True,
                quoting=quoting(path, delimiter),
                low_memory=False,
                index_col=False,
                **options,
            )
            return table
    except pd.errors.ParserWarning:
        raise DataError(
            f"{path}: rows have more values than the first line has names; name every column, and remove any "
            "lines above the names"
        ) from None
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8 text (byte {error.object[error.start]:#04x}); save it as UTF-8"
        ) from None
    except pd.errors.EmptyDataError:
        raise DataError(f"{path} is empty; expected names in the first line and rows below it") from None
    except (pd.errors.ParserError, ValueError) as error:
        uneven = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error))
        if uneven:
            raise DataError(
                f"{path}: line {uneven[2]} has {uneven[3]} values, the lines before it {uneven[1]}; put "
                "texts that contain the delimiter in quotes"
            ) from None
        raise DataError(f"{path} is not a table: {' '.join(str(error).split())}") from None
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None


def in_numbers(given: pd.Series) -> pd.Series:
    """A column of numbers and texts as numbers if the texts are truth values or `None`; else unchanged."""
    words = given.astype(str).str.strip().str.lower()
    known = words.map({"true": 1.0, "false": 0.0})
    rest = given.notna() & known.isna() & (words != NOTHING.lower())
    if not words[rest].str.fullmatch(NUMBER).all():
        return given
    return known.mask(rest, words.where(rest)).astype(float)


def _numbers(texts: pd.Series, decimal_comma: bool) -> pd.Series:
    """A column of texts as numbers, if all except `None` are numbers; otherwise unchanged."""
    known = texts[texts.notna() & (texts != NOTHING)]
    numeric = known.str.fullmatch(
        _COMMA_NUMBER if decimal_comma and known.str.contains(",").any() else NUMBER
    )
    if len(known) and numeric.all():
        return texts.where(texts != NOTHING).str.replace(",", ".").astype(float)
    return texts


def is_quantity(texts: pd.Series) -> bool:
    """Whether all texts but `None` are numbers, with a decimal point or comma."""
    known = texts[texts != NOTHING]
    return len(known) > 0 and bool((known.str.fullmatch(NUMBER) | known.str.fullmatch(_COMMA_NUMBER)).all())


def _blank_lines_at_end(path: Path) -> int:
    text = path.read_bytes()
    return max(0, text[len(text.rstrip()) :].count(b"\n") - 1)


def _check_names(path: Path, names: list[str]) -> None:
    """Raise DataError if two columns have the same name, or if the names look like a row of values.

    Columns may be numbered; if all names are other numbers, they are the first row of a table without names.
    """
    twice = [name for name, count in Counter(names).items() if name and count > 1]
    values = [_number(name) for name in names]
    numbered = [value == (values[0] or 0) + place for place, value in enumerate(values)]
    if names and None not in values and not all(numbered):
        raise DataError(
            f"{path}: the first line contains numbers ({some(names, 4)}), not names; add a first line that "
            "names each column"
        )
    if twice:
        raise DataError(f"{path} has two columns named {twice[0]!r}; give them different names")


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _check_size(path: Path) -> None:
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise DataError(
            f"{path} has {_size(size)}; fsbench reads tables of up to {_size(MAX_BYTES)}: draw a sample of "
            "the rows first; learning from few labels needs no more"
        )


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GB" if count >= 2**30 else f"{count / 2**20:.0f} MB"
