"""The contract of every strategy."""

from __future__ import annotations

from collections.abc import Callable

from fsbench.strategy import Strategy
from fsbench.testing.behaviour import (
    composes,
    composes_with_installed,
    explains_skips,
    has_effect,
    keeps_loss,
    keeps_targets,
    learns,
    leaves_globals,
    leaves_inputs,
    predicts_alone,
    reproducible,
    runs,
)
from fsbench.testing.bench import Bench
from fsbench.testing.declarations import bounded, constructs, declared, documented, round_trips


def _of_strategy(body: Callable[[Strategy], str | None]) -> Callable[[Bench], str | None]:
    return lambda bench: body(bench.strategy)


CHECKS: dict[str, Callable[[Bench], str | None]] = {
    "constructs by default": _of_strategy(constructs),
    "is documented and cites its source": _of_strategy(documented),
    "declares what exists": _of_strategy(declared),
    "round-trips as text": _of_strategy(round_trips),
    "takes its bounds and no more": _of_strategy(bounded),
    "says why it skips": explains_skips,
    "runs on what it claims": runs,
    "same seed, same logits": reproducible,
    "leaves global randomness alone": leaves_globals,
    "learns separable classes": learns,
    "has an effect": has_effect,
    "predicts each sample on its own": predicts_alone,
    "keeps the loss per sample": keeps_loss,
    "keeps targets distributions": keeps_targets,
    "leaves its inputs as they are": leaves_inputs,
    "composes with probes": composes,
    "composes with what is installed": composes_with_installed,
}
