"""What is read along with labelled data: unlabelled inputs, and a second domain."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from own_files import csv, frame, make, noise, npz, pixels, read, save

import fsbench
from fsbench.errors import DataError, FsbenchError, UnknownName, UsageError
from fsbench.own import OwnData, Reading
from fsbench.tasks.drawing import Split
from fsbench.tasks.expressions import parse_tasks
from fsbench.tasks.splits import draw_split

pytestmark = pytest.mark.usefixtures("no_dataset_stays")


def drawn(reading: Reading, seed: int = 0) -> Split:
    """A draw of the task of a run on what was read."""
    reading.register()
    (task,) = parse_tasks(reading.task)
    return draw_split(task, seed)


def said(reading: Reading) -> str:
    return "\n".join(reading.warnings)


def test_unlabelled_images_are_read_like_the_labelled_ones(tmp_path: Path) -> None:
    pets = make(tmp_path / "pets", {"cat": 6, "dog": 6}, side=12)
    for number in range(5):
        save(tmp_path / "more" / "deep" / f"{number}.png", noise(9000 + number, 20, 30, 3))
    reading, alone = read(pets, unlabeled=tmp_path / "more"), read(pets)
    info = reading.dataset.info
    assert (info.num_unlabeled, reading.task) == (5, "holdout(pets, unlabeled=all)")
    assert reading.dataset.unlabeled is not None
    assert reading.dataset.unlabeled.shape == (5, 1, 12, 12)
    assert np.array_equal(reading.dataset.x, alone.dataset.x)
    assert reading.dataset.fingerprint == alone.dataset.fingerprint
    assert f"{tmp_path / 'more'}: 5 images without a label" in reading.facts
    split = drawn(reading)
    assert split.unlabeled is not None
    assert len(split.unlabeled.index) == 5


def test_unlabelled_images_of_an_unsupported_format_are_named(tmp_path: Path) -> None:
    pets = make(tmp_path / "pets", {"cat": 6, "dog": 6})
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "1.heic").touch()
    said = r"more has no images; .*\(1 image of an unsupported format not read; convert to PNG or JPEG: 1\.h"
    with pytest.raises(DataError, match=said):
        read(pets, unlabeled=tmp_path / "more")


def test_unlabelled_images_that_repeat_a_labelled_one_are_left_out(tmp_path: Path) -> None:
    pets = make(tmp_path / "pets", {"cat": 6, "dog": 6}, side=16)
    again = tmp_path / "more"
    save(again / "0.png", noise(3, 16, 16))
    save(again / "1.jpg", np.asarray(noise(1004, 16, 16)), quality=90)
    for number in range(2, 8):
        save(again / f"{number}.png", noise(9000 + number, 16, 16))
    reading = read(pets, unlabeled=again)
    assert reading.dataset.info.num_unlabeled == 6
    assert (
        f"2 images of {again} left out: they repeat samples with a label, which may be in the test"
        in said(reading)
    )
    with pytest.raises(
        DataError,
        match="pets: each image without a label repeats one with a label, which may be in the test; leave it",
    ):
        read(pets, unlabeled=pets)


def test_unlabelled_images_may_repeat_each_other(tmp_path: Path) -> None:
    pets = make(tmp_path / "pets", {"cat": 6, "dog": 6})
    for number in range(6):
        save(tmp_path / "more" / f"{number}.png", noise(9000 + number // 2, 12, 12))
    reading = read(pets, unlabeled=tmp_path / "more")
    assert reading.dataset.info.num_unlabeled == 6
    assert "left out" not in said(reading)


def test_unlabelled_images_on_one_background_are_not_all_repeats(tmp_path: Path) -> None:
    """Nearly all of them look like a labelled one; only those that equal one are left out."""
    background = noise(1, 32, 32).astype(np.int64)

    def shot(seed: int) -> np.ndarray:
        speck = np.random.default_rng(seed).integers(-3, 4, (32, 32))
        return (background + speck).clip(0, 255).astype(np.uint8)

    for number in range(12):
        save(tmp_path / "pets" / ("cat", "dog")[number % 2] / f"{number}.png", shot(number))
    for number in range(10, 20):
        save(tmp_path / "more" / f"{number}.png", shot(number))
    reading = read(tmp_path / "pets", unlabeled=tmp_path / "more")
    assert reading.dataset.info.num_unlabeled == 8
    assert "2 images of" in said(reading)


def test_unlabelled_rows_need_the_columns_of_the_labelled_ones(tmp_path: Path) -> None:
    table, more = frame(40), frame(90).iloc[40:].drop(columns="kind")
    more.loc[45, "colour"] = "violet"
    path = csv(tmp_path, table.assign(same=1))
    other = csv(tmp_path, more.assign(place="x", same=1)[::-1], "more.csv")
    reading, alone = read(path, target="kind", unlabeled=other), read(path, target="kind")
    found = reading.dataset.unlabeled
    assert found is not None
    assert (found.shape, reading.dataset.info.num_unlabeled) == ((50, 3), 50)
    np.testing.assert_allclose(found[:, 0], more["size"][::-1], rtol=1e-6)
    assert np.flatnonzero(np.isnan(found[:, 2])).tolist() == [44]
    assert reading.dataset.fingerprint == alone.dataset.fingerprint
    assert reading.warnings == (
        "column 'same' left out: only one value",
        f"column 'place' of {other} not read: not in {path}",
        f"column 'colour' of {other}: 1 row with a text that was not in the training data ('violet'), which "
        "counts as missing",
    )
    lacking = csv(tmp_path, more.drop(columns="size"), "lacking.csv")
    with pytest.raises(DataError, match=r"lacking\.csv has no column 'size'; expected the columns of "):
        read(path, target="kind", unlabeled=lacking)
    worded = csv(tmp_path, more.assign(size="big"), "worded.csv")
    with pytest.raises(DataError, match=r"column 'size' has numbers in .*things\.csv and texts in .*worded"):
        read(path, target="kind", unlabeled=worded)


def test_rows_without_a_label_in_the_same_file_are_unlabelled(tmp_path: Path) -> None:
    table = frame(40).assign(patient=[f"p{i // 2}" for i in range(40)])
    table.loc[[0, 1, 4, 30, 31], "kind"] = None
    path = csv(tmp_path, table)
    reading = read(path, target="kind", group="patient", unlabeled=path)
    assert reading.dataset.info.n == 35
    assert reading.dataset.info.num_unlabeled == 4
    assert f"35 rows of {path} not read: the label is given" in reading.warnings
    assert f"1 row of {path} left out: other rows of the same 'patient' have a label" in said(reading)
    table.loc[0, "kind"], table.loc[30, "kind"] = "yes", "no"
    table.loc[4, "patient"], table.loc[31, "patient"] = "p0", "p15"
    path = csv(tmp_path, table)
    why = "for each row without a label, other rows of the same 'patient' have one, and may be in the test"
    with pytest.raises(DataError, match=f"{path}: {why}; leave it out"):
        read(path, target="kind", group="patient", unlabeled=path)


@pytest.mark.parametrize(
    ("tasks", "warned"), [(None, 0), ("kshot(a, k=5)", 1), ("kshot(a, k=5), kshot(a, k=2, unlabeled=all)", 0)]
)
def test_unlabelled_inputs_that_no_task_uses_are_told(tasks: str | None, warned: int, tmp_path: Path) -> None:
    table = frame(60)
    path = csv(tmp_path, table[:40], "a.csv")
    data = OwnData(path, target="kind", unlabeled=csv(tmp_path, table[40:].drop(columns="kind"), "b.csv"))
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        fsbench.run("erm", data=data, tasks=tasks, seeds=1, recipe="steps=1", results=tmp_path / "r", jobs=1)
    told = [each for each in found if "no task uses the 20 inputs without a label" in str(each.message)]
    assert len(told) == warned
    assert all(each.filename == __file__ for each in told)


def test_unlabelled_arrays_have_the_shape_of_the_labelled_ones(tmp_path: Path) -> None:
    x, y = np.random.default_rng(0).normal(size=(30, 4)), np.arange(30) % 2
    path = npz(tmp_path, x=x, y=y)
    (tmp_path / "more").mkdir()
    more = npz(tmp_path / "more", x=np.concatenate([x[:3], x[:5] + 9]), extra=y)
    reading = read(path, unlabeled=more)
    assert reading.dataset.unlabeled is not None
    np.testing.assert_allclose(reading.dataset.unlabeled, x[:5] + 9, rtol=1e-6)
    assert f"1 array of {more} not read: extra" in reading.warnings
    assert "3 rows of" in said(reading)
    with pytest.raises(DataError, match=r"has inputs of \[5\], the labelled samples \[4\]"):
        read(path, unlabeled=npz(tmp_path / "more", x=np.ones((6, 5))))


def scans(n: int = 60) -> pd.DataFrame:
    """Rows of two scanners, the second of which adds 3 to each value."""
    rng = np.random.default_rng(1)
    new = np.arange(n) % 3 == 2
    ill = rng.random(n) < 0.5
    return pd.DataFrame(
        {
            "value": (rng.normal(size=n) + 2 * ill + 3 * new).round(4),
            "other": rng.normal(size=n).round(4),
            "scanner": np.where(new, "new one", "old"),
            "diagnosis": np.where(ill, "ill", "well"),
        }
    )


def test_a_column_divides_a_table_into_two_domains(tmp_path: Path) -> None:
    table = scans()
    path = csv(tmp_path, table, "scans.csv")
    reading = read(path, target="diagnosis", domain="scanner")
    assert reading.target is not None
    assert reading.task == "shift(scans_old, scans_new_one)"
    assert (reading.dataset.info.n, reading.target.info.n) == (40, 20)
    assert reading.dataset.info.shape == reading.target.info.shape == (2,)
    np.testing.assert_allclose(reading.target.x[:, 0], table["value"][table["scanner"] == "new one"])
    assert f"{path}, scanner=new one: 20 rows of 2 numbers" in reading.facts
    assert "(to be tested on; its labels are used for the test only)" in reading.facts[-1]
    split = drawn(reading)
    assert set(split.train.origin.ravel()) == {0}
    assert set(split.test.origin.ravel()) == {1}
    assert split.unlabeled is not None
    assert set(split.unlabeled.origin) == {1}
    back = read(path, target="diagnosis", domain="scanner=old")
    assert back.task == "shift(scans_new_one, scans_old)"


def test_the_column_of_domains_may_have_any_name(tmp_path: Path) -> None:
    path = csv(tmp_path, scans().rename(columns={"scanner": "a=b"}), "scans.csv")
    for domain in ("a=b", "a=b=new one"):
        facts = read(path, target="diagnosis", domain=domain).facts
        assert f"{path}, a=b=new one: 20 rows of 2 numbers" in facts


def test_a_second_file_is_the_other_domain(tmp_path: Path) -> None:
    table = scans().drop(columns="scanner")
    old, new = csv(tmp_path, table[:40], "old.csv"), csv(tmp_path, table[40:], "new.csv")
    reading = read(old, target="diagnosis", target_data=new)
    assert reading.target is not None
    assert reading.task == "shift(old, new)"
    assert (reading.dataset.info.n, reading.target.info.n) == (40, 20)
    assert reading.facts[2] == f"{new}: 20 rows of 2 numbers"


@pytest.mark.parametrize("grouped", ["source", "target"])
def test_groups_that_only_one_domain_has_are_kept(grouped: str, tmp_path: Path) -> None:
    x, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
    (tmp_path / "target").mkdir()
    of_twos = {"groups": np.repeat(np.arange(10), 2)}
    source = npz(tmp_path, x=x[:20], y=y[:20], **of_twos if grouped == "source" else {})
    target = npz(tmp_path / "target", x=x[20:], y=y[20:], **of_twos if grouped == "target" else {})
    reading = read(source, target_data=target)
    assert reading.target is not None
    assert [reading.dataset.info.n, reading.target.info.n] == [20, 20]
    mine, other = reading.dataset, reading.target
    if grouped == "target":
        mine, other = other, mine
    assert mine.groups is not None
    assert len(np.unique(mine.groups)) == 10
    assert other.groups is None or len(np.unique(other.groups)) == 20


@pytest.mark.parametrize("form", ["folders", "arrays"])
def test_two_folders_or_two_arrays_are_domains_of_one_shape(form: str, tmp_path: Path) -> None:
    if form == "folders":
        old = make(tmp_path / "old", {"cat": 5, "dog": 5}, side=10)
        new = make(tmp_path / "new", {"dog": 4, "cat": 4, "emu": 3}, side=30, start=50000)
        save(new / "cat" / "coloured.png", noise(77, 30, 30, 3))
    else:
        (tmp_path / "n").mkdir()
        names = np.array(["cat", "dog", "emu"])
        old = npz(tmp_path, x=pixels(10, 10, 10), y=names[np.arange(10) % 2])
        new = npz(tmp_path / "n", x=pixels(12, 20, 20, 3), y=names[np.arange(12) % 3])
    reading = read(old, target_data=new)
    assert reading.target is not None
    assert reading.dataset.x.shape[1:] == reading.target.x.shape[1:] == (3, 10, 10)
    assert reading.dataset.info.classes == reading.target.info.classes == ("cat", "dog")
    assert "class 'emu' left out: source and target each need two of its images" in said(reading)
    drawn(reading)


def test_source_samples_that_belong_to_the_target_are_left_out(tmp_path: Path) -> None:
    table = scans().assign(patient=[f"p{i // 4}" for i in range(60)])
    table.loc[:7, "scanner"] = ["old", "old", "new one", "old"] * 2
    table.loc[8:, "scanner"] = np.where(np.arange(52) < 26, "old", "new one")
    reading = read(csv(tmp_path, table), target="diagnosis", group="patient", domain="scanner")
    assert reading.target is not None
    assert reading.dataset.info.n == 60 - 26 - 2 - 6 - 2
    assert "8 rows of the source left out: they are like samples of the target, or belong to them" in said(
        reading
    )
    old = make(tmp_path / "old", {"cat": 5, "dog": 5}, side=16)
    new = make(tmp_path / "new", {"cat": 5, "dog": 5}, side=16, start=50000)
    save(new / "cat" / "same.png", noise(2, 16, 16))
    reading = read(old, target_data=new)
    assert (reading.dataset.info.class_counts, reading.target.info.class_counts) == ((4, 5), (6, 5))


def test_a_column_that_the_other_table_lacks_is_missed_there(tmp_path: Path) -> None:
    table = scans()
    table.to_csv(tmp_path / "old.csv", index=False)
    table.drop(columns="diagnosis").to_csv(tmp_path / "new.csv", index=False)
    with pytest.raises(UnknownName, match=r"unknown column of .*new\.csv: 'diagnosis'; known: "):
        read(tmp_path / "old.csv", target="diagnosis", target_data=tmp_path / "new.csv")


WRONG: list[tuple[dict[str, object], type[FsbenchError], str]] = [
    ({"domain": "scaner"}, UnknownName, "unknown column 'scaner'; did you mean 'scanner'"),
    ({"domain": "scanner=older"}, UnknownName, "unknown value of scanner 'older'; did you mean 'old'"),
    ({"domain": "other"}, UsageError, r"'other' has 60 values .*name the domain to be tested: other="),
    ({"domain": "hospital"}, DataError, "1 row without a value of 'hospital'; give each row its domain"),
    ({"domain": "scanner", "target_data": "x.csv"}, UsageError, "both a domain column and target data"),
    ({"domain": "scanner", "unlabeled": "x.csv"}, UsageError, "both unlabelled data and two domains"),
    ({"unlabeled": "nowhere.csv"}, DataError, r"there is nothing at nowhere\.csv"),
    ({"unlabeled": "."}, UsageError, r"is a table file and \. is a folder; give both in one form"),
    ({"domain": "month=2"}, UnknownName, "unknown value of month '2'"),
]


@pytest.mark.parametrize(("options", "error", "message"), WRONG)
def test_wrong_companions_are_one_line(
    options: dict[str, object], error: type[FsbenchError], message: str, tmp_path: Path
) -> None:
    table = scans().assign(hospital="a", month=1)
    table.loc[0, "hospital"] = None
    with pytest.raises(error, match=message) as caught:
        read(csv(tmp_path, table), **{"target": "diagnosis", **options})
    assert "\n" not in str(caught.value)


def test_a_folder_has_no_domain_column(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="which takes no domain; leave it out"):
        read(make(tmp_path / "pets", {"cat": 3, "dog": 3}), domain="scanner")


def test_domains_need_two_classes_in_common(tmp_path: Path) -> None:
    table = scans()
    table.loc[table["scanner"] == "old", "diagnosis"] = "well"
    with pytest.raises(DataError, match="two domains need two classes in common"):
        read(csv(tmp_path, table), target="diagnosis", domain="scanner")


@pytest.mark.slow
def test_runs_use_what_was_read_along(tmp_path: Path) -> None:
    path = csv(tmp_path, scans(150), "scans.csv")
    options = {"recipe": {"steps": 3}, "results": tmp_path / "results", "plugins": "dann", "baseline": "erm"}
    own = OwnData(path, target="diagnosis", domain="scanner")
    results = fsbench.run(data=own, **options)  # type: ignore[arg-type]
    assert {record.task for record in results.records} == {"shift(scans_old, scans_new_one)"}
    assert {record.split_seed for record in results.records} == set(range(10))
    assert {record.spec: record.status for record in results.records} == {
        "erm": "ok",
        "dann": "ok",
    }


def test_a_source_that_repeats_the_target_is_said(tmp_path: Path) -> None:
    table = csv(tmp_path, frame(20), "same.csv")
    with pytest.raises(DataError, match=r"20 rows of the source left out: they are like samples of the"):
        read(table, target="kind", target_data=table)
