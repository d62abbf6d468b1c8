"""What somebody reads who sees every packet of a whole run."""

from pathlib import Path

import pytest

from tests.attacks.captured import Capture
from tests.attacks.marked_task import METRIC, METRIC_VALUE, TENSOR, first_model, step
from tests.free_port import free_port
from tests.processes import Fleet
from zfed.facts import NodeJoined, RunEnded

ROUNDS = 3
NAMES = {"mark-of-alice": "worker", "mark-of-bob": "worker", "mark-of-examiner": "evaluator"}
TASK = f"{Path(__file__).with_name('marked_task.py')}:Marked"
WINDOW_BYTES = 16
"""Long enough that it is not found by chance: 2**-128 for each place in an encrypted stream."""


def windows(values):
    """Pieces of a vector, from all over it."""
    data = values.tobytes()
    return [data[place : place + WINDOW_BYTES] for place in range(100, len(data) - WINDOW_BYTES, 10_007)]


SECRETS = {
    **{f"a piece of model {version}": windows(first_model() + version * step()) for version in range(ROUNDS)},
    "a piece of an update": windows(step()),
    "a node's name": [name.encode() for name in NAMES],
    "a tensor's name": [TENSOR.encode()],
    "a metric's name": [METRIC.encode()],
    "a metric's value": [str(METRIC_VALUE).encode()],
    "the run's name": [b"mark-of-run"],
    "JSON": [b'{"kind":"', b'"epoch":', b'"HELLO"', b'"TRAIN"', b'"CHUNK"', b'"digest":"sha256:'],
}


def found(streams):
    """Which secrets are in the clear: how many of the pieces of each."""
    counts = {
        name: sum(any(piece in stream for stream in streams) for piece in pieces)
        for name, pieces in SECRETS.items()
    }
    return {name: count for name, count in counts.items() if count}


@pytest.fixture
def captured(tmp_path):
    """Runs a whole run and gives what passed the wire."""
    fleet = Fleet(tmp_path)

    def run(*security):
        bind = f"tcp://127.0.0.1:{free_port()}"
        for name in NAMES:
            fleet.key(name)
        flags = ("--wait-for", ",".join(NAMES), "--rounds", ROUNDS, "--evaluate-every", 1, *security)
        with Capture(bind.rpartition(":")[2], tmp_path / "packets.pcap") as capture:
            coordinator = fleet.coordinator(*flags, bind=bind, run="mark-of-run")
            members = [
                fleet.member(kind, name, "--task", TASK, *security, connect=bind)
                for name, kind in NAMES.items()
            ]
            ends = [node.exit_code() for node in (coordinator, *members)]
        assert ends == [0] * 4, coordinator.report("good end")
        [ended] = coordinator.told(RunEnded)
        assert ended.rounds_done == ROUNDS
        assert {joined.node for joined in coordinator.told(NodeJoined)} == set(NAMES)
        return capture.streams()

    yield run
    fleet.close()


@pytest.mark.processes
def test_a_run_shows_no_parameter_name_metric_or_message_to_who_sees_all_packets(captured):
    streams = captured()
    assert sum(map(len, streams)) > 4 * ROUNDS * first_model().nbytes  # it has seen the models pass
    assert found(streams) == {}


@pytest.mark.processes
def test_the_same_search_finds_everything_where_nothing_is_encrypted(captured):
    streams = captured("--insecure")
    assert found(streams) == {name: len(pieces) for name, pieces in SECRETS.items()}
