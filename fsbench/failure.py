"""Failures as values: why a trial gave no result, in bounded size."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

MESSAGE_LENGTH = 500
TRACEBACK_LENGTH = 8000


@dataclass(frozen=True)
class Failure:
    """Why a job gave no result: `kind` is "TimeOut", "Crash" or the class of an exception.

    `message` is one line; `traceback` is the Python traceback or what the worker last wrote. `seconds` is how
    long the job took, by the clock of the process that waited for it.
    """

    kind: str
    message: str
    traceback: str = ""
    seconds: float = 0.0


def one_line(error: BaseException) -> str:
    """The class and the message of an exception in one line of limited length."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:MESSAGE_LENGTH]


def describe(error: BaseException) -> Failure:
    """An exception as a value, even if its own text cannot be made."""
    kind = type(error).__name__
    try:
        message = " ".join(str(error).split())
        trace = "".join(traceback.format_exception(error))
    except Exception:  # noqa: BLE001 - a stranger's __str__ may raise anything
        message = "(its message cannot be shown)"
        trace = "".join(traceback.format_tb(error.__traceback__))
    return Failure(kind, message[:MESSAGE_LENGTH] or kind, shorten(trace))


def shorten(text: str) -> str:
    """The beginning and the end of a long text, with long lines cut."""
    text = "\n".join(line[:MESSAGE_LENGTH] for line in text.splitlines())
    if len(text) <= TRACEBACK_LENGTH:
        return text
    half = TRACEBACK_LENGTH // 2 - 3
    return f"{text[:half]}\n...\n{text[-half:]}"
