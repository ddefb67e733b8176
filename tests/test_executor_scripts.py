"""The executor in scripts as users write them: what they print, and what is left of their processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from marks import linux
from processes import alive, wait_until

HERE = Path(__file__).parent


def start_script(folder: Path, body: str, **more) -> subprocess.Popen[str]:
    """Start a script as users write them, without an `if __name__` guard."""
    head = f"""
        import sys
        sys.path[:0] = {[str(HERE), *sys.path]!r}
        from pathlib import Path
        from fsbench.executors.local import LocalExecutor
        folder = Path({str(folder)!r})
        def run(jobs, workers=1, timeout=600.0):
            executor = LocalExecutor("pool_jobs:act", workers=workers, timeout=timeout, read=lambda _, x: x)
            return list(executor.run(jobs))
    """
    path = folder / "script.py"
    path.write_text(textwrap.dedent(head) + textwrap.dedent(body))
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, str(path)], stdout=pipe, stderr=pipe, text=True, **more)


BUSY = """
    jobs = [f"busy:{folder}"] * 2
    print(run(jobs, workers=2))
"""


def busy_processes(folder: Path) -> list[int]:
    assert wait_until(lambda: len([p for p in folder.glob("*.pids") if p.read_text()]) == 2, seconds=60)
    return [int(pid) for path in folder.glob("*.pids") for pid in path.read_text().split()]


@pytest.mark.slow
@linux
def test_nothing_survives_a_parent_that_is_killed(tmp_path):
    """Neither busy workers nor their children nor the server that they were forked from survive."""
    parent = start_script(tmp_path, BUSY)
    pids = busy_processes(tmp_path)
    assert all(map(alive, pids))
    parent.kill()
    parent.communicate()
    assert wait_until(lambda: not any(map(alive, pids)))


@linux
def test_ctrl_c_reaches_the_parent_only(tmp_path):
    parent = start_script(tmp_path, BUSY, start_new_session=True)
    pids = busy_processes(tmp_path)
    begin = time.monotonic()
    os.killpg(parent.pid, signal.SIGINT)
    out, err = parent.communicate(timeout=30)
    assert time.monotonic() - begin < 10
    assert out == ""
    assert err.count("Traceback") == 1
    assert err.rstrip().endswith("KeyboardInterrupt")
    assert wait_until(lambda: not any(map(alive, pids)))


@pytest.mark.slow
@linux
def test_a_script_without_a_guard_runs_once_and_workers_do_not_print(tmp_path):
    parent = start_script(
        tmp_path,
        """
        results = run(["noise", "exit 3", "noise"])
        print([getattr(result, "kind", result) for _, result in results])
    """,
    )
    out, err = parent.communicate(timeout=60)
    assert out == "['quiet', 'Crash', 'quiet']\n"
    assert err == ""


HOST = """
    import multiprocessing, os, signal, time
    def linger():
        time.sleep(1000)
    def show(queue):
        import sys
        queue.put((os.environ.get("OMP_NUM_THREADS"), "torch" in sys.modules))
    def main():
        context = multiprocessing.get_context("forkserver")
        {before}
        print(run(["environment"])[0][1]["threads"])
        queue = context.Queue()
        context.Process(target=show, args=(queue,)).start()
        print(*queue.get())
        child = context.Process(target=linger)
        child.start()
        time.sleep(0.5)
        child.terminate()
        child.join(20)
        print(child.exitcode)
    if __name__ == "__main__":
        main()
"""


@pytest.mark.slow
@linux
@pytest.mark.parametrize("before", ["pass", "context.Process(target=show, args=(context.Queue(),)).start()"])
def test_the_hosts_processes_and_ours_do_not_affect_each_other(tmp_path, monkeypatch, before):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    host = start_script(tmp_path, HOST.replace("{before}", before))
    out, err = host.communicate(timeout=120)
    assert out.split() == ["1", "3", "False", "-15"], err


@pytest.mark.slow
@linux
def test_nothing_is_left_when_the_host_ends(tmp_path):
    host = start_script(tmp_path, "print(*run(['ancestors'])[0][1])")
    out, err = host.communicate(timeout=60)
    worker, nursery, server, *_ = map(int, out.split())
    assert wait_until(lambda: not any(map(alive, (worker, nursery, server)))), err


def test_a_server_whose_imports_do_not_end_ends_itself(tmp_path):
    """Nobody else would, if the run is killed meanwhile."""
    (tmp_path / "endless.py").write_text("import time; time.sleep(60)")
    changes = "server.PRELOAD = ('endless',); server._PRELOAD_SECONDS = 1"
    code = f"from fsbench.executors import server; {changes}; server.main()"
    ours, theirs = socket.socketpair()
    with ours, theirs:
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, stdin=theirs.fileno(), timeout=50, check=False
        )
    assert done.returncode == -signal.SIGALRM
