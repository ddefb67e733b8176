"""What is known about backbones: the function that builds each, its input and its weights. No torch."""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fsbench.errors import DataError, PluginError, SpecError, UsageError
from fsbench.files import sha256_of_unchanged
from fsbench.importing import named_object
from fsbench.kinds import get_kind
from fsbench.kinds.image import InputSpec
from fsbench.sorts import HOUSE, Sort
from fsbench.spec import Call, Value, parse_call
from fsbench.versions import version
from fsbench.words import to_install


@dataclass(frozen=True)
class Backbone:
    """What is known about a backbone without building it; `summary` and `cite` are texts to show.

    `make` names the function that builds its body, as "module:function". `function(input_shape, ...)` takes
    the shape `(channels, height, width)` or `(features,)` that `wants` gives, and the backbone's arguments by
    name, each annotated and with a default; it returns a `torch.nn.Module` from inputs `[N, ...]` to features
    `[N, D]`, and D. An argument `dropout` gets that of the recipe. `kinds` names the kinds of samples that it
    takes, None for all that are float32 numbers (`Kind.mixable`); `wants` is read by the kind, and is an
    InputSpec for images.

    `parameters` is the number of parameters with the default arguments, for the input shape and the number of
    classes in `counted`, those of its paper. `weights` names its pretrained weights, the default first;
    `load` names the function that loads them: `function(name)` returns a state dictionary, or the path of one
    saved by `torch.save`. `head` is the layer that they contain in addition to the body, and `package` the
    distribution with the weights. `named_by` is the argument whose value names the weights, if the backbone
    stands for many networks; `weights` then has its default. `needs` names the distributions that it cannot
    do without, and `extra` the extra of fsbench that installs them. `multiplications(shape, ...)` takes the
    shape of a sample and the arguments that are given, and returns the number of multiplications in one pass
    of the body, None if unknown: an estimate of its cost. `results_version` is like that of a strategy.
    """

    name: str
    make: str
    summary: str
    wants: InputSpec | None = None
    kinds: frozenset[str] | None = None
    parameters: int | None = None
    counted: tuple[tuple[int, ...], int] | None = None
    weights: tuple[str, ...] = ()
    load: str = ""
    head: str = ""
    package: str = ""
    named_by: str = ""
    needs: tuple[str, ...] = ()
    extra: str = ""
    cite: str = ""
    results_version: str = ""
    multiplications: Callable[..., float] | None = None

    def takes(self, kind: str) -> bool:
        """Whether it takes samples of a kind. Raises UnknownName."""
        return get_kind(kind).mixable if self.kinds is None else kind in self.kinds


def _check_backbone(backbone: Any) -> None:
    if not isinstance(backbone, Backbone):
        raise PluginError(f"fsbench_backbones returned {backbone!r}; expected each to be an fsbench.Backbone")
    named = [backbone.make, *([backbone.load] if backbone.weights else [])]
    if wrong := [text for text in named if not _FUNCTION.fullmatch(text)]:
        raise PluginError(
            f"backbone {backbone.name!r}: {wrong[0]!r} does not name a function; expected 'module:function'"
        )


_FUNCTION = re.compile(r"[\w.]+:\w+")
BACKBONES: Sort[Backbone] = Sort("backbone", "fsbench_backbones", _check_backbone, lambda each: each.name)

DEFAULT_WEIGHTS = "imagenet"
ANY_WEIGHTS = "pretrained"
"""What names the default weights of every backbone; the other name is for those that take images."""

_WEIGHTS_NAME = re.compile(rf"{DEFAULT_WEIGHTS}|{ANY_WEIGHTS}|\w+_Weights\.\w+", re.ASCII)


def known_backbone(call: Call) -> Backbone:
    """The catalogue's entry of a backbone expression. Raises UnknownName, or SpecError for `name(1)`."""
    known = BACKBONES.find(call.name)
    if call.args:
        raise SpecError(f"{call}: write the arguments of a backbone with their names, as in conv4(width=32)")
    return known


def weights_path(weights: str) -> Path | None:
    """The file of weights, or None for a name. Raises DataError if the file does not exist."""
    if _WEIGHTS_NAME.fullmatch(weights) or any(weights in known.weights for known in BACKBONES.values()):
        return None
    if not Path(weights).is_file():
        raise DataError(
            f"no weights at {weights!r}; give the path of a state dictionary saved by torch.save, "
            f"or a name such as {DEFAULT_WEIGHTS}"
        )
    return Path(weights)


def find_weights(backbone: str, weights: str) -> str | Path:
    """What `weights` means for a backbone: a file, or the full name of its weights.

    Raises UsageError for a name that is not the backbone's, DataError for a file that does not exist.
    """
    call = parse_call(backbone)
    path = weights_path(weights)
    if path is not None:
        return path
    variant = str(call.keywords.get("variant", ""))
    known = known_backbone(call)
    names = [name for name in known.weights if variant in name.lower()]
    if known.named_by:
        names = [str(call.keywords.get(known.named_by, names[0]))]
    if not names:
        others = ", ".join(name for name, entry in BACKBONES.items() if entry.weights)
        raise UsageError(
            f"{call} has no pretrained weights named {weights!r}; give the path of a file, or one of the "
            f"backbones {others}"
        )
    if _is_default(weights, known):
        return names[0]
    if weights not in names:
        raise UsageError(f"{weights} are not weights of {call}; it has {', '.join(names)}")
    return weights


def _is_default(weights: str, known: Backbone) -> bool:
    """Whether a name stands for a backbone's default weights."""
    return weights == ANY_WEIGHTS or (weights == DEFAULT_WEIGHTS and known.wants is not None)


def weights_problem(backbone: str, weights: str, kind: str | None = None) -> str | None:
    """Why weights of a backbone cannot be used here, with what to install, for `Strategy.skip`, or None.

    With the `kind` of a task's samples, it also says why the backbone cannot take them. Whether the backbone
    has weights of this name, and a file exists, is checked by `find_weights` only.
    """
    known = known_backbone(parse_call(backbone))
    if kind is not None and not known.takes(kind):
        return f"its backbone {known.name} takes no {kind} data"
    if all(version(package) for package in known.needs):
        return None
    what = "the package of its backbone" if weights_path(weights) else "pretrained weights"
    return to_install(f"fsbench[{known.extra}]", what)


def sized(backbone: str, size: int | None) -> str:
    """A backbone expression that resizes images to a size, unless it names one itself or takes any size."""
    call = parse_call(backbone)
    wants = known_backbone(call).wants
    if size is None or wants is None or not wants.exact or "size" in call.keywords:
        return backbone
    return str(Call(call.name, (), (*call.kwargs, ("size", size))))


def scale_width(backbone: str, factor: float) -> str | None:
    """A backbone expression with `factor` times the width, at least 1; None if it has no such argument.

    An argument `width`, or `widths` if it is given, is what an author calls the channels or units of layers.
    Its default is read from the function that builds the backbone, which imports torch. Raises UnknownName
    or SpecError for an expression that is not a backbone's.
    """
    call = parse_call(backbone)
    arguments = inspect.signature(named_object(known_backbone(call).make)).parameters

    def scaled(width: int) -> int:
        return max(1, round(factor * width))

    widths = call.keywords.get("widths")
    if isinstance(widths, tuple):
        values: dict[str, Value] = {"widths": tuple(scaled(each) for each in widths if isinstance(each, int))}
    elif "width" in arguments:
        given = call.keywords.get("width", arguments["width"].default)
        values = {"width": scaled(given)} if isinstance(given, int) else {}
    else:
        return None
    return str(Call(call.name, (), tuple((call.keywords | values).items())))


def _meanings(weights: str) -> Iterator[str]:
    """What a name of weights means in each backbone, in the order of choice, and the package of the weights.

    If the name is the default of every backbone, backbones of plugins do not count, so that other results do
    not change with what is installed; their own results are distinguished by the backbone's code.
    """
    for name, known in BACKBONES.items():
        if known.named_by:
            continue
        origin = BACKBONES.origin(name)
        house = origin is None or origin.distribution == HOUSE
        for choice in known.weights:
            if weights == choice or (house and _is_default(weights, known)):
                yield f"{name} {choice} {known.package} {version(known.package)}"


def weights_hash(weights: str, backbone: str | None = None) -> str:
    """What identifies pretrained weights: `sha256:` and 12 digits of the file's hash, or a name with a hash.

    The hash beside a name covers its meaning in the given backbone, otherwise in every one, and the versions
    of the packages with the weights. It is for `Strategy.content_hash`. Raises DataError if the file does not
    exist, UsageError for a name that is not the backbone's.
    """
    path = weights_path(weights)
    if path is None:
        meanings = _meanings(weights)
        if backbone is not None:
            package = known_backbone(parse_call(backbone)).package
            meanings = iter([f"{find_weights(backbone, weights)} {package} {version(package)}"])
        return f"{weights}:{hashlib.sha256('; '.join(meanings).encode()).hexdigest()[:12]}"
    return f"sha256:{sha256_of_unchanged(path)[:12]}"
