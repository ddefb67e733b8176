"""Texts: stored as UTF-8 bytes, which are also what strategies see.

Bytes are the one form in which a text is both a tensor, which stays on the device, and still readable:
networks hash words and n-grams on the device, and strategies that need words decode the bytes.
"""

from __future__ import annotations

import functools
import itertools
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fsbench.errors import DataError
from fsbench.kinds.kind import Kind
from fsbench.kinds.words import words_of
from fsbench.savable import Savable
from fsbench.types import DatasetInfo, Recipe

if TYPE_CHECKING:
    import torch

LONGEST = 2048
"""The largest number of bytes of a text; longer ones are cut at the end of a character."""

_CHARACTERS = (3, 4)
_TOYS = (
    *("river", "mountain", "ocean", "forest", "desert", "island", "valley", "storm", "bread", "apple"),
    *("butter", "cheese", "sugar", "coffee", "dinner", "kitchen", "doctor", "teacher", "farmer", "soldier"),
    *("lawyer", "driver", "writer", "singer", "happy", "angry", "quick", "quiet", "large", "small"),
    *("bright", "clever", "walk", "jump", "speak", "carry", "build", "write", "answer", "open"),
)
_TOY_WORDS, _TOY_LENGTH, _TOY_BYTES = 8, 6, 64


class Text(Kind):
    """Texts `[L]`: UTF-8 bytes uint8, filled up with zeros, for strategies as for the store."""

    name = "text"
    sample = "text"
    dtype = np.uint8
    mixable = False
    terms = True
    recipe = Recipe("tfidf", steps=100, batch_size=16, optimizer="sgd", lr=0.1, passes=10)

    def check_values(self, info: DatasetInfo, x: np.ndarray) -> None:
        """Every text is UTF-8, has a character and no zero byte."""
        for number, text in enumerate(_as_bytes(x)):
            if not text.strip() or b"\0" in text:
                raise DataError(f"{info.text}: text {number} is empty or has a zero byte")
            try:
                text.decode()
            except UnicodeDecodeError:
                raise DataError(f"{info.text}: text {number} is not UTF-8") from None

    def describe(self, info: DatasetInfo, x: np.ndarray) -> str:
        """`12 words on average, 80 bytes at most`."""
        words = np.mean([len(words_of(text)) for text in decode_texts(x)])
        return f"{words:.0f} words on average, {int((x > 0).sum(1).max())} bytes at most"

    def prepared(self, info: DatasetInfo) -> str:
        """As bytes, which networks hash and other strategies read."""
        return f"UTF-8 bytes, cut at {LONGEST}"

    def rows(self, train_x: torch.Tensor) -> Callable[[torch.Tensor], Any]:
        """TF-IDF of words, pairs of words, and 3 and 4 characters (scikit-learn's), sparse `[N, F]`."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        fitted = TfidfVectorizer(analyzer=_terms, sublinear_tf=True).fit(decode_texts(train_x))
        return Terms(fitted.get_feature_names_out().tolist(), fitted.idf_)

    def mismatch(self, given: tuple[int, ...], wanted: tuple[int, ...]) -> str | None:
        """Texts of any length can be matched."""
        return None

    def match(self, x: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
        """Texts `[N, L]` with more zeros at the end, or cut at the end of a character."""
        if tuple(x.shape[1:]) == shape:
            return x
        import torch

        return torch.from_numpy(encode_texts(decode_texts(x), shape[0])).to(x.device)

    def toy_centre(self, rng: np.random.Generator) -> np.ndarray:
        """The numbers of the words that a class prefers."""
        return rng.permutation(len(_TOYS))[:_TOY_WORDS]

    def toy_samples(self, centres: np.ndarray, moved: float, rng: np.random.Generator) -> np.ndarray:
        """Six words each, mostly of the class; more of the others if `moved`."""
        picked = rng.integers(0, centres.shape[1], (len(centres), _TOY_LENGTH))
        words = np.take_along_axis(centres, picked, 1)
        other = rng.random(words.shape) < 0.02 + 0.2 * moved
        words = np.where(other, rng.integers(0, len(_TOYS), words.shape), words)
        return encode_texts([" ".join(_TOYS[word] for word in row) for row in words], _TOY_BYTES)


@dataclass(frozen=True, eq=False)
class Terms(Savable):
    """TF-IDF of texts: the known `terms` in the order of the columns, and the logarithmic rarity of each."""

    terms: list[str]
    idf: np.ndarray

    def __call__(self, x: torch.Tensor) -> Any:
        """Rows `[N, F]` float64, sparse, of texts uint8 `[N, L]`."""
        return self._vectorizer.transform(decode_texts(x))

    @functools.cached_property
    def _vectorizer(self) -> Any:
        from sklearn.feature_extraction.text import TfidfVectorizer

        found = TfidfVectorizer(analyzer=_terms, sublinear_tf=True, vocabulary=self.terms)
        found.idf_ = self.idf
        return found


def decode_texts(x: np.ndarray | torch.Tensor) -> list[str]:
    """The texts of bytes uint8 `[N, L]`, of a dataset or as strategies see them."""
    array = x if isinstance(x, np.ndarray) else x.cpu().numpy()
    return [text.decode("utf-8", "replace") for text in _as_bytes(array)]


def encode_texts(texts: Sequence[str], length: int | None = None) -> np.ndarray:
    """Texts as bytes uint8 `[N, L]` in UTF-8, filled up with zeros.

    L is `length`, by default the bytes of the longest text, at most 2,048. Longer texts are cut at the end of
    a character. Characters are composed (Unicode's NFC), and zero bytes become spaces.
    """
    encoded = [
        unicodedata.normalize("NFC", text.replace("\0", " ")).encode("utf-8", "replace") for text in texts
    ]
    if length is None:
        length = min(LONGEST, max([1, *map(len, encoded)]))
    found = np.zeros((len(encoded), length), dtype=np.uint8)
    for row, text in zip(found, encoded, strict=True):
        cut = text if len(text) <= length else text[:length].decode("utf-8", "ignore").encode()
        row[: len(cut)] = np.frombuffer(cut, dtype=np.uint8)
    return found


def _as_bytes(x: np.ndarray) -> list[bytes]:
    """The bytes of each text `[N, L]` without the zeros at its end."""
    found: list[bytes] = np.ascontiguousarray(x).view(f"S{x.shape[1]}").ravel().tolist() if x.size else []
    return found


def _terms(text: str) -> Iterator[str]:
    """What TF-IDF counts: words, pairs of words, and sequences of characters within words."""
    words = words_of(text)
    yield from words
    yield from map(" ".join, itertools.pairwise(words))
    for word in words:
        spaced = f" {word} "
        for size in _CHARACTERS:
            yield from (f"_{spaced[at : at + size]}" for at in range(len(spaced) - size + 1))
