"""The parts of variances for all pairs at once are those of each pair computed by itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies
from records import failed, record

from fsbench.columns import of_records
from fsbench.evidence import Drawn, Evidence
from fsbench.report import entries
from fsbench.report.crossings import Trials, crossed, prepare
from fsbench.stats import Products, shared_fraction

METRIC = "balanced_accuracy"
NONE = np.zeros(0, dtype=np.int64)
TASKS = ("kshot(digits, k=5)", "kshot(digits, k=20)")
NAMES = ("erm", "focal", "svm", "knn")


def weights(ours, theirs):
    """Those of a difference, or of a score."""
    return {ours: 1.0} if theirs is None else {ours: 1.0, theirs: -1.0}


def parts(ids, influences):
    """The parts by the definition: covariances of pairs of splits, sample by sample."""
    by_sample = [
        {i: sum(u for j, u in zip(own, values, strict=True) if i == j) for i in set(own)}
        for own, values in zip(ids, influences, strict=True)
    ]

    def product(one, other):
        return sum(u * other.get(i, 0) for i, u in one.items())

    n = len(by_sample)
    squares = sum(product(each, each) for each in by_sample) / n
    pairs = [product(a, b) for i, a in enumerate(by_sample) for j, b in enumerate(by_sample) if i != j]
    common = max(sum(pairs) / len(pairs), 0) if pairs else 0
    return common, max(squares - common, 0)


@settings(max_examples=30, deadline=None)
@given(strategies.integers(0, 10_000), strategies.integers(1, 4))
def test_products_give_the_parts_of_every_difference(seed, splits):
    rng = np.random.default_rng(seed)
    ids = [rng.integers(0, 9, rng.integers(1, 12)) for _ in range(splits)]
    influences = [rng.normal(size=(3, len(each))) for each in ids]
    products = Products(3, 9)
    for own, values in zip(ids, influences, strict=True):
        products.add(own, values)
    for sums in ({0: 1.0}, {1: 1.0, 2: -1.0}, {2: 1.0, 0: -1.0}, {0: 0.5, 1: -1.5, 2: 1.0}):
        values = [sum(weight * each[place] for place, weight in sums.items()) for each in influences]
        (found,) = products.crossed([sums])
        assert (found.common, found.own) == pytest.approx(parts(ids, values), abs=1e-12)


def test_equal_results_have_no_variance_by_test_samples():
    products, values = Products(2, 50), np.random.default_rng(0).normal(size=50)
    for _ in range(3):
        products.add(np.arange(50), np.stack([values, values]))
    (found,) = products.crossed([weights(0, 1)])
    assert (found.common, found.own) == (0, 0)


def test_the_fraction_of_a_part_that_splits_share():
    of = [np.array(each) for each in ([0, 1, 2, 3], [2, 3, 4, 5], [6, 7, 8, 9])]
    assert shared_fraction(of[:2]) == pytest.approx(0.5)
    assert shared_fraction(of) == pytest.approx(0.5 / 3)
    assert shared_fraction([of[0], of[0][::-1]]) == pytest.approx(1)
    assert shared_fraction([of[0], of[2]]) == 0
    assert shared_fraction(of[:1]) == 0


class Made:
    """Records of four strategies on two tasks, with failures, two init seeds and an unknown influence."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.influences, self.tests, records, drawn = {}, {}, [], {}
        for task in TASKS:
            for seed in range(4):
                test = rng.choice(40, 15)[None]
                self.tests[task, seed] = test[0]
                drawn[f"{task}/{seed}"] = Drawn(
                    NONE[None], NONE[None], test, test % 2, NONE, NONE, ("digits",)
                )
                for name in NAMES:
                    for init in range(2):
                        if name == "svm" and (seed, init) == (2, 1) and task == TASKS[0]:
                            records.append(failed(task=task, spec=name, split_seed=seed, init_seed=init))
                            continue
                        records.append(record(task, name, seed, 0.5, init_seed=init))
                        self.influences[task, name, seed, init] = records[-1].key, rng.normal(size=15)
        self.lost = self.influences[TASKS[1], "knn", 3, 0][0]
        known = dict(self.influences.values())
        self.asked = []

        def read(metric, keys):
            self.asked += keys
            return {key: known[key] for key in keys if key != self.lost}

        self.settings = entries.settings(of_records(records, [METRIC], Evidence(drawn, read)))

    def trials(self, names, tasks):
        found = []
        for setting in self.settings:
            if setting.task in tasks:
                both = [np.isfinite(setting.entries[name].values(METRIC)) for name in names]
                found.append(Trials(setting, np.all(both, axis=0)))
        return found

    def expected(self, ours, theirs, tasks):
        ids, values = [], []
        for seed in range(4):
            own, sums = [], []
            for task in tasks:
                inits = [
                    self.influences[task, ours, seed, init][1]
                    - (self.influences[task, theirs, seed, init][1] if theirs else 0)
                    for init in range(2)
                    if all((task, name, seed, init) in self.influences for name in (ours, theirs) if name)
                ]
                own.append(self.tests[task, seed])
                sums.append(np.mean(inits, axis=0))
            ids.append(np.concatenate(own))
            values.append(np.concatenate(sums))
        return parts(ids, values)


@pytest.mark.parametrize("prepared", [False, True])
def test_each_pair_has_the_parts_of_its_own_trials(prepared):
    made = Made()
    if prepared:
        prepare(made.settings, "erm", METRIC)
    for tasks in (TASKS[:1], TASKS[1:], TASKS):
        for ours, theirs in (
            ("erm", None),
            ("focal", "erm"),
            ("svm", None),
            ("svm", "erm"),
            ("focal", "svm"),
        ):
            names = [name for name in (ours, theirs) if name]
            (found,) = crossed(made.trials(names, tasks), [weights(ours, theirs)], METRIC)
            assert (found.common, found.own) == pytest.approx(made.expected(ours, theirs, tasks), abs=1e-12)


def test_an_unknown_influence_leaves_one_strategy_out_where_it_is_lacking():
    made = Made()
    prepare(made.settings, "erm", METRIC)
    assert crossed(made.trials(["knn", "erm"], TASKS[:1]), [weights("knn", "erm")], METRIC) != [None]
    for tasks in (TASKS[1:], TASKS):
        for ours, theirs in (("knn", None), ("knn", "erm"), ("focal", "knn")):
            trials = made.trials([name for name in (ours, theirs) if name], tasks)
            assert crossed(trials, [weights(ours, theirs)], METRIC) == [None]


def test_influences_are_read_once_for_all_pairs():
    made = Made()
    prepare(made.settings, "erm", METRIC)
    before = len(made.asked)
    for ours, theirs in (("erm", None), ("focal", None), ("focal", "erm")):
        for tasks in (TASKS[:1], TASKS):
            crossed(
                made.trials([name for name in (ours, theirs) if name], tasks), [weights(ours, theirs)], METRIC
            )
    assert len(made.asked) == before == len(set(made.asked))
