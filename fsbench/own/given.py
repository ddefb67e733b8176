"""Where the user's own data is, and how to read it."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from fsbench.errors import UnknownName, UsageError
from fsbench.files import as_path
from fsbench.kinds.image import SEEN_SIZE, Image
from fsbench.own.accents import one_form
from fsbench.spec import NAME

SYMMETRIES = tuple(Image.symmetries)
SMALLEST, LARGEST = 8, 512
KEPT_SIZE = 224
_MOST_VALUES = 2**29
_COLUMNS = ("target", "text", "image", "group")


@dataclass(frozen=True)
class OwnData:
    """The user's own data: a folder with one folder of images or texts per class, a `.csv` or an `.npz`.

    `target` names the column of a table with the labels, and `group` one whose equal values belong together
    (the samples of a patient). `text` names a column of texts, or `image` one of paths of images; these are
    then the samples, in place of the other columns. Images are resized to `image_size` pixels a side, for all
    strategies. By default they keep their median size, at most 224, for strategies with a pretrained body of
    their own, and the others see at most 64. `symmetries` are the transformations that keep a label: by
    default only small shifts and zooms, as nothing is known about the images.

    `unlabeled` is the path of further inputs without labels, in the same form (images in any folders, a table
    in which the target is missing, an npz with `x`). `target_data` is the path of labelled data of another
    domain, in the same form: strategies learn from `path` and are tested on it. `domain` divides one table
    into two domains instead: a column with two values, of which the second to appear is the tested one, or
    `COLUMN=VALUE`, which names the tested one. Raises UsageError or UnknownName for invalid values.
    """

    path: str | Path
    target: str | None = None
    group: str | None = None
    image_size: int | None = None
    symmetries: Iterable[str] | None = None
    unlabeled: str | Path | None = None
    domain: str | None = None
    target_data: str | Path | None = None
    text: str | None = None
    image: str | None = None

    def __post_init__(self) -> None:
        if not str(self.path):
            raise UsageError("data: the path is empty; give a folder of images or texts, a .csv or an .npz")
        as_path("data", self.path)
        for name in ("unlabeled", "target_data"):
            if (place := getattr(self, name)) is not None:
                as_path(name, place)
        for name in (*_COLUMNS, "domain"):
            if (given := getattr(self, name)) is not None:
                object.__setattr__(self, name, one_form(given))
        if self.image_size is not None and not SMALLEST <= self.image_size <= LARGEST:
            raise UsageError(f"image size {self.image_size}: expected {SMALLEST} to {LARGEST} pixels")
        if self.target is not None and self.target == self.group:
            raise UsageError(f"column {self.target!r} is both target and group; give two columns")
        if self.text is not None and self.image is not None:
            raise UsageError("columns of texts and of images are given; give the one that has the samples")
        if self.samples is not None and self.samples in (self.target, self.group, *self.domain_columns):
            what = "texts" if self.image is None else "images"
            raise UsageError(
                f"column {self.samples!r} has the {what} and is also target, group or domain; give two "
                "columns"
            )
        domains = [name for name in ("domain", "target_data") if getattr(self, name) is not None]
        if len(domains) > 1:
            raise UsageError("both a domain column and target data are given; give one of them")
        if domains and self.unlabeled is not None:
            raise UsageError(
                "both unlabelled data and two domains are given; with two domains, the tested one gives the "
                "unlabelled inputs"
            )
        if self.symmetries is not None:
            object.__setattr__(self, "symmetries", tuple(_symmetries(self.symmetries)))

    @property
    def samples(self) -> str | None:
        """The column of a table that has the samples: its texts, or the paths of its images."""
        return self.image if self.text is None else self.text

    @property
    def domain_columns(self) -> tuple[str, ...]:
        """The names that the column of `domain` may have: all of it, or what is before its last `=`."""
        return () if self.domain is None else (self.domain, self.domain.rpartition("=")[0])

    def refuse(self, kind: str, *names: str) -> None:
        """Raise UsageError if an option is given that does not apply to data of this form."""
        for name in names:
            if getattr(self, name) is not None:
                what = f"{name} column" if name in _COLUMNS else name.replace("_", " ")
                raise UsageError(f"{self.path} is {kind}, which takes no {what}; leave it out")


def kept_size(side: int, images: int) -> int:
    """The side in pixels to which images of a median `side` are resized by default.

    Large numbers of images are made smaller, down to what small networks see, so that they fit into memory.
    """
    room = max(SEEN_SIZE, math.isqrt(_MOST_VALUES // (3 * max(1, images))))
    return max(SMALLEST, min(side, KEPT_SIZE, room))


def valid_name(path: Path, taken: Collection[str]) -> str:
    """The name of the data at a path: the last part of the path, made valid in the grammar."""
    return free_name(path.stem if path.suffix.lower() in (".csv", ".tsv", ".npz") else path.name, taken)


def free_name(text: str, taken: Collection[str]) -> str:
    """A text made valid in the grammar, and different from the names in `taken`.

    Accents are dropped and other characters become `_`; `my_` is put before a text that is not a name, or is
    taken.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", plain)
    name = re.sub(r"-+", "-", name).strip("_-") or "data"
    if name in taken or not NAME.fullmatch(name) or name.lower() in ("true", "false", "none", "data"):
        name = f"my_{name}"
    while name in taken:
        name += "_"
    return name


def _symmetries(names: Iterable[str]) -> list[str]:
    given = names.replace(" ", "").split(",") if isinstance(names, str) else list(names)
    if given == ["none"]:
        return []
    if "none" in given:
        raise UsageError(f"symmetries {','.join(given)}: none stands alone, as it allows nothing")
    for name in given:
        if name not in SYMMETRIES:
            raise UnknownName("symmetry", name, (*SYMMETRIES, "none"))
    return sorted(set(given))
