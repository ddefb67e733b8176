"""Every format shows the same numbers, and the texts of strangers as text."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest
from records import failed, over_seeds, realistic, record, skipped

from fsbench.columns import of_records
from fsbench.errors import UsageError
from fsbench.report import escape, text
from fsbench.report.charts import Charts
from fsbench.report.contents import Report, metrics_of_a_report, report_of
from fsbench.report.formats import FORMATS, get_format, main_text, write
from fsbench.report.plots.figures import figures
from fsbench.report.plots.gains import shown
from fsbench.words import printable

HOSTILE = [
    "<script>alert(1)</script>",
    "=HYPERLINK(1)",
    "a|b`c`*d*_e_",
    "[x](javascript:alert(1))",
    r"\input{/etc/passwd} \\ $x^2$ %",
    "\x1b[31mred\x07\x9b2J‮",
    "&lt;b&gt; --> ]]> \" '",
]


def report(records, metric: str = "balanced_accuracy") -> Report:
    return report_of(of_records(records, metrics_of_a_report(metric)), metric)


@pytest.fixture(scope="module")
def made() -> Report:
    return report(realistic())


def numbers_of(report: Report) -> list[tuple[str, str, str, str]]:
    """Task, strategy, score and difference of each row with a result, as they should be shown."""
    (board,) = report.boards
    return [
        (row.task, row.strategy, text.interval(row.score, board.metric), text.difference(row, board.metric))
        for row in board.rows
        if row.done
    ]


def test_html_latex_markdown_csv_and_json_hold_the_same_numbers(made):
    expected = numbers_of(made)
    cells = [rf'data-column="{name}">(.*?)</td>' for name in ("score", "vs erm")]
    page = re.findall(r'<tr data-strategy="(.*?)".*?' + ".*?".join(cells), main_text(made, "html"), re.S)
    done = {(name, score, gain) for _, name, score, gain in expected}
    assert [each for row in page if (each := tuple(map(html.unescape, row))) in done] == [
        each[1:] for each in expected
    ]
    markdown = re.findall(
        r"^\| \S+ \| `(.*?)` \| .*? \| (.*?) \| (.*?) \|", main_text(made, "markdown"), re.M
    )
    assert [(name, score, gain.replace("\\", "")) for name, score, gain in markdown] == [
        each[1:] for each in expected
    ]
    latex = re.findall(r"^\S+ & \\texttt{(.*?)} & .*? & (.*?) & (.*?) &", main_text(made, "latex"), re.M)
    plain = {r"\_": "_", r"\textquotedbl{}": '"', r"\allowbreak{}": "", "$\\pm$": "±", "$-$": "-", "--": "-"}
    found = []
    for row in latex:
        cells = list(row)
        for code, sign in plain.items():
            cells = [cell.replace(code, sign) for cell in cells]
        found.append(tuple(cells))
    assert found == [each[1:] for each in expected]
    rows = {(r["task"], r["strategy"]): r for r in csv.DictReader(io.StringIO(main_text(made, "csv")))}
    (board,) = json.loads(main_text(made, "json"))["leaderboards"]
    whole = [*board["overall"], *(row for task in board["tasks"] for row in task["rows"])]
    assert len(rows) == len(whole)
    for row in whole:
        other = rows[row["task"], row["strategy"]]
        for name in ("score", "score_low", "difference", "difference_high", "cost", "p_adjusted"):
            assert other[name] == ("" if row[name] is None else str(row[name]))


def test_the_trials_average_to_the_scores(made):
    files = dict(FORMATS["csv"].files(made, "x"))
    assert list(files) == ["x.csv", "x-trials.csv"]
    trials = list(csv.DictReader(io.StringIO(files["x-trials.csv"].decode())))
    assert len(trials) == len(made.columns)
    (board,) = made.boards
    for label, rows in board.tasks:
        for row in rows:
            values = [
                float(each["balanced_accuracy"])
                for each in trials
                if each["task"] == label and each["strategy"] == row.strategy and each["status"] == "ok"
            ]
            if row.score:
                assert sum(values) / len(values) == pytest.approx(row.score.mean)
    first = next(each for each in trials if each["task"] == "kshot(digits, k=5, source=mnist5k(size=8))")
    assert (first["protocol"], first["dataset"], first["k"], first["source"], first["split_seed"]) == (
        "kshot", "digits", "5", "mnist5k(size=8)", "0",
    )  # fmt: skip


def test_figures_and_charts_in_json_hold_the_numbers_of_the_tables(made):
    charts = made.charts[0]
    (figure,) = (each for each in figures(charts) if each.name == "gains")
    heat = figure.save("svg").decode()
    assert heat == figure.save("svg").decode()
    texts = {
        "".join(each.itertext()).strip()
        for each in ET.fromstring(heat).iter("{http://www.w3.org/2000/svg}text")
    }
    cells = [cell for row in charts.gains.cells for cell in row if cell.gain]
    assert cells
    assert {shown(cell, charts.board.metric).replace("-", "−") for cell in cells} <= {
        t.replace("-", "−") for t in texts
    }
    content = json.loads(main_text(made, "json"))["leaderboards"][0]["charts"]
    assert [each["family"] for each in content["curves"]] == ["kshot(digits)"]
    gains = {row.strategy: row.difference.mean for row in charts.board.overall if row.difference}
    for each in content["costs"]:
        assert each["gain"] == pytest.approx(gains.get(each["strategy"], 0.0))


def test_every_file_of_a_page_is_beside_it(made, tmp_path):
    page, *figures = write(made, "markdown", tmp_path / "page.md")
    linked = re.findall(r"!\[.*\]\((.*)\)", page.read_text(encoding="utf-8"))
    assert [tmp_path / each for each in linked] == figures
    assert all(path.stat().st_size for path in figures)
    paper, *figures = write(made, "latex", tmp_path / "paper.tex")
    linked = re.findall(r"\\includegraphics\[.*\]{(.*)}", paper.read_text(encoding="utf-8"))
    assert [tmp_path / each for each in linked] == figures
    assert all(path.read_bytes().startswith(b"%PDF") for path in figures)


def hostile_records(number: int, name: str) -> list:
    """Records with a hostile text in every place that a stranger fills: strategy, task, reason, note, use."""
    quoted = json.dumps(name, ensure_ascii=False)
    strategy, task = f"mine(text={quoted})", "kshot(wine, k=5)"
    own = f"kshot(own, k={number + 1}, source={quoted})"
    found = over_seeds(task, strategy, [0.8, 0.82, 0.79], notes=(name,), uses=(name,))
    found += over_seeds(own, "erm", [0.7, 0.7, 0.71])
    found.append(failed(task=own, spec=strategy, message=name))
    return [*found, skipped(name, task=own, spec="other"), record(own, strategy, 1, device=name)]


def _hostile_records() -> list:
    records = over_seeds("kshot(wine, k=5)", "erm", [0.7, 0.72, 0.68])
    return records + [each for number, name in enumerate(HOSTILE) for each in hostile_records(number, name)]


@pytest.fixture(scope="module")
def hostile() -> dict[str, str]:
    """Every file of a report about hostile records, by name."""
    made = report(_hostile_records())
    files = [file for each in FORMATS.values() for file in each.files(made, "x")]
    return {name: content.decode(errors="replace") for name, content in files}


def test_figures_hold_hostile_texts_as_text(hostile):
    figures = [content for name, content in hostile.items() if name.endswith(".svg")]
    assert len(figures) > 3
    for content in figures:
        tree = ET.fromstring(content)
        assert not [each for each in tree.iter() if each.tag.lower().endswith("script")]
    assert any("alert(1)" in "".join(ET.fromstring(each).itertext()) for each in figures)


def test_markdown_holds_hostile_texts_as_text(hostile):
    page = hostile["x.md"]
    outside = re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "", page)
    assert not re.search(r"(?<!\\)<\w", outside)
    assert not re.search(r"(?<!\\)\]\(javascript", outside)
    columns = 0
    for line in page.splitlines():
        cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
        assert not columns or not cells or cells == columns or "---" not in line
        columns = cells
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in rows} <= {9, 11}


def test_the_only_task_has_one_table_with_all_columns_in_every_format():
    records = over_seeds("kshot(wine, k=5)", "erm", [0.7, 0.72, 0.68])
    records += over_seeds("kshot(wine, k=5)", "focal", [0.7, 0.75, 0.66])
    made = report([*records, skipped(task="kshot(wine, k=5)", spec="dann")])
    pages = {name: main_text(made, name) for name in ("markdown", "latex", "html")}
    assert pages["markdown"].count("| `erm` |") == pages["markdown"].count("| `dann` |") == 1
    assert pages["latex"].count(r"\texttt{erm} &") == pages["latex"].count(r"\begin{longtable}") == 1
    assert pages["html"].count('<tr data-strategy="erm"') == 1
    assert "Overall" not in pages["markdown"]
    head = next(line for line in pages["markdown"].splitlines() if line.startswith("| # |"))
    assert {"uses", "train", "done", "cost", "sec", "MB"} < set(head.strip("| ").split(" | "))
    assert re.search(r'<details class="table"[^>]* open>', pages["html"])
    assert '<span class="whole">--until-settled</span>' in pages["html"]
    assert not [name for name, page in pages.items() if "comparison on tasks" in page]


def test_csv_holds_no_formula(hostile):
    for name in ("x.csv", "x-trials.csv"):
        rows = list(csv.reader(io.StringIO(hostile[name])))
        assert len({len(row) for row in rows}) == 1
        cells = {cell for row in rows for cell in row}
        assert not [cell for cell in cells if cell[:1] in tuple("=+@\t\r") or re.match(r"-\D", cell)]
        assert any("HYPERLINK" in cell for cell in cells)


def test_latex_has_minus_signs_in_the_recommendation_too():
    records = []
    for source, gain in (("mnist5k(size=8)", 0.1), ("glyphs(size=8)", -0.08)):
        task = f"kshot(digits, k=5, source={source})"
        records += over_seeds(task, "erm", [0.7, 0.72])
        records += over_seeds(task, "transfer", [0.7 + gain, 0.72 + gain], uses=("source",))
    page = main_text(report(records), "latex")
    assert "mnist5k(size=8) +10.0 points (1 task); glyphs(size=8) $-$8.0 (1 task)." in page


def test_latex_has_a_label_for_each_caption_and_says_how_to_read_the_tables(made, tmp_path):
    paper, *drawn = write(made, "latex", tmp_path / "my_paper.tex")
    page = paper.read_text(encoding="utf-8")
    labels = re.findall(r"\\caption\{.*\}\\label\{(.*?)\}", page)
    assert len(set(labels)) == len(labels) == page.count(r"\caption{") == page.count(r"\label{")
    (board,) = made.boards
    assert [each for each in labels if each.startswith("tab:")] == [
        "tab:my-paper-overall",
        *(f"tab:my-paper-task-{number + 1}" for number in range(len(board.tasks))),
    ]
    assert {f"fig:my-paper-{path.stem}" for path in drawn} <= set(labels)
    for term in ("score", "vs erm", "verdict", "cost"):
        assert rf"\textbf{{{term}}}: " in page
    assert r"\textbf{MB}" not in page
    assert "* marks a difference on some of the tasks or trials only" in page
    assert page.count(r"\twocolumn") == 1
    assert r"\caption{Balanced accuracy of kshot" in page


def test_latex_holds_hostile_texts_as_text(hostile):
    page = hostile["x.tex"]
    assert "\\input{/etc" not in page
    assert page.count(r"\begin{") == page.count(r"\end{")
    ours = r" & |\$(\\pm|-)\$|^%.*$|figures/.*"
    assert not re.search(r"(?<!\\)[$&#_]", re.sub(ours, "", page, flags=re.M))


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex, of Debian's texlive-latex-base")
@pytest.mark.parametrize("texts", [False, True], ids=["usual", "hostile"])
def test_latex_compiles_and_usual_tables_fit_on_a_page(made, tmp_path, texts):
    shown = report(_hostile_records()) if texts else made
    paper, *_ = write(shown, "latex", tmp_path / "paper.tex")
    preamble = "".join(line[2:] for line in paper.read_text().splitlines(True) if line.startswith("% \\use"))
    document = f"\\documentclass{{article}}\n{preamble}\\begin{{document}}\\input{{paper}}\\end{{document}}"
    (tmp_path / "whole.tex").write_text(document)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "whole.tex"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stdout[-2000:]
    wide = re.findall(r"Overfull \\hbox \((\d+)\.\d+pt too wide\) in alignment", ran.stdout)
    assert texts or max(map(int, wide), default=0) < 60


def test_no_text_format_lets_control_characters_through(hostile):
    for name in ("x.md", "x.tex"):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", hostile[name])
    assert json.loads(hostile["x.json"])


def test_escapes_keep_what_they_escape():
    assert (
        escape.markdown("a_b `fsbench power` [pretrained] 3 * 4")
        == "a_b `fsbench power` [pretrained] 3 \\* 4"
    )
    assert escape.markdown("[a](b) <i> _c_ &amp; ~~d~~") == r"[a\](b) \<i> \_c\_ \&amp; \~\~d\~\~"
    assert escape.markdown_code("a``b|") == "``` a``b\\| ```"
    assert escape.markdown_code("plain") == "`plain`"
    assert escape.latex(r"\a_b") == r"\textbackslash{}a\_b"
    assert (
        escape.latex("`fsbench power` `x` --a")
        == r"\texttt{fsbench power} \textasciigrave{}x\textasciigrave{} -{}-a"
    )
    assert escape.csv("=1") == "'=1"
    assert escape.csv("a=1") == "a=1"
    assert escape.figure("$x$") == r"\$x\$"
    assert printable("a\nb\x1b[0m‮é漢") == "a b\\x1b[0m\\u202eé漢"


def test_unknown_formats_are_refused_with_a_guess():
    with pytest.raises(Exception, match="did you mean 'markdown'"):
        get_format("markdwn")


def test_figures_of_nothing_are_refused_with_what_to_do(tmp_path):
    nothing = report([])
    with pytest.raises(UsageError, match=r"no result to draw.*; `fsbench run` produces some"):
        write(nothing, "svg", tmp_path / "figures")
    assert list(tmp_path.iterdir()) == []


def test_reports_without_figures_need_no_matplotlib():
    code = (
        "import sys, records; from fsbench.report.contents import metrics_of_a_report, report_of;"
        "from fsbench.report.formats import main_text;"
        "from fsbench.columns import of_records;"
        "made = report_of(of_records(records.realistic(3), metrics_of_a_report('nll')), 'nll');"
        "main_text(made, 'csv'), main_text(made, 'json');"
        "assert not {'matplotlib', 'torch', 'pandas', 'jinja2'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=__file__.rpartition("/")[0], check=True)


def test_charts_are_computed_once(made, monkeypatch):
    board = made.boards[0]
    charts, calls = Charts(board), []
    monkeypatch.setattr("fsbench.report.charts.of_board.ranks", lambda given: calls.append(given))
    assert (charts.ranks, charts.ranks) == (None, None)
    assert calls == [board]
