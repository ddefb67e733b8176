"""The strategies that come with fsbench, registered like those of any other plugin."""

from __future__ import annotations

from fsbench import Strategy, hookimpl
from fsbench_plugins.augmentation import Augmentation
from fsbench_plugins.dann import Dann
from fsbench_plugins.erm import Erm
from fsbench_plugins.focal import Focal
from fsbench_plugins.maml import Maml
from fsbench_plugins.protonet import Protonet
from fsbench_plugins.resampling import Resampling
from fsbench_plugins.sklearn import Sklearn
from fsbench_plugins.transfer import Transfer


@hookimpl
def fsbench_strategies() -> list[type[Strategy]]:
    """The bundled strategies."""
    return [Augmentation, Dann, Erm, Focal, Maml, Protonet, Resampling, Sklearn, Transfer]
