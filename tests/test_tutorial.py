"""The tutorial: its files and commands, in order, as a reader would run them, with fewer draws and steps."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

PAGE = (Path(__file__).parents[1] / "docs" / "tutorial.md").read_text(encoding="utf-8")
QUICK = {
    "--seeds 10": "--seeds 1 --recipe steps=5 --baseline erm --jobs 1",
    "--strategy erm": "--strategy knn --jobs 1",
    "PYTHONPATH=.": "PYTHONPATH=.:$PYTHONPATH",
    "[:300]": "[:80]",
}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_tutorial_works(tmp_path: Path) -> None:
    blocks = re.findall(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```', PAGE, re.MULTILINE | re.DOTALL)
    assert [kind for kind, *_ in blocks] == ["python", "sh", "sh", "sh", "python", "sh"]
    for kind, title, text in blocks:
        for given, quick in QUICK.items():
            text = text.replace(given, quick)
        if kind == "python":
            (tmp_path / title).write_text(text, encoding="utf-8")
        if title == "make_pictures.py":
            run("python make_pictures.py", tmp_path)
        if kind == "sh":
            said = run(text, tmp_path)
    assert "augmentation+softened" in said
    assert (tmp_path / "fsbench-report.html").is_file()
    answers = pd.read_csv(tmp_path / "answers.csv")
    assert len(answers) == len(list((tmp_path / "pictures" / "digit_3").iterdir()))


def run(command: str, folder: Path) -> str:
    """What a shell prints that finds the commands of this environment."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-ec", command], cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
