"""The overhead of running a trial, in fsbench and in benchopt.

    python benchmarks/harness.py [--splits 200] [--jobs 2]

Runs two methods that take almost no time (nearest neighbours, and one training step) on the given number of
splits of wine, and times the whole command: in fsbench with a process for each trial, in benchopt in one
process. benchopt is installed in a separate virtual environment, which sees the packages of this one and is
removed at the end.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from pathlib import Path

BENCHMARK = Path(__file__).parent / "wine_benchopt"
METHODS = 2


def seconds(command: list[str], folder: Path) -> float:
    """The time in seconds that a command takes in a folder; if it fails, its output is shown."""
    begin = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return time.perf_counter() - begin


def install_benchopt(folder: Path) -> Path:
    """A fresh environment with benchopt in it; returns its Python."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    where = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    ours = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    lines = [f"import site; site.addsitedir({each!r})\n" for each in sorted(ours)]
    (Path(where) / "ours.pth").write_text("".join(lines), encoding="utf-8")
    seconds([str(python), "-m", "pip", "install", "--quiet", "benchopt>=1.10,<2"], folder)
    return python


def time_fsbench(splits: int, jobs: int, folder: Path) -> float:
    """The time in seconds of a run of fsbench."""
    command = [sys.executable, "-m", "fsbench", "run", "--plugins", "erm, sklearn(estimator=knn)"]
    command += ["--baseline", "erm"]
    task = ["--tasks", "kshot(wine, k=5)", "--recipe", "steps=1", "--seeds", str(splits)]
    return seconds([*command, *task, "--device", "cpu", "--jobs", str(jobs)], folder)


def time_benchopt(python: Path, splits: int, folder: Path) -> float:
    """The time in seconds of a run of benchopt."""
    copy = shutil.copytree(BENCHMARK, folder / "benchmark")
    seeds = ",".join(map(str, range(splits)))
    program = [str(python), "-m", "benchopt", "run", str(copy), "--dataset", f"wine[seed=[{seeds}]]"]
    return seconds([*program, "--no-plot", "--no-html", "--max-runs", "1", "--n-repetitions", "1"], folder)


def main() -> None:
    """Print the times of both, in total and per trial, and their ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--splits", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    trials = METHODS * given.splits
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = install_benchopt(folder / "environment")
        found = {
            f"fsbench, {given.jobs} jobs": time_fsbench(given.splits, given.jobs, folder),
            "benchopt": time_benchopt(python, given.splits, folder),
        }
    for program, taken in found.items():
        print(f"{program}: {trials} trials in {taken:.1f} s, {1000 * taken / trials:.0f} ms per trial")
    ours, theirs = found.values()
    print(f"ratio {ours / theirs:.2f}")


if __name__ == "__main__":
    main()
