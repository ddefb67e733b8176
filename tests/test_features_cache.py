"""Cached features of frozen bodies: same results, each sample computed once, shared by trials."""

from __future__ import annotations

import copy
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from fsbench_plugins.transfer import Transfer
from torch import nn
from toy import toy_trial

import fsbench
from fsbench import Batch, Context, Fitted, LabeledSet, Recipe, Strategy, param
from fsbench.composition import Composition
from fsbench.datasets.known import load_dataset
from fsbench.engine import fitting, frozen_body
from fsbench.engine.backbones import Network, build_network
from fsbench.engine.feature_cache import MemoryCache
from fsbench.engine.frozen_body import BodyFeatures
from fsbench.engine.trial import TrialResult
from fsbench.store import Store
from fsbench.tasks.expressions import parse_tasks
from fsbench.tasks.splits import draw_split
from fsbench.testing import ToySplit, toy_split
from fsbench.versions import version

CONV = "conv4(norm=batch, width=8)"
QUICK = Recipe(CONV, 30, 16, lr=0.01)
SPLIT = toy_split("image")
DISTINCT = len({x.tobytes() for part in (SPLIT.train_x, SPLIT.test_x) for x in part[0]})


@pytest.fixture
def weights(tmp_path: Path) -> str:
    return save_weights(tmp_path / "w.pt", seed=0)


def save_weights(path: Path, seed: int) -> str:
    torch.manual_seed(seed)
    network = build_network(CONV, "image", (1, 8, 8), 3)
    for _ in range(30):
        network(torch.rand(64, 1, 8, 8))
    torch.save(network.body.state_dict(), path)
    return str(path)


def probe(
    weights: str,
    folder: Path | None = None,
    partner: str = "erm",
    recipe: Recipe = QUICK,
    split: ToySplit = SPLIT,
) -> TrialResult:
    return toy_trial(
        f'transfer(weights="{weights}", mode=linear_probe)+{partner}', split, recipe, features=folder
    )


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many samples the body was given in each call, without the padding of batches."""
    calls: list[int] = []
    whole = BodyFeatures.forward

    def counting(self: BodyFeatures, x: torch.Tensor, size: int) -> torch.Tensor:
        calls.append(len(x))
        return whole(self, x, size)

    monkeypatch.setattr(BodyFeatures, "forward", counting)
    return calls


@pytest.mark.parametrize("package", ["torchvision", "efficientnet-lite-pytorch"])
def test_features_of_another_version_of_the_body_code_are_not_reused(
    weights: str, tmp_path: Path, computed: list[int], monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    probe(weights, tmp_path)
    first = sum(computed)
    probe(weights, tmp_path)
    assert sum(computed) == first
    monkeypatch.setattr(frozen_body, "version", lambda each: "9" if each == package else version(each))
    probe(weights, tmp_path)
    assert sum(computed) == 2 * first
    monkeypatch.setattr(fsbench, "__version__", "9")
    probe(weights, tmp_path)
    assert sum(computed) == 3 * first


def in_the_plain_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "frozen_network", lambda model, composition: None)


# The same result


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("partner", ["erm", "focal"])
def test_training_on_features_equals_training_with_a_frozen_body(
    weights: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    partner: str,
    dropout: float,
    precision: str,
) -> None:
    recipe = replace(QUICK, dropout=dropout, precision=precision)  # type: ignore[arg-type]
    alone = probe(weights, None, partner, recipe)
    first = probe(weights, tmp_path / "features", partner, recipe)
    again = probe(weights, tmp_path / "features", partner, recipe)
    in_the_plain_way(monkeypatch)
    plain = probe(weights, None, partner, recipe)
    assert np.array_equal(alone.predictions, first.predictions)
    assert np.array_equal(first.predictions, again.predictions)
    # In bfloat16, with 8 bits of precision, batches of another size may round differently.
    tolerance = 1e-4 if precision == "float32" else 3e-2
    np.testing.assert_allclose(plain.predictions, first.predictions, atol=tolerance, rtol=tolerance)
    assert plain.train_accuracy == first.train_accuracy > 0.9


def test_a_samples_features_do_not_depend_on_the_rest_of_its_batch() -> None:
    network = build_network("lenet", "image", (1, 8, 8), 3).eval()
    x = torch.rand(150, 1, 8, 8)
    whole = BodyFeatures(network, MemoryCache(0))(x)
    for rows in (torch.randperm(150), torch.arange(5), torch.tensor([7, 7, 3])):
        assert torch.equal(BodyFeatures(network, MemoryCache(0))(x[rows]), whole[rows])
    assert BodyFeatures(network, MemoryCache(0))(x[:0]).shape == (0, 500)
    torch.testing.assert_close(whole, network.forward_features(x))


@dataclass(frozen=True)
class Watch(Strategy):
    """Keeps the first fit's predictions of its training samples, before and after the second fit."""

    name = "watch"

    def __post_init__(self) -> None:
        object.__setattr__(self, "seen", [])

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        body = ctx.model.get_submodule("body")
        body.requires_grad_(False)
        first = inner(train)
        self.seen.append(first.predict(train.x))  # type: ignore[attr-defined]
        body.requires_grad_(True)
        second = inner(train)
        self.seen.append((first.predict(train.x), second.predict(train.x)))  # type: ignore[attr-defined]
        return second


def test_a_predictor_follows_its_body_when_that_is_trained_later(weights: str, tmp_path: Path) -> None:
    watch = Watch()
    composition = Composition((watch, Transfer(weights=weights)))
    toy_trial(composition, SPLIT, QUICK, features=tmp_path / "features")
    before, (after, other) = watch.seen  # type: ignore[attr-defined]
    assert not torch.equal(before, after)
    torch.testing.assert_close(after, other)


@dataclass(frozen=True)
class Bright(Strategy):
    """Needs inputs, so that features alone are not enough."""

    name = "bright"

    def augment(self, batch: Batch, ctx: Context) -> Batch:
        return replace(batch, x=batch.x * 0.5)


def test_a_component_that_sees_inputs_gets_them(weights: str, tmp_path: Path) -> None:
    composition = Composition((Transfer(weights=weights, mode="linear_probe"), Bright()))
    toy_trial(composition, SPLIT, QUICK, features=tmp_path / "features")
    assert not (tmp_path / "features").exists()


# Each sample once


def test_each_sample_is_computed_once_for_all_trials(
    weights: str, tmp_path: Path, computed: list[int]
) -> None:
    assert probe(weights, tmp_path / "features").predictions.shape == (1, 60, 3)
    assert sum(computed) == DISTINCT
    probe(weights, tmp_path / "features", "focal")
    probe(weights, tmp_path / "features", recipe=replace(QUICK, steps=5))
    assert sum(computed) == DISTINCT


def test_without_a_folder_the_training_set_is_computed_once(weights: str, computed: list[int]) -> None:
    probe(weights)
    assert sum(computed) == DISTINCT


def test_different_weights_or_precisions_share_no_features(
    weights: str, tmp_path: Path, computed: list[int]
) -> None:
    other = save_weights(tmp_path / "other.pt", seed=1)
    first = probe(weights, tmp_path / "features")
    assert not np.array_equal(probe(other, tmp_path / "features").predictions, first.predictions)
    assert sum(computed) == 2 * DISTINCT
    assert len(list((tmp_path / "features").glob("*.sqlite"))) == 2
    probe(weights, tmp_path / "features", recipe=replace(QUICK, precision="bfloat16"))
    # Training needs them in bfloat16; predictions need float32, which is cached.
    assert sum(computed) == 2 * DISTINCT + SPLIT.train_x.shape[1]
    assert len(list((tmp_path / "features").glob("*.sqlite"))) == 3


@dataclass(frozen=True)
class Leaky(Strategy):
    """Changes what the body computes, but none of its weights."""

    name = "leaky"
    how: str = param("module")

    def init_model(self, model: nn.Module, ctx: Context) -> nn.Module:
        model = copy.deepcopy(model) if self.how == "hook" else model
        body = cast(Network, model).body
        first = next(name for name, module in body.named_modules() if isinstance(module, nn.ReLU))
        parent = body.get_submodule(first.rpartition(".")[0])
        match self.how:
            case "module":
                setattr(parent, first.rpartition(".")[2], nn.LeakyReLU(0.5))
            case "setting":
                next(each for each in body.modules() if isinstance(each, nn.BatchNorm2d)).eps = 0.5
            case "hook":
                parent.register_forward_hook(lambda module, inputs, output: output.abs() + 1)
        return model


@pytest.mark.parametrize("how", ["module", "setting", "hook"])
def test_a_body_that_computes_something_else_with_the_same_weights_shares_no_features(
    weights: str, tmp_path: Path, how: str
) -> None:
    changed = Composition((Transfer(weights=weights, mode="linear_probe"), Leaky(how)))
    alone = toy_trial(changed, SPLIT, QUICK)
    plain = probe(weights)
    first = probe(weights, tmp_path / "features")
    beside = toy_trial(changed, SPLIT, QUICK, features=tmp_path / "features")
    again = probe(weights, tmp_path / "features")
    assert not np.array_equal(alone.predictions, plain.predictions)
    assert np.array_equal(beside.predictions, alone.predictions)
    assert np.array_equal(again.predictions, first.predictions)
    assert np.array_equal(first.predictions, plain.predictions)


def test_features_of_a_body_that_only_this_trial_has_are_not_kept(tmp_path: Path) -> None:
    split = toy_split("image", source=True)
    toy_trial("transfer(mode=linear_probe, source_steps=2)", split, QUICK, features=tmp_path / "features")
    assert not (tmp_path / "features").exists()


def distinct_samples(task: str, seeds: int) -> int:
    """The different inputs in the training, validation and test parts of a task's first splits."""
    (found,) = parse_tasks(task)
    splits = [draw_split(found, seed) for seed in range(seeds)]
    rows = np.concatenate([part.index.ravel() for s in splits for part in (s.train, s.val, s.test)])
    return len({x.tobytes() for x in load_dataset("digits").x[rows]})


@pytest.mark.slow
def test_a_run_of_two_workers_keeps_each_distinct_sample_once(weights: str, tmp_path: Path) -> None:
    results = tmp_path / "results"
    spec = f'transfer(weights="{weights}", mode=linear_probe)'
    asked = {
        "tasks": "kshot(digits, k=2)",
        "seeds": 2,
        "recipe": {"backbone": CONV, "steps": 3},
        "jobs": 2,
        "baseline": "erm",
    }
    found = fsbench.run(spec, results=results, **asked)  # type: ignore[arg-type]
    assert not found.failures
    (file,) = (results / ".features").glob("*.sqlite")
    with closing(sqlite3.connect(file)) as db:
        ((rows,),) = db.execute("SELECT count(*) FROM features")
        assert db.execute("SELECT count(*) FROM leases").fetchall() == [(0,)]
    assert rows == distinct_samples("kshot(digits, k=2)", seeds=2)
    before = file.stat().st_mtime_ns
    fsbench.run(f"{spec}+focal", results=results, **asked)  # type: ignore[arg-type]
    assert file.stat().st_mtime_ns == before
    with Store(results, create=False) as store:
        assert sum("shared by trials" in " ".join(record.notes) for record in store.records()) == 4
