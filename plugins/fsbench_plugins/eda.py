"""Easy data augmentation of texts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fsbench import Context, LabeledSet, Strategy, decode_texts, encode_texts, get_kind, param, words_of

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Eda(Strategy):
    """Adds changed copies of the training texts (Wei & Zou 2019).

    Each of `copies` is made by one operation, in turn: replacement of words by synonyms, insertion of
    synonyms of its words, swaps of two words, and deletion. The first three change `alpha` times the number
    of words, at least one; deletion leaves out each word with the probability `alpha`. Copies are in lower
    case without punctuation; in scripts without spaces, such as Chinese, each character is a word. Synonyms
    are WordNet's, which has words in their base form only (`dog`, not `dogs`): from FSBENCH_WORDNET_DIR,
    Debian's package wordnet-base or NLTK's corpus; without it, copies are made by swaps and deletion only,
    and the record says so.

    The paper makes 16 copies at 0.05 for 500 sentences, 8 at 0.05 for 2,000.
    """

    name = "eda"
    cite = (
        "Wei, J. and Zou, K. (2019). EDA: Easy data augmentation techniques for boosting performance on text "
        "classification tasks. EMNLP-IJCNLP. WordNet: Miller, G. A. (1995). Communications of the ACM 38(11)."
    )
    family = "augmentations"
    kinds = frozenset({"text"})

    alpha: float = param(0.05, low=0.0, high=1.0, tune=(0.02, 0.3))
    copies: int = param(16, low=1, tune=(4, 16))

    @property
    def content_hash(self) -> str:
        """Whether there is a WordNet, as results differ without it."""
        from fsbench_plugins import _wordnet

        return "" if _wordnet.folder() else "no-wordnet"

    def resample(self, train: LabeledSet, ctx: Context) -> LabeledSet:
        """The training texts, then their copies, each with the target and the group of its text."""
        import torch

        if not get_kind(ctx.task.kind).terms:
            ctx.note("changes words, and another component has made features of them: nothing was done")
            return train
        made = list(self._copies(decode_texts(train.x), ctx))
        x = torch.from_numpy(encode_texts(made, train.x.shape[1])).to(train.x.device)
        copied = train.select(torch.arange(len(train), device=x.device).repeat(self.copies))
        return train.with_added(replace(copied, x=x))

    def _copies(self, texts: list[str], ctx: Context) -> Iterator[str]:
        """All copies: the first of every text, then the second, and so on."""
        from fsbench_plugins import _wordnet

        where = _wordnet.folder()
        if where is None:
            ctx.note(
                "no WordNet, so copies are made by swaps and deletion only; Debian's wordnet-base or "
                f"{_wordnet.VARIABLE} brings it"
            )
        known = {word for text in texts for word in words_of(text, punctuation=False)}
        synonyms = {} if where is None else _wordnet.synonyms(where, known)
        rng = ctx.rng.numpy
        for number in range(self.copies):
            for text in texts:
                yield " ".join(self._changed(text, number, synonyms, rng))

    def _changed(
        self, text: str, number: int, synonyms: dict[str, tuple[str, ...]], rng: np.random.Generator
    ) -> list[str]:
        """The words of a text's copy; texts without words are kept."""
        from fsbench_plugins import _eda

        words = words_of(text, punctuation=False)
        if not words:
            return [text]
        n = max(1, int(self.alpha * len(words))) if self.alpha else 0
        match number % 4 if synonyms else 2 + number % 2:
            case 0:
                return _eda.replace_synonyms(words, n, synonyms, rng)
            case 1:
                return _eda.insert_synonyms(words, n, synonyms, rng)
            case 2:
                return _eda.swap(words, n, rng)
            case _:
                return _eda.delete(words, self.alpha, rng)
