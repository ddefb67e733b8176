"""Rows of a leaderboard: one for each version of a strategy, with a name that says what differs."""

from __future__ import annotations

import re

import pytest
from records import over_seeds, record
from rows import on

from fsbench.report.leaderboard import leaderboard
from fsbench.report.names import strategy_names

A = "kshot(digits, k=5)"
ERM = [0.70, 0.72, 0.68]
BETTER = [0.80, 0.821, 0.779]


def test_versions_of_a_strategy_are_separate_rows_that_say_what_differs():
    records = over_seeds(A, "erm", ERM, full_spec="erm")
    records += over_seeds(A, "focal", BETTER, full_spec="focal(alpha=None, gamma=1.0)")
    records += over_seeds(A, "focal", ERM, full_spec="focal(alpha=None, gamma=2.0)")
    rows = on(leaderboard(records), A)
    assert set(rows) == {"erm", "focal [gamma=1.0]", "focal [gamma=2.0]"}
    assert rows["focal [gamma=1.0]"].score.mean == pytest.approx(0.8)
    assert rows["focal [gamma=1.0]"].full_spec == "focal(alpha=None, gamma=1.0)"
    assert {row.strategy for row in leaderboard(records).overall} == set(rows)
    assert leaderboard(records[::-1]) == leaderboard(records)


def test_a_unique_full_spec_is_shown_as_the_spec():
    records = over_seeds(A, "erm", ERM) + over_seeds(A, "erm", [0.5], full_spec="erm", init_seed=1)
    records += over_seeds(A, "focal", BETTER, full_spec="focal(alpha=None, gamma=2.0)")
    assert set(on(leaderboard(records), A)) == {"erm", "focal"}


@pytest.mark.parametrize(
    ("several", "expected"),
    [
        (["t(w='a')#sha256:0123abcd", "t(w='a')#sha256:4567abcd"], ["sha256:0123abcd", "sha256:4567abcd"]),
        (["t#unpackaged+11111111", "t#unpackaged+22222222"], ["11111111", "22222222"]),
        (["t", "t(gamma=2.0)"], ["", "gamma=2.0"]),
        ([f"t({'x' * 30}{i})" for i in "ab"], None),
        (["t(a=1, b=2)", "t(b=2, a=1)"], None),
    ],
)
def test_texts_of_differences_are_short_and_unique(several, expected):
    names = strategy_names(record(spec="t", full_spec=full) for full in several)
    if expected is None:
        assert all(re.fullmatch(r"t \[[0-9a-f]{8}\]", name) for name in names.values())
        assert len(set(names.values())) == len(several) == len(names)
    else:
        assert names == {f: f"t [{e}]" if e else "t" for f, e in zip(several, expected, strict=True)}


def test_one_identity_is_one_row_however_its_spec_is_written():
    """An argument that a spec had to name may become the default later."""
    written = [record(A, "t(a=1)", 0, full_spec="t(a=1)"), record(A, "t", 1, full_spec="t(a=1)")]
    written += [record(A, "t", seed, full_spec="t(a=2)") for seed in range(2)]
    for order in (written, written[::-1]):
        assert {row.strategy: row.done for row in leaderboard(order).overall} == {"t [a=1]": 1, "t [a=2]": 1}
        assert on(leaderboard(order), A)["t [a=1]"].score.n == 2


def test_notes_are_listed_by_version():
    records = [record(A, "t", 0, full_spec=full, notes=("lowered",)) for full in ("t(a=1)", "t(a=2)")]
    assert leaderboard(records).warnings == (
        "noted: t [a=1], in 1 trial: lowered",
        "noted: t [a=2], in 1 trial: lowered",
    )
