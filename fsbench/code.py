"""Which code a result comes from: marks in the texts that identify it, and texts without them.

A mark follows a `#`: `smoothing(amount=0.1)#code+1a2b3c4d`. It is `results+VERSION` if the author declares a
`results_version`, otherwise `code+HASH` with a hash of the source of an installed package, or
`unpackaged+HASH` for a module outside any distribution; `core+VERSION` is that of fsbench itself, and
`space+HASH` that of the ranges from which a tuned trial draws. What comes with fsbench has
no mark as long as its results are those of its first version.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib.util
import re
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from fsbench.errors import PluginError
from fsbench.files import sha256_of_unchanged
from fsbench.sorts import HOUSE, Origin
from fsbench.versions import RESULTS_VERSION

UNPACKAGED = "unpackaged"
_FIRST = "1"
_VERSION = re.compile(r"[\w.-]+", re.ASCII)
_MARK = re.compile(r"#(?:code|results|unpackaged|space)\+[\w.-]+", re.ASCII)
_AROUND = re.compile(
    r"(.*?)(?:#(core\+[\w.-]+))?(?:#(kind:[\w-]+:(?:code|results|unpackaged)\+[\w.-]+))?"
    r"(?:#([\w-]+:(?:code|results|unpackaged)\+[\w.-]+))?",
    re.ASCII | re.DOTALL,
)


def code_mark(name: str, results_version: str, origin: Origin, modules: Iterable[str]) -> str:
    """The mark of something from a plugin; "" for something that comes with fsbench unchanged.

    `modules` are those whose packages contain its source. Raises PluginError for a results_version that
    cannot be part of a text.
    """
    check_version(name, results_version)
    if results_version:
        return f"results+{results_version}"
    if origin.distribution == HOUSE:
        return ""
    kind = UNPACKAGED if origin.version.startswith(UNPACKAGED) else "code"
    return f"{kind}+{source_hash(modules) or re.sub(r'[^0-9A-Za-z_.-]', '-', origin.version)}"


def check_version(name: str, results_version: object) -> None:
    """Raise PluginError for a results_version that cannot be part of a text."""
    if results_version and not (isinstance(results_version, str) and _VERSION.fullmatch(results_version)):
        raise PluginError(f"{name}: results_version is {results_version!r}; expected a text such as '2'")


def core_mark() -> str:
    """The mark of fsbench's own engine, "" for its first version."""
    return "" if RESULTS_VERSION == _FIRST else f"core+{RESULTS_VERSION}"


class CodeParts(NamedTuple):
    """The full spec of a trial in parts.

    `asked` is the text without marks; `strategy` has the marks of its components; `core`, `kind` and
    `backbone` are the marks of the core, of a plugin's kind of samples and of a plugin's backbone, "" if
    there is none.
    """

    asked: str
    strategy: str
    core: str
    kind: str
    backbone: str


def split_marks(full_spec: str) -> CodeParts:
    """The full spec of a trial in parts."""
    strategy, *marks = _AROUND.fullmatch(full_spec).groups(default="")  # type: ignore[union-attr]
    return CodeParts(_MARK.sub("", strategy), strategy, *marks)


def marks_of(full_spec: str) -> list[str]:
    """The marks in the full spec of a trial, without their `#`: of its components, then of what is around."""
    parts = split_marks(full_spec)
    around = (parts.core, parts.kind, parts.backbone)
    return [mark[1:] for mark in _MARK.findall(parts.strategy)] + list(filter(None, around))


def join_marks(strategy: str, core: str, kind: str, backbone: str) -> str:
    """The full spec of a trial from its parts."""
    return "#".join(filter(None, (strategy, core, kind, backbone)))


def source_hash(modules: Iterable[str]) -> str:
    """Eight digits of the SHA-256 of the source files of the packages that contain some modules.

    The whole package is hashed, from its outermost folder with code; of a module outside packages, its file
    and those beside it that it imports. "" if there is no source.
    """
    places = sorted({place for module in modules for place in [_place(module)] if place is not None})
    found, hashed = hashlib.sha256(), 0
    for place in places:
        root = place if place.is_dir() else place.parent
        for file in sorted(place.rglob("*.py") if place.is_dir() else _with_helpers(place)):
            found.update(f"{file.relative_to(root).as_posix()}\0".encode())
            found.update(bytes.fromhex(sha256_of_unchanged(file)))
            hashed += 1
    return found.hexdigest()[:8] if hashed else ""


def _place(module: str) -> Path | None:
    """The file or the folder of the outermost package of a module; None if it has no file."""
    for name in _outermost_first(module):
        loaded = sys.modules.get(name)
        file = getattr(loaded, "__file__", None)
        if loaded is None:
            with contextlib.suppress(ImportError, ValueError):
                spec = importlib.util.find_spec(name)
                file = spec.origin if spec is not None and spec.has_location else None
        if file is not None:
            path = Path(file)
            place = path.parent if path.stem == "__init__" else path
            return place if place.exists() else None
    return None


def _with_helpers(file: Path) -> set[Path]:
    """A file and the modules in its folder that it imports, directly or not.

    Where packages are installed, a folder has the modules of many: there it is the file alone.
    """
    found, left = {file}, [] if str(file.parent) in _installed_places() else [file]
    while left:
        beside = {path for name in _imported(left.pop()) if (path := file.with_name(f"{name}.py")).exists()}
        left += beside - found
        found |= beside
    return found


def _installed_places() -> set[str]:
    return {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}


def _imported(file: Path) -> set[str]:
    """The names of the outermost packages that a file imports; none if it cannot be parsed."""
    try:
        nodes = list(ast.walk(ast.parse(file.read_bytes())))
    except (SyntaxError, ValueError):
        return set()
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    return {name.partition(".")[0] for name in names}


def _outermost_first(module: str) -> Iterator[str]:
    """`a.b.c` as `a`, `a.b`, `a.b.c`; a package without a file is a shared namespace."""
    parts = module.split(".")
    return (".".join(parts[: length + 1]) for length in range(len(parts)))
