"""The HTML report without a browser: everything is text, and the numbers are those of the leaderboard."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest
import vl_convert
from hypothesis import given
from hypothesis import strategies as st
from records import failed, over_seeds, realistic, skipped
from whole_results import HOSTILE, columns_of, whole

from fsbench.columns import of_records
from fsbench.metrics import DEFAULT_METRIC
from fsbench.report import text
from fsbench.report.budgets import leaderboards
from fsbench.report.contents import report_of
from fsbench.report.html import page as html_page
from fsbench.report.html.chart import packed
from fsbench.report.html.citing import citations
from fsbench.report.html.trials import MOST, trials
from fsbench.report.recommendation import recommendation
from fsbench.words import printable

SECTIONS = [
    *("answer", "leaderboard", "curves", "gains", "ranks", "costs", "predictions", "fits", "transfer"),
    *("trials", "cards", "provenance", "cite"),
]
CHARTS = [
    *("curves", "ranks", "pareto", "reliability", "recall", "confusion", "fit", "sources", "forgetting"),
]


def page_of(columns) -> str:
    return html_page.to_html(report_of(columns))


class Page(HTMLParser):
    """The elements of a page: (tag, attributes, text directly inside)."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self._open: list[int] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), []))
        if tag not in ("meta", "input", "br", "wbr", "link", "img"):
            self._open.append(len(self.elements) - 1)

    def handle_endtag(self, tag):
        assert self.elements[self._open.pop()][0] == tag

    def handle_data(self, data):
        if self._open:
            self.elements[self._open[-1]][2].append(data)

    def of(self, tag, **attributes):
        """The elements with a tag and some attributes."""
        return [
            (attrs, "".join(parts))
            for name, attrs, parts in self.elements
            if name == tag and all(attrs.get(key.rstrip("_")) == value for key, value in attributes.items())
        ]


@pytest.fixture(scope="module")
def columns():
    return whole()


@pytest.fixture(scope="module")
def source(columns) -> str:
    return page_of(columns)


@pytest.fixture(scope="module")
def page(source) -> Page:
    return Page(source)


def test_the_page_has_every_section_in_the_order_in_which_a_reader_asks(page):
    assert [attrs["id"] for attrs, _ in page.of("section")] == SECTIONS
    assert [attrs["id"] for attrs, _ in page.of("figure")] == [f"chart-{name}" for name in CHARTS]
    links = [attrs["href"] for attrs, _ in page.of("a")]
    assert links == ["#answer", *(f"#{name}" for name in SECTIONS)]


def test_names_reasons_and_classes_with_markup_are_text(page, source):
    tags = {tag for tag, *_ in page.elements}
    assert not tags & {"img", "iframe", "object", "embed", "link", "base", "form"}
    assert not [name for _, attrs, _ in page.elements for name in attrs if name.startswith("on")]
    assert HOSTILE in [text for _, text in page.of("code")]
    shown = [text for _, text in page.of("td")]
    assert any("</script><img src=x onerror=alert(1)>" in each for each in shown)
    assert source.lower().count("</script") == len(page.of("script"))
    assert not re.search("[\x00-\x08\x0e-\x1f\x7f]", source)


def test_only_the_scripts_of_the_page_may_run_and_nothing_may_be_fetched(page, source):
    (policy,) = [attrs["content"] for attrs, _ in page.of("meta") if "http-equiv" in attrs]
    code = [text for attrs, text in page.of("script") if "type" not in attrs]
    hashes = [base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in code]
    assert len(code) == 5
    assert re.findall(r"'sha256-([^']+)'", policy) == hashes
    assert policy.startswith("default-src 'none';")
    assert "unsafe-eval" not in policy
    assert not re.search(r"(src|href)=\"(?!#)", re.sub("<script>.*?</script>", "", source, flags=re.S))
    assert "url(" not in "".join(text for _, text in page.of("style"))


def test_the_tables_have_the_numbers_of_the_leaderboard_for_every_metric(page, columns):
    parts = [json.loads(text) for attrs, text in page.of("script", class_="metrics")]
    for metric in ("balanced_accuracy", "accuracy", "nll", "ece"):
        for board, part in zip(leaderboards(columns, metric), parts, strict=True):
            found = part["values"][metric]["tables"]
            for table, rows in zip(found, [board.overall, *(rows for _, rows in board.tasks)], strict=True):
                shown = [(row.strategy, text.shown(row, board.metric)) for row in rows]
                assert table == [[name, [texts[c] for c in part["columns"]]] for name, texts in shown]
    cells = [text for attrs, text in page.of("td", data_column=None) if "data-column" in attrs]
    wanted = []
    for board in leaderboards(columns, DEFAULT_METRIC):
        tables = [
            (board.overall, text.OVERALL_COLUMNS),
            *((rows, text.TASK_COLUMNS) for _, rows in board.tasks),
        ]
        for rows, names in tables:
            kept = [name for name in text.columns(board, names) if name != "strategy"]
            wanted += [text.shown(row, board.metric)[name] for row in rows for name in kept]
    assert cells == wanted


def test_the_heat_map_marks_what_helps_hurts_failed_and_was_skipped(page):
    found = {}
    for attrs, shown in page.of("td"):
        if attrs.get("title") and attrs.get("class"):
            found.setdefault(attrs["class"], []).append(shown)
    assert {"baseline", "failed", "skipped", "withheld", "helps", "hurts"} <= {
        name.partition("-")[0] for name in found
    }
    assert all(
        each.startswith("+") for name, shown in found.items() if name.startswith("helps") for each in shown
    )
    assert all(
        each.startswith("-") for name, shown in found.items() if name.startswith("hurts") for each in shown
    )
    assert set(found["failed"]) == {"failed"}


def test_every_chart_is_valid_vega_lite_with_rows_for_each_group(page):
    charts = [json.loads(text) for attrs, text in page.of("script", class_="chart-data")]
    assert len(charts) == len(CHARTS)
    for chart in charts:
        assert chart["groups"]
        params = [{"name": signal["name"], "value": ""} for signal in chart["signals"]]
        params += [{"name": "ticks", "value": [1, 5]}] if chart["ticks"] else []
        for group in chart["groups"]:
            rows = unpacked(group["columns"])
            assert rows
            assert {column["field"] for column in chart["columns"]} <= set(rows[0])
        vl_convert.vegalite_to_vega({**chart["spec"], "params": params, "data": {"values": rows}})


def unpacked(columns):
    """What the script of the page makes of `packed`."""
    lists = {
        name: [each["texts"][code] for code in each["codes"]] if isinstance(each, dict) else each
        for name, each in columns.items()
    }
    return [dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True)]


ROWS = st.lists(
    st.fixed_dictionaries(
        {"name": st.text(), "n": st.integers(), "x": st.none() | st.floats(-1e6, 1e6), "on": st.booleans()}
    ),
    min_size=1,
)


@given(ROWS)
def test_packed_rows_come_back_with_six_digits(rows):
    wanted = [
        {**row, "name": printable(row["name"]), "x": None if row["x"] is None else float(f"{row['x']:.6g}")}
        for row in rows
    ]
    assert unpacked(json.loads(json.dumps(packed(rows)))) == wanted


def test_a_small_number_is_not_rounded_to_zero_which_no_logarithmic_axis_has():
    assert packed([{"cost": 0.01 / 920}]) == {"cost": [1.08696e-05]}


def test_numbers_that_are_not_finite_are_missing_in_charts():
    assert packed([{"x": float("nan")}, {"x": float("inf")}, {"x": 1}]) == {"x": [None, None, 1]}


def test_skips_and_failures_are_listed_trial_by_trial_with_their_reasons():
    task = "kshot(wine, k=5)"
    records = [
        *over_seeds(task, "erm", [0.5, 0.6, 0.7, 0.8, 0.9]),
        *(skipped(task=task, spec="dann", split_seed=seed) for seed in (0, 1, 2, 4)),
        failed("Boom", "why", task=task, spec="focal", split_seed=3),
        *over_seeds(task, "knn", [0.5, 0.6], notes=("k=1 instead of 5",)),
    ]
    columns = columns_of(records)
    found = {each.title: each for each in trials(leaderboards(columns), columns).listings}
    assert found["Failed: 1 trial"].rows == (("focal", task, "split seed 3", "Boom: why"),)
    assert found["Failed: 1 trial"].open
    assert found["Skipped: 4 trials"].rows == (("dann", task, "split seeds 0-2, 4", "needs source data"),)
    assert found["Notes: 1 note"].rows == (("knn", task, "split seeds 0-1", "k=1 instead of 5"),)


def test_a_listing_says_how_a_strategy_was_tuned():
    several = [failed("Boom", "why", spec="focal", tuning=f"tuning(n={n})", split_seed=n) for n in (4, 8)]
    columns = columns_of([*over_seeds("kshot(wine, k=5)", "erm", [0.5]), *several])
    (listing,) = trials(leaderboards(columns), columns).listings
    assert [row[0] for row in listing.rows] == ["tuned(focal)", "tuned(focal, n=4)"]


def test_a_long_list_says_how_much_is_left_out():
    records = over_seeds("kshot(wine, k=5)", "erm", [0.5])
    records += [skipped(f"reason {n:05}", spec=f"s{n}") for n in range(MOST + 7)]
    columns = columns_of(records)
    (listing,) = trials(leaderboards(columns), columns).listings
    assert len(listing.rows) == MOST
    assert listing.left_out == "Only the first 1,000 rows; 7 more are left out."


def test_without_results_the_page_says_so():
    found = Page(page_of(columns_of([])))
    assert [shown for _, shown in found.of("p", class_="headline")] == ["No results yet;  produces some."]
    assert "fsbench run" in [shown for _, shown in found.of("code")]
    assert len(found.of("script")) == 4


def test_the_same_results_give_the_same_page():
    columns = columns_of(realistic())
    assert page_of(columns) == page_of(columns)


def test_a_lone_half_of_a_surrogate_pair_does_not_keep_the_page_from_being_written():
    columns = columns_of(over_seeds("kshot(wine, k=5)", "erm\ud800", [0.5, 0.6]))
    assert "erm\\ud800" in page_of(columns).encode().decode()


def test_unknown_strategies_to_cite_are_called_by_name():
    records = [each for n in range(4) for each in over_seeds("kshot(wine, k=2)", f"unheard{n}", [0.5])]
    about = citations(of_records(records, ())).about
    assert "what these name: unheard0, unheard1" in about


def test_the_page_points_to_its_own_section_for_the_gains_by_source_that_are_left_out():
    records = []
    for source in ("patches", "glyphs"):
        task = f"kshot(digits, k=5, source={source})"
        for number, name in enumerate(["erm", *(f"transfer(layers={layer})" for layer in range(12))]):
            records += over_seeds(task, name, [0.7 + 0.01 * number, 0.71], uses=("source",))
    made = report_of(columns_of(records))
    (line,) = (line for line in recommendation(made.boards[0]) if "more strategies by source" in line)
    shown = "".join(part for _, _, texts in Page(html_page.to_html(made)).elements for part in texts)
    assert line.startswith("The HTML report has")
    assert line not in shown
    below = line.replace("The HTML report", 'The section "Negative transfer and forgetting" below')
    assert shown.index(below) < shown.rindex("Negative transfer and forgetting")
