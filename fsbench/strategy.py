"""The base class of every strategy: eight stages, each the identity until overridden."""

from __future__ import annotations

import typing
from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar

from fsbench.errors import SpecError
from fsbench.kinds import get_kind
from fsbench.spec import Call, coerce, format_value

if TYPE_CHECKING:
    import torch
    from torch import nn

    from fsbench.engine.context import Context
    from fsbench.types import Batch, LabeledSet, Predictor, Recipe, StepOutput, TaskInfo

STAGES = (
    "configure",
    "resample",
    "init_model",
    "augment",
    "loss",
    "auxiliary_loss",
    "fit",
    "postprocess",
)
USES = frozenset({"source", "unlabeled", "pretrained", "test_inputs"})
"""What a strategy may use beyond the few labels, if it says so."""


def param(
    default: Any,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[Any, ...] | None = None,
    tune: tuple[Any, ...] | None = None,
) -> Any:
    """A hyperparameter with its default, what it may be, and the range worth tuning.

    `low` and `high` bound it (inclusive); `choices` lists it; `tune` is `(from, to)` for numbers.
    """
    return field(default=default, metadata={"low": low, "high": high, "choices": choices, "tune": tune})


@dataclass(frozen=True)
class Strategy:
    """A method for learning from little data; on its own it is the identity, plain ERM.

    A subclass is a frozen dataclass whose fields are its hyperparameters. It sets `name`, `cite`
    and, where it applies, `uses` (of USES), `kinds` (of samples that it works on) and `replaces` (stages
    that it owns instead of wrapping). All randomness comes from `ctx.rng`.

    `results_version` is a text that changes with whatever changes its results; where it is empty, its source
    code does that. Without `kinds` it works on every kind that its stages do not exclude: `augment` computes
    with inputs, so it excludes those that are no numbers to compute with (`Kind.mixable`), such as words.
    """

    name: ClassVar[str] = ""
    cite: ClassVar[str] = ""
    results_version: ClassVar[str] = ""
    kinds: ClassVar[frozenset[str] | None] = None
    replaces: ClassVar[frozenset[str]] = frozenset()

    def __post_init__(self) -> None:
        hints = typing.get_type_hints(type(self))
        for f in fields(self):
            value = coerce(
                f"{self.name}({f.name}={format_value(getattr(self, f.name))})",
                getattr(self, f.name),
                hints[f.name],
            )
            _check_bounds(self.name, f, value)
            object.__setattr__(self, f.name, value)

    @property
    def uses(self) -> frozenset[str]:
        """What the strategy uses beyond the few labels: words of USES. Touching what is not named raises.

        With `"test_inputs"`, predictors are called with all test inputs of a cell at once, to adapt to them.
        """
        return frozenset()

    @property
    def content_hash(self) -> str:
        """What beyond its arguments identifies its results: `sha256:` and 12 digits of a file's hash, say.

        A trial with another one is another trial. Raise DataError for a file that is not there.
        """
        return ""

    def skip(self, task: TaskInfo) -> str | None:
        """Why this strategy cannot run on a task ("needs source data"), or None."""
        return None

    def check_recipe(self, recipe: Recipe) -> None:
        """Raise UsageError for what no trial under a recipe could have: weights that its backbone lacks, say.

        Called before a run; nothing of a run that is refused is stored.
        """

    def narrow(self, task: TaskInfo) -> TaskInfo:
        """The task as it is for the components beside this one: without what this one takes away."""
        return task

    def configure(self, recipe: Recipe, ctx: Context) -> Recipe:
        """Change the recipe."""
        return recipe

    def resample(self, train: LabeledSet, ctx: Context) -> LabeledSet:
        """Change the training set before anything is fitted."""
        return train

    def init_model(self, model: nn.Module, ctx: Context) -> nn.Module:
        """Give the model a better start than random weights."""
        return model

    def augment(self, batch: Batch, ctx: Context) -> Batch:
        """Change one training batch on its device; targets stay distributions `[B, C]`."""
        return batch

    def loss(
        self, logits: torch.Tensor, targets: torch.Tensor, inner: Callable[..., torch.Tensor], ctx: Context
    ) -> torch.Tensor:
        """Per-sample loss `[B]` of logits `[B, C]` against targets `[B, C]`; `inner` is the next loss."""
        return inner(logits, targets)

    def auxiliary_modules(self, model: nn.Module, ctx: Context) -> nn.Module | None:
        """A module with parameters of this strategy's own, trained beside the model."""
        return None

    def auxiliary_loss(self, out: StepOutput, ctx: Context) -> torch.Tensor | float:
        """A scalar that is added to the mean of the loss."""
        return 0.0

    def fit(self, train: LabeledSet, inner: Callable[..., Predictor], ctx: Context) -> Predictor:
        """Fit and return a predictor; `inner(train)` is the next fit, in the end the engine's training.

        `inner(train, recipe=..., model=...)` trains with another recipe or another model.
        """
        return inner(train)

    def postprocess(self, predict: Predictor, val: LabeledSet, ctx: Context) -> Predictor:
        """Change the predictor, with the help of the validation part (it can be empty)."""
        return predict


def overrides(strategy: Strategy, stage: str) -> bool:
    """Whether a strategy changes a stage."""
    return getattr(type(strategy), stage) is not getattr(Strategy, stage)


def excludes(strategy: Strategy, kind: str) -> str | None:
    """Why a strategy does not work on a kind of samples, or None. Raises UnknownName."""
    if strategy.kinds is not None:
        named = " and ".join(sorted(strategy.kinds))
        return None if kind in strategy.kinds else f"works on {named} data, not on {kind} data"
    if overrides(strategy, "augment") and not get_kind(kind).mixable:
        return f"computes with inputs in augment, which those of {kind} data are not made for"
    return None


def to_call(strategy: Strategy, full: bool = False) -> Call:
    """The expression of a strategy: its name and the arguments that differ from the defaults.

    With `full`, every argument: what identifies a result even after a default has changed.
    """
    values = [
        (f.name, getattr(strategy, f.name))
        for f in fields(strategy)
        if full or getattr(strategy, f.name) != f.default
    ]
    return Call(strategy.name, (), tuple(values))


def from_call(cls: type[Strategy], call: Call) -> Strategy:
    """Build a strategy from its expression. Raises SpecError that says which argument is wrong."""
    known = [f.name for f in fields(cls)]
    if call.args:
        raise SpecError(f"{call}: arguments have names here; {call.name} takes {_listing(known)}")
    for name, _ in call.kwargs:
        if name not in known:
            raise SpecError(f"{call}: {call.name} has no argument {name!r}; it takes {_listing(known)}")
    return cls(**call.keywords)


def _listing(names: list[str]) -> str:
    return ", ".join(names) if names else "none"


def _check_bounds(name: str, f: Field[Any], value: Any) -> None:
    meta = f.metadata
    if not meta or value is None:
        return
    number = isinstance(value, int | float)
    choices, low, high = meta.get("choices"), meta.get("low"), meta.get("high")
    shown = f"{name}({f.name}={format_value(value)})"
    if choices is not None and value not in choices:
        raise SpecError(f"{shown}: expected one of {', '.join(map(str, choices))}")
    if number and low is not None and value < low:
        raise SpecError(f"{shown}: expected at least {low}")
    if number and high is not None and value > high:
        raise SpecError(f"{shown}: expected at most {high}")


def has_defaults(cls: type[Strategy]) -> bool:
    """Whether every hyperparameter has a default."""
    return all(f.default is not MISSING or f.default_factory is not MISSING for f in fields(cls))
