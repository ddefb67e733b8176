"""Reports of results on own data: its classes have names, on every later day, which are not published."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import fake_executor
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from test_formats import HOSTILE

import fsbench
from fsbench.cli import main
from fsbench.datasets import known
from fsbench.datasets.dataset import DatasetInfo
from fsbench.errors import StoreError
from fsbench.metrics import METRICS
from fsbench.report.budgets import leaderboards
from fsbench.report.html.cards import cards
from fsbench.results import Results
from fsbench.store import Store
from fsbench.words import printable

pytestmark = pytest.mark.usefixtures("no_dataset_stays")
TASK = "holdout(messy)"
INFO = DatasetInfo("messy", "own data: 30 rows", "table", (1,), ("a", "b"), (10, 20), "own", "own")


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fsbench.runner.get_registry", fake_executor.registry)
    monkeypatch.setattr("fsbench.registry.get_registry", fake_executor.registry)
    mpl.use("agg")


def messy(path: Path, names: list[str], seed: int = 0) -> fsbench.OwnData:
    """A table of three classes of ten rows."""
    labels = np.arange(30) % 3
    value = np.random.default_rng(seed).normal(size=30) + labels
    pd.DataFrame({"value": value, "diagnosis": [names[each] for each in labels]}).to_csv(path, index=False)
    return fsbench.OwnData(path, target="diagnosis")


def run(folder: Path, names: list[str], seed: int = 0) -> Path:
    """Run on such a table, and forget it as the end of the process does; the results folder."""
    own = messy(folder / "messy.csv", names, seed)
    fake_executor.run(folder / "results", tasks=None, data=own, seeds=2)
    known.DATASETS.pop("messy")
    return folder / "results"


def classes_of(results: Results) -> list[str]:
    return list(results.confusion("erm", TASK).index)


def card_of(results: Results) -> dict[str, str]:
    """The card of the data."""
    _, data, _ = cards(leaderboards(results.columns(*METRICS)))
    (card,) = data.cards
    return {"about": card.about, **dict(card.facts)}


@pytest.mark.slow
def test_a_later_report_names_the_classes_and_says_what_the_data_is(tmp_path):
    results = fsbench.load(run(tmp_path, ["ill", "very ill", "well"]))
    assert classes_of(results) == ["ill", "very ill", "well"]
    card = card_of(results)
    assert (card["about"], card["samples"]) == ("own data: 30 rows", "30, each 1")
    assert card["classes"] == "3: ill (10), very ill (10), well (10)"
    made = json.loads(results.report(tmp_path / "r.json").read_text())
    (chart,) = made["leaderboards"][0]["charts"]["predicted"]
    assert chart["classes"] == ["ill", "very ill", "well"]
    assert "very ill" in results.report(tmp_path / "r.html").read_text()


@pytest.mark.slow
def test_names_of_classes_are_text_everywhere(tmp_path):
    folder = run(tmp_path, ["ill", "very ill", "well"])
    for first in range(0, len(HOSTILE), 3):
        names = tuple([*HOSTILE[first : first + 3], "a", "b"][:3])
        with Store(folder) as store:
            store.keep_own([replace(store.own()["messy"], classes=names)])
        results = fsbench.load(folder)
        assert classes_of(results) == list(names)
        results.report(tmp_path / "r.json")
        page = results.report(tmp_path / "r.html").read_text()
        assert printable(names[0]) in html.unescape(page)
        assert "<script>alert(1)" not in page
        axes = results.plot.confusion("erm", TASK)
        axes.figure.savefig(tmp_path / "c.svg")
        for name in ("r.html", "r.json", "c.svg"):
            assert not re.search("[\x00-\x08\x0e-\x1f\x7f-\x9f\u202e]", (tmp_path / name).read_text())
        tree = ElementTree.fromstring((tmp_path / "c.svg").read_bytes())
        assert not [each for each in tree.iter() if each.tag.lower().endswith("script")]


def test_what_is_published_does_not_name_the_classes(tmp_path):
    folder, place = run(tmp_path, ["ill", "secret", "well"]), tmp_path / "published"
    assert main(["publish", str(folder), str(place), "--predictions"]) == 0
    files = [path for path in place.rglob("*") if path.is_file()]
    assert len(files) > 3
    assert not [path for path in files if b"secret" in path.read_bytes()]
    assert classes_of(fsbench.load(place / "results.jsonl")) == ["0", "1", "2"]


def test_other_data_under_the_same_name_does_not_rename_the_classes(tmp_path):
    folder = run(tmp_path, ["ill", "very ill", "well"])
    with pytest.raises(StoreError, match="on other data"):
        run(tmp_path, ["x", "y", "z"], seed=1)
    assert known.DATASETS["messy"].added.info.classes == ("x", "y", "z")
    results = fsbench.load(folder)
    assert classes_of(results) == ["ill", "very ill", "well"]
    assert card_of(results)["duplicates"] == "unknown: other data has this name now"


def test_renamed_classes_of_the_same_data_have_their_new_names(tmp_path):
    run(tmp_path, ["ill", "very ill", "well"])
    assert classes_of(fsbench.load(run(tmp_path, ["a", "b", "c"]))) == ["a", "b", "c"]


def test_results_of_an_older_version_have_numbers(tmp_path):
    folder = run(tmp_path, ["ill", "very ill", "well"])
    with Store(folder) as store:
        store._db.execute("DROP TABLE own")
    results = fsbench.load(folder)
    assert classes_of(results) == ["0", "1", "2"]
    assert card_of(results)["about"] == "not known on this machine"


def test_what_is_known_about_data_is_written_once(tmp_path):
    with Store(tmp_path) as store:
        store.keep_own([INFO])
        assert store.own() == {"messy": INFO}
        before = store._db.total_changes
        store.keep_own([INFO])
        assert store._db.total_changes == before


@pytest.mark.parametrize("text", ["[]", '{"text": "messy"}', "{", '{"classes": ["a"], "symmetries": []}'])
def test_damage_is_an_error_in_one_line(tmp_path, text):
    with Store(tmp_path) as store:
        store.keep_own([INFO])
        store._db.execute("UPDATE own SET info = ?", (text,))
        with pytest.raises(StoreError, match="is damaged"):
            store.own()


def test_what_a_later_version_adds_is_left_out(tmp_path):
    with Store(tmp_path) as store:
        store.keep_own([INFO])
        (text,) = store._db.execute("SELECT info FROM own").fetchone()
        store._db.execute("UPDATE own SET info = ?", (json.dumps({**json.loads(text), "new": 1}),))
        assert store.own() == {"messy": INFO}
