"""Random streams depend on their key and step only."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from fsbench.rng import Stream, derive_key, generator

SEPARATOR = "\x1f"
parts = st.lists(
    st.text(st.characters(exclude_characters=SEPARATOR), max_size=5) | st.integers(), min_size=1, max_size=4
)
# Few letters, so that many a pair has the same texts, or the same letters in other parts.
alike = st.lists(st.text("1a", max_size=2) | st.just(1), min_size=1, max_size=3)


@given(alike, alike)
def test_keys_are_equal_exactly_when_the_texts_of_the_parts_are(a: list[object], b: list[object]) -> None:
    assert (derive_key(*a) == derive_key(*b)) == ([str(p) for p in a] == [str(p) for p in b])


@given(parts, st.integers(0, 10**6))
@example(["\ud800"], 0)  # half a character, as in a file's name that is not UTF-8
def test_a_stream_does_not_depend_on_what_ran_before(key: list[object], step: int) -> None:
    first = Stream(*key, step=step).normal(4)
    Stream("other").normal(100)
    torch.manual_seed(1)
    assert torch.equal(first, Stream(*key, step=step).normal(4))


def test_a_shape_may_be_a_tuple() -> None:
    x = torch.zeros(2, 3)
    assert torch.equal(Stream("a").normal(x.shape), Stream("a").normal(2, 3))
    assert torch.equal(Stream("a").integers(0, 9, (4,)), Stream("a").integers(0, 9, 4))
    assert Stream("a").uniform((2, 5)).shape == (2, 5)
    assert Stream("a").beta(1.0, 1.0).shape == Stream("a").normal(()).shape == ()


def test_steps_give_blocks_that_do_not_overlap() -> None:
    first = set(generator("k", step=0).integers(0, 2**62, 20_000).tolist())
    second = set(generator("k", step=1).integers(0, 2**62, 20_000).tolist())
    assert not first & second


def test_draws_have_the_promised_range_type_and_moments() -> None:
    rng = Stream("moments")
    normal, uniform = rng.normal(50_000), rng.uniform(50_000, low=-1, high=3)
    assert normal.dtype == uniform.dtype == torch.float32
    assert abs(normal.mean()) < 0.02
    assert abs(normal.std() - 1) < 0.02
    assert -1 <= uniform.min() < -0.99
    assert 2.99 < uniform.max() <= 3
    assert abs(rng.beta(2, 2, 50_000).mean() - 0.5) < 0.01
    assert sorted(rng.permutation(9).tolist()) == list(range(9))
    counts = np.bincount(rng.integers(0, 5, 50_000).numpy())
    assert len(counts) == 5
    assert counts.min() > 9_500
    assert 0 <= rng.seed() < 2**31


def test_rounding_does_not_reach_the_upper_bound() -> None:
    class Last:
        def random(self, shape: tuple[int, ...], dtype: type) -> np.ndarray:
            return np.full(shape, np.nextafter(np.float32(1), np.float32(0)), dtype)

    rng = Stream("k")
    rng.numpy = Last()  # type: ignore[assignment]
    assert rng.uniform(3, low=1.0, high=2.0).max() < 2
    assert rng.uniform(3, low=2.0, high=2.0).tolist() == [2, 2, 2]
