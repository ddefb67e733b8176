"""Memory of a process that forks often, in large pages: a fork copies a table with an entry for each page."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator

_LARGE = 1 << 21
_MADV_COLLAPSE = (
    25  # since Linux 6.1; an older kernel, or one without large pages, refuses and nothing changes
)


def merge_pages() -> None:
    """Put what this process has written so far into large pages, where the system can."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    for first, last in _written():
        begin, end = -(-first // _LARGE) * _LARGE, last // _LARGE * _LARGE
        if begin < end:
            libc.madvise(ctypes.c_void_p(begin), ctypes.c_size_t(end - begin), _MADV_COLLAPSE)


def _written() -> Iterator[tuple[int, int]]:
    """The address ranges of this process that it can write and that belong to no file."""
    with open("/proc/self/maps") as maps:
        for line in maps.read().splitlines():
            place, rights, _, _, file, *_ = line.split()
            if rights == "rw-p" and file == "0":
                first, last = place.split("-")
                yield int(first, 16), int(last, 16)
