"""Texts: bytes and words, hashed n-grams, TF-IDF, and the datasets of texts."""

from __future__ import annotations

import gzip
import itertools
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from toy import toy_trial

from fsbench.datasets import docstrings, text_files
from fsbench.datasets.known import dataset_info, is_available, load_dataset
from fsbench.engine.backbones import build_network
from fsbench.engine.backbones.hashing import hashed_ngrams, hashed_words
from fsbench.errors import AbsentData, DataError, UsageError
from fsbench.kinds import get_kind
from fsbench.kinds.text import LONGEST, decode_texts, encode_texts
from fsbench.kinds.words import without_punctuation, words_of
from fsbench.testing import toy_split
from fsbench.types import DatasetInfo

ASCII = st.text(st.characters(codec="ascii", exclude_characters="\0"), min_size=1, max_size=40)
NETWORKS = ("ngrams", "bag_of_ngrams", "tfidf", "text_cnn")


def texts(*given: str) -> torch.Tensor:
    return torch.from_numpy(encode_texts(given))


# Bytes


@settings(max_examples=50)
@given(st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=4))
@example(["e\u0301", "a\0b", "\ud800"])
def test_a_text_can_be_read_from_its_bytes(given: list[str]) -> None:
    once = decode_texts(encode_texts(given))
    assert decode_texts(encode_texts(once)) == once
    assert [len(text) <= len(before) for text, before in zip(once, given, strict=True)]
    for text, before in zip(once, given, strict=True):
        if before.isascii() and "\0" not in before:
            assert text == before


def test_a_long_text_is_cut_between_characters() -> None:
    assert decode_texts(encode_texts(["ab€", "é" * LONGEST], 4)) == ["ab", "éé"]
    assert decode_texts(encode_texts(["", ""])) == ["", ""]
    assert encode_texts(["x" * (LONGEST + 1)]).shape == (1, LONGEST)


def test_words_are_lower_case_with_marks() -> None:
    assert words_of("Don't stop: the CAT's 2nd café!") == [
        "don't",
        "stop",
        ":",
        "the",
        "cat's",
        "2nd",
        "café",
        "!",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("很好，很满意。", "很 好 ， 很 满 意 。"),
        ("東京タワーへ", "東 京 タ ワ ー へ"),
        ("ที่นี่ดี", "ที่ นี่ ดี"),
        ("हिन्दी में", "हिन्दी में"),
        ("한국어 문장", "한국어 문장"),
        ("“Great” film—truly", "“ great ” film — truly"),
    ],
)
def test_words_of_other_scripts(text: str, words: str) -> None:
    assert words_of(text) == words.split()
    letters = [word for word in words.split() if word[0].isalnum()]
    assert words_of(text, punctuation=False) == letters
    assert without_punctuation(text).replace(" ", "") == "".join(letters)


def test_characters_of_scripts_without_spaces_are_hashed_one_by_one() -> None:
    apart, joined, short = hashed_words(torch.from_numpy(encode_texts(["很 好 很", "很好，很。", "好"])), 99)
    assert apart.tolist() == joined.tolist()
    assert short.tolist() == [apart[1], 0, 0]
    texts = torch.from_numpy(encode_texts(["ab é ăc’d", "plain words"]))
    assert (hashed_words(texts, 99) > 0).sum(1).tolist() == [3, 2]


@given(st.lists(st.text(alphabet="ab ,é很好，ท", max_size=12), min_size=1, max_size=4))
def test_hashed_words_are_as_many_as_the_words(given: list[str]) -> None:
    """Wide punctuation marks only separate words."""
    counts = (hashed_words(torch.from_numpy(encode_texts([*given, "x"])), 99) > 0).sum(1).tolist()
    assert counts[:-1] == [len([word for word in words_of(text) if word != "，"]) for text in given]


def described(x: np.ndarray) -> None:
    get_kind("text").check(DatasetInfo("t", "", "text", x.shape[1:], ("a",), (len(x),), "", ""), x)


@pytest.mark.parametrize(
    ("row", "says"),
    [(b"  ", "text 1 is empty"), (b"a\0b", "zero byte"), (b"\xff\xff", "text 1 is not UTF-8")],
)
def test_bytes_that_are_no_text_are_refused(row: bytes, says: str) -> None:
    x = np.zeros((2, 4), np.uint8)
    x[0, 0], x[1, : len(row)] = 65, np.frombuffer(row, np.uint8)
    with pytest.raises(DataError, match=says):
        described(x)


def test_texts_of_another_length_are_matched() -> None:
    kind, x = get_kind("text"), texts("abcé", "a")
    assert kind.mismatch((5,), (9,)) is None
    assert decode_texts(kind.match(x, (9,))) == ["abcé", "a"]
    assert decode_texts(kind.match(x, (4,))) == ["abc", "a"]


# Hashed words and n-grams


@settings(max_examples=60)
@given(ASCII, ASCII)
def test_equal_words_have_one_bucket_and_others_mostly_not(first: str, second: str) -> None:
    """Buckets are compared with the words that a regular expression finds."""
    buckets = hashed_words(texts(first, second), 2**31)
    words = [list(_words(text)) for text in (first, second)]
    assert [int((row > 0).sum()) for row in buckets] == [len(each) for each in words]
    numbers = dict(zip(itertools.chain(*words), torch.cat([b[b > 0] for b in buckets]).tolist(), strict=True))
    for each, row in zip(words, buckets, strict=True):
        assert [numbers[word] for word in each] == row[: len(each)].tolist()
    assert len(set(numbers.values())) == len(numbers)


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9'_]+|[^a-z0-9'_\x00-\x20]", text.lower())


def test_buckets_of_many_words_are_even() -> None:
    words = [f"{a}{b}{c}" for a in "bcdfgh" for b in "aeiou" for c in "klmnpqrstvwxz"]
    counts = torch.bincount(hashed_words(texts(*words), 64)[:, 0], minlength=65)
    expected = len(words) / 64
    assert counts[0] == 0
    assert (
        float(((counts[1:] - expected) ** 2 / expected).sum()) < 110
    )  # a chi-square of 63 degrees: 1 in 4,000


def test_ngrams_are_words_pairs_and_bytes() -> None:
    ids = hashed_ngrams(texts("ab cd"), 2, (3,), 2**20)
    assert (ids > 0).sum() == 2 + 1 + 3
    same = hashed_ngrams(texts("AB cd"), 2, (3,), 2**20)
    assert torch.equal(ids, same)
    turned = hashed_ngrams(texts("cd ab"), 2, (3,), 2**20)
    assert len(np.intersect1d(ids, turned)) == 2


@pytest.mark.parametrize("name", NETWORKS)
def test_what_follows_a_text_does_not_change_its_features(name: str) -> None:
    torch.manual_seed(0)
    network = build_network(name, "text", (40,), 3).eval()
    short, long = "good film", "a much longer text beside the short one"
    alone = network.forward_features(texts(short))
    beside = network.forward_features(texts(short, long))[:1]
    torch.testing.assert_close(alone, beside)
    empty = network.forward_features(torch.zeros(1, 40, dtype=torch.uint8))
    assert empty.isfinite().all()


def test_the_convolutions_are_those_of_single_windows() -> None:
    """A feature is the largest response over the windows that touch the text, computed one by one."""
    torch.manual_seed(0)
    body = build_network("text_cnn(filters=5, sizes=[2], width=4)", "text", (40,), 3).body
    words = hashed_words(texts("one two three"), 8192)[0]
    vectors = torch.cat([torch.zeros(1, 4), body.vectors(words), torch.zeros(1, 4)])
    (layer,) = body.layers
    windows = [
        layer.weight.flatten(1) @ pair.mT.flatten() + layer.bias for pair in vectors.unfold(0, 2, 1).mT
    ]
    expected = torch.stack(windows).relu().amax(0)
    torch.testing.assert_close(body(texts("one two three"))[0], expected)


# TF-IDF


def test_the_tfidf_of_a_network_is_scikit_learns() -> None:
    """Weights are those of the texts seen in training; n-grams that were not seen count nothing."""
    from sklearn.feature_extraction.text import TfidfTransformer

    train, other = texts("good film", "bad bad film", "a good, good plot"), texts("good plot of a film")
    weighted = build_network("tfidf(buckets=512)", "text", (40,), 3).body[0]
    counts = [_counts(x, 512) for x in (train, other)]
    seen = counts[0].any(0)
    reference = TfidfTransformer(sublinear_tf=True).fit(counts[0][:, seen])
    weighted(train[:2]), weighted(train[2:])
    for x, count in zip((train, other), counts, strict=True):
        found = weighted.eval()(x)
        assert not found[:, ~seen].any()
        expected = reference.transform(count[:, seen]).toarray()
        np.testing.assert_allclose(found[:, seen] / found.norm(dim=1, keepdim=True), expected, atol=1e-6)
    np.testing.assert_allclose(weighted(train).norm(dim=1), 3, rtol=1e-6)


def _counts(x: torch.Tensor, buckets: int) -> np.ndarray:
    found = hashed_ngrams(x, 2, (3,), buckets).numpy()
    return np.stack([np.bincount(row, minlength=buckets + 1)[1:] for row in found])


def test_rows_are_scikit_learns_tf_idf_of_the_training_texts() -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    train, test = ["good film", "bad film", "a good, good plot"], ["good plot of nothing"]
    rows = get_kind("text").rows(texts(*train))
    words = TfidfVectorizer(token_pattern=r"(?u)\w+|[^\w\s]", ngram_range=(1, 2), sublinear_tf=True).fit(
        train
    )
    found, expected = rows(texts(*test)), words.transform(test)
    assert found.shape[0] == 1
    assert words.get_feature_names_out().size < found.shape[1]
    norm = np.sqrt(expected.multiply(expected).sum())
    assert norm == pytest.approx(1)
    assert np.sqrt(found.multiply(found).sum()) == pytest.approx(1)


@pytest.mark.parametrize("spec", ["naive_bayes", "logistic_regression", "svm", "knn", "random_forest"])
def test_classical_strategies_learn_from_words(spec: str) -> None:
    from fsbench.recipes.recipe import default_recipe

    split = toy_split("text", per_class=20)
    recipe = default_recipe(split.info)
    logits = toy_trial(spec, split, recipe).predictions
    assert (logits.argmax(-1) == split.test_y).mean() > 0.8


# Datasets


def test_docstrings_are_documentation_without_the_names_of_the_libraries() -> None:
    data = load_dataset("docstrings")
    found = decode_texts(data.x)
    assert data.info == dataset_info("docstrings")
    assert len(set(found)) == len(found) == 5 * docstrings.PER_CLASS
    assert min(map(len, found)) >= 80
    names = {"numpy", "np", "scipy", "pandas", "pd", "sklearn", "torch", "pytorch"}
    assert not [text for text in found if names & {word.strip("'_") for word in words_of(text)}]
    text = next(text for text in found if text.startswith("Cluster data using hierarchical density-based"))
    assert data.info.classes[data.y[found.index(text)]] == "scikit-learn"


def test_the_prose_of_a_docstring_ends_at_its_first_section() -> None:
    text = "Sum of `x` in numpy arrays.\n\nMore prose.\n\nParameters\n----------\nx : array"
    assert docstrings._prose(text) == "Sum of x in arrays. More prose."
    assert docstrings._prose("Adds.\n\n.. math:: x\n\nNot read.") == "Adds."
    assert docstrings._prose("Adds.\n\nArgs:\n    x: one") == "Adds."


def write_sets(folder: Path, train: str, test: str, name: str = "cr") -> None:
    for part, lines in (("train", train), ("test", test)):
        (folder / f"{name}.{part}.tsv.gz").write_bytes(gzip.compress(lines.encode()))


def test_files_of_texts_are_read_with_their_test_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FSBENCH_DATA_DIR", str(tmp_path))
    assert not is_available("cr")
    with pytest.raises(AbsentData, match=r"cr is not in .*: put cr.train.tsv.gz and cr.test.tsv.gz there"):
        dataset_info("cr")
    (tmp_path / "texts").mkdir()
    write_sets(tmp_path / "texts", "1\tworks\n0\tbroke\n1\tfine\n", "0\tbad\n1\tgood\n")
    unknown = {"cr": replace(text_files.text_sets()["cr"], fingerprints={})}
    monkeypatch.setattr(text_files, "text_sets", lambda: unknown)
    data = load_dataset("cr")
    assert decode_texts(data.x) == ["works", "broke", "fine", "bad", "good"]
    assert data.y.tolist() == [1, 0, 1, 0, 1]
    assert data.test is not None
    assert data.test.tolist() == [False] * 3 + [True] * 2


def test_other_data_than_the_known_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FSBENCH_DATA_DIR", str(tmp_path))
    write_sets(tmp_path, "1\tworks\n0\tbroke\n", "0\tbad\n1\tgood\n")
    with pytest.raises(DataError, match=r"cr in .* has other data than fsbench knows"):
        load_dataset("cr")


@pytest.mark.parametrize("line", ["2\tworks\n", "works\n", "1\t \n", ""])
def test_a_damaged_file_of_texts_is_named_with_its_line(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FSBENCH_DATA_DIR", str(tmp_path))
    write_sets(tmp_path, line, "0\tbad\n")
    with pytest.raises(DataError, match=r"cr.train.tsv.gz: (line 1|it) is not a label from 0 to 1"):
        dataset_info("cr")


def test_fetching_says_that_users_bring_the_files() -> None:
    from fsbench.acquire.fetching import fetch

    with pytest.raises(UsageError, match=r"cr is not downloaded into .*: put cr.train.tsv.gz"):
        fetch("cr")
