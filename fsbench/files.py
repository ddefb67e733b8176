"""Files that are written as a whole or not at all, their hashes, and JSON that is not trusted."""

from __future__ import annotations

import errno
import functools
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fsbench.errors import DataError, UsageError
from fsbench.failure import one_line
from fsbench.words import visible

_LARGEST_JSON = 64 * 2**20


def as_path(name: str, given: str | os.PathLike[str]) -> Path:
    """The path that a caller gave as an argument. Raises UsageError for an empty text or another type."""
    if not isinstance(given, str | os.PathLike) or not os.fspath(given):
        raise UsageError(f"{name}={given!r}: expected the path of a file or folder")
    return Path(given)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A draft to write inside, which then replaces the file; without it, if that fails.

    Of a link, the file that it leads to is replaced. Raises OSError, also for a device or a pipe.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    draft = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def check_writable(folder: Path, what: Path) -> None:
    """Raise UsageError if nothing can be written to a folder, where `what` is to be."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(f"cannot write {visible(str(what))}: {error.strerror}; name another place") from None


def sha256(path: Path) -> str:
    """The SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_unchanged(path: Path) -> str:
    """As `sha256`, but computed again only if the size of the file or its time has changed."""
    about = path.stat()
    return _remembered(path, about.st_mtime_ns, about.st_size)


@functools.lru_cache(maxsize=4096)
def _remembered(path: Path, modified: int, size: int) -> str:
    return sha256(path)


def read_json(path: Path) -> Any:
    """A JSON file of a saved model. Raises DataError."""
    try:
        if path.stat().st_size > _LARGEST_JSON:
            raise DataError(f"{path} has more than {_LARGEST_JSON >> 20} MB; it is not part of a saved model")
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON: {one_line(error)}") from None
