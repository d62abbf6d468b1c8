from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from zfed.errors import CheckpointError
from zfed.processes import STOP_LADDER, Child, Fleet

WAITING = "import time; print('up', flush=True); time.sleep(60)"
DEAF = f"from signal import *; signal(SIGINT, SIG_IGN); signal(SIGTERM, SIG_IGN); {WAITING}"


class Lines(list):
    """What children wrote, as (name, line)."""

    def __call__(self, child: Child, line: str) -> None:
        self.append((child.name, line))


def start(fleet: Fleet, name: str, script: str) -> Child:
    return fleet.start(name, [sys.executable, "-c", script], os.environ)


def wait_for_lines(fleet: Fleet, lines: Lines, count: int) -> None:
    for _ in range(200):
        if len(lines) >= count:
            return
        fleet.wait(0.1)
    pytest.fail(f"{count} lines expected, seen {lines}")


def test_lines_of_both_streams_arrive_whole_and_in_the_log(tmp_path):
    script = "import sys; print('a'); print('b', file=sys.stderr); sys.stdout.write('no newline')"
    lines = Lines()
    with Fleet(tmp_path / "logs", lines) as fleet:
        child = start(fleet, "alice", script)
        assert fleet.wait(10) is child
    assert sorted(lines) == [("alice", "a"), ("alice", "b"), ("alice", "no newline")]
    assert sorted((tmp_path / "logs" / "alice.log").read_text().splitlines()) == ["a", "b", "no newline"]


def test_wait_returns_each_ended_child_once_with_its_exit_code(tmp_path):
    with Fleet(tmp_path / "logs", Lines()) as fleet:
        codes = {start(fleet, str(code), f"raise SystemExit({code})").name: code for code in (0, 3)}
        ended = [fleet.wait(10), fleet.wait(10)]
        assert {child.name: child.exit_code for child in ended if child} == codes
        assert fleet.wait(0.2) is None


def test_all_rungs_of_the_ladder_together_take_less_than_five_seconds():
    assert sum(patience_s for _, patience_s in STOP_LADDER) < 5


def test_listening_for_a_line_does_not_hide_that_a_child_ended(tmp_path):
    lines = Lines()
    with Fleet(tmp_path / "logs", lines) as fleet:
        child = start(fleet, "a", "print('up')")
        fleet.listen_until(lambda: bool(lines), 10)
        fleet.listen_until(lambda: False, 0.2)
        assert lines == [("a", "up")]
        assert fleet.wait(10) is child


def test_leaving_the_context_ends_a_child_that_ignores_all_but_kill(tmp_path, monkeypatch):
    monkeypatch.setattr("zfed.processes.fleet.STOP_LADDER", [(number, 0.2) for number, _ in STOP_LADDER])
    lines = Lines()
    with Fleet(tmp_path / "logs", lines) as fleet:
        child = start(fleet, "deaf", DEAF)
        wait_for_lines(fleet, lines, 1)
    assert child.exit_code == -signal.SIGKILL


def test_stop_asks_gently_first(tmp_path):
    lines = Lines()
    with Fleet(tmp_path / "logs", lines) as fleet:
        child = start(fleet, "gentle", WAITING)
        wait_for_lines(fleet, lines, 1)
        fleet.stop()
        assert child.exit_code in (-signal.SIGINT, 1)
        assert "KeyboardInterrupt" in lines[-1][1]


def test_an_interrupt_during_the_stop_still_leaves_no_child(tmp_path, monkeypatch):
    def interrupted(self: Fleet) -> None:
        raise KeyboardInterrupt

    lines = Lines()
    fleet = Fleet(tmp_path / "logs", lines).__enter__()
    child = start(fleet, "deaf", DEAF)
    wait_for_lines(fleet, lines, 1)
    monkeypatch.setattr(Fleet, "stop", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fleet.__exit__(None, None, None)
    assert child.process.wait(5) == -signal.SIGKILL


def test_other_processes_are_left_alone(tmp_path):
    stranger = subprocess.Popen([sys.executable, "-c", WAITING], stdout=subprocess.DEVNULL)
    try:
        with Fleet(tmp_path / "logs", Lines()) as fleet:
            start(fleet, "mine", WAITING)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_name_with_a_slash_stays_in_the_log_folder(tmp_path):
    with Fleet(tmp_path / "logs", Lines()) as fleet:
        child = start(fleet, "../a b", "pass")
        assert fleet.log_path(child.name).parent == tmp_path / "logs"
        fleet.wait(10)


def test_the_last_error_is_the_last_line_of_standard_error(tmp_path):
    script = "import sys; print('why', file=sys.stderr, flush=True); print(file=sys.stderr); print('other')"
    with Fleet(tmp_path / "logs", Lines()) as fleet:
        child = start(fleet, "a", script)
        fleet.wait(10)
    assert child.last_error == "why"


def test_logs_that_cannot_be_kept_are_refused_with_the_remedy(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match=r"Not a directory; .*--run DIR"):
        Fleet(tmp_path / "file" / "logs", Lines()).__enter__()


def test_moved_logs_go_on_growing(tmp_path):
    lines = Lines()
    with Fleet(tmp_path / "run.logs", lines) as fleet:
        child = start(fleet, "a", "print('one', flush=True); import time; time.sleep(0.3); print('two')")
        wait_for_lines(fleet, lines, 1)
        (tmp_path / "run").mkdir()
        fleet.move_logs(tmp_path / "run" / "logs")
        fleet.wait(10)
        assert fleet.log_path(child.name).read_text() == "one\ntwo\n"
    assert not (tmp_path / "run.logs").exists()


def test_a_link_in_the_place_of_a_log_is_not_written_through(tmp_path):
    mine, logs = tmp_path / "mine", tmp_path / "logs"
    mine.write_text("precious")
    with Fleet(logs, Lines()) as fleet:
        (logs / "alice.log").symlink_to(mine)
        with pytest.raises(OSError, match="Too many levels of symbolic links"):
            start(fleet, "alice", WAITING)
    assert mine.read_text() == "precious"
