"""Jobs for the tests of the executor: light to import, because workers import it by name."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time


class Unpicklable(Exception):
    def __reduce__(self):
        raise ValueError("no pickle of this")


class Unbuildable:
    def __reduce__(self):
        return (fail_to_build, ())


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError("no text of this")


def fail_to_build():
    raise KeyError("cannot be rebuilt")


def spin():
    while True:
        pass


def noise():
    for _ in range(10_000):
        print("noise " * 20)
        sys.stderr.write("more noise\n")
    os.system("echo noise")
    return "quiet"


def deaf():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(1000)


def throw(error):
    raise error


def pids():
    return os.getpid(), os.getppid()


def environment():
    return os.environ.get("OMP_NUM_THREADS"), sys.modules["__main__"].__dict__.get("__file__")


def busy_parent(folder):
    """Write down the processes that must die with the parent, then never end."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
    with open(os.path.join(folder, f"{os.getpid()}.pids"), "w") as file:
        file.write(f"{os.getpid()} {os.getppid()} {child.pid}")
    spin()


JOBS = {
    "pids": pids,
    "environment": environment,
    "raise": lambda: throw(ValueError("one\ntwo " + "x" * 10**6)),
    "unprintable": lambda: throw(Unprintable()),
    "unpicklable exception": lambda: throw(Unpicklable("odd")),
    "unpicklable result": lambda: Unpicklable("odd"),
    "unbuildable": Unbuildable,
    "exit": lambda: sys.exit(4),
    "interrupt": lambda: throw(KeyboardInterrupt()),
    "hang": lambda: time.sleep(1000),
    "spin": spin,
    "deaf": deaf,
    "segfault": lambda: ctypes.string_at(0),
    "exit 0": lambda: os._exit(0),
    "exit 3": lambda: os._exit(3),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "noise": noise,
}


def act(job: str):
    name, _, argument = job.partition(":")
    if name == "busy":
        return busy_parent(argument)
    if name == "nap":
        return time.sleep(float(argument))
    return JOBS[name]()


def broken_start(how: str):
    JOBS[how]()
