"""Networks for texts, on hashed words and n-grams."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from fsbench.engine.backbones.hashing import hashed_ngrams, hashed_words

CHARACTERS = (3, 4)
_SPREAD = 0.02
"""The standard deviation of new vectors: small, so that words of the training part soon count most."""
_LENGTH = 3.0
"""The length of TF-IDF vectors: their layer then learns ten times as fast as with a length of 1."""


def ngrams(
    input_shape: tuple[int, ...],
    width: int = 64,
    buckets: int = 8192,
    words: int = 2,
    characters: tuple[int, ...] | None = CHARACTERS,
    norm: Literal["batch"] | None = None,
) -> tuple[nn.Module, int]:
    """The sum of learned vectors of `width` of a text's n-grams, divided by the root of their number.

    These are sequences of up to `words` words and of `characters` bytes, none of the latter with None (Joulin
    et al. 2017, "Bag of tricks for efficient text classification", fastText; n-grams of characters as in
    Bojanowski et al. 2017, "Enriching word vectors with subword information").
    """
    body = _Sum(width, buckets, words, characters or ())
    return (nn.Sequential(body, nn.BatchNorm1d(width)) if norm == "batch" else body), width


def bag_of_ngrams(
    input_shape: tuple[int, ...],
    buckets: int = 8192,
    words: int = 2,
    characters: tuple[int, ...] | None = CHARACTERS,
) -> tuple[nn.Module, int]:
    """Which hashed n-grams a text has, as a vector of length 1: the head makes it a linear classifier."""
    return _Bag(buckets, words, characters or ()), buckets


def tfidf(
    input_shape: tuple[int, ...],
    width: int = 32,
    buckets: int = 8192,
    words: int = 2,
    characters: tuple[int, ...] | None = (3,),
) -> tuple[nn.Module, int]:
    """A linear layer of `width` on TF-IDF of hashed n-grams, whose document frequencies training counts.

    With the head it is a linear classifier of TF-IDF (Salton & Buckley 1988, "Term-weighting approaches in
    automatic text retrieval"), in two layers, so that there are features to learn and to transfer. It is made
    for SGD: steps of Adam are as large for an n-gram of one text as for one of many.
    """
    layer = nn.Linear(buckets, width, bias=False)
    nn.init.normal_(layer.weight, std=_SPREAD)
    return nn.Sequential(_Weighted(buckets, words, characters or ()), layer), width


def text_cnn(
    input_shape: tuple[int, ...],
    width: int = 64,
    filters: int = 64,
    sizes: tuple[int, ...] | None = (2, 3, 4),
    buckets: int = 8192,
) -> tuple[nn.Module, int]:
    """Convolutions over `sizes` consecutive words, each with its maximum over the text.

    Kim 2014, "Convolutional neural networks for sentence classification", with learned vectors of hashed
    words in place of word2vec.
    """
    sizes = sizes or (1,)
    return _Convolutions(width, filters, sizes, buckets), filters * len(sizes)


def _vectors(buckets: int, width: int) -> nn.Embedding:
    """Small random vectors of the buckets; that of bucket 0, which stands for nothing, stays zero."""
    vectors = nn.Embedding(buckets + 1, width, padding_idx=0)
    with torch.no_grad():
        vectors.weight.mul_(_SPREAD)
    return vectors


class _Sum(nn.Module):
    """See `ngrams`."""

    def __init__(self, width: int, buckets: int, words: int, characters: tuple[int, ...]) -> None:
        super().__init__()
        self.vectors = _vectors(buckets, width)
        self.settings = words, characters, buckets

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features `[N, width]` of texts uint8 `[N, L]`."""
        found = hashed_ngrams(x, *self.settings)
        count = (found > 0).sum(1, keepdim=True).clamp(min=1)
        total: torch.Tensor = self.vectors(found).sum(1)
        return total / count.sqrt()


class _Bag(nn.Module):
    """See `bag_of_ngrams`."""

    def __init__(self, buckets: int, words: int, characters: tuple[int, ...]) -> None:
        super().__init__()
        self.settings = words, characters, buckets

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features `[N, buckets]` of texts uint8 `[N, L]`."""
        found = hashed_ngrams(x, *self.settings)
        bag = torch.zeros(len(x), self.settings[-1] + 1, device=x.device).scatter(1, found, 1.0)[:, 1:]
        return bag / bag.sum(1, keepdim=True).clamp(min=1).sqrt()


class _Weighted(nn.Module):
    """TF-IDF, `(1 + log count) (1 + log((1 + n) / (1 + df)))`, in vectors of one length.

    In training, each batch adds to the number of texts `n` and, for each bucket, to that of texts with it,
    `df`. N-grams of no training text count nothing; before the first, all n-grams weigh the same.
    """

    def __init__(self, buckets: int, words: int, characters: tuple[int, ...]) -> None:
        super().__init__()
        self.settings = words, characters, buckets
        self.seen: torch.Tensor
        self.having: torch.Tensor
        self.register_buffer("seen", torch.zeros(()))
        self.register_buffer("having", torch.zeros(buckets))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features `[N, buckets]` of texts uint8 `[N, L]`."""
        found = hashed_ngrams(x, *self.settings)
        count = torch.zeros(len(x), self.settings[-1] + 1, device=x.device)
        count = count.scatter_add(1, found, torch.ones_like(found, dtype=count.dtype))[:, 1:]
        if self.training:
            self._add(count > 0)
        known = (self.having > 0) | (self.seen == 0)
        rarity = known * (1 + ((1 + self.seen) / (1 + self.having)).log())
        return _LENGTH * nn.functional.normalize((count > 0) * (1 + count.clamp(min=1).log()) * rarity)

    def _add(self, there: torch.Tensor) -> None:
        """Count texts by what is there, bool `[N, buckets]`."""
        self.having += there.sum(0)
        self.seen += len(there)


class _Convolutions(nn.Module):
    """See `text_cnn`."""

    def __init__(self, width: int, filters: int, sizes: tuple[int, ...], buckets: int) -> None:
        super().__init__()
        self.buckets, self.sizes = buckets, sizes
        self.vectors = _vectors(buckets, width)
        self.layers = nn.ModuleList(nn.Conv1d(width, filters, size) for size in sizes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features `[N, filters * sizes]` of texts uint8 `[N, L]`."""
        words, beyond = hashed_words(x, self.buckets), max(self.sizes) - 1
        length = (words > 0).sum(1)
        vectors = self.vectors(nn.functional.pad(words, (beyond, beyond))).transpose(1, 2)
        found = [
            _largest(layer(vectors).relu(), length, size, beyond)
            for layer, size in zip(self.layers, self.sizes, strict=True)
        ]
        return torch.cat(found, 1)


def _largest(found: torch.Tensor, length: torch.Tensor, size: int, beyond: int) -> torch.Tensor:
    """The maximum `[N, F]` of responses `[N, F, T]` over the windows that have a word of the text.

    `beyond` empty words come before the text and after it.
    """
    place = torch.arange(found.shape[2], device=found.device)
    inside = (place > beyond - size) & (place < beyond + length[:, None])
    return (found * inside[:, None]).amax(2)
