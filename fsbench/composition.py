"""How components form one strategy: the laws of the stages."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from fsbench.declared import asked, check_uses, content_hash, skip_reason
from fsbench.effects import Mark, WatchedFit, Weights, other_tensors, trains
from fsbench.errors import ConflictError, InertComponent, PluginError
from fsbench.kinds import FEATURES
from fsbench.returned import (
    checked_batch,
    checked_embedded,
    checked_features,
    checked_fit,
    checked_module,
    checked_recipe,
    checked_term,
    checked_training_set,
)
from fsbench.scope import Scope
from fsbench.spec import specs
from fsbench.stages import STAGES
from fsbench.strategy import (
    Strategy,
    excludes,
    overrides,
    owned_arguments,
    spec_fields,
    to_call,
)
from fsbench.types import Batch, Fitted, LabeledSet, Recipe, Step, StepOutput, TaskInfo
from fsbench.wrapping import (
    announced,
    around_fit,
    around_loss,
    around_step,
    cross_entropy,
    plain_step,
    why_inert,
)

if TYPE_CHECKING:
    import torch
    from torch import nn

BASELINE = "erm"
T = TypeVar("T")


@dataclass(frozen=True)
class Composition:
    """Components joined by `+`. The baseline is the neutral element: `erm+focal` is `focal`.

    `fsbench.stages` defines the law by which components compose in each stage; a component that owns a stage
    (`replaces`, or `yields` where no other one does) is the innermost. Raises ConflictError if two components
    own one stage or one component is named twice, PluginError for an unknown word in `uses`.

    `code_marks` maps the name of a component to the mark of its code (`fsbench.code`). `members` contains the
    strategies that the fields of components name, by component and text.
    """

    components: tuple[Strategy, ...]
    code_marks: Mapping[str, str] = field(default_factory=dict, hash=False)
    members: Mapping[tuple[str, str], Composition] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        kept = tuple(c for c in self.components if c.name != BASELINE)
        object.__setattr__(self, "components", kept or self.components[:1])
        names = [c.name for c in self.components]
        for name in names:
            if names.count(name) > 1:
                raise ConflictError(f"{'+'.join(names)}: {name} is named twice; use it once in a spec")
        for component in self.components:
            check_uses(component)
        for stage in STAGES:
            self._check_owners(stage)
        self._check_embedding()

    def _check_owners(self, stage: str) -> None:
        """Raise ConflictError for two owners of a stage, or for arguments that its owner makes idle."""
        owners, whole = self._owners(stage), "+".join(c.name for c in self.components)
        if len(owners) > 1:
            raise ConflictError(
                f"{whole}: {owners[0].name} and {owners[1].name} both own the stage {stage!r}; "
                "leave one of them out"
            )
        for component in self.components:
            given = owned_arguments(component, stage)
            if given and owners and component is not owners[0]:
                raise ConflictError(
                    f"{whole}: {given[0]} of {component.name} and {owners[0].name} both decide the stage "
                    f"{stage!r}; leave one of them out"
                )

    def _check_embedding(self) -> None:
        """Raise ConflictError if a component that embeds gets features, and does not work on them."""
        first, *others = self.chain("embed") or (None,)
        for other in others:
            if first and other.kinds is not None and FEATURES not in other.kinds:
                raise ConflictError(
                    f"{'+'.join(c.name for c in self.components)}: {other.name} works on "
                    f"{' and '.join(sorted(other.kinds))} data, not on features, which {first.name} makes of "
                    "it; leave one of them out"
                )

    def _owners(self, stage: str) -> list[Strategy]:
        """The components that own a stage; those that yield it only if no other one does."""
        owners = [c for c in self.components if stage in c.replaces]
        return owners or [c for c in self.components if stage in c.yields]

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

        `mine(rate=1.0, weights="w.pt")#sha256:9f86d081884c#code+1a2b3c4d`; an argument that names
        strategies holds their full specs.
        """
        terms = []
        for component in self.components:
            call = to_call(component, full=True, member=self._member_spec(component))
            marks = content_hash(component), self.code_marks.get(component.name, "")
            terms.append("#".join([str(call), *filter(None, marks)]))
        return "+".join(terms)

    def _member_spec(self, component: Strategy) -> Callable[[str], str]:
        return lambda text: self.member(component.name, text).full_spec

    def member(self, component: str, text: str) -> Composition:
        """A strategy that a field of a component names. Raises PluginError if no field names it."""
        if (component, text) not in self.members:
            raise PluginError(
                f"{component}: no field that holds specs names {text!r}; give it param(..., spec=True)"
            )
        return self.members[component, text]

    def members_of(self, component: Strategy) -> tuple[Composition, ...]:
        """The strategies that the fields of a component name, in the order of the fields."""
        texts = [text for name in spec_fields(component) for text in specs(getattr(component, name))]
        return tuple(self.member(component.name, text) for text in texts)

    @property
    def all_components(self) -> tuple[Strategy, ...]:
        """The components, each followed by the components of the strategies that its fields name."""
        found: list[Strategy] = []
        for component in self.components:
            found.append(component)
            for member in self.members_of(component):
                found += member.all_components
        return tuple(found)

    @property
    def baseline(self) -> bool:
        """Whether it is one component that is declared as a baseline."""
        return len(self.components) == 1 and self.components[0].baseline

    @property
    def uses(self) -> frozenset[str]:
        """What the components, and the strategies that their fields name, use beyond the training labels."""
        return frozenset().union(*(c.uses for c in self.all_components))

    def skip(self, task: TaskInfo) -> str | None:
        """The first reason why a component cannot run on a task, by itself or with the others, or None."""
        for ask in (self._skip_alone, self._skip_beside):
            for component in self.components:
                reason = ask(component, task)
                if reason is not None:
                    return reason if len(self.components) == 1 else f"{component.name}: {reason}"
        return None

    def narrow(self, task: TaskInfo) -> TaskInfo:
        """The task as the components together leave it."""
        return functools.reduce(lambda left, component: component.narrow(left), self.components, task)

    def _skip_alone(self, component: Strategy, task: TaskInfo) -> str | None:
        reason = excludes(component, task.kind) or skip_reason(component, task)
        for member in self.members_of(component) if reason is None else ():
            reason = member.skip(component.narrow(task))
            if reason is not None:
                return f"{member.text}: {reason}"
        return reason

    def _skip_beside(self, component: Strategy, task: TaskInfo) -> str | None:
        """Why a component cannot run on a task as the other components leave it, or None."""
        left, takers = task, []
        for other in self.components:
            before = left
            left = left if other is component else other.narrow(left)
            takers += [other.name] if left != before else []
        reason = skip_reason(component, left) if takers else None
        return None if reason is None else f"{reason} beside {' and '.join(takers)}"

    def check_recipe(self, recipe: Recipe) -> None:
        """Let each component refuse a recipe with UsageError, unless another one may change it first."""
        for component in self.components:
            if not any(overrides(c, "configure") for c in self.components if c is not component):
                asked(component, "check_recipe", functools.partial(component.check_recipe, recipe))
                for member in self.members_of(component):
                    member.check_recipe(recipe)

    def owner(self, stage: str) -> Strategy | None:
        """The component that owns a stage, or None."""
        return next(iter(self._owners(stage)), None)

    def chain(self, stage: str) -> tuple[Strategy, ...]:
        """The components that change a stage, in the order in which they act, with its owner first."""
        return self._chains[stage]

    @functools.cached_property
    def _chains(self) -> dict[str, tuple[Strategy, ...]]:
        found = {}
        for stage in STAGES:
            owner = self.owner(stage)
            acting = [c for c in self.components if overrides(c, stage)]
            acting = [c for c in acting if c is owner or stage not in c.yields]
            found[stage] = tuple(sorted(acting, key=lambda c: c is not owner))
        return found

    def _running(self, stage: str, ctx: Scope) -> Iterator[tuple[Strategy, Scope, Mark]]:
        """The components that change a stage, each with its context and a function that marks an effect."""
        for component in self.chain(stage):
            yield component, ctx.scoped(component, stage), _marker(ctx, component, stage)

    def _map(
        self,
        stage: str,
        value: T,
        ctx: Scope,
        changed: Callable[[T, T], bool],
        checked: Callable[[T, T, str], T],
    ) -> T:
        """The law of `map`: each component's stage acts on the result of the one before it.

        A component that finds nothing to do on this draw says so in a note and does not count as inert.
        """
        for component, scoped, mark in self._running(stage, ctx):
            said = ctx.notes
            given, value = value, checked(value, getattr(component, stage)(value, scoped), component.name)
            if changed(given, value) or ctx.notes != said:
                mark()
        return value

    def _wrap(
        self, stage: str, innermost: T, ctx: Scope, around: Callable[[Strategy, Scope, T, Mark], T]
    ) -> T:
        """The law of `wrap`: each component's stage wraps the one before it."""
        call = innermost
        for component, scoped, mark in self._running(stage, ctx):
            call = around(component, scoped, call, mark)
        return call

    def configure(self, recipe: Recipe, ctx: Scope) -> Recipe:
        """The recipe after every `configure`; a change that later ones overwrite has no effect."""
        later = list(self.chain("configure"))

        def lasts(given: Recipe, got: Recipe) -> bool:
            later.pop(0)
            return given != got and _outcome(later, given, ctx) != _outcome(later, got, ctx)

        return self._map("configure", recipe, ctx, lasts, checked_recipe)

    def embed(self, batch: Batch, ctx: Scope) -> Batch:
        """The batch after every component's `embed`: features."""
        got = self._map("embed", batch, ctx, other_tensors, checked_embedded)
        return checked_features(got, self.chain("embed")[-1].name)

    def resample(self, train: LabeledSet, ctx: Scope) -> LabeledSet:
        """The training set after every component's `resample`."""
        return self._map("resample", train, ctx, other_tensors, checked_training_set)

    def init_model(self, model: nn.Module, ctx: Scope) -> nn.Module:
        """The model after every component's `init_model`."""
        with ctx.effects.resting_on(STAGES["init_model"].rests_on):
            for component, scoped, mark in self._running("init_model", ctx):
                before = Weights(model)
                given, model = model, component.init_model(model, scoped)
                checked_module(model, component.name, "init_model")
                if model is not given or before.differ(model):
                    mark()
        return model

    def augment(self, batch: Batch, ctx: Scope, embedding: bool = False) -> Batch:
        """The batch after every component's `augment`; unlabelled inputs are transformed alike.

        A component sees labelled and unlabelled inputs in separate calls, so it cannot use unlabelled inputs
        that it has not declared. `raw_unlabeled` is not changed.

        Where a component embeds inputs, it alone augments (`embedding`), as later batches contain features.
        """
        if not self.chain("augment") or (self.chain("embed") and not embedding):
            return batch
        unlabeled = batch.unlabeled
        labeled = replace(batch, unlabeled=None, raw_unlabeled=None)
        found = self._map("augment", labeled, ctx, other_tensors, checked_batch)
        if unlabeled is not None:
            classes = batch.targets.shape[1]
            even = batch.targets.new_full((len(unlabeled), classes), 1 / classes)
            other = Batch(unlabeled, even, role="unlabeled")
            for component in self.chain("augment"):
                got = component.augment(other, ctx.scoped(component, "augment.unlabeled"))
                other = checked_batch(other, got, component.name)
            unlabeled = other.x
        return replace(found, unlabeled=unlabeled, raw_unlabeled=batch.raw_unlabeled)

    def loss(self, logits: torch.Tensor, targets: torch.Tensor, ctx: Scope) -> torch.Tensor:
        """Per-sample loss `[B]`: cross-entropy, replaced or wrapped by the components."""
        call: Callable[..., torch.Tensor] = self._plain_loss
        return self._wrap("loss", call, ctx, around_loss)(logits, targets)

    def _plain_loss(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Cross-entropy. Raises PluginError for a model with another number of outputs than classes."""
        if logits.shape[-1] != targets.shape[-1]:
            who = " and ".join(c.name for c in self.chain("init_model")) or self.text or "ctx.pretrain"
            raise PluginError(
                f"{who}: the model has {logits.shape[-1]} outputs for {targets.shape[-1]} classes; give it a "
                "head for them by model.with_head(num_classes)"
            )
        return cross_entropy(logits, targets)

    def auxiliary_loss(self, out: StepOutput, modules: nn.ModuleDict, ctx: Scope) -> torch.Tensor | float:
        """The sum of the components' auxiliary losses.

        A loss of zero, or without a gradient, has no effect, unless the component says why in a note.
        """
        total: torch.Tensor | float = 0.0
        for component, scoped, mark in self._running("auxiliary_loss", ctx):
            seen = replace(out, modules=dict(modules.items()).get(component.name))
            if "unlabeled" not in component.uses:
                batch = replace(out.batch, unlabeled=None, raw_unlabeled=None)
                seen = replace(seen, unlabeled_features=None, unlabeled_logits=None, batch=batch)
            said = ctx.notes
            term = checked_term(component.auxiliary_loss(seen, scoped), component.name)
            if not ctx.effects.had_effect(component.name) and (trains(term) or ctx.notes != said):
                mark()
            total = total + term
        return total

    def auxiliary_modules(self, model: nn.Module, ctx: Scope) -> dict[str, nn.Module]:
        """The components' modules by component name, each with independent random weights."""
        found: dict[str, nn.Module] = {}
        for component in self.components:
            scoped = ctx.scoped(component, "auxiliary_modules")
            with scoped.torch_seeded():
                module = component.auxiliary_modules(model, scoped)
            if module is not None:
                found[component.name] = checked_module(module, component.name, "auxiliary_modules")
        return found

    def step(self, step: Step, ctx: Scope) -> None:
        """One optimizer step: gradients and update, replaced or wrapped by the components."""
        call: Callable[[Step], None] = plain_step
        self._wrap("step", call, ctx, around_step)(step)

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Scope) -> Fitted:
        """Fit with the engine's training `inner`, replaced or wrapped by the components."""
        return self._wrap("fit", announced(inner, ctx), ctx, around_fit)(train)

    def postprocess(
        self, fitted: Fitted, val: LabeledSet, ctx: Scope, before: Strategy | None = None
    ) -> Fitted:
        """The fitted predictor after every component's `postprocess`, or those before one component."""
        for component, scoped, mark in self._running("postprocess", ctx):
            if component is before:
                break
            watched = WatchedFit(fitted, mark)
            shown = val if "val" in component.uses else scoped.withheld("val")
            got = component.postprocess(watched.given, shown, scoped)
            fitted = watched.check(checked_fit(got, component.name, "postprocess"))
        return fitted

    def check_effects(self, ctx: Scope) -> None:
        """Raise InertComponent if a component other than the baseline had no effect."""
        for component in self.components:
            if component.name != BASELINE and not ctx.effects.had_effect(component.name):
                where = "" if self.text == component.name else f"{self.text}: "
                raise InertComponent(
                    f"{where}{component.name} had no effect; {why_inert(component, ctx.effects)}"
                )


def _marker(ctx: Scope, component: Strategy, stage: str) -> Mark:
    return lambda: ctx.effects.did(component.name, STAGES[stage].rests_on)


def _outcome(components: list[Strategy], recipe: Recipe, ctx: Scope) -> Recipe | None:
    """The recipe that components would make of another one; None if one of them cannot work with it."""
    with ctx.rehearsing():
        try:
            for component in components:
                recipe = component.configure(recipe, ctx.scoped(component, "configure"))
        except Exception:  # noqa: BLE001 - with the real recipe, the component raises again
            return None
    return recipe
