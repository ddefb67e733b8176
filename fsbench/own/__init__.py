"""The user's own data: a folder of images, a CSV or an npz, read once into a dataset.

The parent reads it before a run. Files are not trusted: their type and size are checked before they are read
in full. `read_own` is the entry point; each form of data has a module.
"""

from __future__ import annotations

from fsbench.own.given import OwnData
from fsbench.own.reading import Reading, read_own

__all__ = ["OwnData", "Reading", "read_own"]
