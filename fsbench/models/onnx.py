"""The network of a saved model as ONNX, for programs without fsbench."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

from fsbench.failure import one_line
from fsbench.kinds import get_kind
from fsbench.models.model import PREDICTOR
from fsbench.registry import get_registry
from fsbench.versions import version
from fsbench.words import to_install

FILE = "model.onnx"
_MOST = 200


def export(folder: Path, temperature: float) -> dict[str, str]:
    """Write the predictor in `folder` as ONNX; returns what the card says of it, or why there is none.

    The graph takes prepared inputs, in batches of any size, and gives calibrated probabilities. It is written
    only if it belongs to a single network, and only if torch can export it.
    """
    if missing := [name for name in ("onnx", "onnxscript") if version(name) is None]:
        return {"why not": f"it {to_install('fsbench[onnx]', missing[0])}, then fit again"}
    from fsbench.engine.frozen_body import ByHead
    from fsbench.engine.training import ByNetwork
    from fsbench.saved import load_parts

    prediction = load_parts(folder, PREDICTOR, get_registry().packages())
    predict = prediction.predict
    if not isinstance(predict, ByNetwork | ByHead):
        return {"why not": f"it predicts by {type(predict).__name__}, which is not a single network"}
    if not get_kind(prediction.kind).mixable:
        return {"why not": f"its network takes {prediction.kind} data, which is not float32 numbers"}
    try:
        _write(predict.network, prediction.input_shape, temperature, folder / FILE)
    except Exception as error:  # noqa: BLE001 - the exporter raises anything
        (folder / FILE).unlink(missing_ok=True)
        return {"why not": f"torch cannot export it: {one_line(error)[:_MOST]}"}
    shape = ", ".join(map(str, ("N", *prediction.input_shape)))
    return {
        "file": FILE,
        "input": f"float32 [{shape}], prepared as `preparation` says",
        "output": "calibrated probabilities, float32 [N, classes]",
    }


def _write(network: Any, shape: tuple[int, ...], temperature: float, path: Path) -> None:
    import torch

    class Probabilities(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.softmax(self.network(x) / temperature, dim=1)

    logger, level = logging.getLogger("torch.onnx"), logging.getLogger("torch.onnx").level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                Probabilities().eval(),
                (torch.rand(2, *shape),),
                dynamo=True,
                dynamic_shapes=({0: torch.export.Dim("N")},),
                input_names=["input"],
                output_names=["probabilities"],
                verbose=False,
            )
            assert program is not None
            program.save(path)
    finally:
        logger.setLevel(level)
