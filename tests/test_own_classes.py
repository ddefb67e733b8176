"""What is said about the classes of the user's own data."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from fsbench import OwnData
from fsbench.errors import DataError
from fsbench.own import read_own
from fsbench.own.form import Form
from fsbench.own.further import read_further

pytestmark = pytest.mark.usefixtures("no_dataset_stays")


def remarks(folder: Path, labels: Sequence[object]) -> list[str]:
    """What is said about a table with some labels."""
    rows = [f'{number}.5,{number % 7},"{label}"' for number, label in enumerate(labels)]
    (folder / "rows.csv").write_text("\n".join(["size,weight,kind", *rows]))
    return list(read_own(OwnData(folder / "rows.csv", target="kind")).warnings)


@pytest.mark.parametrize("between", [",", ", ", ";", " | "])
def test_classes_that_join_others_are_named(tmp_path, between):
    both, other = f"cat{between}dog", f"dog{between}bird"
    said = remarks(tmp_path, [*["cat"] * 8, *[both] * 8, *[other] * 8, *["bird"] * 8])
    (found,) = (line for line in said if "several labels" in line)
    assert found.startswith(f"classes {both!r}, {other!r} look like several labels of one row")


def test_one_class_that_joins_two_others_is_named(tmp_path):
    said = remarks(tmp_path, [name for name in ("cat", "dog", "cat,dog") for _ in range(8)])
    assert any(line.startswith("classes 'cat,dog' look like several labels of one row") for line in said)


@pytest.mark.parametrize(
    "classes",
    [
        ("cat", "dog", "cat and dog"),
        ("Paris, France", "Lyon, France", "Rome, Italy"),
        ("yes", "no", "yes, but later", "no, never"),
        ("cat", "cat,dog"),
    ],
)
def test_classes_that_only_have_commas_are_not(tmp_path, classes):
    said = remarks(tmp_path, [name for name in classes for _ in range(8)])
    assert not any("several labels" in line for line in said)


def test_whole_numbers_with_few_rows_each_may_be_a_quantity(tmp_path):
    said = remarks(tmp_path, [20 + number % 20 for number in range(60)])
    assert (
        "the classes are 20 whole numbers with few rows each; if they are a quantity, make classes of it "
        "first (low, medium, high)"
    ) in said


@pytest.mark.parametrize(
    "labels",
    [[n % 12 for n in range(120)], [n % 5 for n in range(20)], [f"kind {n % 20}" for n in range(60)]],
    ids=["many rows each", "few classes", "names"],
)
def test_numbers_that_are_classes_are_left_in_peace(tmp_path, labels):
    assert not any("quantity" in line for line in remarks(tmp_path, labels))


def test_classes_that_cannot_be_used_share_a_line(tmp_path):
    said = remarks(tmp_path, ["a"] * 9 + ["b"] * 9 + ["c"])
    assert "class 'c' left out: it has one row only, so none can be held out" in said
    said = remarks(tmp_path, ["a"] * 9 + ["b"] * 9 + list("cdefghij"))
    assert (
        "classes 'c', 'd', 'e', 'f', 'g' and 3 more left out: each has one row only, so none can be held out"
    ) in said


@pytest.mark.parametrize(("classes", "told"), [(50, True), (51, False), (300, False)])
def test_a_small_step_of_the_score_is_not_pointed_out(tmp_path, classes, told):
    said = remarks(tmp_path, [f"k{number % classes}" for number in range(3 * classes)])
    assert any("changes balanced accuracy by 2 points" in line for line in said) is told
    assert any("one more right or wrong" in line for line in said) is told


def test_accented_letters_in_both_forms_are_one_class_and_one_group(tmp_path: Path) -> None:
    names = ["caf\u00e9", "cafe\u0301", "tea", "tea"] * 6
    rows = [f"{i}.5,{name},{name} {i // 4}" for i, name in enumerate(names)]
    (tmp_path / "rows.csv").write_text("\n".join(["size,drink,cup", *rows]), encoding="utf-8")
    dataset = read_own(OwnData(tmp_path / "rows.csv", target="drink", group="cup")).dataset
    assert dataset.info.classes == ("caf\u00e9", "tea")
    assert dataset.groups is not None
    assert len(set(dataset.groups.tolist())) == 12


def test_accented_letters_in_both_forms_are_one_column_and_one_category(tmp_path: Path) -> None:
    """Also in inputs for a model, and for a card that has the other form."""
    one, other = (unicodedata.normalize(form, "größe,farbe,kühl,fälle") for form in ("NFC", "NFD"))
    rows = [f"{i}.5,{'röt' if i % 4 < 2 else 'blau'},{'ja' if i % 2 else 'nein'},{i // 3}" for i in range(24)]
    size, _, target, group = other.split(",")
    (tmp_path / "rows.csv").write_text("\n".join([one, *rows]), encoding="utf-8")
    form = read_own(OwnData(tmp_path / "rows.csv", target=target, group=group)).form
    assert form is not None
    assert [column.name for column in form.columns] == one.split(",")[:2]
    new = unicodedata.normalize("NFD", "\n".join([one, *rows]))
    (tmp_path / "new.csv").write_text(new, encoding="utf-8")
    card = json.dumps(form.to_dict(), ensure_ascii=False)
    for name in ("rows.csv", "new.csv"):
        for values in (card, card.replace(one.split(",")[0], size)):
            further = read_further(tmp_path / name, Form.from_dict(json.loads(values)))
            assert further.warnings == ()
            assert not np.isnan(further.x).any()
    (tmp_path / "rows.csv").write_text(
        f"{size},{one}\n" + "\n".join(f"1,{row}" for row in rows), encoding="utf-8"
    )
    with pytest.raises(DataError, match="two columns named 'größe'"):
        read_own(OwnData(tmp_path / "rows.csv", target=target))
