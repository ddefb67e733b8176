"""The versions of the packages that affect results, read without importing them."""

from __future__ import annotations

import functools
import platform
from importlib import metadata

import fsbench

RESULTS_VERSION = "1"
"""Changes whenever the computation of a trial changes: trials of other versions are other trials."""

RECORDED = ("numpy", "torch", "torchvision", "scikit-learn", "imbalanced-learn")


def installed() -> dict[str, str]:
    """The versions in every record, by package: Python's, fsbench's, and those of `RECORDED`."""
    found = {"fsbench": fsbench.__version__, "python": platform.python_version()}
    return found | {name: text for name in RECORDED if (text := version(name)) is not None}


@functools.cache
def version(package: str) -> str | None:
    """The version of an installed package, or None, also for a package without a name."""
    try:
        return metadata.version(package) if package else None
    except metadata.PackageNotFoundError:
        return None
