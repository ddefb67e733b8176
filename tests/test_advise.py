"""`fsbench advise`: the search, its checks and its time, with an executor that computes nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import fake_executor
import numpy as np
import pytest
from fake_executor import FakeExecutor
from sklearn.datasets import load_wine
from sklearn.neighbors import KNeighborsClassifier

from fsbench.advising import advise
from fsbench.advising.affording import SIZES
from fsbench.advising.more_labels import Gain
from fsbench.advising.trials import Stopwatch
from fsbench.advising.words import sentences
from fsbench.datasets import known
from fsbench.errors import StoreError, UsageError
from fsbench.failure import Failure
from fsbench.hookspecs import hookimpl
from fsbench.metrics import get_metric
from fsbench.own import OwnData
from fsbench.progress import Observer
from fsbench.record import Record
from fsbench.registry import Registry
from fsbench.results import load
from fsbench.tasks.expressions import task_calls
from fsbench.tasks.splits import open_split

pytestmark = pytest.mark.usefixtures("no_dataset_stays")

GUESSES = tuple(f"guess{number}" for number in range(4))
RECORD = Record("k", "ok", "kshot(wine, k=1)", 0, 0, "erm", "recipe(steps=1)")
COSTS = {"slow": 40.0, "stuck": 1e6}


class Executor(FakeExecutor):
    """`near` classifies by nearest neighbours, others guess; the fake clock runs by what trials cost.

    Workers start in two seconds, but the first in `cold`.
    """

    now, cold = 0.0, 2.0

    def answer(self, job):
        if getattr(job, "trial", None) is None:
            Executor.now, Executor.cold = Executor.now + Executor.cold, 2.0
            return super().answer(job)
        spec = job.trial.spec
        seconds = COSTS.get(spec, 1.0)
        type(self).now += seconds
        fails = spec == "brittle" and "within=" not in job.trial.task and job.trial.split_seed > 7
        if spec == "broken" or fails:
            return Failure("ValueError", "no luck", "t")
        split = open_split(str(self.settings["splits"] / job.split))
        guessed = fake_executor.logits(job.trial, split.test_x.shape[1])
        values = self.near(split) if spec in ("near", "brittle") else guessed
        known = {"train_accuracy": 1.0, "seconds_fit": seconds, "seconds_predict": 0.0, "peak_memory": 1}
        more = {"notes": [], "source_before": None, "source_after": None, "validation": None}
        return self.work.read(job, {"predictions": values, **known, **more})

    def near(self, split) -> np.ndarray:
        """The logits of nearest neighbours."""
        found = KNeighborsClassifier(1).fit(split.train_x[0], split.train_y[0]).predict(split.test_x[0])
        return np.eye(3, dtype=np.float32)[found][None]


def wines(folder: Path, samples: int = 90) -> OwnData:
    """A table of some of scikit-learn's wines."""
    x, y = load_wine(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(y))[:samples]
    lines = [",".join([*(f"f{i}" for i in range(13)), "kind"])]
    lines += [",".join([*map(str, x[row]), f"kind{y[row]}"]) for row in rows]
    (folder / "wines.csv").write_text("\n".join(lines))
    return OwnData(folder / "wines.csv", target="kind")


def asking(patch: pytest.MonkeyPatch, folder: Path):
    """Asks for advice on some wines, with a budget in seconds of a clock that only trials move."""
    plugin, data = ModuleType("fakes_of_advise"), wines(folder)
    names = (*GUESSES, "near", "slow", "stuck", "broken", "brittle")
    found = [fake_executor.Erm, fake_executor.Needy, *map(fake_executor.strategy, names)]
    vars(plugin)["fsbench_strategies"] = hookimpl(lambda: found)
    registry = Registry()
    registry.load("fakes", lambda: plugin, ("fakes", "1"))
    for module in ("fsbench.runner", "fsbench.advising.search"):
        patch.setattr(f"{module}.get_registry", lambda: registry)
    FakeExecutor.made.clear()
    Executor.now, Executor.cold = 0.0, 2.0

    def call(budget, plugins=(*GUESSES, "near"), **options):
        return advise(
            options.pop("data", data),
            budget,
            plugins=list(plugins),
            output=folder / options.pop("output", "advice"),
            executor=Executor,
            clock=lambda: Executor.now,
            model=False,
            **options,
        )

    return call


@pytest.fixture
def ask(monkeypatch, tmp_path):
    """Asks for advice without writing a report."""
    monkeypatch.setattr("fsbench.results.Results.report", lambda self, output, metric: Path(output))
    return asking(monkeypatch, tmp_path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An advice without a hurry, and its folder."""
    folder, before = tmp_path_factory.mktemp("whole"), dict(known.DATASETS.added)
    with pytest.MonkeyPatch.context() as patch:
        advice = asking(patch, folder)(400)
    known.DATASETS.added.clear()
    known.DATASETS.added.update(before)
    return advice, folder / "advice"


def said(advice) -> str:
    return "\n".join(sentences(advice))


def test_the_best_is_recommended_with_an_honest_estimate(whole):
    advice, folder = whole
    assert advice.use == "near"
    assert advice.rounds[-1] >= 4
    assert set(advice.checked.chosen) == {"near"}
    assert advice.checked.settled
    assert 0.6 < advice.checked.score.low < advice.checked.score.mean < advice.checked.score.high <= 1
    assert advice.checked.gain.low > 0.2
    assert advice.chance == pytest.approx(1 / 3)
    assert (advice.labels, advice.trained, advice.tested) == (90, 63, 27)
    text = said(advice)
    assert text.startswith("Use near.")
    assert "with 63 labels, measured on samples that neither its choice nor its training saw" in text
    assert "It chose near each time." in text
    assert "30 more labels would buy" in text
    assert "the most frequent class alone 33.3" in text
    assert "<html" in (folder / "report.html").read_text()
    facts = json.loads((folder / "advice.json").read_text())
    assert facts["use"] == "near"
    assert facts["checked"]["score"]["mean"] == advice.checked.score.mean
    assert load(folder / "results").evidence.own["wines"].classes == ("kind0", "kind1", "kind2")


def test_what_more_labels_buy_has_the_digits_of_the_metric(whole):
    gain = Gain(30, 0.041, 0.012, 0.083)
    text = said(replace(whole[0], metric=get_metric("nll"), gain=gain))
    assert "30 more labels would buy about 0.041 (0.012 to 0.083)." in text
    text = said(replace(whole[0], gain=gain))
    assert "30 more labels would buy about 4.1 points (1.2 to 8.3 points)." in text


def test_no_trial_of_a_check_sees_a_test_sample_of_its_split(whole):
    advice, folder = whole
    found = load(folder / "results")
    drawn = found.evidence.drawn
    outers = [each for each in found.records if each.task == advice.task]
    tested = {each.split_seed: set(drawn[each.split_fingerprint].test.ravel()) for each in outers}
    inner = [each for each in found.records if "within=" in each.task]
    assert len({each.task for each in inner}) == len(advice.checked.chosen) >= 5
    for record in inner:
        (task,) = task_calls(record.task)
        parts = drawn[record.split_fingerprint]
        assert not tested[task.keywords["within"]] & {*parts.train.ravel(), *parts.test.ravel()}


@pytest.mark.parametrize("budget", [100, 250])
def test_the_budget_is_kept(ask, budget):
    advice = ask(budget)
    assert advice.use == "near"
    assert Executor.now <= budget
    assert advice.checked is not None
    assert advice.seconds == pytest.approx(Executor.now)


@pytest.mark.slow
def test_with_more_time_nothing_is_computed_twice(ask, tmp_path):
    first = ask(100)
    before = fake_executor.trials_run()
    assert first.rounds[-1] < 8
    again = ask(50)
    assert again.rounds[-1] >= first.rounds[-1]
    assert len(again.checked.chosen) >= len(first.checked.chosen)
    assert ask(250).rounds[-1] > first.rounds[-1]
    keys = [job.trial.key for made in FakeExecutor.made for job in made.jobs if hasattr(job, "trial")]
    assert len(keys) == len(set(keys)) > before


@pytest.mark.slow
def test_what_takes_too_long_is_left_out_and_named(ask):
    advice = ask(400, (*GUESSES[:2], "near", "slow"))
    assert advice.use == "near"
    assert advice.left_out["not enough time"] == ("slow",)
    assert advice.longer > 400
    assert "Left out for lack of time: slow." in said(advice)
    assert "The same command continues, and with a budget of about" in said(advice)
    assert Executor.now <= 400


def test_a_trial_that_never_ends_costs_the_first_round_only(ask):
    """On this clock no watch can stop a running trial, so it is the last one of the round."""
    says = r"the budget of 1 min 40 s is too small for this data; give about .*, or fewer strateg.* is kept"
    with pytest.raises(UsageError, match=says):
        ask(100, ("stuck",))


def test_trials_that_fail_or_never_end_count_as_long_as_they_ran():
    """Otherwise one hung strategy would make all others seem slow."""
    now = [0.0]
    watch = Stopwatch(Observer(), 100.0, lambda: now[0])
    good, fails, hangs = (replace(RECORD, key=key) for key in ("good", "fails", "hangs"))
    for each in (hangs, good, fails):
        watch.started(each)
    now[0] = 5.0
    watch.finished(replace(good, seconds_fit=3.0))
    watch.finished(replace(fails, status="failed"))
    assert watch.trained == 3 + 5 + 5
    now[0] = 30.0
    assert watch.trained == 3 + 5 + 30


def test_that_workers_first_import_torch_is_not_expected_of_later_runs(ask):
    Executor.cold = 50.0
    assert ask(130).use == "near"
    assert Executor.now <= 130


def test_strategies_that_were_not_tried_are_one_list(whole):
    advice = replace(whole[0], left_out={"needs source data": ("a", "b"), "needs weights": ("c",)})
    assert "Not tried: a, b (needs source data); c (needs weights)." in said(advice)


@pytest.mark.slow
def test_failures_and_skips_are_named_with_their_reasons(ask):
    advice = ask(400, (*GUESSES[:2], "near", "broken", "needy"))
    assert advice.left_out == {"needs source data": ("needy",), "failed: no luck": ("broken",)}
    assert "Failed: broken (no luck)." in said(advice)


@pytest.mark.slow
def test_checks_in_which_the_choice_failed_count_as_plain_training(ask):
    advice = ask(600, (*GUESSES[:2], "brittle"))
    assert (advice.use, advice.rounds[-1], len(advice.checked.chosen)) == ("brittle", 8, 10)
    assert advice.checked.failed == 2
    records = {(each.spec, each.split_seed): each for each in load(advice.report.parent / "results").records
               if each.task == advice.task}  # fmt: skip
    expected = [records["erm" if split > 7 else "brittle", split] for split in range(10)]
    values = [each.metrics["balanced_accuracy"] for each in expected]
    assert advice.checked.score.mean == pytest.approx(np.mean(values))
    plain = [records["erm", split].metrics["balanced_accuracy"] for split in range(10)]
    assert advice.checked.plain.mean == pytest.approx(np.mean(plain))
    assert f"erm {100 * np.mean(plain):.1f} " in said(advice).partition("For comparison")[2]
    assert "What it chose failed in 2 of 10 checks, where erm, plain training, counts" in said(advice)
    assert "Failed: brittle (no luck)." in said(advice)


@pytest.mark.slow
def test_a_search_among_guesses_is_not_called_better(ask):
    advice = ask(400, GUESSES)
    assert not advice.checked.settled
    assert advice.checked.score.low < 1 / 3 < advice.checked.score.high
    assert "points, which is not settled." in said(advice)


def test_other_data_in_the_same_folder_is_refused(ask, tmp_path):
    ask(100)
    wines(tmp_path, 80)
    with pytest.raises(StoreError, match="on other data"):
        ask(100)


def test_other_data_of_another_name_in_the_same_folder_is_refused(ask, tmp_path):
    ask(100)
    before = (tmp_path / "advice" / "advice.json").read_bytes()
    (tmp_path / "more").mkdir()
    other = wines(tmp_path / "more", 80)
    other = replace(other, path=other.path.rename(tmp_path / "others.csv"))
    with pytest.raises(UsageError, match=r"has advice on other data \(wines, not others\): name another"):
        ask(100, data=other)
    assert (tmp_path / "advice" / "advice.json").read_bytes() == before
    assert all("wines" in record.task for record in load(tmp_path / "advice" / "results").records)
    assert ask(100, data=other, output="second").task == "holdout(others, val=0)"


def test_what_cannot_be_advised_on_is_one_line(ask, tmp_path):
    with pytest.raises(UsageError, match=r"the budget is 0 s; expected more than 0"):
        ask(0)
    with pytest.raises(UsageError, match=r"expected a time such as 90s, 20m or 1h30m"):
        ask("10")
    with pytest.raises(UsageError, match=r"5 s is too small for this data; give about \d+ min"):
        ask(5)
    with pytest.raises(UsageError, match="2 s is too small: no trial ended in the time for the first round;"):
        ask(2, output="other")
    first, *lines = (tmp_path / "wines.csv").read_text().splitlines()
    sites = [f"{line},{'AB'[number % 2]}" for number, line in enumerate(lines)]
    (tmp_path / "two.csv").write_text("\n".join([f"{first},site", *sites]))
    with pytest.raises(UsageError, match="advice is for one domain"):
        ask(100, data=OwnData(tmp_path / "two.csv", target="kind", domain="site"))
    x, y = load_wine(return_X_y=True)
    np.savez(tmp_path / "parts.npz", x_train=x[::2], y_train=y[::2], x_test=x[1::2], y_test=y[1::2])
    with pytest.raises(UsageError, match="has a test part, on which nothing may be chosen: give"):
        ask(100, data=OwnData(tmp_path / "parts.npz"))
    rare = [f"{line.rpartition(',')[0]},rare" for line in ("1" + lines[0], "2" + lines[1])]
    (tmp_path / "few.csv").write_text("\n".join([first, *lines, *rare]))
    with pytest.warns(UserWarning, match="rare"), pytest.raises(UsageError, match="'rare' has too few"):
        ask(100, data=OwnData(tmp_path / "few.csv", target="kind"))


def test_ctrl_c_ends_it_and_keeps_what_is_done(ask, monkeypatch):
    def pressed(self, job):
        if getattr(job, "trial", None) is not None and fake_executor.trials_run() > 3:
            raise KeyboardInterrupt
        return real(self, job)

    real = Executor.answer
    monkeypatch.setattr(Executor, "answer", pressed)
    with pytest.raises(KeyboardInterrupt):
        ask(100)
    monkeypatch.setattr(Executor, "answer", real)
    before = fake_executor.trials_run()
    ask(100)
    assert before > 3


@pytest.mark.slow
def test_the_command_ends_with_a_model_that_predicts(call, tmp_path, monkeypatch):
    monkeypatch.setattr("fsbench.advising.affording.SIZES", SIZES[-1:])
    monkeypatch.setattr("fsbench.advising.search._BATCHES", (3,))
    data = wines(tmp_path)
    asked = ("--data", data.path, "--target", "kind", "--budget", "4m", "--plugins", "knn, svm")
    status, out, err = call("advise", *asked, "--output", "a")
    assert (status, err.count("error")) == (0, 0)
    assert out.startswith("Use ")
    assert max(map(len, out.splitlines())) <= 80
    said = "a/report.html shows the scores on the splits that the choice was made on, which are too good"
    assert said in err
    assert "`fsbench predict a/model INPUTS` uses it" in err
    facts = json.loads((tmp_path / "a" / "advice.json").read_text())
    card = json.loads((tmp_path / "a" / "model" / "model.json").read_text())
    assert card["strategy"] == facts["use"]
    assert card["estimate"]["mean"] == facts["checked"]["score"]["mean"]
    status, out, err = call("predict", "a/model", data.path)
    assert len(out.splitlines()) == 91


def test_a_model_of_an_earlier_call_is_said(whole, call, tmp_path, monkeypatch):
    advice, _ = whole
    monkeypatch.setattr("fsbench.advising.advise", lambda *given, **options: advice)
    asked = ("advise", "--data", wines(tmp_path).path, "--target", "kind", "--no-model")
    said = "fsbench: advice/model is of an earlier call, which may have chosen another strategy\n"
    assert said not in call(*asked)[2]
    (tmp_path / "advice" / "model").mkdir(parents=True)
    assert said in call(*asked)[2]


def test_the_command_needs_data(call):
    status, _, err = call("advise", "--budget", "2m")
    assert (status, err) == (2, "fsbench: error: advice is about your own data; give --data PATH\n")


def test_the_help_names_no_second_domain_which_has_no_advice(call):
    status, out, _ = call("advise", "--help")
    assert status == 0
    assert "--unlabeled" in out
    assert "domain" not in out
