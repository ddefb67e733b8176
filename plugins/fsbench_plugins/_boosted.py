"""What gradient boosting by an optional library shares."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import ClassVar

from fsbench import Context, Fitted, LabeledSet, TaskInfo, to_install
from fsbench_plugins._classical import Classical


class Boosted(Classical):
    """A classifier of a `library` that is an extra of that name; no baseline, as not everybody has it."""

    baseline = False
    in_core = False
    kinds = frozenset({"table"})
    library: ClassVar[str]

    def skip(self, task: TaskInfo) -> str | None:
        """The library must be installed."""
        here = find_spec(self.library) is not None
        return None if here else to_install(f"fsbench[{self.library}]")

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        """The predictor of the fitted classifier."""
        from fsbench_plugins import _boosters, _estimators

        classifier = self.classifier(len(train), ctx.rng.seed())
        return _estimators.fit(_boosters.Booster(self.library, classifier), train, ctx)
