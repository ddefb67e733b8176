"""Protocols: rules that make low-data situations. `PROTOCOLS` has them by name; each is in its own file."""

from __future__ import annotations

from fsbench.tasks.protocols.base import PROTOCOLS, OneDataset, Protocol, build, labels_of, text_of

__all__ = ["PROTOCOLS", "OneDataset", "Protocol", "build", "labels_of", "text_of"]
