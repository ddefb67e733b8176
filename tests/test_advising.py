"""The parts of an advice: halving, sums, what is affordable, the estimate by nested splits, more labels."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from records import failed, over_seeds, record

from fsbench.advising import concluding
from fsbench.advising.affording import SIZES, Size, Speed, affordable, search_work, whole_seconds
from fsbench.advising.checking import check
from fsbench.advising.concluding import _alternative
from fsbench.advising.halving import Halving
from fsbench.advising.more_labels import Curve, further, gain_of
from fsbench.advising.sums import promising
from fsbench.advising.trials import Place, Trials
from fsbench.advising.words import _use
from fsbench.deadline import Deadline
from fsbench.evidence import Drawn, Evidence
from fsbench.metrics import get_metric
from fsbench.progress import Observer
from fsbench.record import Trial
from fsbench.registry import get_registry
from fsbench.report.leaderboard import leaderboard
from fsbench.report.pairs import Pair
from fsbench.stats import Estimate
from fsbench.tasks.expressions import parse_tasks

METRIC = "balanced_accuracy"


def run(halving: Halving, score) -> tuple[dict, list[int]]:
    """Run a search to its end with `score(strategy, split)`; the scores, and how many were run each time."""
    scores, runs = {}, []
    while wanted := halving.wanted(scores):
        runs.append(len(wanted))
        scores |= {place: score(*place) for place in wanted}
    return scores, runs


def test_the_better_half_stays_and_the_baselines_with_it():
    names = tuple("abcdefgh")
    halving = Halving(names, (frozenset("h"),), (1, 2, 4))
    scores, runs = run(halving, lambda name, split: -names.index(name))
    assert [halving.field(scores, number) for number in range(3)] == [
        [*names],
        [*"abcdh"],
        [*"abch"],
    ]
    assert runs == [8, 5, 8]
    assert halving.ranked(scores) == [*"abch"]


def test_of_a_group_only_the_best_is_kept():
    halving = Halving((*"abcdef",), (frozenset("def"),), (1, 2))
    scores, _ = run(halving, lambda name, split: dict(zip("abcdef", (6, 5, 4, 1, 2, 3), strict=True))[name])
    assert halving.field(scores, 1) == [*"abcf"]


def test_sums_join_after_the_first_round_on_all_its_splits():
    asked = []

    def sums(best):
        asked.append(tuple(best))
        return ["a+b"]

    halving = Halving((*"dcba",), (), (1, 2), sums)
    scores, runs = run(halving, lambda name, split: len(name) + (name in "ab") / 10)
    assert set(asked) == {("b", "a")}
    assert runs == [4, 4]
    assert halving.ranked(scores) == ["a+b", "b", "a"]


def test_failures_drop_out_and_equal_scores_keep_their_order():
    halving = Halving((*"abcd",), (frozenset("d"),), (1, 2))
    scores, _ = run(halving, lambda name, split: None if (name, split) in (("a", 0), ("d", 1)) else 0.5)
    assert halving.field(scores, 1) == [*"bcd"[:2], "d"]
    assert halving.ranked(scores) == [*"bc"]


def test_the_best_survives_where_gaps_are_clear():
    rng, names = np.random.default_rng(0), tuple(map(str, range(16)))
    halving = Halving(names, (), (1, 2, 4))
    for _ in range(50):
        best = str(rng.integers(16))
        scores, _ = run(halving, lambda name, split: (name == best) * 0.2 + rng.normal(0, 0.03))  # noqa: B023
        assert halving.ranked(scores)[0] == best


def test_sums_are_of_different_families_and_leave_no_part_idle():
    (task,) = parse_tasks("holdout(digits, val=0)")
    found = promising(get_registry(), ["augmentation", "focal", "knn", "erm"], task.info)
    assert "augmentation+focal" in found
    assert not any("knn" in each or "erm" in each for each in found)  # knn does not train by a loss
    probed = promising(get_registry(), ["focal", "probe", "svm", "augmentation"], task.info)
    assert {"probe+augmentation", "probe+svm"} <= set(probed)
    assert not any(set(each.split("+")) == {"focal", "probe"} for each in probed)
    assert promising(get_registry(), ["probe", "augmentation", "focal", "svm"], task.info, most=1) == [
        "probe+augmentation"
    ]


def test_more_time_buys_a_larger_search():
    costs = {**dict.fromkeys("abcdefgh", 1.0), "erm": 1.0}
    speed, sizes = Speed(0.5, 3.0), []
    for seconds in (50, 100, 200, 1000, 5000):
        found = affordable(costs, {"erm"}, seconds, speed)
        assert found is not None
        size, left_out = found
        left = {name: cost for name, cost in costs.items() if name not in left_out}
        assert whole_seconds(left, {"erm"}, size, speed) <= seconds
        sizes.append((len(left_out), SIZES.index(size)))
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == (0, 0)
    assert affordable(costs, {"erm"}, 5, speed) is None


def test_the_costliest_are_left_out_first_but_never_a_baseline():
    costs = {"erm": 30.0, "slow": 500.0, "a": 1.0, "b": 1.0, "c": 1.0}
    found = affordable(costs, {"erm"}, 1000, Speed(1.0, 1.0))
    assert found is not None
    assert found[1] == ["slow"]


def test_the_work_of_a_search_is_that_of_its_rounds():
    costs = {"erm": 1.0, "a": 2.0, "b": 2.0, "c": 2.0, "d": 2.0}
    assert search_work(costs, {"erm"}, (1,)) == 9
    assert search_work(costs, {"erm"}, (1, 2)) == 9 + (3 * 2 + 1) + 2 * 3 * 1.5 * 2
    assert whole_seconds(costs, {"erm"}, Size((1,), 3), Speed(0.5, 0.0)) == 0.5 * (3 * 9 + 15 * 2)


SAMPLES, STRATEGIES, TRUE = 100, 30, 0.7
ROUNDS = (1, 2, 4)


def drawn(rng, of: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A division of some samples into training and test."""
    order = rng.permutation(of)
    cut = round(0.3 * len(of))
    return order[cut:], order[:cut]


class World:
    """Equal strategies on one data set: each is right on some samples more often, by chance."""

    def __init__(self, rng) -> None:
        self.rng = rng
        difficulty = rng.beta(0.7 * 4, 0.3 * 4, SAMPLES)
        self.usual = rng.random((STRATEGIES, SAMPLES)) < difficulty
        self.difficulty = difficulty

    def right(self, tested: np.ndarray) -> np.ndarray:
        """Whether each strategy is right on test samples, `[K, M]`: as usual, or by chance anew."""
        again = self.rng.random((STRATEGIES, len(tested))) < self.difficulty[tested]
        return np.where(self.rng.random(again.shape) < 0.7, self.usual[:, tested], again)

    def best(self, of: np.ndarray) -> tuple[int, float]:
        """What a search on some samples chooses, and the mean score with which it won."""
        table = np.stack([self.right(drawn(self.rng, of)[1]).mean(1) for _ in range(ROUNDS[-1])], 1)
        halving = Halving(tuple(map(str, range(STRATEGIES))), (frozenset("0"),), ROUNDS)
        scores, _ = run(halving, lambda name, split: float(table[int(name), split]))
        first = halving.ranked(scores)[0]
        return int(first), float(table[int(first)].mean())


def checked(world: World, checks: int):
    """The estimate of what the search gives, by nested splits."""
    ours, plain, parts, influences = {}, {}, {}, {}
    for split in range(checks):
        train, test = drawn(world.rng, np.arange(SAMPLES))
        right = world.right(test)
        chosen = world.best(train)[0]
        common = {"split_seed": split, "n_train": len(train), "n_test": len(test), "overlap": 30 / 70}
        common["split_fingerprint"] = f"{split}"
        for place, spec, values in ((ours, "a", right[chosen]), (plain, "erm", right[0])):
            made = record("t(x)", spec, value=values.mean(), **common)
            place[split] = made
            influences[made.key] = ((values - values.mean()) / len(test)).astype(np.float32)
        empty = np.zeros((1, 0), dtype=np.int64)
        nothing = np.zeros(0, dtype=np.int64)
        parts[f"{split}"] = Drawn(train[None], empty, test[None], np.zeros_like(test)[None], nothing, nothing)
    evidence = Evidence(parts, lambda metric, keys: {key: influences[key] for key in keys})
    return check(ours, plain, evidence, METRIC)


def test_the_estimate_is_honest_where_equal_strategies_compete():
    """The score that won is too good by far; that of nested splits is not, and its interval holds."""
    rng, worlds, covers, honest, naive, false = np.random.default_rng(0), 100, 0, [], [], 0
    for _ in range(worlds):
        world = World(rng)
        naive.append(world.best(np.arange(SAMPLES))[1])
        found = checked(world, 5)
        assert found.score.low is not None
        covers += found.score.low <= TRUE <= found.score.high
        honest.append(found.score.mean)
        false += found.settled
    assert np.mean(naive) > TRUE + 0.07
    assert abs(np.mean(honest) - TRUE) < 0.015
    assert covers / worlds >= 0.93
    assert false / worlds <= 0.05


def test_a_check_without_any_result_settles_nothing():
    ours = {split: failed(task="t(x)", spec="a", split_seed=split) for split in range(5)}
    plain = {split: record("t(x)", "erm", split, 0.7 + split / 100) for split in range(5)}
    found = check(ours, plain, Evidence(), METRIC)
    assert (found.score.mean, found.gain.mean, found.settled, found.failed) == (0.72, 0, False, 5)
    plain[0] = failed(task="t(x)", spec="erm", split_seed=0)
    ours[1] = record("t(x)", "a", 1, 0.9)
    found = check(ours, plain, Evidence(), METRIC)
    assert found.score.mean == pytest.approx((0.9 + 0.72 + 0.73 + 0.74) / 4)
    assert (found.settled, found.failed) == (False, 4)
    assert check({0: ours[0]}, {0: plain[0]}, Evidence(), METRIC) is None


GAPS = {"not settled": (-0.02, -0.10, -0.12, -0.04), "equivalent": (-0.002, 0.001, -0.003, 0.0)}


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        (
            "not settled",
            "knn may be as good or up to 14.6 points worse (-7.0 ± 7.6 points, not settled) at 3 %",
        ),
        ("equivalent", "knn is as good (-0.1 ± 0.3 points, equivalent) at 3 %"),
    ],
)
def test_a_cheaper_strategy_is_as_good_only_if_it_is_equivalent(verdict, said):
    best, task = np.array([0.86, 0.88, 0.84, 0.86]), "holdout(wine, val=0)"
    records = over_seeds(task, "erm", [0.70, 0.74, 0.68, 0.72])
    records += over_seeds(task, "svm", best, seconds_fit=10.0)
    records += over_seeds(task, "knn", best + GAPS[verdict], seconds_fit=0.1)
    found = _alternative(leaderboard(records), "svm", ["svm", "knn", "erm"])
    assert (found.strategy, found.equivalent) == ("knn", verdict == "equivalent")
    advice = SimpleNamespace(use="svm", uses=(), alternative=found, metric=get_metric(METRIC))
    assert said in " ".join(_use(advice))


def test_a_cheaper_strategy_whose_interval_excludes_zero_is_passed_over(monkeypatch):
    """Few splits with known noise of the test: verdicts are more cautious than intervals."""
    found = {"knn": (-0.238, 0.188), "forest": (-0.24, 0.30)}
    pairs = {
        name: Pair("t(x)", Estimate(mean, mean - half, mean + half, 0.06, 2), 0.06, "not settled")
        for name, (mean, half) in found.items()
    }
    monkeypatch.setattr(concluding, "compare", lambda board, first, second: [pairs[first]])
    board = SimpleNamespace(
        rows=[SimpleNamespace(strategy=name, seconds=1.0 + 9 * (name == "svm")) for name in ("svm", *found)]
    )
    assert _alternative(board, "svm", ["svm", "knn"]) is None
    assert _alternative(board, "svm", ["svm", "knn", "forest"]).strategy == "forest"


def power_law(rng, labels=(20, 40, 80), splits=5, noise=0.01, exponent=0.5, scale=1.0) -> Curve:
    n = np.array(labels, dtype=float)
    scores = 0.9 - scale * n**-exponent + rng.normal(0, 0.02, (splits, 1))
    return Curve(labels, scores + rng.normal(0, noise, (splits, len(labels))))


def test_what_more_labels_buy_is_read_off_the_curve():
    true = 100**-0.5 - 140**-0.5
    found = gain_of(power_law(np.random.default_rng(0), noise=1e-4), 100, 40)
    assert found.gain == pytest.approx(true, abs=1e-3)
    assert found.low is not None
    assert 0 < found.low < true < found.high
    assert found.more == 40


@pytest.mark.parametrize("exponent", [0.25, 0.5, 1.0])
def test_the_interval_of_a_gain_covers_it_for_other_exponents(exponent):
    rng, covers = np.random.default_rng(1), 0
    scale = 1.0 if exponent < 1 else 4.0
    true = scale * (100**-exponent - 140**-exponent)
    for _ in range(200):
        found = gain_of(power_law(rng, exponent=exponent, scale=scale), 100, 40)
        covers += found.low <= true <= found.high
    assert covers / 200 >= 0.93


def test_a_gain_of_test_samples_that_splits_share_is_less_certain():
    rng = np.random.default_rng(0)
    curve = power_law(rng, noise=0.01)
    tested = [np.arange(30) for _ in range(5)]
    same = rng.normal(0, 0.01, (3, 30))
    wide = Curve(curve.labels, curve.scores, tested, [same] * 5)
    narrow = gain_of(curve, 100, 40)
    found = gain_of(wide, 100, 40)
    assert found.gain == narrow.gain
    assert found.high - found.low > narrow.high - narrow.low


@pytest.mark.parametrize(
    ("have", "measured", "more"), [(100, 70, 40), (15, 10, 5), (10, 5, 0), (1000, 990, 500), (90, 63, 30)]
)
def test_at_most_twice_the_measured_labels_are_asked_about(have, measured, more):
    assert further(have, measured) == more
    assert have + more <= max(2 * measured, have)


def test_gains_of_equal_scores_have_no_interval():
    found = gain_of(Curve((10, 20, 40), np.ones((5, 3))), 50, 20)
    assert (found.gain, found.low, found.high) == (pytest.approx(0, abs=1e-9), None, None)


def test_the_search_depends_on_nothing_but_scores():
    rng = np.random.default_rng(0)
    values = {place: rng.random() for place in itertools.product("abcdef", range(4))}
    halving = Halving((*"abcdef",), (frozenset("f"),), ROUNDS)
    whole, _ = run(halving, lambda *place: values[place])
    partly = {place: value for place, value in whole.items() if place[1] == 0}
    again = dict(partly)
    while wanted := halving.wanted(again):
        again |= {place: values[place] for place in reversed(wanted)}
    assert halving.ranked(again) == halving.ranked(whole)


def test_searches_side_by_side_run_task_by_task():
    asked = []

    def run(tasks, plugins, seeds, only, observer):
        every = [
            Trial(task, seed, 0, spec, "", f"{task} {seed} {spec}")
            for seed, task, spec in itertools.product(seeds, tasks, plugins)
        ]
        asked.extend(only(dict.fromkeys(every)))
        return SimpleNamespace(interrupted=False, records=())

    trials = Trials(run, Deadline(Observer(), 1000.0), get_metric(METRIC), Observer())
    wanted = [Place(task, split, "erm") for split in (0, 1) for task in ("b", "a")]
    trials.get(wanted[:3])
    assert [(each.task, each.split_seed) for each in asked] == [("b", 0), ("b", 1), ("a", 0)]
