"""AdaBN: batch normalisation with the statistics of the target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsbench import Context, Fitted, LabeledSet, param
from fsbench_plugins._adapting import Adapting

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Adabn(Adapting):
    """Batch normalisation gets the statistics of the unlabelled inputs, after training (Li et al. 2017).

    Nothing else changes, so the cost is one pass over the unlabelled inputs, in equal parts of at most
    `batch_size`, whose means and variances are averaged.
    """

    name = "adabn"
    results_version = "2"
    cite = (
        "Li, Y., Wang, N., Shi, J., Liu, J. and Hou, X. (2017). Revisiting batch normalization for practical "
        "domain adaptation. ICLR workshop."
    )

    kinds = frozenset({"image", "table"})  # the default networks of these have batch normalisation

    batch_size: int = param(1024, low=3)

    def init_model(self, model: nn.Module, ctx: Context) -> nn.Module:
        """The model as it is. Raises InertComponent without batch normalisation, before any training."""
        from fsbench_plugins._normalisation import require_batch_norms

        require_batch_norms(model, self.name)
        return model

    def postprocess(self, fitted: Fitted, val: LabeledSet, ctx: Context) -> Fitted:
        """The network with the target's statistics. Raises InertComponent without batch normalisation."""
        from torch.optim.swa_utils import update_bn

        from fsbench_plugins._normalisation import equal_parts, require_batch_norms

        network = fitted.require_network(self.name)
        require_batch_norms(network, self.name)
        update_bn(equal_parts(ctx.unlabeled, self.batch_size), network)
        network.eval()
        return fitted
