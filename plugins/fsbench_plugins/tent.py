"""Tent: adaptation to the test inputs by confident predictions."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fsbench import Context, Fitted, LabeledSet, Predictor, Savable, Strategy, param

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class Tent(Strategy):
    """Adapts batch normalisation to the test inputs by entropy minimisation (Wang et al. 2021).

    Batch normalisation takes the statistics of the test inputs, and its scales and shifts are trained for
    `steps` steps of Adam at `lr`, each on all test inputs, so that the entropy of the predictions falls. The
    paper goes through the test inputs in batches, one step for each. Nothing is kept from one set of test
    inputs to the next. As the predictions on a sample depend on the others, a row with `tent` solves an
    easier problem, which its `uses` shows.
    """

    name = "tent"
    results_version = "2"
    cite = (
        "Wang, D., Shelhamer, E., Liu, S., Olshausen, B. and Darrell, T. (2021). Tent: fully test-time "
        "adaptation by entropy minimization. ICLR."
    )
    family = "adaptation"
    kinds = frozenset({"image", "table"})  # the default networks of these have batch normalisation

    lr: float = param(1e-3, low=0.0, tune=(1e-4, 1e-2))
    steps: int = param(10, low=0, tune=(1, 30))

    @property
    def uses(self) -> frozenset[str]:
        """All test inputs at once, without labels."""
        return frozenset({"test_inputs"})

    def init_model(self, model: nn.Module, ctx: Context) -> nn.Module:
        """The model as it is. Raises InertComponent without batch normalisation, before any training."""
        from fsbench_plugins._normalisation import require_batch_norms

        require_batch_norms(model, self.name)
        return model

    def postprocess(self, fitted: Fitted, val: LabeledSet, ctx: Context) -> Fitted:
        """The predictor that adapts a copy of the network to the inputs that it is given.

        Raises InertComponent if the network has no batch normalisation.
        """
        from fsbench_plugins._normalisation import require_batch_norms

        network = fitted.require_network(self.name)
        require_batch_norms(network, self.name)
        return Fitted(ByAdapted(fitted.predict, network, self.lr, self.steps), network)


@dataclass(frozen=True, eq=False)
class ByAdapted(Savable):
    """Logits of a predictor while its network is adapted to the inputs by `steps` steps of Adam at `lr`."""

    predict: Predictor
    network: nn.Module
    lr: float
    steps: int

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Logits `[N, C]` of inputs `[N, ...]`, after which the network is as before."""
        before = copy.deepcopy(self.network.state_dict())
        self.network.load_state_dict(self._adapted(x))
        try:
            return self.predict(x).clone()
        finally:
            self.network.load_state_dict(before)

    def _adapted(self, x: torch.Tensor) -> Mapping[str, Any]:
        """The state of an adapted copy of the network, or its own for one input, which has no variance."""
        import torch

        from fsbench_plugins._normalisation import batch_norms

        if len(x) < 2:
            return self.network.state_dict()
        adapted = copy.deepcopy(self.network)
        layers = batch_norms(adapted.eval().requires_grad_(False))
        for layer in layers:
            layer.train().requires_grad_(True)
        trained = [p for layer in layers for p in layer.parameters()]
        optimizer = torch.optim.Adam(trained, lr=self.lr) if trained else None
        with torch.enable_grad():
            for _ in range(self.steps if optimizer else 0):
                assert optimizer is not None
                log_p = adapted(x).log_softmax(-1)
                optimizer.zero_grad()
                torch.autograd.backward(-(log_p.exp() * log_p).sum(1).mean())
                optimizer.step()
        with torch.no_grad():
            for layer in layers:
                layer.reset_running_stats()
                layer.momentum = None  # the statistics of this pass alone, also where inputs come in parts
            adapted(x)
        return adapted.state_dict()
