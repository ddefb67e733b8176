"""The overhead of the engine over an equivalent plain PyTorch loop, as ratios from one run.

    python benchmarks/overhead.py [--repeats 7]

Both train the same network on the same split for the same number of steps with the same fused
optimizer, one thread, on the CPU; the median of alternating repeats is compared.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy

from fsbench.engine.backbones import build_network
from fsbench.engine.trial import labeled_set, run_trial
from fsbench.recipes.recipe import default_recipe
from fsbench.registry import get_registry
from fsbench.tasks.expressions import parse_tasks
from fsbench.tasks.splits import SplitArrays, draw_split, materialise, open_split
from fsbench.types import Recipe

CPU = torch.device("cpu")
TASKS = "kshot(wine, k=5), kshot(digits, k=5), kshot(mnist5k(size=14), k=5)"


def plain_loop(split: SplitArrays, recipe: Recipe) -> None:
    """A hand-written training loop."""
    data = labeled_set(split.info.kind, split.train_x[0], split.train_y[0], split.info.num_classes, CPU)
    model = build_network(recipe.backbone, split.info.kind, split.info.input_shape, split.info.num_classes)
    model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.steps)
    for _ in range(recipe.steps):
        rows = torch.randperm(len(data))[: recipe.batch_size]
        optimizer.zero_grad()
        cross_entropy(model(data.x[rows]), data.targets[rows]).backward()
        optimizer.step()
        schedule.step()


def seconds(call: Callable[[], object]) -> float:
    """The wall-clock time of a call in seconds."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def main() -> None:
    """Print one line for each task."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    erm, augmentation = get_registry().parse("erm, augmentation")
    print(f"{'task':32} {'plain loop':>10} {'erm':>7} {'ratio':>6} {'augmentation':>13} {'ratio':>6}")
    for task in parse_tasks(TASKS):
        recipe = default_recipe(task.info)
        with tempfile.TemporaryDirectory() as folder:
            split = open_split(materialise(task, draw_split(task, 0), Path(folder) / "split").path)
            calls: list[Callable[[], object]] = [
                lambda split=split, recipe=recipe: plain_loop(split, recipe),
                lambda split=split, recipe=recipe: run_trial(("b",), erm, recipe, split, CPU),
                lambda split=split, recipe=recipe: run_trial(("b",), augmentation, recipe, split, CPU),
            ]
            for call in calls:
                call()
            times = [[seconds(call) for call in calls] for _ in range(repeats)]
        plain, ours, augmented = (statistics.median(column) for column in zip(*times, strict=True))
        ratios = f"{ours:6.2f}s {ours / plain:6.2f} {augmented:12.2f}s {augmented / plain:6.2f}"
        print(f"{task.text:32} {plain:9.2f}s {ratios}")


if __name__ == "__main__":
    main()
