"""What to use on this data, in plain words: a function of the leaderboard alone."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from fsbench.report import sources, text
from fsbench.report.baselines import BEST, Against
from fsbench.report.chance import no_better_than_chance
from fsbench.report.choice import baseline_row, helpers, obstacle, on_tasks, ranked
from fsbench.report.leaderboard import Leaderboard
from fsbench.report.names import first_few, some
from fsbench.report.power import MORE_DATA, needing_data
from fsbench.report.rows import Row
from fsbench.report.underfitting import underfitted
from fsbench.stats import Estimate
from fsbench.words import plural

T = TypeVar("T")

_CHEAPER = 0.5
_MOST_LINES = 8
_OWN = {"test_inputs", "val"}
"""What a strategy may use without taking anything from other data."""
_SEEDS = 10


def recommendation(board: Leaderboard) -> list[str]:
    """A few sentences: what to use, how certain that is, what it costs, what hurts, what would settle more.

    The strategy to use is the best of those that are shown to help and have results on all tasks, in every
    trial that was run; if there is none, the baseline. Nothing is recommended unless the baseline, with which
    all are compared, has a result in every trial and some verdict is not withheld.
    """
    return [line for lines in by_topic(board).values() for line in lines]


def by_topic(board: Leaderboard) -> dict[str, list[str]]:
    """The sentences of `recommendation` by what they are about, such as "use" or "hurts"; none is empty."""
    if not board.trials:
        return {"use": [text.NO_RESULT if board.rows else text.EMPTY]}
    found = {topic: list(part(board)) for topic, part in _PARTS.items()}
    return {topic: lines for topic, lines in found.items() if lines}


def _to_use(board: Leaderboard) -> Iterator[str]:
    rows, baseline = ranked(board), baseline_row(board)
    if (why := obstacle(board)) or baseline is None:
        yield f"No recommendation: {why}."
    elif not (helping := helpers(board)):
        yield from _plain_training(board, rows[0], baseline)
    else:
        yield from _best(board, rows[0], helping)


def _plain_training(board: Leaderboard, first: Row, baseline: Row) -> Iterator[str]:
    """The recommendation where no strategy is shown to help."""
    score = f", which scores {text.score(baseline, board.metric)}" if baseline.score else ""
    if not any(row.difference for row in board.overall if row.strategy != board.baseline):
        yield f"Nothing was compared with {board.baseline}{score}: no other strategy has results here."
        return
    yield f"Use {board.baseline}, plain training{score}: {_none_better(board)}."
    if first.strategy != board.baseline and _apart(first, baseline, board) and first.verdict == "not settled":
        yield (
            f"{first.strategy} has the best score, {text.score(first, board.metric)}, but its difference to "
            f"{board.baseline}, {text.difference(first, board.metric)}, is not settled with "
            f"{plural(min(board.split_seeds), 'split seed')}{_beyond_interval(first, board)}."
        )


def _apart(one: Row, other: Row, board: Leaderboard) -> bool:
    """Whether two scores differ as they are shown."""
    shown = [text.number(row.score.mean, board.metric) if row.score else "" for row in (one, other)]
    return shown[0] != shown[1]


def _none_better(board: Leaderboard) -> str:
    """That no strategy is shown to be better, of those with results on all tasks if one of the others is."""
    helped = any(row.verdict == "helps" for row in board.overall)
    if len(board.tasks) < 2:
        whole = "of the strategies with results on all splits, none" if helped else "no strategy"
        return f"{whole} is shown to be better on this data"
    tasks = plural(len(board.tasks), "task")
    if helped:
        return f"of the strategies with results on all {tasks}, none is shown to be better on average"
    return f"no strategy is shown to be better on average over {tasks}"


def _beyond_interval(row: Row, board: Leaderboard) -> str:
    """Why a difference is not settled although its interval excludes 0; "" if it does not."""
    if row.difference is None or not row.difference.excludes_0:
        return ""
    agree = " and ask whether tasks agree" if len(board.tasks) > 1 else ""
    return f": the interval is for this comparison alone; verdicts are corrected for all comparisons{agree}"


def _best(board: Leaderboard, first: Row, helping: Sequence[Row]) -> Iterator[str]:
    """The recommendation of the first of some strategies that help."""
    best = helping[0]
    over = f", on average over {plural(len(board.tasks), 'task')}" if len(board.tasks) > 1 else ""
    score = f"{text.score(best, board.metric)}{over}, " if best.score else ""
    needs = f" It uses {text.used(best.uses)}." if best.uses else ""
    yield (
        f"Use {best.strategy}: {score}{_against(best, board)}{'' if score else over}, which is settled with "
        f"{plural(_seeds(best, board), 'split seed')}.{needs}"
    )
    if not best.rank:
        yield f"{best.strategy} was not run on all splits, so it has no rank."
    yield from _unstable(best, board)
    if best.against and board.against:
        yield from _beside_baselines(best, best.against, board)
    if best.rank and first is not best and _apart(first, best, board):
        alike = first.verdict == "equivalent"
        but = "is equivalent to {}" if alike else "its difference to {} is not settled"
        yield (
            f"{first.strategy} has a better score, {text.score(first, board.metric)}, but "
            f"{but.format(board.baseline)}."
        )
    if worth := [*_cost(best, helping, board), *_labels(best, board)]:
        yield " ".join(worth)


def _seeds(row: Row, board: Leaderboard) -> int:
    """The number of split seeds that a verdict over all tasks comes from, on the task with the fewest."""
    if row.rank:
        return min(board.split_seeds)
    return min(part.difference.n for part in on_tasks(row, board) if part.difference)


def _cost(best: Row, helping: Sequence[Row], board: Leaderboard) -> Iterator[str]:
    """How long the recommended strategy takes, and a cheaper one that is about as good."""
    if best.cost is not None and best.seconds is not None:
        took = f"{text.seconds(best.seconds)} s a trial"
        cost = f"It takes {_as_long(best.cost, board)}, {took}"
        cheaper = [row for row in helping if row.cost is not None and row.cost <= _CHEAPER * best.cost]
        near = [row for row in cheaper if _overlap(row.score, best.score)]
        for row in near[:1]:
            long = _as_long(row.cost or 0, board)
            cost += f"; {row.strategy} helps too, with {text.score(row, board.metric)}, and takes {long}"
        yield f"{cost}."


def _labels(best: Row, board: Leaderboard) -> Iterator[str]:
    """How many more labels would do as much as the recommended strategy, if that is known."""
    found = best.saved
    if not found or found.times <= 1 or found.beyond not in ("", "above") or found.ends_beyond == "both":
        return
    more, beyond = ("more than", ", beyond the measured range") if found.beyond else ("about", "")
    ends = text.saved_interval(found, " to ")
    times = f"{found.times:.1f} times as many labels" + (f" ({ends})" if ends else "")
    where = "task" if found.tasks == 1 else plural(found.tasks, "task")
    yield (
        f"On the {where} where this can be read off, {board.baseline} would need {more} {times} "
        f"for that score{beyond}."
    )


def _unstable(best: Row, board: Leaderboard) -> Iterator[str]:
    """A warning where scores of the recommended strategy are in two clusters."""
    for label, rows in board.tasks:
        where = f" on {label}" if len(board.tasks) > 1 else ""
        for row in rows:
            if row.strategy == best.strategy and row.unstable:
                yield f"But {best.strategy} is unstable{where}: {row.unstable}."


def _beside_baselines(best: Row, against: Against, board: Leaderboard) -> Iterator[str]:
    """How the recommended strategy compares with the best baseline."""
    of_all = " with results on all tasks" if _partial(board) else ""
    which = f"the best baseline{of_all}, {against.baseline}" if board.against == BEST else against.baseline
    gain = text.interval(against.difference, board.metric, sign=True)
    if against.verdict == "baseline":
        yield f"{best.strategy} is one of the baselines of this table."
    elif against.verdict == "better" and against.baseline != board.baseline:
        yield f"It is also better than {which}: {gain}."
    elif against.verdict == "worse":
        yield f"But it is worse than {which}: {gain}. Rather use that."
    elif against.verdict != "better" and against.baseline == board.baseline:
        yield "It is not shown to be better than every baseline."
    elif against.verdict != "better" and against.difference is not None:
        yield f"Its difference to {which}, {gain}, is not settled."


def _helping(board: Leaderboard) -> Iterator[str]:
    """All strategies that help: on which share of the tasks and, where they cannot run on all, on average."""
    helped = _judged(board, "helps")
    if len(board.tasks) == 1:
        if len(helped) > 1:
            yield f"Helps: {first_few(list(helped))}."
        return
    done = {row.strategy: row.done for row in board.overall}
    shares = [f"{name} on {len(labels)} of {done[name]} tasks" for name, labels in helped.items()]
    if shares:
        yield f"Helps on single tasks: {first_few(shares)}."
    yield from _on_average(board, "helps")


def _on_average(board: Leaderboard, word: str) -> Iterator[str]:
    """The strategies with a verdict over several tasks."""
    several = [row for row in board.overall if row.verdict == word and _compared(row, board) > 1]
    names = [
        _on_its_tasks(row) if row.matched else f"{row.strategy} (on {_compared(row, board)} tasks)"
        for row in several
    ]
    if names and len(board.tasks) > 1:
        yield f"{word.capitalize()} on average over tasks: {first_few(names)}."


def _compared(row: Row, board: Leaderboard) -> int:
    """The number of tasks where both a strategy and the baseline have a result."""
    return sum(part.difference is not None for part in on_tasks(row, board))


def _on_its_tasks(row: Row) -> str:
    """A strategy, and the number of its tasks if it does not have results on all."""
    return row.strategy if row.complete else f"{row.strategy} (on its {plural(row.done, 'task')})"


def _hurting(board: Leaderboard) -> Iterator[str]:
    """Strategies worse than the baseline; with other data or weights, this is negative transfer."""
    yield from _on_average(board, "hurts")
    uses = {row.strategy: row.uses for row in board.overall}
    together: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for name, labels in _judged(board, "hurts").items():
        others = uses[name] if set(uses[name]) - _OWN else ()
        where = f" on {some(labels)}" if len(board.tasks) > 1 else ""
        together.setdefault((others, where), []).append(name)
    first, rest = _cut(list(together.items()))
    for (others, where), names in first:
        if others:
            verbs = ("use", "are") if len(names) > 1 else ("uses", "is")
            what = f"{verbs[0]} {text.used(others)} and {verbs[1]}"
            yield f"Negative transfer: {first_few(names)} {what} worse than {board.baseline}{where}."
        else:
            yield f"Worse than {board.baseline}: {first_few(names)}{where}."
    if rest:
        more = first_few(name for _, names in rest for name in names)
        yield f"Worse than {board.baseline} on some tasks: {more}."


def _over_baselines(board: Leaderboard) -> Iterator[str]:
    """Strategies that are better or worse than the baselines, on average if there are several tasks."""
    several = len(board.tasks) > 1
    average = " on average over tasks" if several else ""
    for word, whom in (("better", "every baseline"), ("worse", "a baseline")):
        judged = [row for row in board.overall if row.against and row.against.verdict == word]
        found = [_on_its_tasks(row) for row in judged if row.done > 1 or not several]
        than = f"than {whom if board.against == BEST else board.against}"
        said = f"{average} {than} with results on all of them" if _partial(board) else f" {than}{average}"
        if found:
            yield f"{word.capitalize()}{said}: {first_few(found)}."


def _partial(board: Leaderboard) -> bool:
    """Whether a baseline lacks results on some tasks, so that not all strategies are compared with it."""
    return any(
        row.against and row.against.verdict == "baseline" and not row.complete for row in board.overall
    )


def from_sources(board: Leaderboard, rest_in: str = "The HTML report") -> Iterator[str]:
    """What the first few strategies gain from each source, and which page or section has the rest."""
    number = functools.partial(text.number, metric=board.metric, sign=True)
    first, rest = _cut(list(sources.gains(board, number)))
    yield from first
    if rest:
        yield f"{rest_in} has the gains of {len(rest)} more strategies by source."


def _equivalent(board: Leaderboard) -> Iterator[str]:
    """The strategies that are shown to be as good, within the margin."""
    names = [row.strategy for row in board.overall if row.verdict == "equivalent"]
    if names:
        yield f"Equivalent to {board.baseline}: {first_few(names)}."


def _open(board: Leaderboard) -> Iterator[str]:
    """How many comparisons are not settled, and what would settle more of them."""
    judged = [row for _, rows in board.tasks for row in rows if row.p is not None]
    seeds = [row.difference.n for row in judged if row.verdict == "not settled" and row.difference]
    still = len(seeds)
    if not still:
        return
    if not board.tuning and (count := needing_data(board)):
        more = f"{MORE_DATA}, would settle {'them' if count == still else f'{count} of them'}."
    elif board.looked:
        more = "the command with --until-settled continues with the next look, on more split seeds."
    elif max(seeds) < 2:
        more = "a single split seed cannot settle anything; run about ten."
    else:
        choose = (
            f"Choose their number now, such as {max(_SEEDS, 2 * max(seeds))} in all: each further look is "
            "another chance of a wrong verdict."
        )
        more = (
            f"more split seeds may settle them. {choose}"
            if board.tuning
            else "`fsbench power`, with the same --results, says how many more split seeds would settle "
            f"them. {choose} Or let --until-settled choose; it allows for the looks."
        )
    single = " on single tasks" if len(board.tasks) > 1 else ""
    yield f"Not settled: {still} of {plural(len(judged), 'comparison')}{single}; {more}"


def _judged(board: Leaderboard, word: str) -> dict[str, list[str]]:
    """The labels of the tasks where a strategy has a verdict, by strategy, most tasks first."""
    found: dict[str, list[str]] = {}
    for label, rows in board.tasks:
        for row in rows:
            if row.verdict == word:
                found.setdefault(row.strategy, []).append(label)
    return dict(sorted(found.items(), key=lambda item: -len(item[1])))


def _against(row: Row, board: Leaderboard) -> str:
    return f"{text.interval(row.difference, board.metric, sign=True)} against {board.baseline}"


def _overlap(one: Estimate | None, other: Estimate | None) -> bool:
    """Whether two intervals overlap."""
    if one is None or other is None:
        return False
    return abs(one.mean - other.mean) <= (one.half_width or 0) + (other.half_width or 0)


def _as_long(cost: float, board: Leaderboard) -> str:
    times = text.times(cost).replace("<", "less than ")
    often = "" if times == "1.0" else f"{times} times "
    return f"{often}as long as {board.baseline}"


def _cut(items: list[T]) -> tuple[list[T], list[T]]:
    """The first few items, and those that are left out; a single one is not left out."""
    return (items, []) if len(items) <= _MOST_LINES + 1 else (items[:_MOST_LINES], items[_MOST_LINES:])


_PARTS: dict[str, Callable[[Leaderboard], Iterator[str]]] = {
    "use": _to_use,
    "chance": no_better_than_chance,
    "fit": underfitted,
    "helps": _helping,
    "hurts": _hurting,
    "baselines": _over_baselines,
    "sources": from_sources,
    "equivalent": _equivalent,
    "open": _open,
}
