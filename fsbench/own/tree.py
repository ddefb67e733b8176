"""The files below a folder: by class, in parts if it is divided, or all of them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fsbench.errors import DataError
from fsbench.kinds import Kind
from fsbench.own.accents import one_form
from fsbench.own.samples import PARTS, TEST, TRAIN, VAL, Samples, safe_name, some
from fsbench.words import plural

_PART_NAMES = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation"), VAL),
    **dict.fromkeys(("test", "testing"), TEST),
}
_OF_PART = re.compile(r"[ _-]?(set|data|split|images|samples)$")
"""What may follow in the name of a part, as in train_set."""
_MAX_DEPTH = 20
_TABLES = (".csv", ".tsv")
_HIDDEN = (".", "__macosx", "thumbs.db", "desktop.ini")


@dataclass(frozen=True)
class Wanted:
    """Which files are read: those with one of some suffixes; `noun` is the word for one.

    Files with one of the suffixes `foreign` cannot be read before they are converted `to` another format.
    `listing` is the option for tables that name such files.
    """

    noun: str
    suffixes: frozenset[str]
    foreign: frozenset[str] = frozenset()
    to: str = ""
    listing: str = ""

    def has(self, path: str | Path) -> bool:
        """Whether a path has such a suffix and is a plain file, not a pipe, which would block."""
        known = Path(path).suffix.lower() in self.suffixes
        return known and (os.path.isfile(path) or not os.path.exists(path))

    def is_foreign(self, path: str | Path) -> bool:
        """Whether a path has the suffix of a file that must be converted."""
        return Path(path).suffix.lower() in self.foreign

    def tell(self, others: Sequence[str], remarks: list[str]) -> None:
        """Add remarks about the names of other files; the last remark is about those to be converted."""
        if rest := [name for name in others if not self.is_foreign(name)]:
            remarks.append(f"{plural(len(rest), 'other file')} not read: {some(rest)}")
        if foreign := [name for name in others if self.is_foreign(name)]:
            count = plural(len(foreign), self.noun)
            remarks.append(
                f"{count} of an unsupported format not read; convert to {self.to}: {some(foreign)}"
            )


@dataclass(frozen=True)
class File:
    """A file with the name of its class and its part (None if the folder is not divided)."""

    path: Path
    name: str
    label: str
    part: int | None


def find_files(root: Path, wanted: Wanted, remarks: list[str]) -> Iterator[File]:
    """The wanted files in a fixed order, each with its class and its part."""
    parts = _parts(root, wanted, remarks)
    other: list[str] = []
    tables: list[str] = []
    for part, folder in parts:
        entries = _entries(folder, root)
        _tell_hidden(folder, wanted, remarks)
        loose = [entry for entry in entries if not _is_dir(entry)]
        own = [entry.name for entry in loose if wanted.has(entry.path)]
        folders = [entry for entry in entries if _is_dir(entry)]
        if wanted.listing:
            tables += [safe_name(entry.name) for entry in loose if entry.name.lower().endswith(_TABLES)]
        if own and not folders:
            hint = f", or give {some(tables)} with {wanted.listing}" if tables else ""
            raise DataError(
                f"{safe_name(str(folder))} contains {wanted.noun}s but no folders; put the {wanted.noun}s of "
                f"each class into a folder with its name, and give the folder that has these{hint}"
            )
        if own:
            remarks.append(f"{plural(len(own), wanted.noun)} beside the class folders left out: {some(own)}")
        other += [safe_name(entry.name) for entry in loose if not wanted.has(entry.path)]
        for entry in folders:
            paths = list(walk(Path(entry.path), root, remarks))
            chosen = [path for path in paths if wanted.has(path)]
            other += [relative(path, root) for path in paths if not wanted.has(path)]
            if not chosen:
                remarks.append(f"the folder {relative(Path(entry.path), root)} has no {wanted.noun}s")
            for path in chosen:
                yield File(path, relative(path, root), one_form(entry.name), part)
    wanted.tell(other, remarks)
    if tables:
        remarks.append(
            f"if the labels are in {some(tables)}, give that with {wanted.listing} instead of the folder"
        )


def _tell_hidden(folder: Path, wanted: Wanted, remarks: list[str]) -> None:
    """Add a remark about hidden folders with wanted files in them, which may be classes such as .NET."""
    hidden = [entry for entry in os.scandir(folder) if entry.name.startswith(".") and _is_dir(entry)]
    open_ones = [Path(entry.path) for entry in hidden if os.access(entry.path, os.R_OK | os.X_OK)]
    if found := sorted(safe_name(each.name) for each in open_ones if any(map(wanted.has, each.iterdir()))):
        remarks.append(
            f"hidden folders with {wanted.noun}s not read: {some(found)}; if they are "
            "classes, give them names without a dot"
        )


def all_files(given: Path, wanted: Wanted, remarks: list[str]) -> list[File]:
    """The wanted files in a folder, in any folders, or a file itself; the remarks name others."""
    given = given.resolve()
    root = given.parent if given.is_file() else given
    paths = [given] if given.is_file() else list(walk(root, root, remarks))
    wanted.tell([relative(path, root) for path in paths if not wanted.has(path)], remarks)
    return [File(path, relative(path, root), "", None) for path in paths if wanted.has(path)]


def _parts(root: Path, wanted: Wanted, remarks: list[str]) -> list[tuple[int | None, Path]]:
    """The folders that contain class folders, with their part; only the root if it is not divided.

    The root is divided if a folder with the name of a part contains folders; otherwise that folder is a
    class.
    """
    folders = {entry.name: Path(entry.path) for entry in _entries(root, root) if _is_dir(entry)}
    named = [name for name in folders if _part(name) is not None]
    if not any(_is_dir(entry) for name in named for entry in _entries(folders[name], root)):
        return [(None, root)]
    found: dict[int, str] = {}
    for name in named:
        part = _part(name)
        assert part is not None
        if part in found:
            raise DataError(
                f"{safe_name(root.name)} has {found[part]} and {name}, two names of the part {PARTS[part]}; "
                f"put all its {wanted.noun}s into one of them"
            )
        found[part] = name
    for part in (TRAIN, TEST):
        if part not in found:
            raise DataError(
                f"{safe_name(root.name)} has {' and '.join(sorted(named))} but no {PARTS[part]} folder; add "
                f"{PARTS[part]}/, or give a folder of classes, and fsbench draws the parts"
            )
    if other := [safe_name(name) for name in folders if name not in named]:
        remarks.append(f"{plural(len(other), 'folder')} beside {' and '.join(named)} not read: {some(other)}")
    return [(part, folders[found[part]]) for part in sorted(found)]


def _part(name: str) -> int | None:
    """The part that the name of a folder means, if any."""
    return _PART_NAMES.get(_OF_PART.sub("", name.lower()))


def walk(folder: Path, root: Path, remarks: list[str], depth: int = 0) -> Iterator[Path]:
    """All files below a folder. Raises DataError for folders that are too deep, and links out of the root."""
    if depth > _MAX_DEPTH:
        raise DataError(
            f"{safe_name(folder.name)}: folders more than {_MAX_DEPTH} deep; give a flatter folder"
        )
    for entry in _entries(folder, root):
        if entry.is_dir(follow_symlinks=False):
            yield from walk(Path(entry.path), root, remarks, depth + 1)
        elif _is_dir(entry):
            remarks.append(f"{relative(Path(entry.path), root)} is a link to a folder and is not followed")
        else:
            yield Path(entry.path)


def _entries(folder: Path, root: Path) -> list[os.DirEntry[str]]:
    """The entries of a folder, sorted, without hidden files. Raises DataError for a link out of the root."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: (one_form(entry.name), entry.name))
    except OSError as error:
        raise DataError(f"cannot read the folder {safe_name(folder.name)}: {error.strerror}") from None
    kept = [entry for entry in entries if not is_hidden(entry.name)]
    for entry in kept:
        if entry.is_symlink() and not Path(os.path.realpath(entry.path)).is_relative_to(root):
            raise DataError(
                f"{relative(Path(entry.path), root)} is a symbolic link that leads out of the folder and is "
                "not followed; put a copy there or remove it"
            )
    return kept


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is hidden, or is a system's own."""
    return name.lower().startswith(_HIDDEN)


def paths_in(given: Path, files: Iterable[File]) -> list[str]:
    """The paths of files in a given folder, or the name of a given file, as the file system has them."""
    given = given.resolve()
    root = given.parent if given.is_file() else given
    return [file.path.relative_to(root).as_posix() for file in files]


def relative(path: Path, root: Path) -> str:
    """A path as it is named in messages; different paths may look alike there."""
    return safe_name(path.relative_to(root).as_posix())


def _is_dir(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder; a link to itself is not."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def by_class(
    given: str | Path, kind: Kind, x: np.ndarray, files: Sequence[File], read: Sequence[File]
) -> Samples:
    """Samples `x` of a kind, one for each file that was `read` of all that are in folders named by class.

    Raises DataError if the given folder has such folders one level deeper only.
    """
    classes = sorted({file.label for file in read})
    inside = _inside(read)
    if len({file.label for file in files}) == 1 and len(inside) > 1:
        raise DataError(
            f"{given} has one class only, {safe_name(classes[0])!r}, with the folders {some(inside)} in it; "
            "if these are the classes, give this folder instead"
        )
    if {TRAIN, TEST} <= set(map(_part, inside)):
        raise DataError(
            f"{given} has the folders {some(inside)} in each class folder; make it train/ and test/ with the "
            "class folders in each or, to have the parts drawn, put all of a class directly into its folder"
        )
    parts = [file.part for file in read if file.part is not None]
    return Samples(
        kind=kind,
        x=x,
        y=np.array([classes.index(file.label) for file in read], dtype=np.int64),
        classes=[safe_name(name) for name in classes],
        names=[file.name for file in read],
        part=np.array(parts, dtype=np.int8) if parts else None,
        warnings=empty_classes(files, read, kind.sample) + _doubts(classes, inside),
    )


def empty_classes(files: Iterable[File], read: Iterable[File], noun: str) -> list[str]:
    """Remarks about classes of which no file could be read."""
    gone = sorted({file.label for file in files} - {file.label for file in read})
    return [f"no {noun} of class {safe_name(name)!r} can be read" for name in gone]


def _inside(files: Sequence[File]) -> list[str]:
    """The folders with files that every class folder has in it, if the files are not in parts."""
    found: dict[str, set[str]] = {}
    for file in files:
        folders = file.name.split("/")[1:-1] if file.part is None else []
        found.setdefault(file.label, set()).update(folders[:1])
    return sorted(set.intersection(*found.values())) if found else []


def _doubts(classes: Sequence[str], inside: Sequence[str]) -> list[str]:
    """A remark if all class folders have the same folders in them, which may be the classes instead."""
    if len(inside) < 2:
        return []
    return [
        f"the class folders {some(list(map(safe_name, classes)))} have the same folders in them, "
        f"{some(inside)}; if these are the classes, put all samples of each into one folder with its name"
    ]
