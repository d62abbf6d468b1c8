import json
import subprocess
import sys
import threading
import time
from itertools import count

import pytest

from tests.zfed.checkpoint.limits import largest_file
from zfed.errors import UsageError
from zfed.telemetry.trace import Trace, open_trace, renew_trace, wall_clock


def events_of(path):
    """As viewers read it: the last comma dropped, the bracket added."""
    return json.loads(path.read_text().removesuffix(",\n") + "]")


def spans_of(path):
    return [event for event in events_of(path) if event["ph"] == "X"]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "trace.json"


def ticking(start=1000, step=10):
    return count(start, step).__next__


def test_span_has_its_row_its_time_and_its_facts(path):
    with Trace(path, "alice", clock=ticking()) as trace:
        trace.begin("key", "orders", "train", round=3)
        trace.end("key", bytes=7)
    process, row, span = events_of(path)
    assert (process["name"], process["args"]) == ("process_name", {"name": "alice"})
    assert (row["name"], row["args"]) == ("thread_name", {"name": "orders"})
    assert (span["name"], span["ts"], span["dur"]) == ("train", 1000, 10)
    assert span["args"] == {"round": 3, "bytes": 7}
    assert len({event["pid"] for event in (process, row, span)}) == 1
    assert span["tid"] == row["tid"] != process["tid"]


def test_context_is_a_span_also_if_it_is_left_by_an_error(path):
    def fail_within(trace):
        with trace.span("numbers", "commit", round=1) as facts:
            facts["bytes"] = 7
            raise ZeroDivisionError

    with Trace(path, "alice") as trace, pytest.raises(ZeroDivisionError):
        fail_within(trace)
    [span] = spans_of(path)
    assert (span["name"], span["args"]) == ("commit", {"round": 1, "bytes": 7})


def test_span_that_is_open_is_not_begun_again_and_one_that_is_not_open_does_not_end(path):
    with Trace(path, "alice", clock=ticking()) as trace:
        trace.end("key")
        trace.begin("key", "orders", "train", attempt=1)
        trace.begin("key", "orders", "train", attempt=2)
        trace.end("key")
        trace.end("key")
    [span] = spans_of(path)
    assert (span["ts"], span["args"]) == (1000, {"attempt": 1})


def test_what_is_open_at_the_end_is_written_as_unfinished(path):
    with Trace(path, "alice") as trace:
        trace.begin("key", "orders", "train")
    trace.close()
    trace.begin("later", "orders", "train")
    trace.end("later")
    assert [span["args"] for span in spans_of(path)] == [{"outcome": "unfinished"}]


def test_file_of_a_killed_node_opens_and_its_next_start_adds_to_it(path):
    program = (
        "import os, pathlib, signal, sys; from zfed.telemetry.trace import Trace\n"
        "trace = Trace(pathlib.Path(sys.argv[1]), 'alice')\n"
        "with trace.span('orders', 'download'): pass\n"
        "trace.begin('key', 'orders', 'train')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", program, str(path)], check=False).returncode == -9
    assert [span["name"] for span in spans_of(path)] == ["download"]
    with Trace(path, "alice") as trace, trace.span("orders", "train"):
        pass
    assert [span["name"] for span in spans_of(path)] == ["download", "train"]
    processes = [event for event in events_of(path) if event["name"] == "process_name"]
    assert len({process["pid"] for process in processes}) == 2, "each start is a process of its own"


def test_nodes_and_threads_write_to_one_file_at_once(path):
    each = 200

    def write(trace):
        for number in range(each):
            with trace.span("orders", "x" * 300, number=number):
                pass

    traces = [Trace(path, name) for name in ("alice", "bob")]
    threads = [threading.Thread(target=write, args=(trace,)) for trace in traces * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(spans_of(path)) == 4 * each


def test_clock_is_the_wall_clock_and_never_goes_back():
    clock = wall_clock()
    times = [clock() for _ in range(1000)]
    assert times == sorted(times)
    assert abs(times[-1] - time.time() * 1e6) < 1e6


@pytest.mark.parametrize("act", [lambda path: Trace(path, "alice"), renew_trace])
def test_file_that_is_no_trace_is_left_alone(path, act):
    path.write_text("[run]\nrounds = 3\n")
    with pytest.raises(UsageError, match="is no trace"):
        act(path)
    assert path.read_text() == "[run]\nrounds = 3\n"


def test_file_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"--trace .*gone/trace.json: cannot be written: No such file"):
        open_trace(str(tmp_path / "gone" / "trace.json"), "alice")


@pytest.mark.parametrize("room", [0, 20])
def test_full_disk_ends_the_trace_with_one_warning_and_no_half_line(path, caplog, room):
    trace = Trace(path, "alice")
    with largest_file(path.stat().st_size + room):
        for _ in range(3):
            with trace.span("orders", "train"):
                pass
    trace.close()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "no more is traced" in caplog.text
    assert spans_of(path) == []


def test_trace_of_an_earlier_run_makes_room_for_a_new_one(path):
    with Trace(path, "alice") as trace, trace.span("orders", "train"):
        pass
    for _ in range(2):
        renew_trace(path)
        assert path.read_text() == "[\n"
    path.unlink()
    renew_trace(path)
    assert path.read_text() == "[\n"


def test_setting_that_is_empty_means_no_trace():
    assert open_trace("", "alice") is None
