from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from zfed.errors import ConfigError, DataError, TaskError
from zfed_cli.boundary import guarded


def raising(error: BaseException):
    def command() -> int:
        raise error

    return command


def test_a_commands_own_exit_code_passes():
    assert guarded(lambda: 7) == 7


@pytest.mark.parametrize(
    ("error", "code"),
    [(ConfigError("no such key"), 2), (DataError("no such file"), 1), (KeyboardInterrupt(), 130)],
)
def test_an_expected_error_is_one_line_and_its_exit_code(capsys, error, code):
    assert guarded(raising(error)) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"zfed: {error if str(error) else 'interrupted'}\n"


def test_an_unexpected_error_is_one_line_that_names_the_file_with_its_traceback(
    capsys, tmp_path, monkeypatch
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert guarded(raising(ZeroDivisionError("oh\nmore"))) == 1
    message = capsys.readouterr().err
    assert message.startswith("zfed: unexpected ZeroDivisionError: oh; its traceback is in ")
    kept = Path(message.rstrip().rpartition(" ")[2]).read_text()
    assert "raise error" in kept


def test_debug_shows_the_traceback_instead(capsys):
    assert guarded(raising(ZeroDivisionError("oh")), debug=True) == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_an_unexpected_error_is_told_even_where_nothing_can_be_written(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    assert guarded(raising(ZeroDivisionError("oh"))) == 1
    assert "run it again with `zfed --debug`" in capsys.readouterr().err


def test_a_thread_that_does_not_stop_keeps_neither_the_process_nor_its_exit_code():
    script = (
        "import threading, time\n"
        "from zfed_cli.boundary import leave\n"
        "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
        "print('said')\n"
        "leave(3)\n"
    )
    command = [sys.executable, "-c", script]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert (ended.returncode, ended.stdout) == (3, "said\n")


def test_what_a_users_task_raised_is_shown_with_its_traceback(capsys):
    def command() -> int:
        try:
            raise ZeroDivisionError("in my task")
        except ZeroDivisionError as error:
            raise TaskError("the task could not be prepared") from error

    assert guarded(command) == 1
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert "ZeroDivisionError: in my task" in told
    assert told.endswith("zfed: the task could not be prepared\n")


def test_output_that_nobody_reads_any_more_ends_the_command_without_a_word():
    script = "from zfed_cli.boundary import guarded, leave; leave(guarded(lambda: print('x' * 10**6) or 0))"
    writer = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    writer.stdout.close()
    errors = writer.stderr.read()
    writer.stderr.close()
    assert (writer.wait(30), errors) == (128 + signal.SIGPIPE, b"")
