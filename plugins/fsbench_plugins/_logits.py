"""What logits say of a class that a predictor does not know."""

from __future__ import annotations

SMALLEST = 1e-7
"""The least probability that a logit stands for, so that no metric becomes infinite."""
