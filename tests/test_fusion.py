"""The family `fusion`: equality with scikit-learn, identities; `test_fitted.py` has the laws of members."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from fsbench_plugins import _fusion, _held_out
from fsbench_plugins.vote import Shares
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from test_postprocessing import hard, run, without_val
from test_step import QUICK, same, trial
from toy import context, quick_context, task_info, toy_trial

from fsbench import Fitted, FsbenchError, InertComponent, LabeledSet, Strategy, mixture_weights
from fsbench.composition import Composition
from fsbench.registry import load_registry
from fsbench.testing import ToySplit, toy_split

THREE = "sklearn, sklearn(estimator=knn), sklearn(estimator=knn, n_neighbors=1)"


def estimators() -> list[tuple[str, Any]]:
    """scikit-learn's classifiers of the spec THREE."""
    logistic = LogisticRegression(max_iter=1000)
    return [("a", logistic), ("b", KNeighborsClassifier(5)), ("c", KNeighborsClassifier(1))]


def tables(split: ToySplit) -> tuple[np.ndarray, ...]:
    parts = [part[0].reshape(part.shape[1], -1).astype(float) for part in (split.train_x, split.test_x)]
    return parts[0], split.train_y[0], parts[1]


def probabilities(logits: np.ndarray) -> np.ndarray:
    found: np.ndarray = torch.from_numpy(logits).softmax(-1).numpy()
    return found


@pytest.mark.parametrize(
    "spec",
    [
        "ensemble(size=1)",
        "snapshot(cycles=1)",
        "vote(of=erm)",
        "average(of=erm)",
        "select(of=erm)",
        'vote(of="erm, erm")',
    ],
)
def test_one_member_is_that_member(spec: str) -> None:
    if spec.count("erm") < 2:
        assert same(spec, "erm")
    else:
        p = probabilities(trial(spec).predictions)
        np.testing.assert_allclose(p, probabilities(trial("erm").predictions), atol=1e-6)


@pytest.mark.parametrize("resampled", ["resampling", "resampling(method=random_under)"])
@pytest.mark.parametrize("member", ["erm", "balanced_softmax", "vote(of=balanced_softmax)"])
def test_a_member_trains_as_long_as_alone_and_knows_the_labels_as_given(resampled: str, member: str) -> None:
    split, recipe = toy_split("table", imbalance=8.0, per_class=40), replace(QUICK, passes=4)
    alone = toy_trial(f"{resampled}+{member.removeprefix('vote(of=').removesuffix(')')}", split, recipe)
    voted = toy_trial(f"{resampled}+vote(of={member!r})".replace("'", '"'), split, recipe)
    assert np.array_equal(voted.predictions, alone.predictions)


@pytest.mark.parametrize("how", ["soft", "hard"])
@pytest.mark.parametrize("classes", [2, 3])
def test_a_vote_is_scikit_learns(how: str, classes: int) -> None:
    split = hard(toy_split(classes=classes))
    x, y, test = tables(split)
    theirs = VotingClassifier(estimators(), voting=how).fit(x, y)
    exact, wanted = run(f'vote(of="{THREE}", how={how})', split)[0], theirs.predict(test)
    if how == "hard":  # where scikit-learn takes the first class of a tie
        tied = [len(set(decisions)) == 3 for decisions in theirs.transform(test)]
        wanted = np.where(tied, VotingClassifier(estimators(), voting="soft").fit(x, y).predict(test), wanted)
    assert np.array_equal(exact.argmax(1), wanted)
    if how == "soft":
        np.testing.assert_allclose(probabilities(exact), theirs.predict_proba(test), atol=1e-5)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_stack_is_scikit_learns(classes: int) -> None:
    split = hard(toy_split(classes=classes))
    x, y, test = tables(split)
    val = split.val_x[0].reshape(split.val_x.shape[1], -1).astype(float)
    fitted = [(name, each.fit(x, y)) for name, each in estimators()]
    theirs = StackingClassifier(fitted, LogisticRegression(C=10, max_iter=1000), cv="prefit")
    theirs.fit(val, split.val_y[0])
    ours = probabilities(run(f'stack(of="{THREE}")', split)[0])
    np.testing.assert_allclose(ours, theirs.predict_proba(test), atol=1e-4)


def test_a_stack_does_not_lose_a_class_without_a_held_out_label() -> None:
    """As in `holdout`, where a class of fewer than five samples has none for validation."""
    split = hard(toy_split())
    kept = split.val_y[0] != 2
    split = replace(split, val_x=split.val_x[:, kept], val_y=split.val_y[:, kept])
    split = replace(split, info=replace(split.info, num_val=int(kept.sum())))
    ours, mean = (probabilities(run(f'{name}(of="{THREE}")', split)[0]) for name in ("stack", "vote"))
    np.testing.assert_allclose(ours[:, 2], mean[:, 2], atol=1e-5)
    np.testing.assert_allclose(ours.sum(1), 1.0, atol=1e-6)


def test_bagging_is_scikit_learns_on_the_same_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    split = hard(toy_split())
    x, y, test = tables(split)
    theirs = BaggingClassifier(LogisticRegression(max_iter=1000), n_estimators=3, random_state=0).fit(x, y)
    rows = iter(theirs.estimators_samples_)
    monkeypatch.setattr(_fusion, "bootstrap", lambda *_: torch.from_numpy(next(rows)))
    np.testing.assert_allclose(
        probabilities(run("sklearn+bagging", split)[0]), theirs.predict_proba(test), atol=1e-5
    )


def test_a_bootstrap_sample_keeps_the_size_of_every_class() -> None:
    (composition,) = load_registry().parse("bagging")
    ctx = context(composition.components[0], "fit", task_info())
    y = torch.tensor([0] * 20 + [1] * 3 + [2])
    data = LabeledSet(torch.zeros(24, 2), torch.eye(3)[y])
    first, second = (_fusion.bootstrap(data, ctx, f"sample {n}") for n in range(2))
    assert data.select(first).class_counts.tolist() == [20, 3, 1]
    assert not torch.equal(first, second)
    assert 8 < len(first.unique()) < 20


@settings(max_examples=10)
@given(st.integers(2, 4), st.integers(5, 60), st.integers(0, 99))
def test_no_other_weights_are_likelier(members: int, samples: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = [2 * torch.randn(samples, 3, generator=generator) for _ in range(members)]
    y = torch.randint(3, (samples,), generator=generator)
    right = torch.stack([z.softmax(1)[torch.arange(samples), y] for z in logits]).double().numpy()
    weights = mixture_weights(right)

    def nll(w: np.ndarray) -> float:
        return -float(np.log(np.maximum(w @ right, 1e-12)).mean())

    assert weights.sum() == pytest.approx(1, abs=1e-6)
    found = minimize(
        nll,
        np.full(members, 1 / members),
        bounds=[(0, 1)] * members,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
    )
    assert nll(weights) <= nll(found.x) + 1e-3


def test_weights_of_no_samples_are_equal_and_of_nan_an_error() -> None:
    assert mixture_weights(np.zeros((4, 0))).tolist() == [0.25] * 4
    with pytest.raises(ValueError, match="NaN or infinite"):
        mixture_weights(np.array([[np.nan, 0.5], [0.5, 0.5]]))


@pytest.mark.parametrize(
    ("spec", "said"), [("average", "average: weights 1.00, 0.00"), ("select", "select: chose svm")]
)
def test_the_better_strategy_gets_the_weight_and_is_selected(spec: str, said: str) -> None:
    bad = "optimizer(lr=0.0)"
    for split in (toy_split(per_class=20), without_val(toy_split(per_class=20))):
        (composition,) = load_registry().parse(f'{spec}(of="svm, {bad}")')
        result = toy_trial(composition, split, QUICK)
        assert said in result.notes
        alone = run("svm", split).argmax(-1)
        assert np.array_equal(result.predictions.argmax(-1), alone)


@pytest.mark.parametrize("spec", ["average", "select", "stack"])
def test_a_strategy_is_not_judged_by_labels_that_it_was_fitted_to(spec: str) -> None:
    """All validation labels are wrong: only what is fitted to them, and is wrong elsewhere, predicts them."""
    split = toy_split(classes=2, per_class=20)
    misled = replace(split, val_y=1 - split.val_y)
    fitted = "vector_scaling(penalty=0.0)"
    assert (run(fitted, misled).argmax(-1) == split.test_y).mean() < 0.1
    assert (run(f'{spec}(of="erm, {fitted}")', misled).argmax(-1) == split.test_y).mean() > 0.9


@dataclass(frozen=True)
class ByHand(Strategy):
    """Goes on training from the same weights, and keeps them after every three steps."""

    name = "by_hand"

    def fit(self, train: LabeledSet, inner: Any, ctx: Any) -> Fitted:
        kept = []
        for _ in range(3):
            network = inner(train, recipe=replace(ctx.recipe, steps=3)).network
            kept.append({name: value.clone() for name, value in network.state_dict().items()})

        def predict(x: torch.Tensor) -> torch.Tensor:
            p = []
            for weights in kept:
                network.load_state_dict(weights)
                with torch.no_grad():
                    p.append(network(x).softmax(1))
            return torch.stack(p).mean(0).log()

        return Fitted(predict)


def test_snapshots_are_the_ends_of_parts_of_one_training() -> None:
    recipe = replace(QUICK, steps=9)
    theirs = trial(Composition((ByHand(),)), recipe).predictions
    np.testing.assert_allclose(trial("snapshot", recipe).predictions, theirs, atol=1e-5)


def test_members_of_an_ensemble_differ_and_their_mean_is_the_prediction() -> None:
    one, three = trial("erm").predictions, trial("ensemble").predictions
    assert not np.array_equal(one, three)
    p = np.exp(three)
    np.testing.assert_allclose(p.sum(-1), 1, atol=1e-5)


def test_an_ensemble_of_what_has_no_start_is_refused() -> None:
    """Every member would be the same."""
    for spec in ("ensemble+svm", "ensemble+random_forest", "ensemble+vote"):
        with pytest.raises(InertComponent, match="ensemble had no effect; this fit is the same"):
            run(spec, toy_split())


def test_probabilities_settle_a_tied_vote() -> None:
    unsure, sure = torch.tensor([[0.1, 0.0]]), torch.tensor([[0.0, 2.0]])
    for members in ([unsure, sure], [sure, unsure]):
        found = Shares([lambda x, logits=logits: logits for logits in members])(torch.zeros(1, 3))
        assert found.argmax(-1).item() == 1
        torch.testing.assert_close(found.exp(), torch.full((1, 2), 0.5), atol=1e-3, rtol=0)
    three = Shares([lambda x, logits=logits: logits for logits in (unsure, unsure, sure)])
    assert three(torch.zeros(1, 3)).argmax(-1).item() == 0


def test_folds_that_leave_one_class_to_fit_on_are_left_out() -> None:
    """A class of one label is in the kept part of all folds but one; many methods refuse one class."""
    train = LabeledSet(torch.randn(13, 2), torch.eye(2)[[0] * 12 + [1]])
    seen = []

    def fit(data: LabeledSet) -> Fitted:
        seen.append(int((data.class_counts > 0).sum()))
        return Fitted(lambda x: torch.zeros(len(x), 2))

    ctx = quick_context(info=task_info(num_classes=2))
    ctx.state.val = train.select(torch.arange(0))
    found = _held_out.out_of_fold([fit], train, 3, ctx)
    assert seen == [2, 2]
    assert len(found.y) == 8
    alone = LabeledSet(torch.randn(4, 2), torch.eye(2)[[0] * 4])
    with pytest.raises(FsbenchError, match="one class alone"):
        _held_out.out_of_fold([fit], alone, 2, ctx)


@pytest.mark.parametrize("spec", ['average(of="erm, temperature")', 'stack(of="erm, early_stopping")'])
def test_members_that_hold_labels_out_need_some_in_every_fold(spec: str) -> None:
    (strategy,) = load_registry().parse(spec)
    few, enough = (replace(toy_split(per_class=n).info, num_val=0) for n in (2, 3))
    assert "needs a validation part, or two labels of a class" in (strategy.skip(few) or "")
    assert strategy.skip(enough) is None
    assert strategy.skip(replace(few, num_val=6)) is None
