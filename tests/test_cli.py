"""The command line: what it prints, where, and the exit status of each error."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from fsbench.errors import FsbenchError
from fsbench.record import Record
from fsbench.registry import LoadFailure, get_registry
from fsbench.runner import Results

TASK = "kshot(wine, k=5)"
HEAVY = {"torch", "pandas", "sklearn", "scipy", "matplotlib", "torchvision", "imblearn", "mlxtend"}
USAGE = [
    (["rum"], "unknown command 'rum'; did you mean 'run'?"),
    (["run", "--plugin", "erm"], "--plugins"),
    (["run", "--plugins"], "requires an argument"),
    (["run", "--plugins", "nope"], "unknown strategy 'nope'"),
    (["run", "--baseline", "nope"], "unknown strategy 'nope'"),
    (["run", "--plugins", "focall"], "did you mean 'focal'?"),
    (["run", "--plugins", "focal(gamma=oops)"], "focal(gamma=oops): expected a number, got oops"),
    (["run", "--plugins", "focal(gama=1)"], "focal has no argument 'gama'"),
    (["run", "--plugins", "focal(gamma=-1)"], "expected at least 0"),
    (["run", "--plugins", "focal("], "cannot read 'focal('"),
    (["run", "--plugins", "transfer+maml"], "transfer and maml both own the stage 'init_model'"),
    (["run", "--plugins", "focal+focal"], "focal is named twice"),
    (["run", "--plugins", ""], "expected a name"),
    (["run", "--tasks", "kshot(digits, k=0)"], "k is 0; expected at least 1"),
    (["run", "--tasks", "kshot(wine, k=1000)"], "the largest that the classes allow is"),
    (["run", "--tasks", "kshot(wime)"], "did you mean 'wine'?"),
    (["run", "--tasks", "kshoot(wine)"], "did you mean 'kshot'?"),
    (["run", "--tasks", TASK, "--suite", "starter-v1"], "both a suite and tasks are given"),
    (["run", "--suite", "starter"], "did you mean 'starter-v3'?"),
    (["run", "--seeds", "0"], "--seeds '0': expected a number of seeds"),
    (["run", "--seeds", "1,x"], "--seeds '1,x'"),
    (["run", "--seeds", ","], "--seeds ','"),
    (["run", "--seeds", "9223372036854775808,", "--tasks", TASK], "expected seeds below 2**63"),
    (["run", "--init-seeds", "99999999999999999999", "--tasks", TASK], "expected at most 1,000,000 seeds"),
    (["run", "--seeds", "4,4", "--tasks", TASK], "a seed is given twice"),
    (["run", "--init-seeds", "-1"], "--init-seeds '-1'"),
    (["run", "--jobs", "0"], "--jobs"),
    (["run", "--timeout", "soon"], "'soon' is not a valid float"),
    (["run", "--timeout", "-1"], "expected more than 0"),
    (["run", "--metric", "acuracy"], "did you mean 'accuracy'?"),
    (["run", "--recipe", "stepz=3"], "recipe has no field 'stepz'"),
    (["run", "--recipe", "steps=0"], "expected more than 0"),
    (["run", "--device", "gpu", "--tasks", TASK], "expected auto, cpu, cuda or cuda:NUMBER"),
    (["run", "--config", "nowhere.toml"], "cannot read nowhere.toml"),
    (["run", "--plugins", "erm,", "focal,", "svm"], "'focal,'; write --plugins 'erm, focal, svm'"),
    (["run", "erm", "focal"], "'erm'; write --plugins 'erm, focal'"),
    (["run", "--tasks", "kshot(wine)", "kshot(digits)"], "; write --tasks 'kshot(wine), kshot(digits)'"),
    (["run", "patients.csv"], "unexpected argument 'patients.csv'; write --data patients.csv"),
    (["run", "patients.tsv"], "write --data patients.tsv"),
    (["run", "starter-v1"], "write --suite starter-v1"),
    (["run", "kshot(wine, k=5)"], "write --tasks 'kshot(wine, k=5)'"),
    (["run", "transfer+focal"], "write --plugins transfer+focal"),
    (["fit", "--strategy", "erm", "focal"], "unexpected argument 'focal'; `fsbench fit --help` shows"),
    (["fit", "--strategy", "erm", "patients.csv"], "write --data patients.csv"),
    (["run", "nonsense"], "unexpected argument 'nonsense'; `fsbench run --help` shows the options"),
    (["run", "--data", "a.csv", "--data", "b"], "--data is given 2 times (a.csv, b); a run reads only one"),
    (["run", "--plugins", "transfer(weights=a/b.pt)"], 'write a path in quotes: "a/b.pt"'),
    (["list", "strategis"], "did you mean 'strategies'?"),
    (["report", "--format", "pdf"], "unknown format 'pdf'"),
    (["plugin"], "Missing command; expected `fsbench plugin new` or `fsbench plugin check`"),
    (["data"], "Missing command; expected `fsbench data list` or `fsbench data fetch`"),
    (["plugin", "chek"], "did you mean 'check'?"),
    (["plugin", "new"], "Missing argument 'NAME'"),
    (["plugin", "new", "My Method"], "expected lower-case letters"),
    (["plugin", "new", "focal"], "strategy 'focal' exists already, in fsbench"),
    (["plugin", "check", "focall"], "did you mean 'focal'?"),
    (["plugin", "check", "focal+dann"], "expected one strategy"),
    (["cite", "focall"], "did you mean 'focal'?"),
]


@pytest.mark.parametrize(("arguments", "message"), USAGE, ids=[" ".join(a) for a, _ in USAGE])
def test_wrong_usage_is_one_line_and_status_2(call, arguments, message):
    status, out, err = call(*arguments)
    assert (status, out) == (2, "")
    # A busy machine is told what takes so long.
    (line,) = (each for each in err.splitlines() if not re.fullmatch(r"reading .*, \d+ s", each))
    assert line.startswith("fsbench: error: ")
    assert message in line


def test_results_that_are_not_a_store_are_an_error(call, tmp_path):
    (tmp_path / "text").write_text("hello\n", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "fsbench.sqlite").write_text("hello\n", encoding="utf-8")
    for arguments, message in [
        (("run", "--tasks", TASK, "--results", "text"), "cannot make the results folder text"),
        (("run", "--tasks", TASK, "--results", "folder"), "is not an fsbench store"),
        (("leaderboard", "--results", "text"), "text, line 1 is not a record"),
        (("leaderboard", "--results", "folder"), "is not an fsbench store"),
        (("leaderboard",), "`fsbench.run(..., results='fsbench-results')` produces some"),
    ]:
        status, out, err = call(*arguments)
        assert (status, out, err.count("\n")) == (1, "", 1)
        assert message in err
    assert (tmp_path / "folder" / "fsbench.sqlite").read_text(encoding="utf-8") == "hello\n"


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["leaderboard", "-h"], ["--version"]])
def test_help_imports_nothing_heavy(arguments):
    code = (
        "import sys; from fsbench.cli import main; status = main(sys.argv[1:]); "
        f"sys.exit(status or ' '.join({HEAVY!r} & set(sys.modules)) or None)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_help_and_version(call):
    import fsbench as package

    for arguments in ([], ["--help"], ["-h"]):
        status, out, err = call(*arguments)
        assert (status, err) == (0, "")
        commands = out.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()
        assert [line.split()[0] for line in commands if line[2] != " "] == [
            "run",
            "advise",
            "leaderboard",
            "report",
            "compare",
            "ablate",
            "fuse",
            "power",
            "fit",
            "predict",
            "publish",
            "merge",
            "verify",
            "site",
            "list",
            "data",
            "plugin",
            "cite",
        ]
    assert call("--version") == (0, f"fsbench {package.__version__}\n", "")


def test_options_reach_the_runner(call, taken):
    line = "--plugins erm --tasks kshot(wine) --seeds 0,4 --init-seeds 2 --jobs 3 --device cpu --timeout 9"
    more = [
        "--results",
        "there",
        "--recipe",
        "steps=5, lr=0.1",
        "--tune",
        "8",
        "--sampler",
        "tpe",
        "--criterion",
        "infomax",
        "--baseline",
        "svm",
        "--retry-failed",
        "--available",
        "--strict",
    ]
    status, out, _ = call("run", *line.split(), *more)
    assert status == 0
    assert "No results yet" in out
    del taken["observer"]
    assert taken == {
        "plugins": "erm",
        "suite": None,
        "tasks": "kshot(wine)",
        "tune": 8,
        "sampler": "tpe",
        "criterion": "infomax",
        "baseline": "svm",
        "seeds": (0, 4),
        "init_seeds": 2,
        "jobs": 3,
        "device": "cpu",
        "timeout": 9.0,
        "results": Path("there"),
        "recipe": {"steps": 5, "lr": 0.1},
        "retry_failed": True,
        "available": True,
        "strict": True,
    }


def test_a_file_gives_defaults_and_the_command_line_wins(call, taken, tmp_path):
    (tmp_path / "bench.toml").write_text(
        'plugins = ["erm", "focal(gamma=1)"]\nseeds = [0, 4]\ninit-seeds = 2\njobs = 3\n'
        'results = "there"\nstrict = true\nretry_failed = true\nrecipe = {steps = 5, backbone = "mlp"}\n',
        encoding="utf-8",
    )
    assert call("run", "--jobs", "1", "--config", "bench.toml", "--no-strict")[0] == 0
    assert (taken["plugins"], taken["seeds"], taken["init_seeds"]) == ("erm, focal(gamma=1)", (0, 4), 2)
    assert (taken["jobs"], taken["strict"], taken["retry_failed"]) == (1, False, True)
    assert taken["results"] == Path("there")
    assert taken["recipe"] == {"steps": 5, "backbone": "mlp"}


@pytest.mark.parametrize(("text", "seeds"), [("4", 4), ("4,", (4,)), ("0, 4,", (0, 4)), ("[4]", (4,))])
def test_a_comma_tells_which_seeds_from_how_many(call, taken, text, seeds):
    assert call("run", "--seeds", text)[0] == 0
    assert taken["seeds"] == seeds


def test_a_list_of_one_seed_in_a_file_is_that_seed(call, taken, tmp_path):
    (tmp_path / "bench.toml").write_text("seeds = [4]\ninit-seeds = [2]\n", encoding="utf-8")
    assert call("run", "--config", "bench.toml")[0] == 0
    assert (taken["seeds"], taken["init_seeds"]) == ((4,), (2,))


def test_an_options_file_may_begin_with_a_byte_order_mark(call, taken, tmp_path):
    (tmp_path / "bench.toml").write_text("jobs = 3\n", encoding="utf-8-sig")
    assert call("run", "--config", "bench.toml")[0] == 0
    assert taken["jobs"] == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sedes = 3", "unknown key in bench.toml: 'sedes'; did you mean 'seeds'?"),
        ("[run]\nseeds = 3", "bench.toml: options belong at the top of the file, not in a table [run]"),
        ("config = 'other.toml'", "unknown key in bench.toml: 'config'"),
        ("seeds = ", "bench.toml is not TOML"),
        ("seeds = 'many'", "--seeds 'many'"),
        ("jobs = 'many'", "--jobs"),
        ("metric = 'speed'", "unknown metric 'speed'"),
    ],
)
def test_a_wrong_options_file_is_an_error(call, taken, tmp_path, text, message):
    (tmp_path / "bench.toml").write_text(text, encoding="utf-8")
    status, out, err = call("run", "--config", "bench.toml")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert taken == {}


def test_errors_of_fsbench_have_their_own_status(call, monkeypatch):
    class Mild(FsbenchError):
        exit_status = 3

    def fail(*args, **options):
        raise Mild("a\nb")

    monkeypatch.setattr("fsbench.cli.running.run_trials", fail)
    assert call("run") == (3, "", "fsbench: error: a b\n")


def test_plugins_that_cannot_be_loaded_are_reported(call, taken, monkeypatch):
    failure = LoadFailure("fsbench-odd:odd", "ImportError: no odd")
    monkeypatch.setattr(get_registry(), "failures", [failure])
    status, _, err = call("run")
    assert (status, err) == (
        0,
        "fsbench: warning: plugin fsbench-odd:odd could not be loaded: ImportError: no odd\n",
    )
    listed = call("list", "plugins")[1]
    assert "could not be loaded: ImportError: no odd" in listed
    assert listed.index("fsbench-odd:odd") < listed.index("kshot")
    for name in ("odd", "fsbench-odd"):
        status, _, err = call("plugin", "check", name)
        assert (status, err.count("\n")) == (1, 1)
        assert "could not be loaded: ImportError: no odd" in err
    assert "could not be loaded: ImportError: no odd" in call("plugin", "check", "strategy_of_odd")[2]


def test_an_interrupted_run_says_what_is_kept(call, monkeypatch):
    record = Record("k", "ok", TASK, 0, 0, "erm", "recipe", metrics={"balanced_accuracy": 1.0})
    results = Results((record,), Path("nowhere"), total=7, interrupted=True)
    monkeypatch.setattr("fsbench.cli.running.run_trials", lambda plugins, **options: results)
    assert call("run") == (
        130,
        "",
        "fsbench: interrupted; 1 of 7 trials are kept in fsbench-results, and the same command continues "
        "from there\n",
    )

    def interrupt(plugins, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("fsbench.cli.running.run_trials", interrupt)
    assert call("run") == (130, "", "fsbench: interrupted\n")


@pytest.mark.parametrize(
    ("kinds", "advice"),
    [
        (("TimeOut", "Crash"), ", with a larger --timeout for the 1 that ran out of time"),
        (("Crash", "NonFinite"), ""),
    ],
)
def test_after_a_time_out_a_longer_limit_is_the_advice(call, monkeypatch, kinds, advice):
    records = tuple(
        Record(kind, "failed", TASK, seed, 0, "erm", "", reason={"kind": kind, "message": "m"})
        for seed, kind in enumerate(kinds)
    )
    results = Results(records, Path("nowhere"), total=2)
    monkeypatch.setattr("fsbench.cli.running.run_trials", lambda plugins, **options: results)
    status, _, err = call("run")
    assert status == 1
    last = "2 of 2 trials failed; --retry-failed tries them again"
    assert err.splitlines()[-1] == f"fsbench: {last}{advice}"


def test_new_plugin_writes_a_package(call, tmp_path):
    status, out, err = call("plugin", "new", "my_own")
    assert (status, err) == (0, "")
    assert "pip install -e './fsbench-my-own[test]'" in out
    assert (tmp_path / "fsbench-my-own" / "pyproject.toml").exists()
    status, _, err = call("plugin", "new", "my_own")
    assert status == 2
    assert "already exists" in err


def test_a_run_ends_with_what_to_use_and_explains_columns_only_on_request(call, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    line = ["run", "--tasks", "kshot(wine, k=1)", "--plugins", "erm", "--baseline", "erm", "--seeds", "1"]
    line += ["--recipe", "steps=1"]
    status, out, _ = call(*line)
    assert status == 0
    assert out.startswith("kshot(wine, k=1): 2 labels per class (1 train, 1 val)\nbalanced accuracy in % (")
    assert "Overall" not in out
    heads = [" ".join(line.split()) for line in out.splitlines() if line.startswith("# ")]
    assert heads == ["# strategy uses score vs erm verdict train done cost sec MB"]
    assert "rank by the mean over tasks" not in out
    answer = out.splitlines()[-1]
    assert answer.startswith("Nothing was compared with erm, which scores ")
    quiet = call(*line, "-q")
    assert quiet == (0, f"{answer}\n", "")
    for command in (line, ["leaderboard"]):
        explained = call(*command, "--legend")[1]
        assert "rank by the mean over tasks" in explained
        assert explained.splitlines()[-1] == answer
        assert call(*command, "--no-legend")[1] == out


def test_the_choices_of_options_are_those_of_the_modules_that_they_spare_an_import():
    from fsbench.cli import fusing
    from fsbench.report.fused import HOW

    (how,) = (each for each in fusing.fuse.params if each.name == "how")
    assert list(how.type.choices) == list(HOW)
