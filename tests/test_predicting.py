"""The inputs of a predictor: chunks of the test part, or the whole part if declared."""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from toy import toy_trial

from fsbench import Context, Fitted, LabeledSet, Recipe, Strategy
from fsbench.engine.trial import CHUNK, TrialResult
from fsbench.kinds import get_kind
from fsbench.registry import load_registry
from fsbench.testing import conformance, toy_split

CPU = torch.device("cpu")
NAME = "predicts each sample on its own"


@dataclass(frozen=True)
class Sizes(Strategy):
    """Notes how many samples it gets at once."""

    name = "sizes"
    whole: bool = False

    @property
    def uses(self) -> frozenset[str]:
        return frozenset({"test_inputs"} if self.whole else ())

    def postprocess(self, fitted: Fitted, val: LabeledSet, ctx: Context) -> Fitted:
        def noted(x: torch.Tensor) -> torch.Tensor:
            ctx.note(str(len(x)))
            return fitted.predict(x) + 0

        return Fitted(noted, fitted.network)


def trial(strategy: Strategy, **toy: Any) -> TrialResult:
    recipe = Recipe("mlp", steps=3, batch_size=16)
    return toy_trial(strategy, toy_split(**toy), recipe)


def sizes(result: TrialResult) -> list[str]:
    """The plugin's notes, beside that about the few steps."""
    return [note for note in result.notes if note.startswith("sizes: ")]


def test_test_inputs_come_in_chunks_unless_they_are_declared() -> None:
    toy = {"test_per_class": CHUNK // 2, "per_class": CHUNK}
    assert sizes(trial(Sizes(), **toy)) == [f"sizes: {CHUNK}", f"sizes: {CHUNK // 2}"]
    declared = trial(Sizes(whole=True), **toy)
    assert sizes(declared) == [f"sizes: {3 * CHUNK // 2}", f"sizes: {3 * CHUNK}"]
    np.testing.assert_allclose(declared.predictions, trial(Sizes(), **toy).predictions, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("samples", [0, 1, CHUNK, 2 * CHUNK + 3])
def test_stored_images_become_float_chunk_by_chunk(samples: int) -> None:
    x = np.random.default_rng(0).integers(0, 256, (samples, 1, 4, 4), dtype=np.uint8)
    assert torch.equal(get_kind("image").tensor(x, CPU), torch.from_numpy(x).float() / 255)


def test_only_a_chunk_of_stored_images_is_copied_at_a_time() -> None:
    """Apart from the result: numpy's copies are traced, torch's memory is not."""
    x = np.zeros((40 * CHUNK, 1, 16, 16), dtype=np.uint8)
    tracemalloc.start()
    get_kind("image").tensor(x, CPU)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < x.nbytes / 10


class Transductive(Strategy):
    """Centres the logits of all samples that it gets, so each prediction depends on the others."""

    name = "transductive"
    cite = "nobody"

    def postprocess(self, fitted: Fitted, val: LabeledSet, ctx: Context) -> Fitted:
        return fitted.map(lambda logits: logits - logits.mean(0))


@dataclass(frozen=True)
class Silent(Transductive):
    """Does not declare this."""


@dataclass(frozen=True)
class Honest(Transductive):
    """Declares this."""

    @property
    def uses(self) -> frozenset[str]:
        return frozenset({"test_inputs"})


def check(strategy: Any) -> str | None:
    (found,) = (each for each in conformance(strategy) if each.name == NAME)
    return found()


def test_the_kit_finds_a_predictor_that_adapts_to_its_test_inputs() -> None:
    with pytest.raises(AssertionError, match="depend on the other samples"):
        check(Silent)
    assert check(Honest) == "it declares that it uses the test inputs"
    assert check(Sizes) is None


def test_transductive_maml_says_that_it_uses_the_test_inputs() -> None:
    (plain, transductive) = load_registry().parse("maml(transductive=[false, true])")
    assert plain.uses == {"source"}
    assert transductive.uses == {"source", "test_inputs"}
    component = replace(transductive.components[0], meta_steps=2)  # type: ignore[type-var]
    split = toy_split("image", source=True, test_per_class=CHUNK // 2)
    recipe = Recipe("conv4(norm=batch, width=8)", 2, 16)
    whole = toy_trial(component, split, recipe).predictions
    half = replace(split, test_x=split.test_x[:, : CHUNK // 2])
    part = toy_trial(component, half, recipe).predictions
    assert not np.allclose(whole[:, : CHUNK // 2], part, rtol=1e-2, atol=1e-2)
