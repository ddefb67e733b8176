"""The strategies that come with fsbench, registered like those of any other plugin."""

from __future__ import annotations

from fsbench import Strategy, hookimpl
from fsbench_plugins.augmentation import Augmentation
from fsbench_plugins.best_classical import BestClassical
from fsbench_plugins.dann import Dann
from fsbench_plugins.erm import Erm
from fsbench_plugins.focal import Focal
from fsbench_plugins.hist_gradient_boosting import HistGradientBoosting
from fsbench_plugins.knn import Knn
from fsbench_plugins.logistic_regression import LogisticRegression
from fsbench_plugins.maml import Maml
from fsbench_plugins.probe import Probe
from fsbench_plugins.protonet import Protonet
from fsbench_plugins.random_forest import RandomForest
from fsbench_plugins.resampling import Resampling
from fsbench_plugins.sklearn import Sklearn
from fsbench_plugins.svm import Svm
from fsbench_plugins.transfer import Transfer


@hookimpl
def fsbench_strategies() -> list[type[Strategy]]:
    """The bundled strategies."""
    return [
        Augmentation,
        BestClassical,
        Dann,
        Erm,
        Focal,
        HistGradientBoosting,
        Knn,
        LogisticRegression,
        Maml,
        Probe,
        Protonet,
        RandomForest,
        Resampling,
        Sklearn,
        Svm,
        Transfer,
    ]
