"""For authors of strategies: toy data and the conformance kit. Imports torch, but not pytest."""

from __future__ import annotations

from fsbench.testing.toy import ToySplit, toy_split

__all__ = ["ToySplit", "toy_split"]
