"""Results with everything that a page can show, and texts that try to be more than text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from records import over_seeds, realistic, record, skipped

from fsbench.columns import Columns, of_records
from fsbench.datasets.dataset import Dataset, DatasetInfo
from fsbench.datasets.known import DATASETS, add_dataset
from fsbench.evidence import Drawn, Evidence
from fsbench.metrics import METRICS
from fsbench.record import Record

HOSTILE = "<script>alert(1)</script>"
"""A name that must be shown as it is."""
BREAKING = "</script><img src=x onerror=alert(1)>\u2028\x1b[31m\u202e"
"""A reason that tries to end the script or the element that it stands in."""
_SAMPLES = 40


def columns_of(records: Sequence[Record], evidence: Evidence | None = None) -> Columns:
    """Records as columns with all metrics."""
    return of_records(records, list(METRICS), evidence)


def whole(seeds: int = 3) -> Columns:
    """Strategies that help, hurt, fail and are skipped, on eleven tasks, with predictions, and tuned rows."""
    records = [_completed(each) for each in realistic(seeds)]
    records += [
        replace(each, key=f"t{each.key[1:]}", tuning="tuning(n=4)") for each in records if _simple(each)
    ]
    records += _hostile(seeds)
    return columns_of(records, _evidence(records))


def _hostile(seeds: int) -> list[Record]:
    """A dataset, classes, a strategy, reasons and notes with markup in their names."""
    task = f"kshot({_hostile_data()}, k=5)"
    found = [_completed(each) for each in over_seeds(task, "erm", np.linspace(0.5, 0.6, seeds))]
    found += over_seeds(task, HOSTILE, np.linspace(0.7, 0.8, seeds), notes=(BREAKING,), device=HOSTILE)
    reason = {"kind": HOSTILE, "message": BREAKING}
    found += [record(task, "focal", seed, status="failed", reason=reason) for seed in range(seeds)]
    return found + [skipped(BREAKING, task=task, spec="maml", split_seed=seed) for seed in range(seeds)]


def _hostile_data() -> str:
    name = "hostile"
    if name not in DATASETS:
        info = DatasetInfo(
            name, HOSTILE, "table", (2,), (HOSTILE, BREAKING), (20, 20), licence=HOSTILE, citation=BREAKING
        )
        x = np.arange(80, dtype=np.float32).reshape(40, 2)
        add_dataset(Dataset(info, x, np.repeat(np.arange(2), 20)))
    return name


def _simple(each: Record) -> bool:
    """Whether a record is one of two strategies on two tasks without common data, which have ranks."""
    return ("wine" in each.task or "breast_cancer" in each.task) and each.spec in ("erm", "focal")


def _completed(each: Record) -> Record:
    """A record with an accuracy and, for a strategy with a source, what is left of it."""
    if each.status != "ok":
        return each
    kept = {"source_before": 0.9, "source_after": 0.7} if "source" in each.uses else {}
    value = each.metrics["balanced_accuracy"]
    return replace(each, metrics={**each.metrics, "accuracy": value - 0.01, "ece": 0.1}, **kept)


def _evidence(records: Sequence[Record]) -> Evidence:
    """Test labels of each split, and predictions of each trial that are right as often as its metric says."""
    by_key = {each.key: each for each in records if each.status == "ok"}
    none = np.empty((1, 0), dtype=np.int64)
    drawn = {}
    for each in by_key.values():
        classes = 2 if "hostile" in each.task or "cancer" in each.task else 3 if "wine" in each.task else 10
        cells = 4 if each.task.startswith("episodes") else 1
        labels = np.tile(np.arange(_SAMPLES) % (5 if cells > 1 else classes), (cells, 1))
        # No two splits have a sample in common.
        first = 1000 * each.split_seed
        ids = np.arange(cells * _SAMPLES).reshape(cells, _SAMPLES) + first
        train = np.arange(cells * 50).reshape(cells, 50) + first + 100_000
        drawn[each.split_fingerprint] = Drawn(
            train, none, ids, labels, np.empty(0, np.int64), np.arange(30), ("digits",)
        )

    def predictions(keys: Sequence[str]) -> Iterator[tuple[str, np.ndarray]]:
        for key in keys:
            labels, rng = (
                drawn[by_key[key].split_fingerprint].test_y,
                np.random.default_rng(int(key[1:9], 16)),
            )
            logits = rng.normal(size=(*labels.shape, labels.max() + 1)).astype(np.float32)
            right = rng.random(labels.shape) < by_key[key].metrics["balanced_accuracy"]
            np.put_along_axis(logits, labels[..., None], np.where(right, 4.0, -4.0)[..., None], axis=-1)
            yield key, logits

    hostile = DATASETS[_hostile_data()].added
    own = {hostile.info.text: replace(hostile.info, description=BREAKING)} if hostile else {}
    return Evidence(drawn, predictions=predictions, own=own)
