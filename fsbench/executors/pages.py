"""Large memory pages for a process that forks often: a fork copies a table with an entry for each page."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator

_LARGE = 1 << 21
_PIECE = 32 * _LARGE
_MADV_COLLAPSE = 25  # since Linux 6.1; where that is not known, or large pages are off, nothing changes


def merge_pages() -> Iterator[None]:
    """Put what this process has written so far into large pages, where the system can; one piece per step."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    for first, last in list(_written()):
        begin, end = -(-first // _LARGE) * _LARGE, last // _LARGE * _LARGE
        for piece in range(begin, end, _PIECE):
            size = min(_PIECE, end - piece)
            libc.madvise(ctypes.c_void_p(piece), ctypes.c_size_t(size), _MADV_COLLAPSE)
            yield


def _written() -> Iterator[tuple[int, int]]:
    """The address ranges of this process that are writable and belong to no file."""
    with open("/proc/self/maps") as maps:
        for line in maps.read().splitlines():
            place, rights, _, _, file, *_ = line.split()
            if rights == "rw-p" and file == "0":
                first, last = place.split("-")
                yield int(first, 16), int(last, 16)
