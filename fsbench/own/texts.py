"""Texts of the user's own: files of a folder, and how all texts are cleaned, stored and compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from fsbench.errors import DataError
from fsbench.kinds import get_kind
from fsbench.kinds.text import LONGEST, decode_texts, encode_texts
from fsbench.kinds.words import without_punctuation
from fsbench.own.column import Column
from fsbench.own.form import Form
from fsbench.own.given import OwnData
from fsbench.own.samples import Inputs, Progress, Samples, because, some
from fsbench.own.tree import File, Wanted, all_files, by_class, find_files, paths_in
from fsbench.words import plural

FOREIGN = (".rtf", ".pdf", ".doc", ".docx", ".odt", ".html", ".htm")
"""The suffixes of texts that are not read."""
TEXTS = Wanted("text", frozenset({".txt"}), frozenset(FOREIGN), ".txt")
MOST_BYTES = 2**20
NEAR = 0.95
"""Two texts whose counts of sequences of characters have at least this correlation count as one text."""

_LOOKS, _SCALE = 512, 1000
_MARKS = {
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
    b"\xef\xbb\xbf": "utf-8-sig",
}


def read_text_folder(data: OwnData, progress: Progress) -> Samples:
    """The texts of a folder with a folder for each class; `x` is object `[N, 1]`.

    Raises DataError for a folder without texts by class, or a link that leads out of it.
    """
    names = "target", "text", "image", "group", "domain", "image_size", "symmetries"
    data.refuse("a folder of texts", *names)
    remarks: list[str] = []
    files = list(find_files(Path(data.path).resolve(), TEXTS, remarks))
    if not files:
        raise DataError(
            f"{data.path} has no texts; expected a folder for each class with texts in it, such as "
            f"good/1.txt and bad/2.txt{because(remarks)}"
        )
    texts = _read_files(files, remarks, progress)
    read = [file for file in files if file in texts]
    samples = by_class(data.path, get_kind("text"), column(list(texts.values())), files, read)
    return replace(samples, warnings=remarks + samples.warnings)


def read_texts(data: OwnData, progress: Progress, remarks: list[str]) -> Inputs:
    """The texts of a folder, whatever folders they are in, for a reading without labels."""
    return Inputs(column(list(read_text_files(Path(data.path), progress, remarks).values())))


def read_text_files(given: Path, progress: Progress, remarks: list[str]) -> dict[str, str]:
    """The texts in a folder, or in a file, by their paths in it. Raises DataError if there are none."""
    others: list[str] = []
    files = all_files(given, TEXTS, others)
    if not files:
        raise DataError(
            f"{given} has no texts; give a folder with .txt files, in any folders{because(others)}"
        )
    remarks += others
    found = _read_files(files, remarks, progress)
    return dict(zip(paths_in(given, found), map(clean, found.values()), strict=True))


def column(texts: Sequence[str]) -> np.ndarray:
    """Texts as an array, object `[N, 1]`, as readers give them."""
    found = np.empty((len(texts), 1), dtype=object)
    found[:, 0] = texts
    return found


def _read_files(files: Sequence[File], remarks: list[str], progress: Progress) -> dict[File, str]:
    """The texts of files; the remarks name those that are no texts, and those in an old encoding."""
    texts: dict[File, str] = {}
    bad, old = [], []
    for number, file in enumerate(files, 1):
        try:
            with file.path.open("rb") as opened:
                raw = opened.read(MOST_BYTES)
        except OSError as error:
            bad.append(f"{file.name} ({error.strerror})")
            continue
        encoding = next((name for mark, name in _MARKS.items() if raw.startswith(mark)), "utf-8")
        if b"\0" in raw and encoding not in ("utf-16", "utf-32"):
            bad.append(f"{file.name} (not a text)")
            continue
        try:
            texts[file] = raw.decode(encoding, "ignore" if len(raw) == MOST_BYTES else "strict")
        except UnicodeDecodeError:
            texts[file] = raw.decode("cp1252", "replace")
            old.append(file.name)
        progress(number, len(files))
    if bad:
        remarks.append(f"{plural(len(bad), 'file')} left out: {some(bad)}")
    if old:
        remarks.append(
            f"{plural(len(old), 'file')} not in UTF-8, read as Windows-1252: {some(old)}; check their accents"
        )
    return texts


def as_stored(samples: Samples, path: str) -> Samples:
    """Texts as bytes, with what is compared to find near-duplicates; empty ones are left out.

    Raises DataError if all are empty.
    """
    texts, n = [clean(text) for text in samples.x[:, 0]], len(samples.x)
    more = [] if samples.unlabeled is None else [clean(text) for text in samples.unlabeled.x[:, 0]]
    empty = np.array([not text for text in texts], dtype=bool)
    if empty.any():
        names = [name for name, gone in zip(samples.names, empty, strict=True) if gone]
        samples.warnings.append(f"{plural(int(empty.sum()), 'empty text')} left out: {some(names)}")
    if empty.all():
        raise DataError(f"{path}: all {n} texts are empty; expected a few words in each")
    blank = sum(not text for text in more)
    if blank:
        samples.warnings.append(f"{plural(blank, 'empty text')} without a label left out")
    kept = [text for text in texts if text]
    every = kept + [text for text in more if text]
    tell_of_cut(every, samples.warnings)
    x = encode_texts(every)
    looks = _looks(decode_texts(x))
    if samples.unlabeled is not None:
        samples.unlabeled = Inputs(x[len(kept) :], looks[len(kept) :])
    found = samples.keep(~empty) if empty.any() else samples
    columns = (Column("", is_text=True),) if samples.form is None else samples.form.columns
    found.x, found.looks, found.near = x[: len(kept)], looks[: len(kept)], NEAR
    found.form = Form("text", x.shape[1:], columns)
    return found


def tell_of_cut(texts: Sequence[str], remarks: list[str]) -> None:
    """Add a remark if some texts are longer than what strategies see of them."""
    if long := sum(len(text.encode("utf-8", "replace")) > LONGEST for text in texts):
        remarks.append(f"{plural(long, 'text')} longer than {LONGEST} bytes cut there")


def clean(text: object) -> str:
    """A text without spaces around it; nothing for a missing value."""
    return text.strip() if isinstance(text, str) else ""


def _looks(texts: Sequence[str]) -> np.ndarray:
    """How often 4 characters follow each other, by hash, float32 `[N, 512]`, without case and punctuation."""
    from sklearn.feature_extraction.text import HashingVectorizer

    plain = [without_punctuation(text) or text for text in texts]
    counts = HashingVectorizer(
        analyzer="char_wb", ngram_range=(4, 4), n_features=_LOOKS, alternate_sign=False
    )
    found: np.ndarray = _SCALE * counts.fit_transform(plain).toarray().astype(np.float32)
    return found
