"""A terminal of 80x24 for command lines of tests."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pyte

WIDTH, HEIGHT = 80, 24
_PLAIN = ("NO_COLOR", "FORCE_COLOR", "CI", "COLUMNS", "LINES")


class Session:
    """`fsbench` with some arguments in a process on a terminal; `written` is all that it has written."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
        kept = {name: value for name, value in os.environ.items() if name not in _PLAIN}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fsbench", *arguments],
            cwd=folder,
            env={**kept, "TERM": "xterm-256color", **environment},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self._ours = ours
        self.written = b""

    def read(self) -> Iterator[list[str]]:
        """The screen after every piece of output, until there is no more."""
        while True:
            try:
                piece = os.read(self._ours, 1 << 16)
            except OSError:  # how Linux says that the other end is closed
                piece = b""
            if not piece:
                os.close(self._ours)
                return
            self.written += piece
            yield self.screen

    def end(self) -> int:
        """Read until the process has ended; its exit status."""
        for _ in self.read():
            pass
        return self.process.wait(60)

    @property
    def screen(self) -> list[str]:
        """What the terminal shows now."""
        return screen_of(self.written)


def screen_of(written: bytes) -> list[str]:
    """What a terminal shows after some output, without spaces at the ends of lines."""
    screen = pyte.Screen(WIDTH, HEIGHT)
    pyte.ByteStream(screen).feed(written)
    return [line.rstrip() for line in screen.display]
