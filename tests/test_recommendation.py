"""The last lines of a run: what to use, how certain that is, what it costs, what hurts, what is open."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from records import failed, over_seeds, realistic, record, skipped

from fsbench.columns import of_records
from fsbench.metrics import DEFAULT_METRIC
from fsbench.report import text
from fsbench.report.budgets import leaderboards
from fsbench.report.choice import recommended
from fsbench.report.html.answer import answers
from fsbench.report.html.chart import highlighted
from fsbench.report.leaderboard import Leaderboard, leaderboard
from fsbench.report.recommendation import by_topic, recommendation
from fsbench.strategy import USES

A, B = "kshot(digits, k=5)", "kshot(wine, k=5)"
ERM = [0.70, 0.72, 0.68, 0.71, 0.69]


def above(by: float) -> list[float]:
    """Scores that are higher than those of ERM by nearly the same amount on each split."""
    return [value + by + 0.002 * (-1) ** place for place, value in enumerate(ERM)]


def lines(*parts: list) -> list[str]:
    """The recommendation on some records, without the widths of intervals."""
    found = recommendation(leaderboard([record for part in parts for record in part]))
    return [re.sub(r" ± \d+\.\d| \([\d.]+-[\d.]+\)", "", line) for line in found]


def test_the_best_strategy_that_helps_is_recommended_with_its_cost_and_needs():
    found = lines(
        over_seeds(A, "erm", ERM),
        over_seeds(A, "big", above(0.1), seconds_fit=4.75, uses=("pretrained",)),
        over_seeds(A, "small", above(0.09)),
    )
    assert found == [
        "Use big: 80.0 %, +10.0 against erm, which is settled with 5 split seeds. "
        "It uses pretrained weights.",
        "It takes 4.0 times as long as erm, 5.0 s a trial; small helps too, with 79.0 %, and takes as long "
        "as erm.",
        "Helps: big, small.",
    ]


def test_a_strategy_that_was_not_run_on_all_splits_is_recommended_by_its_difference():
    """As where a run until settled goes on with what is open; failures are another matter."""
    part = over_seeds(A, "part", above(0.1))[:4]
    erm, also = over_seeds(A, "erm", ERM), over_seeds(A, "also", above(0.05))
    found = lines(erm, part, also)
    assert found[:2] == [
        "Use part: +10.0 against erm, which is settled with 4 split seeds.",
        "part was not run on all splits, so it has no rank.",
    ]
    assert "Helps: also, part." in found
    board = leaderboard([*erm, *part, *also])
    best = recommended(board)
    assert best is not None
    assert (best.strategy, highlighted(board)) == ("part", "part")
    assert lines(erm, over_seeds(A, "part", above(0.04))[:4], also)[0].startswith("Use also: 75.0 %, +5.0 ")
    assert lines(erm, part, [skipped(task=A, spec="part", split_seed=4)])[0] == (
        "Use erm, plain training, which scores 70.0 %: of the strategies with results on all splits, none is "
        "shown to be better on this data."
    )


def test_a_cheap_strategy_that_is_much_worse_is_not_offered_instead():
    found = lines(
        over_seeds(A, "erm", ERM),
        over_seeds(A, "big", above(0.2), seconds_fit=9.0),
        over_seeds(A, "small", above(0.03)),
    )
    assert found[1] == "It takes 7.4 times as long as erm, 9.2 s a trial."


def test_a_cost_near_nothing_is_not_rounded_to_nothing():
    found = lines(
        over_seeds(A, "erm", ERM, seconds_fit=100.0), over_seeds(A, "quick", above(0.2), seconds_fit=0.1)
    )
    assert found[1].startswith("It takes 0.003 times as long as erm,")
    quicker = over_seeds(A, "quick", above(0.2), seconds_fit=0.0, seconds_predict=0.01)
    found = lines(over_seeds(A, "erm", ERM, seconds_fit=100.0), quicker)
    assert found[1].startswith("It takes less than 0.001 times as long as erm,")


def test_without_a_strategy_that_helps_plain_training_is_recommended():
    wild = [0.9, 0.6, 0.8, 0.65, 0.75]
    found = lines(over_seeds(A, "erm", ERM), over_seeds(A, "wild", wild), over_seeds(A, "bad", above(-0.1)))
    assert found == [
        "Use erm, plain training, which scores 70.0 %: no strategy is shown to be better on this data.",
        "wild has the best score, 74.0 %, but its difference to erm, +4.0, is not settled with 5 split "
        "seeds.",
        "Worse than erm: bad.",
        found[3],
    ]
    assert found[3].startswith("Not settled: 1 of 2 comparisons; `fsbench power`, with the same --results")


def test_a_difference_that_the_correction_leaves_open_is_told_from_its_interval():
    close = [value + by for value, by in zip(ERM, [0.01, 0.075, 0.0, 0.07, 0.045], strict=True)]
    many = [over_seeds(A, f"s{number}", ERM[::-1]) for number in range(10)]
    found = lines(over_seeds(A, "erm", ERM), over_seeds(A, "close", close), *many)
    assert found[1] == (
        "close has the best score, 74.0 %, but its difference to erm, +4.0, is not settled with 5 split "
        "seeds: the interval is for this comparison alone; verdicts are corrected for all comparisons."
    )


def test_the_best_score_is_the_lowest_where_lower_is_better():
    wild = [0.9, 0.6, 0.8, 0.65, 0.75]
    records = [*over_seeds(A, "erm", ERM), *over_seeds(A, "wild", wild)]
    for metric, score in (("balanced_accuracy", "74.0"), ("nll", "1.260")):
        found = recommendation(leaderboard(records, metric))
        assert found[1].startswith(f"wild has the best score, {score}")
    sure = recommendation(leaderboard([*records, *over_seeds(A, "sure", above(0.03))], "nll"))
    assert sure[1].startswith("wild has a better score, 1.260")


def test_an_equal_score_is_not_called_the_best():
    found = lines(over_seeds(A, "erm", ERM), over_seeds(A, "also", ERM))
    assert found[0].startswith("Use erm, plain training")
    assert not any("best" in line for line in found)


def test_a_better_score_that_is_not_settled_is_mentioned():
    wild = [1.0, 0.7, 0.95, 0.75, 0.99]
    found = lines(over_seeds(A, "erm", ERM), over_seeds(A, "sure", above(0.05)), over_seeds(A, "wild", wild))
    assert found[0].startswith("Use sure: ")
    assert found[1] == "wild has a better score, 87.8 %, but its difference to erm is not settled."


def test_a_better_score_that_is_equivalent_is_mentioned_as_such():
    near = [0.69, 0.74, 0.7, 0.71, 0.72]
    records = [*over_seeds(A, "erm", ERM), *over_seeds(A, "sure", above(0.005)), *over_seeds(A, "near", near)]
    found = recommendation(leaderboard(records, margin=0.2))
    assert found[0].startswith("Use sure: ")
    assert found[1].startswith("near has a better score, ")
    assert found[1].endswith("%, but is equivalent to erm.")


def test_strategies_that_hurt_on_the_same_tasks_share_a_sentence():
    found = lines(
        *[over_seeds(task, "erm", ERM) for task in (A, B)],
        *[over_seeds(task, name, above(-0.1)) for task in (A, B) for name in ("bad", "poor")],
        over_seeds(A, "far", above(-0.2), uses=("source",)),
        [skipped(task=B, spec="far", split_seed=seed, uses=("source",)) for seed in range(5)],
    )
    assert f"Worse than erm: bad, poor on {A}, {B}." in found
    assert f"Negative transfer: far uses source data and is worse than erm on {A}." in found
    assert "Hurts on average over tasks: bad, poor." in found


def test_what_is_equivalent_makes_no_difference():
    board = leaderboard([*over_seeds(A, "erm", ERM), *over_seeds(A, "same", above(0.001))])
    rows = tuple(replace(r, verdict="equivalent") if r.strategy == "same" else r for r in board.overall)
    tasks = tuple((label, rows) for label, _ in board.tasks)
    found = recommendation(replace(board, overall=rows, tasks=tasks))
    assert found[0].startswith("Use erm, plain training")
    assert found[1:] == ["Equivalent to erm: same."]


@pytest.mark.parametrize(
    ("board", "line"),
    [
        (leaderboard([]), "No results yet; `fsbench run` produces some."),
        (leaderboard([failed(task=A)]), "No trial has a result."),
        (leaderboard(over_seeds(A, "alone", ERM)), "No recommendation: erm, with which strategies are"),
        (
            leaderboard([*over_seeds(A, "erm", ERM[:2]), failed(task=A, split_seed=2)]),
            "No recommendation: erm failed in 1 of 3 trials, and the others may be the easy ones, so nothing",
        ),
    ],
)
def test_without_results_there_is_no_recommendation(board: Leaderboard, line: str):
    assert recommendation(board)[0].startswith(line)


def test_nothing_is_recommended_where_trials_of_the_baseline_have_no_result():
    ours = over_seeds(A, "good", above(0.1))
    lost = leaderboard([*over_seeds(A, "erm", ERM[:4]), failed(task=A, split_seed=4), *ours])
    assert recommended(lost) is None
    (line, *_) = recommendation(lost)
    assert line.startswith("No recommendation: erm failed in 1 of 5 trials")
    assert "`fsbench run --retry-failed` tries again" in line
    stopped = leaderboard([*over_seeds(A, "erm", ERM[:4]), *ours, *over_seeds(B, "good", ERM)])
    assert recommended(stopped) is None
    assert recommendation(stopped)[0] == (
        "No recommendation: erm, with which strategies are compared, has no result in 6 of 10 trials; "
        "`fsbench run` runs what is missing."
    )
    no_value = leaderboard([*over_seeds(A, "erm", ERM[:4]), record(A, split_seed=4, metrics={}), *ours])
    assert recommended(no_value) is None
    assert recommendation(no_value)[0].endswith(
        "has no balanced accuracy in some of 5 trials; choose another metric with --metric."
    )
    none = recommendation(leaderboard([record(A, metrics={}), *ours]))
    assert none[0].endswith("has no balanced accuracy here; choose another metric with --metric.")


def test_a_page_and_the_index_recommend_nothing_either():
    records = [*over_seeds(A, "erm", ERM[:4]), failed(task=A, split_seed=4)]
    board = leaderboard([*records, *over_seeds(A, "good", above(0.1))])
    (answer,) = answers([board])
    assert answer.headline.startswith("No recommendation: erm failed")
    assert answer.facts == ()
    assert highlighted(board) == "good"


def test_a_realistic_board_gives_a_handful_of_lines_that_fit_a_screen():
    found = recommendation(leaderboard(realistic(seeds=10)))
    assert found[0].startswith("Use augmentation: ")
    assert "on average over 9 tasks" in found[0]
    assert len(found) <= 12
    assert sum(len(line) // 80 + 1 for line in found) <= 24


def test_the_best_baseline_is_compared_with():
    simple = over_seeds(A, "simple", above(0.05), baseline=True)
    better = lines(over_seeds(A, "erm", ERM), simple, over_seeds(A, "good", above(0.1)))
    assert better[1] == "It is also better than the best baseline, simple: +5.0."
    assert "Better than every baseline: good." in better
    alone = lines(over_seeds(A, "erm", ERM), simple)
    assert alone[:2] == [
        "Use simple: 75.0 %, +5.0 against erm, which is settled with 5 split seeds.",
        "simple is one of the baselines of this table.",
    ]
    wild = [0.80, 0.75, 0.76, 0.80, 0.73]
    equal = lines(over_seeds(A, "erm", ERM), simple, over_seeds(A, "wild", wild))
    assert equal[1] == "Its difference to the best baseline, simple, +1.8, is not settled."


def test_the_best_baseline_is_not_named_again_if_it_is_plain_training():
    weak = over_seeds(A, "weak", above(-0.1), baseline=True)
    found = lines(over_seeds(A, "erm", ERM, baseline=True), weak, over_seeds(A, "good", above(0.1)))
    assert found[0].startswith("Use good: 80.0 %, +10.0 against erm")
    assert not any("the best baseline" in line for line in found)


def test_no_two_sentences_disagree_where_plain_training_is_the_best_baseline():
    near = over_seeds(A, "near", [0.76, 0.62, 0.75, 0.66, 0.69], baseline=True)
    found = lines(over_seeds(A, "erm", ERM, baseline=True), near, over_seeds(A, "good", above(0.03)))
    assert found[:2] == [
        "Use good: 73.0 %, +3.0 against erm, which is settled with 5 split seeds.",
        "It is not shown to be better than every baseline.",
    ]


def test_a_recommended_strategy_that_sometimes_collapses_is_called_unstable():
    high = [value + 0.2 for value in ERM] * 4
    board = leaderboard([*over_seeds(A, "erm", ERM * 4), *over_seeds(A, "shaky", [0.72, *high[1:]])])
    found = recommendation(board)
    assert found[0].startswith("Use shaky: ")
    assert found[1].startswith("But shaky is unstable: 1 of 20 scores is ")


def test_advice_about_split_seeds_is_about_what_is_open():
    """A strategy on a single split seed, or one that is settled with few, does not change it."""
    near = [value + (-1) ** place * 0.03 for place, value in enumerate(ERM)]
    given = [*over_seeds(A, "erm", ERM * 4), *over_seeds(A, "open", near * 4)]
    hurts = over_seeds(A, "bad", [value - 0.3 for value in ERM[:3]])
    once = over_seeds(A, "once", [0.9])
    assert "Choose their number now, such as 40 in all" in lines(given, hurts)[-1]
    assert "Choose their number now, such as 40 in all" in lines(given, once)[-1]
    assert "a single split seed cannot settle anything" in lines(over_seeds(A, "erm", ERM), hurts, once)[-1]


def fitting(task: str, accuracy: float | None, spec: str = "erm", tuning: str = "") -> list:
    return [record(task, spec, seed, train_accuracy=accuracy, tuning=tuning) for seed in range(3)]


def test_plain_training_that_does_not_fit_its_training_labels_is_told():
    topics = [by_topic(leaderboard(records)) for records in (
        fitting(A, 0.512), fitting(A, 0.512) + fitting(B, 0.95), fitting(A, 0.7) + fitting(B, 0.6),
    )]  # fmt: skip
    said = [line.partition("; ")[0] for each in topics for line in each["fit"]]
    start, end = "Underfitted: erm is right on only", "% of its own training labels"
    assert said == [
        f"{start} 51.2 {end}",
        f"{start} 51.2 {end} on {A}",
        f"{start} 60.0 {end} on {B}, the lowest of 2 tasks below 80 %",
    ]


@pytest.mark.parametrize(
    "records",
    [fitting(A, 0.8), fitting(A, 0.9) + fitting(A, 0.3, "focal"), fitting(A, None)],
    ids=["fitted", "another strategy", "unknown"],
)
def test_other_fits_are_not_called_underfitted(records):
    assert "fit" not in by_topic(leaderboard(records))


def test_a_tuned_recipe_is_not_called_underfitted():
    (board,) = leaderboards(of_records(fitting(A, 0.3, tuning="tuning(n=4)"), [DEFAULT_METRIC]))
    assert "fit" not in by_topic(board)


def test_the_recommended_row_and_the_topics_agree_with_the_sentences():
    helped = leaderboard([*over_seeds(A, "erm", ERM), *over_seeds(A, "big", above(0.1))])
    assert recommended(helped).strategy == "big"
    assert by_topic(helped)["use"] == recommendation(helped)[:2]
    plain = leaderboard([*over_seeds(A, "erm", ERM), *over_seeds(A, "worse", above(-0.1))])
    assert recommended(plain).strategy == "erm"
    assert [line for lines in by_topic(plain).values() for line in lines] == recommendation(plain)
    assert recommended(leaderboard([failed(spec="erm")])) is None


def test_of_many_strategies_that_hurt_only_the_worst_have_a_sentence_each():
    tasks = [f"kshot(wine, k={k})" for k in range(1, 13)]
    plain = [each for t in tasks for each in over_seeds(t, "erm", above(0))]
    worse = [each for i in range(12) for t in tasks[: i + 1] for each in over_seeds(t, f"s{i}", above(-0.3))]
    found = by_topic(leaderboard([*plain, *worse]))
    hurts = [line for line in found["hurts"] if line.startswith("Worse")]
    assert len(hurts) == 9
    assert hurts[0].startswith("Worse than erm: s11 on 12 tasks")
    assert hurts[-1] == "Worse than erm on some tasks: s3, s2, s1, s0."


def test_what_a_strategy_uses_is_said_in_words():
    assert {text.used([use]) for use in USES} & USES == set()
    assert text.used(["source", "test_inputs"]) == "source data and test inputs"
    uses = ("pretrained", "source", "val")
    found = lines(over_seeds(A, "erm", ERM), over_seeds(A, "fused", above(0.1), uses=uses))
    assert found[0].endswith("It uses pretrained weights, source data and validation labels.")


def test_a_strategy_that_uses_only_the_validation_labels_transfers_nothing():
    worse = over_seeds(A, "stack", above(-0.3), uses=("val",))
    assert "Worse than erm: stack." in lines(over_seeds(A, "erm", above(0)), worse)


def test_without_another_strategy_nothing_was_compared():
    alone = "Nothing was compared with erm, which scores 70.0 %: no other strategy has results here."
    assert lines(over_seeds(A, "erm", ERM)) == [alone]
    missing = [skipped(task=A, spec="far", split_seed=seed) for seed in range(5)]
    assert lines(over_seeds(A, "erm", ERM), missing)[0] == alone


def test_who_helps_on_part_of_the_tasks_does_not_contradict_the_answer():
    third = "kshot(breast_cancer, k=5)"
    found = lines(
        *[over_seeds(task, "erm", ERM) for task in (A, B, third)],
        *[over_seeds(task, "part", above(0.2)) for task in (A, B)],
        [skipped(task=third, spec="part", split_seed=seed) for seed in range(5)],
        *[over_seeds(task, "poor", above(-0.1)) for task in (A, B, third)],
    )
    assert found[0] == (
        "Use erm, plain training, which scores 70.0 %: of the strategies with results on all 3 tasks, none "
        "is shown to be better on average."
    )
    assert "Helps on average over tasks: part (on its 2 tasks)." in found
