"""Fits a composed strategy on a training part, both for a trial and for a strategy in an argument."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

from torch import nn

from fsbench.engine.frozen_body import fit_head, frozen_network
from fsbench.engine.inputs import adapt, seen, seen_training, taking_stored
from fsbench.engine.objective import Objective
from fsbench.engine.state import TrialState
from fsbench.engine.training import as_fitted, train
from fsbench.scope import Scope
from fsbench.strategy import overrides
from fsbench.types import Fitted, LabeledSet, Recipe


def begin(state: TrialState, ctx: Scope) -> None:
    """Do what all cells share: make the recipe with `configure`, the start with `init_model`."""
    state.recipe = state.composition.configure(state.recipe, ctx)
    adapt(state, ctx)
    state.start = state.composition.init_model(ctx.new_model(state.task.num_classes), ctx)
    state.started.add(state.start)


def fit_cell(state: TrialState, ctx: Scope, data: LabeledSet, only: bool = False) -> Fitted:
    """A cell's fitted predictor, from a copy of the start, or from the start itself for the `only` cell."""
    assert state.start is not None, "begin comes first"
    assert state.val is not None, "a cell has a validation set"
    state.class_counts, state.samples = data.class_counts(), len(data)
    state.model = state.start if only else copy.deepcopy(state.start)
    state.started.add(state.model)
    state.val = replace(state.val, x=seen(state, ctx, state.val.x))
    data = state.composition.resample(seen_training(state, ctx, data), ctx)
    fitted = state.composition.fit(data, _engine_fit(state, ctx), ctx)
    return taking_stored(state, ctx, state.composition.postprocess(fitted, state.val, ctx))


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
