"""The base class of every strategy; each stage changes nothing until it is overridden."""

from __future__ import annotations

import functools
import typing
from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

from fsbench.context import Context
from fsbench.errors import SpecError
from fsbench.kinds import get_kind
from fsbench.params import check_bounds
from fsbench.spec import Call, Sum, Value, coerce, format_value, parse_call, specs
from fsbench.types import Batch, Fitted, LabeledSet, Recipe, Step, StepOutput, TaskInfo

if TYPE_CHECKING:
    import torch
    from torch import nn


USES = frozenset({"source", "unlabeled", "pretrained", "test_inputs", "val"})
"""What a strategy may use beyond the labels of the training part, if it declares it."""


@dataclass(frozen=True)
class Strategy:
    """A method for learning from little data; the base class is plain ERM.

    A subclass is a frozen dataclass whose fields are its hyperparameters. It sets `name`, `cite`
    and, where it applies, `uses`, `kinds` (of samples that it works on), `replaces` (stages
    that it owns instead of wrapping) and `yields` (stages that it owns unless another component does; its own
    method is then left out). All randomness comes from `ctx.rng`.

    `reads_recipe` says whether a fit that it owns depends on the recipe; if not, a search leaves it alone.

    A `baseline` runs in every leaderboard, and other strategies are compared with it. `family` is one of
    `fsbench.families.FAMILIES`, or empty. `in_all` says whether `--plugins all` and the family's name include
    the strategy, and `in_core` whether `core`, the short list, includes it too.

    `results_version` is a text that the author changes whenever results change; if it is empty, a hash of the
    source code takes its place. Without `kinds`, the strategy works on every kind that its stages do not
    exclude: `augment` computes with inputs, so it excludes kinds whose samples are not numbers to compute
    with (`Kind.mixable`), such as words.
    """

    name: ClassVar[str] = ""
    cite: ClassVar[str] = ""
    results_version: ClassVar[str] = ""
    kinds: ClassVar[frozenset[str] | None] = None
    replaces: ClassVar[frozenset[str]] = frozenset()
    baseline: ClassVar[bool] = False
    family: ClassVar[str] = ""
    in_all: ClassVar[bool] = True
    in_core: ClassVar[bool] = False
    yields: ClassVar[frozenset[str]] = frozenset()
    reads_recipe: ClassVar[bool] = True

    def __post_init__(self) -> None:
        hints = typing.get_type_hints(type(self))
        for f in fields(self):
            value = checked_value(self.name, f, getattr(self, f.name), hints[f.name])
            object.__setattr__(self, f.name, value)

    @property
    def uses(self) -> frozenset[str]:
        """What the strategy uses beyond the training labels. Using anything else raises UndeclaredUse.

        Any of `"source"`, `"unlabeled"`, `"val"`, `"pretrained"` and `"test_inputs"`.
        With `"test_inputs"`, predictors are called with all test inputs of a cell at once, to adapt to them.
        """
        return frozenset()

    @property
    def content_hash(self) -> str:
        """What identifies its results beyond its arguments, such as `sha256:` and 12 digits of a file's hash.

        Another content hash makes another trial. Raise DataError if a file is missing.
        """
        return ""

    def skip(self, task: TaskInfo) -> str | None:
        """Why this strategy cannot run on a task ("needs source data"), or None."""
        return None

    def check_recipe(self, recipe: Recipe) -> None:
        """Raise an FsbenchError if no trial under a recipe can succeed, for example for lack of weights.

        This is called before a run; nothing of a refused run is stored.
        """

    def narrow(self, task: TaskInfo) -> TaskInfo:
        """The task as others get it, strategies in a field too: without what this one takes away."""
        return task

    def configure(self, recipe: Recipe, ctx: Context) -> Recipe:
        """Change the recipe."""
        return recipe

    def embed(self, batch: Batch, ctx: Context) -> Batch:
        """Represent inputs `[B, ...]` by features `[B, D]`, which all later stages see in their place.

        Called for every input of the task, a few at a time. A batch of the role `"labeled"` is for training:
        several copies of it may be returned one after the other, such as views by `ctx.augment`.
        """
        return batch

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
        """A module with additional parameters, trained together with the model."""
        return None

    def auxiliary_loss(self, out: StepOutput, ctx: Context) -> torch.Tensor | float:
        """A scalar that is added to the mean of the loss."""
        return 0.0

    def step(self, step: Step, inner: Callable[[Step], None], ctx: Context) -> None:
        """One optimizer step; `inner(step)` is the next one, finally `gradients()` and then `update()`."""
        inner(step)

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        """Fit and return a predictor; `inner(train)` is the next fit, finally the engine's training.

        `inner(train, recipe=..., model=..., val=...)` trains with another recipe, model or validation set.
        """
        return inner(train)

    def postprocess(self, fitted: Fitted, val: LabeledSet, ctx: Context) -> Fitted:
        """Change the predictor, or the network behind it.

        `val` is the validation set, which can be empty. Using it raises UndeclaredUse unless `uses` names
        `"val"`.
        """
        return fitted


def checked_value(name: str, f: Field[Any], given: Any, hint: Any) -> Any:
    """A value of a field of strategy `name`, converted to its type. Raises SpecError if it is not allowed."""
    if isinstance(given, Call | Sum) and (f.metadata.get("spec") or f.metadata.get("backbone")):
        given = str(given)
    value = coerce(f"{name}({f.name}={format_value(given)})", given, hint)
    check_bounds(name, f, value)
    return value


def overrides(strategy: Strategy | type[Strategy], stage: str) -> bool:
    """Whether a strategy changes a stage."""
    cls = strategy if isinstance(strategy, type) else type(strategy)
    return getattr(cls, stage) is not getattr(Strategy, stage)


def excludes(strategy: Strategy, kind: str) -> str | None:
    """Why a strategy does not work on a kind of samples, or None. Raises UnknownName."""
    if strategy.kinds is not None:
        named = " and ".join(sorted(strategy.kinds))
        return None if kind in strategy.kinds else f"works on {named} data, not on {kind} data"
    if overrides(strategy, "augment") and not get_kind(kind).mixable:
        return f"computes with inputs in augment, which is not possible on {kind} data"
    return None


def spec_fields(strategy: Strategy) -> list[str]:
    """The names of the fields whose texts name other strategies."""
    return [f.name for f in fields(strategy) if f.metadata.get("spec")]


def owned_arguments(strategy: Strategy, stage: str) -> list[str]:
    """The names of given arguments that are only for a stage, which the strategy may have to yield."""
    given = [f for f in fields(strategy) if not has_default(strategy, f)]
    return [f.name for f in given if f.metadata.get("stage") == stage]


def backbone_fields(strategy: Strategy) -> list[str]:
    """The names of the fields whose texts name a backbone."""
    return [f.name for f in fields(strategy) if f.metadata.get("backbone")]


def to_call(strategy: Strategy, full: bool = False, member: Callable[[str], str] = lambda text: text) -> Call:
    """The expression of a strategy: its name and the arguments that differ from the defaults.

    With `full`, all arguments, which identify a result even after a default has changed. `member` writes the
    strategies that a field names.
    """
    return Call(
        strategy.name,
        (),
        tuple(
            (f.name, _written(getattr(strategy, f.name), f, member))
            for f in fields(strategy)
            if full or not has_default(strategy, f)
        ),
    )


def has_default(strategy: Strategy, f: Field[Any]) -> bool:
    """Whether a field has its default, also in type: for a forest, 1 feature is not 1.0 of them."""
    return _same(getattr(strategy, f.name), _defaults(type(strategy))[f.name])  # type: ignore[arg-type]


@functools.cache
def _defaults(cls: Callable[[], Strategy]) -> dict[str, Any]:
    strategy = cls()
    return {f.name: getattr(strategy, f.name) for f in fields(strategy)}


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return type(one) is type(other) and bool(one == other)


def _written(value: Any, f: Field[Any], member: Callable[[str], str]) -> Value:
    """A field's value in an expression: a tuple is a list in a list, as a list means several strategies."""
    if isinstance(value, tuple):
        return (value,)
    if f.metadata.get("backbone") and value:
        call = parse_call(value)
        return call if call.args or call.kwargs else call.name
    return ", ".join(map(member, specs(value))) if f.metadata.get("spec") else value


def from_call(cls: type[Strategy], call: Call) -> Strategy:
    """Build a strategy from its expression. Raises SpecError, which names the wrong argument."""
    known = [f.name for f in fields(cls)]
    if call.args:
        raise SpecError(f"{call}: write arguments with their names; {call.name} takes {_listing(known)}")
    for name, _ in call.kwargs:
        if name not in known:
            bare = name in vars(cls) and not (hasattr(Strategy, name) or callable(vars(cls)[name]))
            hint = f" ({name} of {cls.__name__} has no type annotation)" if bare else ""
            raise SpecError(f"{call}: {call.name} has no argument {name!r}{hint}; it takes {_listing(known)}")
    return cls(**call.keywords)


def _listing(names: list[str]) -> str:
    return ", ".join(names) if names else "none"


def without_default(cls: type[Strategy]) -> list[str]:
    """The hyperparameters without a default; a `default_factory` is none, as texts leave out values."""
    return [f.name for f in fields(cls) if f.default is MISSING]
