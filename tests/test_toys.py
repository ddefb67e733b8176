"""Toy splits: like real ones, of every kind, with everything that a strategy can use."""

from __future__ import annotations

import numpy as np
import pytest

from fsbench.kinds import kind_names
from fsbench.testing import toy_split
from fsbench.testing.toy_runs import toys


@pytest.mark.parametrize("kind", ["image", "table"])
def test_toy_splits_look_like_real_ones(kind):
    split = toy_split(kind, cells=2, source=True, imbalance=4.0, unlabeled=7)
    info = split.info
    assert split.train_x.shape[0] == split.test_y.shape[0] == 2
    assert split.train_x.shape[2:] == info.input_shape
    assert np.bincount(split.train_y[0]).tolist() == [12, 6, 3]
    assert split.train_x.dtype == (np.uint8 if kind == "image" else np.float32)
    assert split.unlabeled_x.shape == (7, *info.input_shape)
    assert split.source_x.shape[1:] == info.source_shape
    assert split.source_y.max() + 1 == info.source_classes == 6
    assert toy_split(kind, seed=3).train_x.tobytes() == toy_split(kind, seed=3).train_x.tobytes()
    assert toy_split(kind, seed=3).train_x.tobytes() != toy_split(kind, seed=4).train_x.tobytes()


@pytest.mark.parametrize("kind", kind_names())
def test_the_toys_have_everything_that_a_strategy_can_use(kind):
    infos = [split.info for split in toys(kind)]
    assert {info.protocol for info in infos} == {"longtail", "kshot", "shift", "episodes"}
    assert any(info.num_unlabeled and not info.has_source for info in infos)
    assert any(info.has_source and not info.num_unlabeled for info in infos)


def test_a_shifted_toy_has_labels_of_both_domains():
    split = toy_split(shift=True, target_per_class=2)
    assert np.bincount(split.train_domain[0]).tolist() == [36, 6]
    assert split.info.num_unlabeled == len(split.unlabeled_x)
    assert split.info.labels_on_target
    assert not toy_split(shift=True).info.labels_on_target
    assert split.test_x.mean() > split.source_x.mean() + 0.2
