"""Kinds of samples: how each handles its samples, and that no other module checks the kind."""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fsbench import match_inputs, source_problem
from fsbench.datasets.dataset import Dataset
from fsbench.errors import DataError, UnknownName
from fsbench.kinds import Kind, get_kind, kind_names
from fsbench.kinds.image import Image
from fsbench.kinds.kind import Transform
from fsbench.kinds.table import Table
from fsbench.testing import Check, check_conformance, conformance
from fsbench.types import DatasetInfo, TaskInfo

ROOT = Path(__file__).parents[1]
LITERALS = (ast.Tuple, ast.List, ast.Set)
INFO = DatasetInfo("few", "", "table", (2,), ("a", "b"), (1, 1), "none", "nobody")


def task(kind: str, shape: tuple[int, ...], source: tuple[int, ...] | None = None) -> TaskInfo:
    return TaskInfo("t", "kshot", kind, shape, 2, source_shape=source)


# Names


def test_kinds_are_found_by_name() -> None:
    with pytest.raises(UnknownName, match="unknown kind 'imgae'; did you mean 'image'"):
        get_kind("imgae")
    assert kind_names() == ["image", "table", "text"]


def test_kinds_need_no_torch() -> None:
    code = "import sys, fsbench.kinds; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Stored samples


@pytest.mark.parametrize(
    ("info", "x", "says"),
    [
        (INFO, np.zeros((2, 2)), r"loaded float64 \[2, 2\], expected float32 \[2, 2\]"),
        (INFO, np.full((2, 2), np.nan, np.float32), "some values are NaN or infinite"),
        (
            replace(INFO, columns=(0, 3)),
            np.full((2, 2), 3, np.float32),
            "column 1 has codes other than 0 to 2",
        ),
        (replace(INFO, columns=(0, 3)), np.full((2, 2), np.inf, np.float32), "column 0 are infinite"),
        (replace(INFO, symmetries=frozenset({"hflip"})), np.zeros((2, 2), np.float32), "hflip; known: none"),
        (
            replace(INFO, kind="image", shape=(1, 2, 2)),
            np.zeros((2, 2, 2), np.uint8),
            r"expected uint8 \[2, 1, 2, 2\]",
        ),
    ],
)
def test_arrays_that_do_not_fit_their_kind_are_refused(info: DatasetInfo, x: np.ndarray, says: str) -> None:
    with pytest.raises(DataError, match=says):
        Dataset(info, x, np.array([0, 1]))


def test_a_dataset_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(UnknownName, match="unknown kind 'smell'"):
        Dataset(replace(INFO, kind="smell"), np.zeros((2, 2), np.float32), np.array([0, 1]))


def test_stored_samples_convert_to_inputs_and_back() -> None:
    columns = (0, 3, 0, 2)
    info = replace(INFO, shape=(7,), columns=columns)
    assert get_kind("table").seen_shape((4,), columns) == (7,)
    assert get_kind("table").stored_shape(info) == (4,)
    assert get_kind("image").seen_shape((3, 8, 9), ()) == (3, 8, 9)


# Sources


def test_images_are_matched_by_size_and_colour() -> None:
    grey, colour = torch.rand(2, 1, 16, 16), torch.rand(2, 3, 8, 8)
    assert match_inputs(grey, task("image", (1, 16, 16))) is grey
    assert torch.equal(match_inputs(grey, task("image", (3, 16, 16))), grey.expand(-1, 3, -1, -1))
    assert match_inputs(grey, task("image", (1, 8, 8))).shape == (2, 1, 8, 8)
    white = match_inputs(torch.ones(2, 3, 8, 8), task("image", (1, 4, 4)))
    torch.testing.assert_close(white, torch.ones(2, 1, 4, 4))
    assert match_inputs(colour, task("image", (1, 8, 8))).shape == (2, 1, 8, 8)
    with pytest.raises(DataError, match="source images have 3 channels, the task's 2"):
        match_inputs(colour, task("image", (2, 8, 8)))


def test_tables_are_matched_only_where_they_have_the_same_features() -> None:
    x = torch.rand(2, 13)
    assert match_inputs(x, task("table", (13,))) is x
    with pytest.raises(DataError, match="source has 30 features, the task 13"):
        match_inputs(torch.rand(2, 30), task("table", (13,)))


@pytest.mark.parametrize(
    ("kind", "shape", "source", "problem"),
    [
        ("table", (13,), None, "needs source data"),
        ("table", (13,), (30,), "source has 30 features, the task 13"),
        ("table", (13,), (13,), None),
        ("image", (1, 8, 8), (3, 32, 32), None),
        ("image", (3, 8, 8), (1, 32, 32), None),
        ("image", (3, 8, 8), (4, 32, 32), "source images have 4 channels, the task's 3"),
    ],
)
def test_an_unusable_source_has_a_reason(
    kind: str, shape: tuple[int, ...], source: tuple[int, ...] | None, problem: str | None
) -> None:
    assert source_problem(task(kind, shape, source)) == problem


# The kit


@pytest.mark.parametrize("check", [*conformance(Image()), *conformance(Table())], ids=str)
def test_the_kinds_that_come_with_fsbench_conform(check: Check) -> None:
    assert check() is None


class Peeking(Table):
    """Standardises each part by itself."""

    def fit(self, train_x: np.ndarray, info: DatasetInfo) -> Transform:
        return lambda x: (x - x.mean(1, keepdims=True)).astype(np.float32)


class Shared(Table):
    """Fits one preparation for all cells."""

    def fit(self, train_x: np.ndarray, info: DatasetInfo) -> Transform:
        return lambda x: (x - train_x.mean((0, 1))).astype(np.float32)


class Doubles(Table):
    """Gives strategies float64."""

    def tensor(self, x: np.ndarray, device: torch.device) -> torch.Tensor:
        return super().tensor(x, device).double()


class Choosy(Table):
    """Refuses every source."""

    def mismatch(self, given: tuple[int, ...], wanted: tuple[int, ...]) -> str | None:
        return "no"


class Still(Table):
    """Knows one domain only."""

    def toy_samples(self, centres: np.ndarray, moved: float, rng: np.random.Generator) -> np.ndarray:
        return centres.astype(np.float32)


class Pixels(Table):
    """Starts from a backbone for images."""

    recipe = Image.recipe


class Unexplained(Image):
    """Assumes properties that it cannot know."""

    assumed_symmetries = frozenset({"inversion"})


@pytest.mark.parametrize(
    ("kind", "failing"),
    [
        (Peeking, "prepares each sample on its own"),
        (Shared, "prepares each sample on its own"),
        (Doubles, "gives what it promises"),
        (Choosy, "matches its own shape"),
        (Still, "toy data have a second domain"),
        (Pixels, "its recipe has a backbone for it"),
        (Unexplained, "is described, with its symmetries"),
    ],
)
def test_the_kit_finds_faults_of_a_kind(kind: type[Kind], failing: str) -> None:
    found = [result.name for result in check_conformance(kind()) if result.status == "failed"]
    assert failing in found


# No other module checks the kind


def asks_for_a_kind(node: ast.AST) -> bool:
    """Whether code compares something with the name of a kind."""
    sides = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
    sides += [node.value] if isinstance(node, ast.MatchValue) else []
    values = [each for side in sides for each in ([*side.elts] if isinstance(side, LITERALS) else [side])]
    return any(isinstance(each, ast.Constant) and each.value in kind_names() for each in values)


@pytest.mark.parametrize(
    "code",
    [
        "kind == 'table'",
        "'image' != info.kind",
        "kind in ('image', 'table')",
        "match kind:\n    case 'image': 1",
    ],
)
def test_a_comparison_with_the_name_of_a_kind_is_found(code: str) -> None:
    assert any(map(asks_for_a_kind, ast.walk(ast.parse(code))))


def test_no_other_module_checks_the_kind() -> None:
    """Other modules use the methods of a kind, never its name."""
    files = [
        file
        for folder in ("fsbench", "plugins", "examples")
        for file in (ROOT / folder).rglob("*.py")
        if file.parent != ROOT / "fsbench" / "kinds"
    ]
    found = [
        f"{file.relative_to(ROOT)}:{node.lineno}"  # type: ignore[attr-defined]
        for file in files
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if asks_for_a_kind(node)
    ]
    assert len(files) > 100
    assert not found
