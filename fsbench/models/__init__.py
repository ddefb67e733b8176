"""Models to take home: a strategy fitted on all labels, in files that run no code when they are read."""

from __future__ import annotations

from fsbench.models.fitting import refit
from fsbench.models.model import SavedModel, load

__all__ = ["SavedModel", "load", "refit"]
