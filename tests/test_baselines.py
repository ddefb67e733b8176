"""The comparison with the best baseline: what it shows, what it claims, and how often it is wrong."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from pages import render
from records import failed, over_seeds, record, skipped

from fsbench.errors import UsageError
from fsbench.record import Record
from fsbench.report import differences, text
from fsbench.report.baselines import Against, claim, judged, needed
from fsbench.report.leaderboard import Leaderboard, leaderboard
from fsbench.report.recommendation import recommendation

A, B = "kshot(digits, k=5)", "kshot(wine, k=5)"
ERM = [0.70, 0.72, 0.68]
SVM = [0.80, 0.815, 0.78]
KNN = [0.60, 0.64, 0.59]
MINE = [0.90, 0.914, 0.879]

pairs = st.lists(st.tuples(st.floats(0, 1), st.floats(-1, 1)), min_size=1, max_size=6)


def baseline(spec: str, values: list[float], task: str = A, **more: Any) -> list[Record]:
    return over_seeds(task, spec, values, baseline=True, **more)


def usual(task: str = A) -> list[Record]:
    """Three baselines, of which the support vector machine is the best."""
    return baseline("erm", ERM, task) + baseline("svm", SVM, task) + baseline("knn", KNN, task)


def on(board: Leaderboard, strategy: str, task: str = A) -> Against | None:
    (found,) = [row.against for row in dict(board.tasks)[task] if row.strategy == strategy]
    return found


def overall(board: Leaderboard, strategy: str) -> Against | None:
    (found,) = [row.against for row in board.overall if row.strategy == strategy]
    return found


def test_a_strategy_is_compared_with_the_baseline_of_the_best_score() -> None:
    board = leaderboard([*usual(), *over_seeds(A, "focal", MINE)])
    found = on(board, "focal")
    assert found is not None
    assert (board.against, found.baseline, found.verdict) == ("best baseline", "svm", "better")
    test = scipy.stats.ttest_rel(MINE, SVM)
    assert found.difference is not None
    assert found.difference.mean == pytest.approx(np.mean(np.subtract(MINE, SVM)))
    # The p-value is the largest of those against all baselines, here that against svm or erm.
    most = max(scipy.stats.ttest_rel(MINE, other).pvalue for other in (ERM, SVM, KNN))
    assert test.pvalue <= found.p == pytest.approx(most)
    assert overall(board, "focal") == found


def test_baselines_are_shown_but_not_tested() -> None:
    board = leaderboard([*usual(), *over_seeds(A, "focal", MINE)])
    assert on(board, "svm") == Against("svm", None, None, "baseline")
    found = on(board, "erm")
    assert found is not None
    assert (found.baseline, found.p, found.verdict) == ("svm", None, "baseline")


def test_worse_than_one_baseline_is_worse() -> None:
    found = on(leaderboard([*usual(), *over_seeds(A, "focal", ERM)]), "focal")
    assert found is not None
    assert (found.baseline, found.verdict) == ("svm", "worse")
    assert found.p == pytest.approx(3 * scipy.stats.ttest_rel(ERM, SVM).pvalue)


def test_a_difference_that_one_baseline_leaves_open_is_not_settled() -> None:
    near = [0.81, 0.80, 0.80]
    found = on(leaderboard([*usual(), *over_seeds(A, "focal", near)]), "focal")
    assert found is not None
    assert found.verdict == "not settled"


def test_lower_is_better_for_a_loss() -> None:
    found = on(leaderboard([*usual(), *over_seeds(A, "focal", MINE)], metric="nll"), "focal")
    assert found is not None
    assert (found.baseline, found.verdict) == ("svm", "better")


def test_without_another_baseline_there_is_no_such_column() -> None:
    board = leaderboard(over_seeds(A, "erm", ERM) + over_seeds(A, "focal", MINE))
    assert board.against == ""
    assert on(board, "focal") is None
    for style in ("terminal", "markdown"):
        assert "best baseline" not in render(board, style)


def test_comparisons_are_corrected_for_their_number() -> None:
    found = Against("svm", None, 0.02, "better")
    assert judged([found]) == [found]
    assert judged([found, found, None]) == [replace(found, p=0.04), replace(found, p=0.04), None]
    assert judged([found] * 3) == [replace(found, p=0.06, verdict="not settled")] * 3


def test_better_is_claimed_only_where_the_same_difference_is_settled() -> None:
    """Five more baselines, near plain training, count among the comparisons with it alone."""
    rng, level = np.random.default_rng(0), np.array([0.80, 0.82, 0.78, 0.79, 0.81])
    records, noise = baseline("erm", level.tolist()), rng.normal(0, 0.003, (6, 5))
    for spec, each in zip(("svm", "knn", "probe", "tree", "bayes"), noise, strict=False):
        records += baseline(spec, (level + each - each.mean() - 0.001).tolist())
    for gap, verdict, claimed in ((0.003, "equivalent", "not settled"), (0.02, "helps", "better")):
        mine = level + gap + noise[5] - noise[5].mean()
        board = leaderboard([*records, *over_seeds(A, "focal", mine.tolist())])
        for row in (row for row in board.rows if row.strategy == "focal"):
            assert row.against is not None
            assert (row.against.baseline, row.verdict, row.against.verdict) == ("erm", verdict, claimed)
            assert row.against.p is not None
            assert (row.against.p <= 0.05) == (claimed == "better")


def test_where_trials_of_the_strategy_failed_there_is_no_claim() -> None:
    mine = [*over_seeds(A, "focal", MINE[:2]), failed(task=A, spec="focal", split_seed=2)]
    found = on(leaderboard([*usual(), *mine]), "focal")
    assert found is not None
    assert (found.p, found.verdict) == (None, "withheld")


def test_a_strategy_that_failed_everywhere_makes_no_other_claim_easier() -> None:
    """Nor do baselines that all failed on a task."""
    close = over_seeds(A, "close", [0.83, 0.85, 0.806])
    found = []
    for seeds in (2, 3):
        lost = [failed(task=A, spec="focal", split_seed=seed) for seed in range(seeds)]
        found.append(leaderboard([*usual(), *close, *lost, *over_seeds(A, "focal", MINE)[seeds:]]))
    some, none = (on(board, "close") for board in found)
    assert some is not None
    assert (some, some.p) == (none, pytest.approx(2 * some.claimed[0]))
    gone = on(found[1], "focal")
    assert gone is not None
    assert (gone.difference, gone.verdict, gone.p) == (None, "withheld", None)
    broken = [failed(task=B, spec=s, split_seed=n, baseline=True) for s in ("erm", "svm") for n in range(3)]
    board = leaderboard([*usual(), *close, *broken, *over_seeds(B, "close", MINE)])
    assert on(board, "close") == some


@pytest.mark.parametrize("broken", ["erm", "svm"])
def test_a_baseline_that_failed_is_left_out_and_said(broken: str) -> None:
    kept = [r for r in usual() if (r.spec, r.split_seed) != (broken, 1)]
    board = leaderboard(
        [
            *kept,
            failed(task=A, spec=broken, split_seed=1, baseline=True),
            *over_seeds(A, "focal", MINE),
        ]
    )
    found = on(board, "focal")
    assert found is not None
    assert (found.baseline, found.verdict) == ("erm" if broken == "svm" else "svm", "better")
    said = f"left out as a baseline on {A}: {broken}, which has no result in some or all trials"
    assert said in board.warnings


def test_a_board_without_any_result_of_erm_still_compares_the_rest() -> None:
    lost = [failed(task=A, spec="erm", split_seed=seed, baseline=True) for seed in range(3)]
    board = leaderboard([*lost, *baseline("svm", SVM), *over_seeds(A, "focal", MINE)])
    (row,) = [row for row in board.overall if row.strategy == "focal"]
    assert row.difference is None
    assert row.against is not None
    assert (row.against.baseline, row.against.verdict) == ("svm", "better")


def test_if_every_baseline_failed_somewhere_the_claim_is_withheld() -> None:
    records = [*baseline("erm", ERM[:2]), failed(task=A, spec="erm", split_seed=2, baseline=True)]
    records += [*baseline("svm", SVM[:2]), failed(task=A, spec="svm", split_seed=2, baseline=True)]
    found = on(leaderboard([*records, *over_seeds(A, "focal", MINE)]), "focal")
    assert found is not None
    assert (found.baseline, found.verdict) == ("svm", "withheld")


def test_over_tasks_it_is_the_best_on_the_tasks_that_the_strategy_did() -> None:
    records = [*usual(A), *baseline("erm", MINE, B), *baseline("svm", ERM, B), *baseline("knn", KNN, B)]
    records += over_seeds(A, "focal", MINE) + over_seeds(B, "focal", MINE)
    records += over_seeds(A, "maml", MINE) + [skipped(task=B, spec="maml", split_seed=s) for s in range(3)]
    board = leaderboard(records)
    both, only = overall(board, "focal"), overall(board, "maml")
    assert both is not None
    assert only is not None
    assert (both.baseline, only.baseline) == ("erm", "svm")


def test_a_baseline_that_does_not_apply_everywhere_is_no_warning() -> None:
    records = [*usual(A), *usual(B), *over_seeds(A, "focal", MINE), *over_seeds(B, "focal", MINE)]
    records += baseline("hist", MINE, B) + [skipped(task=A, spec="hist", split_seed=s) for s in range(3)]
    board = leaderboard(records)
    assert not [line for line in board.warnings if "complete baseline" in line]
    found, best = on(board, "focal", B), overall(board, "focal")
    assert found is not None
    assert best is not None
    assert (found.baseline, best.baseline) == ("hist", "svm")


def test_a_baseline_without_all_results_is_not_the_best() -> None:
    records = [*baseline("erm", ERM), *baseline("svm", MINE[:2]), *over_seeds(A, "focal", KNN)]
    board = leaderboard(records)
    svm, focal = on(board, "svm"), on(board, "focal")
    assert svm is not None
    assert focal is not None
    assert (svm.baseline, focal.baseline) == ("erm", "erm")
    assert svm.difference is not None
    assert svm.difference.mean == pytest.approx(np.mean(np.subtract(MINE[:2], ERM[:2])))


def test_another_baseline_can_be_named() -> None:
    records = [*usual(), *over_seeds(A, "focal", MINE)]
    board = leaderboard(records, baseline="knn")
    found, svm = on(board, "focal"), on(board, "svm")
    assert found is not None
    assert svm is not None
    assert (board.against, found.baseline, svm.verdict) == ("knn", "knn", "better")
    assert "vs knn" in render(board, "markdown")
    assert leaderboard(records, baseline="erm").against == ""
    assert leaderboard(records, baseline="knn, erm").against == "best baseline"
    with pytest.raises(UsageError, match=r"baseline svm\(C=3.0\) has no results here"):
        leaderboard(records, baseline="svm(C=3)")


def test_every_format_has_the_comparison() -> None:
    board = leaderboard([*usual(), *over_seeds(A, "focal", MINE)])
    assert re.fullmatch(r"\+9\.9 ± \d\.\d better", text.against(board.overall[0], board.metric))
    legend = text.legend(board)["vs best baseline"]
    assert "the baseline with the best score" in legend
    assert "the difference flatters it, and the interval does not allow for that" in legend
    for style in ("terminal", "markdown"):
        page = render(board, style, 160)
        assert "vs best baseline" in page
        assert text.against(board.overall[0], board.metric) in page
        assert "Better than every baseline: focal." in page
    frame = board.to_frame().set_index(["task", "strategy"])
    assert frame.loc[(A, "focal"), ["best_baseline", "baseline_verdict"]].tolist() == ["svm", "better"]
    assert "best_baseline,baseline_difference,baseline_half_width" in render(board, "csv").splitlines()[0]
    (row,) = [r for r in json.loads(render(board, "json"))["overall"] if r["strategy"] == "focal"]
    assert row["baseline_difference"] == pytest.approx(np.mean(np.subtract(MINE, SVM)))


@given(pairs)
def test_the_claim_is_an_intersection_union_test(found: list[tuple[float, float]]) -> None:
    p, gains = [each for each, _ in found], [gain for _, gain in found]
    value, word = claim(p, gains)
    assert 0 <= value <= 1
    if word == "better" and value < 1:
        assert all(gain > 0 for gain in gains)
        assert value == max(p)
    elif value < 1:
        assert value == len(p) * min(each for each, gain in found if gain < 0)


def test_a_baseline_that_has_not_been_run_on_a_task_yet_is_left_out_there() -> None:
    board = leaderboard([*usual(), *over_seeds(B, "erm", ERM), *over_seeds(B, "focal", ERM)])
    assert on(board, "focal", B) is not None
    assert any("left out as a baseline on" in line and "svm" in line for line in board.warnings)


@pytest.mark.parametrize("seeds", [3, 10])
@pytest.mark.parametrize("behind", [0.0, 3.0])
def test_wrong_claims_are_rare(seeds: int, behind: float) -> None:
    """A strategy as good as the best of five baselines; the other four are this many deviations `behind`."""
    rng = np.random.default_rng(0)
    trials, rivals = 4000, 5
    # Differences to the baselines have the strategy's own noise in common.
    noise = rng.normal(size=(trials, 1, seeds)) + rng.normal(size=(trials, rivals, seeds))
    noise[:, 1:] += behind
    p = scipy.stats.ttest_1samp(noise, 0, axis=2).pvalue
    claims = [claim(list(a), list(b)) for a, b in zip(p, noise.mean(2), strict=True)]
    better = np.mean([word == "better" and value <= 0.05 for value, word in claims])
    worse = np.mean([word == "worse" and value <= 0.05 for value, word in claims])
    assert better <= 0.025 + 0.007
    assert worse <= 0.025 + 0.007


def test_intervals_cover_differences_to_an_unstable_baseline() -> None:
    """Those to plain training, which is stable here, say nothing about their variances."""
    rng, covered = np.random.default_rng(0), []
    for _ in range(12):
        records = []
        for task in (f"kshot(digits, k={k})" for k in range(2, 8)):
            records += baseline("erm", rng.normal(0.5, 0.01, 3).tolist(), task)
            records += baseline("svm", rng.normal(0.7, 0.03, 3).tolist(), task)
            for gamma in range(1, 9):
                records += over_seeds(task, f"focal(gamma={gamma}.0)", rng.normal(0.7, 0.01, 3).tolist())
        rows = [row for _, several in leaderboard(records).tasks for row in several if row.against]
        found = [row.against.difference for row in rows if row.strategy.startswith("focal")]
        covered += [each.low <= 0 <= each.high for each in found]
    assert np.mean(covered) >= 0.93


def test_records_say_whether_they_are_of_a_baseline() -> None:
    assert record(baseline=True).to_dict()["baseline"] is True
    old = {name: value for name, value in record().to_dict().items() if name != "baseline"}
    assert Record.from_dict(old).baseline is False


@given(pairs)
def test_a_claim_needs_only_the_p_values_that_matter(found: list[tuple[float, float]]) -> None:
    named = {str(place): each for place, each in enumerate(found)}
    gains = {name: gain for name, (_, gain) in named.items()}
    asked = needed(gains)
    known = [p if name in asked else 1.0 for name, (p, _) in named.items()]
    assert claim(known, list(gains.values())) == claim([p for p, _ in found], list(gains.values()))
    assert len(asked) <= sum(gain < 0 for gain in gains.values()) or min(gains.values()) > 0


def test_a_comparison_has_the_estimates_of_its_own_pair() -> None:
    """Also where trials are missing, and the mean alone is that of the estimate."""
    records = [*usual(), *usual(B), *over_seeds(A, "focal", MINE), *over_seeds(B, "focal", KNN[:2])]
    board = leaderboard(records)
    pairs = [(s, differences.minus(s.entries["focal"], s.entries["svm"])) for s in board.settings]
    found, p = differences.on_tasks(pairs, pairs, board.metric)
    for (setting, _), estimate in zip(pairs, found, strict=True):
        assert estimate is not None
        (alone,), _ = differences.on_tasks([(setting, _)], [], board.metric)
        assert alone == estimate
        mean = differences.means_on_task(setting, "svm", board.metric)[setting.numbers["focal"]]
        assert mean == pytest.approx(estimate.mean, abs=1e-15)
    assert p == [e.p for e in found if e]
    (both,) = differences.over_tasks([pairs], board.metric)
    assert both is not None
    assert both.mean == pytest.approx(np.mean([each.mean for each in found if each]), abs=1e-15)


def test_a_baseline_that_skipped_a_task_is_named_as_no_rival_overall() -> None:
    """It is better on the task that both did, where it counts."""
    boost = baseline("boost", [0.95, 0.96, 0.94]) + [
        skipped(task=B, spec="boost", split_seed=seed, baseline=True) for seed in range(3)
    ]
    board = leaderboard(
        [*usual(), *usual(B), *boost, *over_seeds(A, "focal", MINE), *over_seeds(B, "focal", MINE)]
    )
    found = overall(board, "focal")
    assert found is not None
    assert (found.baseline, found.verdict) == ("svm", "better")
    assert on(board, "focal").baseline == "boost"
    (said,) = (line for line in board.warnings if "boost" in line)
    assert said.startswith(
        "baseline boost was skipped on 1 of 2 tasks: overall, strategies with results there"
    )
    lines = recommendation(board)
    assert "Better on average over tasks than every baseline with results on all of them: focal." in lines
