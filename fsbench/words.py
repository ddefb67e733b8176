"""Numbers and nouns in messages."""

from __future__ import annotations


def plural(n: int, noun: str) -> str:
    """`1 image`, `2 images`, `2 classes`, `2 strategies`."""
    if n == 1:
        return f"1 {noun}"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{n} {noun[:-1]}ies"
    return f"{n} {noun}es" if noun.endswith("s") else f"{n} {noun}s"
