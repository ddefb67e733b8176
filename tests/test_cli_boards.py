"""`fsbench leaderboard`: formats, choices and publishing."""

from __future__ import annotations

import dataclasses
import json

import pytest

import fsbench
from fsbench.report.leaderboard import leaderboard
from fsbench.report.markdown import to_markdown
from fsbench.report.published import read_columns, read_jsonl
from fsbench.store import Store
from fsbench.tasks.suites import load_suite
from fsbench.types import Record

TASK = "kshot(wine, k=2)"
STARTER = ("--suite", "starter-v2")


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A results folder with one task of a suite."""
    folder = tmp_path_factory.mktemp("boards") / "results"
    options = {"seeds": 2, "jobs": 1, "device": "cpu", "baseline": "erm"}
    fsbench.run("focal", tasks=TASK, results=folder, **options)
    return folder


def _records(folder) -> list[Record]:
    with Store(folder, create=False) as store:
        return store.records()


def test_a_leaderboard_is_printed_in_every_format(call, stored, tmp_path):
    frame = leaderboard(_records(stored)).to_frame()
    status, shown, err = call("leaderboard", "--results", stored)
    assert (status, err) == (0, "")
    assert TASK in shown
    assert "\x1b" not in shown
    csv = call("leaderboard", "--results", stored, "--format", "csv")[1]
    assert csv.splitlines()[0].split(",")[:2] == ["task", "recipe"]
    assert len(csv.splitlines()) == 1 + len(frame)
    table = json.loads(call("leaderboard", "--results", stored, "--format", "json", "--metric", "nll")[1])
    assert table["metric"]["name"] == "nll"
    for style in ("terminal", "markdown", "csv", "json"):
        target = tmp_path / f"board.{style}"
        assert call("leaderboard", "--results", stored, "--format", style, "--output", target) == (0, "", "")
        assert "focal" in target.read_text(encoding="utf-8")
    status, _, err = call("leaderboard", "--results", stored, "--output", tmp_path / "no" / "file")
    assert status == 2
    assert "cannot write" in err


def test_a_leaderboard_can_be_limited_to_some_tasks(call, stored):
    status, shown, err = call("leaderboard", "--results", stored, *STARTER)
    assert (status, TASK in shown) == (0, True)
    assert err == "fsbench: 12 of starter-v2's 13 tasks have no results here\n"
    assert TASK in call("leaderboard", "--results", stored, "--tasks", "kshot(wine, k=[1, 2])")[1]
    status, out, err = call("leaderboard", "--results", stored, "--tasks", "kshot(wine, k=1)")
    assert (status, out) == (2, "")
    assert "contains no results of these tasks; `fsbench run --tasks" in err
    status, _, err = call("leaderboard", "--results", stored, "--tasks", TASK, "--suite", "starter-v2")
    assert (status, err.count("\n")) == (2, 1)


def test_a_part_of_a_suite_is_not_published_under_its_name(call, stored, tmp_path):
    status, out, err = call("leaderboard", "--results", stored, *STARTER, "--publish", tmp_path)
    assert (status, out) == (2, "")
    assert "63 of the 65 splits of starter-v2 have no result" in err
    assert list(tmp_path.iterdir()) == []


def test_a_leaderboard_can_be_published(call, stored, tmp_path, monkeypatch):
    short = dataclasses.replace(load_suite("starter-v2"), tasks=(TASK,), split_seeds=2)
    monkeypatch.setattr("fsbench.tasks.suites.load_suite", lambda name: short)
    status, _, err = call("leaderboard", "--results", stored, *STARTER, "--publish", tmp_path / "new")
    assert status == 0
    assert "starter-v2.jsonl and" in err
    published = read_jsonl(tmp_path / "new" / "starter-v2.jsonl")
    assert {record.key for record in published} == {record.key for record in _records(stored)}
    page = (tmp_path / "new" / "starter-v2.md").read_text(encoding="utf-8")
    columns = read_columns(tmp_path / "new" / "starter-v2.jsonl", ["balanced_accuracy"])
    assert columns.evidence.drawn.keys() == {record.split_fingerprint for record in published}
    assert page == to_markdown(leaderboard(columns), "starter-v2")
    shown = call("leaderboard", "--results", tmp_path / "new" / "starter-v2.jsonl", "--format", "markdown")[1]
    assert shown == page.replace("# Leaderboard: starter-v2", "# Leaderboard", 1)
    (tmp_path / "file").touch()
    status, _, err = call(
        "leaderboard", "--results", stored, *STARTER, "--publish", tmp_path / "file" / "new"
    )
    assert (status, err.count("\n")) == (1, 1)
    assert "cannot make the folder" in err
