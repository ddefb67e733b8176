"""`fsbench run --data` from end to end, and that its documentation is true."""

from __future__ import annotations

import io
import re
import shlex
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import fsbench
from fsbench.datasets import known
from fsbench.errors import StoreError, UsageError
from fsbench.progress.lines import PlainProgress

DOCS = (Path(__file__).parents[1] / "docs" / "your-data.md").read_text(encoding="utf-8")
Call = Callable[..., tuple[int, str, str]]


pytestmark = pytest.mark.usefixtures("no_dataset_stays")


@pytest.fixture
def call(call: Call, tmp_path: Path) -> Call:
    """Run one command line in this process, in a folder with data; exit status, stdout, stderr."""
    for number, name in enumerate(("pets", "more_pets", "old_camera", "new_camera")):
        pets(tmp_path / name, seed=number)
    patients().to_csv(tmp_path / "patients.csv", index=False)
    patients().assign(hospital=["A", "B", "B"] * 16).to_csv(tmp_path / "visits.csv", index=False)
    reviews().to_csv(tmp_path / "reviews.csv", index=False)
    scans().to_csv(tmp_path / "scans.csv", index=False)
    np.savez(tmp_path / "scans.npz", x=np.random.default_rng(0).random((20, 8, 8)), y=np.arange(20) % 2)
    return call


def pets(folder: Path, each: int = 4, seed: int = 0) -> None:
    rng = np.random.default_rng(seed)
    for name in ("cat", "dog", "bird", "fish"):
        (folder / name).mkdir(parents=True)
        for number in range(each):
            Image.fromarray(rng.integers(0, 256, (9, 11, 3), dtype=np.uint8)).save(
                folder / name / f"{number}.png"
            )


def scans() -> pd.DataFrame:
    """Images of more_pets, half of which show something."""
    names = [f"more_pets/{name}/{number}.png" for name in ("cat", "dog") for number in range(4)]
    return pd.DataFrame({"file": names, "finding": ["yes", "no"] * 4})


def patients(n: int = 48) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    ill = rng.random(n) < 0.5
    table = pd.DataFrame(
        {
            "patient": np.arange(n) // 2,
            "age": rng.integers(20, 90, n),
            "marker": rng.normal(size=n) + 3 * ill,
            "site": rng.choice(["left", "right", "both"], n),
            "diagnosis": np.where(ill, "ill", "well"),
        }
    )
    table.loc[rng.random(n) < 0.2, "marker"] = None
    table.loc[rng.random(n) < 0.2, "site"] = None
    return table


def reviews(n: int = 40) -> pd.DataFrame:
    words = {"good": "a fine and lovely place", "bad": "a dull and dreary place"}
    labels = ["good", "bad"] * (n // 2)
    return pd.DataFrame(
        {"review": [f"{words[label]}, {number}" for number, label in enumerate(labels)], "stars": labels}
    )


@pytest.mark.slow
def test_four_images_of_each_class_run_resume_and_can_be_read_later(call: Call, tmp_path: Path) -> None:
    line = ["run", "--data", "pets", "--plugins", "augmentation", "--seeds", "2", "--recipe", "steps=2"]
    line += ["--baseline", "erm"]
    status, out, err = call(*line)
    assert (status, "holdout(pets)" in out) == (0, True)
    assert "pets: 16 images of 9x9 pixels, colour\n" in err
    assert "labels of 4 classes: bird 4, cat 4, dog 4, fish 4\n" in err
    assert "its name in tasks and tables is pets\n" in err
    assert "4 trials to run" in err
    again = call(*line)
    assert again[:2] == (0, out)
    assert "trials to run" not in again[2]
    known.DATASETS.pop("pets")
    assert call("leaderboard")[1].splitlines()[0] == "holdout(pets)"
    assert call("leaderboard", "--tasks", "holdout(pets)")[0] == 0
    assert str(tmp_path).encode() not in (tmp_path / "fsbench-results" / "fsbench.sqlite").read_bytes()
    Image.fromarray(np.zeros((9, 9), dtype=np.uint8)).save(tmp_path / "pets" / "cat" / "0.png")
    for arguments in (line, [*line, "--symmetries", "hflip"], [*line, "--tasks", "kshot(pets, k=1)"]):
        status, out, err = call(*arguments)
        assert (status, out) == (1, "")
        said = err.splitlines()[-1]
        assert "contains results of holdout(pets) on other data, or drawn or read in another way" in said
        assert said.endswith("name another results folder")


@pytest.mark.slow
def test_a_table_with_gaps_and_categories_runs_by_group(call: Call) -> None:
    line = "run --data patients.csv --target diagnosis --group patient --plugins resampling,focal --seeds 2"
    status, out, err = call(*line.split(), "--recipe", "steps=5", "--results", "there")
    assert (status, "holdout(patients)" in out) == (0, True)
    assert re.search(r"48 rows of 2 numbers and 1 category, \d+ missing values", err)
    assert "24 groups by patient, none of which a split divides" in err
    assert "warning" not in err


def test_python_warns_and_returns_records(tmp_path: Path) -> None:
    pets(tmp_path / "pets", each=3)
    (tmp_path / "pets" / "cat" / "bad.png").write_text("no image", encoding="utf-8")
    with (
        pytest.warns(UserWarning, match=r"1 file left out: cat/bad\.png \(not an image"),
        pytest.warns(UserWarning, match="a test of holdout has 1 image of class"),
    ):
        results = fsbench.run(
            "erm",
            data=tmp_path / "pets",
            results=tmp_path / "results",
            seeds=1,
            recipe={"steps": 2},
            baseline="erm",
        )
    assert [record.task for record in results.records] == ["holdout(pets)"]
    assert results.records[0].n_train == 8
    with pytest.raises(UsageError, match="both data and a suite are given"):
        fsbench.run(data=tmp_path / "pets", suite="starter-v1")


def test_a_changed_table_is_refused_even_where_nothing_is_left_to_run(tmp_path: Path) -> None:
    path = tmp_path / "patients.csv"
    patients().drop(columns="patient").to_csv(path, index=False)
    own = fsbench.OwnData(path, target="diagnosis")
    options = {"results": tmp_path / "results", "seeds": 1, "recipe": {"steps": 2}, "baseline": "erm"}
    fsbench.run("erm", data=own, **options)  # type: ignore[arg-type]
    patients(60).drop(columns="patient").to_csv(path, index=False)
    with pytest.raises(
        StoreError, match=r"contains results of holdout\(patients\) on other data, or drawn or read"
    ):
        fsbench.run("erm", data=own, **options)  # type: ignore[arg-type]


FAULTS = [
    (["--target", "x"], 2, "--target describes your own data; also give --data PATH"),
    (["--symmetries", "hflip"], 2, "--symmetries describes your own data"),
    (["--data", "nowhere"], 1, "there is nothing at nowhere"),
    (["--data", "pets", "--suite", "starter-v1"], 2, "both data and a suite are given"),
    (["--data", "pets", "--target", "x"], 2, "takes no target"),
    (["--data", "pets", "--image-size", "0"], 2, "expected 8 to 512 pixels"),
    (["--data", "pets", "--symmetries", "mirror"], 2, "unknown symmetry 'mirror'"),
    (["--data", "patients.csv"], 2, "no target column is given"),
    (["--data", "patients.csv", "--target", "diagnose"], 2, "did you mean 'diagnosis'?"),
    (["--data", "patients.csv", "--target", "marker"], 1, "looks like a quantity"),
    (["--data", "huge.csv", "--target", "x"], 1, "huge.csv has 10.0 GB"),
    (["--data", "linked"], 1, "cat/out.png is a symbolic link that leads out of the folder"),
    (["--data", "empty"], 1, "empty has no images"),
    (["--data", "pickled.npz"], 1, "contains pickled objects"),
    (["--data", ""], 2, "data: the path is empty"),
    (["--unlabeled", "pets"], 2, "--unlabeled describes your own data"),
    (["--data", "pets", "--domain", "camera"], 2, "which takes no domain"),
    (["--data", "pets", "--target-data", "patients.csv"], 2, "give both in one form"),
    (["--data", "pets", "--tasks", "kshot(digits, k=1)"], 2, "no task is about the given data"),
    (["--data", "pets", "--tasks", "kshot(pets, k=4)"], 2, "the largest that the classes allow is 2"),
]


@pytest.mark.parametrize(("arguments", "expected", "message"), FAULTS, ids=lambda each: str(each)[:40])
def test_faults_are_one_line_and_a_status(
    call: Call, tmp_path: Path, arguments: list[str], expected: int, message: str
) -> None:
    with (tmp_path / "huge.csv").open("wb") as file:
        file.truncate(10 * 2**30)
    pets(tmp_path / "linked")
    (tmp_path / "linked" / "cat" / "out.png").symlink_to(tmp_path / "pets" / "cat" / "0.png")
    (tmp_path / "empty").mkdir()
    np.savez(tmp_path / "pickled.npz", x=np.zeros((4, 2)), y=np.array([{}] * 4))
    status, out, err = call("run", *arguments)
    assert (status, out) == (expected, "")
    *told, last = err.splitlines()
    assert last.startswith("fsbench: error: ")
    assert message in last
    assert not any("Traceback" in line or "error" in line for line in told)


def test_options_can_be_given_in_a_file(call: Call, taken: dict[str, object], tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(
        'data = "pets"\nimage-size = 16\nsymmetries = ["hflip", "scale"]\ntarget = "x"\n', encoding="utf-8"
    )
    assert call("run", "--config", "run.toml", "--target", "y")[0] == 0
    assert taken["data"] == fsbench.OwnData("pets", "y", None, 16, "hflip, scale")
    assert call("run")[0] == 0


def commands() -> list[str]:
    return [
        line.partition("#")[0].strip()
        for block in re.findall(r"^```sh\n(.*?)^```", DOCS, re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
    ]


@pytest.mark.parametrize("command", [each for each in commands() if " run " in each])
def test_the_commands_of_the_documentation_can_be_run(call: Call, command: str) -> None:
    (Path("pets") / "cat" / "0.png").unlink()  # the tasks of the example need more images
    for name in ("cat", "dog", "bird", "fish"):
        for number in range(4, 44):
            pixels = np.random.default_rng([ord(name[0]), number]).integers(0, 256, (8, 8), dtype=np.uint8)
            Image.fromarray(pixels).save(Path("pets") / name / f"{number}.png")
    status, out, _ = call(
        *shlex.split(command)[1:], "--plugins", "erm", "--seeds", "1", "--recipe", "steps=1"
    )
    assert status == 0
    assert "erm" in out


def test_the_python_and_the_options_file_of_the_documentation_work(
    call: Call, taken: dict[str, object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[object] = []
    monkeypatch.setattr("fsbench.run", lambda data: asked.append(data), raising=False)
    blocks = re.findall(r"^```python\n(.*?)^```", DOCS, re.MULTILINE | re.DOTALL)
    (code,) = [block for block in blocks if "fsbench.run" in block]
    exec(code, {})
    assert asked == [
        "pets",
        fsbench.OwnData("patients.csv", target="diagnosis", group="patient"),
        fsbench.OwnData("pets", unlabeled="more_pets"),
        fsbench.OwnData("visits.csv", target="diagnosis", domain="hospital=B"),
    ]
    (toml,) = re.findall(r"^```toml\n(.*?)^```", DOCS, re.MULTILINE | re.DOTALL)
    (tmp_path / "run.toml").write_text(toml, encoding="utf-8")
    assert tomllib.loads(toml)["seeds"] == 10
    assert call("run", "--config", "run.toml")[0] == 0
    assert taken["data"] == fsbench.OwnData("patients.csv", "diagnosis", "patient")
    assert taken["seeds"] == 10


def test_reading_is_reported_from_time_to_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    stream = io.StringIO()
    observer = PlainProgress(stream)
    for done in range(1, 101):
        now += 0.1
        observer.reading(done, 100)
    observer.read(["read"], ["beware"])
    lines = stream.getvalue().splitlines()
    assert lines[0] == "reading: 11 of 100 samples, 1 s"
    assert len(lines) == 8
    assert lines[6:] == ["read", "warning: beware"]
    assert observer.now == "preparing what was read, 0 s"
