"""`fsbench ablate`: Shapley values and interactions have their laws, and intervals that cover the truth."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import fake_executor
import matplotlib as mpl
import numpy as np
import pytest
from fake_executor import A, B
from hypothesis import given, settings
from hypothesis import strategies as st
from records import failed, over_seeds, record, skipped
from scipy.special import ndtr

from fsbench import Results, runner, stats
from fsbench.errors import ConflictError, SpecError, UnknownName, UsageError
from fsbench.registry import get_registry
from fsbench.report.ablation import ablation
from fsbench.report.ablation_sheet import sheet_of
from fsbench.report.budgets import leaderboards
from fsbench.report.factorial import Factorial, factorial, interaction, shapley
from fsbench.report.rows import OVERALL

NAMES = "abc"
TASKS = ("kshot(digits, k=5)", "kshot(wine, k=5)", "longtail(breast_cancer, ir=20)")


def subsets(count):
    return [frozenset(c) for size in range(count + 1) for c in itertools.combinations(range(count), size)]


def spec(subset):
    return "+".join(NAMES[i] for i in sorted(subset)) or "erm"


ALL = Factorial(tuple(NAMES), {subset: spec(subset) for subset in subsets(3)}, {})


def of(weights, scores):
    return sum(weight * scores[subset] for subset, weight in weights.items())


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 5), st.integers(0, 10_000))
def test_values_and_interactions_are_averages_over_all_orders(count, seed):
    scores = dict(zip(subsets(count), np.random.default_rng(seed).normal(size=2**count), strict=True))
    orders = list(itertools.permutations(range(count)))
    for i in range(count):
        added = [scores[frozenset(o[: o.index(i) + 1])] - scores[frozenset(o[: o.index(i)])] for o in orders]
        assert of(shapley(count, i), scores) == pytest.approx(np.mean(added))
    for i, j in itertools.combinations(range(count), 2):
        # Both components enter together, as one, in all orders of this one and the others.
        both = []
        for order in itertools.permutations([i, *(k for k in range(count) if k not in (i, j))]):
            before = frozenset(order[: order.index(i)])
            both.append(
                scores[before | {i, j}] - scores[before | {i}] - scores[before | {j}] + scores[before]
            )
        assert of(interaction(count, i, j), scores) == pytest.approx(np.mean(both))


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 5), st.integers(0, 10_000))
def test_the_laws_of_shapley_values(count, seed):
    rng = np.random.default_rng(seed)
    scores = dict(zip(subsets(count), rng.normal(size=2**count), strict=True))
    whole = scores[frozenset(range(count))] - scores[frozenset()]
    assert sum(of(shapley(count, i), scores) for i in range(count)) == pytest.approx(whole)
    # A component that changes nothing has no value and no interaction.
    idle = {subset: scores[subset - {0}] for subset in scores}
    assert of(shapley(count, 0), idle) == pytest.approx(0, abs=1e-12)
    assert of(interaction(count, 0, 1), idle) == pytest.approx(0, abs=1e-12)
    # Two components that can be exchanged have the same value.
    swap = {0: 1, 1: 0}
    same = {s: scores[s] + scores[frozenset(swap.get(i, i) for i in s)] for s in scores}
    assert of(shapley(count, 0), same) == pytest.approx(of(shapley(count, 1), same))
    # Where effects add up, they are the values, and there is no interaction.
    gains = rng.normal(size=count)
    sums = {subset: sum(gains[i] for i in subset) for subset in scores}
    assert [of(shapley(count, i), sums) for i in range(count)] == pytest.approx(gains.tolist())
    assert of(interaction(count, 0, 1), sums) == pytest.approx(0, abs=1e-12)


def made(gain, tasks=TASKS, seeds=5, noise=0.01, seed=0):
    """Records of all sums on some tasks; `gain` takes a subset."""
    rng, records = np.random.default_rng(seed), []
    for task in tasks:
        level = 0.6 + rng.normal(0, 0.03, seeds)
        for subset in ALL.specs:
            records += over_seeds(task, spec(subset), level + gain(subset) + rng.normal(0, noise, seeds))
    return records


def ablated(records, **options):
    return ablation(leaderboards(records, **options)[0], ALL)


def value_of(each):
    return each.metrics["balanced_accuracy"]


def additive(subset):
    return 0.08 * (0 in subset) - 0.05 * (1 in subset)


def test_effects_are_those_of_the_records_and_add_up():
    records = made(lambda s: additive(s) + 0.06 * ({0, 1} <= s))
    found = ablated(records)
    by_place = {(r.task, r.spec, r.split_seed): value_of(r) for r in records}
    for task in TASKS:
        values = {s: [by_place[task, spec(s), seed] for seed in range(5)] for s in ALL.specs}
        means = {s: np.mean(each) for s, each in values.items()}
        for i, effect in enumerate(found.contributions):
            (row,) = (row for row in effect.rows if row.task == task)
            assert row.estimate.mean == pytest.approx(of(shapley(3, i), means))
    for task in (*TASKS, OVERALL):
        parts = [row.estimate.mean for each in found.contributions for row in each.rows if row.task == task]
        (gain,) = (row.estimate.mean for row in found.gain.rows if row.task == task)
        assert sum(parts) == pytest.approx(gain)
    values, interactions = (
        {each.components: each.overall for each in effects}
        for effects in (found.contributions, found.interactions)
    )
    assert [each.verdict for each in values.values()] == ["helps", "hurts", "equivalent"]
    assert values[("a",)].estimate.mean == pytest.approx(0.08 + 0.06 / 2, abs=0.01)
    assert interactions["a", "b"].estimate.mean == pytest.approx(0.06, abs=0.015)
    assert interactions["a", "b"].verdict == "helps"
    assert {each.estimate.n for each in values.values()} == {5}


def test_additive_results_have_no_interaction():
    found = ablated(made(additive, noise=0))
    for effect in found.interactions:
        for row in effect.rows:
            assert row.estimate.mean == pytest.approx(0, abs=1e-12)
            assert row.verdict in ("equivalent", "not settled")
    assert [each.overall.estimate.mean for each in found.contributions] == pytest.approx(
        [0.08, -0.05, 0], abs=1e-9
    )


def test_the_contribution_of_the_only_component_that_counts_is_a_difference():
    """With the same numbers as the table: the machinery is the same."""
    records = made(lambda s: 0.05 * (0 in s), tasks=TASKS[:1], noise=0)
    moved = np.random.default_rng(1).normal(0, 0.02, 5)
    records = [
        record(r.task, r.spec, r.split_seed, value_of(r) + moved[r.split_seed] * (r.spec[0] == "a"))
        for r in records
    ]
    (board,) = leaderboards(records)
    (row,) = (row for row in board.overall if row.strategy == "a")
    estimate = ablation(board, ALL).contributions[0].overall.estimate
    assert estimate.mean == pytest.approx(row.difference.mean)
    assert estimate.n == row.difference.n


def test_tasks_without_the_factorial_are_left_out_and_said():
    records = [r for r in made(additive) if not (r.task == TASKS[0] and r.spec == "a+b")]
    records += [skipped(task=TASKS[0], spec="a+b", split_seed=seed) for seed in range(5)]
    found = ablated(records)
    assert found.tasks == TASKS[1:]
    assert {row.task for row in found.contributions[0].rows} == {*TASKS[1:], OVERALL}
    first, second = found.lacking
    assert first == f"no contributions on {TASKS[0]}: there is no trial that all 8 sums did"
    assert second == f"skipped: a+b on {TASKS[0]}: needs source data"
    nothing = ablated([r for r in records if r.task == TASKS[0]])
    assert (nothing.tasks, nothing.contributions[0].rows) == ((), ())
    assert "no task with results of all sums" in sheet_of(nothing).markdown()


def test_verdicts_are_withheld_where_trials_failed():
    records = [r for r in made(additive) if (r.task, r.spec, r.split_seed) != (TASKS[0], "a", 2)]
    records.append(failed(task=TASKS[0], spec="a", split_seed=2))
    found = ablated(records)
    for effect in (*found.contributions, *found.interactions, found.gain):
        verdicts = {row.task: row.verdict for row in effect.rows}
        assert verdicts[TASKS[0]] == verdicts[OVERALL] == "withheld"
        assert verdicts[TASKS[1]] != "withheld"
        assert next(row.estimate.n for row in effect.rows) == 4
    assert any(line.startswith("failed: a, 1 trial") for line in found.lacking)


def test_a_sum_that_failed_in_all_trials_of_a_task_withholds_what_is_over_tasks():
    records = [r for r in made(additive) if (r.task, r.spec) != (TASKS[0], "a+b")]
    lost = [failed(task=TASKS[0], spec="a+b", split_seed=seed) for seed in range(5)]
    found = ablated([*records, *lost])
    assert found.tasks == TASKS[1:]
    for effect in (*found.contributions, *found.interactions, found.gain):
        assert effect.overall.verdict == "withheld"
        assert [row.task for row in effect.rows] == [*TASKS[1:], OVERALL]
        assert all(row.verdict != "withheld" for row in effect.rows[:-1])
    # Of a task that not all sums can run, no failure counts.
    other = [skipped(task=TASKS[0], spec="c", split_seed=seed) for seed in range(5)]
    kept = [r for r in records if (r.task, r.spec) != (TASKS[0], "c")]
    assert ablated([*kept, *lost, *other]).gain.overall.verdict != "withheld"


def test_verdicts_are_withheld_where_trials_have_no_value():
    records = [
        replace(r, metrics={}) if (r.task, r.spec, r.split_seed) == (TASKS[0], "a", 2) else r
        for r in made(additive)
    ]
    for effect in ablated(records).contributions:
        verdicts = {row.task: row.verdict for row in effect.rows}
        assert verdicts[TASKS[0]] == verdicts[OVERALL] == "withheld"
        assert verdicts[TASKS[1]] != "withheld"


@pytest.mark.parametrize(("splits", "most"), [(3, 1.0), (10, 0.985)])
def test_intervals_of_contributions_cover_the_truth(splits, most):
    """Test parts of 80 of 200 samples; all sums err on similar samples, and differ between splits."""
    rng, count, weights = np.random.default_rng(splits), 300, shapley(3, 0)
    levels = {subset: 0.7 + additive(subset) + 0.02 * ({0, 2} <= subset) for subset in ALL.specs}
    truth, factors = of(weights, levels), np.array([weights[subset] for subset in levels])
    inside = 0
    for _ in range(count):
        difficulty = rng.normal(size=200)
        parts = [rng.permutation(200)[:80] for _ in range(splits)]
        own = rng.normal(0, 0.02, (splits, 8, 1))
        noise = 0.6 * rng.normal(size=(splits, 8, 80)) + 0.8 * difficulty[np.stack(parts)][:, None]
        uniform = ndtr(noise)
        right = uniform < np.array(list(levels.values()))[None, :, None] + own
        values, products = right.mean(2) @ factors, stats.Products(8, 200)
        for part, each in zip(parts, right, strict=True):
            products.add(part, (each - each.mean(1, keepdims=True)) / 80)
        (known,) = products.crossed([dict(enumerate(factors))])
        found = stats.estimate(stats.Sample(tuple(values), 1 / 80, known.common, known.own))
        inside += found.low <= truth <= found.high
    assert 0.93 <= inside / count <= most


def test_the_components_are_the_terms_of_a_sum():
    registry = get_registry()
    found = factorial("focal(gamma=1)+augmentation+erm", registry)
    assert found.components == ("focal(gamma=1.0)", "augmentation")
    assert list(found.specs.values()) == [
        "erm",
        "focal(gamma=1.0)",
        "augmentation",
        "focal(gamma=1.0)+augmentation",
    ]
    assert factorial("resampling+focal+svm+knn", registry).conflicts.keys() == {
        frozenset({2, 3}), frozenset({0, 2, 3}), frozenset({1, 2, 3}), frozenset({0, 1, 2, 3})
    }  # fmt: skip
    for text, error, said in (
        ("focal", UsageError, "focal has 1 component besides erm; expected 2 to 5"),
        ("focal(gamma=[1, 2])+augmentation", UsageError, "expected one sum, got 2"),
        ("focal+focal", ConflictError, "named twice"),
        ("imbalance+augmentation", UsageError, "imbalance names .* expected a sum of single ones"),
        ("focal+fokal", UnknownName, "did you mean"),
        ("focal+", SpecError, "cannot read"),
        ("focal+augmentation+resampling+transfer+dann+knn", UsageError, "6 components"),
    ):
        with pytest.raises(error, match=said):
            factorial(text, registry)


@pytest.fixture
def fakes_run(monkeypatch):
    monkeypatch.setattr(
        "fsbench.cli.ablating.run_trials", partial(runner.run, executor=fake_executor.FakeExecutor)
    )
    fake_executor.FakeExecutor.made.clear()


ARGUMENTS = ("focal+augmentation", "--tasks", f"{A}, {B}", "--seeds", "3", "--results", "here")


@pytest.mark.usefixtures("fakes_run")
def test_all_sums_are_run_once(call, tmp_path):
    status, out, err = call("ablate", *ARGUMENTS)
    assert status == 0, err
    assert fake_executor.trials_run() == 2 * 3 * 4
    for words in ("All sums, over tasks", "focal × augmentation", "All components together change"):
        assert words in out
    written = {
        style: call("ablate", *ARGUMENTS, "--format", style)[1]
        for style in ("json", "csv", "markdown", "svg")
    }
    assert fake_executor.trials_run() == 2 * 3 * 4
    found = json.loads(written["json"])
    assert (found["components"], len(found["tasks"]), len(found["factorial"])) == (
        ["focal", "augmentation"],
        2,
        4,
    )
    assert len(written["csv"].splitlines()) == 1 + len(found["effects"]) == 1 + 3 * 4
    overall = {e["components"]: e["value"] for e in found["effects"] if e["task"] == OVERALL}
    assert overall["focal"] + overall["augmentation"] == pytest.approx(overall["focal+augmentation"])
    assert f"| `focal` | {100 * overall['focal']:+.1f}" in written["markdown"]
    assert written["svg"].startswith("<?xml")
    assert "focal × augmentation" in written["svg"]


@pytest.mark.usefixtures("fakes_run")
def test_sums_that_conflict_are_refused_with_their_reason_before_a_run(call):
    status, out, err = call("ablate", "svm+knn", "--tasks", A, "--seeds", "2", "--results", "here")
    assert (status, out) == (2, "")
    assert "svm+knn: svm and knn both own the stage 'fit'" in err
    assert "leave one of them out" in err
    assert not Path("here").exists()
    assert call("ablate", "svm", "--tasks", A)[0] == 2


def test_ablations_in_python():
    records = made(additive)
    with pytest.raises(UnknownName, match="unknown strategy 'a'"):
        Results(tuple(records), Path("nowhere")).ablation("a+b")
    names = {"erm": "erm", "a": "augmentation", "b": "focal", "a+b": "augmentation+focal"}
    records = [record(r.task, names[r.spec], r.split_seed, value_of(r)) for r in records if r.spec in names]
    found = Results(tuple(records), Path("nowhere"))
    frame = found.ablation("augmentation+focal").set_index(["effect", "components", "task"])["value"]
    assert frame["contribution", "focal", OVERALL] == pytest.approx(-0.05, abs=0.02)
    before = mpl.get_backend()
    mpl.use("agg")
    ax = found.plot.ablation("augmentation+focal")
    assert [each.get_text() for each in ax.get_yticklabels()] == [
        "augmentation+focal", "augmentation", "focal", "augmentation × focal"]  # fmt: skip
    mpl.pyplot.close("all")
    mpl.use(before)
    with pytest.raises(UsageError, match=r"no task has results of .* focal\+knn .*there is no trial"):
        found.ablation("focal+knn")
