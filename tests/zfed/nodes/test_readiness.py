import queue
from datetime import datetime

import pytest

from zfed.config import NodeConfig
from zfed.errors import ConfigError, UsageError
from zfed.nodes.readiness import LONGEST, NOT_LOOKED, Readiness

NOON = datetime(2026, 11, 23, 12, 0)
SOON_S = 0.01
WAIT_S = 30.0


@pytest.fixture
def begin():
    """Starts to look; returns a queue of what is told."""
    started = []

    def start(ask_task=lambda answer: None, *, wall=lambda: NOON, task_says=False, **config):
        readiness = Readiness(
            NodeConfig(**{"ready_every_s": SOON_S, **config}), task_says=task_says, wall=wall
        )
        started.append(readiness)
        told = queue.Queue()
        readiness.start(told.put, ask_task)
        return told

    yield start
    for readiness in started:
        readiness.close()


def test_a_node_that_has_nothing_to_say_is_always_ready_and_looks_at_nothing(begin):
    always = Readiness(NodeConfig())
    assert not always
    assert always.unready == ""
    assert begin().empty()


def test_a_node_is_not_ready_before_it_has_looked():
    readiness = Readiness(NodeConfig(available="sat"))
    assert readiness
    assert readiness.unready == NOT_LOOKED


def test_a_node_whose_command_is_content_is_ready(begin):
    assert begin(ready_command="true", ready_every_s=WAIT_S).get(timeout=WAIT_S) == ""


def test_the_answer_follows_what_the_command_says(begin, tmp_path):
    flag = tmp_path / "mains"
    command = f"sh -c 'test -e {flag} || {{ echo on battery; exit 1; }}'"
    told = begin(ready_command=command, ready_every_s=0.2)
    assert told.get(timeout=WAIT_S) == "on battery"
    flag.touch()
    assert told.get(timeout=WAIT_S) == ""
    flag.unlink()
    assert told.get(timeout=WAIT_S) == "on battery"


def test_the_answer_follows_the_clock_on_the_wall(begin):
    times = [NOON, NOON.replace(hour=23), NOON.replace(hour=6)]
    told = begin(available="22:00-06:00", wall=lambda: times.pop(0) if len(times) > 1 else times[0])
    answers = [told.get(timeout=WAIT_S) for _ in range(3)]
    assert answers == ["it is available 22:00-06:00", "", "it is available 22:00-06:00"]


def test_a_task_that_is_busy_is_asked_once_and_answers_later(begin):
    asked = queue.Queue()
    told = begin(asked.put, task_says=True)
    answer = asked.get(timeout=WAIT_S)
    with pytest.raises(queue.Empty):
        asked.get(timeout=20 * SOON_S)
    answer("no network")
    assert told.get(timeout=WAIT_S) == "no network"
    asked.get(timeout=WAIT_S)("")
    assert told.get(timeout=WAIT_S) == ""


def test_the_hours_come_before_the_task(begin):
    told = begin(lambda answer: answer("no network"), task_says=True, available="22:00-06:00")
    assert told.get(timeout=WAIT_S) == "it is available 22:00-06:00"
    with pytest.raises(queue.Empty):
        told.get(timeout=20 * SOON_S)


def test_long_reasons_are_cut(begin):
    told = begin(lambda answer: answer("x" * 1000), task_says=True)
    assert told.get(timeout=WAIT_S) == "x" * LONGEST


def test_settings_that_cannot_work_are_refused_before_anything_is_looked_at():
    with pytest.raises(ConfigError, match="--available"):
        Readiness(NodeConfig(available="sometimes"))
    with pytest.raises(UsageError, match="no-such-command"):
        Readiness(NodeConfig(ready_command="no-such-command-anywhere"))
