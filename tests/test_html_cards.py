"""The cards of a page: tasks, data, recipes, and where results come from."""

from __future__ import annotations

import numpy as np
from records import over_seeds, record
from whole_results import columns_of, whole

from fsbench.datasets.dataset import Dataset, DatasetInfo
from fsbench.datasets.known import DATASETS, add_dataset
from fsbench.evidence import Evidence
from fsbench.provenance import Provenance
from fsbench.report.budgets import leaderboards
from fsbench.report.html.cards import Card, cards, provenance


def cards_of(*tasks: str) -> dict[str, dict[str, Card]]:
    """The cards of a few results on some tasks, by title and name."""
    records = [each for task in tasks for each in over_seeds(task, "erm", [0.5, 0.6])]
    return by_name(cards(leaderboards(columns_of(records))))


def by_name(found) -> dict[str, dict[str, Card]]:
    return {each.title: {card.name: card for card in each.cards} for each in found}


def test_a_card_of_data_has_sizes_licence_citation_and_duplicates():
    card = cards_of("kshot(wine, k=5)")["Data"]["wine"]
    facts = dict(card.facts)
    assert facts["samples"] == "178, each 13"
    assert facts["classes"] == "3: class_0 (59), class_1 (71), class_2 (48)"
    assert facts["licence"] == "CC BY 4.0"
    assert facts["duplicates"] == "no two samples are equal"
    assert facts["citation"]


def test_equal_samples_are_counted():
    if "twins" not in DATASETS:
        info = DatasetInfo("twins", "two are equal", "table", (2,), ("a", "b"), (2, 2), "none", "none")
        x = np.array([[0, 1], [0, 1], [2, 3], [4, 5]], dtype=np.float32)
        add_dataset(Dataset(info, x, np.array([0, 1, 0, 1])))
    facts = dict(cards_of("kshot(twins, k=1)")["Data"]["twins"].facts)
    assert facts["duplicates"] == "1 of 4 samples equal another one"


def test_large_data_is_not_loaded_for_its_card():
    facts = dict(cards_of("kshot(mnist5k, k=5)")["Data"]["mnist5k"].facts)
    assert facts["duplicates"] == "not counted in data of more than 250,000 numbers"


def test_sources_have_a_card_and_unknown_data_says_so():
    found = cards_of("kshot(digits, k=5, source=mnist5k(size=8))", "kshot(mine, k=5)")["Data"]
    assert set(found) == {"digits", "mnist5k(size=8)", "mine"}
    assert found["mine"].about == "not known on this machine"


def test_a_card_of_a_task_says_how_many_samples_each_part_has():
    found = by_name(cards(leaderboards(whole(seeds=2))))["Tasks"]
    facts = dict(found["kshot(digits, k=5)"].facts)
    assert (facts["protocol"], facts["dataset"], facts["k"]) == ("kshot", "digits", "5")
    assert (facts["training samples"], facts["test samples"], facts["split seeds"]) == ("50", "40", "2")
    episodes = dict(found["episodes(glyphs, shot=1, way=5)"].facts)
    assert episodes["test samples"] == "40 in each of 4 episodes"


def test_recipes_name_the_tasks_that_they_are_used_on():
    found = cards_of("kshot(wine, k=5)", "kshot(wine, k=1)")["Recipes"]
    facts = dict(found["mlp"].facts)
    assert facts["steps"] == "200"
    assert facts["tasks"] == "kshot(wine, k=1); kshot(wine, k=5)"


def test_provenance_has_versions_hardware_fingerprints_and_full_texts():
    columns = columns_of([record(full_spec="erm()#code+12", versions={"torch": "2.1", "fsbench": "0.1"})])
    found = by_name(provenance(columns, leaderboards(columns)))
    facts = dict(found["Computed with"]["results"].facts)
    assert (facts["records"], facts["hardware"], facts["torch"], facts["fsbench"]) == (
        "1",
        "cpu",
        "2.1",
        "0.1",
    )
    assert facts["newest result"].startswith("2026-01-01")
    prints = dict(found["Computed with"]["fingerprints"].facts)
    assert prints == {"kshot(digits, k=5)": "0: kshot(digits, k="}
    assert dict(found["Strategies as they ran"]["erm"].facts)["full text"] == "erm()#code+12"


def test_provenance_of_a_published_file_has_its_publisher_and_the_dates_that_its_records_lack():
    came = Provenance("Ada", 1, "2026-01-02T03:04:05+00:00", "2026-02-03T04:05:06+00:00")
    columns = columns_of([record(created="")], Evidence(provenance=(came,)))
    facts = dict(by_name(provenance(columns, leaderboards(columns)))["Computed with"]["results"].facts)
    assert (facts["published by"], facts["oldest result"], facts["newest result"]) == (
        came.by, came.first, came.last
    )  # fmt: skip
