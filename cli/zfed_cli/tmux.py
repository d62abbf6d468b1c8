"""Opens commands side by side in tmux."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zfed.errors import UsageError


@dataclass(frozen=True)
class Pane:
    """A command line for the shell, and the title above its pane."""

    title: str
    command: str


def session_name(run: str) -> str:
    """A name that tmux takes as one word for the run of this name; dots and colons part its targets."""
    return "-".join(["zfed", *re.findall(r"[A-Za-z0-9_-]+", run)])


def open_session(session: str, panes: Sequence[Pane]) -> None:
    """Open a detached session with one tiled window; a pane stays when its command has ended.

    Raises:
        UsageError: If there is no tmux, or such a session already.
    """
    if shutil.which("tmux") is None:
        raise UsageError("tmux is not installed; install it, or start the commands of --print yourself")
    if _tmux("has-session", "-t", f"={session}").returncode == 0:
        raise UsageError(
            f'there is a tmux session "{session}" already; see it with `tmux attach -t {session}`, '
            f"end it with `tmux kill-session -t {session}`, or choose another with --session"
        )
    first, *others = panes
    here = str(Path.cwd())
    target = f"={session}:"
    words = ["new-session", "-d", "-s", session, "-c", here, "-x", "200", "-y", "50", first.command]
    for option, value in (
        ("remain-on-exit", "on"),
        ("pane-border-status", "top"),
        ("pane-border-format", " #{pane_title} "),
    ):
        words += [";", "set-option", "-w", "-t", target, option, value]
    words += [";", "select-pane", "-t", target, "-T", first.title]
    for pane in others:
        words += [";", "split-window", "-t", target, "-c", here, pane.command]
        words += [";", "select-pane", "-t", target, "-T", pane.title]
        words += [
            ";",
            "select-layout",
            "-t",
            target,
            "tiled",
        ]  # each time: a full window has no room to split
    result = _tmux(*words)
    if result.returncode != 0:
        raise UsageError(f"tmux: {result.stderr.strip()}")


def attach(session: str) -> int:
    """Show the session here if this is a terminal, else say how to."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        print(f"tmux attach -t {session}")
        return 0
    inside = bool(os.environ.get("TMUX"))
    return subprocess.run(["tmux", "switch-client" if inside else "attach-session", "-t", session]).returncode


def _tmux(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["tmux", *words], capture_output=True, text=True)
