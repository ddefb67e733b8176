"""What strategies share that learn from unlabelled inputs."""

from __future__ import annotations

from fsbench import Context, Recipe, Strategy, TaskInfo
from fsbench_plugins._recipes import at_least


class UsesUnlabelled(Strategy):
    """A strategy that needs unlabelled inputs: at least two, which a batch normalisation needs of its inputs.

    If a subclass has a field `steps`, training lasts for at least so many, unless the recipe fixes its steps
    (`passes=0`).
    """

    steps: int = 0

    @property
    def uses(self) -> frozenset[str]:
        """The unlabelled inputs."""
        return frozenset({"unlabeled"})

    def skip(self, task: TaskInfo) -> str | None:
        """The strategy needs unlabelled inputs."""
        if task.num_unlabeled == 1:
            return "needs at least two unlabelled inputs"
        return None if task.num_unlabeled else "needs unlabelled data"

    def configure(self, recipe: Recipe, ctx: Context) -> Recipe:
        """At least `steps` steps, unless the recipe fixes their number; a note says if these are more."""
        return at_least(self.steps, recipe, ctx)
