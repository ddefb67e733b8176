"""What a network computes with its weights, so that networks with equal weights can be told apart."""

from __future__ import annotations

from typing import Any

from torch import nn

from fsbench.code import source_hash

VERSIONED = ("fsbench", "torch", "torchvision", "efficientnet_lite_pytorch", "timm")
"""Packages whose code is known by their version."""

_METHODS = {"forward", "forward_features", "forward_head", "prepare"}
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def is_as_built(model: nn.Module) -> bool:
    """Whether every module computes what its class says, without hooks or methods of its own."""
    return not any(p._backward_hooks for p in model.parameters()) and not any(
        vars(module).keys() & _METHODS or any(getattr(module, hooks, None) for hooks in _HOOKS)
        for module in model.modules()
    )


def anatomy(model: nn.Module) -> str:
    """The classes and the settings of its modules, with a hash of classes that no version tells apart."""
    lines = [f"{name} {_class(type(module))} {_settings(module)}" for name, module in model.named_modules()]
    classes = {kind for module in model.modules() for kind in type(module).__mro__}
    strange = {kind.__module__ for kind in classes if kind.__module__.partition(".")[0] not in VERSIONED}
    return "\n".join([*lines, repr(model), source_hash(strange - {"builtins"})])


def _class(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _settings(module: nn.Module) -> dict[str, Any]:
    """The plain values among the attributes of a module, except those that change as it is used."""
    return {
        name: value
        for name, value in sorted(vars(module).items())
        if isinstance(value, bool | int | float | str | tuple | None) and name != "training"
    }
