from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsbench.datasets.known import load_dataset
from fsbench.errors import FsbenchError, SpecError, TaskError, UnknownName
from fsbench.tasks.expressions import parse_tasks, protocol_names, task_labels, task_texts
from fsbench.tasks.protocols import PROTOCOLS
from fsbench.types import TaskInfo


def info_of(text: str) -> TaskInfo:
    (task,) = parse_tasks(text)
    return task.info


def texts(text: str) -> list[str]:
    return [task.text for task in parse_tasks(text)]


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ("kshot(digits)", "kshot(digits, k=5)"),
        ("kshot( digits,source = mnist5k( size=28 ), k=3 )", "kshot(digits, k=3, source=mnist5k)"),
        ("kshot('digits', val=none, source=none)", "kshot(digits, k=5)"),
        ("kshot(wine, val=0, k=2)", "kshot(wine, k=2, val=0)"),
        ("longtail(digits, ir=20, head=40)", "longtail(digits, ir=20)"),
        ("longtail(digits, ir=2.50)", "longtail(digits, ir=2.5)"),
        ("folds(wine)", "folds(wine, n=5)"),
        ("kshot(wine, unlabeled=0)", "kshot(wine, k=5)"),
        ("kshot(wine, k=2, unlabeled='all')", "kshot(wine, k=2, unlabeled=all)"),
        ("noisy(digits, rate=0, kind=asymmetric)", "noisy(digits, k=20, kind=asymmetric, rate=0)"),
        ("shift(mnist5k(size=8), digits, k=0)", "shift(mnist5k(size=8), digits)"),
        ("episodes(glyphs(size=14), n=20, way=5)", "episodes(glyphs(size=14), shot=1, way=5)"),
    ],
)
def test_a_task_has_one_canonical_text(given: str, canonical: str) -> None:
    assert texts(given) == [canonical]
    assert texts(canonical) == [canonical]
    assert info_of(given).text == canonical
    assert task_texts(given) == [canonical]


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ("kshot(mnist(size=28), k=[5, 10])", ["kshot(mnist, k=5)", "kshot(mnist, k=10)"]),
        ("noisy(usps, k=20, rate=0.1, source=none)", ["noisy(usps, k=20, rate=0.1)"]),
        ("shift(mnist(channels=3), mine(x=1), k=0)", ["shift(mnist(channels=3), mine(x=1))"]),
    ],
)
def test_texts_of_tasks_need_no_data(monkeypatch, tmp_path, given: str, canonical: list[str]) -> None:
    monkeypatch.setenv("FSBENCH_DATA_DIR", str(tmp_path))
    assert task_texts(given) == canonical


def test_lists_expand_and_repeats_come_once() -> None:
    assert texts("kshot(digits, k=[1, 5], source=[none, mnist5k]), kshot(digits, k=5)") == [
        "kshot(digits, k=1)",
        "kshot(digits, k=1, source=mnist5k)",
        "kshot(digits, k=5)",
        "kshot(digits, k=5, source=mnist5k)",
    ]
    assert texts("episodes(glyphs, way=[5, 20])") == [
        "episodes(glyphs, shot=1, way=5)",
        "episodes(glyphs, shot=1, way=20)",
    ]


def test_infos_say_what_a_strategy_needs_to_know() -> None:
    assert info_of("kshot(digits, k=3, source=mnist5k)") == TaskInfo(
        text="kshot(digits, k=3, source=mnist5k)",
        protocol="kshot",
        kind="image",
        input_shape=(1, 8, 8),
        num_classes=10,
        symmetries=frozenset({"rotation", "translation", "scale", "colour"}),
        source_shape=(1, 28, 28),
        source_classes=10,
        num_val=10,
        labels_per_class=3,
        balanced=True,
    )
    shift = info_of("shift(mnist5k(size=8), digits)")
    assert (shift.labels_on_target, shift.labels_per_class, shift.has_source) == (False, 0, True)
    some = info_of("shift(mnist5k(size=8), digits, k=2)")
    assert (some.labels_on_target, some.labels_per_class) == (True, 2)
    assert some.num_unlabeled == shift.num_unlabeled - 20
    episodes = info_of("episodes(glyphs, way=7, shot=2)")
    assert (episodes.num_classes, episodes.labels_per_class, episodes.source_classes) == (7, 2, 118)
    assert info_of("longtail(wine, head=24, ir=3)").labels_per_class == 24
    assert info_of("kshot(wine)").symmetries == frozenset()


@pytest.mark.parametrize(
    "text",
    [
        "kshot(wine)",
        "longtail(digits)",
        "longtail(digits, ir=1)",
        "noisy(digits)",
        "noisy(digits, kind=asymmetric)",
        "shift(mnist5k(size=8), digits)",
        "shift(digits, mnist5k(size=8))",
        "shift(digits, mnist5k(size=8), share=0.3)",
        "episodes(glyphs(size=8), n=2)",
        "noisy(digits, k=1, rate=0)",
        "folds(wine, n=3)",
        "folds(digits, n=174)",
    ],
)
def test_infos_say_truly_whether_the_training_classes_are_balanced(text: str) -> None:
    (task,) = parse_tasks(text)
    cells = task.protocol.draw(0).train.y
    drawn = all(len(set(np.bincount(y, minlength=task.info.num_classes))) == 1 for y in cells)
    assert task.info.balanced == drawn


@pytest.mark.parametrize(
    "text",
    [
        "kshot(digits, k=5)",
        "kshot(wine, k=4, val=0)",
        "longtail(digits, ir=7)",
        "noisy(digits, k=7)",
        "shift(mnist5k(size=8), digits, k=2)",
        "shift(digits, mnist5k(size=8), share=0.3)",
        "holdout(wine)",
        "holdout(digits, val=0.07)",
        "folds(wine, n=3)",
        "episodes(glyphs(size=8), n=2)",
    ],
)
def test_infos_say_truly_how_many_validation_labels_there_are(text: str) -> None:
    (task,) = parse_tasks(text)
    assert task.info.num_val == task.protocol.draw(0).val.y.shape[1]


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("kshot({}, k=5)", "7 labels per class (5 train, 2 val)"),
        ("kshot({}, k=5, val=0, source=nor_this)", "5 labels per class"),
        ("noisy({}, k=1, rate=0, val=0)", "1 label per class"),
        ("noisy({}, k=20, rate=0.4)", "30 labels per class (20 train, 10 val)"),
        ("blocks({}, k=50, val=3)", "53 labels per class (50 train, 3 val)"),
        (
            "longtail({}, ir=20)",
            "60 labels of the first class (40 train, 20 val) to 3 of the last (2 train, 1 val)",
        ),
        (
            "longtail({}, head=12, ir=5, val=2)",
            "14 labels of the first class (12 train, 2 val) to 4 of the last (2 train, 2 val)",
        ),
        ("longtail({}, ir=1, val=0)", "40 labels per class"),
        ("holdout({})", ""),
        ("no_protocol({})", ""),
        ("kshot({}, k=many)", ""),
        ("kshot({}, unknown=1)", ""),
        ("longtail({}, ir=0)", ""),
    ],
)
@pytest.mark.parametrize("dataset", ["digits", "not_on_any_machine"])
def test_the_labels_of_a_task_follow_from_its_text_alone(text: str, labels: str, dataset: str) -> None:
    assert task_labels(text.format(dataset)) == labels


@pytest.mark.parametrize("text", ["longtail(digits, ir=7, head=33)", "longtail(wine, head=12, ir=5, val=1)"])
def test_the_ends_of_a_long_tail_are_as_drawn(text: str) -> None:
    (task,) = parse_tasks(text)
    split = task.protocol.draw(0)
    train, val = (np.bincount(part.y[0]).tolist() for part in (split.train, split.val))
    first, last = (f"({train[c]} train, {val[c]} val)" for c in (0, -1))
    assert task_labels(text) == (
        f"{train[0] + val[0]} labels of the first class {first} to {train[-1] + val[-1]} of the last {last}"
    )


NAME = "keel-led7digit_0_2_4_5_6_7_8_9_vs_1"
BAD = [
    (
        "nope(digits)",
        UnknownName,
        "unknown protocol 'nope'; known: blocks, episodes, folds, holdout, kshot, longtail, noisy, shift",
    ),
    ("digits", SpecError, "digits is a dataset; name a task on it, such as kshot.digits, k=5."),
    ("kshots(digits)", UnknownName, "did you mean 'kshot'"),
    ("kshot(digit)", UnknownName, "unknown dataset 'digit'; did you mean 'digits'"),
    ("kshot(digits, source=mnist5)", UnknownName, "did you mean 'mnist5k'"),
    ("kshot(digits)+kshot(wine)", SpecError, "joined by ',', not by"),
    ("kshot", SpecError, r"expected 1 dataset, then arguments by name, as in kshot\(dataset, "),
    ("kshot()", SpecError, "expected 1 dataset, then arguments by name"),
    ("kshot(digits, wine)", SpecError, "expected 1 dataset, then arguments by name"),
    ("kshot(k=5)", SpecError, "expected 1 dataset, then arguments by name"),
    (
        "shift(digits)",
        SpecError,
        r"expected 2 datasets, then arguments by name, as in shift\(source, target, k=...\)",
    ),
    ("kshot(5)", SpecError, "expected a dataset: expected a name, got 5"),
    ("kshot(none)", SpecError, "expected a name"),
    ("kshot([digits, wine])", SpecError, "expected a name"),
    ("kshot(digits, source=3)", SpecError, "expected a dataset"),
    (
        "kshot(digits, shots=5)",
        SpecError,
        "kshot has no argument 'shots'; it takes source, val, unlabeled, k",
    ),
    ("kshot(digits, k=oops)", SpecError, r"kshot\(k=oops\): expected a whole number, got oops"),
    ("kshot(digits, k=1.5)", SpecError, "expected a whole number"),
    ("kshot(digits, k=true)", SpecError, "expected a whole number"),
    ("kshot(digits, k=none)", SpecError, "expected a whole number"),
    ("noisy(digits, kind=odd)", SpecError, "expected one of symmetric, asymmetric"),
    ("noisy(digits, rate=high)", SpecError, "expected a number"),
    ("kshot(digits, k=0)", TaskError, r"kshot\(digits, k=0\): k is 0; expected at least 1"),
    ("kshot(digits, k=[1, -1])", TaskError, "k is -1"),
    ("kshot(digits, val=-1)", TaskError, "val is -1; expected at least 0"),
    ("kshot(digits, k=500)", TaskError, "class '8' has 174 samples, of which 69 are for the test"),
    (
        "kshot(wine, k=20)",
        TaskError,
        "class 'class_2' has 48 samples.*k is 20, .* classes allow is 19",
    ),
    ("kshot(wine, k=30, val=0)", TaskError, "k is 30, and the largest that the classes allow is 29"),
    ("longtail(digits, ir=0.5)", TaskError, "ir is 0.5; expected at least 1"),
    ("longtail(digits, ir=100, head=40)", TaskError, "the last class would have 40/100 labels"),
    ("longtail(digits, head=0)", TaskError, "head is 0"),
    ("longtail(digits, head=400)", TaskError, "class '0' has 178 samples.*head is 400, .* allow is 71"),
    ("longtail(wine, ir=5)", TaskError, "'class_0' has 59 samples.*head is 40, .* classes allow is 24"),
    ("noisy(digits, rate=1)", TaskError, "rate is 1; expected at least 0 and less than 1"),
    ("noisy(digits, rate=-0.1)", TaskError, "rate is -0.1"),
    ("noisy(digits, k=0)", TaskError, "k is 0"),
    (
        "noisy(digits, k=1, rate=0.4)",
        TaskError,
        "0 of 1 labels of a class would be wrong; expected",
    ),
    ("noisy(digits, k=3, rate=0.9)", TaskError, "3 of 3 labels of a class would be wrong"),
    ("kshot(wine, k=1000000000000000000000)", TaskError, "and the largest that the classes allow is"),
    ("longtail(wine, head=1000000000, ir=2)", TaskError, "and the largest that the classes allow is"),
    ("shift(mnist5k, digits)", TaskError, r"are 1x28x28 and 1x8x8; write mnist5k\(size=8\)"),
    ("shift(digits, mnist5k)", TaskError, r"are 1x8x8 and 1x28x28; write mnist5k\(size=8\)"),
    ("shift(wine, breast_cancer)", TaskError, "are 13 and 30; choose datasets of one shape"),
    ("shift(wine, digits)", TaskError, "the source wine is table data and digits is image data"),
    ("shift(glyphs(size=8), digits)", TaskError, "differ in classes"),
    ("shift(mnist5k, mnist5k(size=8))", TaskError, "source and target are one dataset"),
    ("shift(mnist5k(size=8), digits, k=-1)", TaskError, "k is -1"),
    ("shift(mnist5k(size=8), digits, k=105)", TaskError, "class '8' of digits has 174 samples.*k is 104"),
    (
        "shift(mnist5k(size=8), digits, share=0)",
        TaskError,
        "share is 0.0; expected more than 0 and at most 1",
    ),
    ("shift(mnist5k(size=8), digits, share=0.1, k=10)", TaskError, "a share of 0.1 of the others; .* is 9"),
    ("shift(mnist5k(size=8), mnist5k)", TaskError, "source and target are one dataset, or made"),
    ("kshot(digits, source=digits)", TaskError, "the source is the task's own dataset"),
    ("kshot(wine, k=19, unlabeled=25)", TaskError, "unlabeled is 25; expected 0 to 24, or all"),
    ("noisy(wine, k=5, unlabeled=-1)", TaskError, "unlabeled is -1; expected 0 to 87, or all"),
    ("kshot(wine, unlabeled=some)", SpecError, "expected a whole number or one of all, got some"),
    ("kshot(wine, unlabeled=1.5)", SpecError, "expected a whole number or one of all"),
    ("holdout(wine, unlabeled=all)", TaskError, "no sample is left to be unlabelled; leave unlabeled= out"),
    ("longtail(digits, val=-1)", TaskError, "val is -1; expected at least 0"),
    (
        "noisy(digits, k=20, val=200)",
        TaskError,
        "validation needs 200; k is 20, .* classes allow is 0",
    ),
    ("folds(wine, n=1)", TaskError, "n is 1; expected at least 2"),
    ("folds(wine, n=49)", TaskError, "class 'class_2' has 48 samples; that is the largest n"),
    ("blocks(wine)", TaskError, "wine does not have its own test part; choose another protocol"),
    ("noisy(mnist5k, source=mnist5k(size=8))", TaskError, "the source is the task's own dataset"),
    ("longtail(digits, source=wine)", TaskError, "wine is table data and digits is image data"),
    ("kshot(wine, source=breast_cancer)", TaskError, "are 30 and 13; choose datasets of one shape"),
    (
        "episodes(digits)",
        TaskError,
        "digits has no classes reserved for test episodes; these datasets have: glyphs",
    ),
    ("episodes(glyphs, way=1)", TaskError, "way is 1; expected at least 2"),
    ("episodes(glyphs, way=60)", TaskError, "glyphs has 54 test classes; that is the largest way"),
    ("episodes(glyphs, shot=0)", TaskError, "shot is 0"),
    ("episodes(glyphs, queries=0)", TaskError, "queries is 0"),
    ("episodes(glyphs, n=0)", TaskError, "n is 0"),
    ("episodes(glyphs, shot=10)", TaskError, r"has 24 samples; shot \+ queries is 25"),
]


@pytest.mark.parametrize(("text", "error", "message"), BAD)
def test_bad_tasks_are_one_clear_line(text: str, error: type[FsbenchError], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        parse_tasks(text)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_status == 2


@given(st.sampled_from(["digits", "wine", "breast_cancer", "mnist5k(size=8)"]), st.integers(1, 400))
def test_the_largest_k_of_the_message_is_the_largest(dataset: str, k: int) -> None:
    try:
        parse_tasks(f"kshot({dataset}, k={k})")
    except TaskError as error:
        largest = int(str(error).rsplit(" ", 1)[1])
        assert largest < k
        parse_tasks(f"kshot({dataset}, k={largest})")


def test_every_protocol_says_what_it_is() -> None:
    assert protocol_names() == [
        "blocks",
        "episodes",
        "folds",
        "holdout",
        "kshot",
        "longtail",
        "noisy",
        "shift",
    ]
    for name, cls in PROTOCOLS.items():
        assert cls.name == name
        assert cls.summary


def test_a_share_of_a_shift_is_drawn_anew_from_each_class_of_each_part():
    whole, half = (
        [parse_tasks(f"shift(mnist5k(size=8), digits, k=2{more})")[0].protocol.draw(seed) for seed in (0, 1)]
        for more in ("", ", share=0.5")
    )
    for part in ("val", "test", "unlabeled", "source"):
        large, small, other = (getattr(split, part) for split in (whole[0], half[0], half[1]))
        assert set(small.index.flat) < set(large.index.flat)
        assert set(small.index.flat) != set(other.index.flat)
        rest = 2 if part == "unlabeled" else 0  # labelled samples of the target
        counts = np.bincount(large.y.ravel()) + rest
        assert np.abs(2 * (np.bincount(small.y.ravel()) + rest) - counts).max() <= 1
    assert (
        str(parse_tasks("shift(mnist5k(size=8), digits, share=1)")[0].text)
        == "shift(mnist5k(size=8), digits)"
    )


def test_folds_never_divide_equal_rows():
    """Of the test rows of this table, 88 % equal a training row if rows are divided freely."""
    free, kept = (parse_tasks(f"folds({NAME}{more}, n=2)")[0].protocol for more in ("", "(grouped=true)"))
    rows = [bytes(row) for row in load_dataset(NAME).x]

    def shared(split) -> float:
        trained = {rows[i] for i in split.train.index[0]}
        return np.mean([rows[i] in trained for i in split.test.index[0]])

    assert shared(free.draw(0)) > 0.8
    for seed in range(6):
        split = kept.draw(seed)
        assert shared(split) == 0
        assert sorted([*split.train.index[0], *split.test.index[0]]) == list(range(len(rows)))
        assert np.bincount(split.test.y[0]).min() >= 18
    first, second = kept.draw(4), kept.draw(5)
    assert set(first.test.index[0]) == set(second.train.index[0])
