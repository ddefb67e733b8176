"""Reliability diagrams, confusion matrices, and training against test accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fsbench.report.charts import Bins, Fit, Predicted
from fsbench.report.escape import figure
from fsbench.report.plots.style import OTHERS, coloured

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_NUMBERS = 20
_LARGEST = 90.0


def reliability(bins: Mapping[str, Bins], baseline: str, ax: Axes) -> None:
    """Draw the accuracy in each bin over its mean confidence, for some strategies.

    The area of a point shows its share of the samples. Above the diagonal a strategy is too cautious, below
    it too sure of itself.
    """
    ax.plot([0, 1], [0, 1], color="#999999", linewidth=0.8, linestyle="--")
    looks = coloured(list(bins), baseline)
    for name, each in bins.items():
        full, (colour, marker) = each.counts > 0, looks[name]
        x, y = each.confidence[full], each.accuracy[full]
        share = each.counts[full] / each.counts.sum()
        ax.plot(x, y, color=colour, linewidth=1.2, label=figure(name), marker=marker, markersize=3)
        ax.scatter(x, y, s=_LARGEST * share, color=colour, alpha=0.4, linewidth=0)
    ax.set_xlabel("confidence in the predicted class")
    ax.set_ylabel("accuracy")
    ax.set_title("Reliability")
    if bins:
        ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize="small")


def confusion(predicted: Predicted, ax: Axes) -> None:
    """Draw the confusion matrix in shares of each class; a row is a true class, with its recall on the right.

    Small matrices also show the counts. Needs one (see `Predicted.confusion`).
    """
    table = np.zeros((0, 0)) if predicted.confusion is None else predicted.confusion
    total = table.sum(1, keepdims=True)
    share = np.divide(table, total, out=np.zeros(table.shape), where=total > 0)
    ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
    if len(table) <= _MOST_NUMBERS:
        for (i, j), count in np.ndenumerate(table):
            colour = "white" if share[i, j] > 0.6 else "black"
            ax.text(j, i, str(int(count)), ha="center", va="center", fontsize=7, color=colour)
        names = list(map(figure, predicted.classes))
        recalls = [
            f"{name}  ({100 * each:.0f} %)" if np.isfinite(each) else name
            for name, each in zip(names, predicted.recall, strict=True)
        ]
        ax.set_xticks(
            range(len(names)), labels=names, rotation=40, ha="right", rotation_mode="anchor", fontsize=7
        )
        ax.set_yticks(range(len(names)), labels=recalls, fontsize=7)
    ax.spines[:].set_visible(False)
    ax.set_xlabel("predicted class")
    ax.set_ylabel("true class (recall)")
    ax.set_title(f"{figure(predicted.strategy)} on {figure(predicted.task)}", fontsize=8)


def fit(fits: Sequence[Fit], names: Sequence[str], baseline: str, ax: Axes) -> None:
    """Draw the accuracy on the test part over that on the training labels: a point per strategy and task.

    `names` are the strategies that get colours, the baseline and the first few. Far below the diagonal a
    strategy overfits; on the left it underfits.
    """
    ax.plot([0, 1], [0, 1], color="#999999", linewidth=0.8, linestyle="--")
    looks, labelled = coloured(names, baseline), set[str]()
    for each in fits:
        colour, marker = looks.get(each.strategy, (OTHERS, "."))
        label = None if each.strategy in labelled or colour == OTHERS else figure(each.strategy)
        labelled.add(each.strategy)
        ax.plot(each.train, each.test, marker, color=colour, markersize=4, alpha=0.8, label=label)
    ax.set_xlabel("accuracy on the training labels")
    ax.set_ylabel("accuracy on the test part")
    ax.set_title("Fit of the training labels")
    if labelled:
        ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize="small")
