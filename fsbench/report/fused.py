"""Strategies fused after the fact, from the predictions of their trials."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
from scipy.special import log_softmax, logsumexp

from fsbench.columns import Columns, of_records
from fsbench.composition import BASELINE
from fsbench.errors import UsageError
from fsbench.evidence import Evidence
from fsbench.metrics import DEFAULT_METRIC, get_metric, influences, score
from fsbench.mixing import mixture_weights
from fsbench.record import Record
from fsbench.registry import get_registry
from fsbench.report.one_version import records_of_one_version
from fsbench.spec import Call, specs
from fsbench.store import Judgement, Store, Validated

Weigh: TypeAlias = "Callable[[Sequence[Validated]], np.ndarray]"
"""Weights `[M]` of M strategies, from their predictions for the same validation part."""
_LEAST_LOG = -1e4


def _equal(members: Sequence[Validated]) -> np.ndarray:
    return np.full(len(members), 1 / len(members))


def _likeliest(members: Sequence[Validated]) -> np.ndarray:
    return mixture_weights(np.exp(np.stack([_log_likelihoods(member) for member in members])))


def _best_alone(members: Sequence[Validated]) -> np.ndarray:
    """All weight for the one with the best default metric; of several, for that with the likeliest labels."""
    right = [get_metric(DEFAULT_METRIC).function(member.logits, member.y) or 0.0 for member in members]
    likely = [_log_likelihoods(member).mean() for member in members]
    best = max(range(len(members)), key=lambda number: (right[number], likely[number]))
    return np.asarray(np.eye(len(members))[best])


HOW: Mapping[str, Weigh] = {"average": _likeliest, "select": _best_alone, "vote": _equal}
"""How the weights are found, by name."""


def fuse(results: str | Path, of: str, how: str, metrics: Sequence[str]) -> tuple[Columns, list[str]]:
    """The stored results of some strategies and of ERM, and those of a fusion on the same splits.

    `of` names the strategies as in a run. The probabilities of a split's trials are averaged with weights
    that only its validation part decides, and scored on its test labels; nothing is trained. The fusion is
    named `fuse(how=average, of="a, b")`, and its seconds are the sum of theirs. Where a member failed or was
    skipped, so was the fusion. All results are of one version of each strategy; lines say what is left out.
    Raises UsageError if there is nothing to fuse, or for a strategy that fits something to the validation
    part itself.
    """
    members = tuple(dict.fromkeys(c.text for text in specs(of) for c in get_registry().parse(text)))
    if len(members) < 2:
        raise UsageError(f"{of!r} names one strategy; expected at least two to fuse")
    name = str(Call("fuse", (), (("how", how), ("of", ", ".join(members)))))
    with Store(results, create=False) as store:
        stored = [r for r in store.records() if r.spec in (*members, BASELINE) and not r.tuning]
        for member in members:
            if not any(record.spec == member for record in stored):
                raise UsageError(
                    f'{results} has no results of {member}; `fsbench run --plugins "{member}"`, with the '
                    "same tasks and --results, makes some"
                )
        there = {(record.task, record.recipe) for record in stored if record.spec in members}
        known = [r for r in stored if (r.task, r.recipe) in there]
        shown, left_out = records_of_one_version(known, of_spec=True)
        found = [record for record in shown if record.spec in members]
        _refuse_fitted(found)
        together = list(_fusions(store, name, _groups(found, members), how))
        evidence = _with_influences(store.evidence(), together)
    if not any(each.record.status == "ok" for each in together):
        if together:
            reason = together[0].record.reason or {}
            raise UsageError(
                f"{results} has no split on which all of {', '.join(members)} have a result, such as "
                f"{reason.get('message', 'unknown')}"
            )
        reasons = "; ".join(["results of older versions have no such predictions", *left_out])
        raise UsageError(
            f"{results} has no split on which all of {', '.join(members)} have predictions for a validation "
            f"part; run them on tasks that have one ({reasons})"
        )
    return of_records([*shown, *(each.record for each in together)], metrics, evidence), left_out


def _groups(records: Iterable[Record], members: Sequence[str]) -> Iterator[list[Record]]:
    """The members' records of the same task, recipe and seeds."""
    groups: dict[tuple[object, ...], dict[str, Record]] = {}
    for record in records:
        key = record.task, record.recipe, record.split_seed, record.init_seed
        groups.setdefault(key, {})[record.spec] = record
    return ([group[m] for m in members] for group in groups.values() if len(group) == len(members))


def _refuse_fitted(records: Iterable[Record]) -> None:
    """Raise UsageError for a strategy that has used the validation part."""
    for record in records:
        if "val" in record.uses:
            raise UsageError(
                f"{record.spec} fits something to the validation part itself, so its predictions there do "
                "not show how it does on new samples; leave it out"
            )


def _fusions(store: Store, name: str, groups: Iterable[list[Record]], how: str) -> Iterator[Judgement]:
    """The fusion on each split where every member has stored predictions, failed or was skipped."""
    drawn = store.evidence().drawn
    for group in groups:
        done = [record for record in group if record.status == "ok"]
        known = [v for v in (store.validated(record.key) for record in done) if v is not None]
        fingerprints = {record.split_fingerprint for record in done}
        if len(known) < len(done) or len(fingerprints) > 1:
            continue  # no validation part, or other data, which the table refuses
        uses = frozenset() if how == "vote" else frozenset({"val"})
        whole = _together(name, group, uses)
        if len(done) < len(group):
            yield Judgement(_without_result(whole, group))
        elif (parts := drawn.get(whole.split_fingerprint)) is not None:
            weights = HOW[how](known)
            mixed = _mixed(weights, [store.predictions(record.key) for record in group])
            yield _judged(whole, group, weights, mixed, parts.test_y)


def _together(name: str, records: Sequence[Record], uses: frozenset[str]) -> Record:
    """The record of a fusion on one split, without its result."""
    return replace(
        records[0],
        key="+".join(record.key for record in records),
        spec=name,
        full_spec=name,
        split_fingerprint=next(filter(None, (record.split_fingerprint for record in records)), ""),
        uses=tuple(sorted(uses.union(*(record.uses for record in records)))),
        notes=(),
        train_accuracy=None,
        seconds_fit=sum(record.seconds_fit for record in records),
        seconds_predict=sum(record.seconds_predict for record in records),
        peak_memory=max(record.peak_memory for record in records),
        baseline=False,
        source_before=None,
        source_after=None,
    )


def _without_result(whole: Record, records: Iterable[Record]) -> Record:
    """The record of a fusion that failed or, if no member did, was skipped; the reason names the member."""
    member = min((r for r in records if r.status != "ok"), key=lambda record: record.status == "skipped")
    reason = dict(member.reason or {})
    reason["message"] = f"{member.spec}: {reason.get('message', 'unknown')}"
    return replace(
        whole,
        status=member.status,
        reason={"kind": "unknown", **reason},
        created=member.created,
        metrics={},
        resolution={},
    )


def _mixed(weights: np.ndarray, logits: Sequence[np.ndarray]) -> np.ndarray:
    """Logits float32 `[E, M, C]` of the weighted mean of the probabilities of several logits."""
    log_p = np.stack([log_softmax(each.astype(np.float64), axis=-1) for each in logits])
    with np.errstate(divide="ignore"):
        mixed = logsumexp(log_p + np.log(weights)[:, None, None, None], axis=0)
    return np.asarray(np.maximum(mixed, _LEAST_LOG), dtype=np.float32)


def _judged(
    whole: Record, records: Sequence[Record], weights: np.ndarray, logits: np.ndarray, test_y: np.ndarray
) -> Judgement:
    """The result of a fusion on one split, and how each test sample counts."""
    problems: list[str] = []
    metrics = score(logits, test_y, problems)
    shares = ", ".join(f"{r.spec} {w:.2f}" for r, w in zip(records, weights, strict=True))
    found = influences(logits, test_y, metrics, problems)
    record = replace(whole, metrics=metrics, notes=(f"weights {shares}", *problems))
    return Judgement(record, influences=found)


def _with_influences(evidence: Evidence, together: Sequence[Judgement]) -> Evidence:
    """The evidence of a store, and that of fusions."""
    stored, ours = evidence.influences, {each.record.key: each.influences for each in together}

    def read(metric: str, keys: Sequence[str]) -> Mapping[str, np.ndarray]:
        found = dict(stored(metric, [key for key in keys if key not in ours]))
        mine = {key: ours[key][metric].ravel() for key in keys if metric in ours.get(key, {})}
        return found | {key: values.astype(np.float32) for key, values in mine.items()}

    return replace(evidence, influences=read)


def _log_likelihoods(member: Validated) -> np.ndarray:
    """The log-probability of each validation label, `[E * V]`."""
    log_p = log_softmax(member.logits.astype(np.float64), axis=-1)
    return np.asarray(np.take_along_axis(log_p, member.y[..., None], axis=-1).ravel())
