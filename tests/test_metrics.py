from __future__ import annotations

import json
import math
import subprocess
import sys

import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from fsbench.errors import BadPrediction, UnknownName
from fsbench.metrics import (
    METRICS,
    assumed_resolution,
    get_metric,
    resolution,
    score,
)
from fsbench.metrics.influence import log_odds


@st.composite
def predictions(draw, max_cells=1, classes=None, all_classes=True):
    """Logits `[E, M, C]` and labels `[E, M]`, from useless to nearly perfect."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    c, e = classes or draw(st.integers(2, 6)), draw(st.integers(1, max_cells))
    m = draw(st.integers(c, 40))
    y = rng.integers(0, c, (e, m))
    if all_classes:
        y[:, :c] = np.arange(c)
    logits = rng.normal(size=(e, m, c)) * draw(st.sampled_from([0.1, 1.0, 4.0]))
    logits += draw(st.sampled_from([0.0, 1.0, 5.0])) * np.eye(c)[y]
    return logits.astype(np.float32), y


def softmax(logits):
    p = np.exp(logits - logits.max(-1, keepdims=True))
    return p / p.sum(-1, keepdims=True)


def by_sklearn(logits, y):
    """The same metrics of one cell by scikit-learn."""
    p, predicted = softmax(logits.astype(np.float64)), logits.argmax(-1)
    classes = np.arange(logits.shape[1])
    expected = {
        "accuracy": reference.accuracy_score(y, predicted),
        "balanced_accuracy": reference.recall_score(y, predicted, labels=np.unique(y), average="macro"),
        "macro_f1": reference.f1_score(y, predicted, average="macro"),
        "worst_class_recall": min(reference.recall_score(y, predicted, labels=np.unique(y), average=None)),
        "nll": reference.log_loss(y, p, labels=classes),
        "brier": sum(reference.brier_score_loss(y == c, p[:, c]) for c in classes),
    }
    if len(np.unique(y)) == len(classes):
        one_hot, scores = np.eye(len(classes))[y], p
        if len(classes) > 2:
            scores = np.round(np.log(p) - np.log1p(-p), 4)
        expected["auroc"] = reference.roc_auc_score(one_hot, scores, average="macro")
        expected["auprc"] = reference.average_precision_score(one_hot, scores, average="macro")
    return expected


@given(predictions(all_classes=False))
def test_one_cell_agrees_with_scikit_learn(given_):
    logits, y = given_
    found = score(logits, y)
    expected = by_sklearn(logits[0], y[0])
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-9)
    assert ("auroc" in found) == ("auprc" in found) == ("auroc" in expected)
    if len(np.unique(y)) == logits.shape[-1]:
        assert found["balanced_accuracy"] == pytest.approx(
            reference.balanced_accuracy_score(y[0], logits[0].argmax(-1))
        )


@given(predictions(max_cells=4))
@settings(max_examples=30)
def test_cells_are_averaged_and_pooled_only_for_calibration(given_):
    logits, y = given_
    found = score(logits, y)
    cells = [score(logits[e : e + 1], y[e : e + 1]) for e in range(len(y))]
    for name in set(METRICS) - {"ece"}:
        assert found[name] == pytest.approx(np.mean([cell[name] for cell in cells]), abs=1e-12)
    pooled = score(logits.reshape(1, -1, logits.shape[-1]), y.reshape(1, -1))
    assert found["ece"] == pytest.approx(pooled["ece"], abs=1e-12)


def test_ties_count_half():
    y = np.array([[0, 0, 1, 1]])
    assert score(np.zeros((1, 4, 2)), y)["auroc"] == 0.5
    tied = np.array([[[0, 0], [0, 1], [0, 1], [0, 2]]], dtype=float)
    assert score(tied, y)["auroc"] == reference.roc_auc_score([0, 0, 1, 1], [0, 1, 1, 2])


def test_samples_with_permuted_other_logits_tie():
    """As with the votes of neighbours; rounding must not rank them."""
    rng = np.random.default_rng(0)
    others = rng.normal(size=5) * 3
    logits = np.stack([np.concatenate([[1.0], rng.permutation(others)]) for _ in range(60)])
    y = np.arange(60) % 6
    log_p = np.log(softmax(logits))
    assert len(np.unique(log_p[:, 0])) > 1, "the plain way of computing them does not tie"
    area = [reference.roc_auc_score(y == c, np.round(log_p[:, c], 9)) for c in range(6)]
    assert area[0] == 0.5
    assert score(logits[None], y[None])["auroc"] == pytest.approx(np.mean(area), abs=1e-12)


@pytest.mark.parametrize("voters", [5, 10, 100])
def test_votes_tie_as_they_do_in_scikit_learn(voters):
    """Of classifiers whose logits are float32, with a smallest probability in the place of 0."""
    rng = np.random.default_rng(voters)
    y = np.arange(120) % 5
    votes = np.stack([rng.multinomial(voters, 0.1 + 0.5 * np.eye(5)[label]) for label in y])
    logits = np.log(np.maximum(votes / voters, 1e-7)).astype(np.float32)
    found, one_hot = score(logits[None], y[None]), np.eye(5)[y]
    assert found["auroc"] == pytest.approx(reference.roc_auc_score(one_hot, votes), abs=1e-12)
    assert found["auprc"] == pytest.approx(reference.average_precision_score(one_hot, votes), abs=1e-12)
    assert len(np.unique(softmax(logits.astype(np.float64))[:, 0])) > len(np.unique(votes[:, 0]))


def test_sure_predictions_are_told_apart():
    """By what the other classes have: as numbers, the probabilities of the last two are 1."""
    logits = np.array([[[20.0, 0.0, 0.0], [40.0, 0.0, 0.0], [41.0, 0.0, 0.0]]])
    expected = np.array([20.0, 40.0, 41.0]) - np.log(2)
    assert log_odds(logits)[0, :, 0] == pytest.approx(expected, abs=1e-4)
    assert softmax(logits)[0, 1, 0] == softmax(logits)[0, 2, 0] == 1
    assert log_odds(logits)[0, 1, 1] == pytest.approx(-40.0, abs=1e-4)


@given(predictions(classes=3), st.floats(-50, 50))
@settings(max_examples=30)
def test_a_constant_added_to_the_logits_changes_nothing(given_, constant):
    logits, y = given_
    logits = logits.astype(np.float64)
    assert score(logits + constant, y) == pytest.approx(score(logits, y), abs=1e-9)


@given(predictions(max_cells=3, all_classes=False))
@settings(max_examples=30)
def test_values_are_valid_json_within_their_ranges(given_):
    found = score(*given_)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    for name, value in found.items():
        low = -1 if name == "ece" else 0
        assert low <= value <= (1 if METRICS[name].percent else math.inf)


def test_perfect_predictions_have_perfect_values():
    y = np.array([[0, 1, 2, 2]])
    found = score(100.0 * np.eye(3)[y], y)
    expected = dict.fromkeys(METRICS, 1.0) | {"nll": 0.0, "brier": 0.0, "ece": 0.0}
    assert found == pytest.approx(expected, abs=1e-12)


def test_extreme_logits_stay_finite():
    found = score(np.array([[[3e38, -3e38], [-3e38, 3e38]]], dtype=np.float32), np.array([[1, 1]]))
    assert all(map(math.isfinite, found.values()))
    assert found["accuracy"] == 0.5


def test_one_class_alone_has_no_ranking():
    found = score(np.zeros((1, 3, 1)), np.zeros((1, 3), int))
    assert not {"auroc", "auprc"} & set(found)
    assert found["accuracy"] == 1


@pytest.mark.parametrize(
    ("logits", "y", "message"),
    [
        (np.zeros((2, 3)), np.zeros((2, 3), int), "expected"),
        (np.zeros((1, 3, 2)), np.zeros((1, 4), int), "expected"),
        (np.zeros((1, 0, 2)), np.zeros((1, 0), int), "expected"),
        (np.zeros((1, 3, 2)), np.full((1, 3), 2), "do not fit"),
        (np.zeros((1, 3, 2)), np.full((1, 3), -1), "do not fit"),
    ],
)
def test_mismatched_arrays_are_refused(logits, y, message):
    with pytest.raises(BadPrediction, match=message):
        score(logits, y)


def test_metrics_are_described():
    assert get_metric("nll").higher_is_better is False
    assert all(metric.meaning and metric.title for metric in METRICS.values())
    assert {name for name, metric in METRICS.items() if not metric.higher_is_better} == {
        "nll",
        "brier",
        "ece",
    }
    with pytest.raises(UnknownName, match="did you mean 'accuracy'"):
        get_metric("acuracy")


def test_importing_is_light():
    code = (
        "import sys, fsbench.metrics, fsbench.stats, fsbench.report.leaderboard;"
        "print(sorted({'torch', 'pandas', 'scipy', 'sklearn', 'matplotlib'} & set(sys.modules)))"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )


@given(predictions(max_cells=3))
@settings(max_examples=8)
def test_no_decision_moves_a_metric_by_more_than_its_resolution_and_some_by_as_much(given_):
    logits, y = given_
    logits = np.eye(logits.shape[-1])[logits.argmax(-1)]
    before, largest = score(logits, y), dict.fromkeys(("accuracy", "balanced_accuracy"), 0.0)
    for cell, sample in np.ndindex(y.shape):
        changed = logits.copy()
        changed[cell, sample] = np.roll(changed[cell, sample], 1)
        after = score(changed, y)
        for name in ("accuracy", "balanced_accuracy", "worst_class_recall"):
            assert abs(after[name] - before[name]) <= resolution(y)[name] + 1e-12
        changed[cell, sample] = np.eye(logits.shape[-1])[y[cell, sample]]
        right, wrong = score(changed, y), changed.copy()
        wrong[cell, sample] = np.roll(wrong[cell, sample], 1)
        for name, moved in largest.items():
            largest[name] = max(moved, right[name] - score(wrong, y)[name])
    assert largest == pytest.approx({name: resolution(y)[name] for name in largest})


def test_resolutions_by_hand():
    y = np.array([[0] * 8 + [1] * 2, [0] * 5 + [1] * 5])
    found = resolution(y)
    assert set(found) == set(METRICS)
    assert found["accuracy"] == pytest.approx(1 / 20)
    assert found["balanced_accuracy"] == pytest.approx(1 / (2 * 2) / 2)
    assert found["worst_class_recall"] == pytest.approx(1 / 2 / 2)
    assert found["auroc"] == pytest.approx(1 / (2 * 8) / 2)
    assert 0 < found["nll"] < 1e-5


def test_an_assumed_resolution_is_enough_for_classes_that_are_not_too_uneven():
    y = np.repeat([0, 1], [150, 50])[None]
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "auroc", "auprc", "ece", "nll"):
        assert assumed_resolution(name, y.size) >= resolution(y)[name]
    assert assumed_resolution("accuracy", 0) == 0
