"""The grammar: one canonical text, lists expand, and every fault is one clear line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsbench.errors import SpecError
from fsbench.spec import Call, Sum, as_call, expand, expand_sum, parse, parse_call, parse_list

CONSTANTS = {"true", "false", "none"}
names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}(-[a-z0-9]{1,3})?", fullmatch=True).filter(
    lambda name: name.lower() not in CONSTANTS
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | names
    | st.text(max_size=8)
)


def calls(values: st.SearchStrategy) -> st.SearchStrategy[Call]:
    keywords = st.dictionaries(names, values, max_size=3).map(lambda d: tuple(d.items()))
    return st.builds(Call, names, st.lists(values, max_size=2).map(tuple), keywords)


def nested(values: st.SearchStrategy) -> st.SearchStrategy:
    with_arguments = calls(values).filter(lambda call: call.args or call.kwargs)
    sums = st.lists(calls(values), min_size=2, max_size=3).map(tuple).map(Sum)
    return with_arguments | sums | st.lists(values, min_size=1, max_size=3).map(tuple)


terms = calls(st.recursive(scalars, nested, max_leaves=5))


@given(st.lists(terms, min_size=1, max_size=3).map(tuple).map(Sum))
def test_every_expression_reads_back_from_its_text(expression: Sum) -> None:
    assert parse(str(expression)) == expression


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    try:
        found = parse(text)
    except SpecError as error:
        message = str(error)
    else:
        message = ""
        assert parse(str(found)) == found
    assert len(message.splitlines()) <= 1


def test_canonical_text_sorts_keywords_and_drops_empty_parentheses() -> None:
    assert str(parse("  b( z = 1,a=x ) +c()")) == "b(a=x, z=1)+c"


def test_numbers_keep_their_type() -> None:
    values = parse_call("f(a=1, b=1.0, c=-1e-3, d=.5)").keywords
    assert values == {"a": 1, "b": 1.0, "c": -0.001, "d": 0.5}
    assert [type(v) for v in values.values()] == [int, float, float, float]


def test_text_that_is_not_a_name_is_quoted_and_escaped() -> None:
    call = Call("f", (), (("path", 'a "b"\\c'), ("word", "true")))
    assert parse_call(str(call)) == call


def test_lists_expand_to_every_combination_in_order() -> None:
    found = expand(parse_call("kshot(digits, k=[1, 5], val=[2, 3], source=mnist5k(size=8))"))
    assert [str(call) for call in found] == [
        f"kshot(digits, k={k}, source=mnist5k(size=8), val={v})" for k in (1, 5) for v in (2, 3)
    ]
    assert [str(e) for e in expand_sum(parse("a(x=[1, 2])+b"))] == ["a(x=1)+b", "a(x=2)+b"]


def test_commas_separate_expressions_only_outside_parentheses() -> None:
    assert [str(e) for e in parse_list("erm, a+focal(gamma=1.5, alpha=none),b")] == [
        "erm",
        "a+focal(alpha=none, gamma=1.5)",
        "b",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "expected a name"),
        ("focal(", "got the end"),
        ("focal(gamma=)", "expected a value"),
        ("focal(gamma=1, gamma=2)", "gamma is given twice"),
        ("focal(gamma=2x)", "unexpected '2' at column 13"),
        ("focal(gamma=1 2)", "expected ',' or ')'"),
        ("focal(gamma=1, 2)", "positional arguments come first"),
        ("a++b", "expected a name at column 3"),
        ("a b", "expected the end"),
        ("kshot(digits, k=[])", "an empty list"),
        ("a(x=1e999)", "out of range"),
        (f"a(x=1{'0' * 400})", "out of range"),
        (f"a(x=1{'0' * 5000})", "out of range"),
        ("a(x=" * 30 + "1" + ")" * 30, "levels deep"),
        ("__import__('os').system('true')", "unexpected '.'"),
        (
            "transfer(weights=resnet18.pt)",
            "unexpected '.' at column 26; write a path in quotes: \"resnet18.pt\"",
        ),
        ("a(x=~/b/c.pt, k=2)+b", '; write a path in quotes: "~/b/c.pt"'),
    ],
)
def test_faults_say_what_was_expected(text: str, says: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse(text)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["a.b", "a(x=1.2.3)", "a(x='b.pt)", "a(x=1)/b", 'a(x="b").c'])
def test_quoting_is_not_suggested_where_there_is_no_path(text: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse(text)
    assert "in quotes" not in str(caught.value)


def test_a_task_must_be_one_term() -> None:
    with pytest.raises(SpecError, match="expected one term, got 2"):
        parse_call("a+b")


def test_a_dataset_argument_is_a_name_or_a_call() -> None:
    assert as_call("digits") == Call("digits")
    assert str(as_call(parse_call("f(mnist5k(size=8))").args[0])) == "mnist5k(size=8)"
    with pytest.raises(SpecError, match="expected a name, got 3"):
        as_call(3)
