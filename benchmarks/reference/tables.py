"""R5: SMOTE and random oversampling on imbalanced tables."""

from __future__ import annotations

import itertools

import numpy as np

from benchmarks.reference.rows import Band, Line, Options, Outcome, Row
from benchmarks.reference.running import Measured, differences, trial_seconds
from fsbench.datasets.known import dataset_info, dataset_names, family

_LEAST_RATIO, _LEAST_MINORITY, _SETS = 9, 10, 20
_FOLDS = 5
_LR, _STRONG, _AUC = "logistic regression", "random forest", "auroc"
_MODELS = {
    "logistic regression": "sklearn(estimator=logistic_regression)",
    "5-NN": "sklearn(estimator=knn, n_neighbors=5)",
    "random forest": "sklearn(estimator=random_forest)",
}
_METHODS = {"SMOTE": "resampling(method=smote, k_neighbors=3)", "random": "resampling(method=random_over)"}


def imbalanced() -> dict[str, float]:
    """The imbalance ratio of every imbalanced KEEL set with enough samples of the minority class."""
    ratios = {}
    for name in dataset_names():
        if name.startswith("keel-"):
            counts = dataset_info(name).class_counts
            ratio = max(counts) / min(counts)
            if len(counts) == 2 and ratio >= _LEAST_RATIO and min(counts) >= _LEAST_MINORITY:
                ratios[name] = ratio
    return ratios


def chosen(ratios: dict[str, float]) -> list[str]:
    """The most imbalanced set of each family, for the first families in alphabetical order."""
    first: dict[str, str] = {}
    for name in sorted(ratios, key=lambda n: (-ratios[n], n)):
        first.setdefault(family(name), name)
    return [first[of] for of in sorted(first)][:_SETS]


class _Grid:
    """A metric of every model, with and without resampling, on every set, in [0, 1]."""

    def __init__(self, options: Options, names: list[str], models: dict[str, str]) -> None:
        self.tasks = [f"folds({name}, n={_FOLDS})" for name in names]
        self.models = models
        specs = [
            s for model in models.values() for s in (model, *(f"{m}+{model}" for m in _METHODS.values()))
        ]
        # The network of the baseline does not matter here: one step.
        self.measured = Measured(options, ", ".join(self.tasks), ", ".join(specs), _FOLDS, {"steps": 1})

    def values(self, model: str, method: str | None, metric: str = "balanced_accuracy") -> list[float]:
        """One value per set, the mean over its folds."""
        spec = self.models[model] if method is None else f"{_METHODS[method]}+{self.models[model]}"
        return [float(np.mean(self.measured.metric(task, spec, metric))) / 100 for task in self.tasks]

    def gain(self, model: str, method: str, metric: str = "balanced_accuracy") -> list[float]:
        """The difference that resampling makes, one value per set."""
        return differences(self.values(model, method, metric), self.values(model, None, metric))


def oversampling(options: Options) -> Outcome:
    """The gain from oversampling for weak and strong classifiers, on sets chosen before any was examined."""
    ratios = imbalanced()
    names = chosen(ratios)
    lines = []
    grid = _Grid(options, names, _MODELS)
    for method in _METHODS:
        lines += [
            _line(
                f"{_LR}, {method}: balanced accuracy",
                "+.15 to +.19",
                grid.gain(_LR, method),
                Band(0.15, 0.19),
            ),
            _line(f"{_LR}, {method}: AUC", "change < .01", grid.gain(_LR, method, _AUC), Band(-0.01, 0.01)),
            _line(
                f"{_LR}, {method}: AUC, size of the change",
                "-",
                np.abs(grid.gain(_LR, method, _AUC)).tolist(),
            ),
            _line(f"5-NN, {method}: AUC", "+.02", grid.gain("5-NN", method, _AUC), Band(0.01, 0.03)),
            _line(f"{_STRONG}, {method}: AUC", "no gain", grid.gain(_STRONG, method, _AUC)),
            _line(f"{_STRONG}, {method}: balanced accuracy", "-", grid.gain(_STRONG, method)),
        ]
    both = [grid.gain(_LR, method) for method in _METHODS]
    lines.append(_line(f"{_LR}, SMOTE - random: balanced accuracy", "about equal", differences(*both)))
    lines.append(_line(f"{_LR} alone: balanced accuracy", "-", grid.values(_LR, None)))
    weaker = "logistic regression with C=0.01"
    regularised = _Grid(options, names, {weaker: "sklearn(C=0.01)"})
    lines.append(_line(f"{weaker}, SMOTE: balanced accuracy", "-", regularised.gain(weaker, "SMOTE")))
    every = _Grid(options, sorted(ratios), {_LR: _MODELS[_LR]})
    lines += _where_it_helps(every)
    seconds = trial_seconds(grid.measured, regularised.measured, every.measured)
    notes = [
        "the strong learner is scikit-learn's random forest",
        f"sets: {', '.join(name.removeprefix('keel-') for name in names)}",
    ]
    return Outcome(lines, grid.measured.device, seconds, notes)


def _where_it_helps(grid: _Grid) -> list[Line]:
    """The gain on every imbalanced set, grouped by the result of logistic regression without resampling."""
    alone, gain = np.array(grid.values(_LR, None)), np.array(grid.gain(_LR, "SMOTE"))
    lines = [_line("all imbalanced sets, SMOTE: balanced accuracy", "-", gain.tolist())]
    for low, high in itertools.pairwise((0.0, 0.75, 0.9, 1.01)):
        part = gain[(alone >= low) & (alone < high)].tolist()
        where = f"below {high}" if low == 0 else f"{low} or more" if high > 1 else f"{low} to {high}"
        lines.append(_line(f"those of {where} without resampling", "-", part))
    return lines


def _line(what: str, published: str, values: list[float], band: Band | None = None) -> Line:
    return Line(what, published, values, "sets", band, digits=3)


R5 = Row(
    "R5",
    "oversampling of imbalanced tables",
    f"{_SETS} KEEL sets: of each family the most imbalanced one (ratio at least {_LEAST_RATIO}, at least "
    f"{_LEAST_MINORITY} samples of the minority), the first {_SETS} families of the alphabet, a rule "
    "set before any result was seen; 5 stratified folds, training folds resampled with k=3, standardised by "
    "the training folds; scikit-learn's defaults (C=1), decisions at probability 1/2.",
    oversampling,
)
