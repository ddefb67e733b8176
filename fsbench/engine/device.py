"""Devices: their names, and the memory that a trial used."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

import torch

from fsbench.errors import UsageError
from fsbench.jobs import check_device

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def resolve(device: str) -> torch.device:
    """The device of `auto`, `cpu`, `cuda` or `cuda:i`. Raises UsageError if it does not exist."""
    check_device(device)
    if device == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    found = torch.device("cuda:0" if device == "cuda" else device)
    if found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count():
        raise UsageError(
            f"device {device!r}: this machine has {torch.cuda.device_count()} CUDA devices; try auto"
        )
    return found


def forks_are_spoilt() -> bool:
    """Whether forked processes could not use CUDA, because this process has used it."""
    pid = os.fork()
    if pid == 0:
        os._exit(torch.cuda._is_in_bad_fork())
    return os.waitpid(pid, 0)[1] != 0


def describe(device: torch.device) -> str:
    """The name of the hardware."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return _processor() or platform.machine()


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", info.read_text()) if info.exists() else None
    return found[1].strip() if found else platform.processor()


def prepare(device: torch.device) -> None:
    """Make a worker's arithmetic reproducible and warm the device up."""
    torch.set_num_threads(1)
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.benchmark = False
        torch.zeros(8, 8, device=device) @ torch.zeros(8, 8, device=device)


def synchronize(device: torch.device) -> None:
    """Wait until the device has finished."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def reset_peak_memory(device: torch.device) -> None:
    """Start measuring peak memory anew, if the system can."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif os.access(_CLEAR, os.W_OK):
        _CLEAR.write_text("5")


def peak_memory(device: torch.device) -> int:
    """Peak memory in bytes: allocated on a GPU; resident in the process on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if _STATUS.exists():
        found = re.search(r"VmHWM:\s*(\d+) kB", _STATUS.read_text())
        if found:
            return int(found[1]) * 1024
    import resource  # does not exist on every system

    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
