"""Write the fingerprints of a suite's splits into its file, for the tasks whose data is on this machine.

    python tools/freeze_suite.py kshot-v1 [NAME ...] [--replace]

Published fingerprints stay: if the fingerprint of a split differs from that in the file, this is an error,
unless `--replace` is given (for a suite that nobody has used yet). Tasks whose data is absent keep the
fingerprints in the file. Tasks on glyphs, patches or docstrings are left out, because their data comes from
whatever libraries are installed, and so are tasks whose data is in a file that only stands in for the
dataset.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fsbench.datasets.about import image_sets
from fsbench.datasets.image_files import find_file
from fsbench.errors import DataError, FsbenchError
from fsbench.same_data import check_split
from fsbench.spec import parse_call
from fsbench.tasks.expressions import Task, parse_tasks
from fsbench.tasks.splits import draw_split
from fsbench.tasks.suites import Suite, load_suite, missing_datasets

FOLDER = Path(__file__).parents[1] / "fsbench" / "suites"
DIGITS = 16
FEWEST = 10
HEADING = "[fingerprints]\n"
# Datasets whose content may change with an installed library.
DRAWN = ("glyphs", "patches", "docstrings")


def freeze(suite: Suite, replace: bool) -> dict[str, tuple[str, ...]]:
    """The fingerprints by task, in the order of the tasks: those of the file, and new ones."""
    found = {}
    for text in suite.tasks:
        known = suite.fingerprints.get(text, ())
        if not missing_datasets(text) and not drawn_or_substituted(*parse_tasks(text)):
            found[text] = fingerprints(suite, *parse_tasks(text), check=not replace)
        elif known:
            found[text] = known
    return found


def drawn_or_substituted(task: Task) -> bool:
    """Whether a library draws the data of a task, or a file with another name stands in for it."""
    for text in task.protocol.datasets:
        name = parse_call(text).name
        file = find_file(name) if name in image_sets() else None
        if name in DRAWN or (file is not None and file.stem != name):
            return True
    return False


def fingerprints(suite: Suite, task: Task, check: bool) -> tuple[str, ...]:
    """The fingerprints of a task's first splits, at least ten. Raises DataError if the file has others."""
    drawn = [draw_split(task, seed).fingerprint for seed in range(max(FEWEST, suite.split_seeds))]
    for seed, fingerprint in enumerate(drawn if check else ()):
        check_split(suite, task.text, seed, fingerprint)
    return tuple(fingerprint[:DIGITS] for fingerprint in drawn)


def write(name: str, found: dict[str, tuple[str, ...]]) -> None:
    """Replace everything after the heading of the fingerprints in the file of a suite."""
    path = FOLDER / f"{name}.toml"
    head, heading, _ = path.read_text(encoding="utf-8").partition(HEADING)
    if not heading:
        raise DataError(f"{path} has no line {HEADING.strip()}; put one at its end")
    lines = [
        f'"{task}" = [{", ".join(f"{chr(34)}{f}{chr(34)}" for f in known)}]\n'
        for task, known in found.items()
    ]
    path.write_text(head + heading + "".join(lines), encoding="utf-8")


def main() -> int:
    """Freeze the named suites; prints one line for each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="+", metavar="NAME", help="a suite")
    parser.add_argument("--replace", action="store_true", help="replace fingerprints that differ")
    given = parser.parse_args()
    try:
        for name in given.names:
            suite = load_suite(name)
            found = freeze(suite, given.replace)
            write(name, found)
            print(f"{name}: {len(found)} of {len(suite.tasks)} tasks have fingerprints")
    except FsbenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
