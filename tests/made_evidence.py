"""Records with made-up decisions, and the evidence beside them."""

from __future__ import annotations

import numpy as np
from records import record

from fsbench.columns import of_records
from fsbench.evidence import Drawn, Evidence
from fsbench.metrics import influences
from fsbench.report.leaderboard import Leaderboard, leaderboard

METRIC = "balanced_accuracy"
NONE = np.zeros(0, dtype=np.int64)


class Made:
    """Records of two strategies with made-up decisions, and the evidence beside them."""

    def __init__(self) -> None:
        self.records, self.drawn, self.found = [], {}, {}

    def task(
        self, text, tests, trains, hits, datasets=("digits",), place=0, inits=1, vals=None, tuning="", uses=()
    ) -> None:
        """Splits with ids of samples; `hits[strategy][split]` says which decisions are right.

        All strategies but plain training use `uses`.
        """
        for seed, (test, train) in enumerate(zip(tests, trains, strict=True)):
            y = (np.asarray(test) % 2)[None]
            ids = (np.int64(place) << 32) + np.asarray(test, dtype=np.int64)[None]
            val = NONE if vals is None else np.asarray(vals[seed])
            drawn = Drawn(np.asarray(train)[None], val[None], ids, y, NONE, NONE, datasets)
            self.drawn[f"{text}/{seed}"] = drawn
            for spec, decisions in hits.items():
                for init in range(inits):
                    hit = np.asarray(decisions[seed if inits == 1 else seed * inits + init])
                    logits = np.eye(2)[np.where(hit, y[0], 1 - y[0])][None]
                    value = np.mean([hit[y[0] == label].mean() for label in (0, 1)])
                    made = record(text, spec, seed, float(value), init_seed=init, resolution={METRIC: 0.01},
                                  tuning=tuning, uses=() if spec == "erm" else uses)  # fmt: skip
                    self.records.append(made)
                    self.found[made.key] = influences(logits, y, [METRIC])[METRIC].ravel()

    @property
    def evidence(self) -> Evidence:
        return Evidence(self.drawn, lambda metric, keys: {k: self.found[k] for k in keys if metric == METRIC})

    @property
    def board(self) -> Leaderboard:
        return leaderboard(of_records(self.records, [METRIC], self.evidence))


def decisions(splits, samples=100, seed=0, level=0.8):
    return np.random.default_rng(seed).random((splits, samples)) < level


def disjoint(splits, size, start=0):
    return [np.arange(start + s * size, start + (s + 1) * size) for s in range(splits)]
