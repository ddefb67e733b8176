"""An advice in plain words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from fsbench.advising.advice import FAILED, NO_TIME, Advice
from fsbench.composition import BASELINE
from fsbench.report import text
from fsbench.stats import LEVEL
from fsbench.words import plural, roughly

_PARTS = {2: "half", 3: "a third", 4: "a quarter", 5: "a fifth", 6: "a sixth", 10: "a tenth"}
_LITTLE = 0.01
_NAMES = 8


def sentences(advice: Advice) -> list[str]:
    """What to use, how good that is, what else there is, and what is not known: a paragraph each."""
    paragraphs = (_use, _estimate, _references, _more_labels, _hurts, _tried, _left_out)
    return [" ".join(found) for found in (list(part(advice)) for part in paragraphs) if found]


def _use(advice: Advice) -> Iterator[str]:
    yield f"Use {advice.use}."
    if advice.uses:
        yield f"It uses {text.used(advice.uses)}."
    other = advice.alternative
    if other is not None:
        gap = f"{text.interval(other.difference, advice.metric, sign=True)}{_points(advice)}"
        cost = f"at {_part(other.cost)} of the cost"
        if other.equivalent:
            yield f"{other.strategy} is as good ({gap}, equivalent) {cost}."
        else:
            most = f"{text.number(other.worst(advice.metric), advice.metric)}{_points(advice)}"
            yield f"{other.strategy} may be as good or up to {most} worse ({gap}, not settled) {cost}."


def _estimate(advice: Advice) -> Iterator[str]:
    found, metric = advice.checked, advice.metric
    if found is None:
        yield (
            f"There is no estimate of how good it is on new data: there was no time to check the search, or "
            f"its checks failed. Its score on the splits that chose it would be too good, as the best of "
            f"{advice.tried} is."
        )
        return
    yield (
        f"What this search chooses reaches {text.interval(found.score, metric)}{_unit(advice)} "
        f"{metric.title} ({LEVEL:.0%} interval) with {plural(advice.trained, 'label')}, measured on samples "
        f"that neither its choice nor its training saw: the search was repeated within the training part of "
        f"{plural(len(found.chosen), 'split')}."
    )
    chosen = Counter(found.chosen).most_common()
    if len(chosen) == 1 and chosen[0][0] == advice.use:
        yield f"It chose {advice.use} each time."
    else:
        yield f"It chose {', '.join(f'{name} {_times(count)}' for name, count in chosen)}."
    if found.failed:
        yield (
            f"What it chose failed in {found.failed} of {plural(len(found.chosen), 'check')}, where "
            f"{BASELINE}, plain training, counts in its place."
        )
    if found.gain is not None:
        gain = text.interval(found.gain, metric, sign=True)
        yield (
            f"Against {BASELINE}, plain training, on the same splits: {gain}{_points(advice)}, which is "
            f"{'settled' if found.settled else 'not settled'}."
        )


def _references(advice: Advice) -> Iterator[str]:
    known = []
    if advice.chance is not None:
        known.append(f"the most frequent class alone {text.number(advice.chance, advice.metric)}")
    plain = advice.checked.plain if advice.checked else advice.plain
    if plain is not None:
        known.append(f"{BASELINE} {text.interval(plain, advice.metric)}")
    if known:
        yield f"For comparison{', in %' if advice.metric.percent else ''}: {', '.join(known)}."


def _more_labels(advice: Advice) -> Iterator[str]:
    found = advice.gain
    if found is None:
        yield (
            "There is no estimate of what more labels would buy: there was no time, or there are too few "
            "labels."
        )
        return
    what = f"{found.more} more labels"
    if found.low is None or found.high is None:
        yield f"There is no estimate of what {what} would buy: nothing is known about the spread."
        return
    gain, low, high = (text.number(each, advice.metric) for each in (found.gain, found.low, found.high))
    span = f"{low} to {high}{_points(advice)}"
    if found.low > 0:
        yield f"{what} would buy about {gain}{_points(advice)} ({span})."
    elif advice.metric.percent and found.high < _LITTLE:
        yield f"{what} would buy less than a point ({span})."
    else:
        yield f"What {what} would buy is uncertain ({span})."


def _hurts(advice: Advice) -> Iterator[str]:
    yield from advice.hurts


def _tried(advice: Advice) -> Iterator[str]:
    took = f"{plural(advice.tried, 'strategy')} tried in {roughly(advice.seconds)}"
    if advice.rounds[-1] == 1:
        yield f"{took}, each on one split of {plural(advice.tested, 'test sample')} only."
    else:
        yield (
            f"{took}: all on one split of {plural(advice.tested, 'test sample')}, the best on "
            f"{advice.rounds[-1]}."
        )


def _left_out(advice: Advice) -> Iterator[str]:
    found: dict[str, list[str]] = {}
    for reason, names in advice.left_out.items():
        more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
        listed = f"{', '.join(names[:_NAMES])}{more}"
        if reason == NO_TIME:
            found.setdefault("Left out for lack of time", []).append(listed)
        elif reason.startswith(FAILED):
            found.setdefault("Failed", []).append(f"{listed} ({reason.removeprefix(FAILED)})")
        else:
            found.setdefault("Not tried", []).append(f"{listed} ({reason})")
    yield from (f"{what}: {'; '.join(which)}." for what, which in found.items())
    if advice.longer is not None:
        yield (
            f"The same command continues, and with a budget of about {roughly(advice.longer)} leaves out "
            "none for lack of time."
        )


def _unit(advice: Advice) -> str:
    return " %" if advice.metric.percent else ""


def _points(advice: Advice) -> str:
    return " points" if advice.metric.percent else ""


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _part(cost: float) -> str:
    """A fraction of a cost in words: half, a fifth, 3 %."""
    nearest = min(_PARTS, key=lambda parts: abs(parts - 1 / cost))
    return _PARTS[nearest] if abs(nearest - 1 / cost) < 0.5 else f"{max(1, round(100 * cost))} %"
