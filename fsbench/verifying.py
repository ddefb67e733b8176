"""Runs sampled trials of a published file again, on this machine and with the code that is installed."""

from __future__ import annotations

import json
import math
import random
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fsbench.errors import FsbenchError, UsageError
from fsbench.identity import full_spec, trial_key
from fsbench.metrics import DEFAULT_METRIC, get_metric, scale
from fsbench.progress import Observer
from fsbench.provenance import Agreement, Verification
from fsbench.recipes.recipe import parse_recipe
from fsbench.record import Record
from fsbench.registry import Registry, get_registry
from fsbench.report.agreement import compare_runs, noise, setting_of
from fsbench.report.contradictions import Run
from fsbench.report.lines import read_texts, replace_lines
from fsbench.report.published import Contents, gathered, read
from fsbench.report.publishing import renew
from fsbench.request import DEFAULT_TIMEOUT
from fsbench.runner import run
from fsbench.spec import parse_call
from fsbench.store import Store
from fsbench.store_file import FILE_NAME
from fsbench.tasks.expressions import parse_tasks
from fsbench.tuning.space import space_mark
from fsbench.tuning.tuned import row_name
from fsbench.words import names_package, timestamp

NOT_RUN: Literal["not run"] = "not run"
_SLOWER = 5.0


@dataclass(frozen=True)
class Verified:
    """A sampled record, and what came of its trial here.

    `detail` has the scores, or why the trial was not run; `hardware` is what it ran on.
    """

    record: Record
    outcome: Agreement | Literal["not run"]
    detail: str
    hardware: str = ""


def verify(
    path: str | Path,
    sample: int = 10,
    *,
    seed: int = 0,
    jobs: int | None = None,
    device: str = "auto",
    timeout: float | None = None,
    observer: Observer | None = None,
) -> list[Verified]:
    """Run sampled trials of a published file again; which ones is decided by `seed`.

    Only successful records are sampled. What noise is, `report.agreement` says. A trial that this machine
    cannot run as it was run (its data, its plugin or its version of the code is not here) is "not run", and
    so is one that takes longer than `timeout` seconds; by default it may take five times as long as the
    longest of the sample did, and at least five minutes. Raises StoreError for a file that is not a published
    one, UsageError if it has no successful record.
    """
    if sample < 1:
        raise UsageError(f"sample={sample}: expected at least 1")
    contents = read(path)
    good = sorted((r for r in contents.records if r.status == "ok"), key=lambda record: record.key)
    if not good:
        raise UsageError(f"{path} has no successful record to run again")
    chosen = random.Random(seed).sample(good, min(sample, len(good)))
    reasons = {record.key: _unlike(get_registry(), record) for record in chosen}
    runnable = [record for record in chosen if not reasons[record.key]]
    options = {"jobs": jobs, "device": device, "timeout": timeout, "observer": observer}
    with tempfile.TemporaryDirectory() as folder:
        _run_again(runnable, Path(folder), options)
        here = _found(Path(folder))
    again = {record.key: record for record in here.records}
    return [
        _checked(contents, record, here, again[record.key])
        if record.key in again
        else Verified(record, NOT_RUN, reasons[record.key] or "interrupted before")
        for record in chosen
    ]


def sign(path: str | Path, checked: Sequence[Verified], by: str) -> None:
    """Add a line to a published file that says who ran which trials again; renew its page and index.

    Raises StoreError if the file cannot be written.
    """
    path, ran = Path(path), [each for each in checked if each.outcome != NOT_RUN]
    hardware = tuple(sorted({each.hardware for each in ran}))
    line = Verification(by, timestamp(), hardware, {each.record.key: each.outcome for each in ran})
    old = [text.rstrip("\r\n") for _, _, text in read_texts(path)]
    replace_lines(path, [*old, json.dumps({"verification": vars(line)}, sort_keys=True)])
    renew(path)


def _unlike(registry: Registry, record: Record) -> str:
    """Why this machine cannot run a trial as it was run; "" if it can."""
    try:
        (composition,), (task,) = registry.parse(record.spec), parse_tasks(record.task)
        space = space_mark(composition) if record.tuning else ""
        here = full_spec(registry, composition, parse_recipe(record.recipe), task.info.kind, space)
    except (FsbenchError, ValueError) as error:
        return str(error)
    if here != record.full_spec:
        return f"other code: {record.full_spec or 'unknown'} in the file, {here} here"
    trial = record.task, record.split_seed, record.init_seed, here, record.recipe, record.tuning
    return (
        "" if trial_key(*trial) == record.key else "its key is not that of its task, seeds, spec and recipe"
    )


def _run_again(records: Sequence[Record], folder: Path, options: Mapping[str, Any]) -> None:
    """Run the trials of some records, in as few runs as possible."""
    alike: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in records:
        alike[record.recipe, record.tuning].append(record)
    for (recipe, tuning), several in alike.items():
        keys = {record.key for record in several}
        specs = dict.fromkeys(record.spec for record in several)
        results = run(
            [row_name(spec, tuning) for spec in specs],
            tasks=list(dict.fromkeys(record.task for record in several)),
            seeds=sorted({record.split_seed for record in several}),
            init_seeds=sorted({record.init_seed for record in several}),
            recipe=parse_call(recipe).keywords,
            results=folder,
            only=lambda trials, keys=keys: [t for t in trials if t.key in keys],  # type: ignore[misc]
            **{
                **options,
                "timeout": _patience(several) if options["timeout"] is None else options["timeout"],
            },
        )
        if results.interrupted:
            return


def _patience(records: Iterable[Record]) -> float:
    """The time limit in seconds of trials that took so long elsewhere."""
    return max(DEFAULT_TIMEOUT, *(_SLOWER * (each.seconds_fit + each.seconds_predict) for each in records))


def _found(folder: Path) -> Contents:
    """What was run, with what a published file would have of it."""
    if not (folder / FILE_NAME).exists():
        return Contents(())
    with Store(folder, create=False) as store:
        return gathered(store.records(), store.evidence())


def _checked(contents: Contents, record: Record, here: Contents, again: Record) -> Verified:
    """What came of a trial: failed now, it is a mismatch; of another split, it is another trial.

    If it is skipped because a package is missing here, or took too long, nothing is known.
    """
    if again.status != "ok":
        reason = again.reason or {}
        message = reason.get("message", "unknown")
        lacking = again.status == "skipped" and names_package(message)
        lacking |= reason.get("kind") == "TimeOut"
        return Verified(
            record, NOT_RUN if lacking else "mismatch", f"{again.status} here: {message}", again.device
        )
    if again.split_fingerprint != record.split_fingerprint:
        prints = [each.split_fingerprint[:16] or "unknown" for each in (record, again)]
        return Verified(
            record, NOT_RUN, f"other data: its split is {prints[0]} in the file and {prints[1]} here"
        )
    others = [each for each in contents.records if setting_of(each) == setting_of(record)]
    runs = Run.of(record, contents, "in the file"), Run.of(again, here, "here")
    word, why = compare_runs(*runs, others)
    return Verified(record, word, why or _scores(record, again, word, others), again.device)


def _scores(record: Record, again: Record, word: Agreement, others: Sequence[Record]) -> str:
    metric = get_metric(DEFAULT_METRIC)
    factor = scale(metric)
    scores = [factor * each.metrics.get(DEFAULT_METRIC, math.nan) for each in (record, again)]
    detail = f"{metric.title} {scores[0]:.2f}, here {scores[1]:.2f}"
    return detail + ("" if word == "bitwise" else f"; noise up to {factor * noise(record, others):.2f}")
