from __future__ import annotations

from dataclasses import replace

import pytest

from fsbench.data.splits import draw_split
from fsbench.data.suites import Suite, ad_hoc, load_suite, suite_names
from fsbench.errors import DataError, UnknownName


@pytest.fixture(scope="module")
def starter() -> Suite:
    return load_suite("starter-v1")


def test_the_starter_suite_has_every_protocol_images_and_tables(starter: Suite) -> None:
    infos = [task.info for task in starter.parse()]
    assert {info.protocol for info in infos} == {"kshot", "longtail", "noisy", "shift", "episodes"}
    assert {info.modality for info in infos} == {"image", "tabular"}
    assert "shift(mnist5k(size=8), digits)" in starter.tasks
    assert (starter.name, starter.version, starter.split_seeds) == ("starter-v1", 1, 3)
    assert starter.description


def test_fingerprints_are_of_tasks_of_the_suite_and_no_glyphs(starter: Suite) -> None:
    assert set(starter.fingerprints) == {text for text in starter.tasks if "glyphs" not in text}
    assert all(len(known) == starter.split_seeds for known in starter.fingerprints.values())


def test_the_splits_of_the_starter_suite_are_the_published_ones(starter: Suite) -> None:
    for task in starter.parse():
        for seed in range(len(starter.fingerprints.get(task.text, ()))):
            starter.check(task.text, seed, draw_split(task, seed).fingerprint)


def test_another_split_than_the_published_one_is_an_error(starter: Suite) -> None:
    wrong = replace(starter, fingerprints={"kshot(wine, k=5)": ("0123456789abcdef",)})
    with pytest.raises(
        DataError, match=r"starter-v1: split 0 of kshot\(wine, k=5\) is .* not 0123456789abcdef"
    ):
        wrong.check("kshot(wine, k=5)", 0, "fedcba9876543210")
    wrong.check("kshot(wine, k=5)", 1, "a seed that the suite does not name")
    wrong.check("kshot(digits, k=5)", 0, "a task that the suite does not name")


def test_tasks_without_a_suite_have_no_known_splits() -> None:
    suite = ad_hoc("kshot(wine, k=[1, 5])")
    assert [task.text for task in suite.parse()] == ["kshot(wine, k=1)", "kshot(wine, k=5)"]
    suite.check("kshot(wine, k=5)", 0, "anything")


def test_an_unknown_suite_suggests_the_nearest() -> None:
    assert suite_names() == ["starter-v1"]
    with pytest.raises(UnknownName, match="unknown suite 'starter-v2'; did you mean 'starter-v1'"):
        load_suite("starter-v2")
