"""Made-up records that look like those of a real run, for tests of reports."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from fsbench.evidence import Evidence
from fsbench.looks import Look
from fsbench.record import Record
from fsbench.report.published import gathered, write

IMAGE = "recipe(backbone=conv4(norm=group, width=32), batch_size=32, lr=0.001, steps=200)"
TABLE = "recipe(backbone=mlp, batch_size=32, lr=0.001, steps=200)"


def record(task="kshot(digits, k=5)", spec="erm", split_seed=0, value=0.7, **more) -> Record:
    """One record; `value` is its balanced accuracy."""
    fields = {"init_seed": 0, "status": "ok", "recipe": TABLE, "split_fingerprint": f"{task}/{split_seed}"}
    fields |= {"seconds_fit": 1.0, "seconds_predict": 0.25, "device": "cpu", "versions": {"fsbench": "0.1.0"}}
    fields |= {"n_train": 50, "n_test": 500, "created": "2026-01-01T00:00:00+00:00"}
    fields |= {
        "resolution": {"balanced_accuracy": 0.0004},
        "train_accuracy": 0.96,
        "peak_memory": 648_151_040,
    }
    fields |= more
    if fields["status"] == "ok":
        fields.setdefault("metrics", {"balanced_accuracy": value, "nll": 2 - value})
    identity = (task, spec, split_seed, fields["init_seed"], fields["recipe"])
    key = hashlib.sha256(repr(identity).encode()).hexdigest()[:32]
    return Record(key=key, task=task, spec=spec, split_seed=split_seed, **fields)


def failed(kind="TimeOut", message="ran longer than 300 s", **more) -> Record:
    return record(status="failed", reason={"kind": kind, "message": message, "traceback": "..."}, **more)


def skipped(message="needs source data", **more) -> Record:
    return record(status="skipped", reason={"kind": "skipped", "message": message}, **more)


def over_seeds(task, spec, values, **more) -> list[Record]:
    """One strategy on one task: a record per split seed."""
    return [record(task, spec, seed, value, **more) for seed, value in enumerate(values)]


def write_jsonl(records: Iterable[Record], path: str | Path, evidence: Evidence | None = None) -> None:
    """A published file of records, without a publisher."""
    write(replace(gathered(records, evidence or Evidence()), provenance=()), path)


# task: (erm, noise over splits, gain of each strategy)
_TASKS = {
    "kshot(digits, k=1)": (0.45, 0.04),
    "kshot(digits, k=5)": (0.72, 0.02),
    "kshot(digits, k=20)": (0.88, 0.01),
    "kshot(digits, k=5, source=mnist5k(size=8))": (0.72, 0.02),
    "kshot(wine, k=5)": (0.93, 0.02),
    "longtail(breast_cancer, ir=20)": (0.86, 0.03),
    "noisy(digits, k=20, rate=0.4)": (0.61, 0.03),
    "shift(mnist5k(size=8), digits)": (0.55, 0.05),
    "episodes(glyphs, shot=1, way=5)": (0.58, 0.01),
}
_STRATEGIES = {
    "erm": ((), 0.0),
    "augmentation": ((), 0.06),
    "focal": ((), 0.001),
    'resampling(method="random-over")': ((), -0.04),
    "transfer": (("source",), 0.12),
    "dann": (("source", "unlabeled"), -0.06),
    "maml": (("source",), 0.1),
    "transfer+augmentation+focal(gamma=1.5)": (("source",), 0.15),
}


def realistic(seeds=3, seed=0) -> list[Record]:
    """A run of eight strategies on nine tasks, with skips, a time-out and effects of all signs."""
    rng = np.random.default_rng(seed)
    found = []
    for task, (level, noise) in _TASKS.items():
        for split_seed in range(seeds):
            shift = rng.normal(0, noise)
            for spec, (uses, gain) in _STRATEGIES.items():
                common = {"task": task, "spec": spec, "split_seed": split_seed, "uses": uses}
                common["recipe"] = TABLE if "wine" in task or "cancer" in task else IMAGE
                source = "source" in task or task.startswith(("shift", "episodes"))
                if uses and not source:
                    found.append(skipped(**common))
                elif "unlabeled" in uses and not task.startswith("shift"):
                    found.append(skipped("needs unlabeled data", **common))
                elif spec == "maml" and task.startswith("shift") and split_seed == 1:
                    found.append(failed(**common))
                else:
                    value = level + shift + gain + rng.normal(0, noise / 8)
                    found.append(record(value=float(np.clip(value, 0, 1)), **common))
    return found


def look(number, **found) -> Look:
    """A look at one task, with what was found of each strategy."""
    keys = {("t", "r", name): value for name, value in found.items()}
    return Look(number, 5 * 2 ** (number - 1), "accuracy", 0.01, 3, keys)
