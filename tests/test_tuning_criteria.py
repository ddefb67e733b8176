"""Criteria of unlabelled inputs: their values against other computations, and a search that goes by them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from drawn import draw, task
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import rel_entr, softmax
from toy import toy_trial

import fsbench
from fsbench.recipes.recipe import override, parse_recipe
from fsbench.report.budgets import leaderboards
from fsbench.report.text import tuned
from fsbench.store import Store
from fsbench.tasks.parts import Part
from fsbench.tasks.splits import materialise, open_split, take
from fsbench.tuning.criteria import infomax, needs_criterion

SHIFT = "shift(mnist5k(size=8), digits, share=0.05)"
LOGITS = arrays(
    np.float64, st.tuples(st.just(1), st.integers(1, 12), st.integers(2, 5)), elements=st.floats(-1e3, 1e3)
)


def divergence(logits: np.ndarray) -> float:
    """The mean divergence of predictions from their mean, which is the mutual information."""
    p = softmax(logits[0], axis=1)
    return float(rel_entr(p, p.mean(0)).sum(1).mean())


@given(LOGITS)
def test_infomax_is_the_mutual_information(logits):
    assert infomax(logits) == pytest.approx(divergence(logits), abs=1e-9)
    assert -1e-9 <= infomax(logits) <= math.log(logits.shape[-1]) + 1e-9


@given(LOGITS, st.randoms(use_true_random=False))
def test_infomax_does_not_depend_on_any_order(logits, random):
    samples, classes = list(range(logits.shape[1])), list(range(logits.shape[2]))
    random.shuffle(samples)
    random.shuffle(classes)
    assert infomax(logits[:, samples][:, :, classes]) == pytest.approx(infomax(logits), abs=1e-9)


def test_infomax_is_highest_for_certain_and_varied_predictions():
    certain = 1e3 * np.eye(4)[None]
    assert infomax(certain) == pytest.approx(math.log(4))
    assert infomax(np.zeros((1, 6, 4))) == 0
    assert infomax(np.repeat(certain[:, :1], 6, axis=1)) == pytest.approx(0)
    assert 0 < infomax(certain / 1e3) < infomax(certain)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (SHIFT, True),
        ("shift(mnist5k(size=8), digits, k=2)", False),
        ("kshot(digits, k=1, unlabeled=all)", False),
    ],
)
def test_a_criterion_is_for_targets_without_labels(text, expected):
    assert needs_criterion(task(text).info) == expected


def score(record: fsbench.Record, number: int, folder: Path) -> float:
    """The score of a configuration, from a fit and a computation outside the search."""
    tried = record.search["tried"][number]
    recipe = override(parse_recipe(record.recipe), tried["recipe"])
    materialise(*take(task(record.task), draw(record.task), 0, Part(unlabeled=True)), folder)
    identity = (record.task, record.split_seed, record.init_seed)
    found = toy_trial(tried["spec"], open_split(str(folder)), recipe, identity=identity)
    return divergence(found.predictions.astype(np.float64))


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> fsbench.Results:
    """Both ways to compare, on a target without labels and on one with."""
    return fsbench.run(
        "tuned(erm, n=3), tuned(erm, n=3, criterion=infomax)",
        tasks=f"{SHIFT}, shift(mnist5k(size=8), digits, k=2, share=0.05)",
        baseline="erm",
        seeds=1,
        recipe={"steps": 8, "backbone": "conv4(width=8)"},
        results=tmp_path_factory.mktemp("results"),
    )


def test_a_search_goes_by_the_criterion_where_the_target_has_no_label(results, tmp_path):
    by_source, with_labels, by_criterion, also_with_labels = results.records
    assert [record.status for record in results.records] == ["ok"] * 4
    assert by_criterion.search["criterion"] == "infomax on unlabelled inputs of the target"
    assert (by_criterion.search["metric"], by_criterion.search["folds"]) == ("infomax", 1)
    assert by_source.search["criterion"] == "source validation"
    tried = by_criterion.search["tried"]
    for number, each in enumerate(tried):
        assert each["scores"] == [
            pytest.approx(score(by_criterion, number, tmp_path / str(number)), abs=1e-6)
        ]
    scores = [each["scores"][0] for each in tried]
    assert scores[by_criterion.search["chosen"]] == max(scores)
    assert [each["recipe"] for each in tried] == [each["recipe"] for each in by_source.search["tried"]]
    assert also_with_labels.search == with_labels.search


def test_a_final_fit_does_not_depend_on_how_it_was_chosen(results):
    first, _, second, _ = results.records
    with Store(results.store_path.parent) as store:
        logits = [store.predictions(record.key) for record in (first, second)]
    same = first.search["chosen"] == second.search["chosen"]
    assert np.array_equal(*logits) == same


def test_results_by_a_criterion_have_a_table_that_says_so(results):
    plain, by_criterion = leaderboards(results.columns("balanced_accuracy"))
    assert [plain.baseline, by_criterion.baseline] == [
        "tuned(erm, n=3)",
        "tuned(erm, n=3, criterion=infomax)",
    ]
    assert tuned(by_criterion).endswith(
        "where the target has no label, by infomax on unlabelled inputs of the target"
    )
    assert "infomax" not in tuned(plain)
