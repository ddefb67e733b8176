"""The words of texts in any script."""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata

# Scripts that put no spaces between words: Han, kana, Thai, Lao, Burmese and Khmer.
_UNSPACED = (
    "\u0e00-\u0e4f\u0e80-\u0ecf\u1000-\u1049\u1780-\u17d3\u3005-\u3007\u3041-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
_JOINERS = "\u200c\u200d"
_LAST_MARK = 0x1FFFF
_LETTER = re.compile(r"\w")
_ASCII_WORD = re.compile(r"\w+(?:'\w+)*|[^\w\s]")


def words_of(text: str, punctuation: bool = True) -> list[str]:
    """The words of a text in lower case, by default with its punctuation marks.

    In a script without spaces between words, such as Chinese, each character is a word.
    """
    found: list[str] = (_ASCII_WORD if text.isascii() else _any_word()).findall(text.lower())
    return found if punctuation else [word for word in found if _LETTER.match(word)]


def without_punctuation(text: str) -> str:
    """A text in lower case, with a space for everything that belongs to no word."""
    return _no_word().sub(" ", text.lower()).strip()


@functools.cache
def _any_word() -> re.Pattern[str]:
    marks = _marks()
    letter = rf"(?:(?![{_UNSPACED}])[\w{marks}{_JOINERS}])"
    return re.compile(rf"[{_UNSPACED}][{marks}]*|{letter}+(?:['’]{letter}+)*|[^\w\s]")


@functools.cache
def _no_word() -> re.Pattern[str]:
    return re.compile(rf"[^\w{_marks()}{_JOINERS}'’]+")


@functools.cache
def _marks() -> str:
    """Characters that combine with a letter, as ranges of a regular expression; `\\w` has none of them."""
    numbers = [n for n in range(_LAST_MARK) if unicodedata.category(chr(n)) in ("Mn", "Mc")]
    runs = itertools.groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])
    ends = [[number for _, number in run] for _, run in runs]
    return "".join(f"{chr(run[0])}-{chr(run[-1])}" for run in ends)
