"""R7: EDA on five sets of texts."""

from __future__ import annotations

import numpy as np

from benchmarks.reference.rows import Band, Line, Options, Outcome, Row
from benchmarks.reference.running import Measured, differences, trial_seconds

SETS = ("sst2", "cr", "subj", "trec", "pc")
_SEEDS, _STEPS = 3, 400
_RECIPE = {
    "backbone": "text_cnn",
    "steps": _STEPS,
    "batch_size": 32,
    "optimizer": "adamw",
    "lr": 0.003,
    "dropout": 0.5,
}
_EDA = {500: "eda(alpha=0.05, copies=16)", 2000: "eda(alpha=0.05, copies=8)"}
_LINEAR = "logistic_regression"
_CNN = {500: "convolutional 78.6 → 80.7; both networks 76.9 → 79.9", 2000: "-"}


class _Size:
    """The accuracies in percent with the subsets of one size: of each set, the mean over seeds."""

    def __init__(self, options: Options, size: int) -> None:
        self.tasks = [f"holdout({name}(train={size}), val=0)" for name in SETS]
        self.eda = _EDA[size]
        specs = f"erm, {self.eda}, {_LINEAR}, {self.eda}+{_LINEAR}"
        self.measured = Measured(options, ", ".join(self.tasks), specs, _SEEDS, _RECIPE)

    def values(self, spec: str) -> list[float]:
        """One value for each set."""
        return [float(np.mean(self.measured.metric(task, spec))) for task in self.tasks]

    def gain(self, spec: str = "erm") -> list[float]:
        """What EDA adds to a strategy, for each set."""
        with_eda = self.eda if spec == "erm" else f"{self.eda}+{spec}"
        return differences(self.values(with_eda), self.values(spec))


def eda(options: Options) -> Outcome:
    """The gain of EDA with 500 and with 2,000 training texts, or with one of these numbers."""
    sizes = {size: _Size(options, size) for size in _EDA if options.only in ("", str(size))}
    lines, notes = [], []
    for size, found in sizes.items():
        band = Band(0.0) if size == 500 else None
        lines += [
            Line(f"{size} texts, plain", _CNN[size], found.values("erm"), "sets"),
            Line(f"{size} texts, gain of EDA", "3.0" if size == 500 else "1.2", found.gain(), "sets", band),
            Line(f"{size} texts, logistic regression", "-", found.values(_LINEAR), "sets"),
            Line(f"{size} texts, logistic regression, gain of EDA", "-", found.gain(_LINEAR), "sets"),
        ]
        by_set = ", ".join(f"{name} {gain:+.1f}" for name, gain in zip(SETS, found.gain(), strict=True))
        notes.append(f"gain of EDA with {size} texts: {by_set}")
    if len(sizes) == len(_EDA):
        smaller = differences(sizes[500].gain(), sizes[2000].gain())
        lines.append(Line("gain at 500 minus gain at 2,000", "1.8", smaller, "sets", Band(0.0)))
    notes.append(
        f"the network is text_cnn with vectors learned from scratch (theirs were pretrained), {_STEPS} steps "
        "of 32 with and without EDA (theirs trained until a validation part stopped improving); copies are "
        "made once, before training; seeds are initial weights, batches and copies"
    )
    runs = [size.measured for size in sizes.values()]
    return Outcome(lines, runs[0].device, trial_seconds(*runs), notes)


R7 = Row(
    "R7",
    "EDA on texts",
    "The five sets and subsets of Wei and Zou (2019), their test parts; synonyms of WordNet 3.0; 16 copies "
    f"of each text at alpha 0.05 for 500 texts, 8 for 2,000; {_SEEDS} seeds.",
    eda,
    parts=tuple(map(str, _EDA)),
)
