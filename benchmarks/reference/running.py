"""What every row needs from fsbench: runs, and a value for each seed or each cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import fsbench
from benchmarks.reference.rows import Options
from fsbench.registry import get_registry
from fsbench.spec import Value
from fsbench.store import Store
from fsbench.tasks.expressions import parse_tasks
from fsbench.tasks.splits import draw_split

_HOURS = 10 * 3600.0


class Measured:
    """The records of a run, by task, spec and split seed. Raises RuntimeError if a trial failed."""

    def __init__(
        self, options: Options, tasks: str, specs: str, seeds: int, recipe: Mapping[str, Value]
    ) -> None:
        found = fsbench.run(
            specs,
            tasks=tasks,
            seeds=seeds,
            recipe=recipe,
            jobs=options.jobs,
            device=options.device,
            results=options.results,
            timeout=_HOURS,
            baseline="erm",
        )
        if found.interrupted:
            raise KeyboardInterrupt
        for record in found.records:
            if record.status != "ok":
                raise RuntimeError(f"{record.spec} on {record.task}: {record.status}: {record.reason}")
        self.results = options.results
        self.seeds = range(seeds)
        self._records = {(r.task, r.spec, r.split_seed): r for r in found.records}
        self.records = found.records
        versions = found.records[0].versions
        self.device = f"{found.records[0].device}, torch {versions['torch']}"

    def metric(self, task: str, spec: str, name: str = "accuracy") -> list[float]:
        """A metric in percent for each split seed."""
        return [100 * self._record(task, spec, seed).metrics[name] for seed in self.seeds]

    def cells(self, task: str, spec: str, seed: int = 0) -> list[float]:
        """The accuracy in percent of each cell (test episode) of a split."""
        (parsed,) = parse_tasks(task)
        y = draw_split(parsed, seed).test.y
        with Store(self.results, create=False) as store:
            logits = store.predictions(self._record(task, spec, seed).key)
        return (100 * (logits.argmax(-1) == y).mean(1)).tolist()

    def _record(self, task: str, spec: str, seed: int) -> fsbench.Record:
        (parsed,) = parse_tasks(task)
        (composition,) = get_registry().parse(spec)
        return self._records[parsed.text, composition.text, seed]


def trial_seconds(*runs: Measured) -> float:
    """The total time of the trials of some runs in seconds; each trial counts once."""
    taken = {r.key: r.seconds_fit + r.seconds_predict for run in runs for r in run.records}
    return sum(taken.values())


def differences(first: Sequence[float], second: Sequence[float]) -> list[float]:
    """Paired differences, first minus second."""
    return [a - b for a, b in zip(first, second, strict=True)]
