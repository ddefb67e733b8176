"""What the commands that read published files do with those of strangers."""

from __future__ import annotations

import base64
import io
import json
import pickle
import zipfile
import zlib
from dataclasses import fields

import numpy as np
import pytest
from records import failed, over_seeds, record, skipped

from fsbench.errors import StoreError
from fsbench.evidence import Drawn
from fsbench.provenance import Provenance, Verification
from fsbench.record import Record
from fsbench.report import lines
from fsbench.report.budgets import leaderboards
from fsbench.report.logits import PublishedPredictions
from fsbench.report.published import Contents, read, read_columns, write

A = "kshot(wine, k=2)"
METRIC = "balanced_accuracy"


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def packed(**parts) -> str:
    """A split's line with some of its parts replaced."""
    nothing = np.zeros(0, dtype=np.int64)
    fields = {"train": nothing[None], "val": nothing[None], "test": np.arange(4)[None]}
    fields |= {"test_y": np.zeros((1, 4), np.int64), "unlabeled": nothing, "source": nothing}
    return json.dumps({"split": "ab", "drawn": base64_of(Drawn(**(fields | parts)).pack())})


def archive(**members: bytes) -> str:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(f"{name}.npy", data)
    return json.dumps({"split": "ab", "drawn": base64_of(zlib.compress(buffer.getvalue()))})


def objects() -> bytes:
    """An array that numpy can only read by unpickling, which would end this process."""

    class Bomb:
        def __reduce__(self):
            return exit, (3,)

    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "|O", "fortran_order": False, "shape": (1,)})
    return buffer.getvalue() + pickle.dumps(np.array([Bomb()], dtype=object))


def huge() -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<i8", "fortran_order": False, "shape": (10**15,)})
    return buffer.getvalue()


def line(**changes) -> str:
    return json.dumps(record(A).to_dict() | changes)


HOSTILE = {
    "not JSON": "{",
    "a list": "[]",
    "a number": "1",
    "deep": "[" * 100_000,
    "no key": '{"status": "ok"}',
    "NaN": line(train_accuracy=float("nan")),
    "infinite": line(metrics={METRIC: float("inf")}),
    "text for a number": line(metrics={METRIC: "0.5"}),
    "truth for a number": line(n_test=True),
    "negative": line(split_seed=-1),
    "too large": line(split_seed=2**63),
    "digits": '{"key": ' + "1" * 5000 + "}",
    "a score above 1": line(metrics={METRIC: 7.5}),
    "a score below 0": line(metrics={METRIC: -0.1}),
    "a resolution above 1": line(resolution={METRIC: 2}),
    "an accuracy above 1": line(train_accuracy=1.5),
    "an accuracy below 0": line(source_after=-1),
    "negative seconds": line(seconds_fit=-5),
    "negative seconds to predict": line(seconds_predict=-0.001),
    "negative overlap": line(overlap=-1),
    "large exponent": line(seconds_fit=0).replace('"seconds_fit": 0', '"seconds_fit": 1e999'),
    "unknown status": line(status="good"),
    "list for a text": line(spec=["erm"]),
    "reason": line(status="failed", reason={"kind": ["x"]}),
    "not an expression": line(task="__import__('os').system('true')"),
    "no recipe": line(recipe="recipe(("),
    "influence": line(influence="%%%"),
    "short influence": line(influence=base64_of(zlib.compress(b"abc"))),
    "scale": line(influence=base64_of(zlib.compress(np.array([np.nan]).tobytes() + b"a"))),
    "no zip": line(influence=base64_of(b"abc")),
    "cut off": line(influence=base64_of(zlib.compress(bytes(1000))[:-5])),
    "bomb": line(influence=base64_of(zlib.compress(bytes((64 << 20) + 1)))),
    "negative ids": packed(test=np.full((1, 4), -1)),
    "many datasets": packed(test=np.full((1, 4), 2**60)),
    "labels": packed(test_y=np.zeros((1, 3), np.int64)),
    "shape": packed(train=np.zeros((1, 2, 3), np.int64)),
    "pickle": archive(train=objects()),
    "huge": archive(train=huge()),
    "empty archive": archive(),
    "who": json.dumps({"verification": {"by": 3}}),
    "outcome": json.dumps({"verification": {"by": "x", "outcomes": {"k": "perfect"}}}),
    "search": line(tuning="tuning(("),
    "no such search": line(tuning="tuning(x=1)"),
    "long": line(spec="focal(x=%s)" % ("1" * 20_000)),
    "where": json.dumps({"provenance": {"versions": {"torch": "2"}}}),
    "key": line(key="clé"),
    "enormous value": line(metrics={METRIC: 1e200}),
    "enormous resolution": line(resolution={METRIC: 1e200}),
    "enormous accuracy": line(train_accuracy=1e308),
    "enormous whole number": line(train_accuracy=10**400),
    "half a character": line(notes=["\ud800"]),
    "half a character in a name": line(versions={"\ud800": "1"}),
    "several specs": line(spec="gce, svm"),
    "several arguments": line(spec="focal(gamma=[1.0, 2.0])"),
    "several tasks": line(task="kshot(wine, k=[1, 2])"),
    "no spec": line(spec=""),
    "tried a number": line(tuning="tuning()", search={"tried": 5}),
    "tried numbers": line(tuning="tuning()", search={"tried": [1]}),
    "tried no spec": line(tuning="tuning()", search={"tried": [{"spec": 5}]}),
    "no dataset": packed(datasets=("((((",)),
    "nothing tested": packed(test=np.zeros((1, 0), np.int64), test_y=np.zeros((1, 0), np.int64)),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_line_is_named_by_its_number(call, tmp_path, text):
    path = tmp_path / "x.jsonl"
    path.write_text(f"{line()}\n\n{text}\n", encoding="utf-8")
    for command in (
        ["leaderboard", "--results", path],
        ["verify", path],
        ["merge", path, path, tmp_path / "o.jsonl"],
    ):
        status, out, err = call(*command)
        assert (status, out, err.count("\n")) == (1, "", 1), err
        assert f"{path}, line 3 is not a record (" in err
        assert len(err) < 600


def test_a_score_out_of_bounds_is_named_with_what_was_expected(tmp_path):
    path = tmp_path / "x.jsonl"
    for changes, said in (
        ({"metrics": {METRIC: 7.5}}, "balanced_accuracy is 7.5; expected 0 to 1"),
        ({"seconds_fit": -5}, "seconds_fit is -5; expected 0 or more"),
    ):
        path.write_text(line(**changes))
        with pytest.raises(StoreError, match=rf"x\.jsonl, line 1 is not a record \({said}\)"):
            read(path)


def test_scores_without_bounds_and_of_unknown_metrics_may_be_any_number(tmp_path):
    (tmp_path / "x.jsonl").write_text(line(metrics={METRIC: 1 + 1e-9, "nll": 7.5, "of_a_plugin": -3}))
    (found,) = read(tmp_path / "x.jsonl").records
    assert found.metrics["of_a_plugin"] == -3


@pytest.mark.parametrize("line", [Record, Provenance, Verification])
def test_every_field_of_a_line_has_a_check(line):
    """So that a new field is not taken for damage in a file."""
    assert {str(each.type) for each in fields(line)} <= lines._KINDS.keys()


def test_a_reason_may_say_nothing(call, tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text(f"{line()}\n{line(key='k', split_seed=1, status='failed', reason={})}\n")
    status, out, err = call("leaderboard", "--results", path)
    assert (status, "unknown" in out) == (0, True), err


def test_a_trial_twice_in_a_file_is_refused(tmp_path):
    (tmp_path / "x.jsonl").write_text(f"{line()}\n{line(split_seed=0)}\n")
    with pytest.raises(StoreError, match="line 2 has the trial of line 1 again"):
        read(tmp_path / "x.jsonl")


def test_sizes_are_limited(tmp_path, monkeypatch):
    path = tmp_path / "x.jsonl"
    path.write_text(f"{line()}\n{line(key='b', split_seed=1)}\n")
    monkeypatch.setattr(lines, "LARGEST_FILE", len(line()) + 10)
    with pytest.raises(StoreError, match=r"is larger than .* from line 2 on"):
        read(path)
    monkeypatch.setattr(lines, "LARGEST_LINE", 100)
    with pytest.raises(StoreError, match="line 1 is longer than 100 bytes"):
        read(path)


def test_bytes_that_are_no_text_are_named(tmp_path):
    (tmp_path / "x.jsonl").write_bytes(line().encode() + b"\n\xff\n")
    with pytest.raises(StoreError, match="line 2 is not UTF-8 text"):
        read(tmp_path / "x.jsonl")


@pytest.mark.parametrize(
    "text", ["{", '{"trial": "k", "shape": [9], "logits": "eJwDAAAAAAE="}', "[]", '{"trial": "k"}']
)
def test_hostile_predictions_are_named_by_their_line(tmp_path, text):
    (tmp_path / "p.jsonl").write_text(f"{text}\n")
    with pytest.raises(StoreError, match="line 1 has no predictions"):
        list(PublishedPredictions(tmp_path / "p.jsonl").of(["k"]))


def test_influences_of_another_length_count_as_unknown(tmp_path):
    """A stranger's influences that do not fit the test part must not end a report."""
    test = np.arange(4)[None]
    drawn = Drawn(test + 10, test[:, :0], test, test % 2, test[0, :0], test[0, :0], ("wine",))
    found = over_seeds(A, "erm", [0.5, 0.6, 0.7])
    contents = Contents(
        tuple(found),
        {each.key: np.array([0.01]).tobytes() + bytes([1] * 7) for each in found},
        drawn={each.split_fingerprint: drawn for each in found},
        verified=(Verification("me", outcomes={found[0].key: "bitwise"}),),
    )
    write(contents, tmp_path / "x.jsonl")
    (board,) = leaderboards(read_columns(tmp_path / "x.jsonl", [METRIC]))
    assert board.overall[0].score.n == 3
    assert any("reproduced by me: 1 trials, 1 bitwise" in each for each in board.warnings)
    assert not any("reproduced" in each for each in leaderboards(found)[0].warnings)


def test_no_escape_sequence_of_a_stranger_reaches_the_terminal(call, tmp_path):
    evil = "\x1b[31mred\x07\u202e"
    found = over_seeds(A, "erm", [0.5, 0.6, 0.7])
    found += over_seeds(A, f'focal(x="{evil}")', [0.6, 0.7, 0.8], notes=(evil,), device=evil)
    found += [failed(task=A, spec="svm", kind=evil, message=evil), skipped(evil, task=A, spec="knn")]
    contents = Contents(tuple(found), verified=(Verification(evil, outcomes={found[0].key: "bitwise"}),))
    write(contents, tmp_path / "x.jsonl")
    for command in ("leaderboard", "verify", "power"):
        option = [] if command == "verify" else ["--results"]
        _, out, err = call(command, *option, tmp_path / "x.jsonl")
        assert not {"\x1b", "\x07", "\u202e"} & set(out + err), command
    (tmp_path / "y.jsonl").write_text(line(task=f"{evil}(("), encoding="utf-8")
    status, _, err = call("leaderboard", "--results", tmp_path / "y.jsonl")
    assert (status, "\x1b" in err, "\\x1b" in err) == (1, False, True)
