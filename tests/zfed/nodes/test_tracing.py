import json
from itertools import count, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.zfed.strategies.contributions import contribution
from zfed.compression import Encodings
from zfed.engine import Fold, OpenPart, OpenRound
from zfed.facts import RoundCommitted, RoundRetried, RunEnded, UpdateAccepted
from zfed.nodes.coordinator_words import (
    BeginRound,
    CommitVersion,
    EncodeModel,
    FoldUpdate,
    InspectUpdate,
    JobFailed,
    ModelEncoded,
    Served,
    UpdateFolded,
    UpdateInspected,
    VersionReady,
)
from zfed.nodes.member_words import Phase
from zfed.nodes.tracing import CoordinatorTrace, TracedMember
from zfed.nodes.words import TimePassed
from zfed.params import ParameterLayout
from zfed.strategies import Bounds, Verdict
from zfed.telemetry import Trace
from zfed.wire.messages import Blob

INT8 = Encodings(ParameterLayout.build([("w", "F32", (2,), "average")])).at("int8")
NUMBERS = st.tuples(st.just(1), st.integers(1, 3))


class Script:
    """A member's logic that is in the middle of what a test says."""

    next_wake = 7.0

    def __init__(self):
        self.phases = []

    def start(self, now):
        return ["started", now]

    def handle(self, event, now):
        return [event, now]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "trace.json"


@pytest.fixture
def trace(path):
    """Its clock says 0, 1, 2, ..., one more each time it is asked."""
    with Trace(path, "node", clock=count().__next__) as opened:
        yield opened


def spans_of(path):
    events = json.loads(path.read_text().removesuffix(",\n") + "]")
    rows = {event["tid"]: event["args"]["name"] for event in events if event["name"] == "thread_name"}
    return [
        (rows[event["tid"]], event["name"], event["ts"], event["ts"] + event["dur"], event["args"])
        for event in events
        if event["ph"] == "X"
    ]


# ---- members ------------------------------------------------------------------------------------


def test_spans_are_the_phases_that_each_input_begins_and_ends(path, trace):
    script = Script()
    member = TracedMember(script, trace)
    download = Phase("download", (1, 4), 2, bytes=100)
    train, upload = Phase("train", (1, 4), 2), Phase("upload", (1, 4), 2, bytes=60)
    for phases in ([download], [download], [train], [upload], [upload, Phase("train", (1, 5), 3)], [], []):
        script.phases = phases
        member.handle(TimePassed(), 0.0)
    assert spans_of(path) == [
        ("orders", "download", 0, 1, {"round": 2, "assignment": "1.4", "bytes": 100}),
        ("orders", "train", 2, 3, {"round": 2, "assignment": "1.4"}),
        ("upload", "upload", 4, 6, {"round": 2, "assignment": "1.4", "bytes": 60}),
        ("orders", "train", 5, 7, {"round": 3, "assignment": "1.5"}),
    ]


def test_evaluation_says_whose_model_it_is_about(path, trace):
    script = Script()
    member = TracedMember(script, trace)
    for subject in ("federated", "alice"):
        script.phases = [Phase("evaluate", (1, 4), 2, subject)]
        member.handle(TimePassed(), 0.0)
    script.phases = []
    member.handle(TimePassed(), 0.0)
    assert [facts["subject"] for *_, facts in spans_of(path)] == ["federated", "alice"]


def test_download_whose_size_becomes_known_on_the_way_is_one_span(path, trace):
    script = Script()
    member = TracedMember(script, trace)
    for nbytes in (10, 20):
        script.phases = [Phase("download", (1, 1), 1, bytes=nbytes)]
        member.handle(TimePassed(), 0.0)
    script.phases = []
    member.handle(TimePassed(), 0.0)
    assert len(spans_of(path)) == 1


MOMENTS = st.lists(
    st.tuples(
        st.none() | st.builds(Phase, st.sampled_from(["download", "train"]), NUMBERS, st.just(1)),
        st.lists(st.builds(Phase, st.just("upload"), NUMBERS, st.just(1)), max_size=1),
    )
)


@given(moments=MOMENTS)
def test_each_visit_to_a_phase_is_one_span_and_no_two_of_a_row_overlap(tmp_path_factory, moments):
    path = tmp_path_factory.mktemp("law") / "trace.json"
    script, visits, before = Script(), 0, []
    with Trace(path, "node", clock=count().__next__) as trace:
        member = TracedMember(script, trace)
        for order, uploads in [*moments, (None, [])]:
            script.phases = uploads if order is None else [*uploads, order]
            member.handle(TimePassed(), 0.0)
            visits += len(set(script.phases) - set(before))
            before = script.phases
    spans = spans_of(path)
    assert len(spans) == visits
    assert not any("outcome" in facts for *_, facts in spans)
    for row in ("orders", "upload"):
        times = sorted((began, ended) for name, _, began, ended, _ in spans if name == row)
        assert all(ended <= began for (_, ended), (began, _) in pairwise(times))


def test_traced_member_does_what_the_logic_does(trace):
    member = TracedMember(Script(), trace)
    assert member.next_wake == 7.0
    assert member.start(1.0) == ["started", 1.0]
    assert member.handle(TimePassed(), 2.0) == [TimePassed(), 2.0]


# ---- coordinators -------------------------------------------------------------------------------


def begin(round, *cohort, attempt=1):
    numbers = {"round": round, "attempt": attempt, "version": round - 1}
    parts = tuple(
        OpenPart(node=node, assignment=(1, k), examples=1, round=round, version=round - 1)
        for k, node in enumerate(cohort)
    )
    limits = {"goal": len(parts), "updates": len(parts), "grid": 1.0, "value_range": 1.0, "max_norm": 1.0}
    return BeginRound(OpenRound(parts=parts, **limits, **numbers))


def accepted(node, round):
    return UpdateAccepted(node=node, round=round, examples=5, steps=1, seconds=0.5, bytes=60, metrics={})


def committed(round):
    empty = {"workers": [], "weights": [], "missing": [], "train": {}, "per_worker": {}}
    return RoundCommitted(
        round=round, rounds=3, version=round, seconds=1.0, bytes_down=200, bytes_up=60, **empty
    )


def test_round_lasts_from_its_opening_to_its_commit_and_an_answer_to_the_accepted_update(path, trace):
    watcher = CoordinatorTrace(trace)
    watcher.queued(begin(1, "alice", "bob"))
    watcher.queued(CommitVersion(1, {"round": 1}))
    watcher.observe(accepted("bob", 1))
    watcher.observe(committed(1))
    task = {"examples": 5, "task_seconds": 0.5}
    ends = {"outcome": "committed", "bytes_down": 200, "bytes_up": 60}
    assert spans_of(path) == [
        ("answer of bob", "answer", 2, 3, {"round": 1, "bytes": 60, **task}),
        ("answer of alice", "answer", 1, 4, {"round": 1, "outcome": "missing"}),
        ("rounds", "round", 0, 5, {"round": 1, "attempt": 1, "version": 0, **ends}),
    ]


def test_each_attempt_is_a_span_and_the_last_ends_with_the_run(path, trace):
    watcher = CoordinatorTrace(trace)
    watcher.queued(begin(1, "alice"))
    watcher.observe(RoundRetried(round=1, attempt=1, attempts=4, answered=[], missing=["alice"], needed=1))
    watcher.queued(begin(1, "alice", attempt=2))
    watcher.observe(
        RunEnded(
            **{"status": "stopped", "reason": "", "rounds_done": 0, "rounds": 3, "version": 0},
            **{"evaluated": False, "model": "", "metrics": "", "plot": "", "protected": True},
        )
    )
    rounds = [facts for row, _, _, _, facts in spans_of(path) if row == "rounds"]
    assert [(facts["attempt"], facts["outcome"]) for facts in rounds] == [(1, "retried"), (2, "stopped")]


def test_jobs_that_take_time_are_spans_and_their_results_are_passed_on(path, trace):
    fold = Fold(node="bob", assignment=(1, 2), round=1, update=contribution(5.0, "bob"), keep=False)
    served = Served(Blob(id="model:1", bytes=24, digest="sha256:0"), memoryview(b""), memoryview(b""))
    results = {
        InspectUpdate: UpdateInspected((1, 2), "xxh3-128:0", Verdict(norm=1.0, largest=1.0)),
        EncodeModel: ModelEncoded(0, "int8", served),
        FoldUpdate: UpdateFolded(fold, None),
        CommitVersion: VersionReady(1, served),
        BeginRound: None,
    }
    perform = CoordinatorTrace(trace).timed(lambda job: results[type(job)])
    for job in (
        begin(1),
        EncodeModel(0, INT8, 7),
        InspectUpdate((1, 2), "xxh3-128:0", [(0, b"abcd"), (4, b"ef")], INT8, Bounds(1.0)),
        FoldUpdate(fold, [(0, b"abcd"), (4, b"ef")]),
        CommitVersion(1, {"round": 1}),
    ):
        assert perform(job) is results[type(job)]
    assert spans_of(path) == [
        ("numbers", "encode", 0, 1, {"version": 0, "level": "int8"}),
        ("numbers", "inspect", 2, 3, {"assignment": "1.2", "bytes": 6}),
        ("numbers", "accumulate", 4, 5, {"round": 1, "worker": "bob", "assignment": "1.2", "bytes": 6}),
        ("numbers", "commit", 6, 7, {"round": 1, "version": 1, "bytes": 24}),
    ]


def test_job_that_failed_is_marked(path, trace):
    perform = CoordinatorTrace(trace).timed(lambda job: JobFailed("no space"))
    perform(CommitVersion(1, {"round": 1}))
    [(_, name, _, _, facts)] = spans_of(path)
    assert (name, facts["outcome"]) == ("commit", "failed")
