"""`fsbench leaderboard` and `fsbench report`: formats and choices."""

from __future__ import annotations

import csv
import gc
import io
import json

import pytest

import fsbench
from fsbench.cli import main
from fsbench.cli.output import uncollected
from fsbench.report.formats import DEFAULT_FORMAT, FORMATS
from fsbench.report.leaderboard import leaderboard
from fsbench.report.stored import read_records

TASK = "kshot(wine, k=2)"
STARTER = ("--suite", "starter-v3")


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A results folder with one task of a suite."""
    folder = tmp_path_factory.mktemp("boards") / "results"
    options = {"seeds": 2, "jobs": 1, "device": "cpu", "baseline": "erm"}
    fsbench.run("focal", tasks=TASK, results=folder, **options)
    return folder


def test_a_leaderboard_is_printed(call, stored):
    status, shown, err = call("leaderboard", "--results", stored)
    assert (status, err) == (0, "")
    assert TASK in shown
    assert "\x1b" not in shown
    assert "negative log-likelihood" in call("leaderboard", "--results", stored, "--metric", "nll")[1]


@pytest.mark.slow
def test_a_report_is_written_in_every_format(call, stored, tmp_path):
    frame = leaderboard(read_records(stored)).to_frame()
    for style, chosen in FORMATS.items():
        target = tmp_path / style / f"board{chosen.suffix}"
        status, out, err = call("report", "--results", stored, "--format", style, "--output", target)
        assert (status, out, err.count("\n")) == (0, "", 1)
        assert err.startswith(f"fsbench: wrote {target}")
        assert style != "csv" or err.endswith("and 1 file beside it\n")
        assert "focal" in "".join(
            path.read_text(encoding="utf-8", errors="replace")
            for path in (tmp_path / style).rglob("*")
            if path.is_file()
        )
    rows = list(csv.DictReader(io.StringIO((tmp_path / "csv" / "board.csv").read_text(encoding="utf-8"))))
    assert len(rows) == len(frame)
    arguments = {(row["protocol"], row["dataset"], row["k"]) for row in rows}
    assert arguments == {("kshot", "wine", "2"), ("", "", "")}


def test_the_ending_of_a_report_must_be_that_of_a_format(call, stored, tmp_path):
    status, _, err = call("report", "--results", stored, "--output", tmp_path / "page.pdf")
    assert status == 2
    assert "page.pdf: no report ends in .pdf; expected .html, .md, .tex, .csv, .json, or a format" in err
    assert not (tmp_path / "page.pdf").exists()
    assert call("report", "--results", stored, "--format", "html", "--output", tmp_path / "page.v2")[0] == 0


def test_a_report_can_be_printed(call, stored):
    status, out, err = call(
        "report", "--results", stored, "--format", "json", "--metric", "nll", "--output", "-"
    )
    assert (status, err) == (0, "")
    (board,) = json.loads(out)["leaderboards"]
    assert board["metric"]["name"] == "nll"
    status, _, err = call("report", "--results", stored, "--format", "svg", "--output", "-")
    assert (status, "give --output FOLDER" in err) == (2, True)


def test_a_report_is_by_default_a_page_in_the_current_folder(call, stored, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert call("report", "--results", stored)[0] == 0
    assert (tmp_path / f"fsbench-report{FORMATS[DEFAULT_FORMAT].suffix}").exists()


def test_a_report_of_a_published_file_is_named_after_it(call, stored, tmp_path):
    assert call("publish", stored, tmp_path)[0] == 0
    (tmp_path / "results.jsonl").rename(tmp_path / "mine-v1.jsonl")
    page = tmp_path / "page.html"
    assert call("report", "--results", tmp_path / "mine-v1.jsonl", "--output", page)[0] == 0
    assert "Which strategy helps: mine-v1" in page.read_text()


def test_wrong_formats_and_places_of_reports_are_errors(call, stored, tmp_path):
    status, _, err = call("report", "--results", stored, "--format", "markdwn")
    assert (status, err.count("\n"), "did you mean 'markdown'" in err) == (2, 1, True)
    (tmp_path / "file").touch()
    status, _, err = call("report", "--results", stored, "--output", tmp_path / "file" / "page.md")
    assert (status, err.count("\n"), "cannot write" in err) == (2, 1, True)


def test_a_leaderboard_can_be_limited_to_some_tasks(call, stored):
    status, shown, err = call("leaderboard", "--results", stored, *STARTER)
    assert (status, TASK in shown) == (0, True)
    assert err == "fsbench: 11 of starter-v3's 12 tasks have no results here\n"
    assert TASK in call("leaderboard", "--results", stored, "--tasks", "kshot(wine, k=[1, 2])")[1]
    status, out, err = call("leaderboard", "--results", stored, "--tasks", "kshot(wine, k=1)")
    assert (status, out) == (2, "")
    assert "contains no results of these tasks; `fsbench run --tasks" in err
    assert f'`fsbench run --tasks "kshot(wine, k=1)" --results {stored}` produces some' in err
    two, other = stored.parent / "two", "kshot(wine, k=3)"
    assert (
        call("run", "--plugins", "erm", "--tasks", f"kshot(wine, k=2, val=3), {other}", "--results", two)[0]
        == 0
    )
    err = call("leaderboard", "--results", two, "--tasks", other)[2]
    assert err.startswith("fsbench: verdicts are corrected for the comparisons on these tasks only")
    err = call("leaderboard", "--results", two, "--tasks", TASK)[2]
    assert "it has those of kshot(wine, k=2, val=3); name that in full" in err
    assert err.endswith(f'or run yours with `fsbench run --tasks "{TASK}" --results {two}`\n')
    assert f"did you mean {TASK!r}?" in call(
        "leaderboard", "--results", stored, "--tasks", TASK.replace("wine", "wien")
    )[2].replace("\n", " ")
    status, _, err = call("leaderboard", "--results", stored, "--tasks", TASK, "--suite", "starter-v3")
    assert (status, err.count("\n")) == (2, 1)


def test_garbage_is_collected_again_after_a_report() -> None:
    def fail() -> None:
        with uncollected():
            with uncollected():
                assert not gc.isenabled()
            assert not gc.isenabled()
            raise ValueError("a report failed")

    with pytest.raises(ValueError, match="a report"):
        fail()
    assert gc.isenabled()


@pytest.mark.parametrize(
    ("encoding", "command", "shown"),
    [("cp1252", ("compare", "erm", "focal"), b"erm ? focal"), ("ascii", ("leaderboard",), b" ? ")],
)
def test_a_terminal_without_a_character_shows_a_question_mark(stored, encoding, command, shown, monkeypatch):
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr("sys.stdout", out)
    assert main([*command, "--results", str(stored)]) == 0
    assert shown in out.buffer.getvalue()
