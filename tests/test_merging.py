"""`fsbench merge`: like with like, each trial once, and who reproduced it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from records import failed, over_seeds, record, skipped, write_jsonl

from fsbench.evidence import Drawn
from fsbench.provenance import Provenance
from fsbench.record import Record
from fsbench.report.merging import merge
from fsbench.report.published import Contents, read, write

A, B = "kshot(wine, k=2)", "kshot(wine, k=5)"
METRIC = "balanced_accuracy"


def again(records) -> list[Record]:
    """Other runs of some trials, with the same results."""
    return [replace(each, seconds_fit=each.seconds_fit + 1) for each in records]


def test_files_of_several_people_are_joined(call, tmp_path):
    ours = over_seeds(A, "erm", [0.5, 0.6, 0.7])
    theirs = [*again(ours[:2]), *over_seeds(A, "focal", [0.6, 0.7, 0.8]), failed(task=B, spec="focal")]
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
    assert "reproduced by b's people (cpu): 2 trials, 2 bitwise" in paths[-1].with_suffix(".md").read_text()


def test_who_reproduced_what_is_not_claimed_of_all_publishers(call, tmp_path):
    ours = over_seeds(A, "erm", [0.5, 0.6])
    theirs = {"b": over_seeds(B, "erm", [0.4], device="Xeon"), "c": again([replace(ours[0], device="M3")])}
    write(Contents(tuple(ours)), tmp_path / "a.jsonl")
    for name, found in theirs.items():
        provenance = (Provenance(name, len(found), hardware=(found[0].device,)),)
        write(Contents(tuple(found), provenance=provenance), tmp_path / f"{name}.jsonl")
    a, b, c, bc, whole = (tmp_path / f"{name}.jsonl" for name in ("a", "b", "c", "bc", "all"))
    assert call("merge", b, c, bc)[0] == call("merge", a, bc, whole)[0] == 0
    (found,) = read(whole).verified
    assert (found.by, found.hardware, len(found.outcomes)) == ("b or c", ("M3",), 1)


def test_skipped_trials_give_way_to_those_that_ran_with_other_contents(call, tmp_path):
    ran = [replace(each, full_spec="probe#w:1") for each in over_seeds(A, "probe", [0.6, 0.7, 0.8])]
    lacking = [
        replace(
            each, key=f"{name}{each.key}", full_spec="probe#w:2", status="skipped", reason={"kind": "skipped"}
        )
        for each in ran
        for name in ("one", "other")
    ]
    del ran[2]
    for name, found in {"a": ran, "b": lacking[::2], "c": lacking[1::2]}.items():
        write(Contents(tuple(found), provenance=(Provenance(name, len(found)),)), tmp_path / f"{name}.jsonl")
    for order in ("abc", "cba"):
        paths = [tmp_path / f"{name}.jsonl" for name in (*order, order)]
        status, _, err = call("merge", *paths)
        assert status == 0, err
        merged = read(paths[-1])
        assert {(r.split_seed, r.full_spec, r.status) for r in merged.records} == {
            (0, "probe#w:1", "ok"),
            (1, "probe#w:1", "ok"),
            (2, "probe#w:2", "skipped"),
        }
        assert len(merged.records) == 3
        assert sum(each.records for each in merged.provenance) == 3


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


def test_split_seeds_that_ran_apart_make_the_leaderboard_of_all(call, tmp_path):
    scores = {"erm": [0.50, 0.60, 0.55, 0.70, 0.65], "focal": [0.62, 0.71, 0.68, 0.80, 0.79]}
    whole = [each for spec, found in scores.items() for each in over_seeds(A, spec, found)]
    parts = {"early": (0, 1, 2), "late": (3, 4), "all": range(5)}
    for name, seeds in parts.items():
        found = tuple(each for each in whole if each.split_seed in seeds)
        write(Contents(found, provenance=(Provenance(name, len(found)),)), tmp_path / f"{name}.jsonl")
    joined = tmp_path / "joined.jsonl"
    assert call("merge", tmp_path / "early.jsonl", tmp_path / "late.jsonl", joined)[0] == 0
    tables = [call("leaderboard", "--results", path)[1] for path in (tmp_path / "all.jsonl", joined)]
    assert "5/5" in tables[0]
    assert tables[0] == tables[1]


def test_a_copy_of_a_run_reproduces_nothing(call, tmp_path):
    ours = over_seeds(A, "erm", [0.5, 0.6, 0.7])
    for name, found in {"ada": ours, "copy": ours, "grace": again(ours)}.items():
        provenance = (Provenance(name, len(found)),)
        write(Contents(tuple(found), provenance=provenance), tmp_path / f"{name}.jsonl")
    ada, copy, grace, first, second = (
        tmp_path / f"{name}.jsonl" for name in ("ada", "copy", "grace", "first", "second")
    )
    assert call("merge", ada, copy, first)[0] == 0
    assert read(first).verified == ()
    assert call("merge", ada, grace, first)[0] == 0
    (found,) = read(first).verified
    assert (found.by, set(found.outcomes.values())) == ("grace", {"bitwise"})
    assert call("merge", first, ada, second)[0] == call("merge", second, first, second)[0] == 0
    assert read(second).verified == (found,)


def test_a_publisher_of_two_parts_is_named_once(tmp_path):
    ours = over_seeds(A, "erm", [0.5, 0.6])
    parts = tuple(Provenance("ann", 1, hardware=("a processor",)) for _ in ours)
    write(Contents(tuple(ours)), tmp_path / "ours.jsonl")
    write(Contents(tuple(again(ours)), provenance=parts), tmp_path / "theirs.jsonl")
    whole, _ = merge([tmp_path / "ours.jsonl", tmp_path / "theirs.jsonl"])
    assert [each.by for each in whole.verified] == ["ann"]


def test_what_stands_beside_a_record_is_of_its_own_run(tmp_path):
    (ours,), (theirs,) = over_seeds(A, "erm", [0.5]), again(over_seeds(A, "erm", [0.5]))
    lost = replace(ours, status="failed", metrics={}, reason={"kind": "Crash", "message": "m"})
    beside = {"influences": {ours.key: b"8"}, "digests": {ours.key: "d" * 32}}
    for mine, other in ((ours, theirs), (lost, theirs)):
        write(Contents((mine,)), tmp_path / "ours.jsonl")
        with pytest.MonkeyPatch.context() as patch:
            contents = {"ours": Contents((mine,)), "theirs": Contents((other,), **beside)}
            patch.setattr("fsbench.report.merging.read", lambda path, of=contents: of[path.stem])
            whole, _ = merge([tmp_path / "ours.jsonl", tmp_path / "theirs.jsonl"])
        kept = mine.status != "ok"
        assert (bool(whole.influences), bool(whole.digests)) == (kept, kept)


def test_other_data_of_the_same_name_is_not_joined(call, tmp_path):
    """Each file has split seeds of its own, so that no split tells that the data is not the same."""
    ids, none = np.arange(4)[None], np.zeros(0, np.int64)
    paths = [tmp_path / f"{name}.jsonl" for name in ("a", "b", "all")]
    for seed, mark in enumerate(("aaaa", "bbbb")):
        drawn = Drawn(ids + 4, ids[:, :0], ids, ids % 2, none, none, ("hosp", "wine"), (mark, ""))
        found = record("holdout(hosp)", "erm", seed)
        write(Contents((found,), drawn={found.split_fingerprint: drawn}), paths[seed])
    status, _, err = call("merge", *paths)
    assert (status, paths[2].exists()) == (1, False)
    assert "the content of the dataset hosp is aaaa in the first and bbbb in the second" in err


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_failure_counts_more_than_a_skip_in_either_order(tmp_path, order):
    paths = [tmp_path / "skip.jsonl", tmp_path / "fail.jsonl"]
    for path, each in zip(paths, (skipped(task=A, spec="focal"), failed(task=A, spec="focal")), strict=True):
        write_jsonl([each, record(A, "erm")], path)
    whole, _ = merge([paths[place] for place in order])
    assert {each.spec: each.status for each in whole.records} == {"erm": "ok", "focal": "failed"}


def test_nothing_is_replaced_by_what_cannot_be_read_again(call, tmp_path):
    good, odd = tmp_path / "good.jsonl", tmp_path / "odd.jsonl"
    write_jsonl([record(A, "erm"), record(A, "focal")], good)
    write_jsonl([replace(record(A, "focal"), key="another")], odd)
    before = good.read_bytes()
    status, _, err = call("merge", good, odd, good)
    assert (status, err.count("error:")) == (1, 1), err
    assert good.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []
    write_jsonl([record(B, "erm")], odd)
    status, _, err = call("merge", good, odd, tmp_path / "all results.jsonl")
    assert status == 1
    assert "cannot name a page" in err
    assert not (tmp_path / "all results.jsonl").exists()
