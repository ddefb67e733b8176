"""`fsbench compare` on the command line: its exit status, its formats and its errors."""

from __future__ import annotations

import csv
import io
import json
import re

import numpy as np
import pytest
from records import failed, over_seeds, write_jsonl

from fsbench.columns import of_records
from fsbench.evidence import Evidence
from fsbench.report.changes import compare_sides
from fsbench.report.changes_sheet import sheet_of
from fsbench.report.sides import side
from fsbench.store import Store

METRIC = "balanced_accuracy"
A = "kshot(wine, k=1)"
LOW, HIGH = [0.60, 0.62, 0.58, 0.61, 0.59], [0.72, 0.735, 0.70, 0.722, 0.708]


@pytest.fixture
def files(tmp_path):
    for name, values in (("low", LOW), ("high", HIGH)):
        records = over_seeds(A, "erm", LOW) + over_seeds(A, "focal", values)
        write_jsonl(records, tmp_path / f"{name}.jsonl", Evidence())
    return tmp_path / "low.jsonl", tmp_path / "high.jsonl"


def test_the_exit_status_says_whether_b_is_worse(call, files):
    low, high = files
    for first, second, status in ((low, high, 0), (high, low, 1), (low, low, 0)):
        assert call("compare", first, second, "--fail-if-worse")[0] == status
        assert call("compare", first, second)[0] == 0
    assert call("compare", high, low, "--plugins", "erm", "--fail-if-worse")[0] == 0
    assert f"{low} is worse than {high}" in call("compare", high, low, "--fail-if-worse")[2]
    assert call("compare", "focal", "erm", "--results", high, "--fail-if-worse")[0] == 1
    same = call("compare", low, low)[1]
    assert "**Nothing changed: 10 trials, each with the same balanced accuracy.**" in same
    assert "| 0 | the same |" in same
    for row in csv.DictReader(io.StringIO(call("compare", low, low, "--format", "csv")[1])):
        assert (row["difference_low"], row["difference_high"], row["within_margin"]) == ("0.0", "0.0", "True")


def test_all_formats_have_the_same_numbers(call, files):
    low, high = files
    found = json.loads(call("compare", low, high, "--format", "json")[1])
    rows = list(csv.DictReader(io.StringIO(call("compare", low, high, "--format", "csv")[1])))
    assert [float(row["difference"]) for row in rows] == [
        each["difference"] for each in (*found["overall"], *found["tasks"])
    ]
    change = f"{100 * (np.mean(HIGH) - np.mean(LOW)):+.1f}"
    for style in ("markdown", "terminal"):
        status, out, err = call("compare", low, high, "--format", style)
        assert (status, err) == (0, "")
        assert change in out
        assert "1 of 2 strategies better" in " ".join(out.split())
    status, _, err = call("compare", low, high, "--format", "html")
    assert (status, err) == (
        2,
        "fsbench: error: unknown format 'html'; known: csv, json, markdown, terminal\n",
    )


def test_markdown_folds_what_has_not_changed(call, files):
    page = call("compare", *files)[1]
    changed, rest = page.split("<details>", 1)
    assert "`focal`" in changed.split("### Changed beyond noise")[1]
    assert rest.startswith("\n<summary>Not changed beyond noise: 1 result on single tasks</summary>\n\n|")
    assert page.count("<details>") == page.count("</details>") == 2


def test_a_terminal_has_a_table_for_each_task_below_its_name(call, tmp_path):
    long = "kshot(digits, k=5, source=mnist5k(size=8), unlabeled=all)"
    names = ("erm", "hist_gradient_boosting")
    for letter, values in (("a", LOW), ("b", HIGH)):
        records = [each for task in (A, long) for name in names for each in over_seeds(task, name, values)]
        write_jsonl(records, tmp_path / f"{letter}.jsonl", Evidence())
    out = call("compare", tmp_path / "a.jsonl", tmp_path / "b.jsonl", "--format", "terminal")[1]
    lines = [line.rstrip() for line in out.splitlines()]
    for task in (A, long):
        table = lines[lines.index(task) + 1 :][:4]
        assert table[0].split()[0] == "A"
        assert [line.split()[-1] for line in table[2:]] == list(names)


def test_equal_values_beside_a_failure_get_no_verdict_in_any_format(call, tmp_path):
    before = over_seeds(A, "erm", LOW) + over_seeds(A, "svm", LOW)
    lost = failed(task=A, spec="erm", split_seed=0)
    after = [lost, *over_seeds(A, "erm", LOW)[1:], *over_seeds(A, "svm", LOW)]
    for name, records in (("a", before), ("b", after)):
        write_jsonl(records, tmp_path / f"{name}.jsonl", Evidence())
    columns = [of_records(each, [METRIC]) for each in (before, after)]
    sides = [side(name, each, METRIC) for name, each in zip("ab", columns, strict=True)]
    sheet = sheet_of(compare_sides(*sides, METRIC))
    for each in sheet.rows:
        assert each["verdict"] == ("withheld" if each["strategy"] == "erm" else "the same")
    page = call("compare", tmp_path / "a.jsonl", tmp_path / "b.jsonl", "--plugins", "erm")[1]
    assert "No verdict: erm" in page
    assert "the same |" not in page


def test_texts_of_strangers_stay_texts(call, tmp_path):
    evil = "\x1b[31m<b>|`x`\u202e"
    spec = f'focal(x="{evil}")'
    before = over_seeds(A, spec, HIGH) + over_seeds(A, "erm", LOW, device=evil)
    after = [*over_seeds(A, spec, LOW), failed(task=A, spec="erm", split_seed=0, kind=evil, message=evil)]
    for name, records in (("a", before), ("b", after)):
        write_jsonl(records, tmp_path / f"{name}.jsonl", Evidence())
    for style in ("markdown", "terminal"):
        _, out, _ = call("compare", tmp_path / "a.jsonl", tmp_path / "b.jsonl", "--format", style)
        assert not {"\x1b", "\u202e"} & set(out)
        texts = re.sub(r"``.*?``(?!`)", "", out)
        assert style == "terminal" or not re.search(r"(?<!\\)<b>", texts)
    columns = of_records(over_seeds(A, "=cmd()", LOW), [METRIC])
    found = sheet_of(compare_sides(side("a", columns, METRIC), side("b", columns, METRIC), METRIC))
    assert "\n'=cmd()," in found.csv()


def test_what_cannot_be_compared_is_one_line(call, files, tmp_path):
    (low, high), empty = files, tmp_path / "empty"
    Store(empty).close()
    for arguments, said in (
        ((low, "nowhere"), "is a folder or a file, and there is none named nowhere"),
        (("focal", "erm"), "no results in fsbench-results"),
        (("before", "after"), "neither 'before' nor 'after' is a folder or a file"),
        (("before", "after", "--results", empty), f"no results in {empty} in which they could be strategies"),
        (("focal", "foal", "--results", low), "did you mean 'focal'"),
        ((low, high, "--tasks", "kshot(wine, k=9)"), "contains no results of these tasks"),
    ):
        status, out, err = call("compare", *arguments)
        assert (status in (1, 2), out, err.count("\n")) == (True, "", 1)
        assert said in err


@pytest.mark.parametrize("width", [40, 54, 80, 200])
def test_a_narrow_terminal_loses_columns_and_never_a_digit_or_a_task(call, files, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    _, out, _ = call("compare", *files, "--plugins", "focal", "--format", "terminal", "--margin", "50")
    table = out.split("Changed beyond noise")[1]
    lines = [line for line in table.splitlines() if line.strip()]
    assert all(len(line) <= width for line in lines)
    head, _, first, *_ = lines
    assert head.split()[-1] == "task"
    assert re.match(r"60\.0  +71\.7  +\+11\.7 ± \d\.\d ", first.strip())
    assert ("cost" in head, "verdict" in head) == (width == 200, width >= 80)
    if width >= 80:
        assert "within the margin" in table
