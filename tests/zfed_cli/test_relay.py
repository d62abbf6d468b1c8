from __future__ import annotations

import subprocess
import sys

import orjson
import pytest

from zfed.facts import Disconnected, Fact, RunEnded, to_builtins
from zfed_cli.fleet import Child
from zfed_cli.relay import Relay


@pytest.fixture
def child():
    with subprocess.Popen([sys.executable, "-c", "pass"]) as process:
        yield Child("coordinator", process)


def line(fact: Fact) -> str:
    return orjson.dumps(to_builtins(fact)).decode()


ENDED = RunEnded(
    status="completed",
    reason="",
    rounds_done=1,
    rounds=1,
    version=1,
    evaluated=True,
    model="",
    metrics="",
    plot="",
    protected=False,
)


def test_the_coordinators_facts_go_to_observers_and_are_not_printed(child, capsys):
    seen: list[Fact] = []
    relay = Relay(width=11)
    relay.observe(child, seen.append)
    relay.pass_on(child, line(Disconnected(reason="x")))
    assert not relay.run_ended
    relay.pass_on(child, line(ENDED))
    assert seen == [Disconnected(reason="x"), ENDED]
    assert relay.run_ended
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("text", ["Traceback", "{", '{"fact":"Unheard"}', "{}", ""])
def test_other_lines_of_the_coordinator_are_printed_with_its_name(child, capsys, text):
    relay = Relay(width=12)
    relay.observe(child)
    relay.pass_on(child, text)
    assert capsys.readouterr().out == f" coordinator | {text}\n"


def test_a_worker_cannot_speak_as_the_coordinator(child, capsys):
    seen: list[Fact] = []
    relay = Relay(width=1)
    relay.observe(child, seen.append)
    relay.pass_on(Child("w", child.process), line(ENDED))
    assert not seen
    assert not relay.run_ended
    assert capsys.readouterr().out.startswith("w | {")
