from __future__ import annotations

import os
import signal
import threading

import pytest

from zfed.facts import RunEnded
from zfed_cli.running import run_node


def ended(status: str, reason: str = "") -> RunEnded:
    return RunEnded(
        status=status,
        reason=reason,
        rounds_done=0,
        rounds=1,
        version=0,
        evaluated=False,
        model="",
        metrics="",
        plot="",
        protected=False,
    )


class Waiting:
    """A node whose run lasts until it is stopped; signals itself when it runs."""

    def __init__(self, number: signal.Signals) -> None:
        self.number = number
        self.reason = ""
        self._stopped = threading.Event()

    def run(self) -> RunEnded:
        os.kill(os.getpid(), self.number)
        assert self._stopped.wait(5)
        return ended("stopped", self.reason)

    def stop(self, reason: str) -> None:
        self.reason = reason
        self._stopped.set()


class Done:
    def __init__(self, status: str) -> None:
        self.status = status

    def run(self) -> RunEnded:
        return ended(self.status)

    def stop(self, reason: str) -> None:
        pytest.fail(reason)


@pytest.mark.parametrize(("status", "code"), [("completed", 0), ("failed", 1), ("stopped", 1)])
def test_the_exit_code_says_how_the_run_ended(status, code):
    assert run_node(Done(status)) == code


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_the_node_and_is_the_exit_code(number, code):
    node = Waiting(number)
    assert run_node(node) == code
    assert node.reason


def test_handlers_are_as_before_when_the_run_is_over():
    before = signal.getsignal(signal.SIGINT)
    run_node(Done("completed"))
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_interrupt_does_not_wait_for_the_node():
    class Stubborn(Done):
        def run(self) -> RunEnded:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            return ended("stopped")

        def stop(self, reason: str) -> None:
            pass

    with pytest.raises(KeyboardInterrupt):
        run_node(Stubborn("stopped"))
