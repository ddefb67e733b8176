"""Synonyms from WordNet (Miller 1995), read from its database files where they are at hand."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path

VARIABLE = "FSBENCH_WORDNET_DIR"
_DEBIAN = Path("/usr/share/wordnet")
_PARTS = ("noun", "verb", "adj", "adv")
_COUNT = 3
"""The place of the number of words in a synset's line; the words follow, each with a number."""


def folder() -> Path | None:
    """The folder of WordNet: FSBENCH_WORDNET_DIR, that of Debian or NLTK; None if there is none."""
    candidates = [_DEBIAN, *_of_nltk()]
    if given := os.environ.get(VARIABLE):
        candidates = [Path(given)]
    return next((each for each in candidates if (each / "data.noun").is_file()), None)


def _of_nltk() -> Iterator[Path]:
    """Where NLTK keeps corpora."""
    places = os.environ.get("NLTK_DATA", "").split(os.pathsep)
    places += [str(Path.home() / "nltk_data"), "/usr/share/nltk_data"]
    yield from (Path(place) / "corpora" / "wordnet" for place in places if place)


def synonyms(where: Path, words: Collection[str]) -> dict[str, tuple[str, ...]]:
    """The synonyms of those of some words that have any: the other words of their synsets, sorted."""
    wanted = {word.encode(): word for word in words}
    found: dict[str, set[str]] = {}
    for part in _PARTS:
        with (where / f"index.{part}").open("rb") as index, (where / f"data.{part}").open("rb") as data:
            for line in index:
                word = wanted.get(line.split(b" ", 1)[0])
                if word is not None:
                    for synset in _synsets(line):
                        data.seek(synset)
                        found.setdefault(word, set()).update(_words(data.readline()))
    others = {word: tuple(sorted(together - {word})) for word, together in sorted(found.items())}
    return {word: each for word, each in others.items() if each}


def _synsets(line: bytes) -> list[int]:
    """The places of a word's synsets in the data file, from its line in the index."""
    fields = line.split()
    return [int(place) for place in fields[-int(fields[2]) :]]


def _words(line: bytes) -> Iterator[str]:
    """The words of a synset's line, in lower case; phrases have spaces in them."""
    fields = line.decode().split("|", 1)[0].split()
    for word in fields[_COUNT + 1 : _COUNT + 1 + 2 * int(fields[_COUNT], 16) : 2]:
        yield word.partition("(")[0].replace("_", " ").lower()
