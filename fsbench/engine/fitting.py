"""Fits a composed strategy on a training part, both for a trial and for a strategy in an argument."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

from torch import nn

from fsbench import laws
from fsbench.engine.frozen_body import fit_head, frozen_network
from fsbench.engine.inputs import adapt, seen, seen_training, taking_stored
from fsbench.engine.objective import Objective
from fsbench.engine.state import TrialState
from fsbench.engine.training import as_fitted, train
from fsbench.scope import Scope
from fsbench.strategy import Strategy, overrides
from fsbench.types import Fitted, LabeledSet, Recipe


def begin(state: TrialState, ctx: Scope) -> None:
    """Do what all cells share: make the recipe with `configure`, the start with `init_model`."""
    state.recipe = laws.configure(state.composition, state.recipe, ctx)
    adapt(state, ctx)
    state.start = laws.init_model(state.composition, ctx.new_model(state.task.num_classes), ctx)
    state.started.add(state.start)


def fit_cell(
    state: TrialState, ctx: Scope, data: LabeledSet, only: bool = False, given: LabeledSet | None = None
) -> Fitted:
    """A cell's fitted predictor, from a copy of the start.

    The `only` cell may take the start itself, unless a component could fit again. `given` is what the split
    gave of resampled data: its labels count, and the recipe is sized for it.
    """
    assert state.val is not None, "a cell has a validation set"
    state.part = data if given is None else given
    state.class_counts, state.samples = state.counts(state.part), len(state.part)
    state.model = state.start if only and not state.composition.chain("postprocess") else _begun(state)
    state.val = replace(state.val, x=seen(state, ctx, state.val.x))
    state.train = seen_training(state, ctx, data)
    fitted = _fit(state, ctx, state.train)
    return taking_stored(state, ctx, laws.postprocess(state.composition, fitted, state.val, ctx))


def fit_again(state: TrialState, ctx: Scope, data: LabeledSet, before: Strategy | None) -> Fitted:
    """A predictor fitted to other data from the same start, as the components before one postprocess it."""
    assert state.val is not None, "a cell has a validation set"
    whole = state.part, state.train, state.resampled
    state.part = state.train = data
    try:
        with ctx.in_force(None, _begun(state)):
            fitted = _fit(state, ctx, data)
            return laws.postprocess(state.composition, fitted, state.val, ctx, before)
    finally:
        state.part, state.train, state.resampled = whole


def _fit(state: TrialState, ctx: Scope, data: LabeledSet) -> Fitted:
    """Resample a training set as the composition sees it, and fit on the result."""
    state.resampled = laws.resample(state.composition, data, ctx)
    return laws.fit(state.composition, state.resampled, _engine_fit(state, ctx), ctx)


def _begun(state: TrialState) -> nn.Module:
    """A copy of the start."""
    assert state.start is not None, "begin comes first"
    found = copy.deepcopy(state.start)
    state.started.add(found)
    return found


def _engine_fit(state: TrialState, ctx: Scope) -> Callable[..., Fitted]:
    """The innermost `fit`: training by the recipe. Each call draws separate batches.

    A frozen body is run only once per sample, and the head is trained on its features.
    """
    wants_unlabeled = any(
        "unlabeled" in c.uses and overrides(c, "auxiliary_loss") for c in state.composition.components
    )

    def fit(
        data: LabeledSet,
        *,
        recipe: Recipe | None = None,
        model: nn.Module | None = None,
        val: LabeledSet | None = None,
    ) -> Fitted:
        with ctx.in_force(recipe, model, val), ctx.entering(f"fit {state.runs}"):
            state.runs += 1
            network = frozen_network(ctx.model, state.composition)
            if network is not None:
                return fit_head(ctx, state.composition, network, data, state.features, state.pretrained)
            unlabeled = state.unlabeled() if wants_unlabeled and state.unlabeled else None
            objective = Objective(ctx.model, state.composition, ctx)
            if state.trainings is not None and unlabeled is None:
                return as_fitted(state.trainings.train(objective, data, ctx.recipe))
            return as_fitted(train(objective, data, ctx.recipe, unlabeled))

    return fit
