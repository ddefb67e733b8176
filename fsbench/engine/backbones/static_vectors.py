"""Static vectors of tokens from model2vec, whose mean is the vector of a text.

Tulkens & van Dongen 2024, Model2Vec, github.com/MinishLab/model2vec (MIT). The package is of the extra
`model2vec` and imported only when a body is built.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from fsbench.engine.backbones.weights import first_line
from fsbench.errors import DataError
from fsbench.importing import needed
from fsbench.kinds.text import decode_texts


def model2vec(input_shape: tuple[int, ...], model: str = "minishlab/potion-base-8M") -> tuple[nn.Module, int]:
    """A model of model2vec, by the name by which it is downloaded or the folder where it is.

    Raises UsageError without model2vec, DataError if the model cannot be loaded.
    """
    known = _load(model)
    tokens, width = _vectors(known).shape
    return StaticVectors(known, tokens, width), width


def model2vec_weights(name: str) -> dict[str, Any]:
    """The vectors of a model. Raises UsageError without model2vec, DataError if it cannot be loaded."""
    return {"vectors.weight": _vectors(_load(name))}


class StaticVectors(nn.Module):
    """Texts uint8 `[N, L]` to the mean of their tokens' vectors, of length 1, `[N, D]`."""

    def __init__(self, known: Any, tokens: int, width: int) -> None:
        super().__init__()
        self.known = known
        self.vectors = nn.Embedding(tokens, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The features; zero for a text without known tokens."""
        rows = [torch.tensor(tokens, dtype=torch.long) for tokens in self.known.tokenize(decode_texts(x))]
        place = torch.repeat_interleave(torch.arange(len(rows)), torch.tensor([len(row) for row in rows]))
        found = self.vectors(torch.cat(rows).to(x.device))
        total = found.new_zeros(len(rows), found.shape[1]).index_add_(0, place.to(x.device), found)
        return F.normalize(total)


def _vectors(known: Any) -> torch.Tensor:
    """The vector of each token, float32 `[V, D]`, with the weight that the model gives to it."""
    found = torch.tensor(known.embedding, dtype=torch.float32)
    if known.token_mapping is not None:
        found = found[torch.tensor(known.token_mapping, dtype=torch.long)]
    if known.weights is not None:
        found = found * torch.tensor(known.weights, dtype=torch.float32)[:, None]
    return found


def _load(model: str) -> Any:
    library = needed("model2vec", "model2vec", "model2vec")
    try:
        return library.StaticModel.from_pretrained(model)
    except Exception as error:  # the library and its downloads raise anything
        raise DataError(
            f"model2vec cannot load {model!r} ({first_line(error)}); give the folder of a model, as in "
            'model2vec(model="FOLDER")'
        ) from error
