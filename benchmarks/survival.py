"""Which verdicts with default settings survive equal tuning.

    python benchmarks/survival.py leaderboards/starter-v3.jsonl leaderboards/starter-v3-tuned.jsonl

Compares two published files, default and tuned, on the split seeds that both have. Prints how many verdicts
on single tasks became which, and every row whose verdict was, or became, "helps" or "hurts".
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import TypeAlias

from fsbench.columns import of_records
from fsbench.metrics import DEFAULT_METRIC
from fsbench.report.leaderboard import leaderboard
from fsbench.report.published import read_columns, read_jsonl
from fsbench.report.rows import OVERALL, Row
from fsbench.spec import format_value, parse_call

SETTLED = "helps", "hurts"
Pair: TypeAlias = tuple[tuple[str, str], Row, Row]


def rows(path: Path, seeds: set[int]) -> dict[tuple[str, str], Row]:
    """The rows of a file's leaderboard on some split seeds, by task and by strategy, tuned or not."""
    kept = [record for record in read_jsonl(path) if record.split_seed in seeds]
    board = leaderboard(of_records(kept, [DEFAULT_METRIC], read_columns(path, [DEFAULT_METRIC]).evidence))
    return {(row.task, untuned(row.strategy)): row for row in board.rows}


def untuned(strategy: str) -> str:
    """`erm` of `tuned(erm, n=4)`."""
    call = parse_call(strategy)
    return format_value(call.args[0]) if call.name == "tuned" else strategy


def shown(row: Row) -> str:
    """A difference in points, and the verdict."""
    return "-" if row.difference is None else f"{100 * row.difference.mean:+.1f} {row.verdict}"


def compared(default: Path, tuned: Path) -> tuple[list[Pair], int]:
    """Each task and strategy with its rows in both files, and the number of split seeds that both have."""
    both = [{record.split_seed for record in read_jsonl(path)} for path in (default, tuned)]
    seeds = both[0] & both[1]
    before, after = rows(default, seeds), rows(tuned, seeds)
    found = [(name, row, after[name]) for name, row in before.items() if name in after and row.difference]
    return found, len(seeds)


def changes(pairs: list[Pair]) -> Counter[tuple[str, str]]:
    """How many verdicts on single tasks became which."""
    return Counter((old.verdict, new.verdict) for (task, _), old, new in pairs if task != OVERALL)


def main() -> None:
    """Compare the files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("default", type=Path, help="the published records of default settings")
    parser.add_argument("tuned", type=Path, help="the published records of tuned settings")
    given = parser.parse_args()
    pairs, seeds = compared(given.default, given.tuned)
    for (task, strategy), default, tuned in pairs:
        if default.verdict in SETTLED or tuned.verdict in SETTLED:
            print(f"{task}: {strategy} {shown(default)} > {shown(tuned)}")
    print(f"\non single tasks, {seeds} split seeds:")
    for (old, new), count in changes(pairs).most_common():
        print(f"{count:4} {old} > {new}")


if __name__ == "__main__":
    main()
