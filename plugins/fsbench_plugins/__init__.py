"""The strategies that come with fsbench, registered like anybody else's."""

from __future__ import annotations

from fsbench import Strategy, hookimpl
from fsbench_plugins.augment.augmentation import Augmentation
from fsbench_plugins.auxiliary_loss.dann import Dann
from fsbench_plugins.erm import Erm
from fsbench_plugins.fit.estimator import Sklearn
from fsbench_plugins.fit.protonet import Protonet
from fsbench_plugins.init_model.maml import Maml
from fsbench_plugins.init_model.transfer import Transfer
from fsbench_plugins.loss.focal import Focal
from fsbench_plugins.resample.resampling import Resampling


@hookimpl
def fsbench_strategies() -> list[type[Strategy]]:
    """The bundled strategies."""
    return [Augmentation, Dann, Erm, Focal, Maml, Protonet, Resampling, Sklearn, Transfer]
