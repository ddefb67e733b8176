"""A network: the body of a backbone, the input that it expects, and a linear head."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from fsbench.errors import CannotSave, PluginError, SpecError
from fsbench.importing import named_object
from fsbench.kinds import get_kind
from fsbench.recipes.catalogue import BACKBONES, known_backbone
from fsbench.savable import Savable
from fsbench.spec import Call, coerce, format_value, parse_call


class Network(nn.Module, Savable):
    """A body and a linear head, for samples of one kind.

    The kind converts inputs `[N, ...]` to what the backbone `wants`; `body` maps them to features `[N,
    num_features]`, and the head maps these to logits `[N, num_classes]`. `built` is the backbone expression
    and the shape of inputs that `build_network` was given.
    """

    def __init__(
        self,
        body: nn.Module,
        num_features: int,
        num_classes: int,
        dropout: float = 0.0,
        *,
        kind: str,
        wants: Any = None,
    ) -> None:
        super().__init__()
        self.body = body
        self.num_features = num_features
        self.kind, self.wants = get_kind(kind), wants
        self.adapter = self.kind.adapter(wants)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(num_features, num_classes)
        self.num_classes = num_classes
        self.built: tuple[str, tuple[int, ...]] | None = None

    def prepare(self, x: torch.Tensor) -> torch.Tensor:
        """Inputs `[N, ...]` as the body expects them: for images, channels, size, mean and deviation."""
        prepared: torch.Tensor = self.adapter(x)
        return prepared

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
        """A network with this body, which is shared, and a new head for `num_classes`."""
        device = self.head.weight.device
        network = Network(
            self.body,
            self.num_features,
            num_classes,
            self.dropout.p,
            kind=self.kind.name,
            wants=self.wants,
        )
        network.built = self.built
        return network.to(device)

    def arguments(self) -> dict[str, Any]:
        """Those of `build_network`, and another head than the linear one.

        Raises CannotSave for a network that it did not build.
        """
        if self.built is None:
            raise CannotSave("a network that is not made of a backbone expression cannot be saved")
        backbone, shape = self.built
        head = None if type(self.head) is nn.Linear else self.head
        return {
            "backbone": backbone,
            "kind": self.kind.name,
            "input_shape": shape,
            "num_classes": self.num_classes,
            "dropout": self.dropout.p,
            "head": head,
        }

    @classmethod
    def rebuild(cls, head: nn.Module | None = None, **arguments: Any) -> Network:
        """The network of these arguments, with memory laid out as in training."""
        network = build_network(**arguments)
        if head is not None:
            network.set_submodule("head", head)
        return network.to(memory_format=torch.channels_last)


def build_network(
    backbone: str, kind: str, input_shape: tuple[int, ...], num_classes: int, dropout: float = 0.0
) -> Network:
    """The network of a backbone expression for samples of a kind, with weights from torch's global generator.

    `dropout` acts before the head and wherever the architecture has dropout. Raises UnknownName, SpecError,
    or UsageError if an extra is not installed.
    """
    call = parse_call(backbone)
    known = known_backbone(call)
    if not known.takes(kind):
        others = ", ".join(name for name, other in BACKBONES.items() if other.takes(kind)) or "none"
        raise SpecError(
            f"{call} takes no samples of the kind {kind}; backbones that do: {others}; or choose other tasks"
        )
    make = load_object(known.make)
    hints = _parameters(call.name, make)
    sized = known.wants is not None and known.wants.exact
    defaults = {each.name: each.default for each in inspect.signature(make).parameters.values()}
    arguments = _arguments(call, {**hints, "size": int} if sized else hints, defaults)
    if sized:
        arguments.pop("size", None)
    wants = wanted_input(backbone)
    of_kind, given = get_kind(kind), tuple(input_shape)
    if reason := of_kind.unfit(given, wants):
        raise SpecError(f"{call}: {reason}")
    if "dropout" in hints:
        arguments["dropout"] = dropout
    made = make(of_kind.adapted_shape(given, wants), **arguments)
    if not (isinstance(made, tuple) and len(made) == 2 and isinstance(made[0], nn.Module)):
        raise PluginError(
            f"{known.make} returned {type(made).__name__}; expected a module and its features' number"
        )
    body, features = made
    network = Network(body, features, num_classes, dropout, kind=kind, wants=wants)
    network.built = backbone, given
    return network


def wanted_input(backbone: str) -> Any:
    """What the body of a backbone expression expects; a `size` in it replaces an exact size."""
    call = parse_call(backbone)
    wants, size = known_backbone(call).wants, call.keywords.get("size")
    if wants is None or not wants.exact or not isinstance(size, int):
        return wants
    return dataclasses.replace(wants, size=size)


def import_backbone(backbone: str) -> None:
    """Import the code of a backbone before time is measured, as some imports take seconds."""
    load_object(known_backbone(parse_call(backbone)).make)


def load_object(place: str) -> Any:
    """The object that "module:name" names. Raises PluginError if it does not exist."""
    try:
        return named_object(place)
    except (ImportError, AttributeError) as error:
        raise PluginError(
            f"cannot load {place}: {error}; check that its package is completely installed"
        ) from error


def _parameters(name: str, make: Callable[..., Any]) -> dict[str, Any]:
    """The annotations of a backbone function's arguments after the shape of the inputs."""
    arguments = list(inspect.signature(make).parameters.values())[1:]
    for each in arguments:
        if each.annotation is each.empty:
            raise PluginError(f"backbone {name}: its argument {each.name!r} has no annotation; add its type")
        if each.default is each.empty:
            raise PluginError(f"backbone {name}: its argument {each.name!r} has no default; add one")
    known = getattr(inspect.unwrap(make), "__globals__", {})
    try:
        return {
            each.name: eval(each.annotation, known) if isinstance(each.annotation, str) else each.annotation
            for each in arguments
        }
    except NameError as error:
        raise PluginError(
            f"backbone {name}: the annotation of an argument cannot be read ({error}); import what it names "
            "outside TYPE_CHECKING"
        ) from error


def _arguments(call: Call, hints: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a backbone expression, checked against the annotations of its function.

    Numbers are sizes, at least 1, except where a smaller one is the default.
    """
    known = [name for name in hints if name != "dropout"]
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
        wrong = [str(item) for item in items if type(item) is int and item < 1]
        if wrong and values[name] != defaults.get(name):
            raise SpecError(f"{call}: {name} is {wrong[0]}; expected at least 1")
    return values


def without_head(network: nn.Module, head: str) -> tuple[nn.Module, int]:
    """A network without its last linear layer, and the number of features that the layer took."""
    features = network.get_submodule(head).in_features
    network.set_submodule(head, nn.Identity())
    assert isinstance(features, int)
    return network, features
