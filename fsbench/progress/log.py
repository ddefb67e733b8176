"""The log of a results folder: what was asked for, each trial's start and end, and where a run stopped."""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import fsbench
from fsbench.metrics import DEFAULT_METRIC, get_metric
from fsbench.progress.observer import Observer, Several
from fsbench.progress.trials import described, said
from fsbench.record import Record, Trial, Tried
from fsbench.words import duration, plural, printable, timestamp

if TYPE_CHECKING:
    from fsbench.plan import Plan

FILE_NAME = "run.log"
MAX_BYTES = 4 * 2**20
"""A longer log becomes `run.log.1`, which replaces an older one."""
_LONGEST_LINE = 1000
_LONGEST_COMMAND = 4000


@contextlib.contextmanager
def logged(observer: Observer, asked: Mapping[str, object]) -> Iterator[tuple[Observer, RunLog]]:
    """A run whose events an observer and a log hear: what to tell, and the log, which still has no folder.

    `asked` are the arguments of the run. However the run ends, the observer is told so.
    """
    with RunLog(asked, observer.warned) as log:
        try:
            # The log first: an observer that ends a run in time interrupts it where it is told something.
            yield Several(log, observer), log
        finally:
            observer.ended()


class RunLog(Observer):
    """Appends dated lines to the log of a results folder; a context around a run.

    Lines are kept until `open` names the folder, and are lost if that never happens. A log that cannot be
    written is reported to `complain`, once; the run goes on.
    """

    def __init__(self, asked: Mapping[str, object], complain: Callable[[str], object]) -> None:
        self._complain = complain
        self._file: _File | None = None
        self._kept: list[str] = []
        self._put: Callable[[str], object] = self._kept.append
        self._begun: dict[str, tuple[str, float]] = {}
        self._told_versions = False
        self._metric = get_metric(DEFAULT_METRIC)
        self._start = time.monotonic()
        arguments = ", ".join(f"{name}={value!r}" for name, value in asked.items())
        self._write(f"command: {shlex.join(sys.orig_argv)}", _LONGEST_COMMAND)
        self._write(f"fsbench.run({arguments})", _LONGEST_COMMAND)
        self._write(
            f"fsbench {fsbench.__version__}, Python {platform.python_version()}, {platform.platform()}"
        )

    def open(self, folder: Path) -> None:
        """Write to the log of a folder that exists, first what was kept."""
        try:
            self._file = _File(folder / FILE_NAME, self._complain)
        except OSError as error:
            self._put = lambda line: None
            self._complain(_trouble(folder / FILE_NAME, error))
            return
        self._put = self._file.put
        for line in self._kept:
            self._put(line)

    def __enter__(self) -> RunLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write where the run stopped, and close the log."""
        if error is not None:
            self._write(f"stopped by {type(error).__name__}: {error}")
        for name, _ in self._begun.values():
            self._write(f"not finished: {name}")
        self._write(f"end, after {duration(time.monotonic() - self._start)}")
        if self._file is not None:
            self._file.close()

    def read(self, facts: Sequence[str], remarks: Sequence[str]) -> None:
        """Log what was read of the user's own data."""
        for line in facts:
            self._write(line)
        for line in remarks:
            self.warned(line)

    def outlook(self, lines: Sequence[str]) -> None:
        """Log each line."""
        for line in lines:
            self._write(line)

    def left_out(self, tasks: Sequence[str], missing: Sequence[str]) -> None:
        """Log the tasks without data."""
        self._write(f"left out, because data is missing ({', '.join(missing)}): {', '.join(tasks)}")

    def warned(self, line: str) -> None:
        """Log a warning."""
        self._write(f"warning: {line}")

    def complete(self, plan: Plan) -> None:
        """Log that every trial is done already."""
        self._write(f"nothing to run: {plan.done} of {plan.total} trials are done already")
        self._write_skipped(plan)

    def planned(self, plan: Plan) -> None:
        """Log the number of trials, and what cannot run."""
        number = plural(len(plan.trials), "trial")
        self._write(f"{number} to run, {plan.done} of {plan.total} already done")
        self._write_skipped(plan)

    def searching(self, number: int, total: int, tries: int) -> None:
        """Log a round of searches."""
        self._write(f"tuning, round {number} of {total}: {plural(tries, 'try')} to run")

    def tried(self, trial: Trial, found: Tried) -> None:
        """Log the end of a try."""
        what = f"failed: {found.reason}" if found.reason else f"ok: score {found.score}"
        self._write(f"try of {said(trial)}: {what}{self._took(trial)}")

    def started(self, trial: Trial) -> None:
        """Log the start of a trial."""
        self._begun[trial.key] = said(trial), time.monotonic()
        self._write(f"start: {said(trial)}")

    def finished(self, record: Record) -> None:
        """Log the end of a trial; before the first one, what it was computed with."""
        if not self._told_versions:
            self._told_versions = True
            packages = ", ".join(f"{name} {version}" for name, version in record.versions.items())
            self._write(f"computed with {packages}; on {record.device}")
        took = self._took(record)
        first, *notes = described(record, self._metric)
        for line in (f"{first}{took}", *notes):
            self._write(line)

    def interrupted(self, done: int, total: int) -> None:
        """Log that Ctrl-C, or a limit on time, ended the run."""
        self._write(f"interrupted with {done} of {plural(total, 'trial')} done")

    def _took(self, trial: Trial | Record) -> str:
        _, begun = self._begun.pop(trial.key, ("", None))
        return "" if begun is None else f"; {time.monotonic() - begun:.2f} s in all"

    def _write_skipped(self, plan: Plan) -> None:
        reasons = {(r.spec, r.task): (r.reason or {}).get("message", "") for r in plan.skipped}
        for (spec, task), reason in reasons.items():
            self._write(f"skipped: {spec} on {task}: {reason}")

    def _write(self, line: str, longest: int = _LONGEST_LINE) -> None:
        text = printable(line)
        text = text if len(text) <= longest else f"{text[: longest - 4]} ..."
        self._put(f"{timestamp()} [{os.getpid()}] {text}")


class _File(RotatingFileHandler):
    """The file of a log, which is given up after the first error."""

    def __init__(self, path: Path, complain: Callable[[str], object]) -> None:
        super().__init__(path, maxBytes=MAX_BYTES, backupCount=1, encoding="utf-8", errors="backslashreplace")
        self._path, self._complain, self._usable = path, complain, True

    def put(self, line: str) -> None:
        """Append a line."""
        if self._usable:
            self.emit(logging.makeLogRecord({"msg": line}))

    def handleError(self, record: logging.LogRecord) -> None:
        """Report the error, the first time."""
        self._give_up(sys.exc_info()[1])

    def close(self) -> None:
        """Close the file."""
        try:
            super().close()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: BaseException | None) -> None:
        if self._usable:
            self._usable = False
            self._complain(_trouble(self._path, error))


def _trouble(path: Path, error: BaseException | None) -> str:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"cannot write {path} ({why}); the run goes on without this log"
