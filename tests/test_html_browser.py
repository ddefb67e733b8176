"""The HTML report in headless Chromium: drawn, sorted, filtered, without a request, and open to everybody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import pytest
from marks import CHROMIUM, chromium
from records import over_seeds
from whole_results import HOSTILE, columns_of, whole

from fsbench.report import text
from fsbench.report.contents import report_of
from fsbench.report.html.page import to_html
from fsbench.words import printable

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")

pytestmark = [
    chromium,
    pytest.mark.slow,
]
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 900}
OVERALL = "details.table[data-overall]"
TASK = "kshot(digits, k=5)"


@dataclass
class Opened:
    """The page in a browser, and what it did: lines on the console, requests and dialogs."""

    page: sync_api.Page
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def reset(self) -> None:
        """Load the page again."""
        self.page.reload()
        self.drawn()

    def drawn(self) -> None:
        """Wait until the charts are drawn."""
        self.page.wait_for_selector("html[data-charts=done]", timeout=60_000)

    def texts(self, selector: str) -> list[str]:
        """The texts of the visible elements that a selector finds."""
        return [each.inner_text().strip() for each in self.page.locator(selector).all() if each.is_visible()]

    def choose(self, name: str, value: str) -> None:
        """Choose in a filter."""
        self.page.select_option(f"[data-filter={name}]", value)


@pytest.fixture(scope="module")
def report():
    return report_of(whole(seeds=2))


@pytest.fixture(scope="module")
def opened(report, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(to_html(report), encoding="utf-8")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        found = Opened(browser.new_page(viewport=DESKTOP))
        found.page.on("console", lambda message: found.console.append(f"{message.type}: {message.text}"))
        found.page.on("pageerror", lambda error: found.console.append(f"error: {error}"))
        found.page.on("request", lambda request: found.requests.append(request.url))
        found.page.on("dialog", lambda dialog: (found.dialogs.append(dialog.message), dialog.dismiss()))
        found.page.goto(file.as_uri())
        found.drawn()
        yield found
        browser.close()


def test_every_chart_is_drawn_without_an_error_or_a_request(opened: Opened) -> None:
    states = opened.page.eval_on_selector_all(
        "figure.chart", "all => all.map(f => [f.id, f.dataset.state, f.querySelectorAll('svg path').length])"
    )
    assert len(states) == 9
    assert [state for state in states if state[1] != "drawn" or state[2] < 3] == []
    assert opened.console == []
    assert {url.partition(":")[0] for url in opened.requests} == {"file"}
    assert len({url.partition("#")[0] for url in opened.requests}) == 1


def test_texts_with_markup_are_shown_and_not_run(opened: Opened) -> None:
    assert opened.dialogs == []
    assert HOSTILE in opened.page.locator("main").inner_text()
    assert opened.page.locator("main img").count() == 0
    tasks = opened.page.locator("#chart-confusion select").first
    tasks.select_option(tasks.locator("option", has_text="hostile").inner_text())
    labels = opened.page.locator("#chart-confusion svg text").all_text_contents()
    assert any(label.startswith("<script>") for label in labels)
    cell = opened.page.locator("#chart-confusion .mark-rect path").first
    cell.scroll_into_view_if_needed()
    box = cell.bounding_box()
    opened.page.mouse.move(box["x"] + 5, box["y"] + 5)
    opened.page.mouse.move(box["x"] + 9, box["y"] + 9)
    opened.page.wait_for_selector("#vg-tooltip-element.visible")
    assert HOSTILE in opened.page.locator("#vg-tooltip-element").inner_text()
    assert opened.dialogs == []


def test_tables_sort_by_a_column_in_both_directions_with_gaps_last(opened: Opened) -> None:
    opened.reset()
    table = opened.page.locator(OVERALL).first
    button = table.locator("th", has=opened.page.get_by_role("button", name="vs erm")).locator("button")
    for direction in ("ascending", "descending"):
        button.click()
        head = table.locator("th[data-column='vs erm']")
        assert head.get_attribute("aria-sort") == direction
        shown = table.locator("td[data-column='vs erm']").all_inner_texts()
        numbers = [float(each.split(" ")[0].rstrip("*")) for each in shown if each != "-"]
        assert numbers == sorted(numbers, reverse=direction == "descending")
        assert shown[len(numbers) :] == ["-"] * (len(shown) - len(numbers))
    assert table.locator("th[aria-sort=none]").count() == table.locator("thead th").count() - 1


def test_filters_leave_the_tables_and_rows_that_fit(opened: Opened) -> None:
    opened.reset()
    opened.choose("protocol", "longtail")
    plain, tuned = opened.texts("details.table > summary")
    assert plain.startswith("longtail(breast_cancer, ir=20)")
    assert tuned.startswith("longtail(breast_cancer, ir=20)")
    opened.choose("protocol", "")
    opened.choose("dataset", "digits")
    opened.choose("k", "5")
    assert all(each.startswith("kshot(digits, k=5") for each in opened.texts("details.table > summary"))
    opened.choose("uses", "source")
    rows = opened.texts("details.table tbody th")
    assert rows
    assert set(rows) <= {"transfer", "maml", "dann", "transfer+augmentation+focal(gamma=1.5)"}
    opened.choose("uses", "-")
    assert "transfer" not in opened.texts("details.table tbody th")
    opened.page.fill("[data-filter=strategy]", "nobody")
    assert opened.page.locator("#found").inner_text() == "No row fits: choose less."
    opened.reset()
    opened.choose("board", "1")
    assert all(each.startswith("tuned(") for each in opened.texts("details.table tbody th"))


def test_another_metric_shows_its_numbers_in_its_order(opened: Opened, report) -> None:
    opened.reset()
    opened.choose("metric", "nll")
    board = report.by_metric[0]["nll"]
    wanted = [(printable(row.strategy), text.shown(row, board.metric)) for row in board.overall]
    table = opened.page.locator(OVERALL).first
    assert table.locator("tbody th").all_inner_texts() == [name for name, _ in wanted]
    for column in ("#", "score", "vs erm", "verdict"):
        cells = table.locator(f"td[data-column='{column}']").all_inner_texts()
        assert cells == [texts[column] for _, texts in wanted]
    assert "negative log" in opened.page.locator("[data-about]").first.inner_text().lower()
    terms, meanings = (
        opened.page.locator(f"details.legend {tag}").all_text_contents() for tag in ("dt", "dd")
    )
    said, wanted = dict(zip(terms, meanings, strict=True)), text.legend(board)
    assert said["score"] == wanted["score"] != text.legend(report.by_metric[0]["balanced_accuracy"])["score"]


def test_a_chart_shows_the_task_and_the_strategy_that_a_reader_picks(opened: Opened, report) -> None:
    opened.reset()
    figure = opened.page.locator("#chart-confusion")
    task, strategy = (figure.locator("select").nth(place) for place in (0, 1))
    name = task.locator("option", has_text=TASK).first.inner_text()
    task.select_option(name)
    strategy.select_option("focal")
    figure.locator("summary").click()
    figure.locator("tbody tr", has_text="focal").first.wait_for()
    rows = [row.locator("td").all_inner_texts() for row in figure.locator("tbody tr").all()]
    wanted = next(
        each for each in report.charts[0].predicted if name.endswith(each.task) and each.strategy == "focal"
    )
    assert [int(row[3]) for row in rows] == wanted.confusion.ravel().tolist()
    assert {row[0] for row in rows} == {"focal"}


@pytest.mark.parametrize(("theme", "size"), [("light", DESKTOP), ("dark", PHONE)], ids=["desktop", "phone"])
def test_axe_finds_no_serious_fault(opened: Opened, theme: str, size: dict[str, int]) -> None:
    page = opened.page
    opened.reset()
    page.set_viewport_size(size)
    page.emulate_media(color_scheme=theme)
    if size is DESKTOP:
        page.eval_on_selector_all("details:not(.table)", "all => all.forEach(each => each.open = true)")
    page.evaluate((resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']})")
    faults = [
        f"{each['impact']}: {each['id']}: {each['nodes'][0]['html'][:300]}" for each in found["violations"]
    ]
    assert [each for each in faults if each.startswith(("serious", "critical"))] == []
    assert len(found["passes"]) > 10


def test_a_phone_needs_no_sideways_scrolling_of_the_page(opened: Opened) -> None:
    opened.page.set_viewport_size(PHONE)
    opened.reset()
    opened.page.eval_on_selector_all(
        ".filters option", "all => all.forEach(each => each.textContent += ' and others'.repeat(9))"
    )
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    opened.page.set_viewport_size(DESKTOP)


def test_names_in_the_heat_map_do_not_cover_its_cells(opened: Opened) -> None:
    text = "all => all.map(each => [each.scrollWidth, each.parentElement.clientWidth, each.textContent])"
    for media, size in (("screen", PHONE), ("print", {"width": 720, "height": 1000})):
        opened.page.set_viewport_size(size)
        opened.page.emulate_media(media=media)
        names = opened.page.eval_on_selector_all(".heatmap tbody th code", text)
        assert len(names) > 10
        assert [name for wide, room, name in names if wide > room] == [], media
    opened.page.emulate_media(media="screen")
    opened.page.set_viewport_size(DESKTOP)


def test_a_phone_shows_names_whole_above_their_lines(opened: Opened, report) -> None:
    figure = opened.page.locator("#chart-forgetting")
    axis = figure.locator("g.role-axis-label text")
    heights = []
    for size in (DESKTOP, PHONE):
        opened.page.set_viewport_size(size)
        opened.reset()
        shown = [each for each in axis.all_text_contents() if "(" in each]
        heights.append(figure.locator("svg").bounding_box()["height"])
    tasks = {each.task for each in report.charts[0].forgotten}
    assert len(shown) > 1
    assert {each for each in shown if not each.endswith("…")} <= tasks
    assert sum(each.endswith("…") for each in shown) < len(shown) / 2
    assert len(set(shown)) == len(shown)
    assert heights[1] > heights[0]
    opened.page.set_viewport_size(DESKTOP)


def test_a_phone_shows_the_verdict_without_scrolling_the_table(opened: Opened) -> None:
    opened.page.set_viewport_size(PHONE)
    opened.reset()
    right = "all => all.map(each => each.getBoundingClientRect().right)"
    ends = opened.page.eval_on_selector_all(f"{OVERALL} tbody [data-column=verdict]", right)
    assert len(ends) > 5
    assert max(ends) <= PHONE["width"]
    opened.page.set_viewport_size(DESKTOP)


def test_a_learning_curve_has_ticks_where_its_tasks_were_measured(opened: Opened, tmp_path: Path) -> None:
    tasks = [f"kshot(digits, k={k})" for k in (1, 4, 20)] + [f"kshot(wine, k={k})" for k in (3, 5)]
    scores = {"erm": [0.5, 0.52], "focal": [0.6, 0.63], "svm": [0.49, 0.51]}
    records = [each for t in tasks for name, some in scores.items() for each in over_seeds(t, name, some)]
    file = tmp_path / "curves.html"
    file.write_text(to_html(report_of(columns_of(records))), encoding="utf-8")
    page = opened.page.context.browser.new_page(viewport=DESKTOP)
    page.goto(file.as_uri())
    page.wait_for_selector("html[data-charts=done]", timeout=60_000)
    figure = page.locator("#chart-curves")
    for family, ticks in (("kshot(digits)", ["1", "4", "20"]), ("kshot(wine)", ["3", "5"])):
        figure.locator("select").first.select_option(family)
        axis = figure.locator("g.role-axis").filter(has_text="labels per class")
        sync_api.expect(axis.locator("g.role-axis-label text")).to_have_text(ticks)
    figure.locator("select").nth(1).select_option("svm")
    names = figure.locator("g.role-mark.mark-text text")
    sync_api.expect(names.filter(has_text="svm")).to_have_count(1)
    boxes = {each.text_content(): each.bounding_box() for each in names.all()}
    assert boxes["erm"]["y"] + boxes["erm"]["height"] <= boxes["svm"]["y"]
    page.close()


def test_the_theme_can_be_switched_by_the_keyboard(opened: Opened) -> None:
    opened.page.emulate_media(color_scheme="light")
    opened.reset()
    colour = "getComputedStyle(document.body).backgroundColor"
    assert opened.page.evaluate(colour) == "rgb(255, 255, 255)"
    opened.page.focus("#theme")
    opened.page.keyboard.press("Enter")
    assert opened.page.evaluate(colour) != "rgb(255, 255, 255)"
    assert opened.page.locator("#theme").inner_text() == "Light"


def test_paper_narrower_than_the_window_has_all_of_each_chart(opened: Opened) -> None:
    opened.page.set_viewport_size(DESKTOP)
    opened.reset()
    opened.page.emulate_media(media="print")
    # A printer makes the page narrower, but charts are not drawn again as after a change of the window.
    opened.page.evaluate("document.body.style.width = '640px'")
    for chart in opened.page.locator("figure.chart .plot").all():
        box, picture = chart.bounding_box(), chart.locator("svg").bounding_box()
        assert picture["width"] <= box["width"]
        assert chart.evaluate("each => getComputedStyle(each).overflowX") == "visible"
    opened.page.emulate_media(media="screen")


def test_print_is_light_and_without_controls(opened: Opened, tmp_path: Path) -> None:
    opened.page.emulate_media(color_scheme="dark", media="print")
    opened.reset()
    assert opened.page.evaluate("getComputedStyle(document.body).color") == "rgb(27, 31, 36)"
    assert not opened.page.locator("nav").is_visible()
    assert not opened.page.locator("#filters").is_visible()
    opened.page.set_viewport_size({"width": 720, "height": 1000})
    assert opened.page.locator("details.table:not([open])").count() > 3
    opened.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert opened.page.locator("details.table:not([open])").count() == 0
    widths = "all => all.map(each => [each.scrollWidth, each.clientWidth])"
    for wide, room in opened.page.eval_on_selector_all("#gains .scroll, details.table .scroll", widths):
        assert wide <= room
    opened.page.set_viewport_size(DESKTOP)
    opened.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert opened.page.locator("details.table:not([open])").count() > 3
    opened.page.pdf(path=tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
    opened.page.emulate_media(color_scheme="light", media="screen")
