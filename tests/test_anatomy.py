"""What tells networks with equal weights apart."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from torch import nn

from fsbench.engine.anatomy import anatomy, is_as_built
from fsbench.engine.backbones import build_network

BODY = """
from torch import nn

class Body(nn.Module):
    def forward(self, x):
        return x.flatten(1) * 2
"""


def network() -> nn.Module:
    return build_network("conv4(norm=batch, width=4)", "image", (1, 8, 8), 3)


def test_networks_that_were_built_alike_have_equal_anatomies() -> None:
    assert anatomy(network()) == anatomy(network())
    assert is_as_built(network())


def test_use_changes_no_anatomy() -> None:
    used = network()
    used.eval()
    assert anatomy(used) == anatomy(network())


def test_other_classes_and_settings_are_told_apart() -> None:
    class Same(nn.BatchNorm2d):
        """Looks like its parent in the text of a network."""

    Same.__name__ = "BatchNorm2d"
    found = {anatomy(nn.Sequential(kind(4))) for kind in (nn.BatchNorm2d, Same)}
    assert len(found) == 2
    scaled = network()
    scaled.body.scale = 2.0  # type: ignore[union-attr, assignment]
    assert anatomy(scaled) != anatomy(network())


def test_changed_code_of_a_strangers_module_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "strangers_body.py"
    file.write_text(BODY)
    monkeypatch.syspath_prepend(tmp_path)
    body = importlib.import_module("strangers_body").Body()
    before = anatomy(body)
    assert anatomy(body) == before
    file.write_text(BODY.replace("* 2", "* 20"))
    assert anatomy(body) != before
    monkeypatch.delitem(sys.modules, "strangers_body")
