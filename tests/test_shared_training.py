"""Trials share plain trainings: the same bits, the same counted time, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from toy import baseline_context, toy_trial

from fsbench import Recipe, Strategy
from fsbench.composition import Composition
from fsbench.engine import worker
from fsbench.engine.objective import Objective
from fsbench.engine.shared_training import SharedTrainings
from fsbench.engine.trial import TrialResult
from fsbench.errors import InertComponent
from fsbench.registry import load_registry
from fsbench.testing import toy_split
from fsbench.types import LabeledSet

QUICK = Recipe("mlp", steps=20, batch_size=16, dropout=0.2)
SPLIT = toy_split("table", source=True, unlabeled=True)
ALL = sorted(name for name in load_registry().strategies if name not in ("sklearn",))


def shared_in(folder: Path) -> SharedTrainings:
    """Trainings that are all shared in one folder."""
    return SharedTrainings(folder, folder)


def result_of(spec: str, folder: Path | None = None, recipe: Recipe = QUICK) -> TrialResult:
    """A trial on the toy split, which shares trainings in a folder if there is one."""
    shared = None if folder is None else shared_in(folder)
    return toy_trial(spec, SPLIT, recipe, trainings=shared)


def files(folder: Path) -> list[Path]:
    """What the trials left."""
    return sorted(folder.glob("*")) if folder.exists() else []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trainings that plain training and transfer leave."""
    folder = tmp_path_factory.mktemp("split") / "trainings"
    result_of("erm", folder)
    result_of("transfer(source_steps=20)", folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_every_strategy_predicts_the_same_bits_with_shared_trainings(name: str, folder: Path) -> None:
    (composition,) = load_registry().parse(name)
    if reason := composition.skip(SPLIT.info):
        pytest.skip(reason)
    try:
        alone = result_of(name)
    except InertComponent as error:
        pytest.skip(str(error))
    for _ in ("what others left", "what it left itself"):
        beside = result_of(name, folder)
        assert np.array_equal(alone.predictions, beside.predictions)
        assert (alone.train_accuracy, alone.notes) == (beside.train_accuracy, beside.notes)


@pytest.mark.parametrize("spec", ["erm", "temperature", "vote(of=erm)"])
def test_what_others_trained_is_read(spec: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = result_of(spec)
    monkeypatch.setattr("fsbench.engine.shared_training.train", None)
    assert np.array_equal(plain.predictions, result_of(spec, folder).predictions)


def test_what_others_trained_costs_as_much_as_training(folder: Path) -> None:
    trainings = shared_in(folder)
    trainings.seconds = 1000.0
    found = toy_trial("temperature", SPLIT, QUICK, trainings=trainings)
    assert found.seconds_fit > trainings.seconds > 1000


def test_bodies_are_trained_on_the_source_once(folder: Path) -> None:
    trainings = shared_in(folder)
    toy_trial("lp_ft(source_steps=20)", SPLIT, QUICK, trainings=trainings)
    assert trainings.seconds > 0


@pytest.mark.parametrize(
    ("spec", "steps"),
    [("transfer(source_steps=20, backbone_lr_scale=0.1)", 20), ("simpleshot(source_steps=20)", 40)],
)
def test_what_follows_on_the_target_does_not_decide_a_pretraining(
    spec: str, steps: int, folder: Path
) -> None:
    trainings, recipe = shared_in(folder), replace(QUICK, steps=steps)
    beside = toy_trial(spec, SPLIT, recipe, trainings=trainings)
    assert trainings.seconds > 0
    assert np.array_equal(result_of(spec, recipe=recipe).predictions, beside.predictions)


ON_SOURCE = [
    "transfer(source_steps=20)",
    "protonet(meta_steps=5)",
    "maml(meta_steps=2)",
    "maml(meta_steps=2, transductive=true)",
    "reptile(meta_steps=2)",
]


@pytest.mark.parametrize("spec", ON_SOURCE)
def test_folds_share_what_is_learned_from_their_source_and_nothing_else(spec: str, tmp_path: Path) -> None:
    folds = [
        replace(SPLIT, train_x=SPLIT.train_x[:, part], train_y=SPLIT.train_y[:, part])
        for part in (slice(0, 24), slice(12, 36))
    ]
    trained_on_labels = not spec.startswith("protonet")
    for number, fold in enumerate(folds):
        own, run = tmp_path / f"split-{number}", tmp_path / "run"
        own.mkdir()
        trainings = SharedTrainings(own, run)
        alone = toy_trial(spec, fold, QUICK)
        beside = toy_trial(spec, fold, QUICK, trainings=trainings)
        assert np.array_equal(alone.predictions, beside.predictions)
        assert alone.notes == beside.notes
        assert (trainings.seconds > 0) == (number > 0)
        assert (len(files(own)), len(files(run))) == (trained_on_labels, 1)


OTHER_ARGUMENTS = ["meta_lr=0.01", "train_way=2", "shot=2", "queries=2", "source_passes=2", "halve_every=2"]


@pytest.mark.parametrize("argument", OTHER_ARGUMENTS)
def test_a_meta_training_with_another_argument_is_not_read(argument: str, tmp_path: Path) -> None:
    result_of("protonet(meta_steps=5)", tmp_path)
    spec = f"protonet(meta_steps=5, {argument})"
    assert np.array_equal(result_of(spec).predictions, result_of(spec, tmp_path).predictions)
    assert len(files(tmp_path)) == 2


@pytest.mark.parametrize("spec", ["protonet(meta_steps=5)", "maml(meta_steps=2)", "reptile(meta_steps=2)"])
def test_folds_with_other_numbers_of_labels_do_not_share_episodes_of_other_sizes(
    spec: str, tmp_path: Path
) -> None:
    for labels in (1, 2, 1):
        fold = replace(SPLIT, info=replace(SPLIT.info, labels_per_class=labels))
        alone = toy_trial(spec, fold, QUICK)
        beside = toy_trial(spec, fold, QUICK, trainings=SharedTrainings(tmp_path / "own", tmp_path / "run"))
        assert np.array_equal(alone.predictions, beside.predictions)
    assert len(files(tmp_path / "run")) == 2


@pytest.mark.parametrize("other", ["focal", "label_smoothing(amount=0.1)", "augmentation"])
def test_a_meta_training_in_which_others_take_part_is_a_trials_own(other: str, tmp_path: Path) -> None:
    spec = f"protonet(meta_steps=5)+{other}"
    assert np.array_equal(result_of(spec).predictions, result_of(spec, tmp_path).predictions)
    assert files(tmp_path) == []


def test_what_a_training_took_counts_for_everybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fsbench.engine.shared_training.peak_memory", lambda device: 123)
    first = shared_in(tmp_path / "trainings")
    objective, data = _objective(), _data()
    first.train(objective, data, QUICK)
    second = shared_in(tmp_path / "trainings")
    second.train(_objective(), data, QUICK)
    assert (first.seconds, first.peak_memory) == (0, 0)
    assert second.seconds > 0
    assert second.peak_memory == 123


def test_a_focal_loss_is_a_trials_own(tmp_path: Path) -> None:
    result_of("focal", tmp_path / "trainings")
    assert files(tmp_path / "trainings") == []


def test_a_damaged_file_is_trained_anew(tmp_path: Path) -> None:
    folder = tmp_path / "trainings"
    plain = result_of("erm", folder)
    (file,) = files(folder)
    for damage in (b"", b"nonsense", file.read_bytes()[:-10]):
        file.write_bytes(damage)
        assert np.array_equal(plain.predictions, result_of("erm", folder).predictions)
        assert files(folder) == [file]


def test_a_folder_that_cannot_be_written_costs_time_only(tmp_path: Path) -> None:
    (tmp_path / "trainings").write_text("a file, not a folder")
    assert np.array_equal(result_of("erm").predictions, result_of("erm", tmp_path / "trainings").predictions)


def _data(seed: int = 0) -> LabeledSet:
    rng = torch.Generator().manual_seed(seed)
    return LabeledSet(torch.randn(24, 6, generator=rng), torch.eye(3).repeat(8, 1))


def _objective(recipe: Recipe = QUICK, seed: int = 0) -> Objective:
    ctx = baseline_context(recipe)
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.Dropout(0.1), nn.Linear(4, 3))
    return Objective(model, Composition(()), ctx)


def _changed(change: str) -> tuple[Objective, LabeledSet, Recipe]:
    objective, data, recipe = _objective(), _data(), QUICK
    match change:
        case "weights":
            objective = _objective(seed=1)
        case "buffers":
            objective.model[1].running_mean += 1  # type: ignore[index]
        case "frozen":
            objective.model[0].requires_grad_(False)  # type: ignore[index]
        case "dropout":
            objective.model[2].p = 0.2  # type: ignore[index]
        case "data":
            data = _data(seed=1)
        case "targets":
            data = replace(data, targets=data.targets.flip(0))
        case "sampling":
            data = replace(data, weights=torch.ones(24))
        case "recipe":
            recipe = replace(QUICK, lr=0.5)
        case "precision":
            objective = _objective(replace(QUICK, precision="bfloat16"))
        case "stream":
            objective.ctx.state.cell = 3
    return objective, data, recipe


CHANGES = [
    *("weights", "buffers", "frozen", "dropout", "data", "targets", "sampling"),
    *("recipe", "precision", "stream"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_decides_a_training_tells_it_from_others(change: str, tmp_path: Path) -> None:
    trainings = shared_in(tmp_path)
    trainings.train(_objective(), _data(), QUICK)
    trainings.train(*_changed(change))
    assert trainings.seconds == 0
    assert len(files(tmp_path)) == 2
    trainings.train(*_changed(change))
    assert trainings.seconds > 0


class Doubled(nn.Linear):
    """A strategy's own module, whose text looks like another one's."""


@pytest.mark.parametrize("own", ["module", "hook", "gradient", "method"])
def test_what_may_compute_with_anything_is_not_shared(own: str, tmp_path: Path) -> None:
    objective = _objective()
    first = objective.model[0]  # type: ignore[index]
    match own:
        case "module":
            objective.model[3] = Doubled(4, 3)  # type: ignore[index]
        case "hook":
            first.register_forward_hook(lambda module, inputs, output: 2 * output)
        case "gradient":
            first.weight.register_hook(lambda gradient: 2 * gradient)
        case "method":
            first.forward = lambda x: x[:, :4]
    shared_in(tmp_path).train(objective, _data(), QUICK)
    assert files(tmp_path) == []


@dataclass(frozen=True)
class Quiet(Strategy):
    """Comes from elsewhere, so its module may have changed torch."""

    name = "quiet"


@pytest.mark.parametrize(
    ("spec", "ours"), [("erm", True), ("vote(of=focal)", True), ("quiet", False), ("vote(of=quiet)", False)]
)
def test_in_a_run_only_what_comes_with_fsbench_shares(
    spec: str, ours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = load_registry()
    assert registry.spec(Quiet) == "quiet"
    monkeypatch.setattr(worker, "_registry", registry)
    (composition,) = registry.parse(spec)
    assert worker._ours(composition) is ours
