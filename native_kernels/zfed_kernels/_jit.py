"""The only place that knows numba: loops in, machine code out, wherever the code can be cached."""

from __future__ import annotations

import os
import stat
import tempfile
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

Signature = tuple[str, ...]
"""Types of a kernel's arguments: "float64" for a scalar, "in float32" or "out float32" for a 1-D array."""

_lock = threading.Lock()  # kernels may be warmed up in a thread while another calls one
_missing: str | None = None  # why numba cannot be used, once that is known


def compiled(loop: Callable[..., Any], signature: Signature) -> Callable[..., Any] | None:
    """Compile `loop` for a signature ahead of its first call; None where numba is missing.

    The first time numba turns out to be missing, one warning says so. Floating-point arithmetic is strict
    (no fastmath, no contraction): the exact grid and every NaN check depend on it.
    """
    with _lock:
        numba = _numba()
        if numba is None:
            return None
        return _compiled_and_cached(numba, loop, tuple(_numba_type(numba, word) for word in signature))


def _numba() -> Any:
    global _missing
    if _missing is None:
        try:
            import numba

            return numba
        except (ImportError, OSError) as error:  # OSError: llvmlite cannot load its shared library
            _missing = str(error)
            warnings.warn(
                f"numba cannot be used ({_missing}): kernels run on numpy, which gives the same results more "
                "slowly; `pip install numba` makes them fast",
                RuntimeWarning,
                stacklevel=2,
            )
    return None


def _numba_type(numba: Any, word: str) -> Any:
    access, _, name = word.rpartition(" ")
    scalar = getattr(numba.types, name)
    return numba.types.Array(scalar, 1, "C", readonly=access == "in") if access else scalar


def _compiled_and_cached(numba: Any, loop: Callable[..., Any], types: tuple[Any, ...]) -> Callable[..., Any]:
    """Compile with the first cache that works: package folder, the user's, a temporary one, none.

    numba itself tries the first two and raises if both are read-only. A cache can also be full, or hold an
    empty file after a power cut, so any failure of a cached attempt leads to the next.
    """
    for folder in (numba.config.CACHE_DIR, _private_temporary_folder()):
        if folder is None:
            continue
        previous, numba.config.CACHE_DIR = numba.config.CACHE_DIR, folder
        try:
            function: Callable[..., Any] = numba.njit([types], nogil=True, cache=True)(loop)
            return function
        except Exception:
            continue  # if the loop itself is at fault, the attempt without a cache says so
        finally:
            numba.config.CACHE_DIR = previous
    function = numba.njit([types], nogil=True)(loop)
    return function


def _private_temporary_folder() -> str | None:
    """A folder for this user alone; None if there cannot be one.

    numba's cache holds pickles: a folder that somebody else can write to would run their code.
    """
    user = os.getuid() if hasattr(os, "getuid") else 0
    folder = Path(tempfile.gettempdir()) / f"zfed-kernels-{user}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError:
        return None
    private = stat.S_ISDIR(status.st_mode) and status.st_uid == user and not status.st_mode & 0o077
    return str(folder) if private or os.name == "nt" else None
