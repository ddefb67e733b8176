"""A classifier on the features of a pretrained body."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from fsbench import (
    Batch,
    Context,
    Fitted,
    LabeledSet,
    Recipe,
    Strategy,
    TaskInfo,
    find_weights,
    param,
    weights_hash,
    weights_problem,
)

Classifier = Literal["logistic_regression", "cosine", "knn", "prototype", "linear"]
BODIES = {"image": "efficientnet_lite0", "text": "minilm"}
"""The bodies by default, by the kind of samples."""

_OWN_SIZE, _ENLARGED, _STEP = 224, 8, 32


@dataclass(frozen=True)
class Probe(Strategy):
    """A classifier on the features of a frozen pretrained body (Razavian et al. 2014).

    The body is a `backbone` of its own, not that of the recipe, with `weights` as `transfer` takes them: by
    default, `efficientnet_lite0` for images and `minilm`, an encoder of sentences, for texts. It sees images
    as large as they are stored, resized to its own resolution: 224 pixels, or `size`. Images of fewer than 28
    pixels are enlarged eight times only; more would cost time and not help. Each feature is computed once for
    all trials.

    `classifier`: `logistic_regression`, whose inverse regularisation is `C` or, by default, is chosen by
    stratified cross-validation on the training part (on 1000 samples at most); `cosine`, a softmax over
    scaled cosines to trained class weights (Chen et al. 2019); `knn`, the `n_neighbors` samples with the
    largest cosines; `prototype`, cosines to the mean of each class (Snell et al. 2017); `linear`, a linear
    layer trained by the recipe, on which losses act. Another component that fits takes their place, as in
    `probe+sklearn(estimator=svm)`.

    Beside a component that augments, the training part also contains `views` augmented copies of each sample.
    Components that change the training set change features: SMOTE adds samples between them.
    """

    name = "probe"
    results_version = "2"
    cite = (
        "Razavian, A. S., Azizpour, H., Sullivan, J. and Carlsson, S. (2014). CNN features off-the-shelf: an "
        "astounding baseline for recognition. CVPR workshops. Cosine: Chen, W.-Y., Liu, Y.-C., Kira, Z., "
        "Wang, Y.-C. F. and Huang, J.-B. (2019). A closer look at few-shot classification. ICLR. Prototype: "
        "Snell, J., Swersky, K. and Zemel, R. (2017). Prototypical networks for few-shot learning. NeurIPS."
    )
    family = "fine_tuning"
    in_core = True
    kinds = frozenset(BODIES)
    yields = frozenset({"fit"})

    backbone: str | None = param(None, backbone=True)
    weights: str = "pretrained"
    size: int | None = param(None, low=32)
    views: int = param(4, low=0)
    classifier: Classifier = param("logistic_regression", stage="fit")
    C: float | None = param(None, low=1e-6, stage="fit")
    n_neighbors: int = param(5, low=1, stage="fit")

    @property
    def uses(self) -> frozenset[str]:
        """The pretrained weights."""
        return frozenset({"pretrained"})

    @property
    def content_hash(self) -> str:
        """The hash of the weights file, or the weights' name; of all bodies that may be chosen by default."""
        bodies = BODIES.values() if self.backbone is None else [self.backbone]
        return "#".join(dict.fromkeys(weights_hash(self.weights, body) for body in bodies))

    def _body(self, kind: str) -> str:
        return BODIES.get(kind, "") if self.backbone is None else self.backbone

    def skip(self, task: TaskInfo) -> str | None:
        """The weights must be at hand, and for this kind of samples."""
        return weights_problem(self._body(task.kind), self.weights, task.kind)

    def check_recipe(self, recipe: Recipe) -> None:
        """Raise UsageError if the backbone does not have the named weights."""
        if self.backbone is not None:
            find_weights(self.backbone, self.weights)

    def configure(self, recipe: Recipe, ctx: Context) -> Recipe:
        """A network on features, for components that train one."""
        return replace(recipe, backbone="linear" if self.classifier == "linear" else "mlp")

    def embed(self, batch: Batch, ctx: Context) -> Batch:
        """The features of the samples and, for training, of their augmented views."""
        import torch

        body = self._body(ctx.task.kind)
        features = ctx.pretrained_features(body, self.weights, self._size(ctx.task))
        batches = [batch, *(self._views(batch, ctx) if batch.role == "labeled" else ())]
        x = torch.cat([features(each.x) for each in batches])
        return replace(batch, x=x, targets=torch.cat([each.targets for each in batches]))

    def _size(self, task: TaskInfo) -> int | None:
        """The side to which images are resized; None for the body's own, and for other samples."""
        side = _ENLARGED * max(task.input_shape[1:], default=_OWN_SIZE)
        if self.size is not None or side >= _OWN_SIZE:
            return self.size
        return -(-side // _STEP) * _STEP

    def _views(self, batch: Batch, ctx: Context) -> Iterator[Batch]:
        """Augmented copies of a batch; none if no component augments."""
        for number in range(self.views):
            with ctx.entering(f"view {number}"):
                view = ctx.augment(batch)
            if view is batch:
                return
            yield view

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        """The predictor of the classifier."""
        if self.classifier == "linear":
            return inner(train)
        from fsbench_plugins import _feature_classifiers as classifiers

        match self.classifier:
            case "logistic_regression":
                return classifiers.logistic_regression(train, self.C, ctx)
            case "cosine":
                return classifiers.cosine(train)
            case "knn":
                return classifiers.nearest(train, self.n_neighbors, ctx)
            case "prototype":
                return classifiers.prototype(train)
