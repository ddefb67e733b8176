"""Advice on somebody's own data: a search among strategies within a time, honestly checked."""

from __future__ import annotations

from fsbench.advising.advice import Advice
from fsbench.advising.search import advise

__all__ = ["Advice", "advise"]
