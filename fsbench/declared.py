"""What a strategy declares of itself outside a trial, asked so that an error of its code names it."""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import TypeVar

from fsbench.errors import FsbenchError, PluginError
from fsbench.strategy import USES, Strategy
from fsbench.types import TaskInfo

T = TypeVar("T")


def asked(component: Strategy, what: str, answer: Callable[[], T]) -> T:
    """What a component says of itself outside a trial. Raises PluginError for an error of its code."""
    try:
        return answer()
    except FsbenchError:
        raise
    except Exception as error:
        name = component.name
        raise PluginError(
            f"{name}: {what} raised {type(error).__name__}: {error}; mend it, or leave {name} out"
        ) from error


def skip_reason(component: Strategy, task: TaskInfo) -> str | None:
    """Why a component cannot run on a task, or None. Raises PluginError for any other answer, or an error."""
    reason = asked(component, "skip", lambda: component.skip(task))
    if not (reason is None or (isinstance(reason, str) and reason)):
        raise PluginError(
            f"{component.name}: skip returned {reason!r}; expected None, or in a text why it cannot run"
        )
    return reason


def content_hash(component: Strategy) -> str:
    """What identifies the results of a component beyond its arguments.

    Raises PluginError for anything but a text, or an error.
    """
    found = asked(component, "content_hash", lambda: component.content_hash)
    if not isinstance(found, str):
        raise PluginError(
            f"{component.name}: content_hash is {found!r}; expected a text, such as 'sha256:9f86d081884c'"
        )
    return found


def check_uses(component: Strategy) -> None:
    """Raise PluginError if what a component uses is no set, or names something unknown."""
    uses = asked(component, "uses", lambda: component.uses)
    if not isinstance(uses, Set):
        raise PluginError(f"{component.name}: uses is {uses!r}; expected a set, such as {{'source'}}")
    if unknown := sorted(uses - USES):
        known = ", ".join(sorted(USES))
        raise PluginError(f"{component.name}: uses names {', '.join(unknown)}; known: {known}")
