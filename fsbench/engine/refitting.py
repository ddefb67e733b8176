"""Saves what a trial predicts with, and makes sure that the files predict the same."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path

import numpy as np
import torch

from fsbench.engine.trial import Prediction
from fsbench.savable import CannotSave
from fsbench.saved import load_parts, save_parts

STEM = "predictor"
_ON_CPU, _ON_GPU = 1e-5, 1e-2


def save_checked(
    prediction: Prediction, folder: Path, x: np.ndarray, device: torch.device, packages: Set[str]
) -> None:
    """Write a prediction into a new folder, read it, and compare logits of the stored inputs `x [N, ...]`.

    Raises CannotSave if it cannot be written, or if the logits differ by more than rounding.
    """
    expected = prediction(x, device)
    folder.mkdir()
    save_parts(prediction, folder, STEM)
    found = load_parts(folder, STEM, packages)(x, torch.device("cpu"))
    allowed = _ON_CPU if device.type == "cpu" else _ON_GPU
    differs = float(np.abs(found - expected).max() / (1 + np.abs(expected).max()))
    if not differs <= allowed:
        raise CannotSave(
            f"its saved copy predicts other logits (by {differs:.2g} of the largest), so something that it "
            "changed is not among the arguments of its parts"
        )
