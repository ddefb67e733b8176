"""Saves what a trial predicts with, and makes sure that the files predict the same."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from fsbench.engine.trial import Prediction
from fsbench.errors import CannotSave, DataError
from fsbench.failure import one_line
from fsbench.saved import load_parts, save_parts

STEM = "predictor"
CHECK = "check.safetensors"
_ON_CPU, _ON_GPU, _ELSEWHERE = 1e-5, 1e-2, 1e-3
_NOISE = 4


def save_checked(
    prediction: Prediction, folder: Path, x: np.ndarray, device: torch.device, packages: Set[str]
) -> None:
    """Write a prediction into a new folder, read it, and compare logits of the stored inputs `x [N, ...]`.

    Raises CannotSave if it cannot be written, or if the logits differ by more than rounding.
    """
    expected = prediction(x, device)
    folder.mkdir()
    save_parts(prediction, folder, STEM)
    cpu = torch.device("cpu")
    try:
        saved = load_parts(folder, STEM, packages)
    except DataError as error:
        raise CannotSave(f"its saved copy cannot be read: {error}") from error
    found = saved(x, cpu)
    allowed = _ON_CPU if device.type == "cpu" else _ON_GPU
    differs = _difference(found, expected)
    if not differs <= allowed:
        raise CannotSave(
            f"its saved copy predicts other logits (by {differs:.2g} of the largest), so something that it "
            "changed is not among the arguments of its parts"
        )
    save_file({name: torch.from_numpy(a) for name, a in _sample(saved, x).items()}, folder / CHECK)


def check_saved(prediction: Prediction, folder: Path) -> None:
    """Raise DataError if a prediction gives other logits of the noise than where it was saved."""
    cpu = torch.device("cpu")
    try:
        arrays = {name: tensor.numpy() for name, tensor in load_file(folder / CHECK).items()}
        found, expected = prediction(arrays["x"], cpu), arrays["logits"]
    except Exception as error:  # damaged numbers in a file may have any effect
        raise DataError(f"{folder} does not predict: {one_line(error)}") from error
    if found.shape != expected.shape or not _difference(found, expected) <= _ELSEWHERE:
        raise DataError(
            f"{folder} predicts other logits here than where it was saved, with other versions of its code; "
            "model.json names them: install those, or fit the model again"
        )


def _sample(prediction: Prediction, x: np.ndarray) -> dict[str, np.ndarray]:
    """A few inputs of noise like `x [N, ...]`, which say nothing about the data, and their logits."""
    rng, shape = np.random.default_rng(0), (_NOISE, *x.shape[1:])
    floats = np.issubdtype(x.dtype, np.floating)
    noise = rng.standard_normal(shape) if floats else rng.integers(1, 128, shape)
    given = noise.astype(x.dtype)
    return {"x": given, "logits": prediction(given, torch.device("cpu"))}


def _difference(first: np.ndarray, second: np.ndarray) -> float:
    """The largest difference, relative to the largest logit."""
    return float(np.abs(first - second).max() / (1 + np.abs(second).max()))
