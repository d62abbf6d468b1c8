from __future__ import annotations

import io
import logging
import os

import pytest

from zfed.telemetry.output import LastingStream


def test_a_closed_pipe_is_silently_written_to_nowhere() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        stream = LastingStream(pipe)
        for _ in range(3):
            stream.write("line\n")
            stream.flush()
    # closing the pipe flushed what was buffered: no error, since it flows to nowhere


def test_a_full_disk_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    class FullDisk(io.StringIO):
        def flush(self) -> None:
            raise OSError(28, "No space left on device")

    stream = LastingStream(FullDisk())
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            stream.write("line\n")
            stream.flush()
    assert [record.message for record in caplog.records] == [
        "output stopped: [Errno 28] No space left on device; the run goes on"
    ]


def test_letters_that_the_encoding_lacks_become_escapes() -> None:
    raw = io.BytesIO()
    stream = LastingStream(io.TextIOWrapper(raw, encoding="ascii"))
    stream.write("Zoë\n")
    stream.flush()
    assert raw.getvalue() == b"Zo\\xeb\n"


def test_a_closed_stream_is_no_terminal() -> None:
    closed = io.StringIO()
    closed.close()
    assert not LastingStream(closed).isatty()
