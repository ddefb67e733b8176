"""Settings with which no trial can succeed are refused beforehand, in one line; nothing is stored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import fsbench
from fsbench import Context, Recipe, Record, Strategy
from fsbench.cli import main
from fsbench.composition import Composition
from fsbench.engine.worker import preflight
from fsbench.errors import UsageError
from fsbench.jobs import Preflight
from fsbench.recipes.catalogue import BACKBONES
from fsbench.recipes.recipe import default_recipe, override, recipe_text
from fsbench.registry import get_registry
from fsbench.spec import Value
from fsbench.store import Store
from fsbench.types import TaskInfo

TASKS = "kshot(wine, k=1)", "kshot(digits, k=1)"
SHAPES: dict[str, tuple[int, ...]] = {"image": (1, 8, 8), "table": (13,)}


def wanted(kind: str = "image", **changes: Value) -> Preflight:
    info = TaskInfo("kshot(it)", "kshot", kind, SHAPES[kind], 3)  # type: ignore[arg-type]
    recipe = recipe_text(override(default_recipe(info), changes))
    return Preflight("cpu", ((recipe, info.kind, info.input_shape, info.num_classes, info.text),))


@pytest.mark.parametrize("backbone", ["conv4", "lenet", "wrn-28-2", "mlp(widths=[9, 3])"])
def test_networks_that_can_be_built_pass(backbone: str) -> None:
    assert preflight(wanted(backbone=backbone))["device"] == "cpu"


def test_every_backbone_passes_on_the_inputs_of_its_paper() -> None:
    pytest.importorskip("torchvision")
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("timm")
    recipe = default_recipe(TaskInfo("t", "kshot", "image", (1, 8, 8), 3))
    networks = tuple(
        (recipe_text(override(recipe, {"backbone": name})), "image", *known.counted, "t")
        for name, known in BACKBONES.items()
        if known.kinds is None or "image" in known.kinds
    )
    assert preflight(Preflight("cpu", networks))["device"] == "cpu"


@pytest.mark.parametrize(
    ("kind", "changes", "says"),
    [
        ("image", {"backbone": "conv4(wdth=3)"}, "conv4 takes width, norm"),
        ("image", {"backbone": "conv4(width=0)"}, "expected at least 1"),
        ("image", {"backbone": "vgg16(size=64)"}, "vgg16: size is 64"),
        (
            "table",
            {"backbone": "resnet20"},
            "resnet20 takes no samples of the kind table; backbones that do: mlp, linear",
        ),
        ("image", {"dropout": 2.0}, "between 0 and 1"),
    ],
)
def test_a_network_that_cannot_be_built_is_wrong_usage(
    kind: str, changes: dict[str, Value], says: str
) -> None:
    with pytest.raises(UsageError) as raised:
        preflight(wanted(kind, **changes))
    assert says in str(raised.value)
    assert str(raised.value).endswith("(in the recipe of kshot(it))")


def test_a_run_refuses_an_impossible_network_before_anything_is_stored(tmp_path) -> None:
    with pytest.raises(UsageError, match=r"takes width, norm \(in the recipe of kshot\(digits, k=1\)\)"):
        # transfer is skipped here because there is no source: that is not stored either.
        fsbench.run(
            "erm,transfer",
            tasks="kshot(digits, k=1)",
            seeds=1,
            recipe={"backbone": "conv4(wdth=3)"},
            results=tmp_path,
        )
    assert not stored(tmp_path)


def stored(folder: Path) -> list[Record]:
    """The records of a results folder; none where there is no store yet."""
    if not (folder / "fsbench.sqlite").exists():
        return []
    with Store(folder, create=False) as store:
        return store.records()


@pytest.mark.parametrize(
    ("spec", "recipe", "says"),
    [
        (
            "transfer(weights=imagenet)",
            {},
            r"mlp.* has no pretrained weights named 'imagenet'",
        ),
        ("focal+transfer(weights=imagenet)", {}, r"mlp.* has no pretrained weights"),
        (
            'transfer(weights="ResNet34_Weights.IMAGENET1K_V1")',
            {"backbone": "resnet18"},
            "ResNet34_Weights.IMAGENET1K_V1 are not weights of resnet18",
        ),
    ],
)
def test_weights_that_a_backbone_lacks_are_refused_before_any_trial(tmp_path, spec, recipe, says) -> None:
    with pytest.raises(UsageError, match=says):
        fsbench.run(spec, tasks=TASKS[bool(recipe)], seeds=1, recipe=recipe, results=tmp_path)
    assert not stored(tmp_path)


def test_a_component_that_changes_the_recipe_first_is_left_to_the_trial() -> None:
    @dataclass(frozen=True)
    class Other(Strategy):
        name = "other"

        def configure(self, recipe: Recipe, ctx: Context) -> Recipe:
            return replace(recipe, backbone="resnet18")

    transfer = get_registry().parse("transfer(weights=imagenet)")[0].components[0]
    recipe = default_recipe(TaskInfo("t", "kshot", "image", (1, 8, 8), 3))
    Composition((transfer, Other())).check_recipe(recipe)
    with pytest.raises(UsageError, match="has no pretrained weights"):
        Composition((transfer,)).check_recipe(recipe)


def test_the_command_line_reports_an_impossible_network_in_one_line(tmp_path, capsys) -> None:
    tasks = "kshot(digits, k=1), kshot(wine, k=1)"
    recipe = ["--recipe", "backbone=resnet20", "--results", str(tmp_path)]
    status = main(["run", "--plugins", "erm", "--tasks", tasks, "--seeds", "1", *recipe])
    progress, stderr = "starting workers", capsys.readouterr().err.splitlines()
    assert status == 2
    assert [line for line in stderr if not line.startswith(progress)] == [
        "fsbench: error: resnet20 takes no samples of the kind table; backbones that do: mlp, linear; "
        "or choose other tasks (in the recipe of kshot(wine, k=1))"
    ]
