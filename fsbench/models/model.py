"""A saved model: reads inputs as the training data was read, and predicts calibrated probabilities."""

from __future__ import annotations

import functools
import io
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fsbench.errors import DataError
from fsbench.failure import one_line
from fsbench.models.card import Card
from fsbench.own.further import read_further
from fsbench.own.samples import Progress
from fsbench.registry import get_registry
from fsbench.report.escape import csv

if TYPE_CHECKING:
    import pandas as pd

PREPARATION, PREDICTOR = "preparation", "predictor"


_UNWRITABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode's categories of control characters, surrogates and breaks of lines."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """Probabilities float64 `[N, C]` of inputs.

    Their `names` are files, as the file system has them, or numbers of rows: from 1, but from 0 in an npz, as
    in its arrays.
    """

    names: Sequence[str]
    classes: tuple[str, ...]
    probabilities: np.ndarray
    warnings: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """A row for each input: its name, the likeliest class, and the probability of each class."""
        import pandas as pd

        likeliest = [self.classes[label] for label in self.probabilities.argmax(1)]
        columns = {f"p({name})": self.probabilities[:, i] for i, name in enumerate(self.classes)}
        return pd.DataFrame({"input": list(self.names), "predicted": likeliest, **columns})

    def to_csv(self) -> str:
        r"""Comma-separated values, probabilities with six decimals; no text can be taken for a formula.

        A name has `\x1b` and the like for control characters, and `\udce9` for what is no text.
        """
        frame = self.to_frame()
        frame = frame.assign(
            input=frame["input"].map(_written).map(csv), predicted=frame["predicted"].map(csv)
        )
        out = io.StringIO()
        frame.to_csv(out, index=False, lineterminator="\n", float_format="%.6f")
        return out.getvalue()


def _written(name: str) -> str:
    """A name that can be written as UTF-8 and printed: nothing else in it is changed."""
    return "".join(
        each.encode("unicode_escape").decode() if unicodedata.category(each) in _UNWRITABLE else each
        for each in name
    )


@dataclass(frozen=True, eq=False)
class SavedModel:
    """The model in a folder, with its card. What predicts is loaded when it is first used."""

    folder: Path
    card: Card

    def predict(self, inputs: str | Path, progress: Progress = lambda done, total: None) -> Predictions:
        """The predictions for the inputs at a path, which are read as the training data was.

        Raises DataError for inputs of another kind, and for a model that cannot be loaded.
        """
        found = read_further(inputs, self.card.inputs, progress)
        return Predictions(found.names, self.card.classes, self.probabilities(found.x), found.warnings)

    def probabilities(self, x: np.ndarray) -> np.ndarray:
        """Calibrated probabilities float64 `[N, C]` of inputs `[N, ...]` as their kind stores them."""
        from scipy.special import softmax

        return np.asarray(softmax(self.logits(x).astype(np.float64) / self.card.temperature, axis=1))

    def logits(self, x: np.ndarray) -> np.ndarray:
        """Logits float32 `[N, C]` of inputs `[N, ...]` as their kind stores them. Raises DataError."""
        import torch

        prepare, predict = self._parts
        try:
            logits: np.ndarray = predict(prepare(x[None])[0], torch.device("cpu"))
        except Exception as error:  # damaged numbers in a file may have any effect
            raise DataError(f"{self.folder} cannot predict these inputs: {one_line(error)}") from error
        return logits

    @functools.cached_property
    def _parts(self) -> tuple[Callable[[np.ndarray], np.ndarray], Any]:
        """The preparation and the predictor."""
        from fsbench.engine.refitting import check_saved
        from fsbench.engine.trial import Prediction
        from fsbench.saved import load_parts

        self.card.check_files(self.folder)
        packages = get_registry().packages()
        prepare, predict = (load_parts(self.folder, stem, packages) for stem in (PREPARATION, PREDICTOR))
        if not isinstance(predict, Prediction) or not callable(prepare):
            raise DataError(f"{self.folder}: its parts are not what fsbench writes; fit the model again")
        check_saved(predict, self.folder)
        return prepare, predict


def load(folder: str | Path) -> SavedModel:
    """The model that `refit` wrote into a folder. Nothing in it is executed. Raises DataError."""
    return SavedModel(Path(folder), Card.read(Path(folder)))
