"""How to cite what a page is about."""

from __future__ import annotations

from dataclasses import dataclass

from fsbench.columns import Columns
from fsbench.report.citations import FSBENCH, of_texts
from fsbench.report.names import first_few


@dataclass(frozen=True)
class Citations:
    """A sentence, and the citations by name."""

    about: str
    entries: tuple[tuple[str, str], ...]


def citations(columns: Columns) -> Citations:
    """The citations of fsbench, and of the strategies, data, protocols and backbones of some records."""
    texts = [text for shared in columns.shared for text in (shared.spec, shared.task)]
    found, unknown = of_texts(texts)
    about = "If you publish these results, cite what they are made of."
    if unknown:
        about += f" Nothing is known here about what these name: {first_few(unknown)}."
    return Citations(about, (("fsbench", FSBENCH), *sorted(found)))
