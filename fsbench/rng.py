"""Counter-based random streams: the same numbers on every device and in every order of execution.

A stream is keyed by a hash of its purpose, so its numbers do not depend on what else runs. The generator is
numpy's Philox (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def derive_key(*parts: object) -> int:
    """A 128-bit key from the texts of `parts`; different texts give independent streams.

    The texts are separated by the control character U+001F, so none of them may contain it.
    """
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode(errors="surrogatepass")).digest()[:16], "little")


def generator(*parts: object, step: int = 0) -> np.random.Generator:
    """A numpy generator for `parts`; `step` jumps to a separate block without drawing."""
    return np.random.Generator(np.random.Philox(key=derive_key(*parts), counter=step << 128))


class Stream:
    """Random tensors on one device, drawn from one keyed generator.

    Parameters: the `key` parts, the `device` of the tensors, and the training `step` whose block
    of numbers is drawn from. A shape is given as numbers or as a tuple: `normal(2, 3)`, `normal(x.shape)`.
    """

    def __init__(self, *key: object, device: str | torch.device = "cpu", step: int = 0) -> None:
        self.key = key
        self.device = device
        self.numpy = generator(*key, step=step)

    def _tensor(self, values: np.ndarray) -> torch.Tensor:
        import torch

        return torch.from_numpy(values).to(self.device)

    def normal(self, *shape: int | tuple[int, ...]) -> torch.Tensor:
        """Standard normal float32 numbers."""
        return self._tensor(self.numpy.standard_normal(_shape(shape), dtype=np.float32))

    def uniform(self, *shape: int | tuple[int, ...], low: float = 0.0, high: float = 1.0) -> torch.Tensor:
        """Uniform float32 numbers in [low, high); only `low` if both are equal."""
        values = self.numpy.random(_shape(shape), dtype=np.float32)
        scaled = values * np.float32(high - low) + np.float32(low)
        if high > low:  # rounding may reach it
            scaled = np.minimum(scaled, np.nextafter(np.float32(high), np.float32(low)))
        return self._tensor(scaled)

    def integers(self, low: int, high: int, *shape: int | tuple[int, ...]) -> torch.Tensor:
        """Uniform int64 numbers in [low, high)."""
        return self._tensor(self.numpy.integers(low, high, _shape(shape)))

    def permutation(self, n: int) -> torch.Tensor:
        """A random order of 0..n-1, int64."""
        return self._tensor(self.numpy.permutation(n))

    def beta(self, a: float, b: float, *shape: int | tuple[int, ...]) -> torch.Tensor:
        """Beta(a, b) float32 numbers."""
        return self._tensor(self.numpy.beta(a, b, _shape(shape)).astype(np.float32))

    def seed(self) -> int:
        """A 31-bit integer for a library that needs a seed."""
        return int(self.numpy.integers(0, 2**31))


def _shape(given: tuple[int | tuple[int, ...], ...]) -> tuple[int, ...]:
    return tuple(size for each in given for size in (each if isinstance(each, tuple) else (each,)))


@contextmanager
def seeded(key: int) -> Iterator[None]:
    """Seed torch's global generators inside, and restore them afterwards."""
    import torch

    devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    with torch.random.fork_rng(devices=devices):
        # torch.manual_seed formats the stack for every kind of device, even for those that are not there.
        torch.default_generator.manual_seed(key % 2**63)
        if devices:
            torch.cuda.manual_seed_all(key % 2**63)
        yield
