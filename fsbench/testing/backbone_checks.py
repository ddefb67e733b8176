"""The contract of every backbone, on toy inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from fsbench.engine.backbones import Network, build_network
from fsbench.kinds import kind_names
from fsbench.recipes.catalogue import BACKBONES, Backbone
from fsbench.testing.demands import require, require_own_randomness, require_text
from fsbench.testing.toy import toy_split
from fsbench.testing.toy_dataset import registered

CLASSES, FEW = 3, 4


def described(backbone: Backbone) -> None:
    """It has a summary."""
    require_text("summary", backbone.summary)


def builds(backbone: Backbone) -> None:
    """For each kind of samples that it takes, features are `[N, D]` and logits `[N, C]`, all finite."""
    for kind, network, x in _networks(backbone):
        with torch.no_grad():
            features = network.eval().forward_features(x)
            logits = network.forward_head(features)
        shape, wanted = list(features.shape), [len(x), network.num_features]
        require(shape == wanted, f"{kind}: features are {shape}, not {wanted}")
        require(features.dtype == torch.float32, f"{kind}: features are {features.dtype}, not float32")
        require(logits.isfinite().all(), f"{kind}: logits are not finite")


def repeats(backbone: Backbone) -> None:
    """The same random numbers build the same network, with the same names of parameters."""
    for (kind, first, _), (_, second, _) in zip(_networks(backbone), _networks(backbone), strict=True):
        one, two = first.state_dict(), second.state_dict()
        require(list(one) == list(two), f"{kind}: two builds name their parameters differently")
        same = all(torch.equal(one[name], two[name]) for name in one)
        require(same, f"{kind}: two builds from one seed differ; draw weights from torch's generator")


def trains(backbone: Backbone) -> None:
    """A gradient reaches every parameter."""
    for kind, network, x in _networks(backbone):
        network.train()(x).square().sum().backward()
        idle = [name for name, p in network.named_parameters() if p.requires_grad and p.grad is None]
        require(not idle, f"{kind}: no gradient reaches {', '.join(idle[:3])}")


def predicts_alone(backbone: Backbone) -> None:
    """In evaluation mode, the features of a sample do not depend on the other samples."""
    for kind, network, x in _networks(backbone):
        network.eval()
        with torch.no_grad():
            beside, alone = network.forward_features(x)[:1], network.forward_features(x[:1])
        good = torch.allclose(beside, alone, rtol=1e-3, atol=1e-4)
        require(good, f"{kind}: the features of a sample depend on the other samples")


def counts(backbone: Backbone) -> str | None:
    """It has the number of parameters that it declares."""
    if backbone.parameters is None or backbone.counted is None:
        return "it does not declare its number of parameters"
    shape, classes = backbone.counted
    with registered(BACKBONES, backbone.name, backbone), torch.device("meta"):
        kind = next(kind for kind in ("image", *kind_names()) if backbone.takes(kind))
        network = build_network(backbone.name, kind, shape, classes)
    found = sum(parameter.numel() for parameter in network.parameters())
    require(
        found == backbone.parameters, f"it has {found:,} parameters, but declares {backbone.parameters:,}"
    )
    return None


def leaves_globals(backbone: Backbone) -> None:
    """Building it uses no random numbers except torch's, in the given state."""
    require_own_randomness(lambda: list(_networks(backbone)))


def _networks(backbone: Backbone) -> Iterator[tuple[str, Network, torch.Tensor]]:
    """A network with the default arguments and some inputs `[N, ...]`, for each kind that it takes."""
    kinds = [kind for kind in kind_names() if backbone.takes(kind)]
    require(kinds, "it takes no kind of samples")
    for kind in kinds:
        split = toy_split(kind, classes=CLASSES)
        with registered(BACKBONES, backbone.name, backbone), torch.random.fork_rng(devices=()):
            torch.manual_seed(0)
            network = build_network(backbone.name, kind, split.info.input_shape, CLASSES)
        yield kind, network, network.kind.tensor(split.train_x[0][:FEW], torch.device("cpu"))


CHECKS: dict[str, Callable[[Backbone], str | None]] = {
    "is described": described,
    "builds on what it takes": builds,
    "same seed, same network": repeats,
    "trains all its parameters": trains,
    "sees each sample on its own": predicts_alone,
    "has the parameters that it says": counts,
    "leaves global randomness alone": leaves_globals,
}
