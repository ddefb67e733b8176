"""What the classical strategies share: each fits a classifier of scikit-learn instead of the network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fsbench import Context, Fitted, LabeledSet, Strategy

LEMAITRE = "Lemaître, G., Nogueira, F. and Aridas, C. K. (2017). Imbalanced-learn. JMLR 18(17)."
PEDREGOSA = "Pedregosa, F. et al. (2011). Scikit-learn: machine learning in Python. JMLR 12."


class Classical(Strategy):
    """A classifier of scikit-learn, fitted on flattened inputs; a baseline of every leaderboard.

    Images have values in [0, 1], numeric columns of tables mean 0 and standard deviation 1; texts become
    TF-IDF, fitted on the training part. Nothing is trained by gradients, so recipe, losses and augmentations
    are not used. Logits are the logarithms of the predicted probabilities, which are at least 1e-7. Sampling
    weights become sample weights of mean 1; soft targets count as their likeliest class, and the record says
    so.
    """

    family = "classical"
    baseline = True
    in_core = True
    reads_recipe = False
    replaces = frozenset({"fit"})

    def classifier(self, samples: int, seed: int) -> Any:
        """The unfitted classifier for a number of samples, with the trial's random numbers."""
        raise NotImplementedError

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        """The predictor of the fitted classifier."""
        from fsbench_plugins import _estimators

        return _estimators.fit(self.classifier(len(train), ctx.rng.seed()), train, ctx)


class ClassicalImbalance(Classical):
    """An ensemble of imbalanced-learn for tables whose classes differ in size; no baseline."""

    family = "imbalance"
    baseline = False
    in_core = False
    kinds = frozenset({"table"})


def note_if_few(n_neighbors: int, samples: int, ctx: Context) -> None:
    """Note that there are fewer samples than neighbours."""
    if samples < n_neighbors:
        ctx.note(f"{samples} samples, so n_neighbors={samples} instead of {n_neighbors}")
