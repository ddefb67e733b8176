"""Pages, figures and the index beside published files, also of files from strangers."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import fake_executor
import pytest
from records import over_seeds, realistic, record
from whole_results import HOSTILE

from fsbench.errors import StoreError
from fsbench.provenance import Provenance, Verification
from fsbench.report import board as boards
from fsbench.report.board import boards_in, read_board
from fsbench.report.board_index import index
from fsbench.report.markdown import with_figures
from fsbench.report.plots.slim import slim
from fsbench.report.published import Contents, read, write
from fsbench.report.publishing import renew, shown_figures, write_index, write_page
from fsbench.tasks.suites import load_suite

ROOT = Path(__file__).parents[1]
PUBLISHED = ROOT / "leaderboards"
A = "kshot(wine, k=5)"
# 77 strategies on 30 tasks come to 465 kB.
_LARGEST_FIGURES = 500_000


@pytest.fixture(scope="module")
def ours():
    """The leaderboards of the repository."""
    return [read_board(path) for path in boards_in(PUBLISHED)]


@pytest.mark.slow
def test_leaderboards_agree_with_their_records(ours):
    assert ours
    for board in ours:
        figures = shown_figures(board.report)
        _, page = next(with_figures(board.report, board.name, figures))
        there = (PUBLISHED / f"{board.name}.md").read_text(encoding="utf-8")
        assert there == page.decode(), f"{board.name}.md is not about {board.path.name}; publish it again"
        files = list((PUBLISHED / f"{board.name}-figures").iterdir())
        assert {path.stem for path in files} == {figure.name for _, figure in figures}
        assert sum(path.stat().st_size for path in files) < _LARGEST_FIGURES


@pytest.mark.slow
def test_the_index_of_the_leaderboards_is_up_to_date(ours):
    there = (PUBLISHED / "README.md").read_text(encoding="utf-8")
    assert there == index(ours), "publish one of them again, which renews the index"


def published(folder: Path, name: str = "ours", **more) -> Path:
    path = folder / f"{name}.jsonl"
    write(
        Contents((*over_seeds(A, "erm", [0.5, 0.6, 0.7]), *over_seeds(A, "svm", [0.6, 0.7, 0.8])), **more),
        path,
    )
    return path


def test_the_index_says_who_made_a_leaderboard_and_who_reproduced_it(tmp_path):
    versions = {"fsbench": ("0.1.0",)}
    made = Provenance("Ada", 6, "2026-01-01T00:00:00", "2026-01-02T00:00:00", ("a processor",), versions)
    keys = [each.key for each in over_seeds(A, "erm", [0.5, 0.6, 0.7])]
    verified = Verification("Grace", "2026-02-01", outcomes=dict.fromkeys(keys, "bitwise"))
    published(tmp_path, provenance=(made,), verified=(verified,))
    text = write_index(tmp_path).read_text(encoding="utf-8")
    (row,) = (line for line in text.splitlines() if line.startswith("| [ours]"))
    assert row.startswith("| [ours](ours.md) | 1 × 3 | 2 | `svm` | `svm` 70.0")
    assert row.endswith("| by Ada, 2026-01-01 to 2026-01-02, with fsbench 0.1.0 | Grace |")
    assert "- Reproduced by Grace on 2026-02-01: 3 trials, 3 bitwise." in text


def test_a_file_is_added_to_a_folder_by_one_command(call, tmp_path):
    given, folder = published(tmp_path), tmp_path / "boards"
    status, out, err = call("publish", given, folder)
    assert (status, out) == (0, ""), err
    assert read(folder / "ours.jsonl").records == read(given).records
    figures = {path.name for path in (folder / "ours-figures").iterdir()}
    assert "gains.svg" in figures
    page = (folder / "ours.md").read_text(encoding="utf-8")
    assert all(f"](ours-figures/{name})" in page for name in figures)
    (folder / "ours-figures" / "fit.svg").touch()
    before = (folder / "ours.jsonl").read_bytes(), (folder / "ours-figures" / "gains.svg").read_bytes()
    assert call("publish", folder / "ours.jsonl", folder)[0] == 0
    assert before == (
        (folder / "ours.jsonl").read_bytes(),
        (folder / "ours-figures" / "gains.svg").read_bytes(),
    )
    assert {path.name for path in (folder / "ours-figures").iterdir()} == figures
    status, _, err = call("publish", given, folder, "--by", "Ada")
    assert (status, err.count("\n")) == (2, 1)
    assert "are for a results folder" in err


def test_a_readme_that_is_not_an_index_stays(call, tmp_path):
    folder = tmp_path / "boards"
    folder.mkdir()
    (folder / "README.md").write_text("# Mine\n")
    status, _, err = call("publish", published(tmp_path), folder)
    assert status == 0
    assert (folder / "README.md").read_text() == "# Mine\n"
    assert "because it is not an index" in err


def test_a_page_that_somebody_wrote_is_not_replaced(call, tmp_path):
    given, folder = published(tmp_path), tmp_path / "boards"
    other = published(tmp_path, "other")
    folder.mkdir()
    (folder / "ours.md").write_text("# Leaderboards of mine\n")
    for command in (
        ["publish", given, folder],
        ["publish", given, folder, "--replace"],
        ["merge", given, other, folder / "ours.jsonl"],
    ):
        status, out, err = call(*command)
        assert (status, out, err.count("\n")) == (2, "", 1), err
        assert f"{folder / 'ours.md'}, where the page of ours.jsonl is to be, is not a page of" in err
        assert [path.name for path in folder.iterdir()] == ["ours.md"]
    given = given.rename(folder / "ours.jsonl")
    assert call("publish", given, folder)[0] == 2
    renew(given)
    assert (folder / "ours.md").read_text() == "# Leaderboards of mine\n"
    (folder / "ours.md").unlink()
    assert [call("publish", given, folder)[0] for _ in range(2)] == [0, 0]


def test_one_page_that_somebody_wrote_keeps_all_files_of_a_folder_back(call, tmp_path):
    folder = tmp_path / "boards"
    fake_executor.run(tmp_path / "results", seeds=1)
    fake_executor.run(tmp_path / "results", seeds=1, tune=2)
    folder.mkdir()
    (folder / "results-tuned.md").write_text("mine\n")
    assert call("publish", tmp_path / "results", folder)[0] == 2
    assert [path.name for path in folder.iterdir()] == ["results-tuned.md"]


def test_signing_renews_the_page_and_the_index(tmp_path):
    from fsbench.verifying import Verified, sign

    path = published(tmp_path)
    write_page(path)
    write_index(tmp_path)
    sign(path, [Verified(read(path).records[0], "bitwise", "", "cpu")], "Grace")
    for page in ("ours.md", "README.md"):
        assert "eproduced by Grace on" in (tmp_path / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["README", "index", "Index", ".hidden", "a b", "<b>", "ä", "-x"])
def test_a_name_that_could_stand_for_another_page_is_refused(tmp_path, name):
    path = published(tmp_path)
    path.rename(path.with_name(f"{name}.jsonl"))
    with pytest.raises(StoreError, match="cannot name a page"):
        boards_in(tmp_path)


def test_what_is_not_a_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(StoreError, match=r"pipe\.jsonl is not a file"):
        boards_in(tmp_path)
    (tmp_path / "pipe.jsonl").unlink()
    (tmp_path / "ours-predictions.jsonl").touch()
    assert boards_in(tmp_path) == []


def test_sizes_of_a_leaderboard_are_limited(tmp_path, monkeypatch):
    path = published(tmp_path)
    monkeypatch.setattr(boards, "MOST_CELLS", 1)
    with pytest.raises(StoreError, match="has 2 strategies on 1 tasks; expected at most 1 pairs"):
        read_board(path)
    monkeypatch.setattr(boards, "LARGEST_BOARD", 1 << 20)
    with path.open("ab") as file:
        file.truncate(2 << 20)
    with pytest.raises(StoreError, match="larger than 1 MB"):
        read_board(path)


def test_a_line_at_fault_is_named_in_a_collection(call, tmp_path):
    folder = tmp_path / "boards"
    assert call("publish", published(tmp_path), folder)[0] == 0
    with (folder / "theirs.jsonl").open("w") as file:
        file.write(f"{json.dumps(record(A).to_dict())}\n{{}}\n")
    status, _, err = call("publish", folder / "ours.jsonl", folder)
    assert status == 1
    assert f"{folder / 'theirs.jsonl'}, line 2 is not a record (" in err


def test_a_file_of_other_tasks_is_not_about_the_suite_of_its_name(tmp_path):
    records = over_seeds("noisy(breast_cancer, k=50, rate=0.2)", "erm", [0.5, 0.6])
    wrong = Verification("Grace", "2026-01-01", (), {each.key: "mismatch" for each in records})
    contents = Contents(tuple(records), provenance=(Provenance("Ada", 2),), verified=(wrong,))
    write(contents, tmp_path / "starter-v3.jsonl")
    board = read_board(tmp_path / "starter-v3.jsonl")
    assert board.suite is None
    (said,) = board.reproduced
    assert said.startswith("not reproduced by Grace")
    shown = index([board])
    assert "of its 12 tasks" not in shown
    (row,) = (each for each in shown.splitlines() if each.startswith("| [starter-v3]"))
    assert "Grace" not in row


def test_splits_that_are_not_the_suites_are_not_under_its_name(tmp_path):
    suite = load_suite("starter-v3")
    task = suite.tasks[0]
    for place, prints in (("theirs", ["0" * 64] * 2), ("ours", suite.fingerprints[task][:2])):
        records = over_seeds(task, "erm", [0.5, 0.6])
        records = [replace(r, split_fingerprint=p) for r, p in zip(records, prints, strict=True)]
        path = tmp_path / place / "starter-v3-part.jsonl"
        path.parent.mkdir()
        write(Contents(tuple(records), provenance=(Provenance("Ada", 2),)), path)
        assert (read_board(path).suite is None) == (place == "theirs")


def test_no_text_of_a_stranger_is_markup_in_the_index(tmp_path):
    evil = f"{HOSTILE} | [x](http://y) \x1b[31m\n# no"
    published(
        tmp_path,
        provenance=(Provenance(evil, 6, evil, evil, (evil,), {"fsbench": (evil,)}),),
        verified=(Verification(evil, outcomes={over_seeds(A, "erm", [0.5])[0].key: "bitwise"}),),
    )
    text = write_index(tmp_path).read_text(encoding="utf-8")
    assert "\\<script>alert(1)\\</script>" in text
    assert "\x1b" not in text
    assert "\n# no" not in text
    (row,) = (line for line in text.splitlines() if line.startswith("| [ours]"))
    assert row.replace("\\|", "").count("|") == 8


def test_a_slim_figure_has_the_texts_and_places_of_the_whole_one():
    style = "fill: #ff0000; font: 7px 'DejaVu Sans'"
    whole = (
        '<svg xmlns="http://www.w3.org/2000/svg"><defs><style type="text/css">*{a: b}</style></defs>\n'
        f'  <g id="text_1">\n<text style="{style}" x="10.123456" y="2" transform="rotate(-0 1 2)">'
        ' style="x" 3.14159  &lt;g id="text_1"&gt;</text>\n</g>\n'
        f'<path d="M 1.000001 2.5 \nL 3.456789 4\nz\n" style="{style}"/></svg>'
    )
    found = ElementTree.fromstring(slim(whole))
    (text,) = found.iter("{http://www.w3.org/2000/svg}text")
    assert text.text == ' style="x" 3.14159  <g id="text_1">'
    assert text.attrib == {"class": "s0", "x": "10.12", "y": "2"}
    (path,) = found.iter("{http://www.w3.org/2000/svg}path")
    assert path.attrib == {"class": "s0", "d": "M 1 2.5 L 3.46 4 z"}
    rectangle = '<svg><g><path d="M 1.001 2 \nL 3 2 \nL 3 4 \nL 1.001 4 \nz\n"/></g></svg>'
    assert slim(rectangle) == '<svg><path d="M1 2H3V4H1z"/></svg>'
    (rules,) = found.iter("{http://www.w3.org/2000/svg}style")
    assert rules.text == f"*{{a: b}}.s0{{{style}}}"


def test_figures_of_a_page_are_small(tmp_path):
    path = tmp_path / "made.jsonl"
    write(Contents(tuple(realistic())), path)
    write_page(path)
    for figure in (tmp_path / "made-figures").iterdir():
        text = figure.read_text(encoding="utf-8")
        assert len(text) < 60_000
        assert "<dc:date>" not in text
