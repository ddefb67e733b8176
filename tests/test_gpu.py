"""Checks that need a GPU: the same rules apply on another device."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import fsbench
from fsbench.engine import device as devices
from fsbench.engine.trial import run_trial
from fsbench.recipes.recipe import default_recipe
from fsbench.registry import get_registry
from fsbench.rng import Stream
from fsbench.testing import toy_split

pytestmark = pytest.mark.gpu
SPECS = ["erm", "augmentation", "focal", "transfer", "maml", "resampling(method=random_over)"]


@pytest.fixture(autouse=True, scope="module")
def prepared():
    devices.prepare(torch.device("cuda:0"))
    yield
    torch.use_deterministic_algorithms(False)


def logits(spec: str, device: str, **recipe: object) -> np.ndarray:
    split = toy_split("image", source=True, imbalance=3.0)
    (composition,) = get_registry().parse(spec)
    changed = replace(default_recipe(split.info), steps=30, **recipe)  # type: ignore[arg-type]
    return run_trial(("toy", 0, 0), composition, changed, split, torch.device(device)).predictions


def test_random_numbers_are_the_same_as_on_the_cpu() -> None:
    assert torch.equal(Stream("k", device="cuda").normal(9).cpu(), Stream("k").normal(9))


@pytest.mark.parametrize("spec", SPECS)
def test_same_seed_same_bits(spec: str) -> None:
    assert np.array_equal(logits(spec, "cuda:0"), logits(spec, "cuda:0"))


def test_training_agrees_with_the_cpu() -> None:
    gpu, cpu = logits("erm", "cuda:0"), logits("erm", "cpu")
    assert (gpu.argmax(-1) == cpu.argmax(-1)).mean() > 0.9


def test_bfloat16_learns_too() -> None:
    half, full = logits("erm", "cuda:0", precision="bfloat16"), logits("erm", "cuda:0")
    assert not np.array_equal(half, full)
    assert (half.argmax(-1) == full.argmax(-1)).mean() > 0.8


def test_peak_memory_is_the_devices() -> None:
    device = torch.device("cuda:0")
    devices.reset_peak_memory(device)
    before = devices.peak_memory(device)
    block = torch.zeros(10_000_000, device=device)
    assert devices.peak_memory(device) - before >= block.nbytes


def test_a_run_finds_and_records_the_gpu(tmp_path: Path) -> None:
    results = fsbench.run(
        "focal", tasks="kshot(wine, k=5)", seeds=1, recipe={"steps": 5}, baseline="erm", results=tmp_path
    )
    assert {r.status for r in results.records} == {"ok"}
    assert {r.device for r in results.records} == {torch.cuda.get_device_name(0)}
