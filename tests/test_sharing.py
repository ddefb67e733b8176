"""`fsbench publish`, and what the commands for published files refuse."""

from __future__ import annotations

import re
import shutil
import time
from dataclasses import replace

import fake_executor
import numpy as np
import pytest
from pages import without_figures
from records import over_seeds, write_jsonl

from fsbench.provenance import Verification
from fsbench.report.board import read_board
from fsbench.report.budgets import leaderboards
from fsbench.report.logits import digest
from fsbench.report.markdown import to_markdown
from fsbench.report.published import read, read_columns, write
from fsbench.report.stored import read_records
from fsbench.store import Store
from fsbench.tasks.suites import load_suite

A, B = "kshot(wine, k=2)", "kshot(wine, k=5)"
METRIC = "balanced_accuracy"


def test_published_results_say_where_they_come_from(stored, whole, call):
    records, contents = read_records(stored), read(whole)
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
        published = dict(contents.evidence.predictions([each.key for each in records]))
        assert published.keys() == {each.key for each in records}
        for key, logits in published.items():
            assert np.array_equal(logits, store.predictions(key))
            assert contents.digests[key] == digest(logits)


def test_a_part_of_a_suite_is_not_published_under_its_name(call, stored, tmp_path):
    status, out, err = call("publish", stored, tmp_path, "--suite", "starter-v3")
    assert (status, out) == (2, "")
    assert f"of starter-v3 have no result, such as erm on {A}, split seed 3, and only complete" in err
    assert "--part publishes the tasks that are complete" in err
    assert f"`fsbench run --suite starter-v3 --results {stored}` with the same --plugins runs them" in err
    status, out, err = call("publish", stored, tmp_path, "--suite", "starter-v3", "--part")
    assert (status, "no task is complete" in err, "--part" in err) == (2, True, False)
    assert list(tmp_path.iterdir()) == []


def test_a_part_of_a_suite_says_so_in_its_name_and_in_the_index(call, tmp_path):
    fake_executor.run(tmp_path / "results", "knn", A, seeds=5, baseline="erm")
    boards = tmp_path / "boards"
    status, _, err = call("publish", tmp_path / "results", boards, "--suite", "starter-v3", "--part")
    assert status == 0, err
    assert (boards / "starter-v3-part.jsonl").exists()
    index = (boards / "README.md").read_text(encoding="utf-8")
    assert re.search(r"A part of starter-v3, 1 of its \d+ tasks\. Small real", index)


def test_records_of_other_versions_do_not_make_a_task_complete(call, tmp_path):
    """`knn` has all seeds by code that is not installed any more, and two by the installed one."""
    results, boards = tmp_path / "results", tmp_path / "boards"
    fake_executor.run(results, "knn", A, seeds=5, baseline="erm")
    records = read_records(results)
    knn = [each for each in records if each.spec == "knn"]
    old = [replace(r, key=f"old{r.key}", full_spec=f"{r.full_spec}#code+00000000") for r in knn]
    with Store(tmp_path / "mixed") as store:
        store.commit_all([*(r for r in records if r.spec == "erm"), *old, *knn[:2]])
    status, _, err = call("publish", tmp_path / "mixed", boards, "--suite", "starter-v3", "--part")
    assert (status, boards.exists()) == (2, False)
    assert "left out: 5 records of other versions of the code (knn 5)" in err
    assert f"such as knn on {A}, split seed 2" in err


@pytest.mark.parametrize(
    "name", ["starter-v3", "starter-v3-tuned", "starter-v3-part-tuned", "starter-v3-ours"]
)
def test_the_name_of_a_file_says_of_which_suite_it_is(whole, tmp_path, name):
    shutil.copy(whole, tmp_path / f"{name}.jsonl")
    assert read_board(tmp_path / f"{name}.jsonl").suite == load_suite("starter-v3")


@pytest.mark.parametrize("name", ["starter", "starter-v32", "results"])
def test_other_names_are_of_no_suite(whole, tmp_path, name):
    shutil.copy(whole, tmp_path / f"{name}.jsonl")
    assert read_board(tmp_path / f"{name}.jsonl").suite is None


def test_a_task_that_lacks_one_strategy_is_no_part(call, tmp_path):
    """Nobody should choose on which tasks a strategy is shown, and `erm` may be far ahead of the others."""
    results, other = tmp_path / "results", "holdout(keel-ecoli3, test=0.5)"
    fake_executor.run(results, "knn, dann", A, seeds=5, baseline="erm")
    fake_executor.run(results, "dann", other, seeds=5, baseline="erm")
    status, _, err = call("publish", results, tmp_path / "boards", "--suite", "starter-v3", "--part")
    assert (status, "left out 1 task on which trials have no result, such as " + other in err) == (0, True)
    found = read(tmp_path / "boards" / "starter-v3-part.jsonl").records
    assert {(r.task, r.spec, r.status) for r in found} == {
        (A, "erm", "ok"),
        (A, "knn", "ok"),
        (A, "dann", "skipped"),
    }


def test_an_incomplete_task_is_no_part(call, stored, tmp_path):
    status, out, err = call("publish", stored, tmp_path, "--suite", "starter-v3", "--part")
    assert (status, out, f"such as erm on {A}, split seed 3" in err) == (2, "", True)
    status, _, err = call("publish", stored, tmp_path, "--part")
    assert (status, err.strip()) == (
        2,
        "fsbench: error: --part is for a part of a suite; name it with --suite",
    )


@pytest.mark.usefixtures("fakes")
def test_a_search_in_which_everything_failed_is_published(call, tmp_path):
    fake_executor.run(tmp_path / "results", "reason", seeds=1, tune=2)
    assert call("publish", tmp_path / "results", tmp_path / "boards")[0] == 0
    reasons = [
        each.reason for each in read(tmp_path / "boards" / "results-tuned.jsonl").records if each.reason
    ]
    assert reasons == [
        {"kind": "NothingToChoose", "message": "all 2 configurations failed; the first: ValueError: m"}
    ]


def test_results_without_a_record_are_not_published(call, tmp_path):
    Store(tmp_path / "results").close()
    status, _, err = call("publish", tmp_path / "results", tmp_path / "boards")
    assert (status, err.count("\n")) == (2, 1)
    assert f"has no results to publish; `fsbench run --results {tmp_path / 'results'}` makes them" in err


def test_publishing_into_a_file_is_one_line(call, stored, tmp_path):
    (tmp_path / "file").touch()
    status, _, err = call("publish", stored, tmp_path / "file" / "new")
    assert (status, err.count("\n")) == (1, 1)
    assert "cannot make the folder" in err


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


def test_records_that_a_new_publication_lacks_are_said(call, stored, tmp_path):
    fake_executor.run(tmp_path / "other", "focal", A, seeds=2, baseline="erm")
    boards = tmp_path / "boards"
    err = {folder: call("publish", folder, boards)[2] for folder in (stored, tmp_path / "other")}
    assert "replaced" not in err[stored]
    assert (
        "replaced results.jsonl, which had 4 records that the new one lacks; to have all"
        in err[tmp_path / "other"]
    )
    assert call("publish", stored, tmp_path / "whole")[0] == 0
    _, _, err = call("publish", tmp_path / "whole" / "results.jsonl", boards)
    assert "which had 2 records that the new one lacks" in err
    assert "replaced" not in call("publish", stored, boards)[2]


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


def test_a_results_folder_is_no_published_file(call, stored, whole, tmp_path):
    for command in (
        ["merge", stored, whole, tmp_path / "o.jsonl"],
        ["verify", stored],
        ["site", stored, tmp_path],
    ):
        status, _, err = call(*command)
        assert (status, err.count("\n")) == (2, 1)
        assert f"{stored} is a results folder; `fsbench publish {stored} DIR` writes the file" in err
    spaced = shutil.copytree(stored, tmp_path / "my results")
    err = call("site", spaced, "my site")[2]
    assert f"`fsbench publish '{spaced}' DIR` writes the file, and `fsbench site DIR 'my site'` makes" in err
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
