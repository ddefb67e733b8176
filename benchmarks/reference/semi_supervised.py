"""R9: MNIST with ten labels of each class, and the other images without labels."""

from __future__ import annotations

from benchmarks.reference.rows import Band, Line, Options, Outcome, Row
from benchmarks.reference.running import Measured, trial_seconds

TASK = "kshot(mnist, k=10, val=0, unlabeled=all)"
_STEPS = 1000
# Errors in percent: Miyato et al. (2018) with dense layers; what the others reach with convolutions.
_SPECS = {
    "vat": "1.36",
    "pseudo_label": "below 2.5",
    "mean_teacher": "below 2.5",
    "fixmatch": "below 2.5",
}
RECIPE = {
    "backbone": "lenet(norm=batch, padding=valid)",
    "steps": _STEPS,
    "batch_size": 32,
    "unlabeled_batch_size": 128,
    "optimizer": "adam",
    "lr": 1e-3,
    "weight_decay": 0.0,
    "schedule": "cosine",
}
_BEST, _HALF = Band(None, 2.5), Band(None, 0.5)


def semi_supervised(options: Options) -> Outcome:
    """The errors of four strategies for unlabelled data, and of plain training on the labels."""
    specs = {options.only: _SPECS[options.only]} if options.only else _SPECS
    measured = Measured(options, TASK, ", ".join(specs), 1 if options.short else 3, RECIPE)
    errors = {spec: [100 - value for value in measured.metric(TASK, spec)] for spec in ("erm", *specs)}
    plain = errors.pop("erm")
    lines = [Line("`erm`, error", "-", plain, "draws")]
    for spec, found in errors.items():
        share = [error / alone for error, alone in zip(found, plain, strict=True)]
        lines.append(Line(f"`{spec}`, error", specs[spec], found, "draws"))
        lines.append(Line(f"`{spec}`, error as a share of `erm`'s", "-", share, "draws", _HALF, digits=2))
    best = min(errors.values(), key=sum)
    lines.append(Line("the best of them, error", "at most 2.5", best, "draws", _BEST))
    notes = ["the labelled images are drawn anew for each split seed; MNIST's own test part; last iterate"]
    return Outcome(lines, measured.device, trial_seconds(measured), notes)


R9 = Row(
    "R9",
    "100 labels of MNIST",
    "10 labels of each class, the other 59,900 images without labels; LeNet with batch normalisation, "
    f"{_STEPS} steps of 32 labelled and 128 unlabelled images, Adam 1e-3 with a cosine to 0. "
    "Errors in percent.",
    semi_supervised,
    short="one draw",
    parts=tuple(_SPECS),
)
