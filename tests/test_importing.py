"""A plugin whose import misbehaves is named, and affects nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from marks import linux

from fsbench.cli import main
from fsbench.errors import UsageError
from fsbench.importing import importing, needed, tell_of_imports
from fsbench.registry import get_registry

QUICK = ["run", "--plugins", "erm", "--tasks", "kshot(wine, k=1)", "--seeds", "1", "--baseline", "erm"]


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Install a plugin module with this source beside a correct one; return its name."""

    def write(source: str) -> str:
        folder = tmp_path / "plugins"
        folder.mkdir()
        (folder / "odd_plugin.py").write_text(textwrap.dedent(source))
        monkeypatch.syspath_prepend(str(folder))
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), *filter(None, sys.path)]))
        monkeypatch.setenv("FSBENCH_PLUGINS", "odd_plugin")
        monkeypatch.chdir(tmp_path)
        get_registry.cache_clear()
        return "odd_plugin"

    yield write
    sys.modules.pop("odd_plugin", None)
    get_registry.cache_clear()


def listing(**more) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fsbench", "list", "plugins"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, **more)


@linux
def test_a_plugin_that_exits_the_process_is_listed_with_the_reason(plugin):
    plugin("import os; os._exit(3)")
    done = listing()
    assert done.returncode == 0, done.stderr
    words = " ".join(done.stdout.split())
    assert "odd_plugin" in words
    assert "SystemExit: it called os._exit(3)" in words


@linux
def test_a_plugin_that_crashes_is_named_by_the_traceback(plugin):
    plugin("import ctypes; ctypes.string_at(0)")
    done = listing()
    assert done.returncode == -11
    assert "Segmentation fault" in done.stderr
    assert "odd_plugin.py" in done.stderr


@linux
def test_a_plugin_that_hangs_is_named_meanwhile(plugin):
    plugin("import time; time.sleep(600)")
    script = "import fsbench.importing as i; i.PATIENCE_SECONDS = 0.5; from fsbench.cli import main; main()"
    program = subprocess.Popen(
        [sys.executable, "-c", script, "list", "plugins"], stderr=subprocess.PIPE, text=True
    )
    try:
        # A busy machine may take as long for another plugin, which is then named first.
        said = next(line for line in program.stderr if "fsbench:bundled" not in line)
        assert said == (
            "fsbench: plugin odd_plugin is still being imported; if that does not end, leave it out\n"
        )
    finally:
        program.kill()
        program.communicate()


def test_a_plugin_that_changes_the_folder_does_not_move_results(plugin, tmp_path):
    plugin("import os, tempfile; os.chdir(tempfile.gettempdir())")
    assert main([*QUICK, "--recipe", "steps=1"]) == 0
    assert (tmp_path / "fsbench-results" / "fsbench.sqlite").exists()


GOOD_IN_THE_PARENT = """
    import os, sys
    from dataclasses import dataclass
    from fsbench import Strategy, hookimpl
    if "torch" in sys.modules:  # where the workers come from
        {odd}
    @dataclass(frozen=True)
    class Odd(Strategy):
        name = "odd"
        def postprocess(self, fitted, val, ctx):
            return fitted.map(lambda logits: -logits)
    @hookimpl
    def fsbench_strategies():
        return [Odd]
"""


def run_apart(expression: str) -> subprocess.CompletedProcess[str]:
    """`fsbench.run` of the odd strategy in a process without torch; prints an expression of its results."""
    script = f"""
        import sys
        import fsbench
        options = dict(tasks="kshot(wine, k=1)", seeds=1, recipe={{"steps": 1}}, device="cpu", jobs=1)
        try:
            results = fsbench.run("odd", baseline="erm", **options)
            print({expression})
        except fsbench.FsbenchError as error:
            print(type(error).__name__, error)
        assert "torch" not in sys.modules
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_plugin_that_fails_only_in_workers_is_the_reason_of_the_failure(plugin):
    plugin(GOOD_IN_THE_PARENT.format(odd='raise ImportError("no such driver")'))
    done = run_apart("results.failures[0].reason['kind'], results.failures[0].reason['message']")
    assert done.stderr == ""
    assert done.stdout.startswith("PluginError unknown strategy 'odd'")
    assert "plugins could not be imported: plugin odd_plugin: ImportError: no such driver" in done.stdout


@pytest.mark.slow
@linux
def test_a_plugin_that_crashes_the_server_ends_the_run_and_is_named(plugin):
    plugin(GOOD_IN_THE_PARENT.format(odd="import ctypes; ctypes.string_at(0)"))
    done = run_apart("results")
    assert done.stdout == (
        "PluginError no worker can start "
        "(the worker was killed by SIGSEGV, while importing plugin odd_plugin)\n"
    ), done.stderr


def test_a_failed_import_is_not_blamed_for_what_comes_later():
    told = []
    tell_of_imports(told.append)
    try:
        with pytest.raises(ImportError), importing("odd_plugin"):
            raise ImportError("no such driver")
    finally:
        tell_of_imports(None)
    assert told == ["importing plugin odd_plugin", ""]


@pytest.mark.slow
def test_a_plugin_that_starts_threads_is_imported_in_each_worker(plugin):
    plugin(
        GOOD_IN_THE_PARENT.format(
            odd="import threading, time; threading.Thread(target=time.sleep, args=(99,), daemon=True).start()"
        )
    )
    done = run_apart("*[(r.spec, r.reason) for r in results.records]")
    assert done.stdout == "('erm', None) ('odd', None)\n", done.stderr


@linux
def test_the_parent_of_a_run_imports_nothing_heavy(tmp_path):
    """From command line to leaderboard, the parent imports neither torch nor the engine."""
    script = """
        import resource, sys
        from fsbench.cli import main
        status = main(sys.argv[1:])
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(status, sorted({"torch", "fsbench.engine.worker", "fsbench.engine.trial"} & set(sys.modules)))
        assert memory < 300, memory
    """
    strategies = ["--plugins", "erm, transfer, sklearn, dann", "--recipe", "steps=1"]
    command = [sys.executable, "-c", textwrap.dedent(script), *QUICK, *strategies]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.stdout.splitlines()[-1] == "0 []", done.stdout + done.stderr


@linux
def test_the_plan_of_all_strategies_imports_no_torch(tmp_path):
    script = """
        import sys, fsbench
        planned = []
        fsbench.run("all", seeds=1, results=sys.argv[1], only=lambda trials: planned.extend(trials) or ())
        print(len({trial.spec for trial in planned}) > 50, "torch" in sys.modules)
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "True False\n", done.stdout + done.stderr


def test_a_run_without_fork_is_refused_in_one_line(tmp_path, monkeypatch, capsys):
    """As on Windows, where lists still work."""
    monkeypatch.delattr(os, "fork")
    assert main([*QUICK, "--results", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("fsbench: error: fsbench runs every trial in a process forked from another")
    assert "Windows Subsystem for Linux" in line
    assert main(["list", "suites"]) == 0


def test_a_missing_package_is_named_with_its_extra_and_a_broken_one_with_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_package.py").write_text("import absent_package")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UsageError, match=r"^mine needs an extra: pip install 'fsbench\[text\]'$"):
        needed("absent_package", "mine", "text")
    with pytest.raises(UsageError, match=r"fsbench\[text\]' \(No module named 'absent_package'\)$"):
        needed("broken_package", "mine", "text")
