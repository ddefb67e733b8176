"""Requirements that checks of every sort share."""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch


def require(condition: object, message: str) -> None:
    """Raise AssertionError with the message unless the condition holds."""
    if not condition:
        raise AssertionError(message)


def require_text(what: str, text: object) -> None:
    """Raise AssertionError unless something is a text by its author, not that of the template."""
    require(isinstance(text, str) and text.strip(), f"{what} is {text!r}; describe it in a few words")
    require("TODO" not in str(text), f"the {what} still says TODO, as in the template; write your own")


def require_own_randomness(work: Callable[[], object]) -> None:
    """Raise AssertionError if work changes the global random states of Python, numpy or torch."""
    before = random_states()
    work()
    changed = ", ".join(name for name, state in random_states().items() if state != before[name])
    require(not changed, f"it used the global random state of {changed}; use a separate generator")


def random_states() -> dict[str, Any]:
    """The global random states, by library."""
    return {
        "random": random.getstate(),
        "numpy": pickle.dumps(np.random.get_state()),
        "torch": bytes(torch.get_rng_state().numpy()),
    }
