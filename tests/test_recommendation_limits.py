"""Where each sentence of a recommendation begins and ends to be said."""

from __future__ import annotations

from dataclasses import replace

import pytest
from records import over_seeds, skipped

from fsbench.report.leaderboard import Leaderboard, leaderboard
from fsbench.report.recommendation import by_topic, recommendation
from fsbench.report.rows import Saved

A, B, C = "kshot(digits, k=5)", "kshot(wine, k=5)", "kshot(breast_cancer, k=5)"
ERM = [0.70, 0.72, 0.68, 0.71, 0.69]


def above(by: float, seeds: int = 5) -> list[float]:
    """Scores that are higher than those of ERM by nearly the same amount on each split."""
    return [value + by + 0.002 * (-1) ** place for place, value in enumerate(ERM[:seeds])]


def said(*parts: list) -> list[str]:
    return recommendation(leaderboard([record for part in parts for record in part]))


def with_saved(**fields) -> Leaderboard:
    """A board whose recommended strategy saves labels."""
    board = leaderboard([*over_seeds(A, "erm", ERM), *over_seeds(A, "big", above(0.1))])
    rows = [replace(r, saved=Saved(**fields) if r.strategy == "big" else None) for r in board.overall]
    return replace(board, overall=tuple(rows))


def test_a_score_that_looks_like_that_of_plain_training_is_not_called_the_best():
    """The same mean, of other splits each."""
    found = said(over_seeds(A, "erm", ERM), over_seeds(A, "also", [0.72, 0.68, 0.7, 0.691, 0.71]))
    assert found[0].startswith("Use erm, plain training, which scores 70.0 ")
    assert found[1].startswith("Not settled: 1 of 1 comparison")


def test_a_score_that_looks_like_that_of_the_recommended_strategy_is_not_called_better():
    near = [0.86, 0.68, 0.81, 0.7, 0.7022]
    found = said(over_seeds(A, "erm", ERM), over_seeds(A, "sure", above(0.05)), over_seeds(A, "near", near))
    assert found[0].startswith("Use sure: 75.0 ")
    assert not any("near has a better score" in line for line in found)
    near[4] += 0.02
    found = said(over_seeds(A, "erm", ERM), over_seeds(A, "sure", above(0.05)), over_seeds(A, "near", near))
    assert found[1].startswith("near has a better score, 75.4 ")


def test_a_strategy_without_a_rank_is_not_compared_by_its_score():
    part = over_seeds(A, "part", above(0.1))[:4]
    found = said(over_seeds(A, "erm", ERM), part, over_seeds(A, "also", above(0.05)))
    assert found[0].startswith("Use part: ")
    assert not any("has a better score" in line for line in found)


@pytest.mark.parametrize(("seconds", "offered"), [(2.1, True), (2.9, False)])
def test_a_strategy_is_offered_instead_at_half_the_cost(seconds, offered):
    """Five seconds a trial are twice 2.5."""
    found = said(
        over_seeds(A, "erm", ERM),
        over_seeds(A, "big", above(0.1), seconds_fit=4.75),
        over_seeds(A, "small", above(0.09), seconds_fit=seconds),
    )
    assert ("small helps too" in found[1]) == offered


def test_two_intervals_are_near_if_they_meet():
    """Each alone is shorter than the distance of the scores."""
    plain = over_seeds(A, "erm", ERM, seconds_fit=9.0)
    big = over_seeds(A, "big", above(0.10), seconds_fit=9.0)
    board = leaderboard([*plain, *big])
    (half,) = [row.score.half_width for row in board.overall if row.strategy == "big"]
    for distance, offered in ((1.6 * half, True), (2.4 * half, False)):
        found = said(plain, big, over_seeds(A, "small", above(0.10 - distance)))
        assert ("small helps too" in found[1]) == offered


def test_the_split_seeds_of_a_strategy_without_a_rank_are_those_of_its_smallest_task():
    plain = [each for task in (A, B) for each in over_seeds(task, "erm", ERM)]
    part = [*over_seeds(A, "part", above(0.1, 4)), *over_seeds(B, "part", above(0.1, 3))]
    assert said(plain, part)[0].endswith("which is settled with 3 split seeds.")


@pytest.mark.parametrize(
    ("fields", "more"),
    [
        ({"times": 2.0}, "about 2.0 times"),
        ({"times": 2.0, "beyond": "above"}, "more than 2.0 times"),
        ({"times": 2.0, "beyond": "below"}, None),
        ({"times": 2.0, "beyond": "both"}, None),
        ({"times": 2.0, "ends_beyond": "both"}, None),
        ({"times": 1.0}, None),
        ({"times": 0.5}, None),
    ],
)
def test_labels_are_saved_where_that_is_known(fields, more):
    found = [line for line in recommendation(with_saved(low=None, high=None, **fields)) if "labels" in line]
    assert [more in line for line in found] == [True] * bool(more)


def test_a_single_strategy_that_helps_is_not_listed_again():
    one, two = over_seeds(A, "big", above(0.1)), over_seeds(A, "small", above(0.05))
    assert "helps" not in by_topic(leaderboard([*over_seeds(A, "erm", ERM), *one]))
    assert by_topic(leaderboard([*over_seeds(A, "erm", ERM), *one, *two]))["helps"] == ["Helps: big, small."]


def test_one_task_has_no_average():
    plain = [each for task in (A, B) for each in over_seeds(task, "erm", ERM)]
    only = [skipped(task=B, spec="only", split_seed=seed) for seed in range(5)]
    found = by_topic(leaderboard([*plain, *over_seeds(A, "only", above(0.1)), *only]))
    assert found["helps"] == ["Helps on single tasks: only on 1 of 1 tasks."]


def test_one_task_has_no_average_over_baselines_either():
    plain = [r for task in (A, B) for r in over_seeds(task, "erm", ERM)]
    svm = [r for task in (A, B) for r in over_seeds(task, "svm", above(0.05), baseline=True)]
    only = [skipped(task=B, spec="only", split_seed=seed) for seed in range(5)]
    board = leaderboard([*plain, *svm, *over_seeds(A, "only", above(0.1)), *only])
    assert [r.against.verdict for r in board.overall if r.strategy == "only"] == ["better"]
    assert not any("only" in line for line in by_topic(board).get("baselines", []))


def test_all_tasks_are_named_only_where_a_baseline_lacks_some():
    plain = [r for task in (A, B) for r in over_seeds(task, "erm", ERM)]
    good = [r for task in (A, B) for r in over_seeds(task, "good", above(0.2))]
    svm = [over_seeds(task, "svm", above(0.05), baseline=True) for task in (A, B)]
    whole = by_topic(leaderboard([*plain, *good, *svm[0], *svm[1]]))["baselines"]
    assert whole == ["Better than every baseline on average over tasks: good."]
    skips = [skipped(task=B, spec="boost", split_seed=seed, baseline=True) for seed in range(5)]
    boost = [*over_seeds(A, "boost", above(0.05), baseline=True), *skips]
    part = by_topic(leaderboard([*plain, *good, *svm[0], *svm[1], *boost]))["baselines"]
    assert part == ["Better on average over tasks than every baseline with results on all of them: good."]


def test_the_strategy_that_helps_on_most_tasks_comes_first():
    tasks = (A, B, C)
    plain = [r for task in tasks for r in over_seeds(task, "erm", ERM)]
    once = [r for task in tasks for r in over_seeds(task, "once", above(0.3 if task == A else 0.0))]
    often = [r for task in tasks for r in over_seeds(task, "often", above(0.1))]
    found = by_topic(leaderboard([*plain, *once, *often]))["helps"]
    assert found[0] == "Helps on single tasks: often on 3 of 3 tasks, once on 1 of 3 tasks."


@pytest.mark.parametrize(("number", "lines"), [(9, 9), (10, 9)])
def test_a_single_sentence_is_not_left_out(number, lines):
    tasks = [f"kshot(wine, k={k})" for k in range(1, number + 1)]
    plain = [each for t in tasks for each in over_seeds(t, "erm", above(0))]
    worse = [r for i in range(number) for t in tasks[: i + 1] for r in over_seeds(t, f"s{i}", above(-0.3))]
    found = [each for each in by_topic(leaderboard([*plain, *worse]))["hurts"] if each.startswith("Worse")]
    assert len(found) == lines
    assert any("on some tasks" in line for line in found) == (number > 9)


def test_a_difference_within_the_interval_needs_no_explanation():
    wild = [0.9, 0.6, 0.8, 0.65, 0.75]
    found = said(over_seeds(A, "erm", ERM), over_seeds(A, "wild", wild))
    assert found[1].endswith("is not settled with 5 split seeds.")


def test_a_better_score_that_hurts_or_helps_is_no_matter_of_settling():
    """On average over tasks, plain training is first, and what is equivalent has a better score."""
    board = leaderboard([*over_seeds(A, "erm", ERM), *over_seeds(A, "near", above(0.003))], margin=0.2)
    rows = tuple(replace(r, verdict="equivalent") if r.strategy == "near" else r for r in board.overall)
    found = recommendation(replace(board, overall=rows))
    assert found[0].startswith("Use erm")
    assert not any("best score" in line for line in found)
