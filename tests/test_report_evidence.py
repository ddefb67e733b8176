"""What a leaderboard makes of evidence: common samples of splits, equal splits, and noise of training."""

from __future__ import annotations

import numpy as np
import pytest
from made_evidence import METRIC, Made, decisions, disjoint
from records import over_seeds, write_jsonl

from fsbench.columns import of_records
from fsbench.report.budgets import leaderboards
from fsbench.report.leaderboard import Leaderboard, Row, leaderboard
from fsbench.report.looking import look_at, with_looks
from fsbench.report.published import read_columns
from fsbench.report.recommendation import by_topic
from fsbench.runner import run
from fsbench.stats import Sample, crossed, estimate

A, B = "kshot(digits, k=5)", "shift(mnist5k(size=8), digits)"


def on(board: Leaderboard, task: str, strategy: str) -> Row:
    return next(row for row in dict(board.tasks)[task] if row.strategy == strategy)


def test_an_interval_has_the_variance_of_splits_crossed_with_test_samples():
    made, hits = Made(), {"erm": decisions(4), "focal": decisions(4, seed=1, level=0.9)}
    test = np.arange(100)
    made.task(A, [test] * 4, disjoint(4, 10, 1000), hits)
    row = on(made.board, A, "focal")
    gained = hits["focal"].astype(float) - hits["erm"]
    values = gained.mean(1)
    centred = gained.copy()
    for label in (0, 1):
        centred[:, test % 2 == label] -= gained[:, test % 2 == label].mean(1, keepdims=True)
    parts = crossed([test] * 4, list(centred / 98))
    common = max(parts.common, 0.01**2)  # at least one decision, as all splits test the same samples
    expected = estimate(Sample(tuple(values), 0.01, common, parts.own))
    assert (row.difference.mean, row.difference.error) == pytest.approx(
        (values.mean(), expected.error), rel=1e-3
    )
    assert not any("leave out" in line for line in made.board.warnings)


def test_common_samples_widen_intervals_and_samples_of_their_own_do_not():
    """Decisions that depend on the sample only."""
    widths, right = [], {"erm": decisions(1, 500, 2)[0], "focal": decisions(1, 500, 3)[0]}
    for tests in ([np.arange(100)] * 5, disjoint(5, 100)):
        made = Made()
        made.task(A, tests, disjoint(5, 10, 1000), {s: [hit[t] for t in tests] for s, hit in right.items()})
        widths.append(on(made.board, A, "focal").difference)
    same, own = widths
    assert same.error > 1.5 * own.error
    assert own.error == pytest.approx(0.057 / 5**0.5, rel=0.4)  # independent test parts


@pytest.mark.parametrize(
    ("levels", "more", "after_a_look"),
    [
        ([], "more data, not more seeds, would settle them.", ""),
        ([0.5, 0.5, 0.5, 0.9, 0.9], "more data, not more seeds, would settle 2 of them.", ""),
        (
            [0.1, 0.3, 0.5, 0.7, 0.9],
            "`fsbench power`, with the same --results, says how many more",
            "the command with --until-settled continues with the next look, on more split seeds.",
        ),
    ],
)
def test_the_answer_names_no_number_of_seeds_where_none_would_do(
    levels: list[float], more: str, after_a_look: str
) -> None:
    made, test = Made(), np.arange(100)
    hits = {name: [decisions(1, seed=seed)[0]] * 5 for seed, name in enumerate(("erm", "focal", "mixup"), 2)}
    if levels:
        hits["wild"] = [decisions(1, level=level)[0] for level in levels]
    made.task(A, [test] * 5, disjoint(5, 10, 1000), hits)
    (said,) = by_topic(made.board)["open"]
    still = len(hits) - 1
    assert said.startswith(f"Not settled: {still} of {still} comparisons; {more}")
    assert ("Choose their number" in said) is ("power" in more)
    looked = with_looks(made.board, [look_at(made.board, (), 5)])
    (said,) = by_topic(looked)["open"]
    assert said == f"Not settled: {still} of {still} comparisons; {after_a_look or more}"


def test_after_a_search_nothing_says_how_many_seeds_or_samples_would_do():
    made, test = Made(), np.arange(100)
    hits = {name: [decisions(1, seed=seed)[0]] * 5 for seed, name in enumerate(("erm", "focal"), 2)}
    made.task(A, [test] * 5, disjoint(5, 10, 1000), hits, tuning="tuning(n=4)")
    (board,) = leaderboards(of_records(made.records, [METRIC], made.evidence))
    (said,) = by_topic(board)["open"]
    assert said.startswith("Not settled: 1 of 1 comparison; more split seeds may settle them. Choose their ")


def test_where_all_splits_train_on_the_same_samples_there_is_no_verdict():
    made = Made()
    better = {"erm": decisions(5, level=0.5), "focal": decisions(5, seed=1, level=0.99)}
    made.task(A, [np.arange(100)] * 5, [np.arange(1000, 1010)] * 5, better)
    made.task("kshot(wine, k=5)", [np.arange(100)] * 5, disjoint(5, 10, 1000), better, ("wine",))
    board = made.board
    assert on(board, A, "focal").verdict == "withheld: equal splits"
    assert on(board, "kshot(wine, k=5)", "focal").verdict == "helps"
    assert [r.verdict for r in board.overall if r.strategy == "focal"] == ["withheld: equal splits of 1 task"]
    mean = next(r.difference for r in board.overall if r.strategy == "focal")
    # That of 500 decisions, half of which are right, is 1.96 * sqrt(0.25 / 500), about 0.044.
    assert 0.044 < on(board, A, "focal").difference.half_width < 0.1
    assert 0.02 < mean.half_width < 0.1
    assert any(line.startswith(f"training noise only: every split of {A}") for line in board.warnings)


def test_the_same_samples_in_two_tasks_count_once():
    """Another size of the images and another place among the datasets do not make other samples."""

    def error(datasets, place, shift):
        made, right = Made(), {"erm": decisions(1, 200, 4)[0], "focal": decisions(1, 200, 5)[0]}
        hits = {spec: [hit[:100]] * 4 for spec, hit in right.items()}
        other = {spec: [hit[shift : shift + 100]] * 4 for spec, hit in right.items()}
        made.task(A, [np.arange(100)] * 4, disjoint(4, 10, 1000), hits)
        made.task(B, [np.arange(shift, shift + 100)] * 4, disjoint(4, 10, 2000), other, datasets, place)
        return next(row for row in made.board.overall if row.strategy == "focal").difference.error

    again = error(("mnist5k(size=8)", "digits(size=4)"), 1, 0)
    assert again == pytest.approx(error(("digits",), 0, 0))
    assert again > 1.2 * error(("mnist5k(size=8)", "digits"), 1, 100)


def test_several_init_seeds_show_how_much_is_noise_of_training():
    rng, made = np.random.default_rng(6), Made()
    level = np.repeat([0.5, 0.7, 0.9, 0.6], 3)[:, None]
    made.task(A, disjoint(4, 400), disjoint(4, 10, 5000), {"erm": rng.random((12, 400)) < level}, inits=3)
    row = on(made.board, A, "erm")
    assert row.split_deviation == pytest.approx(np.std([0.5, 0.7, 0.9, 0.6], ddof=1), rel=0.2)
    assert row.init_deviation == pytest.approx((0.22 / 400) ** 0.5, rel=0.5)
    (line,) = (line for line in made.board.warnings if line.startswith("noise of training"))
    assert line.startswith("noise of training: erm, ")


@pytest.mark.parametrize(("low", "unstable"), [(0.2, True), (0.84, False)])
def test_scores_in_two_clusters_are_unstable(low, unstable):
    records = over_seeds(A, "erm", [0.7, 0.72, 0.71, 0.69, 0.7, 0.7])
    records += over_seeds(A, "maml", [0.9, 0.91, 0.9, low, 0.89, 0.9])
    board = leaderboard(records)
    assert bool(on(board, A, "maml").unstable) == unstable
    assert any(line.startswith(f"unstable: maml on {A}; 1 of 6 scores is 70 points below") for line in
               board.warnings) == unstable  # fmt: skip


@pytest.mark.slow
def test_published_records_give_the_same_leaderboard_as_their_store(tmp_path):
    results = run(
        "sklearn, focal(gamma=0)",
        tasks="kshot(wine, k=[2,5])",
        seeds=4,
        results=tmp_path,
        recipe={"steps": 5},
        baseline="erm",
    )
    columns = results.columns(METRIC)
    write_jsonl(results.records, tmp_path / "x.jsonl", columns.evidence)
    published = leaderboard(read_columns(tmp_path / "x.jsonl", [METRIC]))
    board = leaderboard(columns)
    assert not any("leave out" in line for line in board.warnings)
    assert [(r.task, r.strategy, r.score, r.difference, r.verdict) for r in published.rows] == [
        (r.task, r.strategy, r.score, r.difference, r.verdict) for r in board.rows
    ]
    # By another metric, a published file has no influences, and the page says so.
    other = leaderboard(read_columns(tmp_path / "x.jsonl", ["nll"]), metric="nll")
    assert any("leave out that test samples were drawn" in line for line in other.warnings)
    # One decision on 72 test samples is more than the margin of a point.
    equal = on(board, "kshot(wine, k=5)", "focal(gamma=0.0)")
    assert (equal.difference.mean, equal.verdict) == (0, "not settled")
