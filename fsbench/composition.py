"""How components make one strategy: the laws of the eight stages, in one place."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from fsbench.errors import ConflictError, InertComponent, PluginError
from fsbench.strategy import STAGES, USES, Strategy, excludes, overrides, to_call

if TYPE_CHECKING:
    import torch
    from torch import nn

    from fsbench.engine.context import Context
    from fsbench.types import Batch, LabeledSet, Predictor, Recipe, StepOutput, TaskInfo

BASELINE = "erm"


@dataclass(frozen=True)
class Composition:
    """Components joined by `+`. The baseline is the neutral element: `erm+focal` is `focal`.

    Maps (`configure`, `resample`, `init_model`, `augment`) run in the order written; wrapping stages
    (`loss`, `fit`, `postprocess`) put each component around those before it; auxiliary losses are
    added. A component that owns a stage (`replaces`) goes innermost. Raises ConflictError where two
    components own one stage or one component is named twice, PluginError for an unknown word in `uses`.

    `sources` says by marks which code each component is, by its name (`fsbench.code`).
    """

    components: tuple[Strategy, ...]
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        kept = tuple(c for c in self.components if c.name != BASELINE)
        object.__setattr__(self, "components", kept or self.components[:1])
        names = [c.name for c in self.components]
        for name in names:
            if names.count(name) > 1:
                raise ConflictError(f"{'+'.join(names)}: {name} is named twice; one spec takes it once")
        for component in self.components:
            if unknown := sorted(component.uses - USES):
                raise PluginError(
                    f"{component.name}: uses names {', '.join(unknown)}; known: {', '.join(sorted(USES))}"
                )
        for stage in STAGES:
            owners = [c.name for c in self.components if stage in c.replaces]
            if len(owners) > 1:
                raise ConflictError(
                    f"{'+'.join(names)}: {owners[0]} and {owners[1]} both own the stage {stage!r}; "
                    "leave one of them out"
                )

    @property
    def text(self) -> str:
        """The canonical spec, with the arguments that differ from the defaults."""
        return "+".join(str(to_call(c)) for c in self.components)

    @property
    def full_text(self) -> str:
        """The canonical spec with every argument."""
        return "+".join(str(to_call(c, full=True)) for c in self.components)

    @functools.cached_property
    def full_spec(self) -> str:
        """What identifies a result: every argument and, each after a `#`, the hashes of contents and code.

        `mine(rate=1.0, weights="w.pt")#sha256:9f86d081884c#code+1a2b3c4d`
        """
        terms = []
        for component in self.components:
            marks = component.content_hash, self.sources.get(component.name, "")
            terms.append("#".join([str(to_call(component, full=True)), *filter(None, marks)]))
        return "+".join(terms)

    @property
    def uses(self) -> frozenset[str]:
        """What the components use beyond the few labels."""
        return frozenset().union(*(c.uses for c in self.components))

    def skip(self, task: TaskInfo) -> str | None:
        """The first component's reason not to run on a task, or not beside the others, or None."""
        for ask in (_skip_alone, self._skip_beside):
            for component in self.components:
                reason = ask(component, task)
                if reason is not None:
                    return reason if len(self.components) == 1 else f"{component.name}: {reason}"
        return None

    def _skip_beside(self, component: Strategy, task: TaskInfo) -> str | None:
        """Why a component cannot run on what the others leave of a task, or None."""
        left, takers = task, []
        for other in self.components:
            before = left
            left = left if other is component else other.narrow(left)
            takers += [other.name] if left != before else []
        reason = component.skip(left) if takers else None
        return None if reason is None else f"{reason} beside {' and '.join(takers)}"

    def check_recipe(self, recipe: Recipe) -> None:
        """Let each component refuse a recipe by UsageError, unless another one may change it first."""
        for component in self.components:
            if not any(overrides(c, "configure") for c in self.components if c is not component):
                component.check_recipe(recipe)

    def owner(self, stage: str) -> Strategy | None:
        """The component that owns a stage, or None."""
        return next((c for c in self.components if stage in c.replaces), None)

    def _running(self, stage: str, ctx: Context) -> Iterator[tuple[Strategy, Context]]:
        """The components that change a stage, owner first, each with the context of its own."""
        active = [c for c in self.components if overrides(c, stage)]
        for component in sorted(active, key=lambda c: stage not in c.replaces):
            yield component, ctx.scoped(component, stage)

    def configure(self, recipe: Recipe, ctx: Context) -> Recipe:
        """The recipe after every component's `configure`."""
        for component, scoped in self._running("configure", ctx):
            given, recipe = recipe, component.configure(recipe, scoped)
            if recipe != given:
                ctx.effects.did(component.name, "recipe")
        return recipe

    def resample(self, train: LabeledSet, ctx: Context) -> LabeledSet:
        """The training set after every component's `resample`.

        A component that finds nothing to do on this draw says so by a note, and is not inert.
        """
        for component, scoped in self._running("resample", ctx):
            said = ctx.notes
            given, train = train, component.resample(train, scoped)
            if train is not given or ctx.notes != said:
                ctx.effects.did(component.name)
            if len(train) == 0:
                raise PluginError(f"{component.name}: resample returned an empty training set")
        return train

    def init_model(self, model: nn.Module, ctx: Context) -> nn.Module:
        """The model after every component's `init_model`."""
        with ctx.effects.resting_on("model"):
            for component, scoped in self._running("init_model", ctx):
                ctx.effects.did(component.name)
                model = component.init_model(model, scoped)
        return model

    def augment(self, batch: Batch, ctx: Context) -> Batch:
        """The batch after every component's `augment`; unlabelled inputs are transformed alike.

        A component sees labelled and unlabelled inputs in calls of their own, so none learns from the
        second what it has not declared.
        """
        for component, scoped in self._running("augment", ctx):
            unlabeled, classes = batch.unlabeled, batch.targets.shape[1]
            given = replace(batch, unlabeled=None)
            batch = component.augment(given, scoped)
            if batch is not given:
                ctx.effects.did(component.name)
            if unlabeled is not None:
                even = unlabeled.new_full((len(unlabeled), classes), 1 / classes)
                other = replace(batch, x=unlabeled, targets=even, unlabeled=None, domain=None)
                changed = component.augment(other, ctx.scoped(component, "augment.unlabeled"))
                batch = replace(batch, unlabeled=changed.x)
        return batch

    def loss(self, logits: torch.Tensor, targets: torch.Tensor, ctx: Context) -> torch.Tensor:
        """Per-sample loss `[B]`: cross-entropy, replaced or wrapped by the components."""
        call: Callable[..., torch.Tensor] = cross_entropy
        for component, scoped in self._running("loss", ctx):
            call = _wrap_loss(component, scoped, call)
        return call(logits, targets)

    def auxiliary_loss(self, out: StepOutput, modules: nn.ModuleDict, ctx: Context) -> torch.Tensor | float:
        """The sum of the components' auxiliary losses."""
        total: torch.Tensor | float = 0.0
        for component, scoped in self._running("auxiliary_loss", ctx):
            seen = replace(out, modules=dict(modules.items()).get(component.name))
            if "unlabeled" not in component.uses:
                seen = replace(seen, unlabeled_features=None, unlabeled_logits=None, batch=None)
            term = component.auxiliary_loss(seen, scoped)
            if not isinstance(term, int | float) or term:
                ctx.effects.did(component.name)
            total = total + term
        return total

    def auxiliary_modules(self, model: nn.Module, ctx: Context) -> dict[str, nn.Module]:
        """The components' modules by component name, each with random weights of its own."""
        found: dict[str, nn.Module] = {}
        for component in self.components:
            scoped = ctx.scoped(component, "auxiliary_modules")
            with scoped.torch_seeded():
                module = component.auxiliary_modules(model, scoped)
            if module is not None:
                found[component.name] = module
        return found

    def fit(self, train: LabeledSet, inner: Callable[..., Predictor], ctx: Context) -> Predictor:
        """Fit with the engine's training `inner`, replaced or wrapped by the components."""
        call = _announce(inner, ctx)
        for component, scoped in self._running("fit", ctx):
            call = _wrap_fit(component, scoped, call)
        return call(train)

    def postprocess(self, predict: Predictor, val: LabeledSet, ctx: Context) -> Predictor:
        """The predictor after every component's `postprocess`."""
        for component, scoped in self._running("postprocess", ctx):
            given, predict = predict, component.postprocess(predict, val, scoped)
            if predict is not given:
                ctx.effects.did(component.name)
        return predict

    def check_effects(self, ctx: Context) -> None:
        """Raise InertComponent when nothing came of a component other than the baseline."""
        for component in self.components:
            if component.name != BASELINE and not ctx.effects.had_effect(component.name):
                stages = ", ".join(stage for stage in STAGES if overrides(component, stage))
                raise InertComponent(
                    f"{self.text}: {component.name} had no effect; none of its stages changed anything "
                    f"that was used ({stages or 'it has none'})"
                )


def cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Cross-entropy `[B]` of logits `[B, C]` against distributions `[B, C]`."""
    return -(targets * logits.log_softmax(-1)).sum(-1)


def _skip_alone(component: Strategy, task: TaskInfo) -> str | None:
    return component.skip(task) or excludes(component, task.kind)


def _wrap_loss(
    component: Strategy, ctx: Context, inner: Callable[..., torch.Tensor]
) -> Callable[..., torch.Tensor]:
    def call(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        passed: list[torch.Tensor] = []

        def watched(z: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            losses = inner(z, t)
            passed.extend([losses] if z is logits and t is targets else [])
            return losses

        losses = component.loss(logits, targets, watched, ctx)
        if not any(losses is each for each in passed):
            ctx.effects.did(component.name)
        return losses

    return call


def _wrap_fit(component: Strategy, ctx: Context, inner: Callable[..., Predictor]) -> Callable[..., Predictor]:
    def call(train: LabeledSet, *, recipe: Recipe | None = None, model: nn.Module | None = None) -> Predictor:
        passed: list[Predictor] = []

        def watched(data: LabeledSet, **changes: Any) -> Predictor:
            predict = inner(data, **changes)
            if data is not train:
                ctx.effects.did(component.name)
            elif passed or changes:
                ctx.effects.did(component.name, "recipe")
            passed.append(predict)
            return predict

        with ctx.in_force(recipe, model):
            predict = component.fit(train, watched, ctx)
        if not any(predict is each for each in passed):
            ctx.effects.did(component.name)
        return predict

    return call


def _announce(inner: Callable[..., Predictor], ctx: Context) -> Callable[..., Predictor]:
    """The engine's training, which says that it was reached."""

    def call(train: LabeledSet, **changes: Any) -> Predictor:
        ctx.reached_training(changes.get("model"))
        return inner(train, **changes)

    return call
