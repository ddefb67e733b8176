"""Word dropout: some words of each training text are left out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fsbench import Batch, Context, Strategy, param

if TYPE_CHECKING:
    import torch

_SPACE = 32
_FIRST, _LAST = 0xE3, 0xE9  # the first bytes of Han and kana in UTF-8


@dataclass(frozen=True)
class WordDropout(Strategy):
    """Leaves out each word of a batch with the probability `rate`, anew in each step (Iyyer et al. 2015).

    Words are what stands between spaces, and each Han or kana character; their bytes become spaces. A text
    keeps its first word if it would lose all.
    """

    name = "word_dropout"
    cite = (
        "Iyyer, M., Manjunatha, V., Boyd-Graber, J. and Daumé III, H. (2015). Deep unordered composition "
        "rivals syntactic methods for text classification. ACL."
    )
    family = "augmentations"
    kinds = frozenset({"text"})

    rate: float = param(0.3, low=0.0, high=0.95, tune=(0.1, 0.7))

    def augment(self, batch: Batch, ctx: Context) -> Batch:
        """Texts uint8 `[B, L]` with fewer words; the same batch if no text has two words."""
        x = without_words(batch.x, self.rate, ctx) if self.rate else batch.x
        return batch if x is batch.x else replace(batch, x=x)


def without_words(x: torch.Tensor, rate: float, ctx: Context) -> torch.Tensor:
    """Texts `[B, L]` in which the dropped words are spaces; the same tensor if no text has two words."""
    import torch

    letter = x > _SPACE
    before = torch.nn.functional.pad(letter, (1, 0))[:, :-1]
    alone = (x >= _FIRST) & (x <= _LAST)
    number = (letter & (alone | ~before)).cumsum(1)  # of the word that a byte belongs to, from 1
    count = int(number.max())
    if count < 2:
        return x
    dropped = ctx.rng.uniform(len(x), count + 1) < rate
    there = torch.arange(count + 1, device=x.device) <= number.amax(1, keepdim=True)
    lost = (dropped | ~there)[:, 1:].all(1)
    dropped[lost, 1:2] = False
    return torch.where(letter & dropped.gather(1, number), _SPACE, x)
