"""Which choice matters in domain-adversarial training: the plain loop with one change at a time.

    python -m benchmarks.reference.dann_choices [VARIANT ...] [--pair PAIR] [--steps N] [--seeds N]

The pair `colour` needs no data folder: 5,000 MNIST digits, half of them grey as source, the others
blended with parts of two photographs as target, as in MNIST-M (Ganin et al. 2016): the absolute difference.
`mnist-usps` and `usps-mnist` take the training parts only, so no test label of a task has a part in a choice.
The network is a LeNet of 8 and 16 channels, the batch 32 of each domain. `convolutions-...` is
`norm-convolutions` with one more change. The command prints every result: accuracy on target samples that no
training saw, after the last step, in percent, and milliseconds of a step.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from sklearn.datasets import load_sample_images
from torch import nn

from benchmarks.reference.dann_loop import Choices, train
from benchmarks.reference.rows import Line, table
from fsbench import load_dataset

_SIDE, _BATCH, _MOST, _HELD_OUT, _WIDTH = 28, 32, 6000, 1000, 8


@dataclass(frozen=True)
class Variant:
    """Choices of the loop, batch normalisation in body and domain head, inputs in [-1, 1] or [0, 1]."""

    choices: Choices
    norm: bool = False
    domain_norm: bool = True
    centred: bool = True


_DANN = Choices(weight=0.5, weight_decay=0.0)
_SOURCE = replace(_DANN, weight=None)
_CONVOLUTIONS = replace(_DANN, tap=-3)
_SGD = replace(_CONVOLUTIONS, optimizer="sgd", lr=0.01)
_OF_CONVOLUTIONS = {
    "uncentred": Variant(_CONVOLUTIONS, centred=False),
    "paper-head": Variant(_CONVOLUTIONS, domain_norm=False),
    "fast-domain-head": Variant(replace(_CONVOLUTIONS, domain_lr_scale=10.0)),
    "no-momentum": Variant(replace(_CONVOLUTIONS, momentum=0.0)),
    "slow-ramp": Variant(replace(_CONVOLUTIONS, ramp=3.0)),
    "weight-1": Variant(replace(_CONVOLUTIONS, weight=1.0)),
    "sgd": Variant(_SGD),
    "annealed": Variant(replace(_SGD, schedule="anneal")),
}
VARIANTS = {
    "source": Variant(_SOURCE),
    "dann": Variant(_DANN),
    "norm-source": Variant(_SOURCE, norm=True),
    "norm-one-pass": Variant(replace(_DANN, passes="one"), norm=True),
    "norm": Variant(_DANN, norm=True),
    "norm-convolutions": Variant(_CONVOLUTIONS, norm=True),
    **{f"convolutions-{name}": replace(each, norm=True) for name, each in _OF_CONVOLUTIONS.items()},
}


def lenet(channels: int, norm: bool) -> tuple[nn.Sequential, nn.Module]:
    """The body and the head of a small LeNet for 28x28 pixels, with 100 features."""

    def normalised(layer: nn.Module, width: int, make: type[nn.Module]) -> list[nn.Module]:
        return [layer, *([make(width)] if norm else []), nn.ReLU()]

    body = nn.Sequential(
        *normalised(nn.Conv2d(channels, _WIDTH, 5), _WIDTH, nn.BatchNorm2d),
        nn.MaxPool2d(2),
        *normalised(nn.Conv2d(_WIDTH, 2 * _WIDTH, 5), 2 * _WIDTH, nn.BatchNorm2d),
        nn.MaxPool2d(2),
        nn.Flatten(),
        *normalised(nn.Linear(32 * _WIDTH, 100), 100, nn.BatchNorm1d),
    )
    return body, nn.Linear(100, 10)


def colour(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Grey digits and their labels, and blended digits and theirs; images `[N, 3, 28, 28]` uint8."""
    digits = load_dataset("mnist5k")
    order, half = rng.permutation(len(digits.y)), len(digits.y) // 2
    grey = digits.x[order].repeat(3, axis=1)
    photos = load_sample_images().images
    for image in grey[half:]:
        photo = photos[rng.integers(len(photos))]
        top, left = (rng.integers(side - _SIDE) for side in photo.shape[:2])
        part = photo[top : top + _SIDE, left : left + _SIDE].transpose(2, 0, 1)
        image[:] = np.abs(part.astype(int) - image)
    y = digits.y[order]
    return grey[:half], y[:half], grey[half:], y[half:]


def draw(pair: str, seed: int) -> tuple[torch.Tensor, ...]:
    """Source inputs and labels, target inputs, and target inputs and labels to be scored on."""
    rng = np.random.default_rng(seed)
    if pair == "colour":
        sx, sy, tx, ty = colour(rng)
    else:
        parts = []
        for name in pair.split("-"):
            data = load_dataset(f"usps(size={_SIDE})" if name == "usps" else name)
            rows = np.arange(len(data.y)) if data.test is None else np.flatnonzero(~data.test)
            rows = rng.permutation(rows)[: _MOST + _HELD_OUT]
            parts += [data.x[rows], data.y[rows]]
        sx, sy, tx, ty = parts
    inputs = [torch.from_numpy(x).float() / 127.5 - 1 for x in (sx, tx[:-_HELD_OUT], tx[-_HELD_OUT:])]
    return inputs[0], torch.from_numpy(sy), inputs[1], inputs[2], torch.from_numpy(ty[-_HELD_OUT:])


def accuracy(variant: Variant, pair: str, steps: int, seed: int) -> tuple[float, float]:
    """The accuracy on the target in percent, and the milliseconds of a step."""
    sx, sy, tx, test_x, test_y = draw(pair, seed)
    if not variant.centred:
        sx, tx, test_x = ((x + 1) / 2 for x in (sx, tx, test_x))
    torch.manual_seed(seed)
    body, head = lenet(sx.shape[1], variant.norm)
    width = body[: variant.choices.tap](sx[:2]).shape[1]
    domain_head = nn.Sequential(
        nn.Linear(width, 100),
        *([nn.BatchNorm1d(100)] if variant.domain_norm else []),
        nn.ReLU(),
        nn.Linear(100, 1),
    )
    batches = [(torch.randint(len(sx), (_BATCH,)), torch.randint(len(tx), (_BATCH,))) for _ in range(steps)]
    begin = time.process_time()
    train(body, head, domain_head, (sx, sy), tx, batches, variant.choices)
    spent = time.process_time() - begin
    body.eval()
    with torch.no_grad():
        right = head(body(test_x)).argmax(1) == test_y
    return 100 * float(right.float().mean()), 1000 * spent / steps


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("variants", nargs="*", metavar="VARIANT", help=", ".join(VARIANTS))
    parser.add_argument("--pair", default="colour", choices=["colour", "mnist-usps", "usps-mnist"])
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    if wrong := [name for name in given.variants if name not in VARIANTS]:
        parser.error(f"no variant {wrong[0]!r}; there are {', '.join(VARIANTS)}")
    torch.set_num_threads(1)
    rows = []
    for name in given.variants or VARIANTS:
        found = [accuracy(VARIANTS[name], given.pair, given.steps, seed) for seed in range(given.seeds)]
        measured = Line(name, "-", [right for right, _ in found], "seeds").cells()[2]
        rows.append([name, measured, f"{np.mean([ms for _, ms in found]):.0f}"])
        print(rows[-1], flush=True)
    print(f"{given.pair}, {given.steps} steps, {given.seeds} seeds\n")
    print(table(["variant", "target accuracy", "ms a step"], rows))


if __name__ == "__main__":
    main()
