"""The data of the charts, against numbers computed by hand, scikit-learn and scipy."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.stats
from records import failed, over_seeds, realistic, record, skipped
from sklearn.calibration import calibration_curve
from sklearn.metrics import confusion_matrix, recall_score

from fsbench.columns import of_records
from fsbench.evidence import Drawn, Evidence
from fsbench.record import Record
from fsbench.report.charts import Charts
from fsbench.report.charts.costs import costs
from fsbench.report.charts.fits import fits
from fsbench.report.charts.gains import gains
from fsbench.report.charts.learning import curves
from fsbench.report.charts.predicted import bins_of, confusion_of, predicted
from fsbench.report.charts.ranks import critical_difference, friedman, ranks
from fsbench.report.charts.transfer import forgotten, source_gains
from fsbench.report.html.specs.costs import WIDTHS
from fsbench.report.html.specs.ranks import critical_difference as ranks_chart
from fsbench.report.leaderboard import Leaderboard, leaderboard
from fsbench.report.plots.figures import figures

ERM = [0.70, 0.72, 0.68]
METRICS = ["balanced_accuracy", "accuracy"]


def board_of(*several: list[Record], **options) -> Leaderboard:
    return leaderboard([record for records in several for record in records], **options)


def scaled(values: list[float], by: float) -> list[float]:
    return [value + by for value in values]


# Learning curves


def test_curves_join_the_tasks_that_differ_in_the_number_of_labels_only():
    tasks = [
        f"kshot(digits, k={k}{source})" for source in ("", ", source=mnist5k(size=8)") for k in (20, 1, 5)
    ]
    tasks += ["kshot(wine, k=5)", "longtail(digits, ir=20)", "episodes(glyphs, shot=1, way=5)"]
    board = board_of(*(over_seeds(task, "erm", ERM) for task in tasks))
    found = curves(board)
    assert [(each.family, each.axis, each.labels) for each in found] == [
        ("kshot(digits)", "k", (1, 5, 20)),
        ("kshot(digits, source=mnist5k(size=8))", "k", (1, 5, 20)),
    ]


def test_a_curve_has_the_scores_and_intervals_of_the_tables_and_the_baseline_first():
    records = []
    for k, level in ((1, 0.4), (5, 0.6), (20, 0.8)):
        task = f"episodes(glyphs, shot={k}, way=5)"
        records += over_seeds(task, "erm", [level, level + 0.02])
        records += over_seeds(task, "focal", [level + 0.1, level + 0.11])
        if k > 1:
            records += over_seeds(task, "maml", [level + 0.15, level + 0.16])
    board = leaderboard(records)
    (found,) = curves(board)
    assert (found.axis, found.family) == ("shot", "episodes(glyphs, way=5)")
    assert [line.strategy for line in found.lines] == ["erm", "maml", "focal"]
    erm, maml, _ = found.lines
    assert [point.labels for point in maml.points] == [5, 20]
    assert [point.row.score.mean for point in erm.points] == pytest.approx([0.41, 0.61, 0.81])
    rows = {(row.task, row.strategy): row for _, several in board.tasks for row in several}
    assert all(point.row is rows[point.row.task, "erm"] for point in erm.points)


def test_two_recipes_of_a_task_have_curves_of_their_own():
    recipes = ["recipe(backbone=mlp, steps=10)", "recipe(backbone=mlp, steps=20)"]
    records = [record(f"kshot(wine, k={k})", recipe=recipe) for k in (1, 5) for recipe in recipes]
    assert [each.family for each in curves(leaderboard(records))] == [
        "kshot(wine) with steps=10",
        "kshot(wine) with steps=20",
    ]


def test_curves_of_one_family_whose_tasks_have_different_recipes_have_different_names():
    recipes = {1: 10, 5: 10, 10: 20, 20: 20}
    records = [
        record(f"kshot(wine, k={k})", recipe=f"recipe(backbone=mlp, steps={steps})")
        for k, steps in recipes.items()
    ]
    assert {each.family: each.labels for each in curves(leaderboard(records))} == {
        "kshot(wine) with steps=10": (1, 5),
        "kshot(wine) with steps=20": (10, 20),
    }


# Heat map


def test_the_heat_map_tells_verdicts_failures_and_skips_apart():
    a, b = "kshot(digits, k=5)", "kshot(wine, k=5)"
    better, worse = scaled(ERM, 0.1), scaled(ERM, -0.1)
    records = over_seeds(a, "erm", ERM) + over_seeds(b, "erm", ERM)
    records += over_seeds(a, "good", [0.80, 0.82, 0.781]) + over_seeds(b, "good", [0.60, 0.62, 0.581])
    records += [skipped(task=a, spec="dann", split_seed=seed) for seed in range(3)]
    records += [*over_seeds(b, "dann", better)[:2], failed(task=b, spec="dann", split_seed=2)]
    records += [failed(task=a, spec="maml", split_seed=seed) for seed in range(3)]
    records += over_seeds(a, "open", [0.7, 0.9, 0.5]) + over_seeds(b, "open", worse)[:2]
    found = gains(leaderboard(records))
    states = {
        (name, task): cell.state
        for name, cells in zip(found.strategies, found.cells, strict=True)
        for task, cell in zip(found.tasks, cells, strict=True)
    }
    assert states == {
        ("erm", a): "baseline", ("erm", b): "baseline",
        ("good", a): "helps", ("good", b): "hurts",
        ("dann", a): "skipped", ("dann", b): "withheld",
        ("maml", a): "failed", ("maml", b): "not run",
        ("open", a): "not settled", ("open", b): "hurts",
    }  # fmt: skip
    place = found.strategies.index("good"), found.tasks.index(a)
    assert found.cells[place[0]][place[1]].gain.mean == pytest.approx(0.1, abs=1e-3)
    assert found.cells[found.strategies.index("maml")][found.tasks.index(b)].row is None


def test_without_a_baseline_nothing_is_compared():
    (cell,) = gains(board_of(over_seeds("kshot(wine, k=5)", "focal", ERM))).cells[0]
    assert (cell.state, cell.gain) == ("not compared", None)


# Cost


def test_the_front_holds_the_strategies_that_no_other_beats_in_cost_and_gain():
    task = "kshot(wine, k=5)"
    priced = {
        "cheap": (0.5, -0.1),
        "same": (1.0, -0.05),
        "good": (2.0, 0.1),
        "bad": (3.0, 0.05),
        "best": (4, 0.2),
    }
    records = over_seeds(task, "erm", ERM)
    for name, (cost, gain) in priced.items():
        records += over_seeds(task, name, scaled(ERM, gain), seconds_fit=1.25 * cost, seconds_predict=0.0)
    records += [record(task, "some", 0, 0.99, seconds_fit=0.1), failed(task=task, spec="some", split_seed=1)]
    found = {each.strategy: each for each in costs(leaderboard(records))}
    assert {name for name, each in found.items() if each.front} == {"cheap", "erm", "good", "best"}
    assert {
        name: (each.cost, round(each.gain, 9)) for name, each in found.items() if name in priced
    } == priced
    assert (found["erm"].cost, found["erm"].gain) == (1.0, 0.0)
    assert not found["some"].complete


def test_a_gain_is_positive_where_a_loss_is_smaller():
    task = "kshot(wine, k=5)"
    board = board_of(over_seeds(task, "erm", ERM), over_seeds(task, "good", [0.8, 0.83, 0.77]), metric="nll")
    (good,) = (each for each in costs(board) if each.strategy == "good")
    assert good.gain == pytest.approx(0.1)
    assert good.low < good.gain < good.high


# Ranks


def test_the_critical_difference_is_that_of_the_published_table():
    # Demsar 2006, table 5(a): q for 2 to 10 classifiers at the 5 % level; and his example, four on 14 sets.
    table = [1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164]
    for strategies, q in enumerate(table, 2):
        expected = q * np.sqrt(strategies * (strategies + 1) / (6 * 14))
        assert critical_difference(strategies, 14) == pytest.approx(expected, abs=2e-3)
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=5e-3)


def test_the_friedman_test_agrees_with_scipy_where_there_are_many_groups():
    rng = np.random.default_rng(0)
    for _ in range(20):
        scores = rng.integers(0, 6, (30, 5)) / 5
        table = np.stack([scipy.stats.rankdata(row) for row in scores])
        assert friedman(table) == pytest.approx(scipy.stats.friedmanchisquare(*scores.T).pvalue, abs=0.03)
    assert friedman(np.full((3, 4), 2.5)) == 1


@pytest.mark.parametrize(("groups", "strategies"), [(2, 2), (3, 2), (2, 3), (3, 3)])
def test_the_friedman_test_keeps_its_level_with_few_groups(groups, strategies):
    """Over all rankings, each equally likely, the share of those with at most a p-value is at most that."""
    rankings = list(itertools.permutations(np.arange(1.0, strategies + 1)))
    found = np.array([friedman(np.array(each)) for each in itertools.product(rankings, repeat=groups)])
    for p in np.unique(found):
        assert np.mean(found <= p + 0.02) <= p + 0.03
    agreeing = friedman(np.tile(np.arange(1.0, strategies + 1), (groups, 1)))
    assert agreeing == pytest.approx(math.factorial(strategies) ** (1.0 - groups), abs=0.03)


def test_ranks_are_means_over_independent_groups_of_tasks():
    # Tasks on digits share data, so they count once: their mean ranks are 1.5, 1.75, 2.75, ranked 1, 2, 3.
    scores = {
        "kshot(digits, k=1)": (0.9, 0.8, 0.7),
        "kshot(digits, k=5)": (0.8, 0.9, 0.7),
        "longtail(digits, ir=20)": (0.9, 0.8, 0.7),
        "shift(mnist5k(size=8), digits)": (0.7, 0.7, 0.7),
        "kshot(wine, k=5)": (0.7, 0.9, 0.8),
    }
    records = []
    for task, levels in scores.items():
        for name, level in zip(("erm", "b", "c"), levels, strict=True):
            records += over_seeds(task, name, [level, level])
        records += [skipped(task=task, spec="dann")]
    found = ranks(leaderboard(records))
    assert len(found.groups) == 2
    assert {len(group) for group in found.groups} == {4, 1}
    assert dict(zip(found.strategies, found.mean, strict=True)) == {"b": 1.5, "erm": 2.0, "c": 2.5}
    assert found.strategies == ("b", "erm", "c")
    assert found.left_out == ("dann",)
    assert found.critical_difference == pytest.approx(critical_difference(3, 2))
    assert found.cliques == ((0, 2),)


def test_cliques_are_the_longest_runs_of_strategies_that_do_not_differ():
    names = "abcdefgh"
    records = []
    for n, dataset in enumerate(("digits", "wine", "breast_cancer", "glyphs", "patches", "keel-ecoli3")):
        for place, name in enumerate(("erm", *names)):
            records += over_seeds(f"kshot({dataset}, k=5)", name, [0.9 - 0.05 * place + 0.001 * n])
    found = ranks(leaderboard(records))
    distance = found.critical_difference
    assert found.mean == tuple(map(float, range(1, 10)))
    assert 4 < distance < 5
    assert found.cliques == tuple((first, first + 4) for first in range(5))
    assert found.p == pytest.approx(1 / 5001)


def test_a_loss_is_ranked_from_the_smallest():
    records = over_seeds("kshot(wine, k=5)", "erm", ERM) + over_seeds(
        "kshot(wine, k=5)", "b", scaled(ERM, 0.1)
    )
    found = ranks(leaderboard(records, metric="nll"))
    assert found.strategies == ("b", "erm")
    assert (found.critical_difference, found.p, found.cliques) == (None, None, ())


def test_a_single_group_has_no_critical_difference_to_show():
    task = "kshot(wine, k=5)"
    alone = Charts(board_of(over_seeds(task, "erm", ERM), over_seeds(task, "b", ERM)))
    assert alone.ranks is not None
    assert ranks_chart([alone]) is None
    assert "ranks" not in [each.name for each in figures(alone)]


def test_of_many_strategies_without_a_rank_the_first_are_named():
    tasks = ("kshot(wine, k=5)", "kshot(digits, k=5)")
    whole = [over_seeds(task, name, ERM) for task in tasks for name in ("erm", "b")]
    part = [over_seeds(tasks[0], f"s{number}", ERM) for number in range(9)]
    about = ranks_chart([Charts(board_of(*whole, *part))]).about
    assert "Here: 2 independent groups, a critical difference of " in about
    assert about.endswith(
        "9 strategies without a result in every trial are not ranked: "
        "s0, s1, s2, s3, s4, s5, s6, s7 and 1 more."
    )


def test_nothing_is_ranked_without_two_complete_strategies():
    assert ranks(leaderboard([])) is None
    assert ranks(board_of(over_seeds("kshot(wine, k=5)", "erm", ERM))) is None


# Predictions


def logits_and_labels(seed: int = 0, cells: int = 1, samples: int = 200, classes: int = 4):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, (cells, samples))
    logits = rng.normal(0, 1.5, (cells, samples, classes)) + 2 * np.eye(classes)[labels]
    return logits.astype(np.float32), labels


def test_the_confusion_matrix_and_recall_are_those_of_scikit_learn():
    logits, labels = logits_and_labels()
    found = confusion_of(logits, labels)
    assert (found == confusion_matrix(labels[0], logits[0].argmax(-1), labels=range(4))).all()


def test_the_bins_are_those_of_scikit_learn():
    logits, labels = logits_and_labels(1)
    found = bins_of(logits, labels)
    shifted = np.exp(logits[0] - logits[0].max(-1, keepdims=True))
    confidence = (shifted / shifted.sum(-1, keepdims=True)).max(-1)
    correct = logits[0].argmax(-1) == labels[0]
    accuracy, mean = calibration_curve(correct, confidence, n_bins=10)
    full = found.counts > 0
    assert found.accuracy[full] == pytest.approx(accuracy)
    assert found.confidence[full] == pytest.approx(mean, rel=1e-5)
    assert found.counts.sum() == 200
    assert np.isnan(found.accuracy[~full]).all()


def with_predictions(records: list[Record], stored: dict[str, tuple[np.ndarray, np.ndarray]]) -> Leaderboard:
    """A board of records whose logits and labels are given by key; labels are those of the record's split."""
    empty = np.zeros(0, dtype=np.int64)
    drawn = {}
    for each in records:
        if each.key in stored:
            _, labels = stored[each.key]
            ids = np.arange(labels.size).reshape(labels.shape)
            drawn[each.split_fingerprint] = Drawn(ids + 10_000, ids[:, :0], ids, labels, empty, empty)

    def predictions(keys):
        return ((key, stored[key][0]) for key in keys if key in stored)

    return leaderboard(of_records(records, ["balanced_accuracy"], Evidence(drawn, predictions=predictions)))


def test_predictions_are_added_over_the_trials_of_a_row():
    task = "kshot(wine, k=5)"
    records = [*over_seeds(task, "erm", ERM), failed(task=task, spec="erm", split_seed=3)]
    stored = {each.key: logits_and_labels(seed, classes=3) for seed, each in enumerate(records[:3])}
    (found,) = predicted(with_predictions(records, stored))
    assert (found.task, found.strategy, found.trials) == (task, "erm", 3)
    y = np.concatenate([labels[0] for _, labels in stored.values()])
    guess = np.concatenate([logits[0].argmax(-1) for logits, _ in stored.values()])
    assert (found.confusion == confusion_matrix(y, guess)).all()
    assert found.recall == pytest.approx(recall_score(y, guess, average=None))
    assert found.bins.counts.sum() == 600
    assert found.classes == ("class_0", "class_1", "class_2")


def test_a_class_without_samples_has_no_recall():
    records = [record("kshot(unheard_of, k=5)")]
    logits, labels = logits_and_labels()
    (found,) = predicted(with_predictions(records, {records[0].key: (logits, np.minimum(labels, 2))}))
    assert np.isnan(found.recall[3])
    assert found.classes == ("0", "1", "2", "3")


def test_episodes_have_reliability_but_no_confusion():
    records = [record("episodes(glyphs, shot=1, way=5)")]
    (found,) = predicted(with_predictions(records, {records[0].key: logits_and_labels(0, 7, 30, 5)}))
    assert found.confusion is None
    assert found.bins.counts.sum() == 210
    assert (found.classes, len(found.recall)) == ((), 0)


def test_without_stored_predictions_there_is_nothing_to_show():
    assert predicted(leaderboard(realistic())) == ()


# Fit, and sources


def test_fits_are_means_over_the_trials_that_have_both_accuracies():
    task = "kshot(wine, k=5)"
    records = [
        record(task, "erm", seed, metrics={"accuracy": test}, train_accuracy=train)
        for seed, (test, train) in enumerate([(0.6, 0.9), (0.8, 1.0), (0.1, None)])
    ]
    (found,) = fits(leaderboard(of_records(records, ["nll", "accuracy"]), metric="nll"))
    assert (found.train, found.test, found.n) == (pytest.approx(0.95), pytest.approx(0.7), 2)
    assert fits(leaderboard(records, metric="nll")) == ()


def test_fits_are_in_the_order_of_the_table():
    names = dict(zip(("erm", "a", "b", "c"), (0.6, 0.4, 0.9, 0.7), strict=True))
    records = [
        record("kshot(wine, k=5)", name, metrics=dict.fromkeys(METRICS, by), train_accuracy=1.0)
        for name, by in names.items()
    ]
    found = leaderboard(of_records(records, METRICS))
    assert [each.strategy for each in fits(found)] == [row.strategy for row in found.tasks[0][1]]
    assert fits(found)[0].strategy == "b"


def test_gains_and_forgetting_are_told_by_source():
    tasks = ["kshot(digits, k=5, source=patches)", "kshot(digits, k=5, source=mnist5k(size=8))",
             "shift(mnist5k(size=8), digits)"]  # fmt: skip
    records = [each for task in tasks for each in over_seeds(task, "erm", ERM)]
    known = {"uses": ("source",), "source_before": 0.9, "source_after": 0.6}
    for task, gain in zip(tasks, (-0.1, 0.1, 0.3), strict=True):
        records += over_seeds(task, "transfer", scaled(ERM, gain), **known)
    board = leaderboard(records)
    found = source_gains(board)
    assert [(each.source, round(each.difference, 9), len(each.tasks)) for each in found] == [
        ("mnist5k(size=8)", 0.2, 2),
        ("patches", -0.1, 1),
    ]
    kept = forgotten(board)
    assert {(each.task, each.source) for each in kept} == {
        (tasks[0], "patches"), (tasks[1], "mnist5k(size=8)"), (tasks[2], "mnist5k(size=8)")
    }  # fmt: skip
    assert all((each.before, each.after) == pytest.approx((0.9, 0.6)) for each in kept)


@pytest.mark.parametrize("width", WIDTHS)
def test_names_in_a_crowd_of_points_do_not_cover_each_other(width):
    from fsbench.report.charts import placing
    from fsbench.report.html.specs import costs

    rng = np.random.default_rng(0)
    rows = [
        {"strategy": f"strategy_{i}", "cost": float(cost), "gain": float(gain), "low": None, "high": None,
         "front": i < 3}
        for i, (cost, gain) in enumerate(zip(rng.lognormal(0, 0.5, 93), rng.normal(0, 3, 93), strict=True))
    ]  # fmt: skip
    shown = [row for row in costs.labelled(rows) if row[f"clear_{width}"]]
    assert 5 < len(shown) < 93
    points = dict(zip([row["strategy"] for row in rows], costs.pixels(rows, width), strict=True))
    assert (min(x for x, _ in points.values()), max(x for x, _ in points.values())) == (40, width - 40)
    boxes = [
        placing.box(points[r["strategy"]], placing.PLACES[r[f"place_{width}"]], 6.2 * len(r["strategy"]))
        for r in shown
    ]
    for place, (left, top, right, bottom) in enumerate(boxes):
        assert left >= 0
        assert right <= width
        for other in boxes[:place]:
            assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top
