"""The versions of the packages that decide results, read without importing them."""

from __future__ import annotations

import functools
import platform
from importlib import metadata

import fsbench

RESULTS_VERSION = "1"
"""Changes with whatever changes what a trial computes: trials of other versions are other trials."""

RECORDED = ("numpy", "torch", "torchvision", "scikit-learn", "imbalanced-learn")


def installed() -> dict[str, str]:
    """The versions that every record holds, by package: Python's, fsbench's, and those of `RECORDED`."""
    found = {"fsbench": fsbench.__version__, "python": platform.python_version()}
    return found | {name: text for name in RECORDED if (text := version(name)) is not None}


@functools.cache
def version(package: str) -> str | None:
    """The version of an installed package, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
