"""The laws by which components make one strategy."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from fsbench import (
    Batch,
    Context,
    Fitted,
    LabeledSet,
    Recipe,
    Step,
    StepOutput,
    Strategy,
    TaskInfo,
    hookimpl,
    laws,
)
from fsbench.composition import Composition
from fsbench.engine.context import EngineContext
from fsbench.engine.state import TrialState
from fsbench.errors import ConflictError, InertComponent, PluginError, UndeclaredUse
from fsbench.wrapping import cross_entropy

INFO = TaskInfo("toy", "kshot", "table", (2,), 3, source_shape=(2,), source_classes=3, num_unlabeled=4)


class Affine(Strategy):
    """Every map is x -> a x + b, every wrapper a f + b: their compositions do not commute."""

    a: float
    b: float

    def configure(self, recipe: Recipe, ctx: Context) -> Recipe:
        return replace(recipe, lr=abs(self.a * recipe.lr + self.b))

    def resample(self, train: LabeledSet, ctx: Context) -> LabeledSet:
        return replace(train, x=self.a * train.x + self.b)

    def augment(self, batch: Batch, ctx: Context) -> Batch:
        return replace(batch, x=self.a * batch.x + self.b)

    def loss(
        self, logits: torch.Tensor, targets: torch.Tensor, inner: Callable[..., torch.Tensor], ctx: Context
    ) -> torch.Tensor:
        return self.a * inner(logits, targets) + self.b

    def auxiliary_loss(self, out: StepOutput, ctx: Context) -> float:
        return self.b

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        return inner(train).map(lambda logits: self.a * logits + self.b)

    def postprocess(self, fitted: Fitted, val: LabeledSet, ctx: Context) -> Fitted:
        return fitted.map(lambda logits: self.a * logits + self.b)


@dataclass(frozen=True)
class First(Affine):
    name = "first"
    a: float = 2.0
    b: float = 1.0


@dataclass(frozen=True)
class Second(Affine):
    name = "second"
    a: float = -3.0
    b: float = 0.5


@dataclass(frozen=True)
class Third(Affine):
    name = "third"
    a: float = 0.25
    b: float = -2.0


@dataclass(frozen=True)
class Erm(Strategy):
    name = "erm"


@dataclass(frozen=True)
class Owner(Strategy):
    name = "owner"
    replaces = frozenset({"loss", "fit"})

    def loss(
        self, logits: torch.Tensor, targets: torch.Tensor, inner: Callable[..., torch.Tensor], ctx: Context
    ) -> torch.Tensor:
        return torch.full((len(logits),), 7.0)

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        return Fitted(lambda x: torch.zeros(len(x), 3))


@dataclass(frozen=True)
class Rival(Owner):
    name = "rival"


affine = st.permutations([First(), Second(), Third()]).flatmap(
    lambda items: st.integers(1, 3).map(lambda n: tuple(items[:n]))
)
X = torch.linspace(-1, 1, 12).reshape(6, 2)
TARGETS = torch.eye(3).repeat(2, 1)
TRAIN = LabeledSet(X, TARGETS)


def context(composition: Composition) -> EngineContext:
    recipe = Recipe("mlp", steps=1, batch_size=2, lr=0.1)
    return EngineContext(TrialState(("toy", 0, 0), INFO, composition, recipe, torch.device("cpu")))


def chain(
    components: tuple[Affine, ...],
    value: torch.Tensor | float,
    then: Callable[[Any], Any] = lambda value: value,
) -> torch.Tensor | float:
    for component in components:
        value = then(component.a * value + component.b)
    return value


@given(affine)
def test_maps_run_in_the_order_written_and_wrappers_go_around(components: tuple[Affine, ...]) -> None:
    composed = Composition(components)
    ctx = context(composed)
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    assert laws.configure(composed, ctx.recipe, ctx).lr == chain(components, 0.1, abs)
    assert torch.equal(laws.resample(composed, TRAIN, ctx).x, chain(components, X))
    assert torch.equal(laws.augment(composed, Batch(X, TARGETS), ctx).x, chain(components, X))
    assert torch.equal(
        laws.loss(composed, logits, TARGETS, ctx), chain(components, cross_entropy(logits, TARGETS))
    )
    fitted = laws.fit(composed, TRAIN, lambda train: Fitted(lambda x: x), ctx)
    assert torch.equal(fitted.predict(X), chain(components, X))
    assert torch.equal(
        laws.postprocess(composed, Fitted(lambda x: x), TRAIN, ctx).predict(X), chain(components, X)
    )


@given(
    st.permutations(["first", "second", "third", "owner"]).flatmap(lambda n: st.just(n[: 1 + len(n) // 2]))
)
def test_step_wrappers_go_around_earlier_ones_and_the_owner_is_innermost(names: list[str]) -> None:
    said: list[str] = []

    class Says(Strategy):
        def step(self, step: Step, inner: Callable[[Step], None], ctx: Context) -> None:
            said.append(f"{self.name} begins")
            if "step" not in self.replaces:
                inner(step)
            said.append(f"{self.name} ends")

    owned = {"owner": frozenset({"step"})}
    makes = {
        n: dataclass(frozen=True)(type(n, (Says,), {"name": n, "replaces": owned.get(n, frozenset())}))
        for n in names
    }
    composed = Composition(tuple(make() for make in makes.values()))
    laws.step(composed, _NoStep(said), context(composed))
    wrappers = [name for name in reversed(names) if name != "owner"]
    inwards = wrappers + ["owner"] * ("owner" in names)
    middle = [] if "owner" in names else ["gradients", "update"]
    expected = [f"{n} begins" for n in inwards] + middle + [f"{n} ends" for n in reversed(inwards)]
    assert said == expected


@dataclass
class _NoStep:
    said: list[str]
    parameters: tuple[nn.Parameter, ...] = ()
    last: bool = True

    def gradients(self) -> torch.Tensor:
        self.said.append("gradients")
        return torch.zeros(())

    def update(self) -> None:
        self.said.append("update")


@given(affine)
def test_auxiliary_losses_add_up(components: tuple[Affine, ...]) -> None:
    composed = Composition(components)
    out = StepOutput(X, X, TARGETS, 0.0, nn.Identity(), Batch(X, TARGETS))
    total = laws.auxiliary_loss(composed, out, nn.ModuleDict(), context(composed))
    assert total == pytest.approx(sum(c.b for c in components))


@given(affine)
def test_the_baseline_is_the_neutral_element(components: tuple[Affine, ...]) -> None:
    for place in range(len(components) + 1):
        mixed = Composition((*components[:place], Erm(), *components[place:]))
        assert mixed == Composition(components)
    assert Composition((Erm(), Erm())) == Composition((Erm(),))


@pytest.mark.parametrize("order", list(itertools.permutations([First(), Owner(), Second()])))
def test_an_owner_is_innermost_wherever_it_is_written(order: tuple[Strategy, ...]) -> None:
    composed = Composition(order)
    wrappers = tuple(c for c in order if isinstance(c, Affine))
    ctx = context(composed)
    assert torch.equal(laws.loss(composed, X, TARGETS[:, :2], ctx), chain(wrappers, torch.full((6,), 7.0)))

    def never(train: LabeledSet) -> Fitted:
        raise AssertionError("the owner replaces this")

    assert torch.equal(laws.fit(composed, TRAIN, never, ctx).predict(X), chain(wrappers, torch.zeros(6, 3)))


def test_two_owners_of_a_stage_are_an_error_that_names_both() -> None:
    with pytest.raises(ConflictError, match="owner and rival both own the stage 'loss'"):
        Composition((Owner(), Rival()))


def test_text_keeps_the_order_and_drops_defaults() -> None:
    composed = Composition((Second(a=1.0), First()))
    assert composed.text == "second(a=1.0)+first"
    assert composed.full_text == "second(a=1.0, b=0.5)+first(a=2.0, b=1.0)"


def test_cross_entropy_is_torchs_in_value_and_gradient() -> None:
    logits = torch.randn(
        9, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True
    )
    targets = torch.rand(9, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    targets = targets / targets.sum(-1, keepdim=True)
    reference = nn.functional.cross_entropy(logits, targets, reduction="none")
    torch.testing.assert_close(cross_entropy(logits, targets), reference)
    (ours,) = torch.autograd.grad(cross_entropy(logits, targets).sum(), logits)
    (theirs,) = torch.autograd.grad(reference.sum(), logits)
    torch.testing.assert_close(ours, theirs)


@dataclass(frozen=True)
class Idle(Strategy):
    name = "idle"


@dataclass(frozen=True)
class Auxiliary(Strategy):
    name = "auxiliary"

    def auxiliary_loss(self, out: StepOutput, ctx: Context) -> float:
        return 1.0


def test_a_component_that_did_nothing_is_an_error() -> None:
    for component in (Idle(), Auxiliary()):
        composed = Composition((First(), component))
        ctx = context(composed)
        laws.resample(composed, TRAIN, ctx)
        with pytest.raises(InertComponent, match=f"{component.name} had no effect"):
            laws.check_effects(composed, ctx)
    plain = Composition((Erm(),))
    laws.check_effects(plain, context(plain))


@dataclass(frozen=True)
class Emptying(Strategy):
    name = "emptying"

    def resample(self, train: LabeledSet, ctx: Context) -> LabeledSet:
        return train.select(torch.zeros(len(train), dtype=torch.bool))


def test_an_empty_training_set_is_refused() -> None:
    composed = Composition((Emptying(),))
    with pytest.raises(PluginError, match="emptying: resample returned an empty training set"):
        laws.resample(composed, TRAIN, context(composed))


@dataclass(frozen=True)
class Snoop(Strategy):
    name = "snoop"
    what: str = "source"

    def configure(self, recipe: Recipe, ctx: Context) -> Recipe:
        ctx.load_weights("nothing.pt") if self.what == "pretrained" else getattr(ctx, self.what)
        return recipe


@pytest.mark.parametrize("what", ["source", "unlabeled", "pretrained"])
def test_undeclared_use_is_an_error_that_says_what_and_where(what: str) -> None:
    composed = Composition((Snoop(what),))
    ctx = context(composed)
    with pytest.raises(UndeclaredUse, match=f"snoop touched {what} data in configure"):
        laws.configure(composed, ctx.recipe, ctx)


@dataclass(frozen=True)
class Looker(Strategy):
    name = "looker"

    def auxiliary_loss(self, out: StepOutput, ctx: Context) -> float:
        hidden = out.unlabeled_features, out.unlabeled_logits, out.batch.unlabeled, out.batch.raw_unlabeled
        return 0.0 if hidden == (None,) * 4 and len(out.batch.x) else 1.0


def test_unlabeled_features_are_hidden_from_undeclared_components() -> None:
    composed = Composition((Looker(),))
    batch = Batch(X, TARGETS, X, raw_unlabeled=X)
    out = StepOutput(X, X, TARGETS, 0.0, nn.Identity(), batch, unlabeled_features=X, unlabeled_logits=X)
    assert laws.auxiliary_loss(composed, out, nn.ModuleDict(), context(composed)) == 0.0


@dataclass(frozen=True)
class Draws(Strategy):
    name = "draws"

    def augment(self, batch: Batch, ctx: Context) -> Batch:
        return replace(batch, x=batch.x + ctx.rng.normal(*batch.x.shape))


def test_a_components_random_numbers_do_not_depend_on_its_neighbours() -> None:
    alone, mixed = Composition((Draws(),)), Composition((First(), Draws()))
    batch = Batch(X, TARGETS)
    noise = laws.augment(alone, batch, context(alone)).x - X
    torch.testing.assert_close(laws.augment(mixed, batch, context(mixed)).x - (2 * X + 1), noise)


def test_unlabeled_inputs_are_augmented_with_separate_random_numbers() -> None:
    composed = Composition((Draws(),))
    out = laws.augment(composed, Batch(X, TARGETS, unlabeled=X), context(composed))
    assert out.unlabeled is not None
    assert not torch.equal(out.unlabeled, X)
    assert not torch.equal(out.unlabeled, out.x)
    assert torch.equal(out.x, laws.augment(composed, Batch(X, TARGETS), context(composed)).x)


@dataclass(frozen=True)
class Peeks(Strategy):
    name = "peeks"

    def augment(self, batch: Batch, ctx: Context) -> Batch:
        assert batch.unlabeled is None
        return replace(batch, x=batch.x + 1)


def test_augment_never_sees_labelled_and_unlabelled_inputs_in_one_batch() -> None:
    composed = Composition((Peeks(), Draws()))
    out = laws.augment(composed, Batch(X, TARGETS, unlabeled=X), context(composed))
    assert out.unlabeled is not None
    assert out.unlabeled.shape == X.shape
    assert not torch.equal(out.unlabeled, X + 1)


@dataclass(frozen=True)
class ImagesOnly(Strategy):
    name = "images_only"
    kinds = frozenset({"image"})


def test_a_kind_that_is_not_claimed_is_skipped_with_the_reason() -> None:
    assert Composition((ImagesOnly(),)).skip(INFO) == "works on image data, not on table data"
    assert (
        Composition((First(), ImagesOnly())).skip(INFO)
        == "images_only: works on image data, not on table data"
    )
    assert Composition((First(),)).skip(INFO) is None


@dataclass(frozen=True)
class TakesSource(Strategy):
    name = "takes_source"

    def narrow(self, task: TaskInfo) -> TaskInfo:
        return replace(task, labels_on_source=False)


@dataclass(frozen=True)
class NeedsSource(Strategy):
    name = "needs_source"

    def skip(self, task: TaskInfo) -> str | None:
        return None if task.labels_on_source else "needs labelled source samples"


def test_a_component_is_asked_about_the_task_as_the_other_components_leave_it() -> None:
    for pair in ((TakesSource(), NeedsSource()), (NeedsSource(), TakesSource())):
        reason = Composition((*pair, First())).skip(INFO)
        assert reason == "needs_source: needs labelled source samples beside takes_source"
    assert Composition((NeedsSource(), First())).skip(INFO) is None
    assert Composition((TakesSource(),)).skip(INFO) is None


def test_an_unknown_word_in_uses_is_the_plugins_error() -> None:
    @dataclass(frozen=True)
    class Magic(Strategy):
        name = "magic"
        uses = frozenset({"source", "wand"})  # type: ignore[assignment]

    with pytest.raises(PluginError, match="magic: uses names wand; known: pretrained, source, test_inputs,"):
        Composition((First(), Magic()))


def test_hookimpl_is_pluggys_marker() -> None:
    assert hookimpl.project_name == "fsbench"
