"""Gradient boosting by libraries other than scikit-learn, kept as the text that the library writes."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from fsbench import Savable


class Booster(Savable):
    """A classifier of LightGBM or XGBoost as `_estimators.fit` takes it.

    Once fitted, it is the text of the library's own model format and the labels of the classes, so it can be
    saved. Labels need not be consecutive.
    """

    def __init__(self, library: str, classifier: Any = None, text: str = "", classes: Any = ()) -> None:
        self.library, self.classifier, self.text = library, classifier, text
        self.classes_ = np.asarray(classes, dtype=np.int64)

    def arguments(self) -> dict[str, Any]:
        """The library, the text of its model, and the labels of the classes."""
        return {"library": self.library, "text": self.text, "classes": self.classes_}

    def fit(self, x: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None = None) -> Booster:
        """Fit on rows `[N, F]` and labels `[N]`."""
        self.classes_, numbers = np.unique(y, return_inverse=True)
        if len(self.classes_) == 1:
            return self  # there is nothing to learn
        self.classifier.fit(x, numbers, sample_weight=sample_weight)
        if self.library == "lightgbm":
            self.text = self.classifier.booster_.model_to_string()
        else:
            self.text = self.classifier.get_booster().save_raw("json").decode()
        return self

    @functools.cached_property
    def _model(self) -> Any:
        if self.library == "lightgbm":
            import lightgbm

            return lightgbm.Booster(model_str=self.text)
        import xgboost

        model = xgboost.Booster({"nthread": 1})
        model.load_model(bytearray(self.text.encode()))
        return model

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """Probabilities `[N, C]` of the classes that were seen."""
        if len(self.classes_) == 1:
            return np.ones((len(x), 1))
        if self.library == "lightgbm":
            found = self._model.predict(x, num_threads=1)
        else:
            found = self._model.inplace_predict(x)
        return np.stack([1 - found, found], 1) if found.ndim == 1 else found
