"""R8: adaptation between MNIST and USPS without the source data."""

from __future__ import annotations

from benchmarks.reference.rows import Band, Line, Options, Outcome, Row
from benchmarks.reference.running import Measured, trial_seconds

_STEPS = 1000
# Task, source only, SHOT-IM and SHOT in Liang et al. 2020.
_TASKS = {
    "usps-mnist": ("shift(usps(size=28), mnist)", "88.0", "97.6", "98.0"),
    "mnist-usps": ("shift(mnist, usps(size=28))", "79.7", "97.7", "97.9"),
}
RECIPE = {
    "backbone": "lenet(norm=batch, padding=valid)",
    "steps": _STEPS,
    "batch_size": 64,
    "optimizer": "adam",
    "lr": 1e-3,
    "weight_decay": 0.0,
    "schedule": "cosine",
}
_SOURCE = "augmentation"
_IM = f"shot(pseudo=0.0, adapt_steps={_STEPS}, lr_scale=1.0)+{_SOURCE}"
_FULL = f"shot(pseudo=0.1, adapt_steps={_STEPS}, lr_scale=1.0, refreshes=4)+{_SOURCE}"
_BAND = Band(95)


def shot(options: Options) -> Outcome:
    """SHOT with and without pseudo-labels, and training on the source alone, in both directions."""
    lines, runs = [], []
    for name in [options.only] if options.only else _TASKS:
        task, source, im, full = _TASKS[name]
        measured = Measured(options, task, f"{_SOURCE}, {_IM}, {_FULL}", 1 if options.short else 3, RECIPE)
        runs.append(measured)
        way = name.upper().replace("-", "→")
        for what, spec, known, band in (
            ("source only", "erm", "-", None),
            ("source only", _SOURCE, source, None),
            ("SHOT-IM", _IM, im, _BAND),
            ("SHOT", _FULL, full, _BAND),
        ):
            values = measured.metric(task, spec)
            lines.append(Line(f"{way}, {what}, `{spec}`", known, values, "seeds", band))
    notes = [
        "last iterate; no target label is seen in training or chosen by",
        "the authors' code moves and rotates USPS as a source only; `augmentation` changes all images",
        "the head is linear, on a layer of 500; the paper's has normalised weights, on a layer of 256",
    ]
    return Outcome(lines, runs[0].device, trial_seconds(*runs), notes)


R8 = Row(
    "R8",
    "SHOT between USPS and MNIST",
    f"LeNet with batch normalisation at 28x28, {_STEPS} steps of 64 on the source with label smoothing 0.1, "
    f"then {_STEPS} steps of 64 on the target without labels; Adam 1e-3 with a cosine to 0.",
    shot,
    short="one seed",
    parts=tuple(_TASKS),
)
