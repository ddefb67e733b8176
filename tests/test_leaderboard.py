from __future__ import annotations

import random

import numpy as np
import pytest
import scipy.stats
from records import IMAGE, TABLE, failed, over_seeds, realistic, record, skipped
from rows import on, overall

from fsbench.columns import of_records
from fsbench.errors import StoreError, UnknownName
from fsbench.report import text
from fsbench.report.entries import Setting, settings
from fsbench.report.leaderboard import leaderboard

ERM = [0.70, 0.72, 0.68]
BETTER = [0.80, 0.821, 0.779]
A, B, WINE = "kshot(digits, k=5)", "kshot(digits, k=20)", "kshot(wine, k=5)"


def sorted_by_task(records) -> list[Setting]:
    return settings(of_records(records, ["accuracy", "balanced_accuracy"]))


def test_a_task_holds_means_paired_differences_and_verdicts():
    board = leaderboard(over_seeds(A, "erm", ERM) + over_seeds(A, "focal", BETTER))
    focal, erm = dict(board.tasks)[A]
    assert (focal.strategy, focal.rank, erm.strategy, erm.rank) == ("focal", 1, "erm", 2)
    assert focal.score.mean == pytest.approx(0.8)
    assert focal.difference.mean == pytest.approx(0.1)
    test = scipy.stats.ttest_rel(BETTER, ERM)
    low, high = test.confidence_interval()
    assert focal.difference.half_width == pytest.approx((high - low) / 2)
    # The overall comparison is that of the only task, so there is one.
    assert board.comparisons == 1
    assert focal.p == overall(board)["focal"].p == pytest.approx(test.pvalue)
    assert overall(board)["focal"].verdict == "helps"
    assert (focal.verdict, erm.verdict, erm.difference) == ("helps", "baseline", None)


def test_lower_is_better_for_a_loss():
    rows = leaderboard(over_seeds(A, "erm", ERM) + over_seeds(A, "focal", BETTER), metric="nll").tasks[0][1]
    assert [(r.strategy, r.verdict) for r in rows] == [("focal", "helps"), ("erm", "baseline")]
    assert rows[0].difference.mean == pytest.approx(-0.1)


def test_a_worse_strategy_gets_the_verdict_hurts():
    board = leaderboard(over_seeds(A, "erm", BETTER) + over_seeds(A, "dann", ERM, uses=("source",)))
    assert on(board, A)["dann"].verdict == "hurts"


def test_init_seeds_of_a_split_are_averaged_first():
    first, second = over_seeds(A, "erm", [0.6, 0.8]), over_seeds(A, "erm", [0.8, 0.9], init_seed=1)
    row = on(leaderboard(first + second), A)["erm"]
    assert row.score.n == 2
    assert row.score.mean == pytest.approx((0.7 + 0.85) / 2)
    assert (row.score.low, row.score.high) == (pytest.approx(0.0, abs=0.3), pytest.approx(1.0, abs=0.05))
    assert (row.split_deviation, row.init_deviation) == pytest.approx((np.sqrt(0.005), np.sqrt(0.0125)))
    assert row.planned == row.done == 4


def test_one_seed_gives_no_verdict():
    row = on(leaderboard(over_seeds(A, "erm", [0.1]) + over_seeds(A, "focal", [0.9])), A)["focal"]
    assert (row.verdict, row.score.half_width, row.difference.half_width) == ("not settled", None, None)


def test_only_common_seeds_are_compared():
    board = leaderboard(over_seeds(A, "erm", [0.5, 0.6, 0.7, 0.1]) + over_seeds(A, "focal", [0.6, 0.7, 0.9]))
    focal = on(board, A)["focal"]
    assert focal.difference.mean == pytest.approx((0.1 + 0.1 + 0.2) / 3)
    assert (focal.done, focal.planned, focal.complete, focal.rank) == (3, 4, False, None)
    assert on(board, A)["erm"].rank == 1
    assert [(p.kind, p.strategy, p.trials) for p in board.problems] == [("not run", "focal", 1)]
    assert text.problem_lines(board.problems)[0].startswith("not run: focal, 1 trial on ")


def test_a_strategy_without_all_tasks_has_no_rank_and_no_mean_but_a_difference_on_its_tasks():
    records = over_seeds(A, "erm", ERM) + over_seeds(WINE, "erm", [0.9, 0.91, 0.95])
    records += over_seeds(A, "transfer", BETTER, uses=("source",))
    records += [skipped(task=WINE, spec="transfer", split_seed=s, uses=("source",)) for s in range(3)]
    row = overall(leaderboard(records))["transfer"]
    assert (row.rank, row.score, row.done, row.planned) == (None, None, 1, 2)
    assert (row.failed, row.skipped) == (0, 3)
    assert row.difference.mean == pytest.approx(0.1)
    assert row.uses == ("source",)


def test_failures_count_but_never_enter_an_average():
    records = over_seeds(A, "erm", ERM) + over_seeds(A, "focal", BETTER[:2])
    records.append(failed(task=A, spec="focal", split_seed=2, kind="NonFinite", message="loss is NaN"))
    board = leaderboard(records)
    row = overall(board)["focal"]
    assert on(board, A)["focal"].score.mean == pytest.approx(np.mean(BETTER[:2]))
    assert (row.rank, row.score, row.failed, row.complete) == (None, None, 1, False)
    (problem,) = board.problems
    assert (problem.kind, problem.trials, problem.reason) == ("failed", 1, "NonFinite: loss is NaN")


def test_the_latest_reason_of_a_failure_is_shown():
    records = over_seeds(A, "erm", ERM)
    for split_seed, day in enumerate((1, 9, 5)):
        records.append(failed(task=A, spec="x", split_seed=split_seed, message=f"day {day}",
                              created=f"2026-01-0{day}T00:00:00+00:00"))  # fmt: skip
    assert leaderboard(records).problems[0].reason == "TimeOut: day 9"


def test_overall_means_give_tasks_equal_weight():
    records = (
        over_seeds(A, "erm", [0.5, 0.6])
        + over_seeds(B, "erm", [0.7, 0.8])
        + over_seeds(WINE, "erm", [0.9] * 2)
    )
    assert overall(leaderboard(records))["erm"].score.mean == pytest.approx((0.55 + 0.75 + 0.9) / 3)


def test_tasks_on_common_data_do_not_count_as_independent():
    """Two tasks with equal numbers give no more evidence than one if they share data, and more if not."""

    def half_width(other: str) -> float:
        records = [r for task in (A, other) for spec, v in (("erm", ERM), ("focal", [0.8, 0.9, 0.7]))
                   for r in over_seeds(task, spec, v)]  # fmt: skip
        return overall(leaderboard(records))["focal"].difference.half_width

    alone = leaderboard(over_seeds(A, "erm", ERM) + over_seeds(A, "focal", [0.8, 0.9, 0.7]))
    assert half_width(B) == pytest.approx(overall(alone)["focal"].difference.half_width)
    assert half_width("shift(mnist5k(size=8), digits)") == pytest.approx(half_width(B))
    t = scipy.stats.t.ppf(0.975, [2, 4])
    assert half_width(WINE) == pytest.approx(half_width(B) / np.sqrt(2) * t[1] / t[0])


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [("mnist", "mnist5k", True), ("cifar10", "cifair10", True), ("keel-yeast1", "keel-yeast4", True),
     ("mnist", "fashion_mnist", False), ("mnist", "wine", False), ("mine", "yours", False)],
)  # fmt: skip
def test_datasets_of_one_family_count_as_common_data(one, other, same):
    first, second = sorted_by_task(record(f"kshot({name}, k=5)") for name in (one, other))
    assert (first.group == second.group) == same


def test_data_is_found_in_the_whole_text_of_a_task():
    tasks = ["kshot(a, k=1)", "kshot(b, source=mnist5k(font=[a, c]))", "noisy(c, rate=0.4)", "kshot(d, k=1)"]
    found = sorted_by_task(record(task) for task in tasks)
    groups = {setting.task: setting.group for setting in found}
    assert groups[tasks[0]] == groups[tasks[1]] == groups[tasks[2]] != groups[tasks[3]]


def test_words_that_name_no_data_do_not_make_tasks_dependent():
    tasks = [f"kshot({name}, k=2, unlabeled=all)" for name in ("breast_cancer", "wine", "usps")]
    tasks += [f"noisy({name}, kind=asymmetric, rate=0.2)" for name in ("digits", "fashion_mnist")]
    tasks.append("theirs(omniglot, mode=asymmetric, part=all)")
    assert len({setting.group for setting in sorted_by_task(map(record, tasks))}) == len(tasks)


def test_different_data_under_one_name_are_refused():
    records = [*over_seeds(A, "erm", ERM), record(A, "focal", 1, split_fingerprint="other")]
    with pytest.raises(StoreError, match=r"kshot\(digits, k=5\), split seed 1, are about different data"):
        leaderboard(records)


def test_two_records_of_one_trial_are_refused():
    with pytest.raises(StoreError, match="two records of erm"):
        leaderboard(over_seeds(A, "erm", ERM) + over_seeds(A, "erm", [0.5]))


def test_recipes_are_kept_apart_and_each_has_its_own_baseline():
    long = TABLE.replace("200", "900")
    records = over_seeds(A, "erm", ERM) + over_seeds(A, "erm", BETTER, recipe=long)
    records += over_seeds(A, "focal", [0.75, 0.76, 0.77], recipe=long)
    board = leaderboard(records)
    assert [label for label, _ in board.tasks] == [f"{A} with steps=200", f"{A} with steps=900"]
    assert on(board, f"{A} with steps=900")["focal"].difference.mean == pytest.approx(0.76 - 0.8)
    assert "focal" not in on(board, f"{A} with steps=200")
    assert (overall(board)["focal"].done, overall(board)["focal"].planned) == (1, 2)


def test_recipes_of_other_tasks_do_not_change_names():
    board = leaderboard(over_seeds(A, "erm", ERM, recipe=IMAGE) + over_seeds(WINE, "erm", ERM))
    assert [label for label, _ in board.tasks] == [A, WINE]


def test_without_a_baseline_nothing_is_compared():
    board = leaderboard(over_seeds(A, "focal", ERM))
    assert (on(board, A)["focal"].verdict, board.comparisons) == ("none", 0)


def test_equal_scores_share_a_rank():
    board = leaderboard(over_seeds(A, "a", ERM) + over_seeds(A, "erm", ERM) + over_seeds(A, "z", BETTER))
    assert [(r.strategy, r.rank) for r in board.overall] == [("z", 1), ("a", 2), ("erm", 2)]
    assert overall(board)["a"].verdict == "equivalent"


def test_a_few_coinciding_flips_give_no_verdict():
    """Two test samples of 500 more in each of three splits; the plain t test has p = 0."""
    records = over_seeds(A, "erm", ERM, resolution={"balanced_accuracy": 0.002})
    records += over_seeds(A, "focal", [v + 0.004 for v in ERM], resolution={"balanced_accuracy": 0.002})
    board = leaderboard(records, margin=0.005)
    for row in (on(board, A)["focal"], overall(board)["focal"]):
        assert row.verdict == "not settled"
        assert row.difference.half_width == pytest.approx(scipy.stats.t.ppf(0.975, 2) * 0.002 / np.sqrt(3))


@pytest.mark.parametrize(("margin", "verdict"), [(0.01, "equivalent"), (0.0005, "not settled")])
def test_equal_results_are_equivalent_within_what_one_decision_leaves_open(margin, verdict):
    records = over_seeds(A, "erm", ERM) + over_seeds(A, "focal", ERM)
    row = on(leaderboard(records, margin=margin), A)["focal"]
    assert (row.difference.mean, row.verdict) == (0.0, verdict)
    assert row.difference.half_width > 0


def test_older_records_get_a_cautious_resolution_from_the_number_of_test_samples():
    for known in ({}, {"balanced_accuracy": 0.0, "accuracy": 0.0}):
        setting, *_ = sorted_by_task(over_seeds(A, "erm", ERM, resolution=known, n_test=400))
        assert setting.resolution("balanced_accuracy") == 2 / 400
        assert setting.resolution("accuracy") == 2 / 400
    setting, *_ = sorted_by_task([record(A, split_seed=s, resolution={"accuracy": s / 100}) for s in (1, 2)])
    assert setting.resolution("accuracy") == 0.02, "that of the coarsest split"


def test_cost_is_a_ratio_to_the_baseline_on_the_same_trials():
    """Slow splits and tasks get no extra weight: only trials that both finished are compared."""
    records = []
    for seed, slow in enumerate((1.0, 10.0, 2.0)):
        records.append(record(A, "erm", seed, seconds_fit=slow, seconds_predict=0.0))
        records.append(record(A, "focal", seed, seconds_fit=1.5 * slow, seconds_predict=0.0))
        records.append(record(B, "erm", seed, seconds_fit=100.0, seconds_predict=0.0))
    board = leaderboard(records)
    assert on(board, A)["focal"].cost == overall(board)["focal"].cost == pytest.approx(1.5)
    assert overall(board)["erm"].cost == 1
    assert overall(leaderboard(over_seeds(A, "focal", ERM)))["focal"].cost is None


def test_cost_compares_trials_on_one_device_only():
    """Else it would say which device is faster, for strategies that ran on another one than the baseline."""
    records = [record(A, "erm", seed, seconds_fit=1.0, seconds_predict=0.0) for seed in range(3)]
    records += [record(B, "erm", seed, seconds_fit=1.0, seconds_predict=0.0) for seed in range(3)]
    for seed, (device, seconds) in enumerate((("cpu", 2.0), ("slow cpu", 9.0), ("slow cpu", 9.0))):
        records.append(record(A, "focal", seed, device=device, seconds_fit=seconds, seconds_predict=0.0))
        records.append(record(B, "focal", seed, device="slow cpu", seconds_fit=9.0, seconds_predict=0.0))
    board = leaderboard(records)
    assert on(board, A)["focal"].cost == overall(board)["focal"].cost == 2
    assert on(board, B)["focal"].cost is None


def test_fit_and_memory_come_from_successful_trials():
    records = [record(A, split_seed=s, train_accuracy=t, peak_memory=m)
               for s, (t, m) in enumerate([(0.8, 10), (1.0, 30), (None, 20)])]  # fmt: skip
    row = on(leaderboard([*records, failed(task=A, split_seed=3, peak_memory=99)]), A)["erm"]
    assert (row.train_accuracy, row.peak_memory) == (pytest.approx(0.9), 20)


def test_seconds_are_the_median_of_fit_and_predict():
    records = [record(A, split_seed=s, seconds_fit=fit) for s, fit in enumerate((1.0, 100.0, 2.0))]
    assert overall(leaderboard(records))["erm"].seconds == 2.25


def test_a_strategy_without_the_metric_on_some_tasks_has_no_rank():
    records = over_seeds(A, "erm", ERM) + [
        record(WINE, split_seed=s, metrics={"accuracy": 0.5}) for s in range(3)
    ]
    row = overall(leaderboard(records, metric="nll"))["erm"]
    assert (row.done, row.planned, row.rank) == (1, 2, None)


def test_an_unknown_metric_is_an_error():
    with pytest.raises(UnknownName, match="did you mean 'accuracy'"):
        leaderboard([], metric="accurcy")


def test_no_records_give_an_empty_leaderboard():
    board = leaderboard([])
    assert (board.overall, board.tasks, len(board.to_frame())) == ((), (), 0)


def test_mixed_versions_and_devices_are_warnings():
    records = [record(A, split_seed=s, device=d, versions={"torch": d}) for s, d in enumerate("ab")]
    assert leaderboard(records).warnings == (
        "results of several versions of torch are mixed: a, b",
        "seconds come from several devices: a, b",
        f"intervals on {A} leave out that test samples were drawn: how each of them counts for the balanced "
        "accuracy is not stored with these results",
    )


def test_the_order_of_the_records_changes_nothing():
    records = realistic()
    board = leaderboard(records)
    random.Random(0).shuffle(records)
    assert leaderboard(records) == board
    labels = [label for label, _ in board.tasks]
    assert labels.index("kshot(digits, k=5)") < labels.index("kshot(digits, k=20)")


def test_ranks_are_over_complete_rows_and_follow_the_means():
    board = leaderboard(realistic())
    ranked = [row for row in board.overall if row.rank]
    assert [row.rank for row in ranked] == [1, 2, 3, 4]
    assert all(row.complete and row.done == 9 for row in ranked)
    assert sorted((r.score.mean for r in ranked), reverse=True) == [r.score.mean for r in ranked]
    assert {row.strategy for row in board.overall[4:]} >= {"transfer", "dann", "maml"}
    assert overall(board)["maml"].failed == 1


def test_the_frame_has_every_row():
    board = leaderboard(realistic())
    frame = board.to_frame()
    assert len(frame) == len(board.rows)
    augmentation = frame[(frame.task == "overall") & (frame.strategy == "augmentation")].iloc[0]
    assert augmentation["score"] == pytest.approx(overall(board)["augmentation"].score.mean, abs=1e-8)
    assert augmentation["rank"] == 1


def test_rows_without_all_results_come_last_by_the_tasks_that_they_did():
    """However good their scores are."""
    tasks = [A, WINE, "kshot(iris, k=5)"]
    records = [each for task in tasks for each in over_seeds(task, "erm", [0.10, 0.12, 0.08])]
    for spec, done, value in (("one", tasks[:1], 0.99), ("two", tasks[:2], 0.8), ("lacking", tasks, 0.9)):
        records += [
            each for task in done for each in over_seeds(task, spec, [value] * 3)[spec == "lacking" :]
        ]
    assert [row.strategy for row in leaderboard(records).overall] == ["erm", "lacking", "two", "one"]


def test_scores_that_differ_by_rounding_share_a_rank():
    other = [value + 1e-15 * place for place, value in enumerate(ERM)]
    assert np.mean(other) != np.mean(ERM)
    rows = on(leaderboard([*over_seeds(A, "erm", ERM), *over_seeds(A, "focal", other)]), A)
    assert {name: row.rank for name, row in rows.items()} == {"erm": 1, "focal": 1}
