"""`poly`: the expansion of cross-entropy, and that a weight of 0 changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from fsbench_plugins.erm import Erm
from fsbench_poly import Poly
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import context, task_info, toy_trial

from fsbench.errors import SpecError
from fsbench.recipes.recipe import default_recipe
from fsbench.testing import toy_split
from fsbench.wrapping import cross_entropy


def poly(logits: torch.Tensor, targets: torch.Tensor, epsilon: float) -> torch.Tensor:
    component = Poly(epsilon=epsilon)
    ctx = context(component, "loss", task_info(num_classes=logits.shape[1]))
    return component.loss(logits, targets, cross_entropy, ctx)


def batch(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(12, 4, generator=generator, dtype=torch.float64)
    return logits, torch.eye(4, dtype=torch.float64)[torch.randint(4, (12,), generator=generator)]


@settings(max_examples=30)
@given(st.floats(-1, 10), st.integers(0, 99))
def test_only_the_first_term_of_the_expansion_changes(epsilon: float, seed: int) -> None:
    logits, targets = batch(seed)
    wrong = 1 - (logits.softmax(1) * targets).sum(1)
    terms = torch.stack([wrong**j / j for j in range(1, 3000)])
    terms[0] *= 1 + epsilon
    torch.testing.assert_close(poly(logits, targets, epsilon), terms.sum(0), rtol=1e-4, atol=1e-4)


def test_a_weight_of_0_gives_the_baselines_predictions_bit_for_bit() -> None:
    split = toy_split()

    def logits(component: Poly | Erm) -> np.ndarray:
        recipe = default_recipe(split.info)
        trial = toy_trial(component, split, recipe)
        return trial.predictions

    assert np.array_equal(logits(Poly(epsilon=0.0)), logits(Erm()))
    assert not np.array_equal(logits(Poly()), logits(Erm()))


@pytest.mark.parametrize("epsilon", [-1.1, 11, "more"])
def test_invalid_values_are_refused(epsilon: object) -> None:
    with pytest.raises(SpecError, match="epsilon"):
        Poly(epsilon=epsilon)  # type: ignore[arg-type]
