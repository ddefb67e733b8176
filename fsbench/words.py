"""Numbers and nouns in sentences for people."""

from __future__ import annotations


def plural(n: int, noun: str) -> str:
    """`1 image`, `2 images`, `2 classes`."""
    if n == 1:
        return f"1 {noun}"
    return f"{n} {noun}es" if noun.endswith("s") else f"{n} {noun}s"
