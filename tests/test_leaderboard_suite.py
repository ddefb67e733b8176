"""What a leaderboard of a suite refuses: records of other splits than those that the suite names."""

from __future__ import annotations

from pathlib import Path

import pytest
from records import cell, failed, record, skipped

from fsbench.cli import main
from fsbench.data.suites import load_suite
from fsbench.report.published import write_jsonl

TASK = "kshot(wine, k=5)"
KNOWN = load_suite("starter-v1").fingerprints[TASK]


def published(path: Path, records) -> str:
    write_jsonl(records, path / "made.jsonl")
    return str(path / "made.jsonl")


def good() -> list:
    return [record(TASK, "erm", seed, split_fingerprint=known + "0" * 48) for seed, known in enumerate(KNOWN)]


def test_records_of_the_suites_splits_are_shown(tmp_path, capsys):
    beyond = record(TASK, "erm", len(KNOWN), split_fingerprint="a seed that the suite does not name")
    kept_out = skipped(task=TASK, spec="dann", split_fingerprint="")
    path = published(tmp_path, [*good(), beyond, kept_out])
    assert main(["leaderboard", "--results", path, "--suite", "starter-v1"]) == 0
    assert "4/4" in capsys.readouterr().out


@pytest.mark.parametrize(
    "foreign",
    [
        record(TASK, "focal", 1, split_fingerprint="f" * 64),
        record(TASK, "focal", 1, split_fingerprint=""),
        failed(task=TASK, spec="focal", split_seed=1, split_fingerprint="f" * 64),
    ],
    ids=["ok", "unnamed", "failed"],
)
def test_a_record_of_another_split_is_refused_not_averaged_in(tmp_path, capsys, foreign):
    path = published(tmp_path, [*good(), foreign])
    status = main(["leaderboard", "--results", path, "--suite", "starter-v1"])
    out, err = capsys.readouterr()
    assert (status != 0, out, err.count("\n")) == (True, "", 1)
    assert f"made.jsonl holds a record of focal on other data than starter-v1: split 1 of {TASK} is" in err
    assert f"not {KNOWN[1]}" in err
    others = cell("kshot(digits, k=7)", "erm", [0.5])
    path = published(tmp_path, [*good(), *others])
    assert main(["leaderboard", "--results", path, "--tasks", "kshot(digits, k=7)"]) == 0
