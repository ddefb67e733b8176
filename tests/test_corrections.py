"""Corrections among other components: what they are fitted to, with and without a validation part."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from fsbench_plugins._post_hoc import PostHoc
from test_postprocessing import CORRECTIONS, hard, probabilities, run, without_val
from toy import task_info, toy_trial

from fsbench import Strategy
from fsbench.composition import Composition
from fsbench.registry import load_registry
from fsbench.testing import toy_split


@pytest.mark.parametrize("spec", CORRECTIONS)
def test_every_correction_works_with_and_without_a_validation_part(spec: str) -> None:
    for split in (toy_split(), without_val(toy_split())):
        for members in (spec, f"svm+{spec}", f"{spec}+focal"):
            predictions = run(members, split)
            assert (predictions.argmax(-1) == split.test_y).mean() > 0.6


def test_the_model_is_that_of_plain_training() -> None:
    """Further fits on folds start from copies, so they do not change the first one."""
    split = without_val(hard(toy_split()))
    plain, corrected = run("erm", split)[0], run("vector_scaling(penalty=1e9)", split)[0]
    np.testing.assert_allclose(corrected, plain, atol=1e-3)


@pytest.mark.parametrize("held_out", [True, False])
@pytest.mark.parametrize("spec", ["platt", "isotonic"])
def test_a_correction_is_fitted_to_what_those_before_it_made(spec: str, held_out: bool) -> None:
    """Both are the same for logits of any scale."""
    split = hard(toy_split(classes=2, per_class=30))
    split = split if held_out else without_val(split)
    alone, after = run(spec, split), run(f"temperature(value=4.0)+{spec}", split)
    np.testing.assert_allclose(probabilities(after), probabilities(alone), atol=2e-3)
    before = probabilities(run(f"{spec}+temperature(value=4.0)", split))
    assert np.abs(before - probabilities(alone)).max() > 0.05


def test_a_correction_within_a_fold_sees_the_samples_of_the_fold_only() -> None:
    """Those of the first are not fitted to the labels that are held out for the second."""
    seen = []

    class First(PostHoc):
        name = "first"

        def postprocess(self, fitted: Any, val: Any, ctx: Any) -> Any:
            seen.append(len(ctx.train))
            return fitted.map(lambda logits: 2 * logits)

    class Second(PostHoc):
        name = "second"

        def postprocess(self, fitted: Any, val: Any, ctx: Any) -> Any:
            ctx.refit(ctx.train.select(torch.arange(5)))
            seen.append(len(ctx.train))
            return fitted.map(lambda logits: 3 * logits)

    split = without_val(toy_split())
    toy_trial(Composition((First(), Second())), split)
    whole = split.train_y.shape[1]
    assert seen == [whole, 5, whole]


@pytest.mark.parametrize("first", ["tent", "snapshot", "bagging"])
def test_no_correction_is_lost_beside_what_replaces_the_predictor(first: str) -> None:
    split = without_val(hard(toy_split()))
    plain = run(first, split, "mlp(norm=batch)")
    for spec in (f"{first}+temperature", f"temperature+{first}"):
        assert not np.allclose(run(spec, split, "mlp(norm=batch)"), plain)


def test_too_few_labels_are_a_reason_to_skip() -> None:
    for spec in CORRECTIONS:
        (composition,) = load_registry().parse(spec)
        few = task_info(num_val=0, labels_per_class=1)
        assert composition.skip(few) == "needs a validation part, or two labels of a class"
        assert composition.skip(replace(few, num_val=3)) is None


def test_two_corrections_without_a_validation_part_need_a_label_more() -> None:
    (both,) = load_registry().parse("temperature+vector_scaling")
    assert both.skip(task_info(num_val=0, labels_per_class=2)) is not None
    split = without_val(toy_split(per_class=3))
    assert both.skip(split.info) is None
    assert run("temperature+vector_scaling", split).shape == (1, *split.test_y.shape[1:], 3)


@pytest.mark.parametrize("method", ["random_over", "random_under", "smote"])
def test_without_validation_the_labels_to_correct_for_are_those_given_whatever_is_resampled(
    method: str,
) -> None:
    """Resampling changes what each fold is fitted to: neither the labels held out nor the class counts."""
    sizes: list[tuple[int, list[float]]] = []

    class Seeing(PostHoc):
        name = "seeing"

        def correction(self, logits: Any, targets: torch.Tensor, ctx: Any) -> Any:
            sizes.append((len(targets), targets.sum(0).tolist()))
            return lambda logits: 2 * logits

    class Counting(Strategy):
        name = "counting"

        def fit(self, train: Any, inner: Any, ctx: Any) -> Any:
            sizes.append((len(train), ctx.class_counts.tolist()))
            return inner(train).map(lambda logits: logits + 1e-3 * torch.arange(3))

    split = without_val(toy_split(per_class=24, imbalance=8.0))
    given = np.bincount(split.train_y[0]).tolist()
    (resampling,) = load_registry().parse(f"resampling(method={method})")
    toy_trial(Composition((*resampling.components, Counting(), Seeing())), split)
    (whole, counts), *folds, (held_out, labels) = sizes
    assert counts == labels == given
    assert held_out == sum(given)
    assert whole == 3 * (min(given) if method == "random_under" else max(given))
    assert len(folds) == 3
    assert np.sum([found for _, found in folds], 0).tolist() == [2 * each for each in given]
    assert all(n == 3 * (min(c) if method == "random_under" else max(c)) for n, c in folds)


def test_copies_that_eda_adds_are_no_labels_to_correct_for() -> None:
    split = without_val(toy_split("text", per_class=6))
    (strategy,) = load_registry().parse("eda+temperature")
    notes = toy_trial(strategy, split).notes
    assert any(note.endswith("fitted on 18 samples") for note in notes), notes


@pytest.mark.parametrize("spec", ["simpleshot", "protonet(meta_steps=2)"])
def test_a_class_without_labels_in_a_fold_does_not_choose_the_temperature(spec: str) -> None:
    """Its logit is low, but not so low that smoothing is about nothing else."""
    split = without_val(toy_split(per_class=12, imbalance=12.0, source=True))
    assert np.bincount(split.train_y[0]).min() == 1
    (strategy,) = load_registry().parse(f"{spec}+temperature")
    (note,) = (note for note in toy_trial(strategy, split).notes if "fitted on 15 samples" in note)
    assert float(note.split()[1].rstrip(",")) < 19, note
