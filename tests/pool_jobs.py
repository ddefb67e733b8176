"""Jobs for the tests of the executor: light to import, because workers import it by name."""

from __future__ import annotations

import ctypes
import gc
import json
import os
import pickle
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import numpy as np


class Unpicklable(Exception):
    def __reduce__(self):
        raise ValueError("no pickle of this")


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError("no text of this")


def spin():
    while True:
        pass


def noise():
    for _ in range(10_000):
        print("noise " * 20)
        sys.stderr.write("more noise\n")
    os.system("echo noise")
    return "quiet"


def deaf(folder):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    busy_parent(folder, parent=os.getpid())


def throw(error):
    raise error


def pids():
    return os.getpid(), os.getppid()


def ancestors():
    """This process, its parent, and so on up."""
    found = [os.getpid()]
    while found[-1] > 1:
        with open(f"/proc/{found[-1]}/stat") as file:
            found.append(int(file.read().rpartition(")")[2].split()[1]))
    return found


def age():
    """The age of this process in seconds."""
    with open("/proc/self/stat") as own, open("/proc/uptime") as system:
        begin = int(own.read().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
        return float(system.read().split()[0]) - begin


def environment():
    import torch

    return {
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "running": len(os.listdir("/proc/self/task")),  # the work, and who ends it with its server
        "torch": torch.get_num_threads(),
        "file": sys.modules["__main__"].__dict__.get("__file__"),
        "caller": os.environ.get("OF_THE_CALLER"),
    }


def busy_parent(folder, parent=0):
    """Write down the processes that must die with the parent, then never end."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
    with open(os.path.join(folder, f"{os.getpid()}.pids"), "w") as file:
        file.write(f"{os.getpid()} {parent or os.getppid()} {child.pid}")
    spin()


def kill_parent(folder):
    """Kill the process that this one was forked from, the first time only."""
    try:
        os.mkdir(os.path.join(folder, "mark"))
    except FileExistsError:
        return "second time"
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(1000)


class Bomb:
    """A pickle that creates a file when it is loaded."""

    def __reduce__(self):
        return open, ("it-ran", "w")


def message(header: bytes, body: int = 0) -> bytes:
    return struct.pack("<IQ", len(header), body) + header


def drip(connection):
    connection.sendall(struct.pack("<IQ", 1000, 0))
    while True:
        connection.sendall(b" ")
        time.sleep(0.05)


def hostile(how: str):
    """Send something other than the executor's reply."""
    (connection,) = [each for each in gc.get_objects() if isinstance(each, socket.socket)]
    failure = {"kind": "x" * 10**4, "message": "y" * 10**4, "traceback": "z\n" * 10**5}
    sent = {
        "pickle": pickle.dumps(Bomb()),
        "no json": message(pickle.dumps(Bomb())),
        "too long": struct.pack("<IQ", 10, 1 << 40),
        "neither": message(b'{"versions": {"fsbench": "9"}}'),
        "ended": message(b'{"ended": [0, 0]}'),
        "long failure": message(json.dumps({"failure": failure}).encode()),
        "twice": message(b'{"result": "first"}') + message(b'{"result": "second"}'),
    }
    if how == "endless":
        drip(connection)
    if how == "hangs up":
        connection.close()
        time.sleep(1000)
    connection.sendall(sent[how])
    time.sleep(1000)


prepared_in = 0


def prepare(spoilt: bool, tell):
    """Remember where this was called, and report, if asked, that no fork should inherit it."""
    global prepared_in
    prepared_in = os.getpid()
    tell("")
    return "spoilt" if spoilt else None


JOBS = {
    "pids": pids,
    "environment": environment,
    "raise": lambda: throw(ValueError("one\ntwo " + "x" * 10**6)),
    "unprintable": lambda: throw(Unprintable()),
    "unpicklable exception": lambda: throw(Unpicklable("odd")),
    "odd result": lambda: Unpicklable("odd"),
    "double": lambda: np.zeros(3),
    "exit": lambda: sys.exit(4),
    "interrupt": lambda: throw(KeyboardInterrupt()),
    "hang": lambda: time.sleep(1000),
    "spin": spin,
    "age": age,
    "ancestors": ancestors,
    "prepared": lambda: prepared_in,
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
    if name == "deaf":
        return deaf(argument)
    if name == "kill parent":
        return kill_parent(argument)
    if name == "hostile":
        return hostile(argument)
    if name == "nap":
        return time.sleep(float(argument))
    return JOBS[name]()


def broken_start(how: str, spoilt: bool, tell):
    """Fail while workers are prepared for: in what they are forked from or, if that is spoilt, in them."""
    if spoilt and threading.active_count() == 1:
        return "spoilt"
    if how == "told":
        tell("importing plugin good")
        tell("")
        tell("importing plugin bad")
        os._exit(3)
    JOBS[how]()
