"""Temperature scaling of a saved model's probabilities, on synthetic logits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from fsbench.calibration import fit_temperature


def folds(scale: float, n: int = 400, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Logits that are `scale` times those of the probabilities with which the labels are drawn, in folds."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (n, 3))
    y = (softmax(logits, 1).cumsum(1) < rng.random((n, 1))).sum(1)
    return [(scale * part, label) for part, label in zip(np.split(logits, 4), np.split(y, 4), strict=True)]


def loss(logits: np.ndarray, y: np.ndarray) -> float:
    return -float(log_softmax(logits, 1)[np.arange(len(y)), y].mean())


@pytest.mark.parametrize("scale", [0.3, 4.0])
def test_calibration_finds_the_scale_and_lowers_the_loss_of_new_samples(scale: float) -> None:
    temperature, before, after = fit_temperature(folds(scale, 2000))
    assert temperature == pytest.approx(scale, rel=0.1)
    assert after < before
    new = [np.concatenate(part) for part in zip(*folds(scale, 4000, seed=1), strict=True)]
    assert loss(new[0] / temperature, new[1]) < loss(*new) - 0.01


def test_calibration_is_the_identity_where_nothing_is_gained() -> None:
    """On logits that are right already, the temperature of three folds is seldom a gain on the fourth."""
    found = [fit_temperature(folds(1.0, seed=seed))[0] for seed in range(20)]
    assert sum(each == 1.0 for each in found) >= 10
    np.testing.assert_allclose(found, 1, atol=0.25)
    assert fit_temperature(folds(1.0)[:1])[0] == 1.0


def test_few_labels_that_are_all_right_do_not_give_certainty() -> None:
    """By the rule of succession, ten of ten make the next one right with a probability of 11/12."""
    y = np.arange(10) % 2
    logits = np.where(np.arange(2) == y[:, None], 1.0, -1.0)
    for size in (0.1, 9.0):
        temperature, _, _ = fit_temperature([(size * logits[:5], y[:5]), (size * logits[5:], y[5:])])
        assert softmax(size * logits[0] / temperature).max() == pytest.approx(11 / 12, abs=0.01)
