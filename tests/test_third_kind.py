"""A kind of samples from a plugin (plugins_melodies.py), from `kshot` to the leaderboard."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
PLUGIN = "plugins_melodies"
TASKS = "kshot(songs, k=5), longtail(songs, ir=4, head=20, source=hymns), shift(hymns, songs)"
SPECS = (
    "erm, focal, rests, focal+rests, resampling(method=random_over), resampling(method=smote), augmentation, "
    "blur, sklearn(estimator=random_forest), transfer(source_steps=60), "
    "transfer(source_steps=60, mode=linear_probe), protonet(meta_steps=30), "
    "maml(meta_steps=30)"
)

pytestmark = pytest.mark.slow


def python(*arguments: str) -> str:
    """What a new process with the plugin prints."""
    paths = [str(HERE), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "FSBENCH_PLUGINS": PLUGIN,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("melodies")


@pytest.fixture(scope="module")
def records(folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """A run's records by protocol and spec."""
    code = (
        "import fsbench, json, sys\n"
        "options = dict(tasks=sys.argv[2], seeds=1, jobs=2, results=sys.argv[3], baseline='erm')\n"
        "found = fsbench.run(sys.argv[1], **options)\n"
        "print(json.dumps([record.to_dict() for record in found.records]))"
    )
    found = json.loads(python("-c", code, SPECS, TASKS, str(folder)))
    return {(record["task"].partition("(")[0], record["spec"]): record for record in found}


def test_strategies_that_do_not_know_the_kind_learn_from_it(records: dict[tuple[str, str], Any]) -> None:
    learning = [
        ("kshot", "erm"),
        ("kshot", "focal"),
        ("kshot", "focal+rests"),
        ("kshot", "sklearn(estimator=random_forest)"),
        ("longtail", "resampling(method=random_over)"),
        ("longtail", "transfer(source_steps=60)"),
        ("longtail", "transfer(mode=linear_probe, source_steps=60)"),
        ("longtail", "protonet(meta_steps=30)"),
        ("longtail", "maml(meta_steps=30)"),
        ("shift", "erm"),
    ]
    for name in learning:
        record = records[name]
        assert record["status"] == "ok", record["reason"]
        assert record["metrics"]["balanced_accuracy"] > 0.6, name
    failed = {name: record["reason"] for name, record in records.items() if record["status"] == "failed"}
    assert not failed


def test_inputs_stay_integers_throughout(records: dict[tuple[str, str], Any]) -> None:
    notes = records["kshot", "rests"]["notes"]
    assert [note.removeprefix("rests: ") for note in notes] == [
        "training set of torch.int64 up to 24",
        "batches of torch.int64",
        "validation set of torch.int64",
    ]


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("augmentation", "works on image and table data, not on melody data"),
        ("blur", "computes with inputs in augment, which is not possible on melody data"),
        ("resampling(method=smote)", "smote mixes samples, which those of melody data are not made for"),
    ],
)
def test_strategies_that_compute_with_inputs_are_skipped_with_the_reason(
    records: dict[tuple[str, str], Any], spec: str, reason: str
) -> None:
    record = records["longtail", spec]
    assert (record["status"], record["reason"]["message"]) == ("skipped", reason)


def test_the_recipe_the_key_and_the_record_are_the_kinds(records: dict[tuple[str, str], Any]) -> None:
    record = records["kshot", "erm"]
    assert record["recipe"].startswith("recipe(backbone=bag_of_notes, backbone_lr_scale=1.0, batch_size=16")
    assert "#kind:melody:unpackaged+" in record["full_spec"]
    assert record["versions"][PLUGIN].startswith("unpackaged+")


def test_the_leaderboard_has_every_strategy(records: dict[tuple[str, str], Any], folder: Path) -> None:
    printed = python("-m", "fsbench", "report", "--results", str(folder), "--format", "csv", "--output", "-")
    rows = list(csv.DictReader(printed.splitlines()))
    ranked = {row["strategy"] for row in rows if row["task"] == "kshot(songs, k=5)"}
    assert {"erm", "focal", "rests", "focal+rests", "sklearn(estimator=random_forest)"} <= ranked


def test_the_lists_contain_the_kind() -> None:
    assert "melody bag_of_notes" in " ".join(python("-m", "fsbench", "list", "kinds").split())
    assert "1 kind: melody" in " ".join(python("-m", "fsbench", "list", "plugins").split())
    assert "180 samples of 10, 3 classes" in " ".join(python("-m", "fsbench", "list", "datasets").split())


def test_the_kit_checks_everything_that_the_plugin_provides() -> None:
    lines = [line.split() for line in python("-m", "fsbench", "plugin", "check", PLUGIN).splitlines()]
    for thing in (["strategy", "rests"], ["strategy", "blur"], ["kind", "melody"]):
        assert thing in lines
    assert lines.count(["ok", "learns", "separable", "classes"]) == 2
    assert ["ok", "prepares", "each", "sample", "on", "its", "own"] in lines


def test_the_kit_checks_other_strategies_on_the_kind() -> None:
    code = (
        "from fsbench.testing import conformance\n"
        "for check in conformance('focal'): print(check, check(), sep=': ')"
    )
    assert len(python("-c", code).splitlines()) > 10
