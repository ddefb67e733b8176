from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from pages import FORMATS, render, without_figures
from records import failed, over_seeds, realistic, record, skipped, write_jsonl
from rich.console import Console

from fsbench.errors import StoreError, UsageError
from fsbench.evidence import Evidence
from fsbench.metrics import METRICS, get_metric
from fsbench.report import latex, text
from fsbench.report.budgets import leaderboards
from fsbench.report.formats import write_file
from fsbench.report.leaderboard import leaderboard
from fsbench.report.markdown import to_markdown
from fsbench.report.published import gathered, read_columns, read_jsonl
from fsbench.report.publishing import write_published
from fsbench.report.terminal import print_board
from fsbench.stats import Estimate

ROOT = Path(__file__).parent.parent
BOARD = leaderboard(realistic())
A = "kshot(digits, k=5)"


def markdown_rows(page: str) -> list[list[str]]:
    """The cells of every table row, headers left out."""
    lines = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| # ")]
    return [
        [each.strip().replace("\\", "").strip("`") for each in line.strip("|").split(" | ")] for line in lines
    ]


def shown_numbers(values: dict[str, str], board) -> tuple[str, str, str]:
    """Strategy, score and difference as they should be shown, from the numbers for machines."""
    metric, shown = board.metric, []
    for name, signed in (("score", False), ("difference", True)):
        if values[name] in (None, ""):
            shown.append("-")
            continue
        mean, low, high = (values[f"{name}{part}"] for part in ("", "_low", "_high"))
        bounds = [None if each in (None, "") else float(each) for each in (low, high)]
        shown.append(text.interval(Estimate(float(mean), *bounds, p=1.0, n=0), metric, signed))
    return values["strategy"], *shown


def stripped(rows: list[list[str]]) -> list[tuple[str, str, str]]:
    """Strategy, score and difference of Markdown rows."""
    return [(row[1], row[3], row[4].removesuffix("*")) for row in rows]


@pytest.mark.parametrize("metric", sorted(METRICS))
def test_all_formats_show_the_same_numbers(metric):
    board = leaderboard(realistic(), metric=metric)
    markdown = stripped(markdown_rows(render(board, "markdown")))
    content = json.loads(render(board, "json"))
    from_json = content["overall"] + [row for task in content["tasks"] for row in task["rows"]]
    from_csv = list(csv.DictReader(io.StringIO(render(board, "csv"))))
    frame = board.to_frame().astype(object).where(lambda f: f.notna(), None).to_dict("records")
    for rows in (from_json, from_csv, frame):
        kept = [row for row in rows if row["task"] == "overall" or int(row["done"])]
        assert [shown_numbers(row, board) for row in kept] == markdown
    terminal = render(board, "terminal", width=200)
    for strategy, whole, difference in markdown:
        score = whole.partition(" (")[0]  # its ends are on the next line
        assert re.search(rf"{re.escape(strategy)} .*{re.escape(score)} .*{re.escape(difference)}", terminal)


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_lines_fit_the_width_of_the_terminal(width):
    lines = render(BOARD, "terminal", width).splitlines()
    assert max(map(len, lines)) <= width
    assert any(re.match("1 {1,2}augmentation ", line) for line in lines)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_name_is_broken_in_the_middle_of_a_word(width):
    long = "transfer(mode=linear_probe, source_steps=50)+augmentation(strength=0.5)"
    board = leaderboard([replace(r, spec=long if r.spec == "maml" else r.spec) for r in realistic()])
    table = render(board, "terminal", width).partition("Overall")[2].partition("\n\n")[0]
    wanted = {word for row in board.overall for word in re.findall(r"[\w.]+", row.strategy)}
    assert {"linear_probe", "augmentation"} < wanted
    assert wanted - set(re.findall(r"[\w.]+", table)) == set()


def test_a_narrow_terminal_shows_the_main_columns_and_no_explanations():
    page = render(BOARD, "terminal", 60)
    assert re.search(r"^# +strategy +score +vs erm +verdict$", page, re.MULTILINE)
    assert re.search(r"^score  ", page, re.MULTILINE)
    assert not re.search(r"^(done|cost|MB|uses)  ", page, re.MULTILINE)


def test_output_is_plain_without_a_terminal():
    stream = io.StringIO()
    print_board(BOARD, Console(file=stream, width=100))
    assert "\x1b" not in stream.getvalue()


def test_no_color_is_respected(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    stream = io.StringIO()
    print_board(BOARD, Console(file=stream, width=100, force_terminal=True))
    assert not re.search(r"\x1b\[[\d;]*3[0-7]m", stream.getvalue())


def test_colours_follow_the_verdicts():
    records = over_seeds("kshot(wine, k=5)", "erm", [0.7, 0.72, 0.68])
    records += over_seeds("kshot(wine, k=5)", "good", [0.8, 0.821, 0.779])
    records += over_seeds("kshot(wine, k=5)", "bad", [0.6, 0.621, 0.579])
    stream = io.StringIO()
    console = Console(file=stream, width=100, force_terminal=True, color_system="standard", no_color=False)
    print_board(leaderboard(records), console)
    assert "\x1b[32mhelps" in stream.getvalue()
    assert "\x1b[31mhurts" in stream.getvalue()


def test_the_terminal_page_says_what_matters():
    page = render(BOARD, "terminal", 1000)
    for part in (
        "balanced accuracy in % (higher is better), 9 tasks, 3 split seeds",
        "failed: maml, 1 trial on shift(mnist5k(size=8), digits); latest: TimeOut: ran longer",
        "skipped: dann, maml, transfer, transfer+augmentation+focal(gamma=1.5) on 6 tasks: needs source data",
        "correction (Holm) for all 37 comparisons on tasks",
        "equivalent: significantly within 1 point",
        "intervals on 9 tasks leave out that test samples were drawn",
        "Helps on single tasks: augmentation on 8 of 9 tasks",
        'Worse than erm: resampling(method="random-over") on',
        "Choose their number now, such as 10 in all: each further look is another chance of a wrong verdict.",
    ):
        assert part in page


def test_markdown_explains_each_column_in_bold():
    page = render(BOARD, "markdown")
    for column in {*text.OVERALL_COLUMNS, *text.TASK_COLUMNS} - {"strategy", text.AGAINST, text.SOURCE}:
        assert f"\n- **{column}**: " in page
    assert "\\* marks a difference" in page


def test_the_recommendation_names_negative_transfer():
    task = "shift(mnist5k(size=8), digits)"
    records = over_seeds(task, "erm", [0.8, 0.821, 0.779])
    records += over_seeds(task, "dann", [0.7, 0.72, 0.68], uses=("source", "unlabeled"))
    line = "Negative transfer: dann uses source data and unlabelled data and is worse than erm."
    for format in ("terminal", "markdown", "json"):
        assert line in render(leaderboard(records), format, 1000)


def test_using_the_test_inputs_is_shown_and_is_not_transfer():
    records = over_seeds(A, "erm", [0.8, 0.821, 0.779])
    records += over_seeds(A, "maml", [0.7, 0.72, 0.68], uses=("source", "test_inputs"))
    records += over_seeds(A, "tent", [0.6, 0.62, 0.58], uses=("test_inputs",))
    for format in ("terminal", "markdown"):
        page = render(leaderboard(records), format, 1000)
        assert "Worse than erm: tent." in page
        assert "maml uses source data and test inputs and is worse" in page
        assert "test_inputs" not in page
    assert "| source, test inputs |" in page
    narrow = render(leaderboard(records), "terminal", 80)
    assert re.search(r"maml +source, .*\n +test inputs", narrow)


def test_cost_fit_and_memory_are_shown():
    records = over_seeds(A, "erm", [0.7, 0.72, 0.68], train_accuracy=0.999, peak_memory=648_151_040)
    records += over_seeds(A, "maml", [0.8, 0.82, 0.79], seconds_fit=13.5, train_accuracy=None, peak_memory=0)
    wide, narrow = (render(leaderboard(records), "terminal", width) for width in (100, 55))
    assert re.search(r"erm .* baseline +99\.9 +3/3 +1\.0x +1\.2 +648\n", wide)
    assert re.search(r"maml .* - +3/3 +11x +14 +-\n", wide)
    assert re.search(r"#.* verdict +done\n", narrow)
    assert "overfitting" in wide
    assert "overfitting" not in narrow
    assert "| 2 | `erm` | - | 70.0 ± 4.9 | - | baseline | 99.9 | 3/3 | 1.0x | 1.2 | 648 |" in render(
        leaderboard(records), "markdown"
    )
    (line,) = (row for row in csv.DictReader(io.StringIO(render(leaderboard(records), "csv")))
               if row["task"] == A and row["strategy"] == "erm")  # fmt: skip
    assert (line["seconds"], line["cost"]) == ("1.25", "1.0")
    assert (line["train_accuracy"], line["peak_memory"]) == ("0.999", "648151040")


@pytest.mark.parametrize("format", ["terminal", "markdown"])
def test_without_results_only_the_failure_is_shown(format):
    page = render(leaderboard([failed()]), format)
    assert re.search("^(- )?No trial has a result.$", page, re.MULTILINE)
    assert re.search("^(- )?failed: erm", page, re.MULTILINE | re.IGNORECASE)
    assert "fsbench run" not in page
    assert "baseline: erm" not in page


def test_one_seed_gets_the_advice_to_run_more():
    board = leaderboard(
        over_seeds("kshot(wine, k=5)", "erm", [0.7]) + over_seeds("kshot(wine, k=5)", "focal", [0.8])
    )
    assert "a single split seed cannot settle anything" in render(board, "terminal", 1000)
    assert "± 0" not in render(board)


def test_numbers_are_short_and_have_no_negative_zero():
    percent, plain = METRICS["accuracy"], METRICS["nll"]
    assert text.number(0.71239, percent) == "71.2"
    assert text.number(-0.00001, percent, sign=True) == "+0.0"
    assert text.number(-0.012, percent, sign=True) == "-1.2"
    assert text.number(1.23456, plain, sign=True) == "+1.235"
    assert [text.seconds(s) for s in (0.123, 1.26, 123.4)] == ["0.12", "1.3", "123"]


def test_only_failures_and_skips_can_be_shown():
    records = [failed(split_seed=s, message="[red]boom[/red] | *") for s in range(2)]
    records += [skipped(spec="dann", split_seed=s) for s in range(2)]
    board = leaderboard(records)
    for format in FORMATS:
        assert render(board, format)
    assert "[red]boom[/red] | *" in render(board, "terminal", 200)
    assert "[red]boom[/red] \\| \\*" in render(board, "markdown")


def test_an_empty_board_says_what_to_do():
    for format in ("terminal", "markdown", "json"):
        assert "`fsbench run` produces some" in render(leaderboard([]), format)
    assert render(leaderboard([]), "csv").count("\n") == 1


def test_json_is_stable_and_strict():
    first, again = render(BOARD, "json"), render(leaderboard(realistic()[::-1]), "json")
    assert first == again
    assert "NaN" not in first


def test_published_records_can_be_read_back_unchanged(tmp_path):
    path = tmp_path / "starter.jsonl"
    write_jsonl(realistic(), path)
    assert render(leaderboard(read_jsonl(path)), "markdown") == render(BOARD, "markdown")
    before = path.read_bytes()
    write_jsonl(reversed(read_jsonl(path)), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["starter.jsonl"]


def test_published_records_are_free_of_noise(tmp_path):
    path = tmp_path / "x.jsonl"
    reason = {
        "kind": "OSError",
        "message": "cannot read '/home/me/data/x.npz': and/or 3/4",
        "traceback": "secret",
    }
    write_jsonl([record(status="failed", reason=reason, notes=("cached in C:\\Users\\me\\x.pt",))], path)
    (line,) = path.read_text().splitlines()
    assert not any(word in line for word in ("secret", "home", "Users", "created"))
    (back,) = read_jsonl(path)
    assert back.reason == {"kind": "OSError", "message": "cannot read 'x.npz': and/or 3/4"}
    assert back.notes == ("cached in x.pt",)


def test_a_published_spec_names_the_weights_file_without_its_folder(tmp_path):
    path = tmp_path / "x.jsonl"
    spec = 'transfer(weights="/home/me/w.pt")'
    write_jsonl([record(spec=spec, full_spec=f"{spec}#sha256:12ab")], path)
    (back,) = read_jsonl(path)
    assert (back.spec, back.full_spec) == ('transfer(weights="w.pt")', 'transfer(weights="w.pt")#sha256:12ab')


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"{}", "line 1 is not a record"), (b"\n[1]", "line 2 is not a record"), (b"{", "was cut off in line 1"),
     (b"{\n", "line 1 is not a record"), (b"junk", "line 1 is not a record"),
     (b"\xff\xfe", "not UTF-8 text")],
)  # fmt: skip
def test_damaged_published_records_are_refused(tmp_path, content, message):
    path = tmp_path / "x.jsonl"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=message):
        read_jsonl(path)


def test_published_records_that_cannot_be_read_or_written_are_an_error(tmp_path):
    with pytest.raises(StoreError, match="cannot read"):
        read_jsonl(tmp_path / "absent.jsonl")
    with pytest.raises(StoreError, match="cannot write"):
        write_jsonl([], tmp_path / "absent" / "x.jsonl")


def agrees(records: Path) -> bool:
    page = records.with_suffix(".md").read_text(encoding="utf-8")
    (board,) = leaderboards(read_columns(records, ["balanced_accuracy"]))
    return without_figures(page) == to_markdown(board, records.stem)


def test_published_pages_agree_with_their_records(tmp_path):
    made = tmp_path / "made.jsonl"
    # Times and dates in which a page of the records themselves would differ.
    records = [*realistic(), record("kshot(wine, k=1)", seconds_fit=0.4549996, seconds_predict=0.0)]
    records += [failed(task="kshot(wine, k=1)", spec="x", split_seed=s, message=f"{s}", created=str(9 - s))
                for s in range(2)]  # fmt: skip
    assert write_published(gathered(records, Evidence(), ""), made) == made.with_suffix(".md")
    assert agrees(made)
    write_jsonl(realistic(seed=1), made)
    assert not agrees(made)


def test_the_published_search_of_a_tuned_record_names_no_folder(tmp_path):
    tried = [
        {"spec": 'transfer(weights="/home/me/w.pt")', "recipe": {}, "scores": [0.5], "reason": "no /a/b.pt"}
    ]
    tuned = record("kshot(wine, k=1)", tuning="tuning(n=1)", search={"chosen": 0, "tried": tried})
    write_jsonl([tuned], tmp_path / "x.jsonl")
    (read,) = read_jsonl(tmp_path / "x.jsonl")
    assert read.tuning == "tuning(n=1)"
    assert read.search["tried"][0]["spec"] == 'transfer(weights="w.pt")'
    assert read.search["tried"][0]["reason"] == "no b.pt"


def test_tasks_say_their_labels_in_all():
    board = leaderboard([record("kshot(wine, k=5)"), record("longtail(digits, ir=20)")])
    ends = "60 labels of the first class (40 train, 20 val) to 3 of the last (2 train, 1 val)"
    for page in (to_markdown(board), render(board, "terminal", 150)):
        assert "7 labels per class (5 train, 2 val)" in page
        assert ends in page


def test_a_board_needs_no_pandas():
    code = (
        "import sys, records; from pages import render;"
        "from fsbench.report.leaderboard import leaderboard;"
        "render(leaderboard(records.realistic(4)), 'terminal');"
        "assert not {'pandas', 'torch', 'sklearn', 'scipy.stats'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent, check=True)


def test_notes_of_trials_are_shown_once_for_each_strategy():
    noted = [record(spec="focal", split_seed=seed, notes=("focal: lowered",)) for seed in (0, 1)]
    board = leaderboard([record(split_seed=0), record(split_seed=1), *noted])
    assert "noted: focal, in 2 trials: lowered" in board.warnings
    assert "noted: focal, in 2 trials: lowered" in render(board, "markdown")
    several = record(spec="focal", split_seed=2, notes=("focal: lowered", "focal: raised"))
    board = leaderboard([*(record(split_seed=seed) for seed in range(3)), *noted, several])
    assert "noted: focal, in 3 trials, most often: lowered; 1 other note is in the records" in board.warnings


INTERVALS = [
    ((0.7, 0.66, 0.74), "70.0 ± 4.0"),
    ((0.912, 0.876, 0.938), "91.2 ± 3.1"),
    ((0.98, 0.92, 0.995), "98.0 (92.0-99.5)"),
    ((0.99, 0.978, 0.9995), "99.0 (97.8-100.0)"),
    ((1.0, 0.97, 1.0), "100.0 (97.0-100.0)"),
    ((0.5, None, None), "50.0"),
]


@pytest.mark.parametrize(("values", "expected"), INTERVALS, ids=[each for _, each in INTERVALS])
def test_an_interval_shows_its_ends_where_its_sides_differ_or_it_would_leave_0_to_100(values, expected):
    assert text.interval(Estimate(*values, p=1.0, n=3), BOARD.metric) == expected


@pytest.mark.skipif(os.name == "nt", reason="links and pipes")
def test_a_link_keeps_its_place_and_a_pipe_is_not_replaced(tmp_path):
    file, link, pipe = (tmp_path / name for name in ("file", "link", "pipe"))
    file.write_text("old")
    link.symlink_to(file)
    write_file(link, b"new")
    assert link.is_symlink()
    assert file.read_text() == "new"
    os.mkfifo(pipe)
    with pytest.raises(UsageError, match=r"cannot write .*pipe: not a regular file"):
        write_file(pipe, b"new")
    assert pipe.is_fifo()


def test_a_file_that_cannot_be_replaced_leaves_no_draft(tmp_path):
    (tmp_path / "report.md").mkdir()
    with pytest.raises(UsageError, match=r"cannot write .*report\.md: Is a directory; name another place"):
        write_file(tmp_path / "report.md", b"text")
    assert [each.name for each in tmp_path.iterdir()] == ["report.md"]


@pytest.mark.parametrize(
    ("value", "typeset"),
    [
        ("98.0 (92.0-99.5)", "98.0 (92.0--99.5)"),
        ("-1.5 (-4.0 to +0.2)", "$-$1.5 ($-$4.0 to +0.2)"),
        ("90.1 ± 2.0", r"90.1 $\pm$ 2.0"),
        ("2.4x (1.8-3.6)", "2.4x (1.8--3.6)"),
        ("Worse on holdout(scans-2024-05), x-1-2.", "Worse on holdout(scans-2024-05), x-1-2."),
    ],
)
def test_signs_and_ranges_are_typeset_as_such(value, typeset):
    assert latex._signs(value) == typeset


def test_an_interval_below_zero_is_no_row_of_dashes():
    estimate = Estimate(mean=-0.4, low=-0.9, high=-0.3, p=0.1, n=5)
    assert text.interval(estimate, get_metric("nll")) == "-0.400 (-0.900 to -0.300)"
