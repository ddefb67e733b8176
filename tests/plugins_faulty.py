"""A plugin whose strategies fail in every possible way."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import socket
import sys
import time
from dataclasses import dataclass

import numpy as np
import torch
from pool_jobs import Unpicklable

from fsbench import Strategy, hookimpl
from fsbench.executors.wire import encode


@dataclass(frozen=True)
class Fault(Strategy):
    """Does something bad while it is fitted."""

    cite = "none"

    def misbehave(self):
        raise NotImplementedError

    def fit(self, train, inner, ctx):
        self.misbehave()
        return inner(train)


@dataclass(frozen=True)
class Raises(Fault):
    name = "raises"

    def misbehave(self):
        raise RuntimeError("what went\nwrong " + "x" * 10**6)


@dataclass(frozen=True)
class RaisesOddly(Fault):
    name = "raises-oddly"

    def misbehave(self):
        raise Unpicklable("odd")


@dataclass(frozen=True)
class Exits(Fault):
    name = "exits"

    def misbehave(self):
        sys.exit(3)


@dataclass(frozen=True)
class ExitsAtOnce(Fault):
    name = "exits-at-once"

    def misbehave(self):
        os._exit(0)


@dataclass(frozen=True)
class Segfaults(Fault):
    name = "segfaults"

    def misbehave(self):
        ctypes.string_at(0)


@dataclass(frozen=True)
class Killed(Fault):
    name = "killed"

    def misbehave(self):
        os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class Hangs(Fault):
    name = "hangs"

    def misbehave(self):
        time.sleep(1000)


@dataclass(frozen=True)
class Forges(Fault):
    """Sends the parent a forged result with fields that a worker must not set."""

    name = "forges"

    def misbehave(self):
        (connection,) = [each for each in gc.get_objects() if isinstance(each, socket.socket)]
        logits = np.ones((1, 1, 3), dtype=np.float32)
        lies = {"predictions": logits, "metrics": {"accuracy": 1.0}, "versions": {"fsbench": "9"}}
        connection.sendall(encode({"result": lies}))
        time.sleep(1000)


@dataclass(frozen=True)
class Prints(Fault):
    name = "prints"

    def misbehave(self):
        for _ in range(1000):
            print("noise " * 20)
        os.system("echo noise; echo noise >&2")

    def postprocess(self, fitted, val, ctx):
        return fitted.map(lambda logits: 2 * logits)


@dataclass(frozen=True)
class Inert(Strategy):
    name = "inert"
    cite = "none"


@dataclass(frozen=True)
class Nan(Strategy):
    name = "nan"
    cite = "none"

    def postprocess(self, fitted, val, ctx):
        return fitted.map(lambda logits: logits * torch.nan)


@dataclass(frozen=True)
class WrongShape(Strategy):
    name = "wrong-shape"
    cite = "none"

    def postprocess(self, fitted, val, ctx):
        return fitted.map(lambda logits: logits[:, :-1])


@dataclass(frozen=True)
class NoTensor(Strategy):
    name = "no-tensor"
    cite = "none"

    def postprocess(self, fitted, val, ctx):
        return fitted.map(lambda logits: "logits")


@hookimpl
def fsbench_strategies() -> list[type[Strategy]]:
    return [
        Raises,
        RaisesOddly,
        Exits,
        ExitsAtOnce,
        Segfaults,
        Killed,
        Hangs,
        Forges,
        Prints,
        Inert,
        Nan,
        WrongShape,
        NoTensor,
    ]
