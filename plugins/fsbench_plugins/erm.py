"""Empirical risk minimisation: the baseline."""

from __future__ import annotations

from dataclasses import dataclass

from fsbench import Strategy


@dataclass(frozen=True)
class Erm(Strategy):
    """Plain training on the labels with the task's recipe (Vapnik 1991)."""

    name = "erm"
    baseline = True
    cite = "Vapnik, V. (1991). Principles of risk minimization for learning theory. NeurIPS 4."
    in_core = True
