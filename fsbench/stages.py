"""The stages of a strategy: one declarative table for composition, checks and documents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Law = Literal["map", "wrap", "sum"]
Ground = Literal["recipe", "model"]


@dataclass(frozen=True)
class Stage:
    """One slot of a strategy.

    `takes` and `gives` describe input and output. `law` says how components compose: `map`, one after the
    other in the order written; `wrap`, each wrapping the one before it; `sum`, added up. `sees_inputs` says
    whether the stage sees the inputs of training batches. `rests_on` names what the stage changes if the
    change has an effect only when a fit uses it.
    """

    name: str
    takes: str
    gives: str
    law: Law
    sees_inputs: bool = False
    rests_on: Ground | None = None

    @property
    def composed(self) -> str:
        """How several components compose, in words."""
        return _IN_WORDS[self.law]


_IN_WORDS: dict[Law, str] = {
    "map": "one after the other",
    "wrap": "each wraps the one before it",
    "sum": "sum",
}

_TABLE = (
    Stage("configure", "recipe", "recipe", "map", rests_on="recipe"),
    Stage("embed", "inputs", "features", "map"),
    Stage("resample", "training set", "training set", "map"),
    Stage("init_model", "model", "model", "map", rests_on="model"),
    Stage("augment", "batch", "batch", "map", sees_inputs=True),
    Stage("loss", "logits, targets", "one loss per sample", "wrap"),
    Stage("auxiliary_loss", "step output", "scalar", "sum", sees_inputs=True),
    Stage("step", "optimizer step", "nothing", "wrap"),
    Stage("fit", "training set", "fitted predictor", "wrap"),
    Stage("postprocess", "fitted predictor, validation set", "fitted predictor", "map"),
)
STAGES: dict[str, Stage] = {stage.name: stage for stage in _TABLE}
"""Every stage by name, in the order of a trial."""
