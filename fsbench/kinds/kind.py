"""What a sample is: everything that differs between images, tables and other kinds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np

from fsbench.errors import DataError
from fsbench.savable import Savable
from fsbench.types import DatasetInfo, Recipe

if TYPE_CHECKING:
    import torch
    from torch import nn

Transform: TypeAlias = Callable[[np.ndarray], np.ndarray]
"""Maps stored inputs `[E, M, ...]` to those that a worker opens, `[E, M, ...]`."""


@dataclass(frozen=True)
class Unprepared(Savable):
    """Stored inputs as they are."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """The inputs."""
        return x


@dataclass(frozen=True)
class Flattened(Savable):
    """Inputs `[N, ...]` as rows of float64 numbers `[N, F]`."""

    def __call__(self, x: torch.Tensor) -> np.ndarray:
        """The rows."""
        return x.flatten(1).double().cpu().numpy()


class Kind(ABC):
    """A kind of samples, from the arrays of a dataset to the tensors that strategies see.

    A subclass sets `name`, `sample` (the word for one in messages), `dtype` (as stored), `recipe` (what every
    strategy starts from), and makes toy data. `episode_recipe` is the recipe of episodes, by default the same
    with fewer steps. `mixable` says that strategies see float32 numbers that can be mixed, scaled and made
    noisy, unlike token numbers; `terms` says that `rows` are non-negative term weights, such as TF-IDF.
    `symmetries` maps the transformations that can keep a label to their meaning; `assumed_symmetries` are
    those assumed to keep it in unknown data, `toy_symmetries` those of the toy data. `results_version` is
    like that of a strategy.

    Subclasses import torch inside their methods, because planning must not import it.
    """

    name: ClassVar[str]
    sample: ClassVar[str] = "sample"
    dtype: ClassVar[type[np.generic]]
    recipe: ClassVar[Recipe]
    episode_recipe: ClassVar[Recipe | None] = None
    mixable: ClassVar[bool] = True
    terms: ClassVar[bool] = False
    results_version: ClassVar[str] = ""
    symmetries: ClassVar[Mapping[str, str]] = {}
    assumed_symmetries: ClassVar[frozenset[str]] = frozenset()
    toy_symmetries: ClassVar[frozenset[str]] = frozenset()

    # Stored samples

    def stored_shape(self, info: DatasetInfo) -> tuple[int, ...]:
        """The shape of one sample in a dataset's `x`; by default as strategies see it."""
        return info.shape

    def seen_shape(self, stored: tuple[int, ...], columns: tuple[int, ...]) -> tuple[int, ...]:
        """The shape in which strategies see samples of a stored shape, with `columns` if any."""
        return stored

    def check(self, info: DatasetInfo, x: np.ndarray) -> None:
        """Raise DataError unless inputs `[N, ...]` are what `info` says of them."""
        dtype, shape = np.dtype(self.dtype), (info.n, *self.stored_shape(info))
        if x.dtype != dtype or x.shape != shape:
            raise DataError(
                f"{info.text}: loaded {x.dtype} {list(x.shape)}, expected {dtype} {list(shape)}; the data "
                "is not what its description says"
            )
        if unknown := sorted(info.symmetries - self.symmetries.keys()):
            known = ", ".join(self.symmetries) or "none"
            raise DataError(f"{info.text}: no symmetry of kind {self.name}: {unknown[0]}; known: {known}")
        self.check_values(info, x)

    def check_values(self, info: DatasetInfo, x: np.ndarray) -> None:
        """Raise DataError for invalid values; by default those that are NaN or infinite."""
        if not np.isfinite(x).all():
            raise DataError(f"{info.text}: some values are NaN or infinite")

    def describe(self, info: DatasetInfo, x: np.ndarray) -> str:
        """A description of each sample for the user: `16x16 pixels, grey`."""
        return "x".join(map(str, info.shape)) + " values"

    def arguments(self, shape: tuple[int, ...]) -> dict[str, int]:
        """The arguments of a dataset, if it has any, that convert its samples to a shape."""
        return {}

    # From stored samples to what strategies see

    def fit(self, train_x: np.ndarray, info: DatasetInfo) -> Transform:
        """The preparation, fitted in each cell on its part of the training parts `[E, N, ...]`.

        By default there is none. What is returned is part of a saved model if it is Savable.
        """
        return Unprepared()

    def tensor(self, x: np.ndarray, device: torch.device) -> torch.Tensor:
        """Opened inputs `[N, ...]` as strategies see them, on the device."""
        import torch

        return torch.from_numpy(np.array(x)).to(device)

    def shape_for(self, wants: Any, shape: tuple[int, ...], stored: tuple[int, ...]) -> tuple[int, ...]:
        """The shape in which a backbone that expects the input `wants` sees samples.

        `shape` is that of the task, `stored` that of opened samples, which may be larger.
        """
        return shape

    def shrink(self, x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Opened inputs `[N, ...]` in a smaller shape, one that `shape_for` gives."""
        return x

    def shrink_tensor(self, x: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
        """The tensor `[N, ...]` of opened inputs as if they had been made smaller before."""
        return x

    def prepared(self, info: DatasetInfo) -> str:
        """What is done with the samples of a dataset before a strategy sees them, in words."""
        return "as they are stored"

    def rows(self, train_x: torch.Tensor) -> Callable[[torch.Tensor], Any]:
        """What turns inputs `[N, ...]` into rows of numbers `[N, F]` for classifiers that take such.

        It is fitted on training inputs, and is part of a saved model if it is Savable. Rows are float64 or,
        with `terms`, sparse as in scipy; by default, they are the inputs, flattened.
        """
        return Flattened()

    # From one dataset to another, and to a network

    def mismatch(self, given: tuple[int, ...], wanted: tuple[int, ...]) -> str | None:
        """Why source samples of the shape `given` cannot be converted to the task's shape, or None."""
        if given == wanted:
            return None
        return f"source samples are {list(given)}, the task's {list(wanted)}"

    def match(self, x: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
        """Inputs `[N, ...]` of a source in the task's shape. Raises DataError if this is not possible."""
        reason = self.mismatch(tuple(x.shape[1:]), shape)
        if reason:
            raise DataError(f"inputs cannot be matched: {reason}")
        return x

    def unfit(self, shape: tuple[int, ...], wants: Any) -> str | None:
        """Why a backbone that expects the input `wants` cannot take samples of a shape, or None."""
        return None

    def adapted_shape(self, shape: tuple[int, ...], wants: Any) -> tuple[int, ...]:
        """The shape of samples at the body of a backbone that expects the input `wants`."""
        return shape

    def adapter(self, wants: Any) -> nn.Module:
        """The module before a backbone's body, which converts inputs to `wants`; by default none."""
        from torch import nn

        return nn.Identity()

    # Toy data

    @abstractmethod
    def toy_centre(self, rng: np.random.Generator) -> np.ndarray:
        """What the samples of one toy class have in common, in the form that `toy_samples` takes."""

    @abstractmethod
    def toy_samples(self, centres: np.ndarray, moved: float, rng: np.random.Generator) -> np.ndarray:
        """Noisy samples around centres `[N, ...]`, as they are stored; `moved` (0 to 1) shifts them all."""

    def fit_toys(self, train_x: np.ndarray) -> Transform:
        """The preparation fitted on training parts `[E, N, ...]` of toy data."""
        shape = self.seen_shape(train_x.shape[2:], ())
        return self.fit(train_x, DatasetInfo("toy", "", self.name, shape, (), (), "", ""))
