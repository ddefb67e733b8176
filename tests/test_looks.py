"""Looks at results that are still being collected: their rule, and the tables that show them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from fake_executor import A, B
from records import failed, look, over_seeds

from fsbench import stats
from fsbench.columns import of_records
from fsbench.composition import BASELINE
from fsbench.evidence import Evidence
from fsbench.looks import ERROR, Look, adjusted, spent, summed_up
from fsbench.report import text
from fsbench.report.choice import recommended
from fsbench.report.leaderboard import leaderboard
from fsbench.report.looking import look_at, still_open, with_looks
from fsbench.report.power import looked_board, needs
from fsbench.report.recommendation import recommendation
from fsbench.store import Store
from fsbench.store_file import FILE_NAME


def test_all_looks_together_spend_half_of_five_percent():
    assert sum(spent(number) for number in range(1, 60)) == pytest.approx(ERROR / 2)
    assert adjusted(0.001, 1, 10) == pytest.approx(0.04)
    assert adjusted(0.001, 2, 10) == pytest.approx(0.08)
    assert adjusted(0.4, 3, 10) == 1.0


def test_looks_sum_up_to_the_first_verdict_and_the_smallest_p():
    looks = [look(2, a=(0.01, "helps"), b=(0.5, "not settled")), look(1, a=(0.3, "not settled")),
             look(3, b=(0.7, "not settled"))]  # fmt: skip
    assert summed_up(looks) == {("t", "r", "a"): (0.01, "helps"), ("t", "r", "b"): (0.5, "not settled")}
    assert still_open(looks) == {("t", "r", "b")}
    assert Look.from_json(looks[0].to_json()) == looks[0]
    later = look(3, a=(0.2, "not settled"))
    assert summed_up([*looks, later])["t", "r", "a"] == (0.01, "helps")


def test_looks_are_stored_and_older_stores_have_none(tmp_path):
    with Store(tmp_path) as store:
        store.add_look(look(1, a=(0.3, "not settled")))
        store.add_look(look(2, a=(0.01, "helps")))
        assert store.looks() == [look(1, a=(0.3, "not settled")), look(2, a=(0.01, "helps"))]
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as db, db:
        db.execute("DROP TABLE looks")
        db.execute("PRAGMA user_version = 2")
    with Store(tmp_path) as store:
        assert store.looks() == []
        store.add_look(look(1))
        assert store.looks() == [look(1)]


def table(rng, rows, seeds, deviations, mean):
    values = mean + deviations[:, None] * rng.normal(size=(rows, seeds))
    return [tuple(each) for each in values.tolist()]


def verdicts(values, spending, margin=0.01, first=5, looks=4) -> list[str]:
    """The verdicts of a table whose open rows get twice the seeds at each look."""
    words = {}
    rows = len(values)
    seeds = dict.fromkeys(range(rows), first)
    for number in range(1, looks + 1):
        seeds |= {row: first * 2 ** (number - 1) for row in range(rows) if row not in words}
        samples = [stats.Sample(values[row][: seeds[row]], resolution=0.001) for row in range(rows)]
        prior = stats.fit_prior(samples)
        found = [stats.estimate(each, prior) for each in samples]
        corrected = stats.holm([each.p for each in found])
        for row in set(range(rows)) - words.keys():
            p, equal = corrected[row], 1.0
            if spending:
                p = adjusted(found[row].p, number, rows)
                equal = adjusted(stats.equivalence(found[row], margin), number, rows)
            if (word := stats.verdict(found[row].mean, p, True, equal)) != "not settled":
                words[row] = word
    return list(words.values())


@pytest.mark.slow
@pytest.mark.parametrize("first", [3, 5, 10])
def test_the_error_of_all_looks_stays_below_five_percent(first):
    """No row differs, or all differ by exactly the margin; a Holm correction at each look errs far more."""
    rng, false, false_equal, naive, tables = np.random.default_rng(first), 0, 0, 0, 250
    for _ in range(tables):
        deviations = 0.02 * np.exp(rng.normal(0, 0.5, 8))
        same = table(rng, 8, first * 8, deviations, 0.0)
        false += bool({"helps", "hurts"} & set(verdicts(same, True, first=first)))
        naive += bool(verdicts(same, False, first=first))
        apart = [tuple(np.array(row) + 0.01) for row in same]
        false_equal += "equivalent" in verdicts(apart, True, first=first)
    assert false / tables <= 0.05
    assert false_equal / tables <= 0.05
    assert naive / tables > 0.08


def test_effects_are_settled_at_the_first_look_that_can():
    rng = np.random.default_rng(0)
    found = verdicts(table(rng, 6, 40, np.full(6, 0.02), 0.03), True)
    assert found == ["helps"] * 6


C = "kshot(digits, k=5)"


BETTER = np.array([0.32, 0.30, 0.31, 0.31])


def of_strategy(spec, gains):
    """Records of a strategy whose gains over `erm` on three tasks are given."""
    noise = 0.01 * np.array([1, -1, 0.5, -0.5, 0.8, -0.8, 0.2, -0.2])
    for task, gain in zip((A, B, C), gains, strict=True):
        yield from over_seeds(task, spec, 0.5 + gain + (noise if spec == BASELINE else noise[::-1]))


PLAIN = list(of_strategy("erm", (0, 0, 0)))


def test_means_are_judged_only_over_all_tasks():
    """Tasks that remain open are chosen by results, so their mean is not that of all."""
    first = look_at(leaderboard([*PLAIN, *of_strategy("focal", (0.03, -0.008, -0.008))]), (), 8)
    words = {task: word for (task, *_), (_, word) in first.found.items()}
    assert words == {A: "helps", B: "not settled", C: "not settled", "overall": "not settled"}
    whole = [*PLAIN, *of_strategy("focal", (0.3, -0.2, -0.2))]
    second = look_at(leaderboard([each for each in whole if each.task != A]), (first,), 8)
    assert {task for task, *_ in second.found} == {B, C}
    assert {task for task, *_ in second.against} <= {B, C}
    assert "overall" in {task for task, *_ in look_at(leaderboard(whole), (first,), 8).found}


def test_a_look_counts_the_comparisons_that_a_table_counts():
    records = [
        *over_seeds(A, "svm", [0.6] * 8, baseline=True),
        *PLAIN,
        *of_strategy("focal", (0.3, 0.3, 0.3)),
    ]
    records += [failed(task=task, spec="mixup", split_seed=s) for task in (A, B) for s in range(8)]
    board = leaderboard(records)
    first = look_at(board, (), 8)
    assert (first.comparisons, board.comparisons) == (6, 6)
    key = next(key for key in first.against if key[0] == A)
    claimed = next(row for row in dict(board.tasks)[A] if row.strategy == "focal").against.claimed
    assert first.against[key][0] == adjusted(claimed[0], 1, 5)


def test_what_no_look_judged_has_no_verdict():
    records = [*PLAIN, *of_strategy("focal", (0.3, 0.3, 0.3))]
    first = look_at(leaderboard(records), (), 8)
    board = with_looks(leaderboard([*records, *of_strategy("mixup", (0.2, 0.2, 0.2))]), [first])
    rows = [row for row in board.rows if row.strategy == "mixup"]
    assert {(row.verdict, row.p) for row in rows} == {("withheld: no look", None)}
    assert {row.verdict for row in board.rows if row.strategy == "focal"} == {"helps"}


def test_looks_do_not_claim_what_the_difference_to_erm_leaves_open():
    base, noise = np.array([0.5, 0.51, 0.49, 0.52, 0.5]), 0.004 * np.array([-1, 1, 0, 0.5, -0.5])
    records = over_seeds(A, "erm", base, baseline=True) + over_seeds(A, "focal", base + 0.008 + noise)
    for worse in ("svm", "knn", "forest", "logreg"):
        records += over_seeds(A, worse, base - 0.2 + noise[::-1], baseline=True)
    board = leaderboard(records)
    found = look_at(board, (), 5)
    (word,) = {word for (*_, spec), (_, word) in found.found.items() if spec == "focal"}
    ((p, against),) = found.against.values()
    assert (word, against, p < ERROR) == ("not settled", "not settled", True)


def compared(records, looks=(), **options):
    """The comparison of `focal` with the baselines on a table that shows looks."""
    board = with_looks(leaderboard(records, **options), looks)
    ((_, rows),) = board.tasks
    return board, {row.strategy: row.against for row in rows}["focal"]


def test_looks_judge_the_comparison_with_the_baselines_once():
    base = np.array([0.5, 0.6, 0.55, 0.52])
    records = over_seeds(A, "erm", base, baseline=True) + over_seeds(A, "svm", base + 0.02, baseline=True)
    records += over_seeds(A, "knn", base - 0.1, baseline=True)
    clear = records + over_seeds(A, "focal", base + BETTER)
    board, before = compared(clear)
    first = look_at(board, (), 4)
    (key,) = first.against
    assert first.baselines == board.rivals
    assert first.against[key] == (adjusted(before.claimed[0], 1, 1), "better")
    assert Look.from_json(first.to_json()) == first
    later, shown = compared([*records, *over_seeds(A, "focal", base - 0.3)], [first])
    assert (shown.p, shown.verdict) == (first.against[key][0], "better")
    assert look_at(later, (first,), 4).against == {}
    assert look_at(leaderboard(clear), (), 8).against == {}


def test_a_table_with_other_baselines_than_the_looks_says_so():
    base = np.array([0.5, 0.6, 0.55, 0.52])
    records = over_seeds(A, "erm", base) + over_seeds(A, "svm", base + 0.02, baseline=True)
    records += over_seeds(A, "knn", base - 0.1) + over_seeds(A, "focal", base + BETTER)
    first = look_at(leaderboard(records), (), 4)
    board, shown = compared(records, [first], baseline="knn")
    assert (shown.verdict, shown.p) == ("withheld", None)
    assert "no look judged the difference to knn, which has no verdict" in " ".join(board.warnings)
    board, shown = compared(records, [first])
    assert shown.verdict == "better"
    assert "no look judged" not in " ".join(board.warnings)


def verdicts_of(board):
    return {row.strategy: row.verdict for _, rows in board.tasks for row in rows}


def test_a_table_has_the_margin_of_the_looks_whose_verdicts_it_shows():
    """Two points more are equivalent with a margin of five points; with one, they are not."""
    base, spread = np.full(10, 0.7), np.tile([-0.025, 0.025], 5)
    records = over_seeds(A, "erm", base) + over_seeds(A, "focal", base + 0.02 + spread)
    first = look_at(leaderboard(records, margin=0.05), (), 10)
    board = with_looks(leaderboard(records), [first])
    assert verdicts_of(board)["focal"] == "equivalent"
    assert board.margin == 0.05
    assert "significantly within 5 points" in text.legend(board)["verdict"]
    assert "with a margin of 5 points" in board.warnings[-1]


def test_a_table_by_another_metric_than_the_looks_has_no_verdicts():
    base = np.array([0.5, 0.6, 0.55, 0.52])
    records = over_seeds(A, "erm", base, baseline=True) + over_seeds(A, "svm", base + 0.02, baseline=True)
    records += over_seeds(A, "focal", base + BETTER)
    first = look_at(leaderboard(records), (), 4)
    plain, board = leaderboard(records, "nll"), with_looks(leaderboard(records, "nll"), [first])
    assert verdicts_of(plain)["focal"] == "helps"
    assert verdicts_of(board) == {"erm": "baseline", "svm": "withheld: no look", "focal": "withheld: no look"}
    rows = [row for row in board.rows if row.strategy == "focal"]
    assert {(row.p, row.verdict, row.against.p, row.against.verdict) for row in rows} == {
        (None, "withheld: no look", None, "withheld")
    }
    assert [row.difference for row in rows] == [r.difference for r in plain.rows if r.strategy == "focal"]
    assert "no verdicts: --until-settled looked at balanced_accuracy" in board.warnings[-1]
    assert recommended(board) is None
    assert recommendation(board)[0].startswith(
        "No recommendation: every verdict on a difference to erm is withheld"
    )


def test_what_is_open_by_the_looks_is_what_power_is_about():
    base = np.array([0.5, 0.6, 0.55, 0.52])
    records = over_seeds(A, "erm", base) + over_seeds(A, "focal", base + BETTER)
    evidence = Evidence(looks=(replace(look(1), metric="balanced_accuracy"),))
    plain, looked = (of_records(records, ["balanced_accuracy"], each) for each in (Evidence(), evidence))
    assert needs(looked_board(plain, "balanced_accuracy")) == []
    (need,) = needs(looked_board(looked, "balanced_accuracy"))
    assert need.strategy == "focal"
