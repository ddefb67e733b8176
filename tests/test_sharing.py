"""`fsbench publish`, `merge` and `verify`."""

from __future__ import annotations

import json
import re
import shutil
import time
from dataclasses import replace
from functools import partial
from itertools import chain

import fake_executor
import numpy as np
import pytest
from pages import without_figures
from records import failed, over_seeds, record, skipped, write_jsonl

import fsbench
from fsbench import runner
from fsbench.evidence import Drawn, pack_influence
from fsbench.provenance import Provenance, Verification
from fsbench.record import Record
from fsbench.report.agreement import noise, outcome
from fsbench.report.board import read_board
from fsbench.report.budgets import leaderboards
from fsbench.report.contradictions import Run
from fsbench.report.logits import digest, read_predictions
from fsbench.report.markdown import to_markdown
from fsbench.report.published import Contents, read, read_columns, write
from fsbench.store import Store
from fsbench.tasks.suites import load_suite
from fsbench.verifying import verify

A, B = "kshot(wine, k=2)", "kshot(wine, k=5)"
METRIC = "balanced_accuracy"


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A results folder with three trials each of two strategies; predictions are random numbers."""
    folder = tmp_path_factory.mktemp("sharing") / "results"
    fake_executor.run(folder, "knn", A, seeds=3, baseline="erm")
    return folder


@pytest.fixture(scope="module")
def whole(stored, tmp_path_factory):
    """The file that is published of these results."""
    from fsbench.cli import main

    folder = tmp_path_factory.mktemp("sharing") / "published"
    assert main(["publish", str(stored), str(folder), "--by", "Ada", "--predictions"]) == 0
    return folder / "results.jsonl"


def records_of(folder) -> list[Record]:
    with Store(folder, create=False) as store:
        return store.records()


def test_published_results_say_where_they_come_from(stored, whole, call):
    records, contents = records_of(stored), read(whole)
    assert {each.key for each in contents.records} == {each.key for each in records}
    dates = sorted(each.created for each in records)
    (found,) = contents.provenance
    assert (found.by, found.records, found.first, found.last) == ("Ada", 6, dates[0], dates[-1])
    assert found.hardware == (records[0].device,)
    assert found.versions == {name: (text,) for name, text in records[0].versions.items()}
    assert contents.drawn.keys() == {each.split_fingerprint for each in records}
    page = whole.with_suffix(".md").read_text(encoding="utf-8")
    (board,) = leaderboards(read_columns(whole, [METRIC]))
    assert without_figures(page) == to_markdown(board, "results")
    with Store(stored, create=False) as store:
        for key, logits in read_predictions(whole.with_name("results-predictions.jsonl")):
            assert np.array_equal(logits, store.predictions(key))
            assert contents.digests[key] == digest(logits)


def test_a_part_of_a_suite_is_not_published_under_its_name(call, stored, tmp_path):
    status, out, err = call("publish", stored, tmp_path, "--suite", "starter-v2")
    assert (status, out) == (2, "")
    assert f"of starter-v2 have no result, such as erm on {A}, split seed 3, and only complete" in err
    assert list(tmp_path.iterdir()) == []


def test_a_part_of_a_suite_says_so_in_its_name_and_in_the_index(call, tmp_path):
    fake_executor.run(tmp_path / "results", "knn", A, seeds=5, baseline="erm")
    boards = tmp_path / "boards"
    status, _, err = call("publish", tmp_path / "results", boards, "--suite", "starter-v2", "--part")
    assert status == 0, err
    assert (boards / "starter-v2-part.jsonl").exists()
    index = (boards / "README.md").read_text(encoding="utf-8")
    assert re.search(r"A part of starter-v2, 1 of its \d+ tasks\. Small real", index)


@pytest.mark.parametrize(
    "name", ["starter-v2", "starter-v2-tuned", "starter-v2-part-tuned", "starter-v2-ours"]
)
def test_the_name_of_a_file_says_of_which_suite_it_is(whole, tmp_path, name):
    shutil.copy(whole, tmp_path / f"{name}.jsonl")
    assert read_board(tmp_path / f"{name}.jsonl").suite == load_suite("starter-v2")


@pytest.mark.parametrize("name", ["starter", "starter-v22", "results"])
def test_other_names_are_of_no_suite(whole, tmp_path, name):
    shutil.copy(whole, tmp_path / f"{name}.jsonl")
    assert read_board(tmp_path / f"{name}.jsonl").suite is None


def test_a_task_that_lacks_one_strategy_is_no_part(call, tmp_path):
    """Nobody should choose on which tasks a strategy is shown, and `erm` may be far ahead of the others."""
    results, other = tmp_path / "results", "holdout(keel-ecoli3, test=0.5)"
    fake_executor.run(results, "knn, dann", A, seeds=5, baseline="erm")
    fake_executor.run(results, "dann", other, seeds=5, baseline="erm")
    status, _, err = call("publish", results, tmp_path / "boards", "--suite", "starter-v2", "--part")
    assert (status, "left out 1 task on which trials have no result, such as " + other in err) == (0, True)
    found = read(tmp_path / "boards" / "starter-v2-part.jsonl").records
    assert {(r.task, r.spec, r.status) for r in found} == {
        (A, "erm", "ok"),
        (A, "knn", "ok"),
        (A, "dann", "skipped"),
    }


def test_an_incomplete_task_is_no_part(call, stored, tmp_path):
    status, out, err = call("publish", stored, tmp_path, "--suite", "starter-v2", "--part")
    assert (status, out, f"such as erm on {A}, split seed 3" in err) == (2, "", True)
    status, _, err = call("publish", stored, tmp_path, "--part")
    assert (status, err.strip()) == (
        2,
        "fsbench: error: --part is for a part of a suite; name it with --suite",
    )


def test_publishing_into_a_file_is_one_line(call, stored, tmp_path):
    (tmp_path / "file").touch()
    status, _, err = call("publish", stored, tmp_path / "file" / "new")
    assert (status, err.count("\n")) == (1, 1)
    assert "cannot make the folder" in err


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
        word, _ = outcome(Run(found[0][0]), Run(again), chain(*found))
        wrong += word == "mismatch"
    assert wrong <= 32


def test_equal_predictions_are_bitwise():
    one = Run(record(value=0.7), digest="a")
    again = replace(one.record, metrics={METRIC: 0.7 + 1e-12, "nll": 1.3 + 1e-5})
    assert outcome(one, replace(one, record=again), []) == ("bitwise", "")
    assert outcome(one, replace(one, digest="b"), []) == ("within noise", "")
    assert outcome(Run(record(value=0.7)), Run(record(value=0.7)), []) == ("bitwise", "")


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
    word, why = outcome(forged, honest, others)
    assert (word, said in why) == ("mismatch", True), why


def test_other_evidence_for_equal_predictions_is_a_mismatch():
    values = np.array([0.01, -0.02, 0.03, 0.0])
    test = np.arange(4)[None]
    drawn = Drawn(test + 10, test[:, :0], test, test % 2, test[0, :0], test[0, :0], ("wine",))
    honest = Run(record(value=0.7), "here", "a", pack_influence(values), drawn)
    rounded = replace(honest, influence=pack_influence(values + 1e-5))
    assert outcome(rounded, honest, []) == ("bitwise", "")
    for forged in (values / 10, values[:3]):
        stored = replace(honest, where="in the file", influence=pack_influence(forged))
        word, why = outcome(stored, honest, [])
        assert word == "mismatch"
        assert "the influences of test samples in the file are not those here" in why
    other = replace(honest, drawn=replace(drawn, train=test + 20))
    assert outcome(other, honest, [])[1].startswith("the samples of the split")


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


def test_files_of_several_people_are_joined(call, tmp_path):
    ours = over_seeds(A, "erm", [0.5, 0.6, 0.7])
    theirs = [*ours[:2], *over_seeds(A, "focal", [0.6, 0.7, 0.8]), failed(task=B, spec="focal")]
    later = [record(B, "focal"), *over_seeds(B, "erm", [0.4, 0.5])]
    for name, found in (("a", ours), ("b", theirs), ("c", later)):
        provenance = (Provenance(f"{name}'s people", len(found), hardware=("a processor",)),)
        write(Contents(tuple(found), provenance=provenance), tmp_path / f"{name}.jsonl")
    paths = [tmp_path / f"{name}.jsonl" for name in ("a", "b", "c", "all")]
    status, _, err = call("merge", *paths)
    assert status == 0, err
    assert f"{paths[1]}: 2 trials again, 2 bitwise" in err
    merged = read(paths[-1])
    assert {r.key for r in merged.records} == {r.key for r in (*ours, *theirs, *later)}
    assert {r.status for r in merged.records} == {"ok"}
    assert [each.by for each in merged.provenance] == ["a's people", "b's people", "c's people"]
    assert merged.verified[0].outcomes == {r.key: "bitwise" for r in ours[:2]}
    assert (
        "reproduced by b's people (a processor): 2 trials, 2 bitwise"
        in paths[-1].with_suffix(".md").read_text()
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"split_fingerprint": "f" * 64}, f"fingerprint of split 0 of {A} is {A} in the first"),
        ({"recipe": "recipe(backbone=mlp, steps=7)"}, f"recipe of {A} is recipe("),
        (
            {"full_spec": "focal(gamma=2.0)#code+2"},
            f"code of focal on {A} is focal in the first and focal(ga",
        ),
        (
            {"spec": "svm", "full_spec": "svm#core+2"},
            "code of fsbench is unmarked in the first and core+2 in the second",
        ),
        ({"metric_codes": {"own": "code+2"}}, "code of metric own is code+1 in the first and code+2 in"),
        (
            {"versions": {"torch": "2.1"}},
            "version of torch is 2.0 in the first and 2.1 in the second; --any-v",
        ),
    ],
    ids=["fingerprint", "recipe", "strategy", "core", "metric", "package"],
)
def test_unlike_results_are_not_joined(call, tmp_path, changes, said):
    common = {"versions": {"torch": "2.0"}, "metric_codes": {"own": "code+1"}, "full_spec": "focal"}
    paths = [tmp_path / f"{name}.jsonl" for name in ("a", "b", "all")]
    mine = record(A, "focal", **common)
    theirs = replace(mine, **(changes | {"key": "another"}))
    write_jsonl([mine], paths[0])
    write_jsonl([theirs], paths[1])
    status, _, err = call("merge", *paths)
    assert (status, err.count("\n"), paths[2].exists()) == (1, 1, False)
    assert f"cannot join {paths[0]} and {paths[1]}: the {said}" in err
    if "versions" in changes:
        write_jsonl([replace(theirs, split_seed=1, split_fingerprint=f"{A}/1")], paths[1])
        assert call("merge", *paths, "--any-version")[0] == 0


def test_records_of_one_trial_that_disagree_are_not_joined(call, tmp_path):
    paths = [tmp_path / f"{name}.jsonl" for name in ("a", "b", "all")]
    seeds = over_seeds(A, "erm", [0.5, 0.51, 0.52, 0.53])
    write_jsonl(seeds, paths[0])
    write_jsonl([replace(seeds[0], metrics={METRIC: 0.99})], paths[1])
    status, _, err = call("merge", *paths)
    assert (status, err.count("\n")) == (1, 1)
    assert (
        f"does not reproduce erm on {A}, split seed 0: {METRIC} 0.5000 in the others, 0.9900 in b.jsonl"
        in err
    )


def test_anothers_file_is_not_replaced(call, stored, whole, tmp_path):
    folder, place = tmp_path / "boards", tmp_path / "boards" / "results.jsonl"
    folder.mkdir()
    contents = read(whole)
    keys = [each.key for each in contents.records]
    verified = Verification("Grace", "2026-02-01", outcomes=dict.fromkeys(keys[:3], "bitwise"))
    write(replace(contents, verified=(verified,)), place)
    before = place.read_bytes()
    for by in (["--by", "Mallory"], []):
        status, _, err = call("publish", stored, folder, *by)
        assert (status, err.count("\n"), place.read_bytes() == before) == (2, 1, True)
        assert f"{place} has results by Ada, reproduced by Grace, and the new ones are" in err
        assert "--replace" in err
    mallory = tmp_path / "mallory" / "results.jsonl"
    assert call("publish", stored, mallory.parent, "--by", "Mallory")[0] == 0
    status, _, err = call("publish", mallory, folder)
    assert (status, place.read_bytes() == before, "new ones are by Mallory" in err) == (2, True, True)
    assert call("publish", mallory, folder, "--replace")[0] == 0
    assert read(place).publishers == ("Mallory",)


def test_verifications_of_unchanged_trials_outlive_a_new_publication(call, stored, whole, tmp_path):
    contents, place = read(whole), tmp_path / "results.jsonl"
    first, second, third, *_ = contents.records
    verified = Verification("Grace", outcomes={each.key: "bitwise" for each in (first, second, third)})
    changed = replace(second, metrics=second.metrics | {METRIC: 0.123})
    digests = contents.digests | {third.key: "0" * 32}
    records = (first, changed, *contents.records[2:])
    write(replace(contents, records=records, digests=digests, verified=(verified,)), place)
    status, _, err = call("publish", stored, tmp_path, "--by", "Ada")
    assert status == 0, err
    assert "left out that 2 trials had been reproduced: the results have changed" in err
    (kept,) = read(place).verified
    assert (kept.by, kept.outcomes) == ("Grace", {first.key: "bitwise"})
    assert "reproduced by Grace" in place.with_suffix(".md").read_text(encoding="utf-8")


def test_merging_replaces_no_file_with_other_records(call, tmp_path):
    """As where the file to write was forgotten."""
    paths = [tmp_path / f"{name}.jsonl" for name in "abc"]
    for spec, path in zip(("erm", "focal", "svm"), paths, strict=True):
        write_jsonl(over_seeds(A, spec, [0.5, 0.6, 0.7]), path)
    status, _, err = call("merge", *paths)
    assert (status, err.count("\n"), len(read(paths[2]).records)) == (2, 1, 3)
    assert f"{paths[2]} exists, with 3 records that are not in the files to join" in err
    assert call("merge", *paths, tmp_path / "all.jsonl")[0] == 0
    assert call("merge", *paths, tmp_path / "all.jsonl")[0] == 0
    assert len(read(tmp_path / "all.jsonl").records) == 9


def test_a_file_that_was_cut_off_says_so(call, whole, tmp_path):
    texts = whole.read_text(encoding="utf-8").splitlines(keepends=True)
    path = tmp_path / "x.jsonl"
    for kept, said in (
        (texts[:4], "x.jsonl has 3 of the 6 records that it says it has; it was cut off: fetch it again"),
        (texts[:-1], "x.jsonl does not say what 1 split drew; it was cut off: fetch it again"),
        ([*texts[:3], texts[3][:50]], "x.jsonl was cut off in line 4: fetch it again"),
        ([], "x.jsonl is empty; expected a file of `fsbench publish`"),
    ):
        path.write_text("".join(kept), encoding="utf-8")
        for command in (["leaderboard", "--results"], ["report", "--results"], ["verify"], ["merge", whole]):
            out = [tmp_path / "o.jsonl"] if command[0] == "merge" else []
            status, _, err = call(*command, path, *out)
            assert (status, err.count("\n"), said in err) == (1, 1, True), err


def test_joined_files_say_how_many_records_they_have(call, tmp_path):
    ours, theirs = over_seeds(A, "erm", [0.5, 0.6, 0.7]), over_seeds(A, "focal", [0.6, 0.7])
    own, paths = {"a": ours, "b": [*ours[:2], *theirs], "c": [*ours, *theirs]}, []
    for name, found in own.items():
        paths.append(tmp_path / f"{name}.jsonl")
        write(Contents(tuple(found), provenance=(Provenance(name, len(found)),)), paths[-1])
    assert call("merge", *paths[:2], tmp_path / "ab.jsonl")[0] == 0
    assert [each.records for each in read(tmp_path / "ab.jsonl").provenance] == [3, 2]
    assert call("merge", tmp_path / "ab.jsonl", paths[2], tmp_path / "abc.jsonl")[0] == 0
    assert [each.records for each in read(tmp_path / "abc.jsonl").provenance] == [3, 2, 0]
    assert call("merge", paths[2], tmp_path / "ab.jsonl", tmp_path / "cab.jsonl")[0] == 0
    assert [each.records for each in read(tmp_path / "cab.jsonl").provenance] == [5, 0, 0]


def test_a_results_folder_is_no_published_file(call, stored, whole, tmp_path):
    for command in (
        ["merge", stored, whole, tmp_path / "o.jsonl"],
        ["verify", stored],
        ["site", stored, tmp_path],
    ):
        status, _, err = call(*command)
        assert (status, err.count("\n")) == (2, 1)
        assert f"{stored} is a results folder; `fsbench publish {stored} DIR` writes the file" in err
    assert f"{tmp_path} is a folder; expected a published file" in call("verify", tmp_path)[2]
    for given in ([whole], [whole, tmp_path / "o.jsonl"]):
        status, _, err = call("merge", *given)
        said = " and ".join(map(str, given))
        assert (status, f"{said}: give at least two published files, and then the file" in err) == (2, True)


def test_a_published_file_cannot_be_fused(call, whole):
    status, _, err = call("fuse", "erm, knn", "--results", whole)
    assert (status, err.count("\n")) == (2, 1)
    assert f"{whole} is a published file, which has no predictions for validation parts" in err


def test_what_is_no_record_is_said_plainly(call, tmp_path):
    path = tmp_path / "x.jsonl"
    for text, said in (
        ('{"a": 1}', "(it has no key, status, task, split_seed, init_seed, spec, recipe)"),
        ("junk", "(no JSON); expected a file of `fsbench publish`"),
    ):
        path.write_text(f"{text}\n")
        status, _, err = call("leaderboard", "--results", path)
        assert (status, err.count("\n"), f"x.jsonl, line 1 is not a record {said}" in err) == (1, 1, True), (
            err
        )


@pytest.mark.parametrize(
    ("command", "slow", "said"),
    [
        (("publish", "RESULTS", "DIR"), "fsbench.report.publishing.write_published", "making the page, "),
        (("publish", "FILE", "DIR"), "fsbench.report.publishing.write_index", "writing the index, "),
        (("merge", "FILE", "FILE", "OUT"), "fsbench.report.publishing.renew_index", "writing the index, "),
        (("site", "DIR", "OUT"), "fsbench.site.build.build", "making the site, "),
    ],
    ids=["a page", "an index", "merge", "site"],
)
def test_sharing_is_not_silent(call, stored, whole, tmp_path, monkeypatch, command, slow, said):
    names = {"RESULTS": stored, "FILE": whole, "DIR": tmp_path, "OUT": tmp_path / "out.jsonl"}
    monkeypatch.setattr(slow, lambda *args: time.sleep(1.6))
    status, _, err = call(*(names.get(each, each) for each in command))
    assert (status, said in err) == (0, True), err
