"""How many more split seeds would settle a comparison: promises that simulations keep."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from records import over_seeds, record

from fsbench import stats
from fsbench.cli import main
from fsbench.columns import of_records
from fsbench.report.power import looked_board, needs, said
from fsbench.stats import NO_PRIOR, Sample, splits_needed
from fsbench.store import Store

A, B = "kshot(digits, k=5)", "kshot(wine, k=5)"
LEVELS = (0.05 / 4, 0.05 / 4)


def shaped(n: int, mean: float, deviation: float, **more) -> Sample:
    """A sample of exactly this mean and standard deviation."""
    values = np.random.default_rng(0).normal(size=n)
    values = (values - values.mean()) / values.std(ddof=1) * deviation + mean
    return Sample(tuple(values.tolist()), **more)


@pytest.mark.parametrize(("mean", "margin"), [(0.02, 0.01), (0.01, 0.001), (0.0, 0.01), (0.002, 0.01)])
def test_the_promised_number_settles_four_of_five(mean, margin):
    needed = splits_needed(shaped(5, mean, 0.02), NO_PRIOR, LEVELS, margin)
    rng, settled, repeats = np.random.default_rng(1), 0, 400
    for _ in range(repeats):
        found = stats.estimate(Sample(tuple(rng.normal(mean, 0.02, needed).tolist())))
        settled += found.p <= LEVELS[0] or stats.equivalence(found, margin) <= LEVELS[1]
    assert 0.73 < settled / repeats < 0.93


def test_larger_differences_need_fewer_splits_and_common_test_samples_limit_them():
    def needed(mean, **more):
        return splits_needed(shaped(5, mean, 0.02, **more), NO_PRIOR, LEVELS, 1e-6)

    assert needed(0.04) < needed(0.02) < needed(0.01)
    assert needed(0.02, common=1e-5, own=1e-5) > needed(0.02, common=0.0, own=1e-5)
    assert needed(0.02, common=1e-4, own=1e-4) is None
    assert needed(0.01, own=1e-6, shared=0.9) is None
    assert needed(0.0) is None
    assert splits_needed(Sample((0.1,)), NO_PRIOR, LEVELS, 0.01) is None


def records() -> list:
    rng = np.random.default_rng(0)
    base = 0.7 + 0.01 * rng.normal(size=6)
    found = over_seeds(A, "erm", base) + over_seeds(B, "erm", base)
    found += over_seeds(A, "close", base + 0.006 + 0.01 * rng.normal(size=6))
    found += over_seeds(A, "clear", base + 0.2) + over_seeds(B, "once", [0.7])
    found += over_seeds(B, "broken", base[:5] + 0.01 * rng.normal(size=5))
    return [
        *found,
        record(B, "broken", 5, status="failed", reason={"kind": "Crash", "message": "m"}, metrics={}),
    ]


def test_needs_are_about_open_comparisons_and_say_why_they_promise_nothing():
    board = looked_board(of_records(records(), ["balanced_accuracy"]), "balanced_accuracy")
    found = {(need.task, need.strategy): need for need in needs(board)}
    assert (A, "clear") not in found
    assert found[A, "close"].more > 0
    assert found[B, "once"].more is None
    assert found[B, "once"].reason == "one split seed says nothing about the spread"
    assert found[B, "broken"].reason == "withheld: 1 failed"
    lines = " ".join(said(list(found.values()), board))
    assert f"at most {found[A, 'close'].more} more split seeds" in lines
    assert "2 cannot be promised" in lines
    assert list(said([], board)) == ["All comparisons are settled."]


@pytest.mark.parametrize(
    ("spec", "metric", "why"),
    [
        ("erm", "balanced_accuracy", "only erm has results"),
        ("focal", "balanced_accuracy", "erm, with which strategies are compared, has no result here"),
        ("erm", "ece", "erm, with which strategies are compared, has no squared calibration error here"),
    ],
)
def test_where_nothing_can_be_compared_nothing_is_said_to_be_settled(spec, metric, why):
    board = looked_board(of_records(over_seeds(A, spec, [0.5, 0.6, 0.7]), [metric]), metric)
    (line, *_) = said(needs(board), board)
    assert line.startswith(f"There is nothing to settle: {why}")


def test_the_command_prints_a_table_for_each_task(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with Store(tmp_path) as store:
        store.commit_all(records())
    assert main(["power", "--results", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert [shown.count(task) for task in (A, B)] == [1, 1]
    assert "close" in shown
    assert "withheld: 1 failed" in " ".join(shown.split())
    assert "clear" not in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert main(["power", "--results", str(tmp_path), "--tasks", A]) == 0
    assert "broken" not in capsys.readouterr().out


def test_without_results_nothing_is_said_to_be_settled(tmp_path, capsys):
    Store(tmp_path / "empty").close()
    assert main(["power", "--results", str(tmp_path / "empty")]) == 0
    assert capsys.readouterr().out == "No results yet; `fsbench run` produces some.\n"
    with Store(tmp_path / "tuned") as store:
        store.commit_all(over_seeds(A, "erm", [0.5, 0.6], tuning="n=4"))
    assert main(["power", "--results", str(tmp_path / "tuned")]) == 0
    assert capsys.readouterr().out.startswith("Tuned results are left out")


def test_the_promise_has_the_degrees_of_freedom_of_so_many_splits():
    """Against the power of a t test, computed here, for a difference whose spread is its own."""
    level, deviation = 0.01, 0.02

    def power(n, mean):
        limit = scipy.stats.t.ppf(1 - level / 2, n - 1)
        return scipy.stats.t.cdf(mean / (deviation / n**0.5) - limit, n - 1)

    for mean in (0.02, 0.03, 0.04):
        found = splits_needed(shaped(3, mean, deviation), NO_PRIOR, (level, 1e-9), 1e-6)
        assert found == next(n for n in range(4, 100) if power(n, mean) >= 0.8)
