"""The documentation is true: its examples run, its links exist, its numbers are the published ones."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path

import pytest

from fsbench import (
    Batch,
    Context,
    Fitted,
    LabeledSet,
    Recipe,
    Step,
    StepOutput,
    Strategy,
    Stream,
    TaskInfo,
    hookspecs,
)
from fsbench.families import FAMILIES
from fsbench.recipes.recipe import default_recipe
from fsbench.registry import get_registry
from fsbench.report.board import read_board
from fsbench.stages import STAGES
from fsbench.tasks.protocols import PROTOCOLS
from fsbench.tasks.suites import load_suite, suite_names

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))

from benchmarks.survival import SETTLED, changes, compared  # noqa: E402
from benchmarks.what_helped import what_helped  # noqa: E402

README = (ROOT / "README.md").read_text(encoding="utf-8")
PLUGINS = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])


def blocks(text: str, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}.*?\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_readmes_plugin_is_the_one_that_the_tests_install() -> None:
    (plugin,) = (block for block in blocks(README, "python") if "hookimpl" in block)
    assert plugin in PLUGINS
    (toml,) = blocks(README, "toml")
    assert toml in PLUGINS


def test_the_readmes_notebook_example_gives_a_data_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,) = (block for block in blocks(README, "python") if "fsbench.run" in block)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(code.replace("results.leaderboard()", "board = results.leaderboard()"), names)
    found = set(names["board"]["strategy"])  # type: ignore[index]
    assert {"erm", "svm", "focal", "focal(gamma=0.5)"} < found


def test_the_examples_about_results_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fsbench

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    tasks, names = "kshot(wine, k=[2, 5])", "svm, knn"
    fsbench.run(names, tasks=tasks, seeds=2, recipe="steps=5", baseline="svm", jobs=1, device="cpu")
    page = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    found: dict[str, object] = {}
    for code in blocks(page, "python"):
        exec(code, found)
    assert found["labels"].shape == found["logits"].shape[:2]  # type: ignore[attr-defined]
    assert (tmp_path / "fit.pdf").exists()
    close_figures()


def close_figures() -> None:
    from matplotlib import pyplot

    pyplot.close("all")


def test_the_formats_of_reports_are_documented() -> None:
    from fsbench.report.formats import FORMATS

    page = "".join((ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("results.md",))
    assert all(f"| `{name}` |" in page for name in FORMATS)


def test_the_readmes_specs_and_tasks_can_be_read() -> None:
    from fsbench.tasks.expressions import parse_tasks

    run = " ".join(blocks(README, "sh")).replace("\\\n", " ")
    for spec in re.findall(r'--plugins "([^"]+)"', run):
        assert get_registry().parse(spec)
    for task in re.findall(r'--tasks "([^"]+)"', run):
        assert parse_tasks(task)


def test_the_readme_names_every_strategy_and_protocol() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| [^|`]+ \| (`.+`) \|$", README, re.MULTILINE))
    for family in FAMILIES:
        bundled = [name for name, cls in get_registry().strategies.items() if cls.family == family]
        assert rows[family] == ", ".join(f"`{name}`" for name in sorted(bundled))
    for name in PROTOCOLS:
        assert f"| `{name}(" in README


def test_the_suites_are_documented_with_their_sizes() -> None:
    page = (ROOT / "docs" / "suites.md").read_text(encoding="utf-8")
    for suite in map(load_suite, suite_names()):
        assert f"| `{suite.name}` | {len(suite.tasks)} × {suite.split_seeds} |" in page


@pytest.mark.slow
@pytest.mark.parametrize("name", ["starter-v3", "noise-v1-part"])
def test_the_readmes_counts_of_verdicts_are_those_of_the_leaderboards(name: str) -> None:
    (row,) = (
        line for line in README.splitlines() if f"(leaderboards/{name}-tuned.md)" in line and "|" in line
    )
    counts = changes(compared(*(ROOT / f"leaderboards/{name}{end}.jsonl" for end in ("", "-tuned")))[0])
    totals = [sum(n for (old, _), n in counts.items() if old == verdict) for verdict in SETTLED]
    remaining = [counts[verdict, verdict] for verdict in SETTLED]
    numbers = re.findall(r"\b(\d+|no)\b(?= \*h| and| of them)", row.split(" | ", 1)[1])
    assert [0 if each == "no" else int(each) for each in numbers] == totals + remaining


def test_the_readmes_table_is_the_published_one() -> None:
    (shown,) = re.findall(
        r"<!-- overall table: begin -->\n(.*?)<!-- overall table: end -->", README, re.DOTALL
    )
    published = (ROOT / "leaderboards" / "starter-v3.md").read_text(encoding="utf-8")
    assert shown.strip()
    assert shown.strip() in published


@pytest.mark.slow
def test_the_page_of_what_helped_says_what_the_leaderboards_say() -> None:
    page = (ROOT / "docs" / "what-helped.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^    python -m benchmarks.what_helped (.+)$", page, re.MULTILINE)
    (shown,) = re.findall(r"<!-- tables: begin -->\n(.*)<!-- tables: end -->", page, re.DOTALL)
    boards = [read_board(ROOT / name) for name in command.split()]
    assert shown.strip() == "\n".join(what_helped(boards)).strip()


def test_what_helped_in_short_is_in_its_tables() -> None:
    page = (ROOT / "docs" / "what-helped.md").read_text(encoding="utf-8")
    short = page.partition("## In short")[2].partition("## How to read")[0]
    rows = dict(re.findall(r"^\| `([a-z_0-9]+)` \| ([^|]*\|[^|]*)\| [^|]* \|$", page, re.MULTILINE))
    said = 0
    for bullet in " ".join(short.split()).split(" - "):
        boards = [name for name in re.findall(r"`([a-z0-9-]+)`", bullet) if "-v" in name]
        for strategy, gain in re.findall(r"`([a-z_0-9]+)` ([+-][0-9]+[.][0-9])", bullet):
            assert any(
                f"{gain} ± " in part and f"({board}, " in part
                for board in boards
                for part in rows[strategy].split("<br>")
            ), (strategy, gain)
            said += 1
    assert said > 20


def test_every_hook_and_stage_is_documented() -> None:
    for name in vars(hookspecs):
        if name.startswith("fsbench_"):
            assert name in PLUGINS
            assert getattr(hookspecs, name).__doc__


def test_the_documents_have_the_table_of_stages():
    design = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    for stage in STAGES.values():
        arguments = [
            name for name in inspect.signature(getattr(Strategy, stage.name)).parameters if name != "self"
        ]
        rest = f"{stage.takes} → {stage.gives} | {stage.composed} |"
        assert f"| `{stage.name}({', '.join(arguments)})` | {rest}" in PLUGINS
        assert f"| `{stage.name}` | {rest}" in design


@pytest.mark.parametrize(
    "public", [Batch, Context, Fitted, LabeledSet, Recipe, Step, StepOutput, Strategy, Stream, TaskInfo]
)
def test_every_public_attribute_is_named_for_authors(public):
    named = {name for name in vars(public) | getattr(public, "__dataclass_fields__", {}) if name[0] != "_"}
    ours = set() if public is not Stream else {"key", "device", "numpy"}
    assert [name for name in sorted(named - ours) if not re.search(rf"\b{name}\b", PLUGINS)] == []


def test_no_heading_has_swallowed_its_paragraph():
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    long = [line for page in pages for line in page.read_text().splitlines() if re.match(r"##+ .{61,}", line)]
    assert long == []


@pytest.mark.parametrize(
    ("row", "kind", "protocol"),
    [
        ("images", "image", "kshot"),
        ("tables", "table", "kshot"),
        ("texts", "text", "kshot"),
        ("episodes", "image", "episodes"),
    ],
)
def test_the_recipes_in_the_protocol_are_the_defaults(row, kind, protocol):
    recipe = default_recipe(TaskInfo("t", protocol, kind, (1, 8, 8), 2))
    line = next(x for x in (ROOT / "docs/protocol.md").read_text().splitlines() if x.startswith(f"| {row} |"))
    _, _, backbone, *others, _ = (part.strip() for part in line.split("|"))
    assert backbone == f"`{recipe.backbone}`"
    fields = ("steps", "passes", "batch_size", "optimizer", "lr", "weight_decay", "schedule")
    assert others == [str(getattr(recipe, field)) for field in fields]


def test_what_runs_by_default_is_described_as_the_short_list() -> None:
    from fsbench.cli import cli

    data = (ROOT / "docs" / "your-data.md").read_text(encoding="utf-8")
    for text in (str(cli.help), README[README.index("## Your own data") :], data):
        plain = " ".join(text.split())
        assert "the short list `core`" in plain.replace("The short", "the short")
        assert "`--plugins all` runs every strategy" in plain
