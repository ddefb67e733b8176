"""Reads records from where they are: a results folder, or a published file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fsbench.columns import Columns
from fsbench.evidence import Evidence
from fsbench.record import Record
from fsbench.report import published
from fsbench.store import Store


def read_records(path: Path) -> list[Record]:
    """The whole records. Raises StoreError if there are none, or if they cannot be read."""
    if path.is_file():
        return published.read_jsonl(path)
    with Store(path, create=False) as store:
        return store.records()


def read_columns(path: Path, metrics: Sequence[str]) -> Columns:
    """The records as columns, with some metrics and the evidence. Raises StoreError as above."""
    if path.is_file():
        return published.read_columns(path, metrics)
    with Store(path, create=False) as store:
        return store.columns(metrics)


def read_evidence(path: Path) -> Evidence:
    """What is stored beside the records. Raises StoreError as above."""
    if path.is_file():
        return published.read_columns(path, ()).evidence
    with Store(path, create=False) as store:
        return store.evidence()
