"""Tip-Adapter: a cache of labelled features beside a linear classifier."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fsbench import Context, Fitted, LabeledSet, param
from fsbench_plugins.probe import Probe


@dataclass(frozen=True)
class TipAdapter(Probe):
    """Cosines to every labelled sample, added to a linear classifier on frozen features (Zhang et al. 2022).

    To the log-probabilities of `probe`'s classifier, `alpha` times the labels of the training samples are
    added, each weighted by `exp(-beta (1 - cosine))` between its features and those of the test sample, which
    have length one; nothing is trained for it. Sampling weights multiply the labels, with mean 1. The
    paper has the text classifier of CLIP in the place of the linear one, and the mean of a sample's augmented
    views, each of which is a sample of its own here. With `alpha` 0 it is `probe`.
    """

    name = "tip_adapter"
    results_version = "2"
    cite = (
        "Zhang, R., Zhang, W., Fang, R., Gao, P., Li, K., Dai, J., Qiao, Y. and Li, H. (2022). Tip-Adapter: "
        "training-free adaption of CLIP for few-shot classification. ECCV."
    )
    in_core = False

    alpha: float = param(1.0, low=0.0, tune=(0.3, 10.0), stage="fit")
    beta: float = param(5.5, low=0.0, tune=(1.0, 20.0), stage="fit")

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        """The predictor of the classifier and the cache."""
        from torch.nn.functional import normalize

        from fsbench_plugins._comparisons import Cached
        from fsbench_plugins._prototypes import weighted_targets

        fitted = super().fit(train, inner, ctx)
        if self.alpha == 0:
            return fitted
        targets = weighted_targets(train, mean_one=True)
        return Fitted(Cached(fitted.predict, normalize(train.x), targets, self.alpha, self.beta))
