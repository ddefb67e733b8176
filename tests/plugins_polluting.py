"""A plugin whose strategies change the process that they run in, which would affect the next trial."""

from __future__ import annotations

import gc
import os
import random
import threading
from dataclasses import dataclass

import numpy as np
import torch

from fsbench import Strategy, hookimpl


def no_gradients():
    torch.set_grad_enabled(False)


def worse_steps():
    step = torch.optim.AdamW.step

    def scaled(self, *arguments, **options):
        for group in self.param_groups:
            group["lr"] *= 0.5
        return step(self, *arguments, **options)

    torch.optim.AdamW.step = scaled


def other_precision():
    torch.set_float32_matmul_precision("medium")
    torch.set_flush_denormal(True)
    torch.use_deterministic_algorithms(True)


def other_numbers():
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)


def burning_threads():
    def burn():
        while True:
            sum(range(1000))

    for _ in range(8):
        threading.Thread(target=burn, daemon=True).start()


def burning_children():
    for _ in range(4):
        if not os.fork():
            while True:
                pass


def no_softmax():
    torch.nn.functional.cross_entropy = lambda logits, targets, **options: logits.sum() * 0 + 1


def other_environment():
    os.environ["OMP_NUM_THREADS"] = "9"
    os.chdir("/")
    torch.set_num_threads(2)
    gc.disable()


POLLUTERS = [
    no_gradients,
    worse_steps,
    other_precision,
    other_numbers,
    burning_threads,
    burning_children,
    no_softmax,
    other_environment,
]


class Polluter(Strategy):
    """Predicts something else and then changes its process."""

    cite = "none"

    def pollute(self):
        raise NotImplementedError

    def postprocess(self, fitted, val, ctx):
        self.pollute()
        return fitted.map(lambda logits: -logits)


def polluter(act):
    name = act.__name__.replace("_", "-")
    members = {"name": name, "pollute": lambda self: act(), "__annotations__": {}}
    return dataclass(frozen=True)(type(name, (Polluter,), members))


@dataclass(frozen=True)
class Lucky(Strategy):
    """Draws from the generators that a strategy should leave alone."""

    name = "lucky"
    cite = "none"

    def postprocess(self, fitted, val, ctx):
        numbers = [random.random(), np.random.rand(), float(torch.rand(()))]
        ctx.note(str(numbers))
        return fitted.map(lambda logits: logits * (1 + numbers[0]) + numbers[1] + numbers[2])


@hookimpl
def fsbench_strategies() -> list[type[Strategy]]:
    return [Lucky, *map(polluter, POLLUTERS)]
