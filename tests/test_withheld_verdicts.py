"""Verdicts are withheld where trials failed or have no value, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_evidence import METRIC, Made, decisions, disjoint
from records import failed, over_seeds, record, skipped
from rows import on, overall

from fsbench.columns import of_records
from fsbench.report import text
from fsbench.report.charts import Charts
from fsbench.report.html.heatmap import heat_maps
from fsbench.report.leaderboard import leaderboard
from fsbench.report.pairs import compare, compare_all
from fsbench.report.plots.gains import shown

A, WINE = "kshot(digits, k=5)", "kshot(wine, k=5)"


def clear(task=A, seeds=8) -> list:
    """A strategy that is clearly better."""
    return over_seeds(task, "erm", [0.70] * seeds) + over_seeds(
        task, "focal", [0.80 + s / 1000 for s in range(seeds)]
    )


def test_a_verdict_is_withheld_where_trials_of_the_strategy_failed():
    records = [*clear(), *clear(WINE)]
    board = leaderboard(records)
    assert {row.verdict for row in board.rows if row.strategy == "focal"} == {"helps"}
    board = leaderboard([*records, failed(task=A, spec="focal", split_seed=8), record(A, split_seed=8)])
    row = on(board, A)["focal"]
    assert (row.verdict, row.p, row.failed) == ("withheld: 1 failed", None, 1)
    assert row.difference.n == 8
    assert on(board, WINE)["focal"].verdict == "helps"
    assert (overall(board)["focal"].verdict, overall(board)["focal"].p) == ("withheld: 1 failed", None)
    assert board.comparisons == 2


@pytest.mark.parametrize("lacking", ["erm", "focal"])
def test_a_verdict_is_withheld_where_a_metric_could_not_be_computed(lacking):
    """For all strategies alike, such as the AUROC without a class, it is no reason."""
    values = {"erm": [0.5, 0.52, 0.51, 0.5], "focal": [0.8, 0.81, 0.82, 0.81]}
    records = [
        each for spec, several in values.items() for each in over_seeds("kshot(wine, k=5)", spec, several)
    ]
    without = [
        replace(each, metrics={}) if each.split_seed == 1 and each.spec == lacking else each
        for each in records
    ]
    (row,) = [row for row in leaderboard(without).rows if row.strategy == "focal" and row.task != "overall"]
    assert row.verdict == "withheld: 1 without a value"
    nowhere = [replace(each, metrics={}) if each.split_seed == 1 else each for each in records]
    assert {row.verdict for row in leaderboard(nowhere).rows} == {"baseline", "helps"}


def test_a_split_where_a_metric_has_no_value_for_anybody_takes_no_ranks_or_claims():
    """One failure there does take them; so does a task without any value."""
    values = {"erm": [0.5, 0.52, 0.51, 0.5], "svm": [0.6, 0.61, 0.6, 0.62], "focal": [0.8, 0.81, 0.82, 0.81]}
    records = [
        replace(each, baseline=spec != "focal", metrics={} if each.split_seed == 1 else each.metrics)
        for spec, several in values.items()
        for each in over_seeds(A, spec, several)
    ]
    board = leaderboard(records)
    for rows in (overall(board), on(board, A)):
        assert {name: row.rank for name, row in rows.items()} == {"focal": 1, "svm": 2, "erm": 3}
        assert rows["focal"].against.verdict == "better"
    assert not board.problems
    assert not any("left out as a baseline" in line for line in board.warnings)
    focal_failed = [
        replace(each, status="failed", reason={"kind": "Boom"})
        if (each.spec, each.split_seed) == ("focal", 1)
        else each
        for each in records
    ]
    assert {row.strategy: row.rank for row in leaderboard(focal_failed).overall} == {
        "svm": 1,
        "erm": 2,
        "focal": None,
    }
    nothing = [record(WINE, spec, metrics={}) for spec in values]
    assert {row.rank for row in leaderboard([*records, *nothing]).overall} == {None}


def test_a_verdict_is_withheld_where_trials_of_the_baseline_failed():
    more = [failed(task=A, split_seed=s) for s in (8, 9)]
    row = on(leaderboard([*clear(), *more, record(A, "focal", 8), record(A, "focal", 9)]), A)["focal"]
    assert (row.verdict, row.p) == ("withheld: 2 of erm failed", None)
    both = [*clear(), *more, failed(task=A, spec="focal", split_seed=8)]
    assert on(leaderboard(both), A)["focal"].verdict == "withheld: 1 failed, 2 of erm failed"
    assert on(leaderboard(both), A)["erm"].verdict == "baseline"


def test_a_skip_or_a_trial_not_run_withholds_nothing():
    board = leaderboard(
        [*clear(), *over_seeds(WINE, "erm", [0.70, 0.72, 0.68]), skipped(task=WINE, spec="focal")]
    )
    assert overall(board)["focal"].verdict == "helps"


def test_a_failure_makes_no_other_verdict_more_likely():
    noisy = over_seeds(A, "noisy", [0.7 + s / 100 for s in range(8)])
    before = on(leaderboard([*clear(), *noisy]), A)["noisy"].p
    after = leaderboard([*clear(), *noisy, failed(task=A, spec="focal", split_seed=8)])
    assert on(after, A)["focal"].p is None
    assert on(after, A)["noisy"].p == before


def lost(what: str, spec: str, task: str, seeds: int) -> list:
    """Trials that failed, or have no value of the metric."""
    more = {"task": task, "spec": spec}
    return [
        failed(split_seed=s, **more) if what == "failed" else record(split_seed=s, metrics={}, **more)
        for s in range(seeds)
    ]


@pytest.mark.parametrize("what", ["failed", "no value"])
@pytest.mark.parametrize("broken", ["focal", "erm"])
def test_a_comparison_without_any_trial_left_counts_like_one_with_some(what, broken):
    """Its p-value would be 1: the other comparisons keep theirs, on tasks and over them."""
    noisy = [r for t in (A, WINE) for r in over_seeds(t, "noisy", [0.7 + s / 100 for s in range(8)])]
    whole = [*clear(), *clear(WINE), *noisy]
    tasks = (A, WINE) if broken == "focal" else (WINE,)

    def without(seeds):
        kept = [r for r in whole if r.spec != broken or r.task not in tasks or r.split_seed >= seeds]
        return leaderboard([*kept, *(r for task in tasks for r in lost(what, broken, task, seeds))])

    some, none = without(7), without(8)
    assert some.comparisons == none.comparisons == 4
    assert on(some, A)["noisy"].p == on(none, A)["noisy"].p is not None
    if broken == "focal":
        assert (overall(none)["focal"].difference, overall(none)["focal"].compared) == (None, True)
        assert overall(some)["noisy"].p == overall(none)["noisy"].p is not None


def test_a_failure_on_one_task_settles_no_more_on_others_in_a_comparison_of_two():
    whole = [*clear(), *clear(WINE)]
    found = []
    for seeds in (7, 8):
        kept = [r for r in whole if (r.task, r.spec) != (WINE, "focal") or r.split_seed >= seeds]
        board = leaderboard([*kept, *lost("failed", "focal", WINE, seeds)])
        found.append({pair.task: pair.p for pair in compare(board, "focal", "erm")})
    some, none = found
    assert some[A] == none[A]
    assert WINE not in none
    skips = [skipped(task=WINE, spec="focal", split_seed=s) for s in range(8)]
    kept = [r for r in whole if (r.task, r.spec) != (WINE, "focal")]
    (alone, *_) = compare(leaderboard([*kept, *skips]), "focal", "erm")
    assert alone.p == pytest.approx(none[A] / 2, rel=0.01)


def test_a_skip_is_no_comparison():
    """Nor is a failure where nothing was there to compare with."""
    skips = [skipped(task=A, spec="dann", split_seed=s) for s in range(8)]
    assert leaderboard([*clear(), *skips]).comparisons == 1
    alone = [failed(task=WINE, spec="focal", split_seed=s) for s in range(8)]
    assert leaderboard([*clear(), *alone]).comparisons == 1


def test_trials_that_ran_without_a_value_are_not_said_to_be_skipped_or_not_run():
    """Not even where a strategy was skipped on other tasks, or failed in other trials."""
    plain = [r for task in (A, WINE) for r in over_seeds(task, "erm", [0.7, 0.72, 0.68])]
    mine = [record(A, "focal", metrics={}), failed(task=A, spec="focal", split_seed=1)]
    mine += [skipped(task=WINE, spec="focal", split_seed=s) for s in range(3)]
    board = leaderboard([*plain, *mine])
    assert [text.verdict(row) for row in board.rows if row.strategy == "focal"] == [
        *("no value", "no value", "skipped"),
    ]
    assert text.without_result(dict(board.tasks)[A]) == "no value: focal"
    charts = Charts(board)
    cells = dict(zip(charts.gains.strategies, charts.gains.cells, strict=True))["focal"]
    assert [cell.state for cell in cells] == ["no value", "skipped"]
    assert [shown(cell, board.metric) for cell in cells] == ["n/a", "–"]
    (found,) = heat_maps([charts])
    fields = dict(found.rows)["focal"]
    assert [field.shown for field in fields] == ["n/a", "n/a", "·"]
    assert fields[1].title == f"{A}: no value"


def test_a_difference_whose_verdict_is_withheld_is_not_called_small():
    values = [0.80 + s / 1000 for s in range(8)]
    records = [*clear(), *over_seeds(A, "mixup", [v + 1e-4 for v in values])]
    (alone, *_) = compare(leaderboard(records), "focal", "mixup")
    assert alone.within
    more = [failed(task=A, spec="mixup", split_seed=8), record(A, split_seed=8), record(A, "focal", 8)]
    (found, *_) = compare(leaderboard([*records, *more]), "focal", "mixup")
    assert (found.verdict, found.within) == ("withheld", False)


def test_two_strategies_that_train_on_the_same_samples_in_every_split_are_not_judged():
    made = Made()
    made.task(
        A, disjoint(6, 40), [np.arange(500, 600)] * 6,
        {"erm": decisions(6, 40, 1, 0.7), "focal": decisions(6, 40, 2, 0.6), "svm": decisions(6, 40, 3, 1.0)},
    )  # fmt: skip
    assert {pair.verdict for pair in compare(made.board, "svm", "focal")} == {"withheld"}


def test_a_failure_beside_a_skip_is_no_comparison_of_two():
    both = [*clear(), *over_seeds(A, "dann", [0.6 + s / 2000 for s in range(8)])]
    wine = over_seeds(WINE, "erm", [0.7] * 8)
    wine += [failed(task=WINE, spec="focal", split_seed=s) for s in range(8)]
    skips = [skipped(task=WINE, spec="dann", split_seed=s) for s in range(8)]
    alone, beside = (
        compare(leaderboard(each), "focal", "dann")[0] for each in (both, [*both, *wine, *skips])
    )
    assert alone.p == beside.p < 1


def test_a_pair_without_any_trial_left_counts_among_the_means_too():
    gone = [failed(task=A, spec="mixup", split_seed=s) for s in range(8)]
    board = leaderboard([*clear(), *gone])
    names = {board.name(name): name for setting in board.settings for name in setting.entries}
    wanted = [(names[name], names["erm"]) for name in ("focal", "mixup")]
    one, two = (compare_all(board.settings, wanted[:n], board.metric, 0.01)[0] for n in (1, 2))
    assert [pair.task for pair in two] == [A, "overall"]
    assert [pair.p for pair in two] == pytest.approx([2 * pair.p for pair in one], abs=0)


def rivals(task: str, erm: float = 0.70, svm: float = 0.75, seeds: int = 8) -> list:
    """Two baselines, of which the second is better."""
    level = {"erm": erm, "svm": svm}
    return [
        each
        for spec, value in level.items()
        for each in over_seeds(task, spec, [value + s / 2000 for s in range(seeds)], baseline=True)
    ]


def better(task: str) -> list:
    return over_seeds(task, "focal", [0.9 + s / 1000 for s in range(8)])


def lost_on(task: str, spec: str, status=failed) -> list:
    return [status(task=task, spec=spec, split_seed=s, baseline=spec != "focal") for s in range(8)]


def test_a_failure_on_a_whole_task_withholds_the_comparison_with_baselines_over_tasks():
    records = [*rivals(A), *rivals(WINE), *better(A)]
    assert overall(leaderboard([*records, *better(WINE)]))["focal"].against.verdict == "better"
    assert overall(leaderboard([*records, *lost_on(WINE, "focal")]))["focal"].against.verdict == "withheld"
    assert (
        overall(leaderboard([*records, *lost_on(WINE, "focal", skipped)]))["focal"].against.verdict
        == "better"
    )


def test_splits_that_train_on_the_same_samples_withhold_the_comparison_with_baselines():
    hits = {
        "erm": decisions(6, 40, 1, 0.6),
        "svm": decisions(6, 40, 2, 0.6),
        "focal": decisions(6, 40, 3, 1.0),
    }
    for trains, verdict in ((disjoint(6, 100, 500), "better"), ([np.arange(500, 600)] * 6, "withheld")):
        made = Made()
        made.task(A, disjoint(6, 40), trains, hits)
        board = leaderboard(of_records(made.records, [METRIC], made.evidence), baseline="erm, svm")
        assert on(board, A)["focal"].against.verdict == verdict


def test_where_a_strategy_was_skipped_failures_of_baselines_matter_to_nobody():
    """Neither alone, where there is no comparison, nor beside another task."""
    broken = [*lost_on(WINE, "erm"), *lost_on(WINE, "svm"), *lost_on(WINE, "focal", skipped)]
    assert on(leaderboard([*broken, *rivals(A)]), WINE)["focal"].against is None
    half = [each for each in rivals(WINE) if each.spec == "erm"]
    board = leaderboard(
        [*rivals(A), *better(A), *half, *lost_on(WINE, "svm"), *lost_on(WINE, "focal", skipped)]
    )
    against = overall(board)["focal"].against
    assert (against.baseline, against.verdict, against.matched) == ("svm", "better", True)


def test_a_claim_over_baselines_without_plain_training_does_not_wait_for_that_over_it():
    level = [0.80 + s / 100 for s in range(8)]
    records = over_seeds(A, "erm", level[::-1]) + over_seeds(
        A, "knn", [v - 0.2 for v in level], baseline=True
    )
    records += over_seeds(A, "focal", [v + s % 2 / 1000 for s, v in enumerate(level)])
    row = on(leaderboard(records, baseline="knn"), A)["focal"]
    assert (row.verdict, row.against.verdict) == ("not settled", "better")
    assert on(leaderboard(records), A)["focal"].against.verdict == "not settled"


def test_a_baseline_that_was_skipped_on_all_tasks_is_not_mentioned():
    records = [*rivals(A), *rivals(WINE), *better(A), *better(WINE)]
    everywhere = [*lost_on(A, "boost", skipped), *lost_on(WINE, "boost", skipped)]
    assert not [line for line in leaderboard([*records, *everywhere]).warnings if "boost" in line]
    once = [*lost_on(A, "boost", skipped), *over_seeds(WINE, "boost", [0.8] * 8, baseline=True)]
    assert [line for line in leaderboard([*records, *once]).warnings if "boost" in line]
