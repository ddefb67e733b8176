"""The four operations of easy data augmentation on a list of words, each with its own random numbers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

Synonyms = Mapping[str, tuple[str, ...]]

# Words of grammar have no synonyms that would keep a sentence's meaning, so they are not replaced.
_GRAMMAR = frozenset(
    (
        *("a", "about", "after", "all", "am", "an", "and", "any", "are", "as", "at", "be", "been", "before"),
        *("being", "but", "by", "can", "could", "did", "do", "does", "doing", "down", "for", "from", "had"),
        *("has", "have", "having", "he", "her", "here", "hers", "him", "his", "how", "i", "if", "in", "into"),
        *(
            "is",
            "it",
            "its",
            "just",
            "me",
            "more",
            "most",
            "my",
            "no",
            "nor",
            "not",
            "now",
            "of",
            "off",
            "on",
        ),
        *("once", "only", "or", "other", "our", "out", "over", "own", "s", "same", "she", "should", "so"),
        *("some", "such", "t", "than", "that", "the", "their", "them", "then", "there", "these", "they"),
        *("this", "those", "through", "to", "too", "under", "until", "up", "very", "was", "we", "were"),
        *("what", "when", "where", "which", "while", "who", "whom", "why", "will", "with", "would", "you"),
        "your",
    )
)


def replace_synonyms(words: list[str], n: int, synonyms: Synonyms, rng: np.random.Generator) -> list[str]:
    """Replace up to `n` different words, everywhere in the text, each by one of its synonyms."""
    known = list(dict.fromkeys(word for word in words if word in synonyms and word not in _GRAMMAR))
    chosen = {known[place] for place in rng.permutation(len(known))[:n]}
    new = {word: _one(synonyms[word], rng) for word in sorted(chosen)}
    return [part for word in words for part in new.get(word, word).split()]


def insert_synonyms(words: list[str], n: int, synonyms: Synonyms, rng: np.random.Generator) -> list[str]:
    """Insert a synonym of a random word at a random place, `n` times."""
    known = [word for word in words if word in synonyms and word not in _GRAMMAR]
    found = list(words)
    for _ in range(n if known else 0):
        found.insert(int(rng.integers(len(found) + 1)), _one(synonyms[_one(known, rng)], rng))
    return found


def swap(words: list[str], n: int, rng: np.random.Generator) -> list[str]:
    """Exchange two random words, `n` times."""
    found = list(words)
    for _ in range(n if len(found) > 1 else 0):
        first, second = rng.choice(len(found), 2, replace=False)
        found[first], found[second] = found[second], found[first]
    return found


def delete(words: list[str], rate: float, rng: np.random.Generator) -> list[str]:
    """Leave out each word with a probability; one random word is left if it would be none."""
    kept = rng.random(len(words)) >= rate
    found = [word for word, keep in zip(words, kept, strict=True) if keep]
    return found or [_one(words, rng)]


def _one(words: list[str] | tuple[str, ...], rng: np.random.Generator) -> str:
    return words[int(rng.integers(len(words)))]
