from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from zfed.errors import UsageError
from zfed.facts import Fact
from zfed.telemetry import open_observer


@pytest.mark.parametrize("format", ["auto", "lines", "json"])
def test_a_pipe_never_gets_control_characters(format: str, run_facts: list[Fact]) -> None:
    stream = io.StringIO()
    with open_observer(format, groups=["0-3", "4-6", "7-9"], stream=stream) as observer:
        for fact in run_facts:
            observer(fact)
    assert stream.getvalue().replace("\n", "").isprintable()


def test_an_unknown_format_names_those_there_are() -> None:
    with pytest.raises(UsageError, match="'xml': expected auto, table, lines or json"), open_observer("xml"):
        pass


def test_each_line_is_flushed_as_it_is_written(run_facts: list[Fact]) -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as pipe, open_observer("lines", stream=pipe) as observer:
        observer(run_facts[0])
        assert os.read(reader, 4096).startswith(b"run mnist-1")
    os.close(reader)


def test_a_reader_that_leaves_does_not_end_the_program() -> None:
    program = (
        "from zfed.facts import Disconnected\n"
        "from zfed.telemetry import open_observer\n"
        "with open_observer('lines') as observer:\n"
        "    for i in range(20000):\n"
        "        observer(Disconnected(reason=str(i)))\n"
        "raise SystemExit(7)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout, process.stderr:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=30) == 7


def test_a_piped_node_loads_neither_rich_nor_matplotlib() -> None:
    program = (
        "import sys\n"
        "from zfed.telemetry import open_observer\n"
        "with open_observer('lines'): pass\n"
        "print(sorted({'rich', 'matplotlib', 'numpy', 'zmq', 'torch'} & set(sys.modules)))\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
