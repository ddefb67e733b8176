"""What a composition sees of samples: at the size that its backbone takes, or embedded as features."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from fsbench import laws
from fsbench.composition import Composition
from fsbench.engine.backbones.network import wanted_input
from fsbench.engine.state import Lent, TrialState
from fsbench.errors import PluginError
from fsbench.kinds import FEATURES, get_kind
from fsbench.recipes.catalogue import known_backbone
from fsbench.savable import Savable
from fsbench.scope import Scope
from fsbench.spec import parse_call
from fsbench.strategy import backbone_fields, overrides
from fsbench.types import Batch, Fitted, LabeledSet, Predictor

_AT_ONCE = 256


def adapt(state: TrialState, ctx: Scope) -> None:
    """Decide what a composition sees, once its recipe is known: the shape and, if it embeds, the kind.

    It sees samples as large as they are stored if it embeds them, or if a strategy in one of its fields may
    need them so; otherwise at the size for its backbone.
    """
    kind, given = get_kind(state.given.kind), state.given
    shape = state.stored
    if not (_embeds(state) or _members_may_enlarge(state.composition)):
        shape = kind.shape_for(wanted_input(state.recipe.backbone), given.input_shape, state.stored)
    state.task = state.inputs = replace(given, input_shape=shape)
    if _embeds(state):
        _embed_task(state, ctx)


def _embeds(state: TrialState) -> bool:
    return bool(state.composition.chain("embed"))


def _members_may_enlarge(composition: Composition) -> bool:
    members = (m for c in composition.components for m in composition.members_of(c))
    return any(overrides(c, "embed") or backbone_fields(c) for m in members for c in m.all_components)


def _embed_task(state: TrialState, ctx: Scope) -> None:
    """Later stages see a task of features, also in its source and its unlabelled data."""
    kind = get_kind(state.inputs.kind)
    sample = kind.tensor(np.zeros((1, *state.inputs.input_shape), dtype=kind.dtype), state.device)
    shape = tuple(_features(state, ctx, sample).shape[1:])
    state.task = replace(
        state.inputs,
        kind=FEATURES,
        input_shape=shape,
        source_shape=shape if state.inputs.has_source else None,
        symmetries=frozenset(),
    )
    if not known_backbone(parse_call(state.recipe.backbone)).takes(FEATURES):
        embedding = " and ".join(c.name for c in state.composition.chain("embed"))
        raise PluginError(
            f"{embedding}: {state.recipe.backbone} takes no features, which embed makes of {kind.name} "
            "samples; let configure return dataclasses.replace(recipe, backbone='linear')"
        )
    source, unlabeled = state.source, state.unlabeled

    def source_features() -> LabeledSet:
        assert source is not None
        data = source()
        return replace(data, x=_features(state, ctx, kind.match(data.x, state.inputs.input_shape)))

    state.source = source and Lent(source_features)
    state.unlabeled = unlabeled and Lent(lambda: _features(state, ctx, unlabeled()))


def seen(state: TrialState, ctx: Scope, x: torch.Tensor) -> torch.Tensor:
    """Inputs `[N, ...]` as they were stored for this composition, as it sees them."""
    x = get_kind(state.inputs.kind).shrink_tensor(x, state.inputs.input_shape)
    return _features(state, ctx, x) if _embeds(state) else x


def seen_training(state: TrialState, ctx: Scope, data: LabeledSet) -> LabeledSet:
    """A training set as the composition sees it; embedding may add copies of a sample, of its group."""
    x = get_kind(state.inputs.kind).shrink_tensor(data.x, state.inputs.input_shape)
    data = data if x is data.x else replace(data, x=x)
    if not _embeds(state):
        return data
    parts = []
    with ctx.entering("embed"):
        rows = torch.split(torch.arange(len(data), device=state.device), _AT_ONCE)
        for number, part in enumerate(rows):
            ctx.at_step(number, len(rows))
            parts.append(_embedded_part(state, ctx, data.select(part)))
    return functools.reduce(LabeledSet.joined, parts)


def _embedded_part(state: TrialState, ctx: Scope, data: LabeledSet) -> LabeledSet:
    domain = None if data.domain is None else data.domain.float()
    got = laws.embed(state.composition, Batch(data.x, data.targets, domain=domain), ctx)
    copies, rest = divmod(len(got.x), len(data))
    if rest or not copies:
        raise PluginError(
            f"{state.composition.text}: embed returned {len(got.x)} samples for {len(data)}; expected the "
            "same number, or whole copies one after the other"
        )
    if got.targets.shape != (len(got.x), data.num_classes):
        raise PluginError(
            f"{state.composition.text}: embed returned {len(got.x)} samples but targets "
            f"{list(got.targets.shape)}; repeat the targets with the samples"
        )
    parts = [
        replace(data, x=x, targets=targets)
        for x, targets in zip(got.x.chunk(copies), got.targets.chunk(copies), strict=True)
    ]
    return functools.reduce(LabeledSet.with_added, parts)


def _features(state: TrialState, ctx: Scope, x: torch.Tensor) -> torch.Tensor:
    """Inputs `[N, ...]` that are not for training, embedded."""
    if len(x) == 0:
        return torch.empty(0, *state.task.input_shape, device=x.device)
    classes, parts = state.task.num_classes, []
    with ctx.entering("embed others"):
        for part in torch.split(x, _AT_ONCE):
            even = part.new_full((len(part), classes), 1 / classes)
            got = laws.embed(state.composition, Batch(part, even, role="unlabeled"), ctx).x
            if len(got) != len(part):
                raise PluginError(
                    f"{state.composition.text}: embed returned {len(got)} inputs for {len(part)} that are "
                    "not for training; expected the same number"
                )
            parts.append(got)
    return torch.cat(parts)


def taking_stored(state: TrialState, ctx: Scope, fitted: Fitted) -> Fitted:
    """A fitted predictor that takes inputs as they were stored for the composition."""
    if not _embeds(state) and state.opened == state.inputs.input_shape:
        return fitted
    return Fitted(AsStored(state, ctx, fitted.predict))


@dataclass(frozen=True, eq=False)
class AsStored(Savable):
    """A predictor that takes inputs as they were stored, and sees them as its composition does."""

    state: TrialState
    ctx: Scope
    predict: Predictor

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Logits `[N, C]` of stored inputs `[N, ...]`."""
        return self.predict(seen(self.state, self.ctx, x))

    def arguments(self) -> dict[str, Any]:
        """The context, which contains the state, and the predictor."""
        return {"ctx": self.ctx, "predict": self.predict}

    @classmethod
    def rebuild(cls, ctx: Scope, predict: Predictor) -> AsStored:  # type: ignore[override]
        """The predictor in a context that was saved."""
        return cls(ctx.state, ctx, predict)
