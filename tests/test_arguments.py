"""Arguments of another type, or empty ones, are refused in one line that names them."""

from __future__ import annotations

import pytest
from records import over_seeds, write_jsonl

import fsbench
from fsbench import OwnData
from fsbench.cli import main
from fsbench.errors import FsbenchError, SpecError, UsageError

A = "kshot(wine, k=5)"
PATH = "expected the path of a file or folder"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seeds": "3"}, "seeds='3': expected a number of at least 1, or seeds"),
        ({"seeds": 2.0}, r"seeds=2\.0: expected a number of at least 1"),
        ({"init_seeds": [None]}, r"init_seeds=\[None\]: expected a number of at least 1"),
        ({"timeout": "5"}, "timeout='5': expected a number"),
        ({"jobs": "2"}, "jobs='2': expected a number"),
        ({"plugins": 5}, "plugins=5: expected the names of strategies"),
        ({"baseline": 5}, "baseline=5: expected the names of strategies"),
        ({"tasks": [None]}, r"tasks=\[None\]: expected texts such as 'kshot\(digits, k=5\)'"),
        ({"tasks": 5}, "tasks=5: expected texts"),
        ({"tasks": None, "suite": 5}, "suite=5: expected a name, such as starter-v3, or the path of a file"),
        ({"tasks": None, "data": 5}, f"data=5: {PATH}"),
        ({"device": None}, "device None: expected auto, cpu, cuda or cuda:NUMBER"),
        ({"results": None}, f"results=None: {PATH}"),
        ({"results": ""}, f"results='': {PATH}"),
        ({"recipe": 5}, "recipe=5: expected a text such as 'steps=100', or a mapping"),
    ],
)
def test_arguments_of_a_run_are_refused_in_one_line(options, message, tmp_path):
    with pytest.raises((UsageError, SpecError), match=f"^{message}"):
        fsbench.run(**{"plugins": "erm", "tasks": A, "results": tmp_path} | options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("given", ["", None, 5])
def test_a_path_that_is_none_is_refused_wherever_one_is_expected(given, tmp_path):
    write_jsonl(over_seeds(A, "erm", [0.5, 0.6, 0.7]), tmp_path / "mine.jsonl")
    results = fsbench.load(tmp_path / "mine.jsonl")
    calls = {
        "results": lambda: fsbench.load(given),
        "data": lambda: OwnData(given),
    }
    if given is not None:
        calls |= {
            "unlabeled": lambda: OwnData("mine.csv", unlabeled=given),
            "target_data": lambda: OwnData("mine.csv", target_data=given),
            "output": lambda: results.report(given, format="csv"),
        }
    for name, call in calls.items():
        with pytest.raises(FsbenchError, match=rf"^{name}(=.*: {PATH}$|: the path is empty)"):
            call()


@pytest.mark.parametrize(
    "command",
    [
        ["run", "--results", ""],
        ["leaderboard", "--results", ""],
        ["publish", ".", ""],
        ["merge", ""],
        ["advise", "--data", "x.csv", "--output", ""],
        ["run", "--config", ""],
    ],
)
def test_an_empty_path_of_a_command_is_refused(command, tmp_path, monkeypatch, capsys):
    """As a variable of a shell that is not set."""
    monkeypatch.chdir(tmp_path)
    assert main(command) == 2
    assert f"='': {PATH}" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("margin", ["0", "-1", "inf", "nan"])
def test_a_margin_is_above_0_and_finite(margin, capsys):
    assert main(["leaderboard", "--margin", margin]) == 2
    assert "expected a number above 0, and finite" in capsys.readouterr().err


@pytest.mark.parametrize("columns", ["0", "40"])
def test_tables_are_shown_on_a_terminal_without_a_width(columns, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", columns)
    write_jsonl(over_seeds(A, "erm", [0.5, 0.6, 0.7]), tmp_path / "mine.jsonl")
    assert main(["leaderboard", "--results", str(tmp_path / "mine.jsonl")]) == 0
    assert "erm" in capsys.readouterr().out


def test_a_report_does_not_replace_the_log_of_results(tmp_path):
    write_jsonl(over_seeds(A, "erm", [0.5, 0.6, 0.7]), tmp_path / "mine.jsonl")
    with pytest.raises(UsageError, match="has the name of a file of results"):
        fsbench.load(tmp_path / "mine.jsonl").report(tmp_path / "run.log", format="csv")
