"""Any image model of timm by its name, without its head, from the package of the extra `timm`.

Wightman, R. (2019). PyTorch image models, github.com/huggingface/pytorch-image-models (Apache-2.0). timm is
imported only when a body is built.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from fsbench.engine.backbones.weights import first_line
from fsbench.errors import DataError, SpecError
from fsbench.importing import needed


def timm(input_shape: tuple[int, ...], model: str = "resnet18.a1_in1k") -> tuple[nn.Module, int]:
    """A model of timm for images in [0, 1], which it standardises as its weights expect.

    Raises UsageError without timm, SpecError for a model that it does not know or that needs another size.
    """
    library = _import()
    if not library.is_model(model):
        raise SpecError(f"timm(model={model}): timm has no model of this name; see timm.list_models()")
    try:
        body = library.create_model(model, pretrained=False, num_classes=0, in_chans=input_shape[0])
    except (RuntimeError, ValueError, TypeError) as error:
        raise SpecError(f"timm(model={model}): timm cannot build it: {first_line(error)}") from error
    about = body.pretrained_cfg
    size = tuple(about.get("input_size", input_shape))[1:]
    if about.get("fixed_input_size") and size != tuple(input_shape[1:]):
        raise SpecError(
            f"timm(model={model}): size is {input_shape[1]}; its images have {size[0]}, so add size={size[0]}"
        )
    body.register_forward_pre_hook(_Standardise(about["mean"], about["std"]))
    return body, int(getattr(body, "head_hidden_size", None) or body.num_features)


def timm_weights(name: str) -> dict[str, Any]:
    """The weights that timm has for a model's name; downloaded once. Raises DataError if that fails."""
    try:
        model = _import().create_model(name, pretrained=True, num_classes=0)
    except Exception as error:  # timm's downloads raise anything
        raise DataError(
            f"cannot load the weights {name} of timm ({first_line(error)}); give the path of a file with them"
        ) from error
    found: dict[str, Any] = model.state_dict()
    return found


class _Standardise:
    """Subtracts a mean and divides by a standard deviation for each channel, before a module."""

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        self.mean, self.std = mean, std

    def __call__(self, module: nn.Module, given: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor]:
        (x,) = given
        mean, std = (x.new_tensor(values).view(1, -1, 1, 1) for values in (self.mean, self.std))
        return ((x - mean) / std,)


def _import() -> Any:
    return needed("timm", "timm", "timm")
