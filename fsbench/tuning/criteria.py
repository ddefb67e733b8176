"""What compares configurations where no label of the target is known: logits on unlabelled inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from fsbench.types import TaskInfo


def infomax(logits: np.ndarray) -> float:
    """The mutual information of inputs and predicted classes in nats, of logits `[E, M, C]`.

    It is high if predictions are certain (their entropies are low) and varied (the entropy of their mean is
    high). Bridle, Heading & MacKay 1991, "Unsupervised classifiers, mutual information and 'phantom
    targets'", NeurIPS; to choose between adapted models: Musgrave, Belongie & Lim 2021, "Unsupervised domain
    adaptation: a reality check", arXiv:2111.15672.
    """
    from scipy.special import entr, softmax

    p = softmax(logits, axis=-1).reshape(-1, logits.shape[-1])
    return float(entr(p.mean(0)).sum() - entr(p).sum(-1).mean())


CRITERIA: Mapping[str, Callable[[np.ndarray], float]] = {"infomax": infomax}
"""By name: a function of finite float64 logits `[E, M, C]`, whose larger values are better."""

ON_INPUTS = "on unlabelled inputs of the target"


def needs_criterion(task: TaskInfo) -> bool:
    """Whether a task has unlabelled inputs of the target, and no label there."""
    return not task.labels_on_target and task.num_unlabeled > 0
