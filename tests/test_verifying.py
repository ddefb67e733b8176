"""`fsbench verify`: sampled trials of a published file run again, and what contradicts the file."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from itertools import chain

import fake_executor
import numpy as np
import pytest
from records import failed, over_seeds, record, skipped, write_jsonl

import fsbench
from fsbench import runner, verifying
from fsbench.errors import UsageError
from fsbench.evidence import Drawn, pack_influence
from fsbench.report.agreement import compare_runs, noise
from fsbench.report.contradictions import Run
from fsbench.report.published import Contents, read
from fsbench.verifying import verify

A, B = "kshot(wine, k=2)", "kshot(wine, k=5)"
METRIC = "balanced_accuracy"


def altered(path, changes: dict[int, dict], target):
    """A copy of a file with other fields in some of its records, counted from 0."""
    texts = [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines()]
    places = [place for place, values in enumerate(texts) if "key" in values]
    for number, values in changes.items():
        texts[places[number]] |= values
    target.write_text("".join(f"{json.dumps(each)}\n" for each in texts), encoding="utf-8")
    return target


def test_sampled_trials_are_run_again(whole, call, tmp_path, monkeypatch):
    again = partial(runner.run, executor=fake_executor.FakeExecutor)
    monkeypatch.setattr("fsbench.verifying.run", again)
    contents = read(whole)
    values = [{**each.metrics} for each in sorted(contents.records, key=lambda r: (r.spec, r.split_seed))]
    assert [each.spec for each in contents.records] == ["erm"] * 3 + ["knn"] * 3
    path = altered(whole, {
        0: {"metrics": values[0] | {METRIC: values[0][METRIC] + 1e-9}, "predictions": "0" * 32},
        1: {"metrics": values[1] | {METRIC: values[1][METRIC] + 0.6}, "predictions": "0" * 32},
        3: {"full_spec": "knn(k=1)#code+00000000"},
        4: {"recipe": contents.records[4].recipe.replace("steps=", "steps=9")},
    }, tmp_path / "board.jsonl")  # fmt: skip
    status, out, err = call("verify", path, "--by", "Grace")
    assert status == 1, err
    shown = " ".join(out.split())
    assert f"{path}: 2 bitwise, 1 mismatch, 2 not run, 1 within noise" in shown
    for words in ("noise up to", "other code: knn(k=1)#code+00000000 in the file", "its key is not that of"):
        assert words in shown
    (found,) = read(path).verified
    keys = [each.key for each in contents.records]
    assert found.by == "Grace"
    assert [found.outcomes.get(key) for key in keys] == [
        "within noise", "mismatch", "bitwise", None, None, "bitwise"]  # fmt: skip
    status, shown, err = call("leaderboard", "--results", path)
    assert status == 0, err
    assert "reproduced by Grace on 20" in shown
    assert "4 trials, 2 bitwise, 1 within noise, 1 mismatch" in " ".join(shown.split())


@pytest.mark.slow
def test_a_time_limit_of_nothing_is_refused(whole, call):
    status, _, err = call("verify", whole, "--timeout", "0")
    assert status == 2
    assert "timeout=0.0: expected more than 0" in err


def test_a_trial_gives_the_same_bits_in_a_worker_of_its_own(call, tmp_path):
    options = {"seeds": 2, "jobs": 1, "device": "cpu", "baseline": "erm", "recipe": "steps=4"}
    fsbench.run("erm", tasks=A, results=tmp_path / "results", **options)
    assert call("publish", tmp_path / "results", tmp_path)[0] == 0
    found = verify(tmp_path / "results.jsonl", 2, seed=1, jobs=1, device="cpu")
    assert [(each.record.spec, each.outcome) for each in found] == [("erm", "bitwise")] * 2


def test_a_file_without_a_successful_record_cannot_be_verified(call, tmp_path):
    write_jsonl([failed(task=A), skipped(task=B)], tmp_path / "x.jsonl")
    status, _, err = call("verify", tmp_path / "x.jsonl")
    assert (status, err.count("\n")) == (2, 1)
    assert "no successful record" in err


def test_the_order_of_a_file_does_not_choose_the_trials(tmp_path):
    """They cannot run here, but they were chosen."""
    write_jsonl(over_seeds(A, "gone", [0.5] * 8), tmp_path / "one.jsonl")
    lines = (tmp_path / "one.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "other.jsonl").write_text("".join(lines[::-1]), encoding="utf-8")
    one, other = ([each.record.key for each in verify(tmp_path / f"{n}.jsonl", 3)] for n in ("one", "other"))
    assert one == other
    assert len(set(one)) == 3


def test_no_trial_at_all_cannot_be_verified(whole):
    with pytest.raises(UsageError, match="sample=0: expected at least 1"):
        verify(whole, sample=0)


# The 99 % quantiles of Student's t with 2 and with 6 degrees of freedom.
T2, T6 = 9.9248, 3.7074


def test_noise_is_that_of_training_where_it_is_known():
    seeds = over_seeds(A, "erm", [0.9, 0.5, 0.6, 0.7])
    assert noise(seeds[0], seeds) == pytest.approx(T2 * 2**0.5 * 0.1, rel=1e-4)
    inits = [record(A, "erm", split, 0.1 * split + value, init_seed=init)
             for split in range(3) for init, value in enumerate((0.5, 0.52))]  # fmt: skip
    assert noise(inits[0], inits) == pytest.approx(T2 * 2**0.5 * 0.02 / 2**0.5, rel=1e-4)
    alone = record(A, "erm", value=0.8, n_test=100)
    assert noise(alone, [alone]) == pytest.approx(2.5758 * 2**0.5 * 0.04, rel=1e-4)
    same = over_seeds(A, "svm", [0.5] * 4, resolution={METRIC: 0.01})
    assert noise(same[0], same) == pytest.approx(T2 * 2**0.5 * 0.01, rel=1e-4)


def test_noise_is_moderated_by_that_of_the_other_strategies():
    seeds = over_seeds(
        A, "erm", [0.9, 0.5, 0.6, 0.7]
    )  # of the others, a variance of 0.01 with 2 degrees of freedom
    others = over_seeds(A, "svm", [0.50, 0.52, 0.54]) + over_seeds(A, "knn", [0.6, 0.64, 0.68])
    variance = (2 * 0.01 + 4 * (0.0004 + 0.0016) / 2) / 6
    assert noise(seeds[0], [*seeds, *others]) == pytest.approx(T6 * (2 * variance) ** 0.5, rel=1e-4)
    assert noise(seeds[0], [*seeds, *others[:3]]) == pytest.approx(T2 * 2**0.5 * 0.1, rel=1e-4)


def test_an_honest_run_elsewhere_is_rarely_a_mismatch():
    """Three strategies of equal noise, three seeds: at most 1 % within the error of 2,000 trials."""
    rng, wrong = np.random.default_rng(0), 0
    for _ in range(2000):
        found = [over_seeds(A, name, rng.normal(0.7, 0.03, 3).tolist()) for name in ("erm", "svm", "knn")]
        again = replace(found[0][0], metrics={METRIC: float(rng.normal(0.7, 0.03))})
        word, _ = compare_runs(Run(found[0][0]), Run(again), chain(*found))
        wrong += word == "mismatch"
    assert wrong <= 32


def test_equal_predictions_are_bitwise():
    one = Run(record(value=0.7), digest="a")
    again = replace(one.record, metrics={METRIC: 0.7 + 1e-12, "nll": 1.3 + 1e-5})
    assert compare_runs(one, replace(one, record=again), []) == ("bitwise", "")
    assert compare_runs(one, replace(one, digest="b"), []) == ("within noise", "")
    assert compare_runs(Run(record(value=0.7)), Run(record(value=0.7)), []) == ("bitwise", "")


def test_equal_values_without_a_digest_do_not_excuse_other_evidence():
    values = np.array([0.01, -0.02, 0.03, 0.0])
    here = Run(record(value=0.7), "here", "a", pack_influence(values))
    stored = replace(here, where="in the file", digest="")
    assert compare_runs(stored, here, []) == ("bitwise", "")
    smaller = replace(stored, influence=pack_influence(values / 10))
    assert compare_runs(smaller, here, [])[0] == "mismatch"
    finer = replace(stored, record=replace(here.record, resolution={METRIC: 1e-9}))
    assert (
        compare_runs(finer, replace(here, record=replace(here.record, resolution={METRIC: 0.01})), [])[0]
        == "mismatch"
    )


@pytest.mark.parametrize("changes", [{"baseline": True}, {"overlap": 2.0}])
def test_what_strategy_and_split_decide_is_compared_whatever_the_predictions(changes):
    here = Run(record(value=0.7), "here", "a")
    stored = Run(replace(here.record, **changes), "in the file", "b")
    assert compare_runs(stored, here, over_seeds(A, "erm", [0.70, 0.71, 0.72]))[0] == "mismatch"


@pytest.mark.parametrize(
    ("message", "outcome"),
    [("needs an extra: pip install 'fsbench[lightgbm]'", "not run"), ("works on images only", "mismatch")],
)
def test_a_trial_for_which_a_package_is_missing_here_is_not_run(message, outcome):
    one = record(value=0.7)
    again = replace(one, status="skipped", metrics={}, reason={"kind": "skipped", "message": message})
    found = verifying._checked(Contents((one,)), one, Contents((again,)), again)
    assert (found.outcome, found.detail) == (outcome, f"skipped here: {message}")


def test_a_trial_that_takes_too_long_here_is_not_run():
    one = record(value=0.7, seconds_fit=1000.0, seconds_predict=10.0)
    again = failed(kind="TimeOut", message="took longer than 9 s")
    found = verifying._checked(Contents((one,)), one, Contents((again,)), again)
    assert (found.outcome, found.detail) == ("not run", "failed here: took longer than 9 s")
    assert verifying._patience([one, record()]) == 5 * 1010
    assert verifying._patience([record()]) == 300


FORGED = {
    "score": ({"metrics": {METRIC: 0.999, "nll": 1.3}}, "balanced accuracy is 99.9 in the file and 70 here"),
    "another metric": ({"metrics": {METRIC: 0.7, "nll": 0.1}}, "is 0.1 in the file and 1.3 here"),
    "no score": ({"metrics": {"nll": 1.3}}, "balanced accuracy is None in the file and 70 here"),
    "labels": ({"n_train": 5}, "n_train is 5 in the file and 50 here"),
    "test part": ({"n_test": 5000}, "n_test is 5000 in the file"),
    "uses": ({"uses": ("val",)}, "uses is val in the file and nothing here"),
    "baseline": ({"baseline": True}, "baseline is True in the file"),
    "overlap": ({"overlap": 2.0}, "overlap is 2 in the file"),
    "resolution": ({"resolution": {METRIC: 1e-9}}, f"the resolution of {METRIC} is 1e-09 in the file"),
    "fit": ({"train_accuracy": 0.1}, "train_accuracy is 0.1 in the file"),
}


@pytest.mark.parametrize(("changes", "said"), FORGED.values(), ids=FORGED)
def test_what_equal_predictions_do_not_give_is_a_mismatch(changes, said):
    honest = Run(record(value=0.7), "here", digest="a")
    forged = Run(replace(honest.record, **changes), "in the file", digest="a")
    others = over_seeds(A, "erm", [0.70, 0.71, 0.72])
    word, why = compare_runs(forged, honest, others)
    assert (word, said in why) == ("mismatch", True), why


def test_other_evidence_for_equal_predictions_is_a_mismatch():
    values = np.array([0.01, -0.02, 0.03, 0.0])
    test = np.arange(4)[None]
    drawn = Drawn(test + 10, test[:, :0], test, test % 2, test[0, :0], test[0, :0], ("wine",))
    honest = Run(record(value=0.7), "here", "a", pack_influence(values), drawn)
    rounded = replace(honest, influence=pack_influence(values + 1e-5))
    assert compare_runs(rounded, honest, []) == ("bitwise", "")
    for forged in (values / 10, values[:3]):
        stored = replace(honest, where="in the file", influence=pack_influence(forged))
        word, why = compare_runs(stored, honest, [])
        assert word == "mismatch"
        assert "the influences of test samples in the file are not those here" in why
    for lacking in ("influence", "drawn"):
        stored = replace(honest, where="in the file", **{lacking: None})
        for pair in ((stored, honest), (honest, stored)):
            word, why = compare_runs(*pair, [])
            assert (word, "are missing in the file, and there here" in why) == ("mismatch", True)
    other = replace(honest, drawn=replace(drawn, train=test + 20))
    assert compare_runs(other, honest, [])[1].startswith("the samples of the split")


def test_a_forged_score_is_a_mismatch(whole, call, tmp_path, monkeypatch):
    """Also where the forger keeps the digest of the honest predictions."""
    again = partial(runner.run, executor=fake_executor.FakeExecutor)
    monkeypatch.setattr("fsbench.verifying.run", again)
    metrics = {each.key: each.metrics for each in read(whole).records}
    first, *_, last = metrics.values()
    path = altered(whole, {
        0: {"metrics": first | {METRIC: 0.999}},
        3: {"split_fingerprint": "f" * 64, "influence": None},
        5: {"metrics": last | {METRIC: 0.999}, "predictions": "0" * 32},
    }, tmp_path / "forged.jsonl")  # fmt: skip
    status, out, err = call("verify", path)
    assert status == 1, err
    shown = " ".join(out.split())
    assert f"{path}: 3 bitwise, 2 mismatch, 1 not run" in shown
    assert "balanced accuracy is 99.9 in the file and" in shown
    assert "other data: its split is ffffffffffffffff in the file and" in shown
    path = altered(whole, {0: {"metrics": first | {METRIC: 0.999}}}, path)
    status, _, err = call("merge", path, whole, tmp_path / "all.jsonl")
    assert (status, err.count("\n"), (tmp_path / "all.jsonl").exists()) == (1, 1, False)
    assert (
        f"{whole} does not reproduce erm on {A}, split seed 0: balanced accuracy is 99.9 in the others" in err
    )
