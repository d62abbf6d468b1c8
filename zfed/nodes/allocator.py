"""glibc's allocator, told that chunks of a model come and go all the time."""

from __future__ import annotations

import ctypes

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
MMAP_THRESHOLD_BYTES = 64 << 20
TRIM_THRESHOLD_BYTES = (1 << 31) - 1


def keep_freed_chunks() -> bool:
    """Let freed chunks stay with the process instead of being returned and faulted in again.

    By default glibc maps every larger block anew, and a thread's own arena goes back to the kernel as soon as
    it is empty: a received chunk of 1 MiB then costs 256 page faults. Blocks up to 64 MiB come from one heap
    for all threads instead, of which up to 2 GiB may lie unused at its end. The largest use of a round is not
    larger for it (7.0 models instead of 8.0 with three workers), but what one round freed the next one has.

    Call it before other threads allocate.

    Returns:
        False where the C library is not glibc, or did not take the settings.
    """
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return False
    taken = [
        library.mallopt(_M_ARENA_MAX, 1),
        library.mallopt(_M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES),
        library.mallopt(_M_TRIM_THRESHOLD, TRIM_THRESHOLD_BYTES),
    ]
    return all(taken)
