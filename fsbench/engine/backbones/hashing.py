"""Words and n-grams of texts as numbers of buckets, computed on the device from the texts' bytes.

The hashing trick (Weinberger, Dasgupta, Langford, Smola & Attenberg 2009, "Feature hashing for large scale
multitask learning", ICML) needs no vocabulary, so that nothing has to be fitted or stored.
"""

from __future__ import annotations

import functools

import torch

_BASE, _MIX = 1_000_003, -7_046_029_254_386_353_131
"""An odd base of polynomial hashes, and an odd factor that spreads bits (from splitmix64); modulo 2**64."""
_WORDS, _CHARACTERS = 1, 101
"""What distinguishes hashes of n words and of n bytes: these numbers plus n."""


def hashed_words(x: torch.Tensor, buckets: int) -> torch.Tensor:
    """The bucket of each word of texts uint8 `[N, L]`, from 1, as int64 `[N, T]`; 0 after the last word."""
    return _bucket(*_words(_folded(x)), _WORDS, buckets)


def hashed_ngrams(x: torch.Tensor, words: int, characters: tuple[int, ...], buckets: int) -> torch.Tensor:
    """The buckets of sequences of up to `words` words and of `characters` bytes, int64 `[N, T]`; 0 for none.

    Capital letters of ASCII count as small ones. Sequences of bytes may contain spaces.
    """
    folded = _folded(x)
    hashes, there = _words(folded)
    found = [_bucket(hashes, there, _WORDS, buckets)]
    for size in range(2, min(words, hashes.shape[1]) + 1):
        found.append(_bucket(*_windows(hashes, there, size), _WORDS + size - 1, buckets))
    for size in characters:
        if size <= folded.shape[1]:
            found.append(_bucket(*_windows(folded, folded > 0, size), _CHARACTERS + size, buckets))
    return torch.cat(found, 1)


def _folded(x: torch.Tensor) -> torch.Tensor:
    """The bytes as int64 in small letters, without the columns that are empty in all texts."""
    x = x[:, : _most((x > 0).sum(1))].long()
    return x + 32 * ((x >= ord("A")) & (x <= ord("Z")))


def _most(counts: torch.Tensor) -> int:
    """The largest of some counts, at least 1."""
    return max(1, int(counts.max())) if len(counts) else 1


def _words(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A hash of each word and each punctuation mark, int64 `[N, T]`, and which of them exist (bool)."""
    letter = ((x >= ord("a")) & (x <= ord("z"))) | ((x >= ord("0")) & (x <= ord("9"))) | (x >= 128)
    letter |= (x == ord("'")) | (x == ord("_"))
    mark = (x > ord(" ")) & ~letter
    alone, space = _unspaced(x)
    letter &= ~space
    before = torch.nn.functional.pad(letter, (1, 0))[:, :-1]
    starts = mark | (letter & (alone | ~before))
    place = torch.arange(x.shape[1], device=x.device).expand_as(x)
    offset = place - torch.where(starts, place, 0).cummax(1).values
    number = torch.where(letter | mark, starts.cumsum(1), 0)
    count = _most(number.amax(1))
    powers = torch.tensor(_powers(x.shape[1]), device=x.device)
    hashes = x.new_zeros(len(x), count + 1).scatter_add(1, number, (x + 1) * powers[offset])
    exists = torch.arange(1, count + 1, device=x.device) <= number.amax(1, keepdim=True)
    return hashes[:, 1:], exists


def _unspaced(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """At which bytes a word begins or ends without a space, and which are of wide punctuation marks.

    The first are around characters of scripts without spaces between words (Han, kana, Thai, Lao, Burmese,
    Khmer); the second those of U+3000 to U+303F and the wide forms of ASCII's punctuation.
    """
    if _most(x) < 0xE0:
        return (nothing := torch.zeros_like(x, dtype=torch.bool)), nothing
    second, third = (torch.nn.functional.pad(x, (0, by))[:, by:] for by in (1, 2))
    wide = (x == 0xE3) & (second == 0x80)
    wide |= (x == 0xEF) & (second == 0xBC) & ((third < 0x90) | ((third >= 0x9A) & (third <= 0xA0)))
    alone = ((x >= 0xE3) & (x <= 0xE9)) | ((x == 0xE0) & (second >= 0xB8) & (second <= 0xBB))
    alone |= (x == 0xE1) & (((second >= 0x80) & (second <= 0x81)) | ((second >= 0x9E) & (second <= 0x9F)))
    alone &= ~wide
    longer = (x == 0xF0) & (second >= 0xA0)  # of four bytes; all others have three
    ends = _later(alone, 3) | _later(longer, 4)
    return alone | longer | ends, wide | _later(wide, 1) | _later(wide, 2)


def _later(found: torch.Tensor, by: int) -> torch.Tensor:
    """Marks `[N, L]` of bytes, moved towards the end."""
    return torch.nn.functional.pad(found, (by, 0))[:, : found.shape[1]]


@functools.lru_cache(maxsize=64)
def _powers(count: int) -> list[int]:
    """The powers of the base modulo 2**64, as signed numbers."""
    found, power = [], 1
    for _ in range(count):
        found.append(power - 2**64 if power >= 2**63 else power)
        power = power * _BASE % 2**64
    return found


def _windows(values: torch.Tensor, there: torch.Tensor, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A hash of each `size` consecutive values `[N, T]`, and whether all of them exist."""
    width = values.shape[1] - size + 1
    hashes = torch.zeros_like(values[:, :width])
    for shift in range(size):
        hashes = _BASE * hashes + values[:, shift : shift + width] + 1
    return hashes, there[:, size - 1 :]


def _bucket(hashes: torch.Tensor, there: torch.Tensor, salt: int, buckets: int) -> torch.Tensor:
    """The buckets 1 to `buckets` of hashes, and 0 where there is nothing."""
    mixed = (hashes + salt) * _MIX
    mixed = (mixed ^ (mixed >> 29)) * _MIX
    return torch.where(there, 1 + ((mixed >> 20) ^ mixed).remainder(buckets), 0)
