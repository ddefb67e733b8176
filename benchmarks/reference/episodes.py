"""R1, R2 and R11: few-shot episodes of Omniglot characters that were not seen in training."""

from __future__ import annotations

from benchmarks.reference.rows import Band, Line, Options, Outcome, Row
from benchmarks.reference.running import Measured, differences, trial_seconds

OMNIGLOT = "omniglot(size=28, rotations=true)"
# The baseline, which is part of every run, does not matter here: it trains for one step in each test episode.
_ONE_STEP = 1
_PAPERS_RATE = "meta_lr=0.001, halve_every=2000"

_PROTONET = {
    "5w1s": (5, 1, "98.8 (re-implementations 98.2 to 98.6)", Band(97.5)),
    "5w5s": (5, 5, "99.7 (99.4 to 99.6)", Band(99.2)),
    "20w1s": (20, 1, "96.0 (95.3 to 95.8)", Band(93.5)),
    "20w5s": (20, 5, "98.9 (98.6 to 98.7)", Band(98.0)),
}
_FULL, _SHORT = 2000, 150


def protonet(options: Options) -> Outcome:
    """ProtoNet in the four settings of Snell et al. 2017, table 1."""
    steps = _SHORT if options.short else _FULL
    number = 200 if options.short else 1000
    lines, device, seconds = [], "", 0.0
    for name in [options.only] if options.only else _PROTONET:
        way, shot, published, band = _PROTONET[name]
        task = f"episodes({OMNIGLOT}, way={way}, shot={shot}, n={number})"
        spec = (
            f"protonet(train_way=60, shot={shot}, queries=5, meta_steps={steps}, source_passes=0, "
            f"{_PAPERS_RATE})"
        )
        recipe = {"backbone": "conv4(width=64, norm=batch)", "steps": _ONE_STEP}
        measured = Measured(options, task, spec, 1, recipe)
        device, seconds = measured.device, seconds + trial_seconds(measured)
        values = measured.cells(task, spec)
        lines.append(Line(f"{way}-way {shot}-shot", published, values, "episodes", band, digits=2))
    return Outcome(
        lines, device, seconds, ["batch normalisation at test time: running averages of meta-training"]
    )


R1 = Row(
    "R1",
    "ProtoNet on Omniglot",
    "Conv4-64 on 28x28, episodes of 60 classes with 5 queries, the shot of the test, Adam 1e-3 halved "
    f"every 2000 episodes, {_FULL} episodes; 1200 characters and their rotations; 1000 test episodes of "
    "15 queries.",
    protonet,
    short=f"{_SHORT} training episodes, 200 test episodes",
    parts=tuple(_PROTONET),
)


def maml(options: Options) -> Outcome:
    """MAML, its first-order variant and ANIL, 5-way 1-shot."""
    conv4 = options.only == "conv4"
    steps, meta_lr = (60000, 1e-3) if conv4 else (2000 if options.short else 20000, 3e-3)
    published = "98.7 ± 0.4 (learn2learn 99.1)" if conv4 else "89.7 ± 1.1 (learn2learn 88.9)"
    backbone = "conv4(width=64, norm=batch)" if conv4 else "mlp(widths=[256, 128, 64, 64], norm=batch)"
    task = f"episodes({OMNIGLOT}, way=5, shot=1, queries=1, n={600 if options.short else 1000})"
    common = (
        f"inner_lr=0.4, inner_steps=1, adapt_steps=1, meta_batch=32, meta_steps={steps}, meta_lr={meta_lr}, "
        "shot=1, queries=1, transductive=true"
    )
    specs = {
        "second order": f"maml({common})",
        "first order": f"maml({common}, first_order=true)",
        "ANIL": f"maml({common}, anil=true)",
    }
    recipe = {"backbone": backbone, "steps": _ONE_STEP}
    measured = Measured(options, task, ", ".join(specs.values()), 1, recipe)
    found = {name: measured.cells(task, spec) for name, spec in specs.items()}
    exact = found["second order"]
    lines = [
        Line("second order", published, exact, "episodes", Band(97.5) if conv4 else Band(86, 91)),
        Line("first order", "-", found["first order"], "episodes"),
        Line("ANIL", "-", found["ANIL"], "episodes"),
        Line(
            "first order - second order",
            "within 3 points",
            differences(found["first order"], exact),
            "episodes",
            Band(-3, 3),
        ),
        Line(
            "ANIL - second order",
            "within 1.5 points",
            differences(found["ANIL"], exact),
            "episodes",
            Band(-1.5, 1.5),
        ),
    ]
    notes = [
        "transductive batch normalisation: statistics of the 5 queries of an episode, one of each class, in "
        "training and test, as published; another, easier problem than predicting one by one",
    ]
    return Outcome(lines, measured.device, trial_seconds(measured), notes)


R2 = Row(
    "R2",
    "MAML on Omniglot, 5-way 1-shot",
    "Fully connected network (256, 128, 64, 64, batch normalisation), 20000 steps of 32 episodes, one inner "
    "step at 0.4 in training and test, Adam 3e-3; `--only conv4`: Conv4-64, 60000 steps, Adam 1e-3 (wants "
    "a GPU).",
    maml,
    short="2000 steps, 600 test episodes",
    parts=("conv4",),
)


_COMPARED = {
    "5w1s": (5, "98.1", Band(97)),
    "20w1s": (20, "93.8", Band(92)),
}
_EPISODES, _PASSES, _TESTED = 1000, 3, 300
_MATCHING = f"matching(train_way=60, shot=1, queries=5, meta_steps={_EPISODES}, {_PAPERS_RATE})"
_BASELINE_PP = f"baseline_pp(source_passes={_PASSES})"
_SOURCE = {"batch_size": 128, "optimizer": "sgd", "lr": 0.1, "schedule": "cosine"}


def comparisons(options: Options) -> Outcome:
    """Matching networks and Baseline++ on one label of each of 5 and of 20 classes."""
    lines, runs = [], []
    for name in [options.only] if options.only else _COMPARED:
        way, published, band = _COMPARED[name]
        for spec, known, source in ((_MATCHING, published, {}), (_BASELINE_PP, "-", _SOURCE)):
            task = f"episodes({OMNIGLOT}, way={way}, shot=1, n={_TESTED})"
            recipe = {"backbone": "conv4(width=64, norm=batch)", "steps": _ONE_STEP, **source}
            measured = Measured(options, task, spec, 1, recipe)
            runs.append(measured)
            values = measured.cells(task, spec)
            lines.append(Line(f"{way}-way 1-shot, `{spec}`", known, values, "episodes", band, digits=2))
    return Outcome(
        lines,
        runs[0].device,
        trial_seconds(*runs),
        ["batch normalisation at test time: running averages of the training on the source"],
    )


R11 = Row(
    "R11",
    "matching networks and Baseline++ on Omniglot",
    f"As R1, with {_EPISODES} training episodes for matching networks; Baseline++: {_PASSES} passes over the "
    f"4,800 classes in batches of {_SOURCE['batch_size']}, SGD {_SOURCE['lr']} with a cosine to 0, then a "
    f"head for each test episode, fitted until it converges; {_TESTED} test episodes of 15 queries.",
    comparisons,
    parts=tuple(_COMPARED),
)
