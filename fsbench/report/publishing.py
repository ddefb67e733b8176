"""Published files with what stands beside them: a page of tables with figures, and an index of the folder."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from fsbench.errors import StoreError, UsageError
from fsbench.files import replacing
from fsbench.record import Record
from fsbench.report.board import INDEX, Board, boards_in, check_name, read_board
from fsbench.report.board_index import MARK, index
from fsbench.report.contents import Report
from fsbench.report.formats import write_file
from fsbench.report.markdown import TITLE, with_figures
from fsbench.report.plots.figures import Figure
from fsbench.report.plots.files import figures_of
from fsbench.report.published import Contents, write
from fsbench.tasks.suites import Suite

_FIGURES = ("curves", "gains", "ranks", "costs")
"""The figures of a page: few and small, because a repository keeps every version of them."""


def write_published(contents: Contents, path: str | Path) -> Path:
    """Write contents to `path` and their Markdown page beside it; return the path of the page.

    The folder is created if necessary. The page is made from the written file, by the default metric, so that
    anybody can check that the two agree. Nothing is replaced by what could not be read again. Raises
    StoreError for that, and if a file cannot be written; UsageError as `check_page`.
    """
    path = Path(path)
    check_name(path)
    check_page(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make the folder {path.parent}: {error.strerror}; name another") from error
    try:
        with replacing(path) as draft:
            write(contents, draft)
            board = read_board(draft, path)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from None
    return _write_page(board)


def trials_without_record(records: Collection[Record], suite: Suite) -> dict[str, list[tuple[str, int]]]:
    """What a suite's tasks lack: the strategies and split seeds without a record, by task, if there are any.

    Each strategy of the records should have one on every task and split, even if it failed or was skipped:
    nobody should choose on which tasks of a suite a strategy is shown.
    """
    found = {(record.task, record.spec, record.split_seed) for record in records}
    wanted = [(spec, seed) for spec in sorted({r.spec for r in records}) for seed in range(suite.split_seeds)]
    lacking = {task: [each for each in wanted if (task, *each) not in found] for task in suite.tasks}
    return {task: trials for task, trials in lacking.items() if trials}


def write_page(path: Path) -> Path:
    """Write the Markdown page of a published file and its figures beside it; return the path of the page.

    Raises UsageError as `check_page`.
    """
    check_page(path)
    return _write_page(read_board(path))


def check_page(path: Path) -> None:
    """Raise UsageError if a file that is not a page stands where the page of a published file is to be."""
    place = _page_of(path)
    if place.exists() and not _begins(place, TITLE):
        raise UsageError(
            f"{place}, where the page of {path.name} is to be, is not a page of `fsbench publish`: give it "
            "another name, or write into another folder"
        )


def _page_of(path: Path) -> Path:
    return path.with_suffix(".md")


def _write_page(board: Board) -> Path:
    path = board.path
    page, *figures = with_figures(board.report, board.name, shown_figures(board.report))
    for old in path.parent.glob(f"{board.name}-figures/*.svg"):
        if f"{old.parent.name}/{old.name}" not in dict(figures):
            old.unlink()
    for name, content in (page, *figures):
        write_file(path.parent / name, content)
    return path.parent / page[0]


def write_index(folder: Path) -> Path | None:
    """Write the index of the published files in a folder, README.md; return its path.

    A README.md that is not an index stays as it is, and the result is None.
    """
    place = folder / INDEX
    if place.exists() and not is_index(place):
        return None
    write_file(place, index(map(read_board, boards_in(folder))).encode())
    return place


def is_index(path: Path) -> bool:
    """Whether a file is an index, which may be written anew."""
    return _begins(path, MARK)


def _begins(path: Path, text: str) -> bool:
    """Whether there is a file that begins with a text."""
    try:
        with path.open("rb") as file:
            return file.read(len(text)) == text.encode()
    except OSError:
        return False


def renew(path: Path) -> None:
    """Write the page of a published file anew if it has one, and the index of its folder if there is one."""
    if _begins(_page_of(path), TITLE):
        write_page(path)
    renew_index(path.parent)


def renew_index(folder: Path) -> None:
    """Write the index of a folder anew if there is one."""
    if is_index(folder / INDEX):
        write_index(folder)


def shown_figures(report: Report) -> list[tuple[int, Figure]]:
    """The figures that a page shows, each with the place of its leaderboard."""
    return [(place, each) for place, each in figures_of(report) if each.kind in _FIGURES]
