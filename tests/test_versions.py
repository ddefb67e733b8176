"""Which versions a record holds: those of every package that decides results, from whichever process."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata

import pytest

import fsbench
from fsbench import versions
from fsbench.engine.worker import Job, run_job
from fsbench.types import Trial
from fsbench.versions import installed

DECISIVE = ("numpy", "torch", "torchvision", "scikit-learn", "imbalanced-learn")


def test_a_record_holds_the_versions_that_decide_its_results(tmp_path) -> None:
    torch = pytest.importorskip("torch")
    trial = Trial("kshot(wine, k=1)", 0, 0, "erm", "recipe(steps=1)", "key", "erm")
    found = run_job(Job(trial, str(tmp_path), "cpu")).fields["versions"]
    assert {name: found[name] for name in DECISIVE if name != "torch"} == {
        name: metadata.version(name) for name in DECISIVE if name != "torch"
    }
    assert (found["torch"], found["fsbench"]) == (torch.__version__, fsbench.__version__)


def test_who_changes_what_it_gets_changes_nothing_for_others() -> None:
    installed()["numpy"] = "changed"
    assert installed()["numpy"] == metadata.version("numpy")


def test_a_package_that_is_not_there_has_no_version(monkeypatch) -> None:
    monkeypatch.setattr(versions, "RECORDED", ("numpy", "no-such-package"))
    assert set(installed()) == {"fsbench", "python", "numpy"}


def test_versions_are_read_without_an_import() -> None:
    code = "import sys; from fsbench.versions import installed; installed(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"torch", "torchvision", "sklearn", "imblearn"} & set(loaded.split())
