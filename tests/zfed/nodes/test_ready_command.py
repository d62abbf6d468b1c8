import shlex
import threading
import time
from pathlib import Path

import pytest

from zfed.errors import UsageError
from zfed.nodes.ready_command import ReadyCommand

NEVER = threading.Event()


def says(script, *, timeout_s=30.0, closing=NEVER):
    return ReadyCommand(f"sh -c {shlex.quote(script)}", timeout_s).unready(closing)


def test_exit_code_0_means_ready_whatever_is_written():
    assert says("echo all is well; echo really >&2") == ""


def test_the_last_line_says_why_not():
    assert says("echo looking; echo on battery; echo; exit 1") == "on battery"
    assert says("echo on a slow link >&2; exit 3") == "on a slow link"


def test_a_silent_command_says_its_exit_code():
    assert says("exit 3") == "its ready command ended with exit code 3"


def test_bytes_that_are_no_text_are_told_as_far_as_they_are():
    assert says(r"printf '\377x'; exit 1") == "\N{REPLACEMENT CHARACTER}x"


def gone(pid):
    """True once the process is no more, or only waits to be buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_command_that_does_not_end_is_killed():
    assert says("exec sleep 600", timeout_s=0.2) == "its ready command did not end within 0.2 s"


def test_a_command_is_ended_with_its_node_and_so_is_what_it_started(tmp_path):
    told, closing = tmp_path / "pid", threading.Event()
    script = f"sleep 600 & echo $! > {told}.new; mv {told}.new {told}; wait"
    thread = threading.Thread(target=says, args=(script,), kwargs={"timeout_s": 600.0, "closing": closing})
    thread.start()
    while not told.exists():
        time.sleep(0.01)
    closing.set()
    thread.join()
    child = int(told.read_text())
    while not gone(child):
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("no-such-command-anywhere --now", "there is no command 'no-such-command-anywhere'"),
        ("sh -c 'unfinished", "No closing quotation"),
        ("  ", "there is no command ''"),
    ],
)
def test_a_command_that_is_not_there_is_refused_at_once(command, why):
    with pytest.raises(UsageError) as raised:
        ReadyCommand(command, 1.0)
    assert why in str(raised.value)


def test_a_file_that_cannot_be_run_is_no_command(tmp_path):
    (tmp_path / "ready").write_text("#!/bin/sh")
    with pytest.raises(UsageError, match=r"there is no command .+ready. that can be run"):
        ReadyCommand(str(tmp_path / "ready"), 1.0)


def test_a_command_that_is_gone_by_now_is_a_reason_not_to_be_ready(tmp_path):
    script = tmp_path / "ready"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    command = ReadyCommand(str(script), 1.0)
    script.unlink()
    assert command.unready(NEVER) == "its ready command cannot be run: No such file or directory"
