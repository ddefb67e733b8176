"""Own images are kept large for pretrained bodies, and are small for everything else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from own_files import make, npz, pixels, read
from toy import toy_trial

from fsbench import Batch, Context, Fitted, LabeledSet, Recipe, Strategy, param, specs
from fsbench.composition import Composition
from fsbench.engine.backbones import build_network
from fsbench.kinds import get_kind
from fsbench.own.given import kept_size
from fsbench.registry import get_registry
from fsbench.testing import ToySplit, toy_split

CPU = torch.device("cpu")
IMAGE = get_kind("image")
SMALL, STORED = (1, 64, 64), (1, 96, 96)
PLAIN = Recipe("linear", 2, 8)


def large_split() -> ToySplit:
    """A toy split whose images are stored at 96 pixels, of which most strategies see 64."""
    toy = toy_split("image", per_class=4, test_per_class=4, source=True, unlabeled=6)

    def enlarged(x: np.ndarray | None) -> Any:
        return None if x is None else np.kron(x, np.ones((12, 12), np.uint8)).astype(np.uint8)

    names = ("train_x", "val_x", "test_x", "source_x", "unlabeled_x")
    info = replace(toy.info, input_shape=SMALL, source_shape=SMALL)
    return replace(toy, info=info, **{name: enlarged(getattr(toy, name)) for name in names})


SPLIT = large_split()


@dataclass(frozen=True)
class Look(Strategy):
    """Notes the shapes that it sees."""

    name = "look"
    cite = "nobody"
    uses = frozenset({"source", "unlabeled", "val"})  # type: ignore[assignment]

    def fit(self, train: LabeledSet, inner: Any, ctx: Context) -> Fitted:
        """Plain training; three pixels are the logits."""
        parts = train.x, ctx.val.x, ctx.source.x, ctx.unlabeled
        shapes.extend([ctx.task.input_shape, *(tuple(x.shape[1:]) for x in parts)])
        inner(train)

        def predict(x: torch.Tensor) -> torch.Tensor:
            shapes.append(tuple(x.shape[1:]))
            return x.flatten(1)[:, :3] + 0

        return Fitted(predict)


@dataclass(frozen=True)
class Large(Strategy):
    """Notes the shapes that it embeds."""

    name = "large"
    cite = "nobody"

    def embed(self, batch: Batch, ctx: Context) -> Batch:
        """The first three pixels."""
        shapes.append(tuple(batch.x.shape[1:]))
        return replace(batch, x=batch.x.flatten(1)[:, :3])


shapes: list[tuple[int, ...]] = []


@pytest.fixture(autouse=True)
def forget() -> None:
    shapes.clear()


def run(*components: Strategy, recipe: Recipe = PLAIN, split: ToySplit = SPLIT) -> np.ndarray:
    return toy_trial(Composition(components), split, recipe).predictions


def test_most_strategies_see_small_images() -> None:
    run(Look())
    assert set(shapes) == {SMALL}


def test_strategies_that_embed_see_images_as_they_are_stored() -> None:
    run(Large())
    assert set(shapes) == {STORED}


@pytest.mark.parametrize(("size", "seen"), [(80, 80), (112, 96), (32, 64)])
def test_a_backbone_of_fixed_size_sees_images_at_its_resolution(size: int, seen: int) -> None:
    run(Look(), recipe=replace(PLAIN, backbone=f"mobilenet_v3(size={size}, variant=small)", steps=1))
    assert set(shapes) - {STORED} <= {(1, seen, seen)}
    assert (1, seen, seen) in shapes


def test_small_images_are_those_that_were_made_small_before() -> None:
    small = {
        name: IMAGE.shrink(getattr(SPLIT, name)[0], SMALL)[None] for name in ("train_x", "val_x", "test_x")
    }
    recipe = Recipe("conv4(width=4)", 3, 8)
    assert np.array_equal(
        run(Look(), recipe=recipe), run(Look(), recipe=recipe, split=replace(SPLIT, **small))
    )


def test_shrinking_is_the_mean_of_whole_blocks_up_to_its_filter() -> None:
    x = np.kron(pixels(3, 1, 16, 16), np.ones((4, 4), np.uint8)).astype(np.uint8)
    found = IMAGE.shrink(x, (1, 16, 16))
    assert found.dtype == np.uint8
    whole = torch.from_numpy(x).float()
    known = torch.nn.functional.interpolate(whole, size=(16, 16), mode="bilinear", antialias=True)
    assert np.abs(found - known.numpy()).max() <= 1
    tensor = IMAGE.shrink_tensor(IMAGE.tensor(x, CPU), (1, 16, 16))
    assert torch.equal(tensor, IMAGE.tensor(found, CPU))
    assert IMAGE.shrink(x, (1, 64, 64)) is x


@pytest.mark.parametrize(
    ("side", "images", "kept"),
    [(320, 40, 224), (100, 40, 100), (5, 40, 8), (320, 10_000, 133), (320, 10**6, 64)],
)
def test_images_are_kept_as_large_as_memory_allows(side: int, images: int, kept: int) -> None:
    assert kept_size(side, images) == kept


def test_a_folder_of_large_images_says_at_which_size_they_are_seen(tmp_path: Path) -> None:
    reading = read(make(tmp_path / "pets", {"cat": 3, "dog": 3}, side=300))
    info = reading.dataset.info
    assert (reading.dataset.x.shape[1:], info.stored, info.shape) == ((1, 224, 224), (1, 224, 224), SMALL)
    assert "6 images of 224x224 pixels, grey (small networks see 64x64)" in reading.facts[0]


def test_a_given_size_is_that_of_all_strategies(tmp_path: Path) -> None:
    info = read(make(tmp_path / "pets", {"cat": 3, "dog": 3}, side=300), image_size=100).dataset.info
    assert (info.stored, info.shape) == ((), (1, 100, 100))


def test_small_images_have_one_size(tmp_path: Path) -> None:
    info = read(npz(tmp_path, x=pixels(8, 20, 20), y=np.arange(8) % 2)).dataset.info
    assert (info.stored, info.shape) == ((), (1, 20, 20))


@dataclass(frozen=True)
class First(Strategy):
    """The first of some strategies."""

    name = "first"
    cite = "nobody"
    replaces = frozenset({"fit"})
    uses = frozenset({"pretrained"})  # type: ignore[assignment]
    of: str = param("erm", spec=True)

    def fit(self, train: LabeledSet, inner: Any, ctx: Context) -> Fitted:
        """What the first one fits."""
        return ctx.fit_with(specs(self.of)[0], train)


@pytest.mark.parametrize("partner", ["", "+augmentation"])
def test_a_member_sees_what_it_sees_alone(tmp_path: Path, partner: str) -> None:
    torch.manual_seed(0)
    network = build_network("conv4(width=4)", "image", STORED, 3)
    torch.save(network.body.state_dict(), tmp_path / "w.pt")
    probe = f'probe(backbone=conv4(width=4), weights="{tmp_path / "w.pt"}"){partner}'
    registry, recipe = get_registry(), Recipe("conv4(width=4)", 3, 8)
    for spec in (probe, "erm"):
        whole = registry.compose([First(of=f"{spec}, {probe}")])
        (alone,) = registry.parse(spec)
        found, known = (toy_trial(each, SPLIT, recipe).predictions for each in (whole, alone))
        assert np.array_equal(found, known)
