"""Fitted predictors as files: what comes back predicts the same, and files from strangers run nothing."""

from __future__ import annotations

import json
import pickle
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from toy import toy_trial
from trap import Trap

from fsbench import Fitted, Recipe, Savable
from fsbench.composition import Composition
from fsbench.engine.backbones import build_network
from fsbench.engine.refitting import CHECK, STEM, check_saved, save_checked
from fsbench.engine.training import ByNetwork, as_fitted
from fsbench.engine.trial import Prediction
from fsbench.errors import CannotSave, DataError
from fsbench.registry import load_registry
from fsbench.saved import load_parts, save_parts
from fsbench.testing import toy_split
from fsbench.words import names_package

CPU = torch.device("cpu")
RECIPES = {
    "image": Recipe("conv4(width=4, norm=batch)", steps=8, batch_size=16),
    "table": Recipe("mlp(width=8, norm=batch)", steps=8, batch_size=16),
    "text": Recipe("ngrams", steps=8, batch_size=16),
}
TEXTS = ("erm", "best_classical", "naive_bayes", "svm", "knn", "logistic_regression", "random_forest")
QUICK = {
    "autoencoder": "autoencoder(pretext_steps=3)",
    "balanced_forest": "balanced_forest(n_estimators=3)",
    "baseline_pp": "baseline_pp(source_steps=3, source_passes=0)",
    "best_classical": "best_classical(folds=2)",
    "easy_ensemble": "easy_ensemble(bags=2, rounds=2)",
    "fixmatch": "fixmatch(threshold=0.1)",
    "hist_gradient_boosting": "hist_gradient_boosting(max_iter=5)",
    "lightgbm": "lightgbm(n_estimators=5)",
    "maml": "maml(meta_steps=2, adapt_steps=2)",
    "protonet": "protonet(meta_steps=2)",
    "random_forest": "random_forest(n_estimators=3)",
    "reptile": "reptile(meta_steps=2)",
    "rusboost": "rusboost(rounds=3)",
    "shot": "shot(adapt_steps=3, refreshes=1)",
    "simclr": "simclr(pretext_steps=3)",
    "simpleshot": "simpleshot(source_steps=3, source_passes=0)",
    "transfer": "transfer(source_steps=3)",
    "vae": "vae(vae_steps=3)",
}
MORE = (
    *(
        "transfer(source_steps=3, mode=linear_probe)",
        "focal+augmentation",
        "sklearn(estimator=decision_tree)",
    ),
    *(
        "sklearn(estimator=gradient_boosting, n_estimators=3)",
        "logit_adjustment(mode=post_hoc)",
        "ldam_drw+tent",
    ),
    "transfer(source_steps=3, mode=linear_probe)+tau_norm",
)
TOYS: tuple[dict[str, Any], ...] = (
    {"imbalance": 4.0, "source": True, "unlabeled": 12},
    {"shift": True, "target_per_class": 2},
)


def specs() -> list[Any]:
    """Specs of all bundled strategies, and more; `slow` beyond plain training, as there are so many."""
    registry = load_registry()
    names = [c.text for c in registry.parse("all") if registry.origin[c.components[0].name][0] == "fsbench"]
    return [
        *(
            pytest.param(QUICK.get(name, name), marks=[pytest.mark.slow] * (name != "erm"))
            for name in names
            if name != "probe"
        ),
        *MORE,
    ]


def fitted(composition: Composition, kind: str, toy: dict[str, Any]) -> tuple[Prediction, np.ndarray]:
    """What a trial predicts with, and its inputs."""
    kept: list[Prediction] = []
    split = toy_split(kind, test_per_class=8, **toy)
    toy_trial(composition, split, RECIPES[kind], keep=kept.append)
    return kept[0], split.test_x[0]


def saved(prediction: Prediction, x: np.ndarray, folder: Path) -> Prediction:
    packages = load_registry().packages() | {__name__.partition(".")[0]}
    save_checked(prediction, folder, x, CPU, packages)
    found = load_parts(folder, STEM, packages)
    assert isinstance(found, Prediction)
    check_saved(found, folder)
    return found


@pytest.mark.parametrize("spec", specs())
def test_every_bundled_strategy_comes_back_as_it_was(spec: str, tmp_path: Path) -> None:
    (composition,) = load_registry().parse(spec)
    if (reason := composition.skip(toy_split("table").info)) and names_package(reason):
        pytest.skip(reason)
    ran = 0
    for kind in RECIPES:
        if kind == "text" and ran and not spec.startswith(TEXTS):  # a vectorizer takes its time
            continue
        for toy in TOYS:
            if composition.skip(toy_split(kind, **toy).info) is None:
                prediction, x = fitted(composition, kind, toy)
                found = saved(prediction, x, tmp_path / kind)
                np.testing.assert_allclose(found(x, CPU), prediction(x, CPU), rtol=1e-6, atol=1e-6)
                ran += 1
                break
    assert ran


@dataclass(frozen=True, eq=False)
class Sum(Savable):
    """The sum of predictors."""

    members: list[Any]

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return sum((member(x) for member in self.members), torch.zeros(()))


def network(seed: int = 0, classes: int = 3) -> Any:
    torch.manual_seed(seed)
    return build_network("mlp(width=8)", "table", (8,), classes)


def predict(*members: Any) -> Prediction:
    return Prediction(Sum([as_fitted(each).predict for each in members]), "table", (8,), 3)


X = np.random.default_rng(0).standard_normal((6, 8)).astype(np.float32)


def test_members_that_share_a_body_share_it_in_the_file(tmp_path: Path) -> None:
    one = network()
    two = one.with_head(3)
    found = saved(predict(one, two, one), X, tmp_path / "m")
    np.testing.assert_array_equal(found(X, CPU), predict(one, two, one)(X, CPU))
    first, second, third = (each.network for each in found.predict.members)  # type: ignore[attr-defined]
    assert first is third
    assert first is not second
    size = sum(t.numel() for t in load_file(tmp_path / "m" / f"{STEM}.safetensors").values())
    assert size == sum(p.numel() for p in [*one.parameters(), *two.head.parameters()])


@pytest.mark.parametrize(
    "value", [None, True, 3, "text", 0.1, float("inf"), (1, (2, "a")), [1.5, None], {"a": (1,), "b": []}]
)
def test_plain_values_come_back_with_their_types(value: Any, tmp_path: Path) -> None:
    save_parts(value, tmp_path, "v")
    found = load_parts(tmp_path, "v", set())
    assert found == value
    assert type(found) is type(value)


def test_tensors_and_arrays_come_back_to_the_bit(tmp_path: Path) -> None:
    given = (torch.randn(3, 2)[:, 1:], np.arange(4.0)[::2], np.array([True, False]), torch.empty(0, 3))
    save_parts(given, tmp_path, "v")
    for old, new in zip(given, load_parts(tmp_path, "v", set()), strict=True):
        assert type(old) is type(new)
        assert old.dtype == new.dtype
        np.testing.assert_array_equal(old, new)


# What cannot be saved


def test_a_function_is_named_and_refused(tmp_path: Path) -> None:
    change = Fitted(as_fitted(network()).predict).map(lambda logits: logits * 2).predict
    with pytest.raises(CannotSave, match=r"change of _Changed contains the function test_saved\..*lambda"):
        save_parts(change, tmp_path, "v")


def test_a_foreign_module_is_named_and_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotSave, match=r"network of ByNetwork contains a torch\.nn\..*Linear"):
        save_parts(ByNetwork(nn.Linear(2, 2)), tmp_path, "v")


def test_a_network_with_a_change_that_its_arguments_do_not_say_is_refused(tmp_path: Path) -> None:
    changed = network()
    changed.body.register_forward_hook(lambda module, given, out: out + 1)
    with pytest.raises(CannotSave, match="its saved copy predicts other logits"):
        saved(predict(changed), X, tmp_path / "m")
    grown = network()
    grown.body.register_buffer("more", torch.ones(1))
    with pytest.raises(CannotSave, match="its saved copy cannot be read"):
        saved(predict(grown), X, tmp_path / "n")


def test_what_watches_for_effects_is_seen_through(tmp_path: Path) -> None:
    from fsbench.effects import WatchedFit

    inner = as_fitted(network())
    watch = WatchedFit(inner, lambda: None)
    outer = watch.check(Fitted(Sum([watch.given.predict, watch.given.predict]), inner.network))
    prediction = Prediction(outer.predict, "table", (8,), 3)
    np.testing.assert_allclose(saved(prediction, X, tmp_path / "m")(X, CPU), prediction(X, CPU), rtol=1e-6)


# Files from strangers


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    saved(predict(network()), X, tmp_path / "m")
    return tmp_path / "m"


def load(folder: Path) -> Any:
    return load_parts(folder, STEM, load_registry().packages() | {"test_saved"})


def change(folder: Path, **arguments: Any) -> None:
    """Change the arguments of the innermost network."""
    path = folder / f"{STEM}.json"
    tree = json.loads(path.read_text())
    inner = tree["arguments"]["predict"]["arguments"]["members"][0]["arguments"]["network"]
    inner.update({k: v for k, v in arguments.items() if k in inner})
    inner["arguments"].update({k: v for k, v in arguments.items() if k not in inner})
    path.write_text(json.dumps(tree))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"class": "os:system"}, "os:system is not of an installed plugin"),
        ({"class": "subprocess:Popen"}, "subprocess:Popen is not of an installed plugin"),
        ({"class": "fsbench.saved.reading:read_json"}, "is not a savable class"),
        ({"class": "fsbench.importing:importlib.import_module"}, "is not a savable class"),
        ({"class": "fsbench.nothing:Here"}, "No module named"),
        ({"backbone": "unknown"}, "unknown backbone"),
        ({"backbone": 3}, "damaged"),
        ({"input_shape": {"tuple": [9]}}, "size mismatch"),
        ({"num_classes": {"tensor": "t99"}}, "the tensor 't99' is missing"),
        ({"num_classes": {"same": 7}}, "stands where a value is expected"),
        ({"num_classes": {"estimator": 0}}, "skops"),
        ({"dropout": {"code": "import os"}}, "stands where a value is expected"),
        ({"state": {}}, "Missing key"),
        ({"state": None}, "has no tensors"),
    ],
)
def test_a_changed_tree_is_an_error_in_one_line(changes: dict[str, Any], message: str, folder: Path) -> None:
    change(folder, **changes)
    with pytest.raises(DataError, match=message) as caught:
        load(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "\xff", '{"class": 1}', '"x"'])
def test_a_damaged_tree_is_an_error_or_another_value(text: str, folder: Path) -> None:
    (folder / f"{STEM}.json").write_text(text, encoding="latin-1")
    if text == '"x"':
        assert load(folder) == "x"
        return
    with pytest.raises(DataError):
        load(folder)


@pytest.mark.parametrize("name", [f"{STEM}.safetensors", f"{STEM}.json"])
def test_a_pickle_in_place_of_a_file_is_not_unpickled(name: str, folder: Path) -> None:
    (folder / name).write_bytes(pickle.dumps(Trap()))
    with pytest.raises(DataError):
        load(folder)
    assert not Path("trapped").exists()


def test_other_logits_than_where_it_was_saved_are_noticed(folder: Path) -> None:
    tensors = load_file(folder / f"{STEM}.safetensors")
    save_file({name: tensor + 0.1 for name, tensor in tensors.items()}, folder / f"{STEM}.safetensors")
    with pytest.raises(DataError, match="predicts other logits here"):
        check_saved(load(folder), folder)
    (folder / CHECK).write_bytes(b"")
    with pytest.raises(DataError, match="does not predict"):
        check_saved(load(folder), folder)


def test_a_recipe_that_trains_longer_gives_another_model(tmp_path: Path) -> None:
    """The comparison would fail if the trained weights were not those in the file."""
    split, kept = toy_split("table"), list[Prediction]()
    for steps in (1, 9):
        toy_trial("erm", split, replace(RECIPES["table"], steps=steps), keep=kept.append)
    found = [saved(each, X, tmp_path / str(i))(X, CPU) for i, each in enumerate(kept)]
    assert not np.allclose(found[0], found[1], atol=1e-3)
