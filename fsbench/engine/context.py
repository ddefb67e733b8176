"""The engine's implementation of `fsbench.context.Context`, which documents each method."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import Any, NoReturn, TypeVar, cast

import torch
from torch import nn

from fsbench import laws
from fsbench.composition import Composition
from fsbench.effects import Effects
from fsbench.engine.backbones import Network, build_network
from fsbench.engine.backbones.weights import load_into, load_weights
from fsbench.engine.fitting import begin, fit_again, fit_cell
from fsbench.engine.frozen_body import SHARED, pretrained_features, weights_digest
from fsbench.engine.objective import Objective
from fsbench.engine.state import TrialState
from fsbench.engine.training import as_fitted, train
from fsbench.errors import DataError, PluginError, UndeclaredUse
from fsbench.jobs import LONGEST_NOTE, MOST_NOTES
from fsbench.recipes.catalogue import sized
from fsbench.recipes.recipe import parse_recipe, recipe_text
from fsbench.registry import get_registry
from fsbench.returned import sound_recipe
from fsbench.rng import Stream, derive_key, seeded
from fsbench.savable import Savable
from fsbench.scope import Scope
from fsbench.stages import Ground
from fsbench.strategy import Strategy
from fsbench.types import Batch, Fitted, LabeledSet, Recipe, TaskInfo, task_from_dict, to_dict

M = TypeVar("M")


class EngineContext(Scope, Savable):
    """One component's view of a trial, inside one stage; without a component, the engine's own view."""

    def __init__(self, state: TrialState, component: Strategy | None = None, stage: str = "engine") -> None:
        self._state = state
        self._component = component
        self._stage = stage

    @property
    def state(self) -> TrialState:
        """What all contexts of the trial share."""
        return self._state

    def arguments(self) -> dict[str, Any]:
        """What predictions need of a trial: texts, shapes, and the pretrained bodies that embed inputs."""
        state = self._state
        return {
            "identity": tuple(str(part) for part in state.identity),
            "spec": state.composition.text,
            "recipe": recipe_text(state.recipe),
            "given": to_dict(state.given),
            "inputs": to_dict(state.inputs),
            "task": to_dict(state.task),
            "stored": state.stored,
            "cell": state.cell,
            "bodies": [(key, body.network) for key, body in state.bodies.items()],
        }

    @classmethod
    def rebuild(  # type: ignore[override]
        cls,
        identity: tuple[str, ...],
        spec: str,
        recipe: str,
        given: dict[str, Any],
        inputs: dict[str, Any],
        task: dict[str, Any],
        stored: tuple[int, ...],
        cell: int,
        bodies: list[tuple[tuple[str, str, tuple[int, ...]], Network]],
    ) -> EngineContext:
        """The context of a trial that is over, on the CPU."""
        (composition,) = get_registry().parse(spec)
        info, cpu = task_from_dict(given), torch.device("cpu")
        state = TrialState(identity, info, composition, parse_recipe(recipe), cpu, stored=stored, cell=cell)
        state.inputs, state.task = task_from_dict(inputs), task_from_dict(task)
        state.bodies = {key: pretrained_features(body, {}, key[0], key[2], None) for key, body in bodies}
        return cls(state)

    @property
    def _owner(self) -> str:
        return self._component.name if self._component else "engine"

    def _absent(self, what: str) -> NoReturn:
        raise PluginError(f"{self._owner}: there is no ctx.{what} in {self._stage}")

    @property
    def task(self) -> TaskInfo:
        before = self._stage in ("embed", "augment", "augment.unlabeled")
        return self._state.inputs if before else self._state.task

    @property
    def recipe(self) -> Recipe:
        self._use("recipe")
        recipe, samples = self._state.recipe, self._state.samples
        return recipe if samples is None else recipe.sized(samples)

    @property
    def device(self) -> torch.device:
        return self._state.device

    @property
    def num_classes(self) -> int:
        counts = self._state.class_counts
        return self._state.task.num_classes if counts is None else len(counts)

    @property
    def class_counts(self) -> torch.Tensor:
        if self._state.class_counts is None:
            self._absent("class_counts")
        return self._state.class_counts.clone()

    @property
    def step(self) -> int:
        return self._state.step

    @property
    def progress(self) -> float:
        return self._state.progress

    @property
    def model(self) -> nn.Module:
        if self._state.model is None:
            self._absent("model")
        self._use("model")
        return self._state.model

    @property
    def trained(self) -> nn.Module | None:
        return self._state.model

    @property
    def batch(self) -> Batch | None:
        batch, component = self._state.batch, self._component
        if batch is None or component is None or "unlabeled" in component.uses:
            return batch
        return replace(batch, unlabeled=None, raw_unlabeled=None)

    @property
    def source(self) -> LabeledSet:
        self._require("source")
        if self._state.source is None:
            raise DataError(f"{self.task.text} has no source data; give the task source=DATASET")
        return self._state.source()

    @property
    def unlabeled(self) -> torch.Tensor:
        self._require("unlabeled")
        if self._state.unlabeled is None:
            raise DataError(f"{self.task.text} has no unlabelled inputs; give the task unlabeled=all")
        return self._state.unlabeled()

    @property
    def val(self) -> LabeledSet:
        self._require("val")
        val = self._state.val
        if val is None:
            self._absent("val")
        return replace(val, x=val.x.clone(), targets=val.targets.clone())

    @property
    def rng(self) -> Stream:
        return self.stream("")

    def stream(self, purpose: str) -> Stream:
        return Stream(*self._key(purpose), device=self.device, step=self.step)

    def fixed_stream(self, purpose: str) -> Stream:
        return Stream(*self._state.identity, self._owner, "fixed", purpose, device=self.device)

    def _key(self, purpose: str) -> tuple[object, ...]:
        state = self._state
        return (*state.identity, state.cell, *state.phase, self._owner, self._stage, purpose)

    def torch_seeded(self) -> AbstractContextManager[None]:
        return seeded(derive_key(*self._key("torch")))

    def memory(self, make: Callable[[], M]) -> M:
        if self._state.memories is None:
            raise PluginError(
                f"{self._owner}: ctx.memory is for a training run, and {self._stage} is outside of one"
            )
        if not callable(make):
            raise PluginError(
                f"{self._owner}: ctx.memory was given {type(make).__name__}; expected a function that makes "
                "what is remembered, such as ctx.memory(dict) or ctx.memory(lambda: {'norm': 0.0})"
            )
        if self._owner not in self._state.memories:
            self._state.memories[self._owner] = make()
        return cast(M, self._state.memories[self._owner])

    def load_weights(self, weights: str, into: nn.Module | None = None) -> dict[str, Any]:
        self._require("pretrained")
        backbone = self._state.recipe.backbone
        found = load_weights(backbone, weights, self.device)
        if into is not None:
            what = f"{backbone} for inputs {list(self.task.input_shape)}"
            load_into(into, found, weights, what)
        self._state.pretrained.add(weights_digest(found))
        return found

    def pretrained_features(
        self, backbone: str, weights: str, size: int | None = None
    ) -> Callable[[torch.Tensor], torch.Tensor]:
        self._require("pretrained")
        state, shape, backbone = self._state, self.task.input_shape, sized(backbone, size)
        key = backbone, weights, shape
        if key not in state.bodies:
            found = load_weights(backbone, weights, self.device)
            with seeded(0):
                network = build_network(backbone, self.task.kind, shape, 1)
            network = network.to(self.device).to(memory_format=torch.channels_last)
            load_into(network.body, found, weights, f"{backbone} for inputs {list(shape)}")
            state.bodies[key] = pretrained_features(network, found, backbone, shape, state.features)
        if state.features is not None:
            self.note(SHARED)
        return state.bodies[key]

    def _require(self, what: str) -> None:
        if self._component is not None and what not in self._component.uses:
            name = self._component.name
            raise UndeclaredUse(
                f"{name} touched {what} data in {self._stage}, but its `uses` does not name {what!r}"
            )

    def withheld(self, what: str) -> Any:
        return _Withheld(lambda: self._require(what))

    def note(self, text: str) -> None:
        said = f"{self._component.name}: {text}" if self._component else text
        said = said[:LONGEST_NOTE]
        if said not in self._state.notes and len(self._state.notes) < MOST_NOTES:
            self._state.notes.append(said)

    def new_model(self, num_classes: int | None = None, purpose: str = "model") -> Network:
        classes = self.num_classes if num_classes is None else num_classes
        with seeded(derive_key(*self._state.identity, purpose)):
            network = build_network(
                self.recipe.backbone, self.task.kind, self.task.input_shape, classes, self.recipe.dropout
            )
        # Convolutions on a CPU are up to twice as fast with the channels last.
        return network.to(self.device).to(memory_format=torch.channels_last)

    def start(self, purpose: str) -> nn.Module:
        state = self._state
        if purpose not in state.starts:
            engine, cell = EngineContext(state), state.cell
            with engine.entering(f"start {purpose}"):
                state.cell = -1
                model = engine.new_model(state.task.num_classes, f"start {purpose}")
                state.starts[purpose] = laws.init_model(state.composition, model, engine)
                state.cell = cell
        self._use("model")
        found = copy.deepcopy(state.starts[purpose])
        state.started.add(found)
        return found

    def objective(self, model: nn.Module) -> Objective:
        return Objective(model, self._state.composition, EngineContext(self._state))

    def loss(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return laws.loss(self._state.composition, logits, targets, EngineContext(self._state))

    def augment(self, batch: Batch) -> Batch:
        inside = self._stage == "embed"
        return laws.augment(self._state.composition, batch, EngineContext(self._state), embedding=inside)

    def pretrain(self, model: nn.Module, data: LabeledSet, recipe: Recipe) -> nn.Module:
        sound_recipe(recipe, f"{self._owner}: {self._stage} passed ctx.pretrain")
        engine = EngineContext(self._state)
        with engine.entering("pretrain"):
            objective = Objective(model, Composition(()), engine)
            trainings = self._state.trainings
            return (train if trainings is None else trainings.pretrain)(objective, data, recipe)

    def pretrain_by(
        self, train: Callable[[], None], model: nn.Module, data: LabeledSet, *others: object
    ) -> None:
        trainings = self._state.trainings
        if trainings is None:
            train()
        else:
            deciding = repr((self._component, self._key("pretrain_by"), others))
            trainings.pretrain_by(train, self.objective(model), data, deciding)

    def fitted(self, network: nn.Module) -> Fitted:
        return as_fitted(network)

    def fit_with(self, spec: str, train: LabeledSet) -> Fitted:
        state = self._state
        composition = state.composition.member(self._owner, spec)
        key = composition.text, state.recipe
        if key not in state.members:
            state.members[key] = state.of_member(composition)
            begin(state.members[key], EngineContext(state.members[key]))
        member = state.members[key]
        member.cell, member.val, member.phase, member.runs = state.cell, state.val, (), 0
        return fit_cell(member, EngineContext(member), train, given=state.as_given(train))

    @property
    def train(self) -> LabeledSet:
        if self._state.train is None or self._stage != "postprocess":
            self._absent("train")
        return self._state.train

    def refit(self, train: LabeledSet) -> Fitted:
        if self._stage != "postprocess":
            self._absent("refit")
        return fit_again(self._state, EngineContext(self._state), train, self._component)

    def uses_of(self, spec: str) -> frozenset[str]:
        return self._state.composition.member(self._owner, spec).uses

    @contextmanager
    def entering(self, phase: str, train: LabeledSet | None = None) -> Iterator[None]:
        state = self._state
        before = state.phase, state.step, state.progress, state.class_counts, state.memories
        state.phase, state.memories = (*state.phase, self._owner, self._stage, phase), {}
        if train is not None:
            state.class_counts = state.counts(train.select(~train.added_mask))
        try:
            yield
        finally:
            state.phase, state.step, state.progress, state.class_counts, state.memories = before

    @contextmanager
    def in_force(
        self,
        recipe: Recipe | None,
        model: nn.Module | None,
        val: LabeledSet | None = None,
        batch: Batch | None = None,
    ) -> Iterator[None]:
        state = self._state
        before = state.recipe, state.model, state.val, state.batch
        state.recipe = state.recipe if recipe is None else recipe
        state.model = state.model if model is None else model
        state.val = state.val if val is None else val
        state.batch = batch
        try:
            yield
        finally:
            state.recipe, state.model, state.val, state.batch = before

    @contextmanager
    def rehearsing(self) -> Iterator[None]:
        state = self._state
        before, said = state.memories, list(state.notes)
        state.memories = copy.deepcopy(before)
        try:
            yield
        finally:
            state.memories, state.notes[:] = before, said

    def at_step(self, step: int, steps: int) -> None:
        self._state.step = step
        self._state.progress = step / max(1, steps - 1)

    def autocast(self) -> AbstractContextManager[None]:
        if self._state.recipe.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16, cache_enabled=False)

    def scoped(self, component: Strategy, stage: str) -> EngineContext:
        return EngineContext(self._state, component, stage)

    @property
    def effects(self) -> Effects:
        return self._state.effects

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(self._state.notes)

    def reached_training(self, model: nn.Module | None) -> None:
        state = self._state
        state.effects.used.add("recipe")
        trained = state.model if model is None else model
        if trained is not None and trained in state.started:
            state.effects.used.add("model")

    def _use(self, ground: Ground) -> None:
        """Remember that a fit, or something after it, reads the recipe or the model.

        A component around an owner of `fit` does not itself fit: whether the recipe or model is used depends
        on the owner.
        """
        component, effects = self._component, self._state.effects
        if component is None or self._stage not in ("fit", "postprocess"):
            return
        owner = self._state.composition.owner("fit")
        if owner in (None, component) or self._stage == "postprocess":
            effects.used |= {ground, "recipe"}


class _Withheld:
    """Stands for data that a component may not use: any access raises."""

    def __init__(self, refuse: Callable[[], None]) -> None:
        self._refuse = refuse

    def __getattr__(self, name: str) -> NoReturn:
        self._refuse()
        raise AssertionError(name)

    def __len__(self) -> int:
        return len(self.x)
