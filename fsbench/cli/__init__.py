"""The command line. Every command is a few lines around the library; errors are one line each."""

from __future__ import annotations

import errno
import io
import os
import sys
import traceback
from collections.abc import Sequence

import click

from fsbench import __version__
from fsbench.cli.ablating import ablate
from fsbench.cli.advising import advise
from fsbench.cli.boards import leaderboard
from fsbench.cli.citing import cite
from fsbench.cli.comparing import compare
from fsbench.cli.data import data
from fsbench.cli.ending import INTERRUPTED
from fsbench.cli.fusing import fuse
from fsbench.cli.listing import list_
from fsbench.cli.models import fit, predict
from fsbench.cli.output import say
from fsbench.cli.plugins import plugin
from fsbench.cli.power import power
from fsbench.cli.report import report
from fsbench.cli.running import run
from fsbench.cli.sharing import merge, publish, verify
from fsbench.cli.site import site
from fsbench.cli.suggest import SuggestingGroup
from fsbench.errors import FsbenchError

FAULT = 70
BROKEN_PIPE = 141
COMPLETION = "_FSBENCH_COMPLETE"
"""The variable by which a shell asks for completions."""


@click.group(
    cls=SuggestingGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    epilog="Exit status: 0 success; 1 an error, or some trials failed; 2 wrong usage; 70 a fault in fsbench "
    "or in a plugin; 130 interrupted.",
)
@click.version_option(__version__, prog_name="fsbench", message="%(prog)s %(version)s")
@click.option(
    "--debug",
    is_flag=True,
    help="Show tracebacks of errors and failed trials (can be given anywhere).",
)
def cli(debug: bool) -> None:
    """Which strategy for learning from little data helps, by how much, and how certain is that?

    Try `fsbench run`: it runs the short list `core` on the suite starter-v3;
    `--plugins all` runs every strategy.
    """


for command in (
    *(run, advise, leaderboard, report),
    *(compare, ablate, fuse),
    power,
    *(fit, predict),
    *(publish, merge, verify, site),
    *(list_, data, plugin, cite),
):
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (by default the process's); returns the exit status."""
    _open_closed_streams()
    _spell_out()
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    if arguments is None and (instruction := os.environ.get(COMPLETION)):
        return _complete(instruction)
    try:
        status = _invoke([each for each in given if each != "--debug"], debug)
        sys.stdout.flush()
    except BrokenPipeError:
        return BROKEN_PIPE
    except (KeyboardInterrupt, click.Abort):
        say("interrupted")
        return INTERRUPTED
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the last place that can turn it into one line
        if debug:
            traceback.print_exc()
        return _explain(error, debug)
    finally:
        _drop_unwritten()
    return status


def _drop_unwritten() -> None:
    """Let what stdout cannot take go nowhere: Python would write it again at the end, and fail again."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _spell_out() -> None:
    """Let a stream show a question mark where its encoding lacks a character, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")


def _open_closed_streams() -> None:
    """Let what nobody reads go nowhere: a service may start a process with its streams closed."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - it stays open
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - it stays open


def _complete(instruction: str) -> int:
    """Answer a shell: `bash_source` (or zsh, fish) asks for its script, `bash_complete` for completions."""
    from click.shell_completion import shell_complete

    status = shell_complete(cli, {}, "fsbench", COMPLETION, instruction)
    if status:
        say(f"error: {COMPLETION}={instruction}: expected bash_source, zsh_source or fish_source")
    return status


def _invoke(arguments: list[str], debug: bool) -> int:
    try:
        color = False if os.environ.get("NO_COLOR") else None
        with cli.make_context("fsbench", arguments or ["--help"], color=color, obj=debug) as context:
            result = cli.invoke(context)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    return result if isinstance(result, int) else 0


def _has_working_folder() -> bool:
    try:
        return bool(os.getcwd())
    except FileNotFoundError:
        return False


def _explain(error: BaseException, debug: bool) -> int:
    """Report an error in one line on stderr and return the exit status."""
    if isinstance(error, click.ClickException):
        say(f"error: {error.format_message()}")
        return error.exit_code
    if isinstance(error, FsbenchError):
        say(f"error: {error}")
        return error.exit_status
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        say(f"error: cannot write: {error.strerror}")
        return 1
    if isinstance(error, FileNotFoundError) and not _has_working_folder():
        say("error: the working folder no longer exists; change to another one")
        return 1
    hint = "" if debug else "; run with --debug for the traceback"
    say(f"error: unexpected {type(error).__name__}: {error}{hint}")
    return FAULT
