"""The user's own texts: a column of a CSV or a folder, encodings, empty texts, near-duplicates."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from own_files import make

from fsbench.errors import DataError, UnknownName, UsageError
from fsbench.kinds.text import LONGEST, decode_texts
from fsbench.own import OwnData, Reading, read_own
from fsbench.own.parsing import parse_table

REVIEWS = [
    ("works very well and looks good", "good"),
    ("broke after two days of use", "bad"),
    ("would buy it again at once", "good"),
    ("the worst purchase of my life", "bad"),
    ("my children love this little lamp", "good"),
    ("it arrived late and the box was open", "bad"),
    ("bright, quiet and easy to clean", "good"),
    ("the manual is wrong on every page", "bad"),
]
PLACES = (
    "Rome",
    "Oslo harbour",
    "a hotel in Paris",
    "Lima",
    "near Bonn",
    "Cairo airport",
    "Riga",
    "old Delhi",
)


def write_csv(path: Path, rows: list[tuple[object, ...]], *names: str) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([names, *rows])
    return path


def read(path: Path, **options: object) -> Reading:
    return read_own(OwnData(path, **{"target": "label", "text": "review", **options}))  # type: ignore[arg-type]


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    rows = [(number, text, label) for number, (text, label) in enumerate(REVIEWS)]
    return write_csv(tmp_path / "reviews.csv", rows, "id", "review", "label")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, (text, label) in enumerate(REVIEWS):
        (tmp_path / "texts" / label).mkdir(parents=True, exist_ok=True)
        (tmp_path / "texts" / label / f"{number}.txt").write_text(text, encoding="utf-8")
    return tmp_path / "texts"


def test_a_column_of_texts_becomes_samples(reviews: Path) -> None:
    found = read(reviews)
    info, data = found.dataset.info, found.dataset
    assert (info.kind, info.classes, info.n) == ("text", ("bad", "good"), 8)
    assert decode_texts(data.x) == [text for text, _ in REVIEWS]
    assert [info.classes[label] for label in data.y] == [label for _, label in REVIEWS]
    assert any("column 'id' of" in line and "the texts are in 'review'" in line for line in found.warnings)
    assert any("8 texts of 6 words on average, 36 bytes" in line for line in found.facts)


def test_what_was_read_as_a_missing_label_is_that_of_the_label(tmp_path: Path) -> None:
    rows = [(number, "?", text, label) for number, (text, label) in enumerate(REVIEWS)]
    rows.append((9, "?", "not rated", "NA"))
    path = write_csv(tmp_path / "notes.csv", rows, "id", "by", "review", "label")
    assert "1 row without 'label' left out ('NA' there is read as missing)" in read(path).warnings


def test_a_folder_of_texts_has_the_same_samples(folder: Path, reviews: Path) -> None:
    found = read_own(OwnData(folder))
    assert sorted(decode_texts(found.dataset.x)) == sorted(text for text, _ in REVIEWS)
    by_text = dict(zip(decode_texts(found.dataset.x), found.dataset.y, strict=True))
    assert [found.dataset.info.classes[by_text[text]] for text, _ in REVIEWS] == [
        label for _, label in REVIEWS
    ]


def test_parts_of_a_folder_of_texts_are_kept(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "parted" / "train").mkdir(parents=True)
    (tmp_path / "parted" / "test").mkdir()
    for path in folder.rglob("*.txt"):
        part = "test" if int(path.stem) > 5 else "train"
        (tmp_path / "parted" / part / path.parent.name).mkdir(exist_ok=True)
        path.rename(tmp_path / "parted" / part / path.parent.name / path.name)
    found = read_own(OwnData(tmp_path / "parted"))
    assert found.dataset.info.test_counts == (1, 1)


@pytest.mark.parametrize(
    ("raw", "text", "warned"),
    [
        ("déjà vu".encode(), "déjà vu", False),
        ("déjà vu".encode("utf-8-sig"), "déjà vu", False),
        ("déjà vu".encode("utf-16"), "déjà vu", False),
        ("déjà vu".encode("utf-32"), "déjà vu", False),
        ("déjà vu".encode("cp1252"), "déjà vu", True),
        ("e\u0301t\u0301".encode(), "ét\u0301", False),
    ],
)
def test_files_in_other_encodings_are_read(raw: bytes, text: str, warned: bool, folder: Path) -> None:
    (folder / "good" / "odd.txt").write_bytes(raw)
    found = read_own(OwnData(folder))
    assert text in decode_texts(found.dataset.x)
    assert warned == any("not in UTF-8, read as Windows-1252: good/odd.txt" in w for w in found.warnings)


def test_what_is_not_a_text_is_left_out_and_named(folder: Path) -> None:
    (folder / "good" / "picture.txt").write_bytes(b"GIF89a\0\0")
    (folder / "bad" / "blank.txt").write_text(" \n ")
    found = read_own(OwnData(folder))
    assert found.dataset.info.n == 8
    assert any("1 file left out: good/picture.txt (not a text)" in line for line in found.warnings)
    assert any("1 empty text left out: bad/blank.txt" in line for line in found.warnings)


@pytest.mark.parametrize("quoted", [(0, 3), (0,)], ids=["even", "odd"])
def test_quotes_that_do_not_end_hide_no_rows(tmp_path: Path, quoted: tuple[int, ...]) -> None:
    lines = [f"{chr(34) * (n in quoted)}{text}\t{label}" for n, (text, label) in enumerate(REVIEWS)]
    (tmp_path / "r.tsv").write_text("\n".join(["review\tlabel", *lines]))
    found = read(tmp_path / "r.tsv")
    assert found.dataset.info.n == len(REVIEWS)
    assert decode_texts(found.dataset.x)[0] == f'"{REVIEWS[0][0]}'


def test_quotes_that_end_keep_delimiters_and_lines_of_a_text(tmp_path: Path) -> None:
    rows = [("a word, and more", "good"), ("one\nline, two", "bad"), *REVIEWS]
    lines = [f'"{text}",{label}' for text, label in rows]
    (tmp_path / "r.csv").write_text("\n".join(["review,label", *lines]))
    assert decode_texts(read(tmp_path / "r.csv").dataset.x)[:2] == ["a word, and more", "one\nline, two"]


@pytest.mark.parametrize(
    ("open_at", "close_at", "said"),
    [
        (2, 4, "lines 4 to 6 are one row, because a quote in line 4 does not end there; close it"),
        (4, None, "lines 6 to 9 are one row, because a quote in line 6 does not end there; close it"),
        (7, None, "a quote in line 9 does not end there; close it"),
    ],
)
def test_a_quote_that_does_not_end_beside_quotes_that_do_is_refused(
    tmp_path: Path, open_at: int, close_at: int | None, said: str
) -> None:
    """The rows up to the next quote would be part of one text."""
    lines = [f"{text.replace(',', '')},{label}" for text, label in REVIEWS]
    lines[0] = '"a text, and more",good'
    lines[open_at] = f'"{lines[open_at]}'
    if close_at is not None:
        lines[close_at] = '"again",bad'
    (tmp_path / "r.csv").write_text("\n".join(["review,label", *lines]))
    with pytest.raises(DataError, match=re.escape(said)):
        read(tmp_path / "r.csv")


def test_lines_that_may_be_one_row_or_several_are_refused(tmp_path: Path) -> None:
    """One of both readings would be wrong, and nothing would show it."""
    lines = [f"{text.replace(',', '')},{label}" for text, label in REVIEWS]
    (tmp_path / "r.csv").write_text("\n".join(["review,label", '"bad, and', 'late",bad', *lines]))
    with pytest.raises(
        DataError, match="lines 2 to 3 are one row in quotes, and each is a row without them; wr"
    ):
        read(tmp_path / "r.csv")


def test_texts_of_a_single_column_may_have_several_lines(tmp_path: Path) -> None:
    (tmp_path / "more.csv").write_text('review\n"one\nline"\nand another\n')
    table = parse_table(tmp_path / "more.csv", None, fewest=1)
    assert table["review"].tolist() == ["one\nline", "and another"]


TEXTS = st.text("ab \",;'\n\t|x1.", min_size=1, max_size=12).filter(
    lambda text: 0 < len(text) == len(text.strip())
)


@given(
    texts=st.lists(TEXTS, min_size=4, max_size=8),
    sep=st.sampled_from(",;\t"),
    quoting=st.sampled_from([0, 1, 2]),
)
def test_what_python_writes_is_read_unless_it_is_ambiguous(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], sep: str, quoting: Literal[0, 1, 2]
) -> None:
    path = tmp_path_factory.mktemp("t") / "r.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter=sep, quoting=quoting)
        writer.writerows([["review", "kind"], *((text, "pq"[n % 2]) for n, text in enumerate(texts))])
    lines = path.read_text().splitlines()
    whole = [each for each in csv.reader(lines, delimiter=sep, quoting=csv.QUOTE_NONE) if each]
    assume(len(whole) <= len(texts) + 1 or {len(each) for each in whole} != {2})
    table = parse_table(path, "kind", texts=["review"])
    assert table["review"].tolist() == texts
    assert table["kind"].tolist() == ["pq"[n % 2] for n in range(len(texts))]


def test_empty_and_long_texts_of_a_table_are_told(tmp_path: Path) -> None:
    rows = [*REVIEWS, ("", "good"), ("  ", "bad"), ("ü" * LONGEST, "good")]
    found = read(write_csv(tmp_path / "r.csv", rows, "review", "label"))
    assert found.dataset.info.n == 9
    assert any(line.startswith("2 empty texts left out: row 9, row 10") for line in found.warnings)
    assert f"1 text longer than {LONGEST} bytes cut there" in found.warnings
    assert found.dataset.x.shape[1] == LONGEST


def test_near_duplicates_stay_on_one_side(tmp_path: Path) -> None:
    rows = [
        *REVIEWS,
        ("Works VERY well, and looks good!!", "good"),
        ("it arrived late; the box was open", "good"),
    ]
    found = read(write_csv(tmp_path / "r.csv", rows, "review", "label"))
    groups = found.dataset.groups
    assert groups is not None
    assert groups[8] == groups[0]
    assert len(np.unique(groups)) < 10
    assert any(
        "texts are near-duplicate texts; each set of them is kept on one side" in w for w in found.warnings
    )


def test_negations_are_no_near_duplicates(tmp_path: Path) -> None:
    rows = [("I like it.", "good"), ("I don't like it.", "bad"), ("We'll be back", "good")]
    rows += [("We won't be back", "bad"), *REVIEWS]
    found = read(write_csv(tmp_path / "r.csv", rows, "review", "label"))
    assert not any("near-duplicate" in line for line in found.warnings)


def test_texts_that_are_equal_up_to_the_cut_stay_on_one_side(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    heads = ["".join(rng.choice(list("abcdefgh "), LONGEST)) for _ in range(4)]
    tails = {"x": "good", "y": "bad", "z": "good"}
    rows = [(f"{head} {tail} {tail}", label) for head in heads for tail, label in tails.items()]
    found = read(write_csv(tmp_path / "r.csv", rows, "review", "label"))
    assert found.dataset.groups is not None
    assert len(np.unique(found.dataset.groups)) == 4


def test_equal_texts_with_different_classes_are_told(tmp_path: Path) -> None:
    rows = [*REVIEWS, (REVIEWS[0][0], "bad")]
    found = read(write_csv(tmp_path / "r.csv", rows, "review", "label"))
    assert any(
        "1 pair of near-duplicate texts have different classes: row 1 and row 9" in w for w in found.warnings
    )


def test_unlabelled_texts_are_read_alike(reviews: Path, folder: Path, tmp_path: Path) -> None:
    more = write_csv(tmp_path / "more.csv", [("quite nice",), ("",), (REVIEWS[0][0],)], "review")
    found = read(reviews, unlabeled=more)
    assert found.dataset.unlabeled is not None
    assert decode_texts(found.dataset.unlabeled) == ["quite nice"]
    assert any("repeat samples with a label" in line for line in found.warnings)
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "a.txt").write_text("quite nice")
    of_folder = read_own(OwnData(folder, unlabeled=tmp_path / "others")).dataset
    assert of_folder.unlabeled is not None
    assert decode_texts(of_folder.unlabeled) == ["quite nice"]


def test_texts_of_two_domains_have_one_length(reviews: Path, tmp_path: Path) -> None:
    rows = [
        (f"hotel {number}: {text} indeed {'x' * number}", label)
        for number, (text, label) in enumerate(REVIEWS)
    ]
    found = read(reviews, target_data=write_csv(tmp_path / "hotels.csv", rows, "review", "label"))
    assert found.target is not None
    assert found.dataset.x.shape[1] == found.target.x.shape[1]
    assert found.task == "shift(reviews, hotels)"


def test_options_that_do_not_fit_are_refused(reviews: Path, folder: Path) -> None:
    with pytest.raises(UnknownName, match="reviw"):
        read(reviews, text="reviw")
    with pytest.raises(UsageError, match="'label' has the texts and is also target"):
        OwnData(reviews, target="label", text="label")
    with pytest.raises(UsageError, match="is a folder of texts, which takes no target"):
        read_own(OwnData(folder, target="label"))
    with pytest.raises(UsageError, match="takes no symmetries"):
        read(reviews, symmetries="hflip")


def test_texts_that_are_all_empty_are_refused(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "r.csv", [("", "a"), ("", "b"), ("", "a"), ("", "b")], "review", "label")
    with pytest.raises(DataError, match="all 4 texts are empty"):
        read(path)


def test_a_run_on_texts_ranks_strategies(reviews: Path, tmp_path: Path) -> None:
    import fsbench

    rows = [
        (text + end, label) for text, label in REVIEWS for end in ("", " as I said", " believe me please")
    ]
    path = write_csv(tmp_path / "more.csv", rows, "review", "label")
    results = fsbench.run(
        "logistic_regression, word_dropout",
        data=OwnData(path, target="label", text="review"),
        seeds=1,
        jobs=1,
        recipe={"steps": 5},
        results=tmp_path / "results",
    )
    status = {record.spec: record.status for record in results.records}
    assert status["word_dropout"] == status["logistic_regression"] == status["erm"] == "ok"
    assert {record.task for record in results.records} == {"holdout(more)"}


def test_further_texts_are_read_as_those_in_training(reviews: Path, folder: Path, tmp_path: Path) -> None:
    from fsbench.own.form import Form
    from fsbench.own.further import read_further

    form = read(reviews).form
    assert form is not None
    assert Form.from_dict(json.loads(json.dumps(form.to_dict()))) == form
    found = read_further(write_csv(tmp_path / "new.csv", [("very nice",), ("",)], "review"), form)
    assert decode_texts(found.x) == ["very nice", ""]
    longer = "a text of more bytes than those in training have, which a model reads to its end"
    assert decode_texts(read_further(write_csv(tmp_path / "new.csv", [(longer,)], "review"), form).x) == [
        longer
    ]
    cut = read_further(write_csv(tmp_path / "new.csv", [("x" * (LONGEST + 1),)], "review"), form)
    assert cut.warnings == (f"1 text longer than {LONGEST} bytes cut there",)
    assert found.warnings == ("1 empty text, of which the model knows nothing: row 2",)
    of_folder = read_further(folder / "good", form)
    assert sorted(decode_texts(of_folder.x)) == sorted(text for text, label in REVIEWS if label == "good")


def test_further_texts_may_be_one_file_and_what_is_no_text_is_named(folder: Path, tmp_path: Path) -> None:
    from fsbench.own.further import read_further

    form = read_own(OwnData(folder)).form
    assert form is not None
    one = read_further(folder / "good" / "0.txt", form)
    assert (list(one.names), decode_texts(one.x)) == (["0.txt"], [REVIEWS[0][0]])
    (folder / "good" / "empty.txt").write_text(" \n")
    make(folder, {"shots": 1})
    found = read_further(folder, form)
    assert found.warnings == (
        "1 other file not read: shots/0.png",
        "1 empty text, of which the model knows nothing: good/empty.txt",
    )
    make(folder, {"shots": 40})
    says = "is a folder of images, but the model takes inputs of the kind text; give a folder of .txt files"
    with pytest.raises(DataError, match=says):
        read_further(folder, form)


def test_one_image_makes_no_image_folder_and_captions_no_text_folder(folder: Path, tmp_path: Path) -> None:
    make(folder, {"good": 1})
    reading = read_own(OwnData(folder))
    assert reading.dataset.info.kind == "text"
    assert "1 other file not read: good/0.png" in reading.warnings
    make(folder, {"good": len(REVIEWS) // 2, "bad": len(REVIEWS) // 2})
    assert read_own(OwnData(folder)).dataset.info.kind == "image"


def test_texts_of_an_unsupported_format_are_named(tmp_path: Path) -> None:
    for name in ("good", "bad"):
        (tmp_path / "papers" / name).mkdir(parents=True)
        (tmp_path / "papers" / name / "1.docx").touch()
    said = (
        r"has no texts; .*2 texts of an unsupported format not read; convert to .txt: bad/1.docx, good/1.docx"
    )
    with pytest.raises(DataError, match=said):
        read_own(OwnData(tmp_path / "papers"))


def test_texts_and_images_do_not_go_together(folder: Path, tmp_path: Path) -> None:
    pictures = make(tmp_path / "pics", {"good": 4, "bad": 4})
    for other in ({"target_data": folder}, {"unlabeled": folder}):
        with pytest.raises(UsageError, match=r"pics has images and .*texts has texts; give both of one kind"):
            read_own(OwnData(pictures, **other))  # type: ignore[arg-type]


def test_classes_of_one_text_are_named_without_remarks_on_likeness(tmp_path: Path) -> None:
    for name in ("good", "bad"):
        (tmp_path / "few" / name).mkdir(parents=True)
        (tmp_path / "few" / name / "1.txt").write_text("It is as it is.")
    with pytest.raises(
        DataError, match=r"few has no class with two texts that do not belong together"
    ) as caught:
        read_own(OwnData(tmp_path / "few"))
    assert "classes 'bad', 'good' left out: each has one text only" in str(caught.value)
    assert "pair" not in str(caught.value)
