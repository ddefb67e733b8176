"""SimpleShot: nearest class means of centred and normalised features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fsbench import Context, Fitted, LabeledSet, match_inputs, param
from fsbench_plugins._source import UsesSource, train_on_source

if TYPE_CHECKING:
    from torch import nn

_CENTRE = "mean_of_source"


@dataclass(frozen=True)
class Simpleshot(UsesSource):
    """The nearest class mean on features of a body trained on the source (Wang et al. 2019).

    The body is trained by plain cross-entropy, as `transfer` does, and nothing is trained on the task.
    `transform` says what is done with features: `cl2n` subtracts the mean over the source samples and scales
    each to length one, `l2n` only scales, and `none` leaves them as they are. Logits are minus the squared
    distances to the class means, times `scale` unless `transform` is `none`; it matters for probabilities
    only.
    """

    name = "simpleshot"
    results_version = "2"
    cite = (
        "Wang, Y., Chao, W.-L., Weinberger, K. Q. and van der Maaten, L. (2019). SimpleShot: revisiting "
        "nearest-neighbor classification for few-shot learning. arXiv:1911.04623."
    )
    family = "meta_learning"
    replaces = frozenset({"init_model", "fit"})
    without_labels = "no labelled target samples to take the means of"

    transform: Literal["cl2n", "l2n"] | None = param("cl2n", tune=("cl2n", "l2n", None))
    source_steps: int = param(300, low=1)
    source_passes: int = param(3, low=0)
    scale: float = param(10.0, low=0.1)

    def init_model(self, model: nn.Module, ctx: Context) -> nn.Module:
        """The model with a body trained on the source, and the mean of the source's features."""
        from fsbench_plugins._prototypes import embed

        train_on_source(model.get_submodule("body"), ctx, self.source_steps, self.source_passes)
        if self.transform == "cl2n":
            mean = embed(model, match_inputs(ctx.source.x, ctx.task)).mean(0)
            model.register_buffer(_CENTRE, mean, persistent=False)
        return model

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        """The nearest means of the transformed features of the training samples."""
        from fsbench_plugins._prototypes import nearest_means
        from fsbench_plugins._transformed import Transformed

        centre = getattr(ctx.model, _CENTRE) if self.transform == "cl2n" else None
        length = None if self.transform is None else self.scale**0.5
        return ctx.fitted(nearest_means(Transformed(ctx.model, centre, length), train))
