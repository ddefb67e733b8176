"""Supervised transfer: a body trained on other data, a new head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from fsbench import (
    Context,
    Fitted,
    LabeledSet,
    Recipe,
    Strategy,
    TaskInfo,
    find_weights,
    param,
    source_problem,
    weights_hash,
    weights_problem,
)
from fsbench_plugins._source import train_on_source
from fsbench_plugins._unfreezing import gradually, head_first, release

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Transfer(Strategy):
    """Starts from a body trained on the task's source data, or on pretrained weights (Yosinski et al. 2014).

    The body is trained by plain cross-entropy with a head for the source classes, for `source_steps` steps of
    the recipe, or `source_passes` over the source if that takes more, on inputs converted to the task's
    shape. The task gets a new head, the same with which plain training starts. With `weights`, nothing is
    trained on the source: `imagenet` means the pretrained weights of the recipe's backbone,
    `"ResNet18_Weights.IMAGENET1K_V1"` torchvision's weights of that name, and anything else is the path of a
    `state_dict()` written by `torch.save`. `backbone` takes the place of the recipe's and sees images at its
    own resolution, so `transfer(backbone=efficientnet_lite0, weights=imagenet, mode=frozen_then_finetune)` is
    LP-FT on what `probe` uses.

    `mode` says what is then trained in the recipe's steps: `finetune` trains everything; `linear_probe` only
    the head, while the body and the statistics of its normalisation layers stay unchanged;
    `frozen_then_finetune` the head for the fraction `head_share` of the steps, then everything (Kumar et al.
    2022), each part with a separate schedule; `gradual` first the head, then also the last layer of the body,
    then the one before it, and so on, with equal parts of the steps (Howard & Ruder 2018). If the body is
    trained, its learning rate is `backbone_lr_scale` times that of the head (discriminative fine-tuning,
    Howard & Ruder 2018); `none` means 1 for a body from the source, and 0.01 for pretrained weights, whose
    rates also rise at the beginning. Batch normalisation of pretrained weights keeps its statistics and
    scales: a short training cannot learn others.

    On a `shift` task with target labels, `target_only` fine-tunes only on the target samples, because the
    body was already trained on the source samples.
    """

    name = "transfer"
    results_version = "3"
    cite = (
        "Yosinski, J., Clune, J., Bengio, Y. and Lipson, H. (2014). How transferable are features in deep "
        "neural networks? NeurIPS 27. Learning rates, gradual: Howard, J. and Ruder, S. (2018). "
        "Universal language model fine-tuning for text classification. ACL. frozen_then_finetune: Kumar, A., "
        "Raghunathan, A., Jones, R., Ma, T. and Liang, P. (2022). Fine-tuning can distort pretrained "
        "features and underperform out-of-distribution. ICLR."
    )
    family = "fine_tuning"
    in_core = True
    replaces = frozenset({"init_model"})
    pretrained_lr_scale = 0.01

    mode: Literal["finetune", "linear_probe", "frozen_then_finetune", "gradual"] = "finetune"
    source_steps: int = param(300, low=1)
    source_passes: int = param(3, low=0)
    backbone_lr_scale: float | None = param(None, low=0.0, tune=(0.01, 1.0))
    head_share: float = param(0.5, low=0.0, high=1.0)
    target_only: bool = True
    weights: str | None = None
    backbone: str | None = param(None, backbone=True)

    @property
    def uses(self) -> frozenset[str]:
        """The source data, or the given weights."""
        return frozenset({"source" if self.weights is None else "pretrained"})

    @property
    def content_hash(self) -> str:
        """The hash of the weights file, or the weights' name."""
        return "" if self.weights is None else weights_hash(self.weights, self.backbone)

    def skip(self, task: TaskInfo) -> str | None:
        """The strategy needs something to transfer, and labels to adapt to."""
        if self.weights is not None:
            return None if self.backbone is None else weights_problem(self.backbone, self.weights)
        if problem := source_problem(task):
            return problem
        if not task.labels_on_target and self.target_only:
            return "no labelled target samples to adapt to"
        return None

    def check_recipe(self, recipe: Recipe) -> None:
        """Raise UsageError if the backbone does not have the named weights."""
        if self.weights is not None:
            find_weights(self.backbone or recipe.backbone, self.weights)

    def narrow(self, task: TaskInfo) -> TaskInfo:
        """With `target_only`, only target samples remain."""
        alone = self.weights is None and self.target_only
        return replace(task, labels_on_source=False) if alone else task

    def configure(self, recipe: Recipe, ctx: Context) -> Recipe:
        """A backbone of its own, if one is given, and a separate learning rate for the body."""
        scale, schedule = self.backbone_lr_scale, recipe.schedule
        if self.weights is not None:
            scale = self.pretrained_lr_scale if scale is None else scale
            schedule = "warmup_cosine" if schedule == "cosine" else schedule
        return replace(
            recipe,
            backbone=self.backbone or recipe.backbone,
            backbone_lr_scale=recipe.backbone_lr_scale * (1.0 if scale is None else scale),
            schedule=schedule,
        )

    def resample(self, train: LabeledSet, ctx: Context) -> LabeledSet:
        """The target samples, if both domains are labelled and the body was trained on the source."""
        if train.domain is None or self.weights is not None or not self.target_only:
            return train
        return train.select(train.domain == 1)

    def init_model(self, model: nn.Module, ctx: Context) -> nn.Module:
        """The model with a body trained on the source, or with the given weights."""
        body = model.get_submodule("body")
        if self.weights is None:
            train_on_source(body, ctx, self.source_steps, self.source_passes)
        else:
            ctx.load_weights(self.weights, into=body)
            ctx.note(f"weights {self.content_hash}")
        self._release(body, self.mode != "linear_probe")
        return model

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        """Train in one part, or in several that share the recipe's steps."""
        if self.mode == "gradual":
            return gradually(train, inner, ctx, self._release, self.name)
        if self.mode == "frozen_then_finetune":
            return head_first(train, inner, ctx, self.head_share, self._release, self.name)
        return inner(train)

    def _release(self, body: nn.Module, trained: bool) -> None:
        release(body, trained, pretrained=self.weights is not None)
