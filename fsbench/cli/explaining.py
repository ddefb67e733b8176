"""How the components of a spec act in each stage, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsbench.cli.output import table
from fsbench.composition import Composition
from fsbench.registry import get_registry
from fsbench.stages import STAGES, Stage

if TYPE_CHECKING:
    from rich.console import RenderableType

_INNERMOST = {
    "loss": "cross-entropy",
    "step": "gradients and an update",
    "fit": "training by the recipe",
}


def explanation(spec: str) -> RenderableType:
    """How the components of specs act in each stage. Raises SpecError, UnknownName or ConflictError."""
    from rich.console import Group
    from rich.text import Text

    found: list[RenderableType] = []
    for composition in get_registry().parse(spec):
        found.append(Text(f"{composition.text}  uses: {', '.join(sorted(composition.uses)) or '-'}", "bold"))
        rows = explained(composition)
        found.append(table(("stage", "what acts, in order", "how several compose"), rows))
    return Group(*found)


def explained(composition: Composition) -> list[tuple[str, str, str]]:
    """A row for each stage: its name, which components act in which order, and how components compose."""
    return [(stage.name, _chain(composition, stage), stage.composed) for stage in STAGES.values()]


def _chain(composition: Composition, stage: Stage) -> str:
    """`recipe > transfer > recipe` for a map, `smoothing(focal(...))` for a wrap, `a + b` for a sum."""
    names = [component.name for component in composition.chain(stage.name)]
    if stage.law == "sum":
        return " + ".join(names) or "0"
    if stage.law == "map":
        return " > ".join(names) or "unchanged"
    owner = composition.owner(stage.name)
    found = owner.name if owner and owner.name in names else _INNERMOST[stage.name]
    for name in names[1:] if owner and owner.name in names else names:
        found = f"{name}({found})"
    return found
