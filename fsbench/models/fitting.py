"""Fits a strategy on all labels of the user's own data, calibrates it out of fold, and saves it."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fsbench import interrupts
from fsbench.calibration import fit_temperature
from fsbench.composition import Composition
from fsbench.errors import CannotSave, DataError, FsbenchError, TaskError, UsageError
from fsbench.execute import Execution, MakeExecutor, local
from fsbench.failure import Failure
from fsbench.files import as_path, check_writable, sha256
from fsbench.identity import full_spec, trial_key, versions
from fsbench.jobs import MODEL, REFITS, TRIALS, Job, Outcome, Place, Work
from fsbench.kinds import get_kind
from fsbench.models.card import FILE, Card
from fsbench.models.model import PREPARATION, SavedModel, load
from fsbench.models.onnx import export
from fsbench.progress import Observer
from fsbench.recipes.recipe import parse_overrides, recipe_text, task_recipe
from fsbench.record import Trial
from fsbench.registry import get_registry
from fsbench.request import DEFAULT_TIMEOUT, check_positive, read_data
from fsbench.spec import Value
from fsbench.strategy import Strategy
from fsbench.tasks.drawing import Split
from fsbench.tasks.everything import Everything, EverythingOfTwo
from fsbench.tasks.expressions import Task
from fsbench.tasks.parts import FOLDS, Part, without_labels
from fsbench.tasks.splits import draw_split, materialise, preparation, take
from fsbench.versions import installed
from fsbench.words import plural, timestamp, visible

if TYPE_CHECKING:
    from fsbench.own import OwnData, Reading

_COMPARED = 256
_HOW = "fitted on predictions of labels that were held out"
_NO_GAIN = "none makes held-out labels, smoothed by Laplace's rule, more likely"


def refit(
    strategy: str | Strategy | type[Strategy],
    data: str | Path | OwnData,
    *,
    output: str | Path,
    recipe: str | Mapping[str, Value] | None = None,
    seed: int = 0,
    device: str = "auto",
    jobs: int | None = None,
    timeout: float | None = None,
    features: str | Path | None = None,
    estimate: Mapping[str, Any] | None = None,
    onnx: bool = True,
    observer: Observer | None = None,
    tell: Callable[[str], object] = lambda line: None,
    executor: MakeExecutor = local,
) -> SavedModel:
    """Fit a strategy on all labels of the user's own data, and save the model.

    It is trained by the engine, in a worker, like a trial whose training part is everything. A strategy that
    uses validation labels gets a quarter of all labels for that. Probabilities are calibrated by a
    temperature, fitted on predictions of four folds by four further trainings on the other three.

    Args:
        strategy: A spec, or a Strategy's class or instance.
        data: The user's own data: a path, or `OwnData`.
        output: The folder of the model. It must be new, empty, or contain an earlier model.
        recipe: What to change in the recipe: `"steps=100"` or `{"steps": 100}`.
        seed: Decides all random numbers.
        device: `auto`, `cpu`, `cuda` or `cuda:N`, for training; the saved model predicts on the CPU.
        jobs: The number of worker processes; by default one for each core, at most four on a GPU.
        timeout: Time limit of a training in seconds, by default 300.
        features: A folder that keeps features of frozen pretrained bodies, such as that of earlier results.
        estimate: What is known about the model's quality, for its card; JSON-serialisable.
        onnx: Whether to write the network as ONNX too, if it is one and packages for it are installed.
        observer: Hears what was read.
        tell: Is called with a line about each step.
        executor: Makes the executor of the trainings.

    Raises:
        UsageError: The strategy cannot be fitted on these data, or `output` is something else.
        DataError: The data cannot be used.
        CannotSave: What the strategy predicts with cannot be saved.
        FsbenchError: The training failed; the message is that of the trial.
    """
    check_positive(timeout=timeout, jobs=jobs)
    output = as_path("output", output)
    _check_output(output)
    registry = get_registry()
    found = registry.parse(registry.spec(strategy))
    if len(found) != 1:
        raise UsageError(f"{strategy} names {plural(len(found), 'strategy')}; name the one to fit")
    reading = read_data(data, None, observer or Observer())
    try:
        with interrupts.heard(), tempfile.TemporaryDirectory(prefix="fsbench-fit-") as folder:
            kept = Path(folder) / "features" if features is None else Path(features)
            execution = Execution(executor, jobs, timeout or DEFAULT_TIMEOUT, Path(folder), kept)
            fit = _Fit(found[0], reading, parse_overrides(recipe), seed, execution, tell)
            fit.run(device, output, estimate, onnx)
    except KeyboardInterrupt:
        interrupts.pass_on()
        raise
    return load(output)


def _check_output(folder: Path) -> None:
    """Raise UsageError for a folder that cannot be written, or is neither empty nor one of a model."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UsageError(f"{folder} is not a folder; name a new one for the model")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / FILE).is_file():
        raise UsageError(f"{folder} contains other files; name a new folder for the model")
    try:
        os.fspath(folder.absolute()).encode()
    except UnicodeEncodeError:
        # The library that reads the parameters takes no other path.
        raise UsageError(f"the path {visible(str(folder))} is not UTF-8; name another folder") from None
    there = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    check_writable(there, folder)


@dataclass
class _Fit:
    """One refit: a strategy on everything that was read."""

    composition: Composition
    reading: Reading
    changes: Mapping[str, Value]
    seed: int
    execution: Execution
    tell: Callable[[str], object]

    def __post_init__(self) -> None:
        names = [dataset.info.text for dataset in self.reading.datasets]
        protocol = Everything(*names) if len(names) == 1 else EverythingOfTwo(*names)
        task = Task(protocol.text, protocol.info(), protocol)
        split = draw_split(task, self.seed)
        if "val" in self.composition.uses:
            task, split = _with_validation(task, split, self.seed)
        if reason := self.composition.skip(task.info):
            raise UsageError(f"{self.composition.text} cannot be fitted on these data: {reason}")
        recipe = task_recipe(task.info, "", self.changes)
        self.composition.check_recipe(recipe)
        identity = full_spec(get_registry(), self.composition, recipe, task.info.kind)
        text = recipe_text(recipe)
        key = trial_key(task.text, self.seed, 0, identity, text)
        self.task, self.split = task, split
        self.trial = Trial(task.text, self.seed, 0, self.composition.text, text, key, identity)

    def run(self, device: str, output: Path, estimate: Mapping[str, Any] | None, onnx: bool) -> None:
        """Fit, calibrate, and move the model to `output`."""
        self.tell(f"fitting {self.composition.text} on {plural(self.split.train.y.size, 'label')}")
        place = self.execution.find_place(device, [self.trial], {self.task.text: self.task})
        compared = replace(self.split, test=without_labels(self.split.train.first(_COMPARED)))
        ((job, outcome),) = self._results(REFITS, [("everything", self.task, compared)], place)
        if isinstance(outcome, Failure):
            if outcome.kind == CannotSave.__name__:
                others = {"erm", "probe", "best_classical"} - {self.composition.text}
                raise CannotSave(
                    f"{self.composition.text} cannot be saved: {outcome.message}; a model of another "
                    f"strategy, such as {' or '.join(sorted(others))}, may be"
                )
            raise FsbenchError(f"{self.composition.text} failed: {outcome.kind}: {outcome.message}")
        folder = self.execution.folder / f"{job.split}{MODEL}"
        self._save_preparation(folder)
        calibration = self._calibration(place)
        said = export(folder, calibration["temperature"]) if onnx else {"why not": "it was not asked for"}
        self._card(folder, place, outcome, calibration, said, estimate).write(folder)
        _put(folder, output)

    def _results(
        self, work: Work[Job, Outcome], parts: Sequence[tuple[str, Task, Split]], place: Place
    ) -> list[tuple[Job, Outcome | Failure]]:
        """What came of the trial on each part of the data, in their order."""
        jobs = []
        for name, task, split in parts:
            sealed = materialise(task, split, self.execution.folder / name)
            jobs.append(Job(self.trial, name, place.device, (*sealed.test_y.shape, sealed.num_classes)))
        with contextlib.closing(self.execution.executor(work, place.device).run(jobs)) as stream:
            found = dict(stream)
        return [(job, found[job]) for job in jobs]

    def _calibration(self, place: Place) -> dict[str, Any]:
        """The temperature, how it was found, and how good the out-of-fold predictions are."""
        try:
            parts = list(self._folds())
        except TaskError as error:
            return {"temperature": 1.0, "how": f"none: {error}"}
        self.tell(f"fitting {FOLDS} times on the labels of {FOLDS - 1} folds, to calibrate on the other")
        folds = []
        for (_, _, split), (_, result) in zip(parts, self._results(TRIALS, parts, place), strict=True):
            if isinstance(result, Failure):
                return {"temperature": 1.0, "how": f"none: a training failed with {result.message}"}
            tested = split.test.origin[0] == len(self.reading.datasets) - 1  # of two domains, the target's
            folds.append((result.predictions[0][tested], split.test.y[0][tested]))
        folds = [fold for fold in folds if len(fold[1])]
        if not folds:
            return {"temperature": 1.0, "how": "none: no fold has a label of the target"}
        temperature, before, after = fit_temperature(folds)
        right = [logits.argmax(1) == y for logits, y in folds]
        return {
            "temperature": temperature,
            "how": _HOW if temperature != 1 else _NO_GAIN,
            "folds": len(folds),
            "labels": sum(len(y) for _, y in folds),
            "nll_without": before,
            "nll_with": after,
            "accuracy": float(np.concatenate(right).mean()),
        }

    def _folds(self) -> Iterator[tuple[str, Task, Split]]:
        """Each fold in the place of the test part. Raises TaskError if there are too few labels."""
        keeps = "val" in self.composition.uses
        for fold in range(FOLDS):
            yield (
                f"fold-{fold}",
                *take(self.task, self.split, self.seed, Part(fold=fold, keeps_val=keeps)),
            )

    def _save_preparation(self, folder: Path) -> None:
        from fsbench.saved import save_parts

        try:
            save_parts(preparation(self.task, self.split), folder, PREPARATION)
        except CannotSave as error:
            raise CannotSave(f"samples of the kind {self.task.info.kind} cannot be saved: {error}") from None

    def _card(
        self,
        folder: Path,
        place: Place,
        outcome: Outcome,
        calibration: Mapping[str, Any],
        onnx: Mapping[str, str],
        estimate: Mapping[str, Any] | None,
    ) -> Card:
        info, trial = self.reading.dataset.info, self.trial
        assert self.reading.form is not None, "every reader says how"
        used = versions(get_registry(), self.composition, self.task.text, trial.recipe, info.kind)
        counts = np.bincount(self.split.train.y[0], minlength=info.num_classes).tolist()
        return Card(
            strategy=trial.spec,
            full_spec=trial.full_spec,
            recipe=trial.recipe,
            seed=self.seed,
            kind=info.kind,
            inputs=self.reading.form,
            preparation=get_kind(info.kind).prepared(info),
            classes=info.classes,
            labels=dict(zip(info.classes, counts, strict=True)),
            held_back=int(self.split.val.y.size),
            uses=tuple(sorted(self.composition.uses)),
            data={each.info.text: each.fingerprint for each in self.reading.datasets},
            calibration=calibration,
            estimate=estimate,
            onnx=onnx,
            notes=outcome.notes,
            versions=installed() | used | {"torch": place.torch},
            created=timestamp(),
            files={path.name: sha256(path) for path in sorted(folder.iterdir())},
        )


def _with_validation(task: Task, split: Split, seed: int) -> tuple[Task, Split]:
    """The task with a fold of its labels as the validation part."""
    rest = task.protocol.hold_out(split, 0, seed)
    return (
        replace(task, info=replace(task.info, num_val=rest.test.y.shape[1])),
        replace(split, train=rest.train, val=rest.test),
    )


def _put(folder: Path, output: Path) -> None:
    """Copy a model to its folder, in place of an earlier one; the card comes last, as it makes it a model.

    Raises CannotSave if it cannot be written; an earlier model then stays.
    """
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        there = output if output.is_dir() else output.parent
        with tempfile.TemporaryDirectory(prefix=".fsbench-fit-", dir=there) as draft:
            names = sorted((path.name for path in folder.iterdir()), key=lambda name: name == FILE)
            for name in names:
                shutil.copyfile(folder / name, Path(draft) / name)
            output.mkdir(exist_ok=True)
            earlier = _files(output)
            for name in names:
                (Path(draft) / name).replace(output / name)
        for name in earlier.difference(names):
            (output / name).unlink(missing_ok=True)
    except OSError as error:
        raise CannotSave(f"cannot write {output}: {error.strerror}; name another folder") from error


def _files(folder: Path) -> set[str]:
    """The names of the files of a model, beside its card; none if there is no model."""
    try:
        return set(Card.read(folder).files)
    except DataError:  # what is no card names no files
        return set()
