"""Training the head of a frozen body on features, each computed once.

A body without trained parameters gives the same features in every step, so they are computed before the first
step. Features of pretrained weights are the same in every trial, so they are kept on disk.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import fsbench
from fsbench.composition import Composition
from fsbench.engine import device as devices
from fsbench.engine.anatomy import VERSIONED, anatomy, is_as_built
from fsbench.engine.backbones import Network
from fsbench.engine.feature_cache import FeatureCache, MemoryCache
from fsbench.engine.objective import Objective
from fsbench.engine.training import as_fitted, batch_of, train
from fsbench.savable import Savable
from fsbench.scope import Scope
from fsbench.stages import STAGES
from fsbench.types import Fitted, LabeledSet
from fsbench.versions import version

SHARED = "features of the frozen body are shared by trials; times leave out what another trial computed"
_LARGEST_BATCH = 64
_FORMAT = 3


def frozen_network(model: nn.Module, composition: Composition) -> Network | None:
    """The model, if training needs only its features: its body is frozen, and no component sees inputs."""
    if type(model) is not Network or any(composition.chain(s.name) for s in STAGES.values() if s.sees_inputs):
        return None
    body = list(model.body.parameters())
    frozen = bool(body) and not any(parameter.requires_grad for parameter in body)
    return model if frozen else None


def fit_head(
    ctx: Scope,
    composition: Composition,
    network: Network,
    data: LabeledSet,
    folder: Path | None,
    pretrained: Set[str],
) -> Fitted:
    """Train the head of a network on its body's features of `data`.

    The result is that of training the whole network with its body frozen, up to rounding. If the digest
    of the body's weights is in `pretrained`, features are looked up and kept in `folder`. Raises NonFinite.
    """
    network.eval()
    shape, precision, kept = tuple(data.x.shape[1:]), ctx.recipe.precision, None
    if folder is not None and pretrained and is_as_built(network.body):
        digest = weights_digest(network.body.state_dict())
        kept = CacheKey(folder, digest, ctx.recipe.backbone, shape) if digest in pretrained else None
    if kept:
        ctx.note(SHARED)
    bodies = {
        kind: BodyFeatures(network, kept.cache(network, kind, ctx.device) if kept else MemoryCache(), kind)
        for kind in {precision, "float32"}
    }
    features = bodies[precision](data.x)
    train(Objective(HeadOnly(network), composition, ctx), replace(data, x=features), ctx.recipe)
    return Fitted(ByHead(network, bodies["float32"]), network)


class ByHead(Savable):
    """Logits of a network by features that are known, or that are computed as they were in training.

    If another component has changed the body since, its features are computed like those of any network.
    """

    def __init__(self, network: Network, known: BodyFeatures | None = None) -> None:
        self.network = network
        self._known = known or BodyFeatures(network, MemoryCache())
        self._whole, self._state = as_fitted(network).predict, _state(network.body)

    def arguments(self) -> dict[str, Any]:
        """The network; or its whole predictor, if its body was changed."""
        return {"network": self.network, "changed": _state(self.network.body) != self._state}

    @classmethod
    def rebuild(cls, network: Network, changed: bool) -> ByHead:  # type: ignore[override]
        """The predictor of a network with its tensors."""
        found = cls(network)
        found._state = [] if changed else found._state
        return found

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Logits `[N, C]` of inputs `[N, ...]`."""
        if _state(self.network.body) != self._state:
            return self._whole(x)
        self.network.eval()
        with torch.no_grad():
            return self.network.forward_head(self._known(x)).float()


def pretrained_features(
    network: Network,
    weights: Mapping[str, Any],
    backbone: str,
    shape: tuple[int, ...],
    folder: Path | None,
) -> BodyFeatures:
    """The features of inputs of a shape by the body of a network with loaded weights.

    They are looked up and kept in `folder`, if there is one.
    """
    network.requires_grad_(False).eval()
    if folder is None or not is_as_built(network.body):
        return BodyFeatures(network, MemoryCache())
    kept = CacheKey(folder, weights_digest(weights), backbone, shape)
    return BodyFeatures(network, kept.cache(network, "float32", network.head.weight.device))


@dataclass(frozen=True)
class CacheKey:
    """Everything on which the features of a pretrained body depend, except the sample and the precision."""

    folder: Path
    digest: str
    backbone: str
    shape: tuple[int, ...]

    def cache(self, network: Network, precision: str, device: torch.device) -> FeatureCache:
        """The cache of the body's features in a precision."""
        body = self.digest, self.backbone, anatomy(network.body)
        what = (*body, network.wants, self.shape, precision, *_surroundings(device))
        return FeatureCache(self.folder / f"{_name(what)}.sqlite", network.num_features)


class HeadOnly(nn.Module):
    """What is trained of a network whose features `[N, D]` are known: its dropout and its head."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.num_features = network.num_features
        self.dropout, self.head = network.dropout, network.head

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """The given features `[N, D]`."""
        return x

    def forward_head(self, features: torch.Tensor) -> torch.Tensor:
        """Logits `[N, C]` of features `[N, D]`."""
        logits: torch.Tensor = self.head(self.dropout(features))
        return logits

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits `[N, C]` of features `[N, D]`."""
        return self.forward_head(x)


class BodyFeatures:
    """Features `[N, D]` float32 of inputs `[N, ...]`, by a network's body in evaluation mode.

    The body sees batches of the same size (the last one is padded), so that the features of a sample do not
    depend on the other samples.
    """

    def __init__(
        self, network: Network, cache: FeatureCache | MemoryCache, precision: str = "float32"
    ) -> None:
        self.network, self.cache, self.precision = network, cache, precision

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """The features, on the device of the inputs."""
        keys = sample_keys(x)
        rows = {key: row for row, key in enumerate(keys)}
        size = 2 ** int(math.log2(batch_of(self.network, x, most=_LARGEST_BATCH)))

        def compute(wanted: Sequence[bytes]) -> np.ndarray:
            index = torch.tensor([rows[key] for key in wanted], device=x.device)
            found: np.ndarray = self.forward(x[index], size).cpu().numpy()
            return found

        found = self.cache.get(list(rows), compute, size)
        table = np.empty((len(keys), self.network.num_features), dtype=np.float32)
        for row, key in enumerate(keys):
            table[row] = found[key]
        return torch.from_numpy(table).to(x.device)

    def forward(self, x: torch.Tensor, size: int) -> torch.Tensor:
        """The features of up to `size` inputs, as a batch of `size`."""
        number, device = len(x), x.device.type
        x = torch.cat([x, x[-1:].expand(size - number, *x.shape[1:])])
        bfloat16 = self.precision == "bfloat16"
        with torch.no_grad(), torch.autocast(device, torch.bfloat16, enabled=bfloat16):
            return self.network.forward_features(x)[:number].float()


def sample_keys(x: torch.Tensor) -> list[bytes]:
    """A hash of each sample's own values and shape, 16 bytes each, of inputs `[N, ...]`."""
    rows = x.detach().cpu().contiguous().numpy()
    shape = str(rows.shape[1:]).encode()
    return [hashlib.blake2b(row.data, digest_size=16, key=shape).digest() for row in rows]


def weights_digest(weights: Mapping[str, Any]) -> str:
    """A hash of a state dictionary's names, types, shapes and values."""
    found = hashlib.sha256()
    for name, value in sorted(weights.items()):
        if isinstance(value, torch.Tensor):
            found.update(f"{name} {value.dtype} {list(value.shape)}\n".encode())
            found.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def _name(what: tuple[object, ...]) -> str:
    """The name of the file for everything except the sample on which its features depend."""
    return hashlib.sha256("\n".join(map(str, (_FORMAT, *what))).encode()).hexdigest()[:32]


def _surroundings(device: torch.device) -> list[str]:
    """The hardware, and the versions of the packages that build and run bodies."""
    packages = [f"{name} {version(name.replace('_', '-'))}" for name in VERSIONED]
    ours = f"fsbench {fsbench.__version__}", f"torch {torch.__version__}"
    return [f"{device.type} {devices.describe(device)}", *ours, *packages]


def _state(body: nn.Module) -> list[tuple[int, int]]:
    """Changes when any weight of a body does."""
    tensors = [*body.parameters(), *body.buffers()]
    return [(t.data_ptr(), t._version) for t in tensors]
