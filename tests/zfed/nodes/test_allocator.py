from __future__ import annotations

import platform
import subprocess
import sys

import pytest

SCRIPT = """
import ctypes, resource, sys
from zfed.nodes.allocator import keep_freed_chunks
if sys.argv[1] == "kept":
    assert keep_freed_chunks()
library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p
library.free.argtypes = [ctypes.c_void_p]
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    blocks = [library.malloc(1 << 20) for _ in range(8)]
    for block in blocks:
        ctypes.memset(block, 1, 1 << 20)
    for block in blocks:
        library.free(block)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    command = [sys.executable, "-c", SCRIPT, how]
    return int(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_chunks_that_come_and_go_are_faulted_in_once():
    pages_of_eight_chunks = 8 * 256
    assert faults("kept") < 2 * pages_of_eight_chunks
    assert faults("not kept") > 10 * pages_of_eight_chunks
