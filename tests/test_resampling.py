from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from fsbench_plugins import _choosing, _imbalanced
from fsbench_plugins.erm import Erm
from fsbench_plugins.focal import Focal
from fsbench_plugins.resampling import Resampling
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn import combine, over_sampling, under_sampling
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from sklearn.preprocessing import StandardScaler
from toy import SHAPES, context, task_info, toy_trial

from fsbench.composition import Composition
from fsbench.engine.trial import labeled_set
from fsbench.errors import SpecError
from fsbench.recipes.recipe import default_recipe
from fsbench.testing import toy_split
from fsbench.types import LabeledSet

SYNTHETIC = ("smote", "borderline_smote", "adasyn", "smote_tomek")
METHODS = (*SYNTHETIC, "random_over", "random_under", "class_balanced")


def training_set(counts, kind="table", spread=4.0, seed=0, domain=None):
    """Gaussian blobs, `counts[c]` samples of class c."""
    rng, shape = np.random.default_rng(seed), SHAPES[kind]
    centres = 3 * np.random.default_rng(12345).normal(size=(len(counts), *shape))
    y = np.repeat(np.arange(len(counts)), counts)
    x = centres[y] + spread * rng.normal(size=(len(y), *shape))
    x = np.clip(127 + 20 * x, 0, 255).astype(np.uint8) if kind == "image" else (x / 3).astype(np.float32)
    return labeled_set(kind, x, y, len(counts), torch.device("cpu"), domain)


def resample(train, seed=0, **arguments):
    """The resampled set, what was noted, and the seed that imbalanced-learn was given."""
    component = Resampling(**arguments)
    kind = "image" if train.x.ndim == 4 else "table"
    ctx = context(component, "resample", task_info(kind, train.num_classes), seed)
    return component.resample(train, ctx), ctx._state.notes, ctx.rng.seed()


def counts_of(data):
    return data.y.bincount(minlength=data.num_classes).tolist()


def assert_same(got, x, y):
    np.testing.assert_array_equal(got.x.flatten(1).numpy(), x)
    np.testing.assert_array_equal(got.y.numpy(), y)
    assert torch.equal(got.targets.sum(-1), torch.ones(len(y)))


@pytest.mark.parametrize("kind", ["image", "table"])
@pytest.mark.parametrize(
    ("method", "reference"),
    [
        ("smote", lambda seed: over_sampling.SMOTE(k_neighbors=3, random_state=seed)),
        ("borderline_smote", lambda seed: over_sampling.BorderlineSMOTE(k_neighbors=3, random_state=seed)),
        (
            "smote_tomek",
            lambda seed: combine.SMOTETomek(
                smote=over_sampling.SMOTE(k_neighbors=3, random_state=seed), random_state=seed
            ),
        ),
        ("random_over", lambda seed: over_sampling.RandomOverSampler(random_state=seed)),
        ("random_under", lambda seed: under_sampling.RandomUnderSampler(random_state=seed)),
    ],
)
def test_many_classes_are_resampled_as_by_imbalanced_learn(kind, method, reference):
    train = training_set([40, 20, 9, 30], kind, spread=8.0)
    got, notes, seed = resample(train, method=method, k_neighbors=3)
    x, y = reference(seed).fit_resample(train.x.flatten(1).numpy(), train.y.numpy())
    assert_same(got, x, y)
    assert counts_of(got) != counts_of(train)
    assert notes == []


def test_adasyn_equals_imbalanced_learn_on_two_classes():
    train = training_set([40, 12], spread=8.0)
    got, _, seed = resample(train, method="adasyn", k_neighbors=3)
    sampler = over_sampling.ADASYN(n_neighbors=3, random_state=seed)
    assert_same(got, *sampler.fit_resample(train.x.numpy(), train.y.numpy()))


@settings(max_examples=40)
@given(
    st.sampled_from(METHODS),
    st.sampled_from(["image", "table"]),
    st.lists(st.integers(0, 12), min_size=2, max_size=5).filter(lambda counts: sum(counts) > 0),
    st.integers(1, 6),
    st.sampled_from([0.0, 1.0, 10.0]),
    st.booleans(),
    st.integers(0, 99),
)
def test_any_training_set_is_resampled_or_a_reason_is_given(
    method, kind, counts, k_neighbors, spread, with_extras, seed
):
    train = training_set(counts, kind, spread, seed)
    if with_extras:
        generator = torch.Generator().manual_seed(seed)
        weights = torch.rand(len(train), generator=generator) + 0.1
        train = LabeledSet(train.x, train.targets, weights, torch.arange(len(train)) % 2)
    got, notes, _ = resample(train, seed, method=method, k_neighbors=k_neighbors)
    again, _, _ = resample(train, seed, method=method, k_neighbors=k_neighbors)
    assert torch.equal(got.x, again.x)
    assert torch.equal(got.targets, again.targets)
    assert [n > 0 for n in counts_of(got)] == [n > 0 for n in counts]
    assert got.x.shape[1:] == train.x.shape[1:]
    assert len(got.x) == len(got.targets)
    for extra in (got.weights, got.domain):
        assert extra is None or len(extra) == len(got)
    if kind == "image":
        assert 0 <= got.x.min() <= got.x.max() <= 1
    balanced = len({n for n in counts_of(got) if n}) == 1 or method == "class_balanced"
    assert balanced or notes or method in ("adasyn", "smote_tomek")  # those two are balanced only nearly
    kept = torch.equal(got.x, train.x) and torch.equal(got.targets, train.targets)
    assert notes or not kept or got.weights is not train.weights


def test_a_class_of_few_samples_gets_fewer_neighbours_with_a_note():
    got, notes, _ = resample(training_set([20, 3, 1, 2, 1]), k_neighbors=5)
    assert counts_of(got) == [20] * 5
    assert notes == [
        "resampling: a class of 3 samples: k_neighbors=2 instead of 5",
        "resampling: 2 classes of one sample: repeated",
        "resampling: a class of 2 samples: k_neighbors=1 instead of 5",
    ]
    alone = got.x[got.y == 2]
    assert torch.equal(alone, alone[:1].expand_as(alone))


@pytest.mark.parametrize("method", ["adasyn", "borderline_smote"])
def test_a_class_without_neighbours_of_another_is_unchanged_with_a_note(method):
    train = training_set([20, 12], spread=0.01)
    got, notes, _ = resample(train, method=method)
    assert torch.equal(got.x, train.x)
    assert len(notes) == 1
    assert notes[0].startswith("resampling: a class unchanged: ")


def test_a_class_with_only_tomek_links_is_kept():
    x = np.array([[0.0], [10.0], [0.1], [10.1], [5.0]], dtype=np.float32)
    train = labeled_set("table", x, np.array([0, 0, 1, 1, 2]), 3, torch.device("cpu"))
    got, notes, _ = resample(train, method="smote_tomek")
    assert counts_of(got) == [2, 2, 2]
    assert "resampling: every sample of 2 classes is in a Tomek link; they were kept" in notes


def test_balanced_classes_are_unchanged_with_a_note():
    train = training_set([4, 4, 0])
    got, notes, _ = resample(train)
    assert got is train
    assert notes == ["resampling: the training classes are balanced already; nothing was resampled"]


def test_tasks_that_are_balanced_by_protocol_are_skipped():
    assert Resampling().skip(task_info(balanced=True)) == "the training classes are balanced"
    assert Resampling().skip(task_info(protocol="longtail")) is None
    assert Resampling().skip(task_info(protocol="noisy", labels_per_class=5)) is None


@pytest.mark.parametrize(("kind", "method"), [("image", "class_balanced"), ("table", "smote")])
def test_the_default_method_depends_on_the_kind(kind: str, method: str) -> None:
    train = training_set((12, 5, 3), kind)
    found = [resample(train)[0], resample(train, method=method)[0]]
    for name in ("x", "targets", "weights"):
        first, second = (getattr(each, name) for each in found)
        assert (first is None and second is None) or torch.equal(first, second)
    assert (found[0].weights is not None) == (kind == "image")


def test_kept_samples_keep_soft_targets_weights_and_domains():
    hard = training_set([8, 3])
    soft = 0.8 * hard.targets + 0.1
    weights = torch.arange(1.0, 12.0)
    domain = torch.tensor([0, 1] * 5 + [0])
    train = LabeledSet(hard.x, soft, weights, domain)
    for method in SYNTHETIC[:3]:
        got, _, _ = resample(train, method=method, k_neighbors=2)
        for name in ("x", "targets", "weights", "domain"):
            assert torch.equal(getattr(got, name)[:11], getattr(train, name))
    over, _, _ = resample(train, method="random_over")
    for row in range(len(over)):
        origin = int((train.x == over.x[row]).all(-1).nonzero())
        assert torch.equal(over.targets[row], soft[origin])
        assert (over.weights[row], over.domain[row]) == (weights[origin], domain[origin])


def test_an_added_sample_is_of_the_domain_of_its_nearest_sample():
    x = np.concatenate([np.zeros((10, 1)), [[4.0], [4.2], [6.0], [6.1]]]).astype(np.float32)
    y, domain = np.repeat([0, 1], [10, 4]), np.array([0] * 12 + [1, 1])
    got, _, _ = resample(labeled_set("table", x, y, 2, torch.device("cpu"), domain), k_neighbors=3)
    added = slice(14, None)
    assert len(got) == 20
    assert torch.equal(got.domain[added], (got.x[added, 0] > 5.1).long())


def test_class_balanced_weights_give_every_class_the_same_chance():
    train = training_set([16, 4, 1, 0])
    got, notes, _ = resample(train, method="class_balanced")
    assert torch.equal(got.x, train.x)
    torch.testing.assert_close(got.weights @ got.targets, torch.tensor([1.0, 1.0, 1.0, 0.0]))
    assert notes == []
    weighted = LabeledSet(train.x, train.targets, torch.arange(1.0, 22.0))
    again, _, _ = resample(weighted, method="class_balanced")
    torch.testing.assert_close(again.weights @ again.targets, torch.tensor([1.0, 1.0, 1.0, 0.0]))
    torch.testing.assert_close(again.weights[1] / again.weights[0], torch.tensor(2.0))


def breast_cancer_made_rare(seed, ratio=20):
    x, y = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(y))
    benign, malignant = order[y[order] == 1], order[y[order] == 0]
    train = np.concatenate([benign[:180], malignant[: 180 // ratio]])
    test = np.concatenate([benign[180:], malignant[180 // ratio :]])
    x = StandardScaler().fit(x[train]).transform(x)[:, :5].astype(np.float32)
    rare = 1 - y
    return labeled_set("table", x[train], rare[train], 2, torch.device("cpu")), x[test], rare[test]


@pytest.mark.parametrize("method", ["smote", "random_over"])
def test_a_linear_model_gains_balanced_accuracy_and_keeps_its_ranking(method):
    """The shape of Elor & Averbuch-Elor 2022: a better threshold, the same ranking."""
    gains = []
    for seed in range(5):
        train, x, y = breast_cancer_made_rare(seed)
        scores = []
        for data in (train, resample(train, seed, method=method, k_neighbors=3)[0]):
            model = LogisticRegression(max_iter=1000).fit(data.x.numpy(), data.y.numpy())
            margin = model.decision_function(x)
            scores.append((balanced_accuracy_score(y, margin > 0), roc_auc_score(y, margin)))
        gains.append(np.subtract(scores[1], scores[0]))
    accuracy, auc = np.mean(gains, axis=0)
    assert accuracy > 0.05
    assert abs(auc) < 0.02


@pytest.mark.parametrize("method", METHODS)
def test_it_trains_through_a_trial(method):
    split = toy_split("table", per_class=20, imbalance=5.0)
    composition = Composition((Resampling(method=method, k_neighbors=3), Focal()))
    identity, recipe = ("toy", 0), replace(default_recipe(split.info), steps=100)
    first = toy_trial(composition, split, recipe, identity=identity)
    again = toy_trial(composition, split, recipe, identity=identity)
    assert np.array_equal(first.predictions, again.predictions)
    assert (first.predictions[0].argmax(-1) == split.test_y[0]).mean() > 0.8


def test_it_trains_on_two_domains():
    split = toy_split("table", shift=True, target_per_class=2, imbalance=4.0)
    composition = Composition((Resampling(k_neighbors=2),))
    result = toy_trial(composition, split)
    baseline = toy_trial(Erm(), split)
    assert not np.array_equal(result.predictions, baseline.predictions)


def test_invalid_arguments_are_refused():
    for wrong in ({"method": "smoke"}, {"k_neighbors": 0}, {"k_neighbors": 1.5}):
        with pytest.raises(SpecError):
            Resampling(**wrong)


@given(st.integers(2, 12), st.integers(1, 5), st.integers(0, 99))
def test_added_samples_lie_between_the_two_that_are_named(count: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, share = rng.normal(size=(count, 4)), rng.uniform(0.1, 0.9, size=(30, 1))
    near = NearestNeighbors(n_neighbors=min(k, count - 1)).fit(x).kneighbors(return_distance=False)
    first = rng.integers(0, count, 30)
    second = near[first, rng.integers(0, near.shape[1], 30)]
    found = _imbalanced.between(x, x[first] + share * (x[second] - x[first]), k)
    assert np.array_equal(np.sort(found, 0), np.sort([first, second], 0))


@pytest.mark.parametrize("columns", ["one number", "a number and a binary", "a number and five binaries"])
def test_where_a_sample_may_lie_between_others_too_none_are_named(columns: str) -> None:
    rng, count = np.random.default_rng(0), 40
    numbers, binary = rng.normal(size=(count, 1)), rng.integers(0, 2, size=(count, 5)).astype(float)
    widths = {"one number": 0, "a number and a binary": 1, "a number and five binaries": 5}
    x = np.hstack([numbers, binary[:, : widths[columns]]])
    near = NearestNeighbors(n_neighbors=5).fit(x).kneighbors(return_distance=False)
    first = rng.integers(0, count, 200)
    second = near[first, rng.integers(0, 5, 200)]
    found = _imbalanced.between(x, x[first] + rng.uniform(size=(200, 1)) * (x[second] - x[first]), 5)
    named = found[0] >= 0
    assert np.array_equal(np.sort(found[:, named], 0), np.sort([first, second], 0)[:, named])
    assert (found[1] < 0).sum() == (~named).sum() > 0


@pytest.mark.parametrize("method", ["smote", "borderline_smote", "adasyn", "smote_tomek"])
def test_no_fold_keeps_what_was_made_from_samples_that_it_holds_out(method: str) -> None:
    train = training_set([40, 9, 6])
    got, _, _ = resample(train, method=method)
    assert got.groups.shape == (2, len(got))
    given = len(train) if method != "smote_tomek" else int((~got.added).sum())
    assert len(got) > given == (~got.added).sum()
    parts, some = _choosing.stratified(got, 3, 0), 0
    for kept, held_out in parts:
        assert not np.isin(got.groups[:, kept], got.groups[0, held_out]).any()
        some += len(kept) + len(held_out) - given
    held_out = np.concatenate([each for _, each in parts])
    assert np.array_equal(np.sort(held_out), np.flatnonzero(~got.added))
    assert some > 0


def test_added_samples_of_added_samples_have_all_groups() -> None:
    once, _, _ = resample(training_set([30, 12]))
    twice, _, _ = resample(once.select(torch.arange(len(once)) >= 12))
    assert twice.groups.shape == (4, len(twice))
    parts = _choosing.stratified(twice, 3, 0)
    assert not any(np.isin(twice.groups[:, kept], twice.groups[0, out]).any() for kept, out in parts)


def test_folds_of_a_resampled_set_do_not_flatter_neighbours():
    """With labels at random, a sample between two others of its class has these as neighbours."""
    grown, _, _ = resample(training_set([60, 15], spread=1e3))
    neighbour, found = KNeighborsClassifier(1), []
    for kept, out in _choosing.stratified(grown, 5, 1):
        found.append(neighbour.fit(grown.x[kept], grown.y[kept]).score(grown.x[out], grown.y[out]))
    naive = cross_val_score(neighbour, grown.x, grown.y, cv=StratifiedKFold(5, shuffle=True, random_state=1))
    assert np.mean(found) < naive.mean() - 0.05


def test_a_repeated_sample_is_held_out_once() -> None:
    train = training_set([12, 4])
    got, _, _ = resample(train, method="random_over")
    parts = _choosing.stratified(got, 3, 0)
    held_out = np.concatenate([out for _, out in parts])
    assert len(got) == 24
    assert sorted(got.groups[held_out].tolist()) == list(range(16))
    for kept, out in parts:
        assert not np.isin(got.groups[kept], got.groups[out]).any()
        assert len(kept) == int((~np.isin(got.groups, got.groups[out])).sum())


def test_marks_of_added_samples_stay_with_them() -> None:
    train = training_set([3, 3])
    more = train.select(torch.arange(2))
    both = train.with_added(more)
    assert train.added is None
    assert both.added.tolist() == [False] * 6 + [True] * 2
    assert both.joined(train).added.tolist() == [False] * 6 + [True] * 2 + [False] * 6
    assert both.select(both.added).added.tolist() == [True, True]
    assert train.joined(more).added is None
