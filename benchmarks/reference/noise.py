"""R10: training on MNIST with wrong labels."""

from __future__ import annotations

from benchmarks.reference.rows import Band, Line, Options, Outcome, Row
from benchmarks.reference.running import Measured, differences, trial_seconds

_K, _STEPS = 200, 1000
# What Han et al. (2018) report of plain training and of co-teaching, and the rate that the latter is told.
_NOISE = {
    "symmetric50": ("symmetric 50 %", f"noisy(mnist, k={_K}, rate=0.5)", "66.1", "91.7", 0.5),
    "symmetric20": ("symmetric 20 %", f"noisy(mnist, k={_K}, rate=0.2)", "79.6", "97.7", 0.2),
    "pair45": ("pair 45 %", f"noisy(mnist, k={_K}, rate=0.45, kind=asymmetric)", "56.5", "87.6", 0.45),
}
RECIPE = {
    "backbone": "mlp(width=256)",
    "steps": _STEPS,
    "batch_size": 128,
    "optimizer": "adamw",
    "lr": 1e-3,
    "weight_decay": 0.0,
    "schedule": "constant",
}
_BANDED, _GAIN = "symmetric50", Band(10)


def noise(options: Options) -> Outcome:
    """Co-teaching and generalised cross-entropy beside plain training."""
    lines, runs = [], []
    for name in [options.only] if options.only else _NOISE:
        what, task, plain, published, rate = _NOISE[name]
        specs = {f"coteaching(rate={rate})": published, "gce": "-"}
        measured = Measured(options, task, ", ".join(specs), 1 if options.short else 3, RECIPE)
        runs.append(measured)
        alone = measured.metric(task, "erm")
        lines.append(Line(f"{what}, `erm`", plain, alone, "seeds"))
        for spec, known in specs.items():
            found, band = measured.metric(task, spec), _GAIN if name == _BANDED else None
            lines.append(Line(f"{what}, `{spec}`", known, found, "seeds"))
            lines.append(Line(f"{what}, `{spec}` - `erm`", "-", differences(found, alone), "seeds", band))
    return Outcome(
        lines,
        runs[0].device,
        trial_seconds(*runs),
        [
            "the paper trains nine layers for 200 epochs on all 60,000 images; here it is an MLP on "
            f"{_K} labels of each class for {_STEPS * 128 / (10 * _K):.0f} epochs",
            "last iterate, not the mean over the last epochs; no epoch is chosen",
        ],
    )


R10 = Row(
    "R10",
    "wrong labels on MNIST",
    f"{_K} labels of each class, some wrong: of any other class (symmetric) or of the next one (pair); "
    f"an MLP of width 256, {_STEPS} steps of 128, AdamW 1e-3, constant; tested on MNIST's own test part with "
    "right labels. Co-teaching is told the rate, as in the paper.",
    noise,
    short="one seed",
    parts=tuple(_NOISE),
)
