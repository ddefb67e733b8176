"""Names, reasons and notes come from strangers: each format shows them as text, by its function here.

HTML is escaped by its templates, and JSON needs nothing.
"""

from __future__ import annotations

import re

from fsbench.words import printable

# Our own sentences name commands like this, and Markdown shows them as code.
_COMMAND = re.compile(r"(`fsbench [\w -]*`)", re.ASCII)
_MARKDOWN = re.compile(r"([\\`*|<])|(\](?=[(\[:]))|((?<!\w)_|_(?!\w))|(&(?=#?\w+;))|(~)|(^[#>+-](?= ))")
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")
_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    **{each: f"\\{each}" for each in "{}$&#%_"},
}
_LONGEST = 100
# A number with a sign is none.
_FORMULA = re.compile(r"(?![+-]?\d+(\.\d+)?\Z)[=+\-@\t\r\n]")


def markdown(text: str) -> str:
    """Text for a paragraph, a list or a table of Markdown in GitHub's dialect; commands of ours stay code."""
    parts = _COMMAND.split(printable(text))
    return "".join(part if _COMMAND.fullmatch(part) else _MARKDOWN.sub(r"\\\g<0>", part) for part in parts)


def markdown_code(text: str) -> str:
    """Text as code in Markdown, also in a table: the fence is longer than any row of backticks in it."""
    line = printable(text)
    rows = re.findall("`+", line)
    fence = "`" * (max(map(len, rows), default=0) + 1)
    room = " " if rows else ""
    return f"{fence}{room}{line}{room}{fence}".replace("|", "\\|")


def entities(text: str) -> str:
    """Text for Python-Markdown, in which no character can be markup; commands of ours stay code."""
    parts = _COMMAND.split(printable(text))
    return "".join(
        f"<code>{_entities(part[1:-1])}</code>" if _COMMAND.fullmatch(part) else _entities(part)
        for part in parts
    )


def entities_code(text: str) -> str:
    """Text as code for Python-Markdown, also in a table."""
    return f"<code>{_entities(printable(text))}</code>"


def _entities(text: str) -> str:
    return _PUNCTUATION.sub(lambda found: f"&#{ord(found[0])};", text)


def latex(text: str) -> str:
    """Text for LaTeX (T1 or Unicode fonts); commands of ours are in typewriter type."""
    parts = _COMMAND.split(printable(text))
    return "".join(
        rf"\texttt{{{_latex(part[1:-1])}}}" if _COMMAND.fullmatch(part) else _latex(part) for part in parts
    )


def _latex(text: str) -> str:
    # Two hyphens would become a dash.
    return "".join(_LATEX.get(each, each) for each in text).replace("--", "-{}-")


def csv(text: str) -> str:
    """Text for a cell of CSV that no spreadsheet takes for a formula: behind an apostrophe if it looks so."""
    return f"'{text}" if _FORMULA.match(text) else text


def figure(text: str) -> str:
    """Text for a figure, of which no part is read as mathematics; a longer one than 100 characters is cut."""
    line = printable(text)
    return (line if len(line) <= _LONGEST else f"{line[:_LONGEST]}...").replace("$", r"\$")
