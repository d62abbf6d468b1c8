from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from zfed.processes import cpu_seconds, process_cpu_seconds

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


linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a clock of Linux")


@linux_only
def test_one_processes_time_is_what_it_measures_itself():
    before, used, after = time.process_time(), process_cpu_seconds(os.getpid()), time.process_time()
    assert used is not None
    assert before <= used <= after


@linux_only
def test_a_process_that_has_been_waited_for_has_no_time():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert process_cpu_seconds(process.pid) is None
