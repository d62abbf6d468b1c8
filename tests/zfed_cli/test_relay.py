from __future__ import annotations

import subprocess
import sys

import orjson
import pytest

from zfed.facts import Connecting, Disconnected, Evaluated, Fact, RunEnded, to_builtins
from zfed.processes import Child
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


def test_a_workers_facts_are_told_in_words_under_its_name(child, capsys):
    seen: list[Fact] = []
    with Relay(width=6) as relay:
        relay.observe(child, seen.append)
        relay.pass_on(Child("alice", child.process), line(Disconnected(reason="the cable is out")))
    assert not seen
    out = capsys.readouterr().out
    assert out.startswith(" alice | ")
    assert "the cable is out" in out


def test_a_worker_cannot_end_the_run(child):
    relay = Relay(width=1)
    relay.observe(child)
    relay.pass_on(Child("w", child.process), line(ENDED))
    assert not relay.run_ended


def test_what_the_coordinator_tells_too_is_not_told_twice(child, capsys):
    evaluated = Evaluated(round=1, subject="federated", evaluator="eve", examples=1, metrics={})
    with Relay(width=1) as relay:
        relay.observe(child)
        for fact in (evaluated, ENDED):
            relay.pass_on(Child("eve", child.process), line(fact))
    assert capsys.readouterr().out == ""


def test_aside_keeps_standard_output_for_the_observers(child, capsys):
    with Relay(width=1, aside=True) as relay:
        relay.pass_on(Child("w", child.process), "a warning")
        connecting = Connecting(address="tcp://a:1", elapsed_s=1.0, remaining_s=None)
        relay.pass_on(Child("w", child.process), line(connecting))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("w | a warning\nw | ")
