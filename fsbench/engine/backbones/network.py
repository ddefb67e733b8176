"""A network: a body that a backbone's name stands for, the input that it wants, and a linear head."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import torch
from torch import nn

from fsbench.engine.inputs import match_inputs
from fsbench.errors import SpecError
from fsbench.recipes.catalogue import Backbone, InputSpec, known_backbone
from fsbench.spec import Call, coerce, format_value, parse_call

_LEAST_SIZE = 32


class Network(nn.Module):
    """A body and a linear head.

    `body` maps inputs `[N, ...]` that are as `wants` says to features `[N, num_features]`; the head maps
    them to logits `[N, num_classes]`. Images come in [0, 1] with the channels and the size of the task.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(
        self,
        body: nn.Module,
        num_features: int,
        num_classes: int,
        dropout: float = 0.0,
        wants: InputSpec | None = None,
    ) -> None:
        super().__init__()
        self.body = body
        self.num_features = num_features
        self.wants = wants or InputSpec()
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(num_features, num_classes)
        for name in ("mean", "std"):
            values = torch.tensor(getattr(self.wants, name)).view(1, -1, 1, 1)
            self.register_buffer(name, values, persistent=False)

    def prepare(self, x: torch.Tensor) -> torch.Tensor:
        """Images `[N, C, H, W]` as the body wants them: channels, size, mean and deviation.

        Grey becomes three equal channels; sizes change by bilinear interpolation with antialiasing.
        Tables `[N, F]` stay as they are.
        """
        if x.ndim != 4:
            return x
        return (match_inputs(x, self.wants.shape(tuple(x.shape[1:]))) - self.mean) / self.std

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """Features `[N, D]` of inputs `[N, ...]`."""
        features: torch.Tensor = self.body(self.prepare(x))
        return features

    def forward_head(self, features: torch.Tensor) -> torch.Tensor:
        """Logits `[N, C]` of features `[N, D]`."""
        logits: torch.Tensor = self.head(self.dropout(features))
        return logits

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits `[N, C]` of inputs `[N, ...]`."""
        return self.forward_head(self.forward_features(x))

    def with_head(self, num_classes: int) -> Network:
        """A network that shares this body under a new head for `num_classes`."""
        device = self.head.weight.device
        return Network(self.body, self.num_features, num_classes, self.dropout.p, self.wants).to(device)


def build_network(
    backbone: str, input_shape: tuple[int, ...], num_classes: int, dropout: float = 0.0
) -> Network:
    """The network of a backbone expression, with random weights from torch's global generator.

    `dropout` acts before the head, and where the architecture has dropout of its own. Raises
    UnknownName, SpecError, or UsageError where an extra is not installed.
    """
    call = parse_call(backbone)
    known = known_backbone(call)
    make = getattr(_family(known), call.name.replace("-", "_"))
    hints = inspect.get_annotations(make, eval_str=True)
    arguments = _arguments(call, {**hints, "size": int} if known.wants.exact else hints)
    size = arguments.pop("size", known.wants.size)
    wants = dataclasses.replace(known.wants, size=size)
    shape = wants.shape(tuple(input_shape))
    _check(call, known, wants, tuple(input_shape), shape)
    if "dropout" in hints:
        arguments["dropout"] = dropout
    body, features = make(shape, **arguments)
    return Network(body, features, num_classes, dropout, wants)


def import_backbone(backbone: str) -> None:
    """Import what a backbone is built from, which takes seconds for some, before a clock runs."""
    _family(known_backbone(parse_call(backbone)))


def _family(known: Backbone) -> ModuleType:
    return importlib.import_module(f"fsbench.engine.backbones.{known.home}")


def _check(
    call: Call, known: Backbone, wants: InputSpec, given: tuple[int, ...], shape: tuple[int, ...]
) -> None:
    if not known.tables and len(given) != 3:
        raise SpecError(f"{call}: needs images, got inputs of shape {list(given)}; mlp takes tables")
    if wants.channels and given[0] not in (1, wants.channels):
        raise SpecError(f"{call}: needs images of 1 or {wants.channels} channels, got {given[0]}")
    if wants.exact and shape[1] < _LEAST_SIZE:
        raise SpecError(f"{call}: size is {shape[1]}; expected at least {_LEAST_SIZE}")


def _arguments(call: Call, hints: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a backbone expression, checked against the annotations of who makes it."""
    known = [name for name in hints if name not in ("input_shape", "dropout", "return")]
    wrong = [name for name, _ in call.kwargs if name not in known]
    if wrong:
        raise SpecError(f"{call}: {call.name} takes {', '.join(known) or 'no arguments'}")
    values: dict[str, Any] = {}
    for name, value in call.kwargs:
        what = f"{call.name}({name}={format_value(value)})"
        if isinstance(value, tuple) and hints[name] == tuple[int, ...] | None:
            values[name] = tuple(coerce(what, item, int) for item in value)
        else:
            values[name] = coerce(what, value, hints[name])
        items = values[name] if isinstance(value, tuple) else (values[name],)
        wrong = [str(item) for item in items if isinstance(item, int) and item < 1]
        if wrong:
            raise SpecError(f"{call}: {name} is {wrong[0]}; expected at least 1")
    return values


def without_head(network: nn.Module, head: str) -> tuple[nn.Module, int]:
    """A network with its last linear layer taken out, and the number of features that the layer took."""
    features = network.get_submodule(head).in_features
    network.set_submodule(head, nn.Identity())
    assert isinstance(features, int)
    return network, features
