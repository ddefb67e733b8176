"""`fsbench fit` and `fsbench predict`: models from the user's own data, and what they refuse."""

from __future__ import annotations

import csv
import inspect
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from onnx import load as load_onnx
from onnx.reference import ReferenceEvaluator
from PIL import Image
from processes import wait_until

from fsbench.datasets import known
from fsbench.engine.trial import Prediction
from fsbench.errors import DataError, UsageError
from fsbench.models import SavedModel, load, refit
from fsbench.models.fitting import _put
from fsbench.own import OwnData, read_own
from fsbench.own.form import Form
from fsbench.own.further import read_further

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_dataset_stays")]
Call = Callable[..., tuple[int, str, str]]
STEPS = "steps=20"


def people(n: int = 60, seed: int = 0) -> pd.DataFrame:
    """A table with numbers, texts, dates, times in milliseconds and missing values."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    found = pd.DataFrame(
        {
            "age": rng.normal(40 + 20 * y, 5).round(1),
            "colour": np.where(rng.random(n) < 0.8, np.array(["red", "blue"])[y], "7"),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), "D"),
            "at": 1.7e12 + rng.integers(0, 1000, n) + 500 * y,
            "result": np.array(["=ill", "well"])[y],
        }
    )
    found["since"] = found["since"].dt.strftime("%Y-%m-%d")
    found.loc[:3, "age"] = np.nan
    return found


def picture(label: int, rng: np.random.Generator, size: tuple[int, int] = (20, 24)) -> Image.Image:
    pixels = rng.integers(0, 60, (*size, 3)) + np.array([[[160, 20, 20]], [[20, 20, 160]]])[label]
    return Image.fromarray(pixels.astype(np.uint8))


def python(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fsbench", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table, pictures, and a model of each: one fitted by a process, one in this process."""
    home = tmp_path_factory.mktemp("models")
    people().to_csv(home / "people.csv", index=False)
    rng = np.random.default_rng(0)
    for label, name in enumerate(("red", "blue")):
        (home / "pictures" / name).mkdir(parents=True)
        for number in range(12):
            picture(label, rng).save(home / "pictures" / name / f"{number}.png")
    done = python(
        *("fit", "--data", home / "people.csv", "--target", "result", "--strategy", "erm", "--seed", 3),
        *("--recipe", STEPS, "--output", home / "of_people"),
    )
    assert done.returncode == 0, done.stderr
    assert "labels right in cross-validation" in done.stderr
    before = dict(known.DATASETS.added)
    refit("erm", home / "pictures", output=home / "of_pictures", recipe=STEPS, onnx=False)
    known.DATASETS.added.clear()
    known.DATASETS.added.update(before)
    return home


@pytest.fixture(scope="module")
def of_people(home: Path) -> SavedModel:
    return load(home / "of_people")


@pytest.fixture(scope="module")
def of_pictures(home: Path) -> SavedModel:
    return load(home / "of_pictures")


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_process_predicts_what_another_one_fitted(home: Path, tmp_path: Path) -> None:
    further = people(200, seed=1)
    further.drop(columns="result").to_csv(tmp_path / "new.csv", index=False)
    done = python("predict", home / "of_people", tmp_path / "new.csv")
    assert done.returncode == 0, done.stderr
    found = rows(done.stdout)
    assert list(found[0]) == ["input", "predicted", "p(=ill)", "p(well)"]
    assert [row["input"] for row in found] == [str(number + 1) for number in range(200)]
    sums = [float(row["p(=ill)"]) + float(row["p(well)"]) for row in found]
    np.testing.assert_allclose(sums, 1, atol=1e-6)
    assert all(len(row["p(well)"]) == len("0.123456") for row in found)
    right = [
        row["predicted"].lstrip("'") == known for row, known in zip(found, further["result"], strict=True)
    ]
    assert np.mean(right) > 0.9
    assert {row["predicted"] for row in found} == {"'=ill", "well"}, "no cell is a formula"


def test_the_card_says_what_the_model_is_and_expects(of_people: SavedModel, of_pictures: SavedModel) -> None:
    card = of_people.card
    assert (card.strategy, card.seed, card.kind, card.classes) == ("erm", 3, "table", ("=ill", "well"))
    assert [column.name for column in card.inputs.columns] == ["age", "colour", "since", "at"]
    assert card.inputs.columns[1].texts == ("7", "blue", "red")
    assert card.labels == {name: int((people()["result"] == name).sum()) for name in card.classes}
    assert card.held_back == 0
    assert "steps=20" in card.recipe
    assert {"fsbench", "torch", "scikit-learn"} <= card.versions.keys()
    assert list(card.data) == ["people"]
    assert "median" in card.preparation
    assert card.calibration["labels"] == 60
    assert card.calibration["folds"] == 4
    assert of_pictures.card.inputs.shape == (3, 20, 20)
    assert of_pictures.card.onnx == {"why not": "it was not asked for"}
    assert card == load(of_people.folder).card


def test_columns_are_found_by_name_in_any_order(of_people: SavedModel, tmp_path: Path) -> None:
    table = people(30, seed=1)
    table.to_csv(tmp_path / "a.csv", index=False)
    table[["at", "since", "result", "colour", "age"]].assign(more=1).to_csv(tmp_path / "b.csv", index=False)
    first, second = (of_people.predict(tmp_path / name) for name in ("a.csv", "b.csv"))
    np.testing.assert_array_equal(first.probabilities, second.probabilities)


def test_a_row_is_predicted_alone_as_among_others(of_people: SavedModel, tmp_path: Path) -> None:
    """What is read must not depend on the other rows: types of columns, shifts of large numbers."""
    table = people(30, seed=1)
    table.to_csv(tmp_path / "all.csv", index=False)
    together = of_people.predict(tmp_path / "all.csv").probabilities
    sevens = table.index[table["colour"] == "7"][:1]
    for place in (0, 5, *sevens):
        table.iloc[[place]].to_csv(tmp_path / "one.csv", index=False)
        alone = of_people.predict(tmp_path / "one.csv").probabilities
        np.testing.assert_allclose(alone[0], together[place], rtol=1e-5)


def test_the_inputs_of_training_are_read_as_in_training(of_people: SavedModel, home: Path) -> None:
    reading = read_own(OwnData(home / "people.csv", target="result"))
    assert reading.form == of_people.card.inputs
    found = read_further(home / "people.csv", of_people.card.inputs)
    np.testing.assert_array_equal(found.x, reading.dataset.x)
    assert reading.form is not None
    assert Form.from_dict(json.loads(json.dumps(reading.form.to_dict()))) == reading.form


def test_unknown_texts_count_as_missing_and_are_said(of_people: SavedModel, tmp_path: Path) -> None:
    table = people(10, seed=1).assign(colour="green")
    table.to_csv(tmp_path / "green.csv", index=False)
    table.assign(colour="").to_csv(tmp_path / "none.csv", index=False)
    green, none = (of_people.predict(tmp_path / name) for name in ("green.csv", "none.csv"))
    np.testing.assert_array_equal(green.probabilities, none.probabilities)
    assert green.warnings == (
        "column 'colour': 10 rows with a text that was not in the training data ('green'), which counts as "
        "missing",
    )
    assert none.warnings == ()


def test_tables_that_do_not_fit_are_refused_in_one_line(of_people: SavedModel, tmp_path: Path) -> None:
    table = people(10, seed=1)
    table.drop(columns=["age", "at"]).to_csv(tmp_path / "fewer.csv", index=False)
    table.assign(age="old").to_csv(tmp_path / "texts.csv", index=False)
    np.savez(tmp_path / "array.npz", x=np.zeros((3, 4)))
    for name, message in {
        "fewer.csv": "has no columns 'age', 'at', which the model needs",
        "texts.csv": "the column 'age' has texts, such as 'old'; the model takes numbers there",
        "array.npz": r"is an npz, but the model takes inputs of the kind table; give a table \(.csv\)",
        "absent.csv": "there is nothing at",
    }.items():
        with pytest.raises(DataError, match=message) as caught:
            of_people.predict(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_a_missing_value_is_refused_where_training_had_none(tmp_path: Path) -> None:
    form = Form("table", (2,))
    np.savez(tmp_path / "a.npz", x=np.array([[1.0, 2.0], [np.nan, 1.0]]))
    with pytest.raises(DataError, match="row 1 has a missing value; the training data had none"):
        read_further(tmp_path / "a.npz", form)
    with pytest.raises(DataError, match=r"x has inputs of \[2\], the model takes \[3\]"):
        read_further(tmp_path / "a.npz", Form("table", (3,)))


def test_pictures_of_any_size_in_any_folder(of_pictures: SavedModel, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    sizes = [(20, 24), (400, 300), (9, 9)]
    for number, size in enumerate(sizes):
        for label, folder in enumerate(("a", "b/c")):
            (tmp_path / "new" / folder).mkdir(parents=True, exist_ok=True)
            picture(label, rng, size).save(tmp_path / "new" / folder / f"{number}.png")
    found = of_pictures.predict(tmp_path / "new").to_frame()
    assert found["input"].tolist() == [f"{folder}/{i}.png" for folder in ("a", "b/c") for i in range(3)]
    assert found["predicted"].tolist() == ["red"] * 3 + ["blue"] * 3
    one = of_pictures.predict(tmp_path / "new" / "b" / "c" / "1.png").to_frame()
    assert one["input"].tolist() == ["1.png"]
    assert one["p(blue)"].item() == pytest.approx(found["p(blue)"][4], rel=1e-4)


def test_grey_and_deep_pictures_and_arrays_are_read_as_in_training(
    of_pictures: SavedModel, tmp_path: Path
) -> None:
    (tmp_path / "new").mkdir()
    values = np.linspace(0, 255, 400).reshape(20, 20).astype(np.uint8)
    Image.fromarray(values).save(tmp_path / "new" / "grey.png")
    Image.fromarray(np.repeat(values[..., None], 3, 2)).save(tmp_path / "new" / "colour.png")
    np.savez(tmp_path / "dark.npz", x=np.full((2, 20, 20), 30, np.uint8))
    np.savez(tmp_path / "unit.npz", x=np.full((2, 20, 20), 30 / 255))
    first, second = of_pictures.predict(tmp_path / "new").probabilities
    np.testing.assert_array_equal(first, second)
    dark, unit = (of_pictures.predict(tmp_path / name) for name in ("dark.npz", "unit.npz"))
    np.testing.assert_allclose(dark.probabilities, unit.probabilities, rtol=1e-5)
    assert dark.warnings == (), "30 is not taken as white"


def test_a_table_for_a_model_of_images_is_refused(of_pictures: SavedModel, home: Path) -> None:
    message = "people.csv is a table, but the model takes inputs of the kind image; give a folder of images"
    with pytest.raises(DataError, match=message):
        of_pictures.predict(home / "people.csv")


def test_onnx_gives_the_same_probabilities(of_people: SavedModel, home: Path) -> None:
    graph = load_onnx(str(of_people.folder / of_people.card.onnx["file"]))
    found = read_further(home / "people.csv", of_people.card.inputs)
    prepared = of_people._parts[0](found.x[None])[0]
    (given,) = ReferenceEvaluator(graph).run(None, {"input": prepared})
    np.testing.assert_allclose(given, of_people.probabilities(found.x), atol=1e-5)


def test_the_python_of_the_documentation_works(
    of_pictures: SavedModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    docs = (Path(__file__).parents[1] / "docs" / "your-data.md").read_text(encoding="utf-8")
    (code,) = [c for c in re.findall(r"```python\n(.*?)```", docs, re.DOTALL) if "refit" in c]
    monkeypatch.chdir(tmp_path)
    Path("new_pets").mkdir()
    picture(0, np.random.default_rng(0)).save("new_pets/1.png")

    def fake(*given: Any, **named: Any) -> SavedModel:
        output = inspect.signature(refit).bind(*given, **named).arguments["output"]
        return load(copied(of_pictures, Path(output)))

    monkeypatch.setattr("fsbench.models.refit", fake)
    exec(code, {})
    assert "p(blue)" in capsys.readouterr().out


# What is not saved, and models that were changed


def test_no_input_has_no_row() -> None:
    model = Prediction(lambda x: x[:, :2], "table", (3,), 2)
    assert model(np.zeros((0, 3), np.float32), torch.device("cpu")).shape == (0, 2)


@pytest.mark.slow
def test_a_fit_that_is_ended_leaves_no_data_behind(home: Path, tmp_path: Path) -> None:
    line = ("fit", "--data", home / "people.csv", "--target", "result", "--strategy", "erm")
    more = ("--recipe", "steps=1000000", "--output", tmp_path / "model")
    command = [sys.executable, "-m", "fsbench", *map(str, line + more)]
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with subprocess.Popen(command, env={**os.environ, "TMPDIR": str(temporary)}) as process:
        begun = wait_until(lambda: any(temporary.rglob("train_y.npy")), 120)
        process.terminate()
        assert process.wait(60) == -signal.SIGTERM
    assert begun
    assert not any(temporary.rglob("*.npy"))


def test_what_cannot_be_fitted_is_refused_before_it_is(home: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").touch()
    for strategy, output, message in (
        ("protonet", "new", "protonet cannot be fitted on these data: needs source data"),
        ("erm, focal", "new", "names 2 strategies; name the one to fit"),
        ("erm", "full", "contains other files; name a new folder"),
        ("nothing", "new", "unknown strategy 'nothing'"),
    ):
        with pytest.raises(UsageError, match=message):
            refit(strategy, home / "pictures", output=tmp_path / output)
    assert not (tmp_path / "new").exists()


def test_an_earlier_model_is_replaced_and_other_files_stay(of_people: SavedModel, tmp_path: Path) -> None:
    folder = copied(of_people, tmp_path / "m")
    (folder / "notes.txt").touch()
    (tmp_path / "new").mkdir()
    for name in ("predictor.json", "model.json"):
        shutil.copy(of_people.folder / name, tmp_path / "new")
    _put(tmp_path / "new", folder)
    assert sorted(path.name for path in folder.iterdir()) == ["model.json", "notes.txt", "predictor.json"]


def copied(model: SavedModel, folder: Path) -> Path:
    shutil.copytree(model.folder, folder)
    return folder


@pytest.mark.parametrize(
    "name", ["predictor.safetensors", "predictor.json", "preparation.json", "check.safetensors"]
)
def test_a_file_that_is_not_the_one_of_the_card_is_named(
    name: str, of_people: SavedModel, home: Path, tmp_path: Path
) -> None:
    folder = copied(of_people, tmp_path / "m")
    (folder / name).write_bytes((folder / name).read_bytes() + b" ")
    with pytest.raises(DataError, match=f"{name} is missing or not the file"):
        load(folder).predict(home / "people.csv")
    (folder / name).unlink()
    with pytest.raises(DataError, match=f"{name} is missing or not the file"):
        load(folder).predict(home / "people.csv")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "of another version"),
        ({"classes": ["one"]}, "two or more classes"),
        ({"classes": None}, "damaged"),
        ({"calibration": {"temperature": 0}}, "temperature is 0"),
        ({"calibration": {"temperature": "hot"}}, "damaged"),
        ({"inputs": {"kind": "table"}}, "what it says about inputs"),
        ({"files": {"../people.csv": ""}}, "not a file of the model's folder"),
        ({"files": ["predictor.json"]}, "damaged"),
        ({"more": 1}, "damaged"),
    ],
)
def test_a_changed_card_is_an_error_in_one_line(
    changes: dict[str, Any], message: str, of_people: SavedModel, tmp_path: Path
) -> None:
    folder = copied(of_people, tmp_path / "m")
    values = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    (folder / "model.json").write_text(json.dumps(values | changes), encoding="utf-8")
    with pytest.raises(DataError, match=message) as caught:
        load(folder)
    assert "\n" not in str(caught.value)


def test_commands_answer_in_one_line(call: Call, tmp_path: Path) -> None:
    status, out, err = call("predict", tmp_path, tmp_path)
    assert (status, out) == (1, "")
    assert err.startswith(f"fsbench: error: {tmp_path} is not a saved model: it has no model.json")
    assert err.count("\n") == 1
    status, out, err = call("fit", "--strategy", "erm")
    assert (status, out) == (2, "")
    assert "a model is fitted on your own data; give --data PATH" in err


@pytest.mark.parametrize(
    "line", [("predict", "nope", "x.csv"), ("fit", "--data", "nowhere", "--strategy", "nope")]
)
def test_a_wrong_line_is_refused_before_torch_is_imported(line: tuple[str, ...]) -> None:
    code = (
        "import sys; from fsbench.cli import main; status = main(sys.argv[1:]);"
        "sys.exit(3 if {'torch', 'pandas', 'sklearn', 'scipy'} & set(sys.modules) else status)"
    )
    done = subprocess.run([sys.executable, "-c", code, *line], capture_output=True, text=True, check=False)
    assert done.returncode in (1, 2), done.stderr
    assert "nope" in done.stderr


def test_a_fit_says_what_it_does_now(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def fake(*arguments: object, tell: Callable[[str], object], **options: object) -> None:
        tell("fitting erm on 60 labels")
        raise UsageError("enough")

    steps: list[str] = []
    monkeypatch.setattr("fsbench.models.refit", fake)
    monkeypatch.setattr("fsbench.progress.lines.PlainProgress.doing", lambda self, what: steps.append(what))
    assert call("fit", "--data", "x.csv", "--strategy", "erm")[0] == 2
    assert steps == ["reading your data", "fitting erm on 60 labels"]


@pytest.mark.filterwarnings("ignore:a test of shift has")
def test_the_calibration_of_two_domains_is_that_of_the_target(tmp_path: Path) -> None:
    """Few target rows leave folds without any, whose source rows must not count."""
    rng = np.random.default_rng(0)
    for name, n in (("source", 80), ("target", 6)):
        y = np.arange(n) % 2
        table = pd.DataFrame(
            {"a": rng.normal(3 * y), "b": rng.normal(size=n), "ill": np.array(["no", "yes"])[y]}
        )
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    data = OwnData(tmp_path / "source.csv", target="ill", target_data=tmp_path / "target.csv")
    model = refit("logistic_regression", data, output=tmp_path / "model")
    assert model.card.calibration["labels"] == 6


@pytest.mark.parametrize("place", ["file/model", "file"])
def test_an_output_that_cannot_be_written_is_said_before_any_training(
    home: Path, tmp_path: Path, place: str
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"cannot write .*; name another place|is not a folder"):
        refit("knn", OwnData(home / "people.csv", target="result"), output=tmp_path / place)


def test_a_path_that_is_not_utf_8_is_refused_before_any_training(home: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"caf\\udce9 is not UTF-8; name another folder"):
        refit("knn", OwnData(home / "people.csv", target="result"), output=tmp_path / "caf\udce9")


def test_an_output_of_predictions_that_cannot_be_written_is_said_before_any(
    home: Path, tmp_path: Path
) -> None:
    given = "predict", home / "of_people", tmp_path / "no-such-table.csv", "--output"
    done = python(*given, tmp_path / "nowhere" / "found.csv")
    assert done.returncode == 2
    assert "cannot write" in done.stderr
    assert "nowhere/found.csv: No such file" in done.stderr
    done = python(*given, tmp_path)
    assert f"cannot write {tmp_path}; name another file" in done.stderr
