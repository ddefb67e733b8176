"""One form of accented letters, which systems and programs write in two."""

from __future__ import annotations

import unicodedata
from typing import Final

ACCENTS: Final = "NFC"
"""The form that labels, groups, categories and names of columns are brought to."""


def one_form(text: str) -> str:
    """The text with its accented letters in one form, so that equal texts are equal."""
    return unicodedata.normalize(ACCENTS, text)
