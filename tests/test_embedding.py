"""The stage `embed`: later stages see features in place of samples."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from toy import toy_trial

from fsbench import Batch, Context, Fitted, LabeledSet, Recipe, Strategy
from fsbench.composition import Composition
from fsbench.errors import ConflictError, PluginError, UndeclaredUse
from fsbench.recipes.recipe import default_recipe
from fsbench.testing import ToySplit, toy_split

SPLIT = toy_split("image", unlabeled=9, source=True)


@dataclass(frozen=True)
class Mean(Strategy):
    """Represents a sample by its mean and its largest value, times a factor."""

    name = "mean"
    cite = "nobody"
    factor: float = 1.0

    def embed(self, batch: Batch, ctx: Context) -> Batch:
        """Two features."""
        x = batch.x.flatten(1)
        return replace(batch, x=self.factor * torch.stack([x.mean(1), x.amax(1)], 1))


@dataclass(frozen=True)
class Cube(Strategy):
    """Does not commute with Mean(factor=2)."""

    name = "cube"
    cite = "nobody"

    def embed(self, batch: Batch, ctx: Context) -> Batch:
        """The third power."""
        return replace(batch, x=batch.x**3)


@dataclass(frozen=True)
class Project(Strategy):
    """Random projections, the same for all inputs."""

    name = "project"
    cite = "nobody"

    def configure(self, recipe: Recipe, ctx: Context) -> Recipe:
        """A network on features."""
        return replace(recipe, backbone="linear")

    def embed(self, batch: Batch, ctx: Context) -> Batch:
        """Four features."""
        x = batch.x.flatten(1)
        projections.append(ctx.fixed_stream("projection").normal(x.shape[1], 4))
        others.append(ctx.rng.normal(2))
        return replace(batch, x=x @ projections[-1])


projections: list[torch.Tensor] = []
others: list[torch.Tensor] = []


@dataclass(frozen=True)
class OfImages(Mean):
    """Takes no features."""

    name = "of_images"
    kinds = frozenset({"image"})


@dataclass(frozen=True)
class Look(Strategy):
    """Looks at everything that a later stage may see."""

    name = "look"
    cite = "nobody"
    uses = frozenset({"source", "unlabeled", "val"})  # type: ignore[assignment]

    def fit(self, train: LabeledSet, inner: Any, ctx: Context) -> Fitted:
        """What plain training gives, with logits that differ a little."""
        seen.append((ctx.task, train, ctx.val, ctx.source, ctx.unlabeled))
        fitted: Fitted = inner(train)

        def predict(x: torch.Tensor) -> torch.Tensor:
            shapes.append(tuple(x.shape[1:]))
            return fitted.predict(x) + 0

        return Fitted(predict, fitted.network)


seen: list[Any] = []
shapes: list[tuple[int, ...]] = []


@pytest.fixture(autouse=True)
def forget() -> None:
    seen.clear()
    shapes.clear()


def embedded(*components: Strategy, split: ToySplit = SPLIT) -> np.ndarray:
    recipe = replace(default_recipe(split.info), backbone="linear", steps=20)
    return toy_trial(Composition(components), split, recipe).predictions


def test_later_stages_see_features_of_every_part_in_place_of_samples() -> None:
    embedded(Mean(), Look())
    ((task, train, val, source, unlabeled),) = seen
    assert (task.kind, task.input_shape, task.source_shape, task.symmetries) == (
        "table",
        (2,),
        (2,),
        frozenset(),
    )
    for given, stored in (
        (train.x, SPLIT.train_x[0]),
        (val.x, SPLIT.val_x[0]),
        (source.x, SPLIT.source_x),  # some of which the engine holds out
        (unlabeled, SPLIT.unlabeled_x),
    ):
        assert stored is not None
        flat = torch.from_numpy(np.array(stored)).flatten(1).float() / 255
        known = torch.stack([flat.mean(1), flat.amax(1)], 1)
        assert len(given) == len(known) or given is source.x
        apart = (given[:, None] - known).abs().amax(-1)
        assert float(apart.amin(1).max()) < 1e-6
    assert set(shapes) == {(2,)}


def test_several_embed_one_after_the_other() -> None:
    first, second = embedded(Mean(2.0), Cube(), Look()), embedded(Cube(), Mean(2.0), Look())
    x = torch.from_numpy(np.array(SPLIT.train_x[0])).flatten(1).float() / 255
    assert torch.allclose(seen[0][1].x[:, 1], (2 * x.amax(1)) ** 3, atol=1e-5)
    assert torch.allclose(seen[1][1].x[:, 1], 2 * x.amax(1) ** 3, atol=1e-5)
    assert not np.array_equal(first, second)


def test_embedding_that_loses_samples_is_refused() -> None:
    @dataclass(frozen=True)
    class Half(Mean):
        """Loses half of them."""

        name = "half"

        def embed(self, batch: Batch, ctx: Context) -> Batch:
            """Every second one."""
            return replace(batch, x=batch.x[::2].flatten(1), targets=batch.targets[::2])

    with pytest.raises(PluginError, match=r"half: embed returned .* the same number"):
        embedded(Half(), split=SPLIT)


def test_pretrained_features_must_be_declared() -> None:
    @dataclass(frozen=True)
    class Sly(Strategy):
        """Does not say so."""

        name = "sly"

        def embed(self, batch: Batch, ctx: Context) -> Batch:
            """Features of weights that it does not declare."""
            return replace(batch, x=ctx.pretrained_features("efficientnet_lite0", "imagenet")(batch.x))

    with pytest.raises(UndeclaredUse, match="sly touched pretrained data in embed"):
        embedded(Sly())


def test_a_backbone_that_takes_no_features_says_what_to_return() -> None:
    recipe = Recipe("conv4(norm=batch)", steps=1, batch_size=8)
    says = "mean: conv4.* takes no features, which embed makes of image samples; let configure return"
    with pytest.raises(PluginError, match=says):
        toy_trial(Mean(), SPLIT, recipe)


def test_a_fixed_stream_is_the_same_for_all_inputs_of_a_trial():
    projections.clear()
    others.clear()
    toy_trial(Composition((Project(),)), SPLIT)
    assert len(projections) > 2
    assert all(torch.equal(each, projections[0]) for each in projections)
    assert len({tuple(each.tolist()) for each in others}) > 1


def test_a_component_that_cannot_embed_features_does_not_follow_one_that_makes_them():
    Composition((OfImages(), Mean()))
    with pytest.raises(
        ConflictError, match=r"mean\+of_images: of_images works on image data, not on features"
    ):
        Composition((Mean(), OfImages()))
