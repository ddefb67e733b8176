"""R4: plain training on 50 images per class of ciFAIR-10. It needs a GPU."""

from __future__ import annotations

from benchmarks.reference.rows import Band, Line, Options, Outcome, Row
from benchmarks.reference.running import Measured, trial_seconds

_EPOCHS, _BATCH, _SAMPLES = 500, 10, 500
RECIPE = {
    "backbone": "wrn-16-8",
    "steps": _EPOCHS * _SAMPLES // _BATCH,
    "batch_size": _BATCH,
    "optimizer": "sgd",
    "lr": 4.55e-3,
    "momentum": 0.9,
    "weight_decay": 5.29e-3,
    "schedule": "cosine",
}
# Crops after padding by 4 of 32 pixels are shifts by up to an eighth of the side.
_CROP_AND_FLIP = (
    "augmentation(crop=0, flip=0.5, rotation=0, scale=0, translation=0.125, padding=reflection, "
    "brightness=0, contrast=0, saturation=0, noise=0)"
)


def cross_entropy(options: Options) -> Outcome:
    """Cross-entropy with crop and flip on the first three DEIC splits."""
    task = "blocks(cifair10, k=50)"
    measured = Measured(options, task, _CROP_AND_FLIP, 3, RECIPE)
    found = measured.metric(task, _CROP_AND_FLIP, "balanced_accuracy")
    plain = measured.metric(task, "erm", "balanced_accuracy")
    lines = [
        Line("split 0", "58.22", found[:1], "split", Band(55, 60)),
        Line("three splits", "55.18", found, "splits", Band(53, 58)),
        Line("without crop and flip", "-", plain, "splits"),
    ]
    return Outcome(
        lines,
        measured.device,
        trial_seconds(measured),
        ["inputs are moved by the backbone's mean and deviation"],
    )


R4 = Row(
    "R4",
    "cross-entropy with crop and flip, ciFAIR-10, 50 a class",
    "WRN-16-8, 500 epochs of batches of 10, SGD 4.55e-3 with momentum 0.9 and weight decay 5.29e-3, cosine "
    "to 0, reflect-pad-4 crop and flip; balanced accuracy.",
    cross_entropy,
)
