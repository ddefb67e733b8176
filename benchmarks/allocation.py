"""The time that workers save by keeping freed arrays, as a ratio from one run.

    python benchmarks/allocation.py [--steps 10] [--images 360]

Measures a training step of `conv4` in two processes with one thread each: one with the environment of
fsbench's workers, one with the system's default allocation. Takes the median of the steps, on the CPU.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time

from fsbench.executors.launch import ENVIRONMENT


def step_seconds(steps: int, images: int) -> float:
    """The median time in seconds of a plain training step, after two warm-up steps."""
    import torch
    from torch.nn.functional import cross_entropy

    from fsbench.engine.backbones import build_network

    network = build_network("conv4", "image", (1, 28, 28), 10).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), fused=True)
    x, y = torch.rand(images, 1, 28, 28), torch.arange(images) % 10
    times = []
    for _ in range(steps + 2):
        begin = time.perf_counter()
        optimizer.zero_grad()
        cross_entropy(network(x), y).backward()
        optimizer.step()
        times.append(time.perf_counter() - begin)
    return statistics.median(times[2:])


def main() -> None:
    """Print the times of both and their ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--images", type=int, default=360)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(step_seconds(given.steps, given.images))
        return
    plain = {name: value for name, value in ENVIRONMENT.items() if not name.startswith("MALLOC_")}
    outside = {name: value for name, value in os.environ.items() if name not in ENVIRONMENT}
    found = []
    for environment in (plain, ENVIRONMENT):
        command = [sys.executable, __file__, "--child", f"--steps={given.steps}", f"--images={given.images}"]
        done = subprocess.run(command, env=outside | environment, check=True, capture_output=True, text=True)
        found.append(float(done.stdout))
    print(f"returned: {found[0]:.2f} s per step, kept: {found[1]:.2f} s, ratio {found[1] / found[0]:.2f}")


if __name__ == "__main__":
    main()
