"""R6: identities between losses, in value and gradient, and between resampling methods."""

from __future__ import annotations

import functools
import platform
import time
from collections.abc import Callable
from importlib import metadata

import numpy as np
import torch
from imblearn.over_sampling import SMOTE
from torch.nn import functional as F
from torchvision.ops import sigmoid_focal_loss

from benchmarks.reference.rows import Band, Line, Options, Outcome, Row
from fsbench import Fitted, laws
from fsbench.engine.context import EngineContext
from fsbench.engine.device import describe
from fsbench.engine.state import TrialState
from fsbench.engine.trial import labeled_set
from fsbench.recipes.recipe import default_recipe
from fsbench.registry import Registry, load_registry
from fsbench.types import LabeledSet, TaskInfo
from fsbench.wrapping import cross_entropy

_CPU = torch.device("cpu")
_TRIES, _SAMPLES = 20, 64
Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@functools.cache
def _registry() -> Registry:
    """The installed strategies."""
    registry = load_registry()
    registry.check_loaded()
    return registry


def _loss_of(spec: str, classes: int) -> Loss:
    """The composed loss of a spec, as the engine computes it, with equally many labels per class."""
    (composition,) = _registry().parse(spec)
    info = TaskInfo("identities", "kshot", "table", (2,), classes)
    state = TrialState(("identities", 0, 0), info, composition, default_recipe(info), _CPU)
    state.class_counts = torch.full((classes,), 8.0)
    ctx, none = EngineContext(state), LabeledSet(torch.zeros(0, classes), torch.zeros(0, classes))
    fitted = laws.postprocess(composition, Fitted(lambda logits: logits), none, ctx)
    return lambda logits, targets: laws.loss(composition, fitted.predict(logits), targets, ctx)


def _binary_focal(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """torchvision's focal loss, for two classes: its logit is the difference of the two logits."""
    return sigmoid_focal_loss(logits[:, 1] - logits[:, 0], targets[:, 1], alpha=-1, gamma=2)


def _worst(ours: Loss, theirs: Loss, classes: int) -> tuple[list[float], list[float]]:
    """The largest difference in value and in gradient of each try, relative to the largest of `theirs`."""
    rng = np.random.default_rng(6)
    in_value, in_gradient = [], []
    for _ in range(_TRIES):
        logits = torch.tensor(4 * rng.normal(size=(_SAMPLES, classes)), requires_grad=True)
        targets = F.one_hot(torch.tensor(rng.integers(classes, size=_SAMPLES)), classes).double()
        found, wanted = ours(logits, targets), theirs(logits, targets)
        slopes = [torch.autograd.grad(value.mean(), logits)[0] for value in (found, wanted)]
        in_value.append(_relative(found, wanted))
        in_gradient.append(_relative(*slopes))
    return in_value, in_gradient


def _relative(found: torch.Tensor, wanted: torch.Tensor) -> float:
    return float(((found - wanted).abs().max() / wanted.abs().max()).detach())


def _smote() -> list[float]:
    """The largest difference between `resampling` and a direct call of imbalanced-learn, in each try."""
    worst = []
    (composition,) = _registry().parse("resampling(method=smote, k_neighbors=3)")
    for seed in range(_TRIES):
        rng = np.random.default_rng(seed)
        y = np.repeat([0, 1], [40, 10])
        x = (rng.normal(size=(50, 4)) + y[:, None]).astype(np.float32)
        info = TaskInfo("identities", "longtail", "table", (4,), 2)
        state = TrialState(("identities", seed, 0), info, composition, default_recipe(info), _CPU)
        ctx = EngineContext(state).scoped(composition.components[0], "resample")
        found = laws.resample(composition, labeled_set("table", x, y, 2, _CPU), EngineContext(state))
        theirs, labels = SMOTE(k_neighbors=3, random_state=ctx.rng.seed()).fit_resample(x, y)
        assert np.array_equal(found.y.numpy(), labels), "the labels differ"
        worst.append(float(np.abs(found.x.numpy() - theirs).max()))
    return worst


def identities(options: Options) -> Outcome:
    """Losses that reduce to cross-entropy, focal against torchvision, SMOTE against imbalanced-learn."""
    pairs: list[tuple[str, str, Loss, int]] = [
        ("focal, gamma 0 = cross-entropy", "focal(gamma=0)", cross_entropy, 5),
        (
            "class weights of equal classes = cross-entropy",
            "focal(gamma=0, alpha=balanced)",
            cross_entropy,
            5,
        ),
        ("OHEM that keeps all = cross-entropy", "ohem(keep=1)", cross_entropy, 5),
        ("temperature 1 = cross-entropy", "temperature(value=1)", cross_entropy, 5),
        ("focal of two classes = torchvision's sigmoid_focal_loss", "focal(gamma=2)", _binary_focal, 2),
    ]
    begin, lines = time.perf_counter(), []
    for what, spec, theirs, classes in pairs:
        for kind, values in zip(
            ("value", "gradient"), _worst(_loss_of(spec, classes), theirs, classes), strict=True
        ):
            lines.append(_line(f"{what}, {kind}", values, 1e-12))
    lines.append(_line("SMOTE = imbalanced-learn's, samples", _smote(), 0.0))
    versions = ", ".join(
        f"{name} {metadata.version(name)}" for name in ("torch", "torchvision", "imbalanced-learn")
    )
    device = f"{describe(_CPU) or platform.machine()}, {versions}"
    return Outcome(lines, device, time.perf_counter() - begin)


def _line(what: str, values: list[float], most: float) -> Line:
    return Line(
        what, "equal", [max(values)], f"draw, the worst of {len(values)}", Band(None, most), digits=None
    )


R6 = Row(
    "R6",
    "identities",
    f"Largest relative difference over {_TRIES} draws of {_SAMPLES} float64 logits (samples of SMOTE: "
    "absolute, float32); equal means to rounding, 1e-12.",
    identities,
)
