import os
import pty
import subprocess
import sys

import pytest

from tests.processes import PATIENCE_S, TASK
from zfed.identity import COORDINATOR

pytestmark = pytest.mark.processes


def test_a_worker_on_a_terminal_asks_once_for_the_coordinators_key_and_takes_part(fleet):
    coordinator = fleet.coordinator("--rounds", 1)
    fleet.key("alice")
    public = fleet.key(COORDINATOR).public
    words = ["worker", "--name", "alice", "--connect", fleet.address, "--task", TASK, "--format", "json"]
    person, terminal = pty.openpty()
    try:
        os.write(person, f"{public.text}\nyes\n".encode())
        worker = subprocess.run(
            [sys.executable, "-m", "zfed_cli.main", *words],
            stdin=terminal,
            stdout=subprocess.PIPE,
            stderr=terminal,
            env={**os.environ, "ZFED_KEYS": str(fleet.keys.path), "ZFED_STATE": str(fleet.folder / "state")},
            timeout=PATIENCE_S,
        )
        shown = os.read(person, 8192).decode()
    finally:
        os.close(person)
        os.close(terminal)
    assert (worker.returncode, coordinator.exit_code()) == (0, 0), shown
    assert f"Its fingerprint is {public.fingerprint}" in shown
    assert fleet.keys.known_coordinators.find(fleet.address) == public
