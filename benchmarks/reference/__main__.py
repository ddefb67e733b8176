"""The command line: runs one row and prints it in the form of docs/reference-results.md."""

from __future__ import annotations

import argparse
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.reference import (
    adaptation,
    deic,
    episodes,
    identities,
    noise,
    priors,
    semi_supervised,
    tables,
    texts,
    without_source,
)
from benchmarks.reference.rows import Options, Row, render

ROWS: dict[str, Row] = {
    row.name: row
    for row in (
        episodes.R1,
        episodes.R2,
        adaptation.R3,
        deic.R4,
        tables.R5,
        identities.R6,
        texts.R7,
        without_source.R8,
        semi_supervised.R9,
        noise.R10,
        episodes.R11,
        priors.R12,
    )
}


def main(arguments: list[str]) -> int:
    """Run the requested row; returns 1 if one of its numbers is outside its band."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reference", description=__doc__)
    parser.add_argument("row", choices=ROWS)
    parser.add_argument("--short", action="store_true", help="the short version, where there is one")
    parser.add_argument(
        "--only",
        default="",
        help="a part of the row (R1, R11: 5w1s, ...; R2: conv4; R3, R8: a direction; R7: 500; R9: vat, ...)",
    )
    parser.add_argument("--jobs", type=int, default=None, help="worker processes")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--results", type=Path, default=Path("reference-results"), help="results folder")
    given = parser.parse_args(arguments)
    row = ROWS[given.row]
    if given.short and not row.short:
        parser.error(f"{row.name} has no short version")
    if given.only and given.only not in row.parts:
        parser.error(f"--only {given.only}: expected one of {', '.join(row.parts) or 'nothing'}")
    outcome = row.measure(
        Options(given.results / row.name, given.short, given.jobs, given.device, given.only)
    )
    shown = [a for a in arguments if a in (given.row, "--short", "--only", given.only) and a]
    command = shlex.join(["python", "-m", "benchmarks.reference", *shown])
    print(render(row, outcome, command, f"{datetime.now(UTC):%Y-%m-%d}"))
    return int(any(line.verdict == "OUTSIDE" for line in outcome.lines))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
