"""Command lines in separate processes: failures, Ctrl-C, closed pipes, and what is kept."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fsbench.errors import StoreError
from fsbench.store import Store

TASK = "kshot(wine, k=5)"
STRATEGIES = """
from dataclasses import dataclass, replace
import os, time
from fsbench import Strategy, hookimpl

@dataclass(frozen=True)
class Boom(Strategy):
    name = "boom"
    def configure(self, recipe, ctx):
        raise ValueError("no powder")

@dataclass(frozen=True)
class Slow(Strategy):
    name = "slow"
    def configure(self, recipe, ctx):
        if not os.path.exists("fast"):
            time.sleep(600)
        return replace(recipe, lr=2 * recipe.lr)

@hookimpl
def fsbench_strategies():
    return [Boom, Slow]
"""


@pytest.fixture(scope="module")
def first_run(tmp_path_factory):
    """A folder, a command that ran in it, and its result: two strategies, one of which fails."""
    folder = tmp_path_factory.mktemp("first-run")
    command = ["run", "--plugins", "focal,boom", "--tasks", TASK, "--seeds", "2", "--baseline", "erm"]
    return folder, command, fsbench(folder, *command)


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "COLUMNS": "80", "FSBENCH_PLUGINS": "strategies_of_test_cli", **more}


def prepare(folder: Path) -> None:
    (folder / "strategies_of_test_cli.py").write_text(STRATEGIES, encoding="utf-8")


def fsbench(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one command line in a separate process, with two strategies that fail."""
    prepare(folder)
    return subprocess.run(
        [sys.executable, "-m", "fsbench", *arguments],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


@pytest.mark.slow
def test_failed_trials_are_reported_last_and_are_not_run_again(first_run):
    folder, command, done = first_run
    assert done.returncode == 1
    assert "focal" in done.stdout
    *_, why, hint, last = done.stderr.splitlines()
    assert why.startswith("fsbench: failed: boom, 2 trials on kshot(wine, k=5)")
    assert why.endswith("ValueError: no powder")
    assert last == "fsbench: 2 of 6 trials failed; --retry-failed tries them again"
    again = fsbench(folder, *command)
    assert (again.returncode, again.stdout) == (1, done.stdout)
    assert again.stderr.splitlines()[-4:] == [
        "nothing to run: 6 of 6 trials are done already",
        why,
        hint,
        last,
    ]
    assert hint == "fsbench: tracebacks: `fsbench --debug leaderboard`, with the same --results"
    debugged = fsbench(folder, "--debug", *command)
    assert (debugged.returncode, debugged.stdout) == (1, done.stdout)
    assert 'raise ValueError("no powder")' in debugged.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_script_for_completion(tmp_path, shell):
    if shell == "bash" and shutil.which("bash") is None:
        pytest.skip("click asks bash for its version")
    done = complete(tmp_path, f"{shell}_source")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"_FSBENCH_COMPLETE={shell}_complete" in done.stdout


@pytest.mark.parametrize(
    ("line", "follows"),
    [
        ("fsbench le", ["leaderboard"]),
        ("fsbench run --metric acc", ["accuracy"]),
        ("fsbench run --suite starter", ["starter-v1", "starter-v2", "starter-v3"]),
        ("fsbench nonsense --", ["--version", "--debug", "--help"]),
    ],
)
def test_possible_next_words_of_a_command_are_completed(tmp_path, line, follows):
    words = line.split(" ")
    done = complete(tmp_path, "bash_complete", COMP_WORDS=line, COMP_CWORD=str(len(words) - 1))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == [f"plain,{each}" for each in follows]


def test_a_shell_without_a_script_gets_an_error(tmp_path):
    done = complete(tmp_path, "tcsh_source")
    assert (done.returncode, done.stdout) == (1, "")
    assert "_FSBENCH_COMPLETE=tcsh_source: expected bash_source, zsh_source or fish_source" in done.stderr


def complete(folder: Path, instruction: str, **more: str) -> subprocess.CompletedProcess[str]:
    """The completions that fsbench gives a shell."""
    prepare(folder)
    return subprocess.run(
        [sys.executable, "-m", "fsbench"],
        cwd=folder,
        env=environment(_FSBENCH_COMPLETE=instruction, **more),
        capture_output=True,
        text=True,
        check=False,
    )


def start_slow(folder: Path) -> subprocess.Popen[str]:
    """Start a run of the baseline and a strategy that never ends, as a terminal would."""
    prepare(folder)
    return subprocess.Popen(
        [sys.executable, "-m", "fsbench", *SLOW_RUN],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


SLOW_RUN = [
    "run",
    "--plugins",
    "slow",
    "--tasks",
    TASK,
    "--seeds",
    "1",
    "--recipe",
    "steps=3",
    "--jobs",
    "1",
    "--baseline",
    "erm",
]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_ctrl_c_keeps_finished_trials_and_the_next_run_continues(tmp_path):
    process = start_slow(tmp_path)
    # A trial that takes long is no reason to be silent.
    assert any(line.startswith("1/2 trials") and "slow on" in line for line in process.stderr)
    assert _kept(tmp_path)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-1].startswith("fsbench: interrupted; 1 of 2 trials are kept in fsbench-results")
    assert "Traceback" not in err
    (tmp_path / "fast").touch()
    done = fsbench(tmp_path, *SLOW_RUN)
    assert done.returncode == 0
    assert "1 trial to run, 1 of 2 already done" in done.stderr


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_ctrl_c_while_the_workers_start(tmp_path):
    process = start_slow(tmp_path)
    assert "2 trials to run, 0 of 2 already done\n" in process.stderr
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("fsbench: interrupted; 0 of 2 trials are kept in fsbench-results")


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_run_that_is_terminated_says_in_its_log_where_it_stopped(tmp_path):
    process = start_slow(tmp_path)
    assert any(line.startswith("1/2 trials") and "slow on" in line for line in process.stderr)
    os.kill(process.pid, signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGTERM
    log = (tmp_path / "fsbench-results" / "run.log").read_text()
    assert "interrupted with 1 of 2 trials done" in log
    assert not list((tmp_path / "fsbench-results").glob(".splits*"))


def _kept(folder: Path) -> bool:
    try:
        with Store(folder / "fsbench-results", create=False) as store:
            return bool(store.records())
    except StoreError:
        return False


@pytest.mark.skipif(os.name == "nt", reason="a shell")
@pytest.mark.parametrize(("streams", "status"), [(">&-", 0), ("2>&-", 0), (">&- 2>&-", 0), (">/dev/full", 1)])
def test_streams_that_take_nothing_are_no_fault(streams, status):
    if not Path("/dev/full").is_char_device():
        pytest.skip("needs /dev/full")
    command = f"{shlex.quote(sys.executable)} -m fsbench list protocols {streams}"
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False, env=buffered)
    assert done.returncode == status
    assert done.stderr == ("fsbench: error: cannot write: No space left on device\n" if status else "")


@pytest.mark.skipif(os.name == "nt", reason="pipes")
@pytest.mark.parametrize("arguments", [["list", "protocols"], ["--help"], ["cite", "wine"]])
def test_a_closed_pipe_ends_quietly(arguments):
    process = subprocess.Popen(
        [sys.executable, "-m", "fsbench", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stdout.close()
    with process.stderr:
        assert process.stderr.read() == ""
    assert process.wait(60) == 141


def test_a_working_folder_that_is_gone_is_said(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    line = [
        "run",
        "--plugins",
        "knn",
        "--tasks",
        "kshot(wine, k=2)",
        "--seeds",
        "2",
        "--results",
        tmp_path / "r",
    ]
    code = "import os, sys; os.rmdir(os.getcwd()); from fsbench.cli import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run([sys.executable, "-P", "-c", code, *line], cwd=gone, capture_output=True, text=True)
    assert done.returncode == 1
    assert (
        done.stderr.splitlines()[-1]
        == "fsbench: error: the working folder no longer exists; change to another one"
    )
