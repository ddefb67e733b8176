"""The last screen of a terminal of 80x24: the answer, however many strategies there are."""

from __future__ import annotations

import io
import os
import signal

import pytest
from records import failed, over_seeds, realistic, skipped
from rich.console import Console
from terminals import HEIGHT, WIDTH, Session, screen_of
from test_cli_process import SLOW_RUN, prepare

from fsbench.columns import of_records
from fsbench.report.budgets import leaderboards
from fsbench.report.last_screen import _pointers, print_boards
from fsbench.store import Store

SCORE = "balanced_accuracy"
HOSTILE = "\x1b[31m\x1b]0;owned\x07\u202eHELP"


def shown(records, below=0, height=HEIGHT) -> tuple[list[str], str]:
    """The last screen of the leaderboards of some records, above a prompt of two lines, and all output."""
    stream = io.StringIO()
    console = Console(file=stream, width=WIDTH, height=height, force_terminal=True, highlight=False)
    print_boards(leaderboards(of_records(records, [SCORE]), SCORE), console, below=below)
    text = stream.getvalue() + below * "fsbench: a failure\n" + "\n$ "
    return screen_of(text.replace("\n", "\r\n").encode()), stream.getvalue()


def many(strategies: int, tasks: int) -> list:
    """A run of many strategies, two of which help and two of which hurt, on many tasks."""
    found = []
    for task in range(tasks):
        label = f"kshot(digits, k={task + 1})"
        found += over_seeds(label, "erm", [0.7, 0.71, 0.72])
        for number in range(strategies):
            gain = {0: 0.1, 1: 0.08, strategies - 2: -0.08, strategies - 1: -0.1}.get(number, 0)
            name = f"strategy_{number}(alpha=0.{number})"
            found += over_seeds(label, name, [0.7 + gain, 0.711 + gain + 0.002 * (number % 3), 0.72 + gain])
    return found


def answer(screen: list[str]) -> tuple[list[str], list[str], list[str]]:
    """The words, the rows and what follows of a last screen that ends with a prompt."""
    assert screen[-1] == "$"
    first = next(number for number, line in enumerate(screen) if line.startswith("Use "))
    rule = next(number for number, line in enumerate(screen) if line.startswith("────"))
    rows = [line for line in screen[rule + 1 :] if "±" in line or line.endswith("skipped     -")]
    last = max(screen.index(line) for line in rows)
    return screen[first : rule - 2], rows, screen[last + 1 : -1]


def test_the_last_screen_has_the_words_the_table_and_what_failed():
    screen, text = shown(realistic(5))
    words, rows, rest = answer(screen)
    assert words[0].startswith("Use augmentation: 75.")
    assert [row.split()[0] for row in rows if row.split()[0] in ("augmentation", "erm", "dann")]
    assert any("baseline" in row for row in rows)
    assert rest[0].startswith("uses source data: transfer")
    assert rest[1].startswith("failed (reasons above): maml")
    assert rest[2].startswith("skipped on some tasks (reasons above): dann, maml")
    assert "Above: " in rest[3]
    assert "failed: maml, 1 trial on shift(mnist5k(size=8), digits); latest: TimeOut" in text
    assert "needs source data" in text


def test_failures_that_are_said_below_it_are_said_once_and_fit():
    words, _, rest = answer(shown(realistic(5), below=4)[0])
    assert words[0].startswith("Use augmentation: 75.")
    assert not any("maml" in line and "failed" in line for line in rest)
    assert rest.count("fsbench: a failure") == 4


@pytest.mark.parametrize(("strategies", "tasks"), [(5, 1), (5, 13), (40, 1), (40, 5), (100, 1)])
def test_it_fits_however_many_strategies_there_are(strategies, tasks):
    screen, text = shown(many(strategies, tasks))
    words, rows, rest = answer(screen)
    assert len(words) >= 1
    assert len(rows) >= 5
    assert any("baseline" in row for row in rows)
    assert any("strategy_0(" in row for row in rows)
    if strategies + 1 > len(rows):
        assert f"{strategies + 1 - len(rows)} more strategies" in " ".join(rest)
    assert all(f"strategy_{number}(" in text for number in range(strategies))


def test_what_is_settled_is_on_the_screen():
    _, rows, _ = answer(shown(many(40, 5))[0])
    assert any(" helps " in row for row in rows)
    assert any(" hurts " in row for row in rows)


def test_the_pointer_to_a_page_is_true_of_another_folder():
    (board,) = leaderboards(of_records(realistic(), [SCORE]), SCORE)
    usual, other = (_pointers([board], 0, f"fsbench leaderboard{folder}") for folder in ("", " --results x"))
    assert usual.endswith("To see it again: `fsbench leaderboard`; as a page: `fsbench report`.")
    assert other.endswith("as a page: `report` instead of `leaderboard`.")


def test_what_fits_whole_is_printed_once():
    records = over_seeds("kshot(wine, k=5)", "erm", [0.7, 0.71]) + over_seeds(
        "kshot(wine, k=5)", "focal", [0.7, 0.72]
    )
    _, text = shown(records, height=40)
    assert text.count("kshot(wine, k=5): 7 labels per class") == 1
    assert text.count("balanced accuracy in %") == 1
    assert "Overall" not in text
    assert text.count("Use erm") == 1
    assert "Above" not in text


def test_default_and_tuned_results_both_have_their_answer():
    tuned = {"tuning": "tuning(n=4)"}
    records = [*realistic(2), *over_seeds("kshot(wine, k=5)", "erm", [0.7, 0.71], **tuned)]
    records += over_seeds("kshot(wine, k=5)", "focal", [0.7, 0.72], **tuned)
    screen = "\n".join(shown(records)[0])
    assert "Use erm" in screen or "Use augmentation" in screen
    assert "Use tuned(erm, n=4)" in screen


def test_texts_of_strangers_are_no_commands(tmp_path):
    records = [*realistic(2), failed(spec="maml", task="kshot(wine, k=5)", message=HOSTILE)]
    records += [skipped(message=HOSTILE, spec=f'probe(weights="{HOSTILE}")', task="kshot(wine, k=5)")]
    with Store(tmp_path / "fsbench-results") as store:
        store.commit_all(records)
    session = Session(tmp_path, "leaderboard", "--legend")
    assert session.end() == 0
    for command in (b"\x1b[31m\x1b", b"\x1b]0", b"\x07", "\u202e".encode()):
        assert command not in session.written
    assert "\\x1b[31m" in session.written.decode()
    words, rows, rest = answer([*session.screen[:-1], "$"])
    assert words
    assert rows
    assert "fsbench leaderboard`" in " ".join(rest)


@pytest.mark.slow
def test_a_run_on_a_terminal_is_never_silent_and_ctrl_c_leaves_it_clean(tmp_path):
    prepare(tmp_path)
    session = Session(tmp_path, *SLOW_RUN, FSBENCH_PLUGINS="strategies_of_test_cli")
    # The long trial is shown with its time, which goes on.
    seen = {line for screen in _until(session, "slow on", 4) for line in screen if "slow on" in line}
    assert len(seen) >= 4
    os.killpg(session.process.pid, signal.SIGINT)
    assert session.end() == 130
    left = [line for line in session.screen if line]
    kept = "fsbench: interrupted; 1 of 2 trials are kept in fsbench-results, and the same command continues"
    assert "".join(left).replace(" ", "") == f"{kept} from there".replace(" ", "")
    assert session.written.count(b"\x1b[?25h") == session.written.count(b"\x1b[?25l") > 0
    log = (tmp_path / "fsbench-results" / "run.log").read_text(encoding="utf-8").splitlines()
    assert any(line.endswith("interrupted with 1 of 2 trials done") for line in log)
    assert any("not finished: slow on" in line for line in log)


def _until(session: Session, text: str, times: int):
    """Screens until a text has been on several different ones."""
    seen = set()
    for screen in session.read():
        yield screen
        seen |= {line for line in screen if text in line}
        if len(seen) >= times:
            return
