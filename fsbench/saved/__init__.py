"""Savable objects as files that run no code when they are read: JSON, safetensors and skops."""

from __future__ import annotations

from fsbench.saved.reading import load_parts
from fsbench.saved.writing import save_parts

__all__ = ["load_parts", "save_parts"]
