"""Gradient boosting by LightGBM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fsbench import param
from fsbench_plugins._boosted import Boosted


@dataclass(frozen=True)
class Lightgbm(Boosted):
    """Gradient boosting of trees that grow leaf by leaf, on tables, by the library LightGBM (Ke et al. 2017).

    `n_estimators` rounds with one tree per class (two classes share one), each scaled by `learning_rate` and
    with at most `num_leaves` leaves; a leaf has at least `min_child_samples` samples, far fewer than the
    library's 20, with which it learns nothing from 40 samples. Cuts lie between the library's bins, of three
    samples or more. `reg_lambda` is the L2 penalty of the leaves.
    Needs `fsbench[lightgbm]`.
    """

    name = "lightgbm"
    library = "lightgbm"
    cite = (
        "Ke, G., Meng, Q., Finley, T., Wang, T., Chen, W., Ma, W., Ye, Q. and Liu, T.-Y. (2017). LightGBM: a "
        "highly efficient gradient boosting decision tree. NeurIPS 30."
    )

    n_estimators: int = param(100, low=1)
    learning_rate: float = param(0.1, low=1e-6, tune=(0.02, 0.3))
    num_leaves: int = param(31, low=2, tune=(4, 63))
    min_child_samples: int = param(2, low=1, tune=(1, 20))
    reg_lambda: float = param(0.0, low=0.0, tune=(0.0, 10.0))

    def classifier(self, samples: int, seed: int) -> Any:
        """LightGBM's `LGBMClassifier`."""
        from lightgbm import LGBMClassifier

        return LGBMClassifier(
            n_estimators=self.n_estimators,
            learning_rate=self.learning_rate,
            num_leaves=self.num_leaves,
            min_child_samples=self.min_child_samples,
            reg_lambda=self.reg_lambda,
            random_state=seed,
            deterministic=True,
            force_row_wise=True,
            n_jobs=1,
            verbose=-1,
        )
