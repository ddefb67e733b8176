"""Results in Python: those of a run and those that are loaded are one class."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import fake_executor
import matplotlib as mpl
import numpy as np
import pytest
import scipy.stats
from fake_executor import A, B, logits
from matplotlib.axes import Axes
from records import failed, over_seeds, realistic, write_jsonl
from sklearn.metrics import confusion_matrix

import fsbench
from fsbench import Results
from fsbench.errors import StoreError, UnknownName, UsageError
from fsbench.store import Store


@pytest.fixture(scope="module", autouse=True)
def without_a_screen():
    backend = mpl.get_backend()
    mpl.use("agg")
    yield
    mpl.use(backend)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A results folder: two strategies, of which one fails, on two tasks; three split and two init seeds."""
    place = tmp_path_factory.mktemp("results") / "here"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fsbench.runner.get_registry", fake_executor.registry)
        fake_executor.run(place, "erm, reason", f"{A}, {B}", seeds=3, init_seeds=2, baseline="erm")
    return place


@pytest.fixture(scope="module")
def results(folder) -> Results:
    return fsbench.load(folder)


def made(records) -> Results:
    return Results(tuple(records), Path("nowhere"), len(records))


def test_loaded_results_are_those_of_the_store(folder, results):
    with Store(folder, create=False) as store:
        assert results.records == tuple(store.records())
    assert isinstance(results, Results)
    assert (results.done, len(results.failures)) == (24, 12)
    assert "24 of 24 trials, 12 failed" in repr(results)


def test_nothing_to_load_is_an_error(tmp_path):
    with pytest.raises(StoreError, match="no results in"):
        fsbench.load(tmp_path)
    (tmp_path / "x.jsonl").write_text("{}")
    with pytest.raises(StoreError, match="line 1 is not a record"):
        fsbench.load(tmp_path / "x.jsonl")


def test_published_records_can_be_loaded(tmp_path, results):
    path = tmp_path / "mine.jsonl"
    write_jsonl(results.records, path, results.evidence)
    loaded = fsbench.load(path)
    columns = ["strategy", "score", "score_low", "failed"]
    assert loaded.leaderboard()[columns].equals(results.leaderboard()[columns])


def test_results_find_their_file_from_another_working_folder_and_say_if_it_is_gone(
    folder, tmp_path, monkeypatch
):
    shutil.copytree(folder, tmp_path / "here")
    monkeypatch.chdir(tmp_path)
    expected, there, gone = fsbench.load("here").leaderboard(), fsbench.load("here"), fsbench.load("here")
    monkeypatch.chdir(folder)
    assert there.leaderboard().equals(expected)
    shutil.rmtree(tmp_path / "here")
    with pytest.raises(StoreError, match=r"fsbench.sqlite is gone; what belongs to these results was in it"):
        gone.leaderboard()


def test_predictions_are_copies(results):
    before = results.confusion("erm", A)
    found, labels = results.predictions("erm", A)
    found[:], labels[:] = 0, 9
    assert results.confusion("erm", A).equals(before)
    assert (results.predictions("erm", A)[1] != 9).all()


def test_equal_results_of_two_strategies_are_the_same():
    values, other = [0.70, 0.72, 0.68], [0.70, 0.72, 0.69]
    records = [each for name in ("erm", "a", "b") for each in over_seeds("kshot(wine, k=1)", name, values)]
    records += over_seeds("kshot(digits, k=1)", "a", values) + over_seeds("kshot(digits, k=1)", "b", other)
    found = made(records).compare("a", "b").set_index("task")
    wine = found.loc["kshot(wine, k=1)"]
    assert (wine["verdict"], wine["difference"], wine["low"], wine["high"], wine["p"]) == (
        "the same",
        0,
        0,
        0,
        1,
    )
    assert found.loc["kshot(digits, k=1)", "verdict"] == "not settled"
    assert found.loc["overall", "verdict"] == "equivalent"
    assert set(made(records[:6]).compare("a", "a")["verdict"]) == {"the same"}
    lost = [failed(task="kshot(wine, k=1)", spec="b", split_seed=2)]
    assert set(made([*records[:8], *lost]).compare("a", "b")["verdict"]) == {"withheld"}


def test_a_report_does_not_replace_results(folder, results, tmp_path):
    for name in ("fsbench.sqlite", "mine.jsonl"):
        with pytest.raises(UsageError, match="has the name of a file of results; name another"):
            results.report(tmp_path / name, format="csv")
        assert not (tmp_path / name).exists()


def test_strategies_of_a_chart_may_be_one_name_or_any_iterable(results):
    lines = {
        len(results.plot.reliability(given, A).lines)
        for given in ("erm", ["erm"], (each for each in ["erm"]), np.array(["erm"]))
    }
    assert len(lines) == 1


def test_the_frame_has_a_row_for_each_trial(results):
    frame = results.to_frame()
    assert len(frame) == len(results.records)
    assert list(frame.columns[:3]) == ["protocol", "dataset", "k"]
    assert set(frame["k"]) == {1, 2}
    by_key = {record.key: record for record in results.records}
    for row in frame.to_dict("records"):
        record = by_key[row["key"]]
        seeds = record.split_seed, record.init_seed
        assert (row["split_seed"], row["init_seed"], row["status"]) == (*seeds, record.status)
        for name in ("accuracy", "nll"):
            assert row[name] == pytest.approx(record.metrics.get(name, np.nan), nan_ok=True)
    (reason,) = set(frame.loc[frame["status"] == "failed", "reason"])
    assert reason == "ValueError: m"


def test_arguments_that_only_some_tasks_have_are_missing_elsewhere():
    frame = made(realistic()).to_frame()
    assert {"protocol", "dataset", "k", "source", "target", "ir", "rate", "way"} <= set(frame.columns)
    shift = frame[frame["protocol"] == "shift"]
    assert set(shift["source"]) == {"mnist5k(size=8)"}
    assert set(shift["dataset"]) == {"digits"}
    assert shift["k"].isna().all()
    assert str(frame["k"].dtype) == "Int64"


def test_predictions_and_labels_are_those_of_the_trial(folder, results):
    record = next(
        r for r in results.records if (r.spec, r.task, r.split_seed, r.init_seed) == ("erm", B, 2, 1)
    )
    found, labels = results.predictions("erm", B, split_seed=2, init_seed=1)
    with Store(folder, create=False) as store:
        assert (found == store.predictions(record.key)).all()
    assert (found == logits(record, labels.shape[1])).all()
    assert (found.argmax(-1) == labels).mean() == pytest.approx(record.metrics["accuracy"])


def test_confusion_is_that_of_all_trials(results):
    found = results.confusion("erm", A)
    pairs = [results.predictions("erm", A, split, init) for split in range(3) for init in range(2)]
    y = np.concatenate([labels[0] for _, labels in pairs])
    guess = np.concatenate([values[0].argmax(-1) for values, _ in pairs])
    assert (found.to_numpy() == confusion_matrix(y, guess)).all()
    assert list(found.index) == ["class_0", "class_1", "class_2"]


def test_what_is_not_stored_is_an_error_in_one_line(results):
    with pytest.raises(UnknownName, match="task with results"):
        results.confusion("erm", "kshot(wine, k=3)")
    with pytest.raises(UnknownName, match=r"strategy with results on .*did you mean 'erm'"):
        results.predictions("errm", A)
    with pytest.raises(UsageError, match="split seed 7, init seed 0 has no stored predictions"):
        results.predictions("erm", A, split_seed=7)
    with pytest.raises(UsageError, match="no stored predictions"):
        results.confusion("reason", A)
    with pytest.raises(UsageError, match="no stored predictions"):
        made(realistic()).plot.reliability()


def test_two_strategies_are_compared_by_paired_tests():
    a, b = [0.70, 0.72, 0.68], [0.80, 0.81, 0.779]
    records = []
    for name, values in (("erm", [0.5, 0.6, 0.4]), ("a", a), ("b", b)):
        records += over_seeds("kshot(wine, k=1)", name, values) + over_seeds(
            "kshot(digits, k=1)", name, values
        )
    frame = made(records).compare("b", "a").set_index("task")
    assert list(frame.index) == ["kshot(digits, k=1)", "kshot(wine, k=1)", "overall"]
    assert frame["difference"].to_numpy() == pytest.approx(np.mean(b) - np.mean(a))
    assert set(frame["verdict"][:2]) == {"better"}
    back = made(records).compare("a", "b")
    assert back["difference"].to_numpy() == pytest.approx(-frame["difference"].to_numpy())
    assert set(back["verdict"][:2]) == {"worse"}
    alone = made([r for r in records if "wine" in r.task]).compare("b", "a")
    assert alone["p"].tolist() == pytest.approx([scipy.stats.ttest_rel(b, a).pvalue] * 2)
    with pytest.raises(UnknownName):
        made(records).compare("a", "c")


def test_a_comparison_with_failures_is_withheld():
    records = over_seeds(A, "erm", [0.5, 0.6, 0.4]) + over_seeds(A, "a", [0.8, 0.9, 0.7])
    records.append(failed(task=A, spec="a", split_seed=3))
    assert set(made(records).compare("a", "erm")["verdict"]) == {"withheld"}


def test_rows_of_a_search_are_named_as_in_the_tables():
    plain = over_seeds(A, "erm", [0.5, 0.6, 0.4]) + over_seeds(A, "a", [0.8, 0.9, 0.7])
    found = made([*plain, *(replace(each, tuning="tuning(n=4)", key=each.key[::-1]) for each in plain)])
    frame = found.compare("tuned(a, n=4)", "tuned(erm, n=4)")
    assert frame["difference"].to_numpy() == pytest.approx(0.3)
    with pytest.raises(UsageError, match="are on different leaderboards"):
        found.compare("tuned(a, n=4)", "erm")
    with pytest.raises(UnknownName, match="known: a, erm"):
        found.compare("tuned(b, n=4)", "erm")


@pytest.mark.parametrize("margin", [0.0, -0.01, 1, 5.0, float("nan")])
def test_a_margin_is_a_share_not_points(margin):
    found = made(over_seeds(A, "erm", [0.5, 0.6, 0.4]))
    with pytest.raises(UsageError, match=r"margin=.*0\.01 is one point"):
        found.leaderboard(margin=margin)
    assert len(found.leaderboard("nll", margin=0.5))


def test_a_chart_of_what_is_unknown_is_an_error(results):
    with pytest.raises(UnknownName, match="did you mean 'erm'"):
        results.plot.reliability(["erm", "ermm"])
    with pytest.raises(UnknownName, match="task with results"):
        results.plot.reliability(["erm"], task="kshot(nope)")
    with pytest.raises(UsageError, match="no stored predictions of reason"):
        results.plot.reliability(["erm", "reason"])


def test_a_report_is_written(results, tmp_path):
    page = results.report(tmp_path / "page.md")
    assert page.read_text(encoding="utf-8").startswith("# Leaderboard")
    table = results.report(tmp_path / "table.csv", format="csv", metric="nll")
    assert table.exists()
    assert (tmp_path / "table-trials.csv").exists()


@pytest.mark.parametrize("given", [False, True])
def test_plots_return_the_axes_that_they_draw_on(results, given):
    from matplotlib import pyplot

    many = made(realistic())
    draws = [
        many.plot.curves,
        many.plot.heatmap,
        many.plot.critical_difference,
        many.plot.pareto,
        results.plot.reliability,
        results.plot.fit,
        lambda **options: results.plot.confusion("erm", A, **options),
    ]
    for draw in draws:
        mine = pyplot.figure().subplots() if given else None
        ax = draw(ax=mine) if given else draw()
        assert isinstance(ax, Axes)
        assert ax.has_data() or ax.texts or ax.patches
        assert mine is None or ax is mine
        ax.figure.canvas.draw()
    pyplot.close("all")


def test_plots_leave_the_settings_of_matplotlib_alone(results):
    from matplotlib import pyplot

    before = dict(mpl.rcParams)
    results.plot.reliability()
    assert dict(mpl.rcParams) == before
    pyplot.close("all")


def test_curves_name_what_can_be_drawn(results):
    with pytest.raises(UsageError, match="no tasks differ in the number of labels only"):
        made(over_seeds(A, "erm", [0.5])).plot.curves()
    two = made([*realistic(), *over_seeds("kshot(wine, k=1)", "erm", [0.5])])
    with pytest.raises(UsageError, match=r"give family=, one of: kshot\(digits\), kshot\(wine\)"):
        two.plot.curves()
    with pytest.raises(UnknownName, match="did you mean 'kshot"):
        two.plot.curves("kshot(digit)")


def test_a_notebook_shows_the_recommendation_and_the_table():
    name = "<script>alert(1)</script>"
    records = over_seeds(A, "erm", [0.5, 0.6, 0.4]) + over_seeds(A, f'mine(text="{name}")', [0.8, 0.9, 0.71])
    page = made(records)._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert page.count("<tr>") == page.count("</tr>") == 3
    assert "Use mine(" in page


def test_a_read_only_folder_can_be_loaded(folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / "fsbench.sqlite").chmod(0o444)
    assert len(fsbench.load(copy).records) == 24
