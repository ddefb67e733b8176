"""Progress in a notebook, in a real kernel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

manager = pytest.importorskip("jupyter_client.manager")

HERE = Path(__file__).parent
RUN = f"""
import sys
sys.path.insert(0, {str(HERE)!r})
import fake_executor
from fsbench import runner
from fsbench.progress import notebook
runner.get_registry = fake_executor.registry
notebook._SECONDS, fake_executor.FakeExecutor.pause = 0.02, 0.05
results = fake_executor.run("notebook-results", "erm,reason,double2", seeds=3)
"""
HOSTILE = """
from fsbench.progress.notebook import NotebookProgress
display = NotebookProgress()
display.doing("<script>alert(1)</script>")
display.warned("<img onerror=alert(1)>\\x1b[31m")
display.ended()
"""


@pytest.fixture(scope="module")
def kernel() -> Iterator[Any]:
    """A client of a kernel."""
    found = manager.KernelManager(transport="ipc")
    found.start_kernel()
    client = found.client()
    client.start_channels()
    client.wait_for_ready(timeout=120)
    yield client
    client.stop_channels()
    found.shutdown_kernel(now=True)
    found.cleanup_resources()


def outputs(client, code: str) -> list[tuple[str, str, str]]:
    """What a cell shows: the type of each message, the display that it is about, and its HTML."""
    messages: list[dict[str, Any]] = []
    client.execute_interactive(code, timeout=120, output_hook=messages.append)
    found = [(each["msg_type"], each["content"]) for each in messages]
    return [
        (kind, content["transient"]["display_id"], content["data"]["text/html"])
        for kind, content in found
        if kind not in ("status", "execute_input")
    ]


def test_a_run_has_one_display_that_is_drawn_again(kernel):
    shown = outputs(kernel, RUN)
    assert [kind for kind, *_ in shown] == ["display_data"] + ["update_display_data"] * (len(shown) - 1)
    assert len({identity for _, identity, _ in shown}) == 1
    pages = [page for *_, page in shown]
    assert "reading what is asked for" in pages[0]
    assert any("provisional" in page and "<td>double2</td>" in page for page in pages[1:-1])
    assert not any("helps" in page for page in pages)
    assert pages[-1].startswith("<p>9/9 trials, 3 failed in ")


def test_texts_of_strangers_are_no_html(kernel):
    pages = [page for *_, page in outputs(kernel, HOSTILE)]
    assert "&lt;script&gt;" in pages[0]
    assert pages[-1] == "<p>warning: &lt;img onerror=alert(1)&gt;\\x1b[31m</p>"
