"""A plugin that keeps samples in a global variable, like a careless cache."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fsbench import Context, Fitted, LabeledSet, Strategy, hookimpl

SEEN: dict[bytes, int] = {}


@dataclass(frozen=True)
class Memory(Strategy):
    """Says how many samples it remembers from earlier trials, then adds the training samples."""

    name = "memory"
    cite = "none"

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        ctx.note(f"remembers {len(SEEN)} samples")
        SEEN.update((x.numpy().tobytes(), int(y)) for x, y in zip(train.x, train.y, strict=True))
        return inner(train).map(lambda logits: 2 * logits)  # an effect, without which the trial would fail


@hookimpl
def fsbench_strategies() -> list[type[Strategy]]:
    return [Memory]
