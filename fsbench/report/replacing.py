"""What a published file that is written in the place of another one must not lose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fsbench.errors import UsageError
from fsbench.report.agreement import compare_runs
from fsbench.report.contradictions import Run
from fsbench.report.published import Contents, read
from fsbench.words import plural


def present(path: Path) -> Contents | None:
    """What the published file at a path contains, None if there is nothing. Raises StoreError."""
    return read(path) if path.exists() else None


def refuse_other(path: Path, old: Contents | None, publishers: Sequence[str]) -> None:
    """Raise UsageError if a file that is to be replaced is not by the same publishers."""
    if old is None or sorted(old.publishers) == sorted(publishers):
        return
    verifiers = " and ".join(dict.fromkeys(each.by for each in old.verified))
    reproduced = f", reproduced by {verifiers}" if verifiers else ""
    raise UsageError(
        f"{path} has results {_by(old.publishers)}{reproduced}, and the new ones are {_by(publishers)}: "
        "publish into another folder, join the files with `fsbench merge`, or give --replace"
    )


def refuse_loss(path: Path, old: Contents | None, new: Contents) -> None:
    """Raise UsageError if a file that is to be replaced has records that the new contents do not have."""
    if lost := _lost(old, new):
        raise UsageError(
            f"{path} exists, with {plural(lost, 'record')} that are not in the files to join: name "
            f"another file to write, give {path.name} as one of those to join too, or give --replace"
        )


def said_loss(path: Path, old: Contents | None, new: Contents) -> str:
    """A line about the records of a replaced file that the new contents do not have, or ""."""
    if not (lost := _lost(old, new)):
        return ""
    return (
        f"replaced {path.name}, which had {plural(lost, 'record')} that the new one lacks; to have all in "
        "one file, publish each results folder into its own folder and join the files with `fsbench merge`"
    )


def _lost(old: Contents | None, new: Contents) -> int:
    """How many records of old contents the new ones do not have."""
    return len({record.key for record in old.records} - {record.key for record in new.records}) if old else 0


def with_verifications(new: Contents, old: Contents | None) -> tuple[Contents, str]:
    """The new contents with the verifications of the old ones, and a line about those that are lost, or "".

    A verification of a trial is kept if its result is unchanged.
    """
    if old is None or not old.verified:
        return new, ""
    same, keys = _unchanged(old, new), {key for each in old.verified for key in each.outcomes}
    kept = (
        replace(each, outcomes={key: word for key, word in each.outcomes.items() if key in same})
        for each in old.verified
    )
    added = [each for each in kept if each.outcomes and each not in new.verified]
    lost = f"left out that {plural(len(keys - same), 'trial')} had been reproduced: the results have changed"
    return replace(new, verified=(*new.verified, *added)), lost if keys - same else ""


def _unchanged(old: Contents, new: Contents) -> set[str]:
    """The keys of trials that were verified and have the same result as before."""
    before, after = ({each.key: Run.of(each, one, "") for each in one.records} for one in (old, new))
    keys = {key for each in old.verified for key in each.outcomes} & before.keys() & after.keys()
    return {key for key in keys if compare_runs(before[key], after[key], ())[0] == "bitwise"}


def _by(publishers: Sequence[str]) -> str:
    return f"by {' and '.join(publishers)}" if publishers else "without a publisher's name (--by)"
