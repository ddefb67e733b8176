"""What `fsbench list` and `fsbench cite` print, and tables and messages at any width."""

from __future__ import annotations

import sys

import pytest

from fsbench.cli.output import console, height, say, table


def test_every_list_can_be_printed(call, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    status, everything, err = call("list")
    assert (status, err) == (0, "")
    assert max(map(len, everything.splitlines())) <= 80
    for words in (
        "focal",
        "gamma=2.0",
        "runs in every table",
        "kshot(DATASET",
        "breast_cancer",
        "starter-v1",
        "shift(mnist5k(size=8), digits)",
    ):
        assert words in everything
    for section in ("strategies", "protocols", "datasets", "suites", "tasks", "plugins"):
        status, out, _ = call("list", section)
        assert status == 0
        assert out in everything


@pytest.mark.parametrize("section", ["strategies", "protocols", "datasets", "suites", "backbones", "plugins"])
def test_lists_break_no_word_across_lines(call, monkeypatch, section):
    words = {}
    for width in (400, 60, 80, 120):
        monkeypatch.setenv("COLUMNS", str(width))
        lines = call("list", section)[1].splitlines()
        assert max(map(len, lines)) <= width
        # The times of suites are measured anew for each list.
        words[width] = {word for line in lines for word in line.split() if not word.isdigit()}
    names = {word for word in words[400] if len(word) > 5 and "─" not in word and word != "backbone"}
    for width in (60, 80, 120):
        assert names - words[width] <= {"parameters", "family"}  # headings, which end in a colon there


def test_a_table_breaks_no_word_at_any_width(monkeypatch):
    headings, row = ("task", "strategy", "seeds", "to settle it"), ("wine", "focal", "10", "about 1000 more")
    for width in range(20, 60):
        monkeypatch.setenv("COLUMNS", str(width))
        screen = console()
        with screen.capture() as shown:
            screen.print(table(headings, [row]))
        said = shown.get().replace(":", "")
        assert max(map(len, said.splitlines())) <= width
        assert set(" ".join((*headings[1:3], *row)).split()) <= set(said.split())
        assert ("task" in said) == (width >= 4 + 8 + 5 + 6 + 3 * 3)  # the longest words and three gaps


def test_citations_are_printed(call):
    _, everything, _ = call("cite")
    status, chosen, _ = call("cite", "transfer+focal, kshot(wine, source=mnist5k(size=8))")
    headings = [line for line in chosen.splitlines() if not line.startswith(" ")]
    assert (status, headings) == (0, ["fsbench", "transfer", "focal", "wine", "mnist5k"])
    assert "Focal" in chosen
    assert set(chosen.splitlines()) <= set(everything.splitlines())
    assert "glyphs" in call("cite", "glyphs(size=14)")[1].splitlines()
    suite = [line for line in call("cite", "starter-v1")[1].splitlines() if not line.startswith(" ")]
    datasets, protocols = ["digits", "mnist5k", "glyphs", "breast_cancer", "wine"], ["longtail", "episodes"]
    assert suite == ["fsbench", *datasets, *protocols]
    status, _, err = call("cite", "zzz")
    assert (status, err.count("\n")) == (2, 1)
    assert (
        "unknown strategy, dataset, protocol, backbone, metric or suite 'zzz'; `fsbench list` shows all"
        in err
    )


def test_messages_on_a_terminal_break_between_words(monkeypatch, capsys):
    message = "the budget of 60 s is too small for this data; " * 4
    say(message)
    assert capsys.readouterr().err.count("\n") == 1
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    say(message)
    lines = capsys.readouterr().err.splitlines()
    assert height([message]) == len(lines) > 3
    assert max(map(len, lines)) <= 40
    assert {word for line in lines for word in line.split()} == {"fsbench:", *message.split()}


def test_rows_of_searches_are_cited_as_their_strategies(call):
    plain, tuned = (call("cite", each) for each in ("focal", "tuned(focal(gamma=1), n=4)"))
    assert tuned == plain
    assert "Focal" in plain[1]
