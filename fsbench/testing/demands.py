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
    changed = ", ".join(randomness_used(work))
    require(not changed, f"it used the global random state of {changed}; use a separate generator")


def randomness_used(work: Callable[[], object]) -> tuple[str, ...]:
    """The global random states that work changes, by library. They are restored afterwards.

    They are new ones before, so that seeding one with a fixed number changes it, too.
    """
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    random.seed()
    np.random.seed()
    torch.default_generator.seed()
    before = random_states()
    try:
        work()
        return tuple(name for name, state in random_states().items() if state != before[name])
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])


def random_states() -> dict[str, Any]:
    """The global random states, by library."""
    return {
        "random": random.getstate(),
        "numpy": pickle.dumps(np.random.get_state()),
        "torch": bytes(torch.get_rng_state().numpy()),
    }
