"""How often intervals and verdicts are right: the simulations that docs/statistics.md quotes.

    python benchmarks/verdicts.py [--tables N] [tasks] [balanced] [uneven] [reference] [labels] [overall]
                                  [power RECORDS ...]

`tasks` and `overall`: how often 95 % intervals contain the true difference of the population, how often a
whole family of comparisons of equally good classifiers has a wrong verdict, and how many true differences are
found. `balanced`: the same for the balanced accuracy where a class has few test samples. `uneven`: wrong
verdicts if a few rows are far less stable than the rest. `reference`: the same, and intervals, if plain
training is far less stable than what is compared with it. `labels`: how often intervals of labels saved
contain the truth. `power`: how many verdicts the records of a published file or a results folder give with
some of their split seeds. `plain` is Student's paired t test, whose variance is that between splits.
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))

from benchmarks.simulated import FEW_OF_A_CLASS, KINDS, Kind, boards, true_difference  # noqa: E402
from fsbench import stats  # noqa: E402
from fsbench.columns import Columns, of_records  # noqa: E402
from fsbench.composition import BASELINE  # noqa: E402
from fsbench.metrics import DEFAULT_METRIC, get_metric  # noqa: E402
from fsbench.report import differences  # noqa: E402
from fsbench.report.entries import settings  # noqa: E402
from fsbench.report.labels import reached, saved  # noqa: E402
from fsbench.report.leaderboard import leaderboard  # noqa: E402
from fsbench.report.published import read_columns, read_jsonl  # noqa: E402
from fsbench.report.rows import Saved  # noqa: E402
from fsbench.stats import Estimate, Sample  # noqa: E402
from fsbench.store import Store  # noqa: E402

SEEDS = (3, 5, 10)
MARGIN = 0.01
PER_KIND = 4
GAINS = {
    "no gain": (0.0, 0.0, 0.0, 0.0, 0.0),
    "opposite gains": (0.1, -0.1, 0.05, -0.05, 0.0),
    "3 points on each task": (0.03, 0.03, 0.03, 0.03, 0.03),
    "3 points on average": (0.12, -0.06, 0.12, -0.06, 0.03),
}
UNEVEN = (
    *((44, 1, 10), (44, 1, 100), (44, 4, 30), (44, 10, 10), (44, 10, 30)),
    *((10, 1, 30), (10, 2, 30), (10, 3, 10), (8, 1, 100), (6, 1, 100), (6, 2, 100), (5, 1, 100)),
)


def plain(sample: Sample) -> Estimate:
    """The paired t test of a sample, with the floor of coarse steps."""
    return stats.estimate(Sample(sample.values, sample.resolution))


def tasks(count: int) -> None:
    """Tables without differences: intervals that cover the truth, wrong verdicts. What is found of others."""
    covered = np.zeros((len(KINDS) + 1, len(SEEDS), 3))
    for place, n in enumerate(SEEDS):
        wrong, found, equal = np.zeros(2), np.zeros(2), 0
        for board in boards(KINDS, PER_KIND, count, n, streams(77, n)):
            several = [plain(s) for s in board], [stats.estimate(s) for s in board], moderated(board)
            covered[:-1, place] += np.stack([_covered(each) for each in several], axis=1) / count
            wrong += [min(stats.holm([e.p for e in several[i]])) <= 0.05 for i in (0, 2)]
        for board in boards(KINDS, PER_KIND, count // 3, n, streams(78, n), gain=0.05):
            both = [plain(s).p for s in board], [e.p for e in moderated(board)]
            found += [sum(p <= 0.05 for p in stats.holm(each)) for each in both]
        for board in boards(KINDS, PER_KIND, count // 3, n, streams(79, n), gain=MARGIN):
            equal += min(stats.holm([stats.equivalence(e, MARGIN) for e in moderated(board)])) <= 0.05
        print(
            f"tasks, {n} seeds: wrong verdicts in {100 * wrong[0] / count:.1f} % of tables by plain tests, "
            f"{100 * wrong[1] / count:.1f} % now; found {found[0] / (count // 3):.1f} and "
            f"{found[1] / (count // 3):.1f} of {PER_KIND * len(KINDS)} differences of 5 points; wrongly "
            f"equivalent in {100 * equal / (count // 3):.1f} %",
            flush=True,
        )
    covered[-1] = covered[:-1].mean(0)
    print(f"{'covered (%)':36}" + "".join(f"{f'{n} seeds: plain':>17} alone table" for n in SEEDS))
    for name, each in zip([*(kind.name for kind in KINDS), "all"], 100 * covered, strict=True):
        print(f"{name:36}" + "".join(f"{a:17.1f} {b:5.1f} {c:5.1f}" for a, b, c in each))


def streams(number: int, splits: int) -> list[np.random.Generator]:
    """Random numbers of their own for each kind of rows."""
    return [np.random.default_rng([number, splits, place]) for place in range(len(KINDS))]


def _covered(estimates: list[Estimate]) -> np.ndarray:
    """The share of a kind's intervals in a table that cover the truth, `[kinds]`."""
    truths = np.array([[true_difference(kind)] for kind in KINDS])
    ends = np.array([(each.low, each.high) for each in estimates]).reshape(-1, PER_KIND, 2)
    found: np.ndarray = ((ends[..., 0] <= truths) & (truths <= ends[..., 1])).mean(1)
    return found


def balanced(count: int, size: int = 20) -> None:
    """The balanced accuracy with few test samples of a class, in tables of rows of one kind.

    The first two numbers for each number of seeds are those if a sample is compared with its whole class.
    """
    for kind in FEW_OF_A_CLASS:
        found = []
        for n in (5, 10, 20):
            numbers = np.zeros(4)
            for board in boards([kind], size, count, n, [np.random.default_rng([76, n])]):
                for place, rows in enumerate(([_with_itself(each, kind) for each in board], board)):
                    estimates = moderated(rows)
                    covered = np.mean([each.low <= 0 <= each.high for each in estimates])
                    wrong = min(stats.holm([each.p for each in estimates])) <= 0.05
                    numbers[2 * place : 2 * place + 2] += 100 * covered / count, 100 * wrong / count
            found.append(f"{n} seeds: " + " ".join(f"{each:5.1f}" for each in numbers))
        print(f"{kind.name:32}" + "   ".join(found), flush=True)


def _with_itself(sample: Sample, kind: Kind) -> Sample:
    """A sample whose influences are deviations from the mean of the whole class."""
    own = kind.tested // kind.classes
    shrunk, floor = ((own - 1) / own) ** 2, kind.common / kind.tested**2
    return replace(sample, common=max(shrunk * sample.common, floor), own=shrunk * (sample.own or 0.0))


def uneven(count: int) -> None:
    """Wrong verdicts where a few rows are far less stable than the rest."""
    for n in SEEDS:
        for size, unstable, times in UNEVEN:
            wrong = count_wrong(size, unstable, times, n, count)
            print(
                f"uneven, {n} seeds, {unstable} of {size} rows with {times} times the variance: "
                f"wrong verdicts in {100 * wrong:.1f} % of tables",
                flush=True,
            )


def count_wrong(size: int, unstable: int, times: float, splits: int, count: int) -> float:
    """The share of tables with a wrong verdict; no row has a difference, some have a larger variance."""
    rng, wrong = np.random.default_rng([size, unstable, int(times), splits]), 0
    deviations = np.where(np.arange(size) < unstable, times**0.5, 1.0)
    for _ in range(count):
        values = rng.normal(size=(size, splits)) * deviations[:, None]
        board = [Sample(tuple(row), own=0.25) for row in values.tolist()]
        wrong += min(stats.holm([each.p for each in moderated(board)])) <= 0.05
    return wrong / count


def reference(count: int, strategies: int = 14, deviation: float = 0.3) -> None:
    """Intervals and verdicts where rows share the noise of ERM, which is larger than that of strategies."""
    own = 0.25 * (1 + deviation**2)
    for n in SEEDS:
        for number in (1, 2, 5):
            rng, wrong, covered = np.random.default_rng([6, n, number]), 0, np.zeros(2)
            for _ in range(count):
                plain_training = rng.normal(size=(number, 1, n))
                gains = rng.normal(0, deviation, (number, strategies, n)) - plain_training
                board = [Sample(tuple(row), own=own) for row in gains.reshape(-1, n).tolist()]
                together, alone = moderated(board), [stats.estimate(each) for each in board]
                wrong += min(stats.holm([each.p for each in together])) <= 0.05
                covered += [
                    sum(abs(e.mean) <= (e.half_width or 0) for e in each) for each in (together, alone)
                ]
            in_table, by_itself = 100 * covered / (count * number * strategies)
            print(
                f"reference, {n} seeds, {number} tasks of {strategies} rows: intervals cover "
                f"{in_table:.1f} % in a table, {by_itself:.1f} % alone; "
                f"wrong verdicts in {100 * wrong / count:.1f} % of tables",
                flush=True,
            )


def labels(count: int) -> None:
    """Intervals of labels saved that cover the truth."""
    numbers, levels, noise = (1, 4, 16, 64), np.array([0.2, 0.4, 0.6, 0.8]), 0.02
    for common in (0.0, noise):
        for place, score in ((1, 0.5), (1, 0.4), (0, 0.21)):
            true = 4 ** ((score - levels[place]) / 0.2)
            for n in SEEDS:
                rng, covered = np.random.default_rng([5, n]), 0
                for _ in range(count):
                    drawn = rng.normal(0, noise, (n, 5)) + rng.normal(0, noise, (n, 1))
                    scores = np.append(levels, score) + drawn + rng.normal(0, common, 5)
                    gains = scores[:, 4] - scores[:, place]
                    gain = stats.estimate(Sample(tuple(gains.tolist()), common=2 * common**2))
                    found = reached(scores[:, :4], scores[:, 4], numbers, place, gain.half_width)
                    low, high = _ends(saved([found], gain))
                    covered += low <= true <= high
                print(
                    f"labels, {n} seeds, {true:.2f} times, test samples {'shared' if common else 'apart'}: "
                    f"{100 * covered / count:.1f} % of intervals cover it",
                    flush=True,
                )


def _ends(found: Saved) -> tuple[float, float]:
    """The ends of an interval of labels saved; those beyond the range are 0 and infinity."""
    low = 0.0 if found.ends_beyond in ("below", "both") else found.low or 0.0
    high = math.inf if found.ends_beyond in ("above", "both") else found.high or math.inf
    return low, high


def moderated(board: list[Sample]) -> list[Estimate]:
    """The estimates of all rows of a table."""
    prior = stats.fit_prior(board)
    return [stats.estimate(sample, prior) for sample in board]


def overall(count: int, strategies: int = 8) -> None:
    """Families of comparisons over five independent tasks: equal gains on all of them, or opposite ones."""
    kinds = [KINDS[i] for i in (0, 1, 3, 4, 7)]
    for n in SEEDS:
        for name, gains in GAINS.items():
            rng, mean = np.random.default_rng([4, n]), float(np.mean(gains))
            settled, covered = np.zeros((count, 2, strategies), dtype=bool), 0
            for place, board in enumerate(boards(kinds, strategies, count, n, [rng] * len(kinds), gains)):
                lists = [board[s::strategies] for s in range(strategies)]
                estimates = [over_tasks(each) for each in lists]
                tests = [cautious(each) for each in lists], [e.p for e in estimates]
                settled[place] = np.array([stats.holm(each) for each in tests]) <= 0.05
                covered += sum(abs(e.mean - mean) <= (e.half_width or 0) for e in estimates)
            by_t, now = 100 * (settled.mean((0, 2)) if mean else settled.any(2).mean(0))
            print(
                f"overall, {n} seeds, {name}: {'found' if mean else 'tables with a wrong verdict'} "
                f"{by_t:.1f} % by t tests, {now:.1f} % now; intervals cover "
                f"{100 * covered / (count * strategies):.1f} %",
                flush=True,
            )


def over_tasks(board: list[Sample]) -> Estimate:
    """The mean of independent tasks."""
    return stats.overall([[_part(sample, len(board))] for sample in board])


def _part(sample: Sample, total: int) -> Sample:
    """A task's contribution to a mean."""
    values = tuple(value / total for value in sample.values)
    own = None if sample.own is None else sample.own / total**2
    return Sample(values, sample.resolution / total, sample.common / total**2, own, sample.shared)


def cautious(board: list[Sample]) -> float:
    """The t test over tasks with the smallest degrees of freedom."""
    from scipy.special import stdtr

    found = [plain(sample) for sample in board]
    error = math.sqrt(sum((e.error or 0) ** 2 for e in found)) / len(found)
    mean = sum(e.mean for e in found) / len(found)
    return 2 * float(stdtr(len(board[0].values) - 1, -abs(mean) / error))


def power(path: Path, draws: int = 40) -> None:
    """Verdicts that some of the split seeds of stored records give."""
    rng = np.random.default_rng(0)
    if path.is_file():
        records, columns = read_jsonl(path), read_columns(path, [DEFAULT_METRIC])
    else:
        with Store(path, create=False) as store:
            records, columns = store.records(), store.columns([DEFAULT_METRIC])
    seeds = sorted({record.split_seed for record in records})
    for n in (each for each in SEEDS if each <= len(seeds)):
        counts = []
        for _ in range(draws if n < len(seeds) else 1):
            chosen = set(rng.choice(seeds, n, replace=False).tolist())
            kept = [record for record in records if record.split_seed in chosen]
            counts.append(_verdicts(of_records(kept, [DEFAULT_METRIC], columns.evidence)))
        total, by_t, now, overall_now = np.mean(counts, axis=0)
        print(
            f"power, {path.name}, {n} of {len(seeds)} seeds: {now:.1f} of {total:.0f} comparisons on tasks "
            f"settled, {by_t:.1f} by plain tests in one family with those overall; {overall_now:.1f} overall"
        )


def _verdicts(columns: Columns) -> tuple[int, int, int, int]:
    """The comparisons on tasks, those that plain tests and the leaderboard settle, and those overall."""
    board = leaderboard(columns)
    compared = [row for _, rows_ in board.tasks for row in rows_ if row.difference]
    both = [row for row in board.overall if row.difference]
    p = [plain(each).p for each in compared_values(columns)]
    by_t = sum(each <= 0.05 for each in stats.holm([*p, *[1.0] * len(both)]))
    settled = [sum(row.verdict in ("helps", "hurts") for row in each) for each in (compared, both)]
    return len(compared), by_t, settled[0], settled[1]


def compared_values(columns: Columns) -> list[Sample]:
    """The differences to plain training on each task, as samples."""
    metric = get_metric(DEFAULT_METRIC)
    compared = [
        (setting, differences.minus(entry, setting.baseline))
        for setting in settings(columns)
        for entry in setting.entries.values()
        if entry.strategy != BASELINE
    ]
    return list(filter(None, differences.samples(compared, metric)))


def main() -> None:
    """Run the named simulations; all but `power` by default."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    simulations = {
        "tasks": tasks,
        "balanced": balanced,
        "uneven": uneven,
        "reference": reference,
        "labels": labels,
        "overall": overall,
    }
    parser.add_argument("names", nargs="*", default=list(simulations))
    parser.add_argument("--tables", type=int, default=1500, help="simulated tables for each number (1500)")
    given = parser.parse_args()
    for name in given.names:
        if name in simulations:
            simulations[name](given.tables)
        elif name != "power":
            power(Path(name))


if __name__ == "__main__":
    main()
