"""Vectors that are used again: fresh memory costs more than filling it."""

from __future__ import annotations

import weakref
from collections import deque

import numpy as np

from zfed.params.buffer import ParameterBuffer
from zfed.params.dtypes import Array
from zfed.params.layout import GROUP_ALIGNMENT, ParameterLayout


class BufferPool:
    """Lends buffers; each comes back by itself when nobody holds it any more.

    Nobody: no array, no tensor of a framework and no frame that still waits in a socket. So a buffer is never
    written to while somebody may read it, whoever kept it and however long. Threads may share a pool.

    Args:
        spare: How many returned buffers are kept for the next `take`; more are freed.
    """

    def __init__(self, spare: int = 1) -> None:
        self._spare: deque[Array] = deque(maxlen=spare)

    def take(self, layout: ParameterLayout) -> ParameterBuffer:
        """A buffer of this layout whose bytes may be anything: the caller writes them all."""
        nbytes = layout.nbytes
        space = self._fitting(nbytes)
        if space is None:
            space = np.empty(nbytes + GROUP_ALIGNMENT - 1, np.uint8)
        start = -space.ctypes.data % GROUP_ALIGNMENT
        # Through a memoryview: views of the array then refer to the array, not to `space` behind its back
        data = np.frombuffer(space.data[start : start + nbytes], np.uint8)
        weakref.finalize(data, self._spare.append, space).atexit = False
        return ParameterBuffer(layout, data)

    def _fitting(self, nbytes: int) -> Array | None:
        """A returned vector of the right size; those of another one are of a layout that nobody uses now."""
        while self._spare:
            space = self._spare.pop()
            if space.size == nbytes + GROUP_ALIGNMENT - 1:
                return space
        return None
