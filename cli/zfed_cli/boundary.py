"""The one place where errors become a line on stderr and an exit code."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from zfed.errors import TaskError, ZfedError

FAILED = 1
INTERRUPTED = 130
UNREAD = 141
"""128 + SIGPIPE, as a shell has it: who read the output, `head` perhaps, has had enough."""


def guarded(command: Callable[[], int], *, debug: bool = False) -> int:
    """Run a command; an error ends it with a sentence, not with a traceback.

    Args:
        command: Returns its exit code.
        debug: Let an unexpected error's traceback go to stderr instead of a file.
    """
    try:
        code = command()
        sys.stdout.flush()  # here, where it can still be told that nobody reads it
        return code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is still to be flushed
        return UNREAD
    except KeyboardInterrupt:
        _say("interrupted")
        return INTERRUPTED
    except ZfedError as error:
        if isinstance(error, TaskError) and error.__cause__ is not None:
            traceback.print_exception(error.__cause__)  # the user's own code: where it raised is what helps
        _say(str(error))
        return error.exit_code
    except Exception as error:
        where = "its traceback is above" if debug else _keep_traceback()
        if debug:
            traceback.print_exc()
        first_line = str(error).partition("\n")[0]
        _say(f"unexpected {type(error).__name__}: {first_line}; {where}")
        return FAILED


def leave(code: int) -> NoReturn:
    """End the process, even while a task that was asked to stop still computes in its thread.

    The interpreter's own way out would abort in the middle of that thread's C++ code.
    """
    if any(thread.daemon for thread in threading.enumerate()):
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)
    sys.exit(code)


def _say(message: str) -> None:
    print(f"zfed: {message}", file=sys.stderr)


def _keep_traceback() -> str:
    """Write the current error's traceback to a file, and say which."""
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="zfed-error-", suffix=".txt", delete=False, encoding="utf-8"
        ) as file:
            file.write(traceback.format_exc())
    except OSError:
        return "run it again with `zfed --debug` to see where"
    return f"its traceback is in {file.name}"
