"""Ctrl-C is not lost where some code swallows the exception."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from fsbench import interrupts


@pytest.fixture(autouse=True)
def usual_signals() -> Iterator[None]:
    """The signals as in a terminal: `nohup` starts processes that ignore SIGHUP."""
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = [signal.signal(number, signal.SIG_DFL) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def swallow_ctrl_c() -> None:
    """Press Ctrl-C where the exception is cleared, as some extension modules do."""
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_a_swallowed_interrupt_is_raised_again_where_somebody_waits() -> None:
    with interrupts.heard():
        interrupts.check()
        swallow_ctrl_c()
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()
    interrupts.check()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_of_one_run_is_forgotten_in_the_next() -> None:
    with pytest.raises(KeyboardInterrupt), interrupts.heard():
        signal.raise_signal(signal.SIGINT)
    with interrupts.heard():
        interrupts.check()


def test_a_handler_of_the_caller_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    try:
        with interrupts.heard():
            signal.raise_signal(signal.SIGINT)
            interrupts.check()
    finally:
        signal.signal(signal.SIGINT, before)
    assert heard == [signal.SIGINT]


def test_a_run_in_another_thread_touches_no_handler() -> None:
    errors: list[BaseException] = []

    def run() -> None:
        try:
            with interrupts.heard():
                interrupts.check()
        except BaseException as error:  # noqa: BLE001 - the test shows whatever it was
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert errors == []


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_that_ends_a_process_does_so_when_all_is_in_order(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not hasattr(signal, name):
        pytest.skip(f"needs {name}")
    sent, number = [], getattr(signal, name)
    monkeypatch.setattr("os.kill", lambda process, number: sent.append(number))
    with pytest.raises(KeyboardInterrupt), interrupts.heard():
        signal.raise_signal(number)
    assert sent == []
    assert signal.getsignal(number) is signal.SIG_DFL
    interrupts.pass_on()
    assert sent == [number]
    interrupts.pass_on()
    assert sent == [number]


def test_a_run_in_another_thread_does_not_clear_a_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    monkeypatch.setattr("os.kill", lambda process, number: sent.append(number))

    def run() -> None:
        with interrupts.heard():
            pass
        interrupts.pass_on()

    with interrupts.heard():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        assert sent == []
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()
    interrupts.pass_on()
    assert sent == [signal.SIGTERM]


def test_ctrl_c_is_not_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.kill", lambda process, number: pytest.fail("a signal was sent"))
    with pytest.raises(KeyboardInterrupt), interrupts.heard():
        signal.raise_signal(signal.SIGINT)
    interrupts.pass_on()
