"""Matching networks: attention over the labelled samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsbench import param
from fsbench_plugins._episodic import Episodic

if TYPE_CHECKING:
    from fsbench_plugins._episodes import Rule


@dataclass(frozen=True)
class Matching(Episodic):
    """Matching networks (Vinyals et al. 2016): the labels of similar samples, in a meta-trained embedding.

    The probability of a class is the share of the attention that its labelled samples get: the softmax, over
    all labelled samples, of `scale` times the cosine of the features. The paper has no scale, with which
    probabilities of many samples are nearly equal, and reads the samples once more by an LSTM (full context
    embeddings), which is not here. The meta-training is that of `protonet`.
    """

    name = "matching"
    results_version = "3"
    cite = (
        "Vinyals, O., Blundell, C., Lillicrap, T., Kavukcuoglu, K. and Wierstra, D. (2016). Matching "
        "networks for one shot learning. NeurIPS 29."
    )

    scale: float = param(20.0, low=0.1, tune=(2.0, 50.0))

    @property
    def rule(self) -> Rule:
        """The logarithms of the shares of attention."""
        from fsbench_plugins._comparisons import Attention

        return Attention(self.scale)
