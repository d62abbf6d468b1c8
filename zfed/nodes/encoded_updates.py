"""An encoded update at the coordinator: put together and looked at."""

from __future__ import annotations

import numpy as np

from zfed.compression import Encoding
from zfed.compression.codec import Bytes
from zfed.errors import UpdateError
from zfed.nodes.coordinator_words import InspectUpdate, UpdateInspected
from zfed.nodes.words import Chunks
from zfed.strategies import UpdateInspector


def inspect(job: InspectUpdate) -> UpdateInspected:
    """Whether the numbers that an update stands for are good; it is decoded slice by slice, not kept."""
    inspector = UpdateInspector(job.encoding.layout, job.bounds)
    try:
        data = joined(job.chunks, job.encoding)
        job.encoding.check(data)
        for offset, values in job.encoding.slices(data):
            inspector.feed(offset, values.data)
        verdict = inspector.verdict(again=((offset, v.data) for offset, v in job.encoding.slices(data)))
    except UpdateError as error:
        return UpdateInspected(job.assignment, job.digest, error.flaw)
    return UpdateInspected(job.assignment, job.digest, verdict)


def joined(chunks: Chunks, encoding: Encoding) -> Bytes:
    """The encoded form in one piece; not copied if it came in one."""
    if len(chunks) == 1:
        [(_, data)] = chunks
        return np.frombuffer(data, np.uint8)
    whole = np.empty(encoding.nbytes, np.uint8)
    for offset, data in chunks:
        whole[offset : offset + len(data)] = np.frombuffer(data, np.uint8)
    return whole
