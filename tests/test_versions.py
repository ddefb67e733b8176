"""Which versions a record holds: those of every package that decides results, in any process."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata

import pytest

import fsbench
from fsbench import versions
from fsbench.versions import installed

DECISIVE = ("numpy", "torch", "torchvision", "scikit-learn", "imbalanced-learn")


@pytest.mark.parametrize("spec", ["erm", "sklearn+focal"])
def test_a_record_holds_the_versions_that_decide_its_results(tmp_path, spec) -> None:
    torch = pytest.importorskip("torch")
    tasks, quick = "kshot(wine, k=1)", {"steps": 1}
    record = fsbench.run(
        spec, tasks=tasks, seeds=1, jobs=1, recipe=quick, baseline="erm", results=tmp_path
    ).records[-1]
    assert record.status == ("ok" if spec == "erm" else "failed")
    found = record.versions
    assert {name: found[name] for name in DECISIVE if name != "torch"} == {
        name: metadata.version(name) for name in DECISIVE if name != "torch"
    }
    assert (found["torch"], found["fsbench"]) == (torch.__version__, fsbench.__version__)


def test_changing_received_values_changes_nothing_for_others() -> None:
    installed()["numpy"] = "changed"
    assert installed()["numpy"] == metadata.version("numpy")


def test_a_missing_package_has_no_version(monkeypatch) -> None:
    monkeypatch.setattr(versions, "RECORDED", ("numpy", "no-such-package"))
    assert set(installed()) == {"fsbench", "python", "numpy"}


def test_versions_are_read_without_an_import() -> None:
    code = "import sys; from fsbench.versions import installed; installed(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"torch", "torchvision", "sklearn", "imblearn"} & set(loaded.split())
