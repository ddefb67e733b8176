"""MAML: its gradient against finite differences, what the inner loop changes, that it learns to learn."""

from __future__ import annotations

import copy
import functools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from fsbench_plugins import _meta_training
from fsbench_plugins._episodes import Episodes
from fsbench_plugins.maml import Maml
from torch import nn
from torch.func import functional_call
from toy import quick_context, source_trial, toy_trial

from fsbench import (
    Batch,
    Context,
    Fitted,
    FsbenchError,
    LabeledSet,
    NonFinite,
    Recipe,
    StepOutput,
    Strategy,
    TaskInfo,
)
from fsbench.composition import Composition
from fsbench.engine.backbones import Network
from fsbench.engine.context import EngineContext
from fsbench.engine.state import TrialState
from fsbench.errors import ConflictError
from fsbench.registry import load_registry
from fsbench.rng import Stream
from fsbench.testing import toy_split

CPU = torch.device("cpu")
INFO = TaskInfo("toy", "kshot", "table", (3,), 2, source_shape=(3,), source_classes=2)
QUICK = Maml(meta_steps=2)


make_context = functools.partial(quick_context, info=INFO)


def tiny(normalised: bool = False) -> tuple[nn.Module, Batch, Batch]:
    """A smooth objective in float64 of 3 inputs and 2 classes, with a support and a query batch."""
    torch.manual_seed(0)
    norm = [nn.BatchNorm1d(4)] if normalised else []
    network = Network(nn.Sequential(nn.Linear(3, 4), *norm, nn.Tanh()), 4, 2, kind="table").double()
    x, y = torch.randn(10, 3).double(), torch.eye(2).double().repeat(5, 1)
    return make_context().objective(network), Batch(x[:4], y[:4]), Batch(x[4:], y[4:])


def flat(objective: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in objective.parameters()])


def meta_gradient(
    objective: nn.Module, inner: _meta_training.Inner, support: Batch, query: Batch
) -> torch.Tensor:
    loss = inner.query_loss(objective, support, query)
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(objective.parameters()))])


def numerical_gradient(
    objective: nn.Module, inner: _meta_training.Inner, support: Batch, query: Batch, step: float = 1e-6
) -> torch.Tensor:
    slopes = []
    for parameter in objective.parameters():
        values = parameter.data.view(-1)
        for i in range(len(values)):
            kept, ends = values[i].item(), []
            for sign in (1, -1):
                values[i] = kept + sign * step
                ends.append(inner.query_loss(objective, support, query).item())
            values[i] = kept
            slopes.append((ends[0] - ends[1]) / (2 * step))
    return torch.tensor(slopes, dtype=torch.float64)


@pytest.mark.parametrize("head_only", [False, True])
@pytest.mark.parametrize("steps", [1, 3])
def test_the_meta_gradient_agrees_with_finite_differences(steps: int, head_only: bool) -> None:
    objective, support, query = tiny()
    inner = _meta_training.Inner(0.5, steps, head_only=head_only)
    expected = numerical_gradient(objective, inner, support, query)
    torch.testing.assert_close(
        meta_gradient(objective, inner, support, query), expected, rtol=1e-6, atol=1e-8
    )


def test_it_does_with_batch_normalisation_too() -> None:
    objective, support, query = tiny(normalised=True)
    inner = _meta_training.Inner(0.5, 2)
    with _meta_training.batch_statistics(objective):
        found = meta_gradient(objective, inner, support, query)
        expected = numerical_gradient(objective, inner, support, query)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)


def test_first_order_is_the_query_gradient_at_the_adapted_parameters() -> None:
    objective, support, query = tiny()
    inner = _meta_training.Inner(0.5, 2, first_order=True)
    found = meta_gradient(objective, inner, support, query)
    moved = copy.deepcopy(objective)
    for _ in range(2):
        slopes = torch.autograd.grad(moved(support), list(moved.parameters()))
        with torch.no_grad():
            for parameter, slope in zip(moved.parameters(), slopes, strict=True):
                parameter -= 0.5 * slope
    expected = torch.autograd.grad(moved(query), list(moved.parameters()))
    torch.testing.assert_close(found, torch.cat([g.flatten() for g in expected]))
    exact = meta_gradient(objective, _meta_training.Inner(0.5, 2), support, query)
    assert (exact - found).norm() > 0.05 * exact.norm()


@dataclass(frozen=True)
class Helper(Strategy):
    """An auxiliary module whose loss depends on the features, with or without unlabelled data."""

    name = "helper"

    def auxiliary_modules(self, model: nn.Module, ctx: Context) -> nn.Module:
        return nn.Linear(4, 1)

    def auxiliary_loss(self, out: StepOutput, ctx: Context) -> torch.Tensor:
        assert out.modules is not None
        loss: torch.Tensor = out.modules(out.features).square().mean()
        return loss


@pytest.mark.parametrize("head_only", [False, True])
def test_the_inner_loop_adapts_the_model_or_its_head_and_no_auxiliary_module(head_only: bool) -> None:
    network = Network(nn.Sequential(nn.Linear(3, 4), nn.Tanh()), 4, 2, kind="table")
    objective = make_context(Helper()).objective(network)
    names = {name for name, _ in objective.named_parameters()}
    assert {"auxiliary.helper.weight", "auxiliary.helper.bias"} < names
    before = flat(objective).clone()
    batch = Batch(torch.randn(4, 3), torch.eye(2).repeat(2, 1))
    adapted = _meta_training.Inner(0.5, 2, head_only=head_only).adapt(objective, [batch] * 2)
    head = {"model.head.weight", "model.head.bias"}
    assert set(adapted) == (head if head_only else {n for n in names if n.startswith("model.")})
    parameters = dict(objective.named_parameters())
    assert all(not torch.equal(value, parameters[name]) for name, value in adapted.items())
    assert torch.equal(flat(objective), before)


def labelled(counts: list[int]) -> LabeledSet:
    y = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    y = y[torch.randperm(len(y), generator=torch.Generator().manual_seed(0))]
    return LabeledSet(torch.stack([torch.arange(len(y)), y], 1).float(), torch.eye(len(counts))[y])


def test_episodes_have_different_classes_and_rows_ordered_by_class() -> None:
    episodes = Episodes(labelled([9, 7, 8, 7, 30]), 3, 2, 4, Stream("episodes"))
    support, query = episodes.draw(200)
    assert support.shape == (200, 6, 2)
    assert query.shape == (200, 12, 2)
    starts = []
    for own, asked in zip(support, query, strict=True):
        classes = own[::2, 1]
        assert torch.equal(own[:, 1], classes.repeat_interleave(2))
        assert torch.equal(asked[:, 1], classes.repeat_interleave(4))
        assert len(set(classes.tolist())) == 3
        assert len({*own[:, 0].tolist(), *asked[:, 0].tolist()}) == 18
        starts.append(int(classes[0]))
    assert np.bincount(starts, minlength=5).min() > 20
    assert torch.equal(episodes.support_targets.argmax(1), torch.tensor([0, 0, 1, 1, 2, 2]))


def test_episodes_shrink_to_the_size_of_the_source() -> None:
    episodes = Episodes(labelled([4, 3, 1, 9]), 3, 5, 5, Stream("episodes"))
    assert (episodes.shot, episodes.queries) == (2, 1)
    assert set(episodes.draw(50)[0][:, :, 1].flatten().tolist()) == {0, 1, 3}
    with pytest.raises(FsbenchError, match="fewer than 3 source classes have the 2 samples"):
        Episodes(labelled([4, 1, 1, 9]), 3, 5, 5, Stream("episodes"))


def waves(rng: np.random.Generator, number: int) -> LabeledSet:
    """Twenty classes in pairs that differ along one of few hidden directions of 10 noisy inputs."""
    directions = np.random.default_rng(7).normal(size=(20, 3)) @ np.random.default_rng(8).normal(size=(3, 10))
    y = np.repeat(np.arange(20), number)
    x = directions[y] + 2.0 * rng.normal(size=(len(y), 10)) @ np.diag([0.1] * 3 + [1] * 7)
    return LabeledSet(torch.tensor(x, dtype=torch.float32), torch.eye(20)[y])


def accuracy_after(model: nn.Module, inner: _meta_training.Inner, episodes: Episodes, ctx: Context) -> float:
    objective, right = ctx.objective(model), []
    for support, query in zip(*episodes.draw(30), strict=True):
        adapted = inner.adapt(objective, [Batch(support, episodes.support_targets)] * inner.steps)
        logits = functional_call(model, {k.removeprefix("model."): v for k, v in adapted.items()}, (query,))
        right.append((logits.argmax(1) == episodes.query_targets.argmax(1)).float().mean())
    return float(torch.stack(right).mean())


@pytest.mark.parametrize("variant", [{}, {"head_only": True}], ids=str)
def test_a_learned_start_adapts_better_than_a_random_one(variant: dict[str, bool]) -> None:
    ctx = make_context(info=replace(INFO, input_shape=(10,), num_classes=5))
    inner = _meta_training.Inner(0.4, 1, **variant)  # type: ignore[arg-type]
    training = Episodes(waves(np.random.default_rng(0), 30), 5, 2, 3, Stream("train"))
    test = waves(np.random.default_rng(1), 30)
    model = ctx.new_model()
    before = accuracy_after(model, inner, Episodes(test, 5, 2, 10, Stream("test")), ctx)
    _meta_training.meta_train(model, training, inner, ctx, lr=3e-3, steps=100, episodes_a_step=4)
    after = accuracy_after(model, inner, Episodes(test, 5, 2, 10, Stream("test")), ctx)
    assert after > before + 0.2, (before, after)


def test_the_inner_steps_adapt_to_all_labels_of_the_task() -> None:
    recipe = Maml(inner_lr=0.3, adapt_steps=2).configure(Recipe("mlp", 99, 16, passes=10), make_context())
    assert (recipe.optimizer, recipe.lr, recipe.momentum, recipe.weight_decay) == ("sgd", 0.3, 0, 0)
    assert (recipe.steps, recipe.passes) == (2, 0)
    assert (recipe.schedule, recipe.backbone_lr_scale) == ("constant", 1)
    assert recipe.batch_size >= 10**6
    assert Maml(anil=True).configure(recipe, make_context()).backbone_lr_scale == 0


def test_the_record_says_what_the_start_was_learned_from() -> None:
    result, _ = source_trial(Maml(meta_steps=3, source_passes=0), per_class=1)
    assert result.notes == ("maml: 3 meta-steps of 2 episodes, 3-way 1-shot with 3 queries a class",)


def test_it_learns_in_a_trial() -> None:
    right = []
    for seed in range(6):
        result, split = source_trial(Maml(meta_steps=60, inner_lr=0.4, adapt_steps=1), per_class=3, seed=seed)
        right.append((result.predictions.argmax(-1) == split.test_y).mean())
    assert np.mean(right) > 0.6, right


BATCH_NORM = Recipe("conv4(norm=batch, width=8)", 5, 16)


def predictor(strategy: Maml) -> tuple[nn.Module, torch.Tensor]:
    """A model with batch normalisation after the strategy's whole fit, and some test inputs."""
    kept: list[nn.Module] = []

    @dataclass(frozen=True)
    class Keep(Strategy):
        name = "keep"

        def postprocess(self, fitted: Fitted, val: LabeledSet, ctx: Context) -> Fitted:
            kept.append(ctx.model)
            return fitted.map(lambda logits: logits + 0)

    split = toy_split(kind="image", source=True)
    toy_trial(Composition((strategy, Keep())), split, BATCH_NORM)
    return kept[0].eval(), torch.from_numpy(split.test_x[0]).float() / 255


def test_predictions_do_not_depend_on_other_test_samples() -> None:
    model, x = predictor(QUICK)
    torch.testing.assert_close(model(x)[:5], model(x[:5]), rtol=1e-4, atol=1e-5)


def test_transductive_predictions_depend_on_other_test_samples() -> None:
    model, x = predictor(replace(QUICK, transductive=True))
    assert not torch.allclose(model(x)[:5], model(x[:5]), rtol=1e-2, atol=1e-2)


def test_transductive_without_batch_normalisation_is_noted() -> None:
    result, _ = source_trial(replace(QUICK, transductive=True))
    assert any("transductive has no effect" in note for note in result.notes)


def test_divergence_is_an_error_that_says_what_to_try() -> None:
    with pytest.raises(NonFinite, match=r"meta-objective became (nan|inf) at step.*try a smaller inner_lr"):
        source_trial(Maml(inner_lr=1e30, inner_steps=4, meta_steps=4, adapt_steps=1))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"source_shape": None}, "needs source data"),
        ({"source_shape": (30,)}, "source has 30 features, the task 3"),
        ({"source_classes": 1}, "source has 1 classes, too few for episodes of 2"),
        ({"labels_on_target": False}, "no labelled target samples to adapt to"),
        ({}, None),
    ],
)
def test_a_skip_gives_its_reason(changes: dict[str, Any], reason: str | None) -> None:
    assert Maml().skip(replace(INFO, **changes)) == reason


def test_images_of_another_size_are_resized_to_the_tasks() -> None:
    split = toy_split(kind="image", source=True)
    found = []
    for side in (8, 16):  # pictures of one grey are the same at every size
        x = split.source_x[:, :, :1, :1].repeat(side, -1).repeat(side, -2)
        resized = replace(split, source_x=x, info=replace(split.info, source_shape=x.shape[1:]))
        recipe = replace(BATCH_NORM, steps=2)
        found.append(toy_trial(QUICK, resized, recipe).predictions)
    np.testing.assert_allclose(*found, atol=1e-4)


def test_a_shift_task_adapts_to_the_target_samples() -> None:
    domain = torch.tensor([0, 1, 0, 1])
    train = LabeledSet(torch.arange(4.0)[:, None], torch.eye(2).repeat(2, 1), domain=domain)
    assert Maml().resample(train, make_context()).x.flatten().tolist() == [1, 3]
    assert Maml().resample(replace(train, domain=None), make_context()).x is train.x


def test_two_starts_conflict() -> None:
    with pytest.raises(ConflictError, match=r"transfer\+maml: transfer and maml both own .*'init_model'"):
        load_registry().parse("transfer+maml")


@pytest.mark.parametrize("partner", ["focal", "focal(alpha=balanced)", "augmentation"])
@pytest.mark.parametrize("kind", ["image", "table"])
def test_components_act_in_the_episodes_too(partner: str, kind: Any) -> None:
    recipe = Recipe("conv4(norm=group, width=8)" if kind == "image" else "mlp", 3, 16)
    alone, _ = source_trial("maml(meta_steps=3)", recipe, kind=kind)
    pair, _ = source_trial(f"maml(meta_steps=3)+{partner}", recipe, kind=kind)
    assert not np.array_equal(alone.predictions, pair.predictions)


def test_the_recipes_precision_holds_in_the_episodes_too() -> None:
    """The model computes in it, losses in float32, and second derivatives survive that."""
    computed: list[torch.dtype] = []
    dtypes: list[torch.dtype] = []

    @dataclass(frozen=True)
    class Watch(Strategy):
        name = "watch"

        def init_model(self, model: nn.Module, ctx: Context) -> nn.Module:
            head = model.get_submodule("head")
            head.register_forward_hook(lambda module, given, got: computed.append(got.dtype))
            return model

        def loss(self, logits: torch.Tensor, targets: torch.Tensor, inner: Any, ctx: Context) -> torch.Tensor:
            dtypes.append(logits.dtype)
            found: torch.Tensor = inner(logits, targets) * 1
            return found

    (maml,) = load_registry().parse("maml(meta_steps=3, adapt_steps=1)")
    for precision in ("float32", "bfloat16"):
        recipe = Recipe("conv4(norm=group, width=8)", 3, 16, precision=precision)  # type: ignore[arg-type]
        dtypes.clear()
        computed.clear()
        split = toy_split("image", source=True)
        toy_trial(Composition((Watch(), *maml.components)), split, recipe)
        assert set(dtypes) == {torch.float32}
        assert computed[0] == getattr(torch, precision)


@pytest.mark.parametrize("norm", [nn.Identity(), nn.BatchNorm1d(16, track_running_stats=False)])
@pytest.mark.parametrize("first_order", [False, True])
def test_a_meta_gradient_in_bfloat16_is_near_the_one_in_float32(first_order: bool, norm: nn.Module) -> None:
    network = Network(nn.Sequential(nn.Linear(3, 16), norm, nn.Tanh()), 16, 2, kind="table")
    x, y = torch.randn(40, 3, generator=torch.Generator().manual_seed(0)), torch.eye(2).repeat(20, 1)
    inner = _meta_training.Inner(0.3, 2, first_order=first_order)
    found = {}
    for precision in ("float32", "bfloat16"):
        recipe = Recipe("mlp", 5, 8, precision=precision)  # type: ignore[arg-type]
        ctx = EngineContext(TrialState(("toy", 0, 0), INFO, Composition(()), recipe, CPU))
        objective = ctx.objective(network)
        with ctx.autocast():
            loss = inner.query_loss(objective, Batch(x[:20], y[:20]), Batch(x[20:], y[20:]))
        gradients = torch.autograd.grad(loss, list(objective.parameters()))
        found[precision] = torch.cat([g.flatten() for g in gradients])
    difference = (found["bfloat16"] - found["float32"]).norm() / found["float32"].norm()
    assert 0 < difference < 0.05


@pytest.mark.parametrize(
    "spec", ["maml(meta_steps=2)", "maml(meta_steps=2, transductive=true)", "reptile(meta_steps=2)"]
)
def test_networks_with_batch_normalisation_meta_train_in_bfloat16(spec: str) -> None:
    recipe = Recipe("conv4(width=8)", 2, 16, precision="bfloat16")
    composition = Composition(load_registry().parse(spec)[0].components)
    result = toy_trial(composition, toy_split("image", source=True), recipe)
    assert np.isfinite(result.predictions).all()


def test_every_cell_starts_from_the_same_start() -> None:
    result, split = source_trial(Maml(meta_steps=60, inner_lr=0.4, adapt_steps=1), cells=2, per_class=3)
    assert result.predictions.shape[0] == 2
    assert (result.predictions.argmax(-1) == split.test_y).mean() > 0.7


def test_frozen_weights_stay_in_the_inner_steps() -> None:
    objective, support, _ = tiny()
    frozen, *_ = objective.parameters()
    frozen.requires_grad_(False)
    adapted = _meta_training.Inner(0.5, 2).adapt(objective, [support] * 2)
    trained = {name for name, p in objective.named_parameters() if p is not frozen}
    assert set(adapted) == trained
