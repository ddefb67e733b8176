"""The static site: whole, offline, and nothing but text from strangers' files."""

from __future__ import annotations

import functools
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Literal

import click
import pytest
from marks import CHROMIUM, chromium
from records import failed, over_seeds, realistic, skipped
from whole_results import HOSTILE

from fsbench.errors import StoreError, UsageError
from fsbench.provenance import Provenance, Verification
from fsbench.registry import load_registry
from fsbench.report.board import read_board
from fsbench.report.escape import entities, entities_code
from fsbench.report.published import Contents, write
from fsbench.site import build as building
from fsbench.site import gallery, guides, links
from fsbench.site.findings import Findings
from fsbench.tasks.expressions import parse_tasks

markdown = pytest.importorskip("markdown", reason="needs fsbench[site]")
pytestmark = pytest.mark.timeout(900)

ROOT = Path(__file__).parents[1]
A, B = "kshot(wine, k=5)", "kshot(digits, k=5)"
EVIL = f"{HOSTILE} [x](javascript:alert(2)) <img src=x onerror=alert(3)> `a` **b** {{.c}} | \x1b[31m\n# no"
SPEC = f'focal(x="{HOSTILE}[y](http://z)`../../../out")'


def hostile_board(folder: Path) -> Path:
    """A published file with markup in every text that may have some."""
    found = over_seeds(A, "erm", [0.5, 0.6, 0.7])
    found += over_seeds(A, SPEC, [0.6, 0.7, 0.8], notes=(EVIL,), device=EVIL, versions={"fsbench": EVIL})
    found += [failed(task=A, spec="svm", kind=EVIL, message=EVIL), skipped(EVIL, task=A, spec="knn")]
    found = [
        replace(each, key=f"../{each.key}", split_fingerprint=f"/../{each.split_seed}") for each in found
    ]
    provenance = (Provenance(EVIL, 8, EVIL, EVIL, (EVIL,), {EVIL: (EVIL,)}),)
    verified = (Verification(EVIL, EVIL, (EVIL,), {found[0].key: "bitwise"}),)
    write(Contents(tuple(found), provenance=provenance, verified=verified), folder / "theirs.jsonl")
    return folder / "theirs.jsonl"


class Parsed(HTMLParser):
    """The tags of a page with their attributes, and its texts outside of scripts and styles."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text, self._open = "", ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open not in ("script", "style"):
            self.text += data


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A site of a small leaderboard and a hostile one, with the guides of the checkout."""
    from fsbench.cli import main

    folder = tmp_path_factory.mktemp("site") / "boards"
    folder.mkdir()
    write(Contents(tuple(realistic(seeds=2))), folder / "ours.jsonl")
    hostile_board(folder)
    out = folder.with_name("out")
    assert main(["site", str(folder), str(out), "--checkout", str(ROOT)]) == 0
    return out


@pytest.mark.slow
def test_the_site_is_whole_and_loads_nothing_from_a_network(site):
    assert links.faults(site) == []
    for path in ("index", "strategies", "leaderboards/index", "reference/index", "reference/commands"):
        assert (site / f"{path}.html").is_file(), path
    for name in load_registry().strategies:
        assert (site / "strategies" / f"{name}.html").is_file()
    for guide in (ROOT / "docs").glob("*.md"):
        assert (site / "docs" / f"{guide.stem}.html").is_file()
    made = {
        f"{name}{end}"
        for name in ("ours", "theirs")
        for end in (".html", "-report.html", ".jsonl", "-figures")
    }
    assert {path.name for path in (site / "leaderboards").iterdir()} == {"index.html", *made}
    assert {path.suffix for path in (site / "leaderboards" / "theirs-figures").iterdir()} == {".svg"}
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert not re.search(r"url\(['\"]?(?:https?:)?//", styles)


@pytest.mark.slow
def test_texts_of_strangers_are_shown_and_not_run(site):
    for name in (
        "leaderboards/theirs",
        "leaderboards/index",
        "leaderboards/theirs-report",
        "strategies/focal",
    ):
        page = Parsed(site / f"{name}.html")
        assert HOSTILE in page.text, name
        assert not any("alert(" in (attrs.get("src") or "") for _, attrs in page.tags)
        assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs), name
        assert not any((attrs.get("href") or "").startswith("javascript:") for _, attrs in page.tags)
        assert not any((attrs.get("href") or "").startswith("http://z") for _, attrs in page.tags)
        assert not any(tag == "img" and attrs.get("src") == "x" for tag, attrs in page.tags)
        assert "\x1b" not in page.text
    search = (site / "search" / "search_index.json").read_text(encoding="utf-8")
    assert "<script>alert" not in search


@pytest.mark.slow
def test_a_page_of_the_gallery_says_what_the_class_and_the_leaderboards_say(site):
    focal = Parsed(site / "strategies" / "focal.html").text
    for words in (
        "Lin, T.-Y.",
        "Imbalance",
        "at most 20.0",
        "0.0 to 5.0",
        "one loss per sample",
        "class Focal",
    ):
        assert words in focal, words
    assert "focal on ours" in " ".join(focal.split())
    board = Parsed(site / "leaderboards" / "ours.html").text
    assert "Interactive report" in board
    reference = Parsed(site / "reference" / "strategy.html").text
    assert "A method for learning from little data; the base class is plain ERM." in reference


def test_the_gallery_names_a_task_on_which_the_strategy_runs():
    registry = load_registry()
    _, *pages = gallery.pages(registry, Findings([]))
    for each in pages:
        found = re.search(r'--plugins (\w+) --tasks "(.+)"', each.content.decode())
        assert found, each.path
        (alone,), (task,) = registry.parse(found[1]), parse_tasks(found[2])
        assert alone.skip(task.info) is None, found[0]


def test_the_gallery_lists_tasks_whose_verdict_is_withheld(tmp_path):
    """One of the trials failed, so the strategy has a difference and no verdict, or has nothing left."""
    found = over_seeds(A, "erm", [0.5, 0.6, 0.7]) + over_seeds(B, "erm", [0.5, 0.6, 0.7])
    found += [*over_seeds(A, "focal", [0.6, 0.7]), failed(task=A, spec="focal", split_seed=2)]
    found += [failed(task=B, spec="focal", split_seed=seed) for seed in range(3)]
    write(Contents(tuple(found)), tmp_path / "ours.jsonl")
    page = "\n".join(gallery._verdicts(Findings([read_board(tmp_path / "ours.jsonl")]).of("focal")))
    withheld = page.partition("Withheld on 1 task:")[2]
    assert "wine" in withheld.partition("Failed on")[0]
    assert "digits" in withheld.partition("Failed on")[2]


def test_the_gallery_lists_the_values_of_a_literal():
    assert gallery._literals(Literal["a", "b"]) == gallery._literals(Literal["a", "b"] | None) == ("a", "b")
    assert (
        gallery._literals(float | None)
        == gallery._literals(int | str)
        == gallery._literals(tuple[str, ...])
        == ()
    )


@pytest.fixture
def new_page():
    """Opens a page of a browser, 1280 pixels wide, with more options of playwright's `new_page`."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield functools.partial(browser.new_page, viewport={"width": 1280, "height": 900})
        browser.close()


@pytest.mark.slow
@chromium
def test_the_search_works_from_disk_without_a_network(site, new_page):
    page, said, asked = new_page(), [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto((site / "index.html").as_uri())
    page.keyboard.press("s")
    page.keyboard.type("focal")
    page.wait_for_selector(".md-search-result__item", timeout=60_000)
    assert page.locator(".md-search-result__item a[href*='focal.html']").count()
    assert said == []
    assert {url.partition(":")[0] for url in asked} <= {"file", "data", "blob"}


@pytest.mark.slow
@chromium
def test_a_table_has_narrow_columns_and_a_dark_button_can_be_read(site, new_page):
    page = new_page(color_scheme="dark")
    page.goto((site / "leaderboards" / "ours.html").as_uri())
    heads = page.locator(".md-typeset__table").first.locator("th")
    widths = {each.inner_text(): each.bounding_box()["width"] for each in heads.all()}
    assert max(widths["#"], widths["done"], widths["cost"]) < 70, widths
    button = page.locator(".md-button:not(.md-button--primary)").first
    ink = button.evaluate("each => getComputedStyle(each).color")
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    light, dark = sorted(map(_luminance, (ink, paper)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, paper)


def _luminance(colour: str) -> float:
    """The relative luminance of a colour of sRGB, as WCAG 2 defines it."""
    parts = [int(each) / 255 for each in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (
        each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_findings_are_those_of_the_tables(tmp_path):
    rng = iter([0.001 * each for each in range(1000)])

    def seeds(task, spec, value):
        return over_seeds(task, spec, [value + next(rng) for _ in range(6)])

    records = [*seeds(A, "erm", 0.5), *seeds(A, "focal", 0.9), *seeds(A, "focal(gamma=1.0)+svm", 0.1)]
    write(Contents(tuple(records)), tmp_path / "x.jsonl")
    found = Findings([read_board(tmp_path / "x.jsonl")])
    assert [(each.strategy, each.alone) for each in found.of("focal")] == [
        ("focal", True), ("focal(gamma=1.0)+svm", False)]  # fmt: skip
    assert [each.strategy for each in found.of("svm")] == ["focal(gamma=1.0)+svm"]
    assert found.of("knn") == []
    alone, summed = found.of("focal")
    assert "helps; it helps on 1 and hurts on 0" in alone.said
    assert "hurts; it helps on 0 and hurts on 1" in summed.said
    page = next(p for p in gallery.pages(load_registry(), found) if p.path == "strategies/focal.md")
    assert '<span class="verdict helps">' in page.content.decode()


def test_the_index_of_strategies_counts_each_task_once_and_untuned_results_only(tmp_path):
    """Another leaderboard has fewer split seeds, where nothing is settled, and a third tuned results."""
    low, high = [0.5, 0.51, 0.49, 0.505, 0.495], [0.7, 0.712, 0.689, 0.704, 0.695]
    of_one = [*over_seeds(A, "erm", low), *over_seeds(A, "focal", high)]
    tuned = [replace(each, tuning="tuning(n=4)", key=f"{each.key[:-1]}x") for each in of_one]
    few = [*over_seeds(A, "erm", low[:2]), *over_seeds(A, "focal", [0.4, 0.9])]
    for name, records in (("few", few), ("many", of_one), ("tuned", tuned)):
        write(Contents(tuple(records)), tmp_path / f"{name}.jsonl")
    found = Findings([read_board(tmp_path / f"{name}.jsonl") for name in ("many", "few", "tuned")])
    page = next(gallery.pages(load_registry(), found)).content.decode()
    (line,) = (line for line in page.splitlines() if "strategies/focal.md" in line)
    assert line.endswith("| 1 of 1 task | 0 of 1 task |")


def test_a_site_without_a_checkout_has_no_guides(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(building, "_make", lambda options: Path(options["site_dir"]).mkdir())
    monkeypatch.setattr(guides, "find_checkout", lambda given, boards: None)
    write(Contents(tuple(over_seeds(A, "erm", [0.5, 0.6]))), tmp_path / "x.jsonl")
    from fsbench.cli import main

    assert main(["site", str(tmp_path), str(tmp_path / "out")]) == 0
    assert "the site has no guides" in capsys.readouterr().err


@pytest.mark.parametrize("place", [ROOT / "tests", ROOT / "examples" / "fsbench-poly"])
def test_another_folder_is_no_checkout(place):
    with pytest.raises(UsageError, match="is no checkout of fsbench"):
        guides.find_checkout(place, ROOT)
    assert guides.find_checkout(None, ROOT / "leaderboards") == ROOT


def test_a_folder_that_is_no_site_is_not_replaced(call, tmp_path):
    write(Contents(tuple(over_seeds(A, "erm", [0.5, 0.6]))), tmp_path / "x.jsonl")
    status, _, err = call("site", tmp_path, tmp_path)
    assert (status, err.count("\n")) == (2, 1)
    assert "is not a site, so it is not replaced" in err
    assert (tmp_path / "x.jsonl").exists()


def test_a_folder_without_a_published_file_is_one_line(call, tmp_path):
    (folder := tmp_path / "my files").mkdir()
    status, _, err = call("site", folder, tmp_path / "out")
    assert (status, err.count("\n")) == (2, 1)
    assert f"has no published file; `fsbench publish RESULTS '{folder}'` writes one" in err


def test_a_missing_library_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'fsbench\[site\]'"):
        building.build(tmp_path, tmp_path / "out", click.Group())


def test_a_malformed_line_ends_the_site_with_its_number(call, tmp_path):
    path = hostile_board(tmp_path)
    with path.open("a", encoding="utf-8") as file:
        file.write("[" * 100_000 + "\n")
    count = len(path.read_text(encoding="utf-8").split("\n")) - 1
    status, _, err = call("site", tmp_path, tmp_path / "out")
    assert (status, err.count("\n")) == (1, 1)
    assert f"theirs.jsonl, line {count} is not a record (" in err
    assert not (tmp_path / "out").exists()


def test_millions_of_lines_are_refused_before_they_are_read(tmp_path):
    path = tmp_path / "many.jsonl"
    with path.open("wb") as file:
        file.write(b"{}\n")
        file.truncate(101 << 20)
    with pytest.raises(StoreError, match="larger than 100 MB"):
        read_board(path)


@pytest.mark.parametrize(
    "text", [EVIL, "a_b_ *c* ~~d~~ ![e](f) <g@h.i> &lt; \\*", "# x", "- x", "1. x", "> x"]
)
def test_no_character_is_markup_for_python_markdown(text):
    from fsbench.site.config import _extensions

    extensions = [each if isinstance(each, str) else next(iter(each)) for each in _extensions()]
    for escape, tags in ((entities, {"p"}), (entities_code, {"p", "code"})):
        html = markdown.markdown(escape(text), extensions=extensions)
        assert {tag.strip("</>") for tag in re.findall(r"<[^>]*>", html)} == tags, html


def faults_of(tmp_path: Path, **pages: str) -> list[str]:
    for name, body in pages.items():
        (tmp_path / f"{name}.html").write_text(f"<html><body>{body}</body></html>")
    return links.faults(tmp_path)


def test_dead_links_are_found(tmp_path):
    body = (
        '<a href="b.html#there">1</a> <a href="b.html#gone">2</a> <a href="c.html">3</a>'
        '<p id="here"><a href="#here">4</a> <a href="../x.html">5</a> <a href="https://">6</a> <a href="https://a.org/b">7</a>'
        '<img src="gone.svg"> <script src="https://cdn.org/x.js"></script> <a href="javascript:x()">8</a>'
        '<link rel="stylesheet" href="//fonts.org/x.css"> <a href="b.html?q#there">9</a>'
    )
    assert faults_of(tmp_path, a=body, b='<h1 id="there">') == [
        "a.html links to ../x.html: outside of the site",
        "a.html links to b.html#gone: no such heading",
        "a.html links to c.html: no such file",
        "a.html links to gone.svg: no such file",
        "a.html links to https://: no address",
        "a.html links to javascript:x(): not a page of the site",
        "a.html loads //fonts.org/x.css",
        "a.html loads https://cdn.org/x.js",
    ]


def test_guides_keep_their_links_lists_and_code(tmp_path):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text(
        "# Home\nRead:\n- [a guide](docs/a.md#x), [tests\nof it](tests), and [board](leaderboards/b.md)\n"
        "- more\n"
        "| a | b |\n|---|---|\n| [c](https://d.org) | e |\n\n"
        '```python example="x"\nlinks = "[no](tests)"\n- no list\n```\nend\n'
    )
    (tmp_path / "docs" / "a.md").write_text("# A\n[home](../README.md) and [code](../fsbench)\n")
    pages = {each.path: each for each in guides.pages(tmp_path, {"leaderboards/b.md"}, "https://r.org")}
    home = pages["README.md"].content.decode()
    assert "Read:\n\n- [a guide](docs/a.md#x), [tests\nof it](https://r.org/blob/main/tests)" in home
    assert "[board](leaderboards/b.md)\n- more\n\n| a | b |\n" in home
    assert '```python\nlinks = "[no](tests)"\n- no list\n```\n\nend\n' in home
    assert pages["docs/a.md"].titles == ("Guides", "A")
    unknown = {each.path: each for each in guides.pages(tmp_path, (), "")}
    assert "[home](../README.md) and code\n" in unknown["docs/a.md"].content.decode()
    assert "and board\n" in unknown["README.md"].content.decode()
