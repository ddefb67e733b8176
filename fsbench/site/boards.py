"""The pages of leaderboards: an index and, for each, tables, figures, the interactive report, the file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fsbench.report.board import Board
from fsbench.report.board_index import index, made
from fsbench.report.html.page import to_html
from fsbench.report.markdown import SITE, with_figures
from fsbench.report.publishing import shown_figures
from fsbench.site.pages import Page, text
from fsbench.words import capital

FOLDER = "leaderboards"
_PART = "Leaderboards"


def pages(boards: Sequence[Board]) -> Iterator[Page]:
    """The index, then the pages of each leaderboard."""
    yield Page(f"{FOLDER}/README.md", index(boards, SITE).encode(), (_PART, "All leaderboards"))
    for board in boards:
        yield from _pages(board)


def _pages(board: Board) -> Iterator[Page]:
    (name, page), *figures = with_figures(board.report, board.name, shown_figures(board.report), SITE)
    title, _, rest = page.decode().partition("\n")
    content = "\n".join((title, "", *_links(board), rest))
    yield Page(f"{FOLDER}/{name}", content.encode(), (_PART, board.name))
    for path, content_of_figure in figures:
        yield Page(f"{FOLDER}/{path}", content_of_figure)
    yield Page(f"{FOLDER}/{board.name}-report.html", to_html(board.report).encode())
    yield Page(f"{FOLDER}/{board.path.name}", board.path.read_bytes())


def _links(board: Board) -> Iterator[str]:
    """The ways on from the page, and where the results come from."""
    yield f"[Interactive report]({board.name}-report.html){{ .md-button .md-button--primary }}"
    yield f"[Records]({board.path.name}){{ .md-button download }}"
    yield ""
    yield f"Made {text(made(board))}."
    for line in board.reproduced or ("Nobody has reproduced it yet; `fsbench verify` does.",):
        yield f"{text(capital(line))}" + ("" if line.endswith(".") else ".")
