"""`fsbench compare`: two folders, two strategies or two versions, like with like, beyond noise."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from conftest import ROOT
from records import failed, over_seeds, record, skipped

from fsbench.columns import both, of_records
from fsbench.errors import UnknownName, UsageError
from fsbench.evidence import Evidence
from fsbench.metrics import get_metric
from fsbench.report import pairs
from fsbench.report.budgets import leaderboards
from fsbench.report.changes import compare_sides
from fsbench.report.changes_sheet import sheet_of
from fsbench.report.sides import side, with_strategies
from fsbench.report.stored import read_columns

METRIC = "balanced_accuracy"
BOARD = ROOT / "leaderboards" / "starter-v3.jsonl"
A, B = "kshot(wine, k=1)", "kshot(digits, k=1)"
LOW, HIGH = [0.60, 0.62, 0.58, 0.61, 0.59], [0.72, 0.735, 0.70, 0.722, 0.708]


def sides(before, after, text=None, other=None):
    first, second = (of_records(each, [METRIC]) for each in (before, after))
    return side("old", first, METRIC, text), side("new", second, METRIC, other or text)


def compared(before, after, text=None, other=None, margin=0.01):
    return compare_sides(*sides(before, after, text, other), METRIC, margin)


def by_task(found):
    return {(each.strategy, each.task): each for each in (*found.rows, *found.overall)}


def test_two_strategies_are_compared_by_a_paired_test():
    records = over_seeds(A, "a", LOW) + over_seeds(A, "b", HIGH)
    found = compared(records, records, "a", "b")
    (row,), (overall,) = found.rows, found.overall
    assert row.difference.mean == pytest.approx(np.mean(HIGH) - np.mean(LOW))
    assert row.p == overall.p == pytest.approx(scipy.stats.ttest_rel(HIGH, LOW).pvalue)
    assert (row.before, row.after) == (pytest.approx(np.mean(LOW)), pytest.approx(np.mean(HIGH)))
    assert (row.verdict, overall.verdict, found.is_worse) == ("better", "better", False)
    back = compared(records, records, "b", "a")
    assert (back.rows[0].verdict, back.is_worse) == ("worse", True)
    assert back.rows[0].difference.mean == -row.difference.mean


def test_the_numbers_are_those_of_two_strategies_of_one_table():
    """On a published board, whose samples of the test parts are known, in one file and in two."""
    parts = [read_columns(BOARD, [METRIC]) for _ in range(2)]
    first, second = (each.select([s.spec in ("svm", "knn") for s in each.shared]) for each in parts)
    found = compare_sides(side("", first, METRIC, "svm"), side("", second, METRIC, "knn"), METRIC)
    (board,) = leaderboards(first)
    expected = pairs.compare(board, "knn", "svm")
    ours = [*found.rows, *found.overall]
    assert [(each.task, each.verdict, each.small) for each in ours] == [
        (each.task, each.verdict, each.within) for each in expected
    ]
    for each, other in zip(ours, expected, strict=True):
        for name in ("mean", "low", "high", "p", "n"):
            assert getattr(each.difference, name) == pytest.approx(getattr(other.difference, name)), name
        assert each.p == pytest.approx(other.p)
    assert {"worse", "not settled"} <= {each.verdict for each in ours}


def test_strategies_of_two_folders_are_matched_by_name():
    before = over_seeds(A, "erm", LOW) + over_seeds(A, "focal", LOW) + over_seeds(A, "gone", LOW)
    after = over_seeds(A, "erm", LOW) + over_seeds(A, "focal", HIGH) + over_seeds(A, "new", LOW)
    found = compared(before, after + over_seeds(B, "erm", LOW))
    assert [(each.strategy, each.verdict, each.equal) for each in found.rows] == [
        ("erm", "equivalent", 5),
        ("focal", "better", 0),
    ]
    assert found.left_out == (
        f"only in B: 1 task: {B}",
        "only in A: 1 strategy: gone",
        "only in B: 1 strategy: new",
    )
    only = [with_strategies(each, "focal") for each in sides(before, after)]
    (row,) = compare_sides(*only, METRIC).rows
    assert row.p < by_task(found)["focal", A].p
    with pytest.raises(UnknownName, match=r"strategy with results in old: 'foal'.*'focal'"):
        with_strategies(only[0], "foal")


def test_all_comparisons_on_tasks_are_one_family_and_those_over_tasks_another():
    records = [each for task in (A, B) for name in "abc" for each in over_seeds(task, name, LOW)]
    rng = np.random.default_rng(0)
    moved = [
        record(r.task, r.spec, r.split_seed, r.metrics[METRIC] + rng.normal(0.01, 0.01)) for r in records
    ]
    found = compared(records, moved)
    raw = sorted(each.difference.p for each in found.rows)
    assert min(each.p for each in found.rows) == pytest.approx(6 * raw[0])
    raw = sorted(each.difference.p for each in found.overall)
    assert min(each.p for each in found.overall) == pytest.approx(3 * raw[0])


def test_unlike_is_left_out_and_said():
    before = over_seeds(A, "a", LOW) + over_seeds(B, "a", LOW) + over_seeds("kshot(wine, k=2)", "a", LOW)
    after = over_seeds(A, "a", HIGH) + over_seeds("kshot(wine, k=2)", "a", HIGH)
    after[1] = record(A, "a", 1, HIGH[1], split_fingerprint="another")
    after += over_seeds(B, "a", HIGH, recipe="recipe(backbone=mlp, batch_size=32, lr=0.001, steps=400)")
    found = compared(before, after)
    assert {each.task: each.done for each in found.rows} == {A: 4, "kshot(wine, k=2)": 5}
    splits, recipe = found.left_out
    assert f"{A}, split 1: other data or another way of drawing" in splits
    assert "another in B" in splits
    assert recipe == f"{B}: another recipe, with steps=200 in A and steps=400 in B"


def test_nothing_in_common_is_one_line():
    after = over_seeds(A, "a", HIGH, split_fingerprint="another")
    with pytest.raises(
        UsageError, match=r"old and new have no result in common: .* split 0, 1, 2, 3, 4: other data"
    ):
        compared(over_seeds(A, "a", LOW), after)


def version(mark, values, day=1, spec="mine", **more):
    created = f"2026-01-{day:02}T00:00:00+00:00"
    return [
        record(A, spec, seed, value, full_spec=f"mine(rate=1.0)#{mark}" if mark else "mine(rate=1.0)",
               created=created, **more)
        for seed, value in enumerate(values)
    ]  # fmt: skip


def test_versions_of_a_plugin_in_one_folder():
    every = version("code+aaaa1111", LOW) + version("code+bbbb2222", HIGH, day=2)
    for old, new in (
        ("mine#code+aaaa1111", "mine"),
        ("code+aaaa1111", "code+bbbb2222"),
        ("mine [aaaa1111]", "mine#bbbb2222"),
    ):
        found = compared(every, every, old, new)
        assert [(each.strategy, each.verdict) for each in found.rows] == [("mine", "better")]
        assert "mine: code+aaaa1111 → code+bbbb2222" in found.differing
    unmarked = version("", LOW) + version("results+2", HIGH, day=2)
    assert compared(unmarked, unmarked, "mine#", "mine#results+2").rows[0].verdict == "better"
    with pytest.raises(UnknownName, match=r"unknown version with results: .mine#code.cccc.; did you mean"):
        compared(every, every, "mine#code+cccc", "mine")
    with pytest.raises(UnknownName, match="did you mean 'mine'"):
        compared(every, every, "mine", "mins")
    with pytest.raises(UnknownName, match="version with results: '0bad'"):
        compared(every, every, "mine", "0bad")


def test_a_strategy_that_is_not_installed_may_be_written_with_other_spaces():
    records = over_seeds(A, "gone(a=1, b=2)", LOW) + over_seeds(A, "focal", HIGH)
    assert compared(records, records, "gone(a=1,b=2)", "focal()").rows[0].verdict == "better"


def test_versions_that_are_not_installed_are_said():
    old = [
        record(A, "focal", s, v, full_spec="focal(alpha=none, gamma=2.0)#results+0")
        for s, v in enumerate(LOW)
    ]
    found = compared(old, old)
    said = "these are not the installed versions: focal"
    assert found.differing == (f"A: {said}", f"B: {said}")
    assert found.left_out == ()


def test_two_folders_have_the_newest_version_of_a_strategy_that_is_not_installed():
    before = version("code+aaaa1111", LOW, versions={"fsbench-mine": "1.0"})
    after = before + version("code+bbbb2222", HIGH, day=2, versions={"fsbench-mine": "1.1"})
    found = compared(before, after)
    assert [(each.strategy, each.verdict) for each in found.rows] == [("mine", "better")]
    assert {"mine: code+aaaa1111 → code+bbbb2222", "fsbench-mine: 1.0 → 1.1"} <= set(found.differing)
    assert found.left_out == ("B: left out: 5 records of other versions of the code (mine 5)",)


def test_a_changed_default_is_a_change_of_the_same_strategy():
    before = [record(A, "mine", s, v, full_spec="mine(rate=1.0)") for s, v in enumerate(LOW)]
    after = [record(A, "mine", s, v, full_spec="mine(rate=2.0)") for s, v in enumerate(HIGH)]
    found = compared(before, after)
    assert (found.rows[0].verdict, found.differing) == ("better", ("mine: rate=1.0 → rate=2.0",))


def test_tuned_rows_are_compared_with_tuned_rows():
    before = over_seeds(A, "a", LOW) + over_seeds(A, "a", HIGH, tuning="tuning(n=4)")
    found = compared(before, over_seeds(A, "a", LOW, tuning="tuning(n=4)"))
    assert [(each.strategy, each.verdict) for each in found.rows] == [("tuned(a, n=4)", "worse")]
    assert found.left_out == ("only in A: 1 strategy: a",)
    assert compared(before, before, "a", "tuned(a, n=4)").rows[0].verdict == "better"


def test_only_names_that_can_be_compared_are_offered():
    records = over_seeds(A, "a", LOW, tuning="tuning(n=4)")
    with pytest.raises(UnknownName, match=r": 'a'; known: tuned\(a, n=4\)$"):
        compared(records, records, "a", "tuned(a, n=4)")


def test_it_is_said_that_tuned_results_train_on_more_labels():
    records = over_seeds(A, "a", LOW) + over_seeds(A, "a", HIGH, tuning="tuning(n=4)")
    said = (
        "number of labels: tuned(a, n=4) in {} was tuned, so it is trained on validation labels of the "
        "target too, a in {} on training labels only"
    )
    assert compared(records, records, "a", "tuned(a, n=4)").differing == (said.format("B", "A"),)
    assert compared(records, records, "tuned(a, n=4)", "a").differing == (said.format("A", "B"),)
    assert compared(records, records).differing == ()


def test_trials_that_fail_in_b_only_are_worse_and_others_are_said():
    before = over_seeds(A, "a", LOW) + over_seeds(B, "a", LOW)
    after = over_seeds(A, "a", LOW[:3]) + [failed(task=B, spec="a", split_seed=s) for s in range(5)]
    found = compared(before, after)
    (lost,) = found.lost
    assert (lost.strategy, lost.task, lost.trials, lost.reason) == (
        "a",
        B,
        5,
        "TimeOut: ran longer than 300 s",
    )
    assert found.is_worse
    assert [each.task for each in found.rows] == [A]
    assert found.left_out == (f"a on {A}: 2 trials with a result in A only (not run in B)",)
    back = compared(after, before)
    assert (back.lost, back.is_worse) == ((), False)
    assert f"a on {B}: 5 trials with a result in B only (failed in A)" in back.left_out
    nothing = compared(over_seeds(A, "a", LOW), [failed(task=A, spec="a", split_seed=s) for s in range(5)])
    assert (nothing.rows, nothing.is_worse) == ((), True)
    assert "every trial that could be compared failed" in sheet_of(nothing).lines[0]
    gone = compared(
        before, over_seeds(A, "a", LOW) + [skipped(task=B, spec="a", split_seed=s) for s in range(5)]
    )
    assert gone.left_out == (f"a on {B}: 5 trials with a result in A only (skipped in B: needs source data)",)
    assert not gone.is_worse


def test_verdicts_are_withheld_where_trials_have_no_value_of_the_metric():
    """Those of the remaining trials may be the easy ones, as after failures."""
    lacking = [record(A, "a", seed, HIGH[seed], metrics={}) if seed > 2 else record(A, "a", seed, HIGH[seed])
               for seed in range(5)]  # fmt: skip
    for found in (compared(over_seeds(A, "a", LOW), lacking), compared(lacking, over_seeds(A, "a", LOW))):
        assert (found.rows[0].verdict, found.overall[0].verdict) == ("withheld", "withheld")
    assert f"a on {A}: 2 trials with a result in B only (no balanced_accuracy in A)" in found.left_out


def test_a_worsening_that_certainly_is_within_the_margin_is_not_one_to_fail_for():
    tiny = [value - 0.004 + each for value, each in zip(LOW, (1e-4, -1e-4, 2e-4, 0, -2e-4), strict=True)]
    for margin, worse in ((0.01, False), (0.001, True)):
        found = compared(over_seeds(A, "a", LOW), over_seeds(A, "a", tiny), margin=margin)
        assert (found.rows[0].verdict, found.is_worse) == ("worse", worse)
    assert (
        "| worse, within the margin |"
        in sheet_of(compared(over_seeds(A, "a", LOW), over_seeds(A, "a", tiny))).markdown()
    )


def test_the_margin_is_that_of_the_metric_unless_another_is_given():
    """Squared calibration errors 0.005 apart are 7 points of confidence apart."""
    errors, codes = [0.0100, 0.0101, 0.0099, 0.0102, 0.0098], {"ece": "results+2"}
    columns = of_records(
        [
            record(A, name, seed, metrics={"ece": value + worse}, metric_codes=codes)
            for name, worse in (("a", 0.0), ("b", 0.005))
            for seed, value in enumerate(errors)
        ],
        ["ece"],
    )
    sides = [side(text, columns, "ece", text) for text in "ab"]
    for given, small in ((None, False), (0.01, True)):
        found = compare_sides(*sides, "ece", given)
        assert (found.rows[0].verdict, found.is_worse) == ("worse", not small)
    assert compare_sides(*sides, "ece").margin == get_metric("ece").margin


def test_a_lower_loss_is_better():
    columns = of_records(over_seeds(A, "a", LOW) + over_seeds(A, "b", HIGH), ["nll"])
    found = compare_sides(*(side(text, columns, "nll", text) for text in "ab"), "nll")
    assert found.rows[0].difference.mean < 0
    assert (found.rows[0].verdict, found.is_worse) == ("better", False)


def test_seconds_are_compared_on_one_device_only():
    before = over_seeds(A, "a", LOW)
    found = compared(before, over_seeds(A, "a", LOW, seconds_fit=3.5, seconds_predict=0.25))
    assert found.rows[0].cost == pytest.approx(3)
    other = compared(before, over_seeds(A, "a", LOW, device="cuda"))
    assert (other.rows[0].cost, other.differing) == (
        None,
        ("device: cpu → cuda; seconds of different devices are not compared",),
    )


def test_influences_are_those_of_the_own_side():
    """Trials of both sides have the same keys."""
    asked = []

    def evidence(letter):
        def read(metric, keys):
            asked.append((letter, tuple(keys)))
            return {key: np.full(3, ord(letter)) for key in keys}

        return Evidence(influences=read)

    from fsbench.report.sides import together

    records = over_seeds(A, "a", LOW)
    pair = [side(x, of_records(records, [METRIC], evidence(x)), METRIC) for x in "AB"]
    columns, _ = together(pair)
    keys = [key.decode() for key in columns.key]
    assert len(set(keys)) == 2 * len(records)
    found = columns.evidence.influences(METRIC, keys)
    assert [int(found[key][0]) for key in keys] == [65] * 5 + [66] * 5
    assert {letter for letter, _ in asked} == {"A", "B"}


def test_columns_of_both_have_all_records():
    first, second = (of_records(over_seeds(task, "a", LOW), [METRIC]) for task in (A, B))
    found = both(first, second, Evidence())
    assert [found.shared[code].task for code in found.code] == [A] * 5 + [B] * 5
    assert found.values[METRIC].tolist() == LOW * 2
    assert [found.fingerprints[place] for place in found.split] == [
        f"{t}/{s}" for t in (A, B) for s in range(5)
    ]
    assert found.only(found.split_seed == 3).values[METRIC].tolist() == [LOW[3]] * 2


def test_nothing_is_said_of_the_devices_and_versions_of_trials_that_all_failed():
    good = over_seeds(A, "focal", LOW)
    bad = [failed(task=A, spec="focal", split_seed=seed) for seed in range(5)]
    assert not any("device" in line or "fsbench" in line for line in compared(good, bad).differing)
    assert any("device" in line for line in compared(good, over_seeds(A, "focal", LOW, device="x")).differing)
