"""A demo's trace: five parties' phases in one file, read as a viewer reads it."""

import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from itertools import pairwise

import pytest

from tests.free_port import free_port
from tests.processes import TASK

pytestmark = pytest.mark.processes

ROUNDS = 3
SETTINGS = """
[run]
bind = "tcp://127.0.0.1:{port}"
rounds = {rounds}
wait_for = "alice,bob,eve"
[evaluate]
every = 1
[report]
plot = false
"""


@pytest.fixture(scope="module")
def traced(tmp_path_factory):
    """The trace of a run, and the wall-clock times in microseconds between which it was."""
    folder = tmp_path_factory.mktemp("traced")
    nodes = (("worker", "alice"), ("worker", "bob"), ("evaluator", "eve"))
    tables = "".join(
        f'[[node]]\nkind = "{kind}"\nname = "{name}"\ntask = "{TASK}"\nset = {{pause_s = 0.02}}\n'
        for kind, name in nodes
    )
    settings = SETTINGS.format(port=free_port(), rounds=ROUNDS)
    (folder / "zfed.toml").write_text(settings + tables)
    path = folder / "trace.json"
    path.write_text("[\n")  # what an earlier run has left
    command = [*("demo", "--config", "zfed.toml", "--run", "run"), "--trace", path.name]
    began = time.time()
    done = subprocess.run(
        [sys.executable, "-m", "zfed_cli.main", *command],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "ZFED_TRACE": "another.json"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (folder / "another.json").exists()
    return Spans(path.read_text()), (began * 1e6, time.time() * 1e6)


class Spans:
    """All spans of a trace, by node."""

    def __init__(self, text):
        events = json.loads(text.removesuffix(",\n") + "]")
        nodes = {event["pid"]: event["args"]["name"] for event in events if event["name"] == "process_name"}
        assert len(nodes) == len(set(nodes.values())) == 4
        self.rows = defaultdict(list)
        self.of_node = defaultdict(list)
        for event in events:
            if event["ph"] == "X":
                self.rows[event["pid"], event["tid"]].append(event)
                self.of_node[nodes[event["pid"]]].append(event)

    def rounds(self, node, phase):
        """The rounds of all spans of this phase, in the order in which they began."""
        spans = sorted(self.of_node[node], key=lambda span: span["ts"])
        return [span["args"]["round"] for span in spans if span["name"] == phase]

    def one(self, node, phase, round, **facts):
        expected = {"round": round, **facts}
        [span] = [
            span
            for span in self.of_node[node]
            if span["name"] == phase and expected.items() <= span["args"].items()
        ]
        return span


def end_of(span):
    return span["ts"] + span["dur"]


def test_each_phase_of_each_round_is_there_once_for_each_node(traced):
    spans, _ = traced
    rounds = list(range(1, ROUNDS + 1))
    for worker in ("alice", "bob"):
        assert spans.rounds(worker, "download") == rounds
        assert spans.rounds(worker, "train") == rounds
        assert [number for number in spans.rounds(worker, "upload") if number > 0] == rounds
    assert spans.rounds("eve", "download") == rounds
    assert spans.rounds("eve", "evaluate") == rounds
    evaluations = [span for span in spans.of_node["eve"] if span["name"] == "evaluate"]
    assert [span["args"]["subject"] for span in evaluations] == ["federated"] * ROUNDS
    assert spans.rounds("coordinator", "round") == rounds
    assert spans.rounds("coordinator", "accumulate") == sorted(rounds * 2)
    assert spans.rounds("coordinator", "commit") == rounds


def test_phases_follow_one_another_within_their_round(traced):
    spans, _ = traced
    for number in range(1, ROUNDS + 1):
        whole = spans.one("coordinator", "round", number)
        commit = spans.one("coordinator", "commit", number)
        for worker in ("alice", "bob"):
            phases = [spans.one(worker, name, number) for name in ("download", "train", "upload")]
            accumulate = spans.one("coordinator", "accumulate", number, worker=worker)
            assert len({span["args"]["assignment"] for span in [*phases, accumulate]}) == 1
            download, train, upload = phases
            assert whole["ts"] <= download["ts"] <= end_of(download) <= train["ts"]
            assert train["dur"] >= 20_000, "as long as the task takes"
            assert end_of(train) <= upload["ts"] <= accumulate["ts"]
            assert end_of(accumulate) <= commit["ts"]
            assert download["args"]["bytes"] == upload["args"]["bytes"] == accumulate["args"]["bytes"] > 4000
        assert end_of(commit) <= end_of(whole)
        assert end_of(commit) <= spans.one("eve", "download", number)["ts"]


def test_spans_of_a_row_do_not_overlap(traced):
    spans, _ = traced
    for row in spans.rows.values():
        row.sort(key=lambda span: span["ts"])
        assert all(end_of(first) <= second["ts"] for first, second in pairwise(row))


def test_times_are_those_of_the_wall_clock(traced):
    spans, (began_us, ended_us) = traced
    for row in spans.rows.values():
        assert all(began_us <= span["ts"] and end_of(span) <= ended_us for span in row)
