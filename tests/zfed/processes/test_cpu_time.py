from __future__ import annotations

import subprocess
import sys

import pytest

from zfed.processes import cpu_seconds

BURNING = """
import subprocess, sys, time
burn = "import time\\nwhile time.process_time() < 0.3: pass"
subprocess.run([sys.executable, "-c", burn])
child = subprocess.Popen([sys.executable, "-c", burn + "\\nprint('done', flush=True)\\ntime.sleep(60)"])
child.wait()
"""


@pytest.mark.skipif(cpu_seconds([]) is None, reason="no /proc on this system")
def test_descendants_running_or_ended_are_counted():
    process = subprocess.Popen(
        [sys.executable, "-c", BURNING], stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"done\n"
        used = cpu_seconds([process.pid])
        assert used is not None
        assert 0.5 < used < 5
    finally:
        import os
        import signal

        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.mark.skipif(cpu_seconds([]) is None, reason="no /proc on this system")
def test_no_sessions_use_no_time():
    assert cpu_seconds([]) == 0
