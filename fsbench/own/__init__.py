"""Data of the user's own: a folder of images, a CSV or an npz, read once into a dataset.

Reading is done by the parent before a run. What a file may be is checked before it is opened wide:
other people's files are not trusted. `read_own` is the way in; each kind of data has a module.
"""

from __future__ import annotations

from fsbench.own.given import OwnData
from fsbench.own.reading import Reading, read_own

__all__ = ["OwnData", "Reading", "read_own"]
