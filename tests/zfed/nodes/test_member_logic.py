import itertools
from dataclasses import dataclass, field

import numpy as np
import pytest

from zfed.facts import (
    Connected,
    Connecting,
    Disconnected,
    ReadinessChanged,
    StateNoted,
    TaskFailed,
    UpdateRefused,
    Waiting,
    WorkGivenUp,
)
from zfed.facts import Evaluated as EvaluatedFact
from zfed.nodes.admission import claim_of
from zfed.nodes.member_logic import MemberLogic
from zfed.nodes.member_words import (
    Connect,
    Disconnect,
    DropState,
    EnterRun,
    KeepState,
    Phase,
    ReadinessSaid,
    RenameState,
    ResultVector,
    SaveAgain,
    SettleState,
    StartWork,
    StopWork,
    WorkDone,
    WorkProgress,
    WorkRaised,
    WorkStopped,
    WorkUnsaved,
)
from zfed.nodes.words import Finish, FramesArrived, RouteGone, SendFrames, StopRequested, TellFact, TimePassed
from zfed.params import ParameterBuffer, TensorKind
from zfed.partition import Partition
from zfed.wire.codec import decode, encode
from zfed.wire.digests import blob_of, layout_blob
from zfed.wire.messages import (
    Accepted,
    Blob,
    Bye,
    Cancel,
    Chunk,
    Committed,
    Ended,
    Evaluate,
    Evaluated,
    Failed,
    Hello,
    Initialize,
    Ping,
    Pong,
    Pull,
    Refused,
    Train,
    Update,
    Vector,
    Welcome,
)

MODEL = ParameterBuffer.from_arrays(
    {"w": np.arange(4, dtype=np.float32), "fixed": np.ones(2), "mine": np.zeros(3)},
    kinds={"fixed": TensorKind.FROZEN, "mine": TensorKind.LOCAL},
)
EPOCH = 77


@dataclass
class Bench:
    """A member's logic between a scripted coordinator and a scripted task."""

    stay: bool = False
    stop_timeout_s: float = 60.0
    connect_timeout_s: float = 600.0
    addresses: tuple = ("here",)
    now: float = 0.0
    epoch: int = EPOCH
    effects: list = field(default_factory=list)
    heard: list = field(default_factory=list)

    def __post_init__(self):
        hello = Hello(
            protocol="zfed/1",
            node="alice",
            node_kind="worker",
            instance="0" * 32,
            version="0",
            layout=layout_blob("layout", MODEL.layout.shared.to_bytes()),
            examples=10,
            partition=claim_of(Partition()),
        )
        self.logic = MemberLogic(
            hello=hello,
            layout=MODEL.layout,
            addresses=self.addresses,
            stay=self.stay,
            stop_timeout_s=self.stop_timeout_s,
            connect_timeout_s=self.connect_timeout_s,
        )
        self.take(self.logic.start(self.now))

    def take(self, effects):
        for effect in effects:
            self.effects.append(effect)
            if isinstance(effect, SendFrames):
                self.heard.append(decode(effect.frames, sender="node"))

    def handle(self, event):
        self.take(self.logic.handle(event, self.now))

    def say(self, message, payload=None):
        self.handle(FramesArrived(b"", encode(message, epoch=self.epoch, payload=payload)))

    def wait(self, seconds):
        """Let time pass, from one wake to the next."""
        end = self.now + seconds
        while (wake := self.logic.next_wake) is not None and wake <= end:
            self.now = max(self.now, wake)
            self.handle(TimePassed())
        self.now = end

    def welcome(self, run="run", **changes):
        self.epoch += 1
        self.say(Welcome(run=run, ping_s=2, lost_s=10, protected=False, announcements=["beware"], **changes))
        return self

    def of(self, kind):
        return [effect for effect in self.effects if type(effect) is kind]

    def told(self, kind):
        return [effect.fact for effect in self.of(TellFact) if type(effect.fact) is kind]

    def said(self, kind):
        return [envelope.message for envelope in self.heard if type(envelope.message) is kind]

    def forget(self):
        self.effects.clear()
        self.heard.clear()

    def bring(self, *blobs):
        """Answer all pulls under way from these bytes by blob id."""
        answered = 0
        while answered < len(self.said(Pull)):
            pull = self.said(Pull)[answered]
            answered += 1
            data = dict(blobs).get(pull.blob)
            if data is not None:
                self.say(
                    Chunk(blob=pull.blob, offset=pull.offset), data[pull.offset : pull.offset + pull.bytes]
                )

    def finished(self, number, encoding="none"):
        """The task is done with an assignment: its delta is all ones."""
        delta = ParameterBuffer.filled(MODEL.layout.moving, {"w": np.ones(4, np.float32)})
        layout, data = memoryview(delta.layout.to_bytes()), delta.data.data
        digests = layout_blob("", layout).digest, blob_of("", data).digest
        vector = ResultVector("delta", layout, digests[0], data, digests[1], encoding)
        done = WorkDone(
            assignment=(1, number), vectors=(vector,), examples=10, steps=5, seconds=0.5, metrics={}
        )
        self.handle(done)


def vector(name, part, blob):
    layout = part.layout.to_bytes()
    return Vector(name=name, layout=layout_blob(f"layout:{name}", layout), data=blob_of(blob, part.data.data))


MOVING, FROZEN = MODEL.moving.data.tobytes(), MODEL.frozen.data.tobytes()
BLOBS = (("model:0", MOVING), ("model:1", MOVING), ("frozen", FROZEN))


def train(number=1, *, version=0, round=1, **changes):
    fields = {
        "assignment": (1, number),
        "round": round,
        "version": version,
        "model": vector("model", MODEL.moving, f"model:{version}"),
        "frozen": vector("frozen", MODEL.frozen, "frozen"),
        "seed": 9,
        "timeout_s": 60.0,
        "settings": {"batches": 3},
    }
    return Train(**{**fields, **changes})


def working(**options):
    """A bench whose task is at work on TRAIN 1."""
    bench = Bench(**options).welcome()
    bench.say(train())
    bench.bring(*BLOBS)
    assert len(bench.of(StartWork)) == 1
    bench.forget()
    return bench


def offered(**options):
    """A bench that has offered its update of TRAIN 1."""
    bench = working(**options)
    bench.finished(1)
    assert len(bench.said(Update)) == 1
    return bench


# ---- finding the coordinator ----------------------------------------------------------------------


def test_first_thing_is_a_connection_and_a_hello():
    bench = Bench()
    assert [type(effect) for effect in bench.effects] == [Connect, SendFrames]
    assert bench.said(Hello)[0].node == "alice"


def test_no_answer_leads_to_new_connections_ever_less_often_up_to_five_seconds():
    bench = Bench()
    times = []
    while bench.now < 60:
        before = len(bench.of(Connect))
        bench.wait(0.25)
        if len(bench.of(Connect)) > before:
            times.append(bench.now)
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert gaps[0] < 4
    assert max(gaps) <= 10.5
    assert gaps == sorted(gaps)


def test_waiting_is_told_every_five_seconds_and_ends_with_the_remedy():
    bench = Bench(connect_timeout_s=12.0)
    bench.wait(30)
    assert [(fact.elapsed_s, fact.remaining_s) for fact in bench.told(Connecting)] == [(5, 7), (10, 2)]
    [finish] = bench.of(Finish)
    assert finish.status == "failed"
    assert "no coordinator answered at here for 12 s; see --connect-timeout" in finish.reason
    assert bench.logic.next_wake is None


def test_several_addresses_are_tried_in_turn_and_all_named_at_the_end():
    bench = Bench(connect_timeout_s=12.0, addresses=("a", "b"))
    bench.wait(3)
    assert [connect.address for connect in bench.of(Connect)][:3] == ["a", "b", "a"]
    bench.wait(30)
    first = bench.told(Connecting)[0]
    assert {first.address, *first.others} == {"a", "b"}
    assert "no coordinator answered at a or b for 12 s" in bench.of(Finish)[0].reason


def test_lost_coordinator_is_looked_for_where_it_was_and_then_elsewhere():
    bench = Bench(addresses=("a", "b", "c"))
    bench.handle(RouteGone(b""))
    bench.wait(0)
    bench.welcome()
    assert bench.told(Connected)[0].address == "b"
    bench.forget()
    bench.handle(RouteGone(b""))
    bench.wait(5)
    assert [connect.address for connect in bench.of(Connect)] == ["b", "c", "a", "b"]


def test_once_the_time_is_up_nothing_is_still_tried():
    bench = Bench(connect_timeout_s=10.0)
    bench.wait(30)
    assert [fact.remaining_s for fact in bench.told(Connecting)] == [5]


def test_welcome_shows_what_the_owner_must_know():
    bench = Bench().welcome()
    assert bench.told(Connected)[0].announcements == ["beware"]


def test_refused_node_ends_with_the_reason():
    bench = Bench()
    bench.epoch = 0
    bench.say(Refused(about="hello", code="name-taken", reason="the name is in use"))
    assert bench.of(Finish) == [Finish("failed", "refused by the coordinator: the name is in use")]


def test_silence_of_a_coordinator_leads_to_a_new_connection():
    bench = Bench().welcome()
    bench.forget()
    bench.wait(9.9)
    assert bench.effects == []
    bench.wait(1.0)
    assert [type(effect) for effect in bench.effects] == [Disconnect, TellFact, Connect, SendFrames]
    assert bench.told(Disconnected)[0].reason == "silent for 10 s"


def test_ping_is_answered_with_how_far_the_work_is():
    bench = working()
    bench.handle(WorkProgress(assignment=(1, 1), done=2, total=3, metrics={"loss": 0.5}))
    bench.say(Ping(number=5))
    expected = Pong(number=5, work="train", assignment=(1, 1), done=2, total=3, metrics={"loss": 0.5})
    assert bench.said(Pong) == [expected]


# ---- what a trace is made of ----------------------------------------------------------------------


def test_phases_follow_an_order_from_its_download_to_its_accepted_update():
    bench = Bench().welcome()
    assert bench.logic.phases == []
    bench.say(train())
    assert bench.logic.phases == [Phase("download", (1, 1), 1)]
    assert bench.logic.phases[0].bytes == MODEL.layout.moving.nbytes + MODEL.layout.frozen.nbytes
    bench.bring(*BLOBS)
    assert bench.logic.phases == [Phase("train", (1, 1), 1)]
    bench.finished(1)
    assert bench.logic.phases == [Phase("upload", (1, 1), 1)]
    assert bench.logic.phases[0].bytes == bench.said(Update)[0].vectors[0].data.bytes
    bench.say(Accepted(assignment=(1, 1)))
    assert bench.logic.phases == []


def test_lost_connection_ends_downloads_and_uploads_but_not_the_work():
    bench = offered()
    bench.say(train(2, round=2))
    assert {phase.stage for phase in bench.logic.phases} >= {"upload"}
    bench.handle(RouteGone(b""))
    assert {phase.stage for phase in bench.logic.phases} <= {"train"}
    bench.wait(5)
    bench.welcome()
    assert Phase("upload", (1, 1), 1) in bench.logic.phases


@pytest.mark.parametrize(
    "answer",
    [
        Committed(assignment=(1, 1), version=1),
        Cancel(assignment=(1, 1), reason="late"),
        Refused(about="update", code="stale", reason="late", assignment=(1, 1)),
    ],
)
def test_upload_ends_with_whatever_becomes_of_the_update(answer):
    bench = offered()
    bench.say(answer)
    assert bench.logic.phases == []


def test_update_offered_under_another_number_is_another_upload():
    bench = offered()
    bench.say(train(2))
    assert bench.logic.phases == [Phase("upload", (1, 2), 1)]


def test_cancelled_work_lasts_until_the_task_has_stopped():
    bench = working()
    bench.say(Cancel(assignment=(1, 1), reason="late"))
    assert bench.logic.phases == [Phase("train", (1, 1), 1)]
    bench.handle(WorkStopped((1, 1)))
    assert bench.logic.phases == []


# ---- an order, from the model to the update's end -------------------------------------------------


def test_order_is_begun_once_the_model_is_here():
    bench = Bench().welcome()
    bench.say(train())
    assert bench.of(StartWork) == []
    bench.bring(*BLOBS)
    [work] = [effect.work for effect in bench.of(StartWork)]
    assert (work.kind, work.seed, work.settings) == ("train", 9, {"batches": 3})
    np.testing.assert_array_equal(work.parameters["w"], MODEL["w"])
    np.testing.assert_array_equal(work.parameters["fixed"], MODEL["fixed"])
    assert not work.parameters["w"].flags.writeable


def test_what_is_here_already_is_not_pulled_again():
    bench = working()
    bench.finished(1)
    bench.say(train(2, version=1, round=2))
    assert bench.of(StartWork)[-1].work.version == 1  # the same bytes under another name
    assert bench.said(Pull) == []


def evaluate(number=1, **changes):
    fields = {
        "assignment": (1, number),
        "round": 1,
        "version": 1,
        "subject": "federated",
        "model": vector("model", MODEL.moving, "model:1"),
        "frozen": vector("frozen", MODEL.frozen, "frozen"),
    }
    return Evaluate(**{**fields, **changes})


def evaluated_by_the_task(number=1):
    return WorkDone(
        assignment=(1, number), vectors=(), examples=4, steps=0, seconds=0.5, metrics={"loss": 1.0}
    )


def evaluator_with_a_result():
    bench = Bench().welcome()
    bench.say(evaluate())
    bench.bring(*BLOBS)
    bench.handle(evaluated_by_the_task())
    assert len(bench.said(Evaluated)) == 1
    bench.forget()
    return bench


def test_evaluation_is_told_again_on_every_session_until_it_is_accepted():
    bench = again(again(evaluator_with_a_result()))
    assert [result.assignment for result in bench.said(Evaluated)] == [(1, 1)]
    bench.say(Accepted(assignment=(1, 1)))
    assert again(bench).said(Evaluated) == []


def test_a_worker_says_at_home_that_it_was_its_held_out_data():
    bench = Bench().welcome()
    bench.say(evaluate())
    bench.bring(*BLOBS)
    bench.handle(evaluated_by_the_task())
    [fact] = [effect.fact for effect in bench.of(TellFact) if isinstance(effect.fact, EvaluatedFact)]
    assert fact.subject == "workers"


def test_evaluation_that_is_asked_for_again_is_told_again_and_not_done_again():
    bench = evaluator_with_a_result()
    bench.say(evaluate())
    assert [result.metrics for result in bench.said(Evaluated)] == [{"loss": 1.0}]
    assert bench.of(StartWork) == []


def test_evaluation_that_ends_without_a_session_is_told_on_the_next():
    bench = Bench().welcome()
    bench.say(evaluate())
    bench.bring(*BLOBS)
    bench.handle(RouteGone(b""))
    bench.handle(evaluated_by_the_task())
    assert bench.said(Evaluated) == []
    bench.wait(1.0)
    bench.welcome()
    assert len(bench.said(Evaluated)) == 1


@pytest.mark.parametrize("end", ["cancel", "run"])
def test_evaluation_that_nobody_wants_any_more_is_forgotten(end):
    bench = evaluator_with_a_result()
    if end == "cancel":
        bench.say(Cancel(assignment=(1, 1), reason="closed"))
    assert again(bench, run="another" if end == "run" else "run").said(Evaluated) == []


def test_evaluation_is_reported_and_no_update_is_held():
    bench = Bench().welcome()
    order = train()
    bench.say(
        Evaluate(
            assignment=(1, 1), round=1, version=0, subject="federated", model=order.model, frozen=order.frozen
        )
    )
    bench.bring(*BLOBS)
    bench.handle(
        WorkDone(assignment=(1, 1), vectors=(), examples=4, steps=0, seconds=0.1, metrics={"loss": 1.0})
    )
    [message] = bench.said(Evaluated)
    assert (message.examples, message.metrics) == (4, {"loss": 1.0})


def test_first_model_is_asked_for_without_anything_being_pulled():
    bench = Bench().welcome()
    bench.say(Initialize(assignment=(1, 1), seed=3))
    assert bench.of(StartWork)[0].work.kind == "initialize"


def test_first_model_that_is_held_is_offered_to_whoever_asks_again():
    bench = Bench().welcome()
    bench.say(Initialize(assignment=(1, 1), seed=3))
    bench.finished(1)
    bench.say(Initialize(assignment=(2, 1), seed=3))
    assert [update.assignment for update in bench.said(Update)] == [(1, 1), (2, 1)]
    assert bench.logic.backlog == (0, 1)
    assert len(bench.of(StartWork)) == 1
    bench.say(Initialize(assignment=(2, 2), seed=4))
    assert len(bench.of(StartWork)) == 2


def test_first_model_is_settled_by_an_order_to_train_should_nothing_else_have_said_so():
    bench = Bench().welcome()
    bench.say(Initialize(assignment=(1, 1), seed=3))
    bench.finished(1)
    bench.say(train(2))
    assert bench.logic.backlog[1] == 0
    assert bench.of(DropState) == [DropState((1, 1))]


def test_orders_are_done_one_after_another():
    bench = working()
    bench.say(train(2, round=2))
    assert bench.of(StartWork) == []
    bench.finished(1)
    assert bench.of(StartWork)[0].work.assignment == (1, 2)


def test_order_that_comes_twice_is_done_once():
    bench = working()
    bench.say(train())
    bench.finished(1)
    assert bench.of(StartWork) == []
    assert len(bench.said(Update)) == 1


def test_update_is_offered_and_its_bytes_can_be_pulled_until_it_is_committed():
    bench = offered()
    [update] = bench.said(Update)
    assert (update.examples, update.steps, update.version) == (10, 5, 0)
    blob = update.vectors[0].data
    bench.say(Pull(blob=blob.id, offset=4, bytes=8))
    chunk = bench.heard[-1]
    assert chunk.message == Chunk(blob=blob.id, offset=4)
    assert bytes(chunk.payload) == np.ones(2, np.float32).tobytes()
    bench.say(Committed(assignment=(1, 1), version=1))
    assert bench.of(KeepState) == [KeepState((1, 1))]
    bench.say(Pull(blob=blob.id, offset=0, bytes=4))
    assert bench.said(Refused)[0].code == "gone"
    bench.say(Committed(assignment=(1, 1), version=1))
    assert len(bench.of(KeepState)) == 1


def test_refused_update_is_dropped_and_told():
    bench = offered()
    bench.say(Refused(about="update", code="not-finite", reason="'w' is nan", assignment=(1, 1)))
    assert bench.of(DropState) == [DropState((1, 1))]
    [fact] = bench.told(UpdateRefused)
    assert (fact.node, fact.round, fact.code) == ("alice", 1, "not-finite")


def test_task_that_raised_is_told_whole_here_and_short_there():
    bench = working()
    bench.handle(WorkRaised(assignment=(1, 1), error="E" * 5000, traceback="T" * 5000))
    [failed] = bench.said(Failed)
    assert (len(failed.error), len(failed.traceback)) == (2000, 2000)
    assert len(bench.told(TaskFailed)[0].traceback) == 5000
    bench.say(train(2, round=2))
    assert bench.of(StartWork)


# ---- orders that are not wanted any more ----------------------------------------------------------


def test_cancel_stops_the_work_and_the_next_order_waits_until_it_has_stopped():
    bench = working()
    bench.say(Cancel(assignment=(1, 1), reason="closed"))
    assert bench.of(StopWork) == [StopWork((1, 1))]
    bench.say(train(2, round=2))
    assert bench.of(StartWork) == []
    bench.handle(WorkStopped((1, 1)))
    assert bench.of(StartWork)[0].work.assignment == (1, 2)


def test_result_that_crosses_its_cancel_is_dropped():
    bench = working()
    bench.say(Cancel(assignment=(1, 1), reason="closed"))
    bench.finished(1)
    assert bench.said(Update) == []
    assert bench.of(DropState) == [DropState((1, 1))]


def test_cancelled_download_is_pulled_no_further():
    bench = Bench().welcome()
    bench.say(train())
    bench.say(Cancel(assignment=(1, 1), reason="closed"))
    bench.bring(*BLOBS)
    assert bench.of(StartWork) == []
    bench.forget()
    bench.wait(8)
    assert bench.said(Pull) == []


def test_cancel_of_an_offered_update_drops_it():
    bench = offered()
    bench.say(Cancel(assignment=(1, 1), reason="closed"))
    assert bench.of(DropState) == [DropState((1, 1))]


def test_round_tried_again_gets_the_same_update_under_its_new_number():
    bench = offered()
    bench.say(train(5))
    assert bench.of(StartWork) == []
    assert bench.of(RenameState) == [RenameState((1, 1), (1, 5))]
    first, second = bench.said(Update)
    assert second.assignment == (1, 5)
    assert second.vectors == first.vectors


def test_order_that_says_what_counted_settles_it_before_it_is_begun():
    bench = offered()
    bench.forget()  # COMMITTED is lost
    bench.say(train(5, version=1, round=2, counted=(1, 1)))
    bench.bring(*BLOBS)
    assert [type(effect) for effect in bench.effects if not isinstance(effect, SendFrames)] == [
        SettleState,
        StartWork,
    ]
    assert bench.of(SettleState) == [SettleState((1, 1), 1)]
    assert bench.logic.phases[0].assignment == (1, 5)
    assert again(bench).said(Update) == []


def test_order_from_a_newer_version_ends_an_update_that_did_not_count():
    bench = offered()
    bench.say(train(5, version=1, round=2, counted=(1, 0)))
    assert bench.of(SettleState) == [SettleState((1, 0), 1)]
    assert again(bench).said(Update) == []


def test_order_that_comes_after_its_work_has_counted_is_not_done_again():
    bench = offered()
    bench.say(Committed(assignment=(1, 1), version=1))
    bench.say(train(1))
    assert bench.logic.phases == []
    bench.say(train(5, version=1, round=2, counted=(1, 3)))
    bench.say(train(3))
    assert bench.of(SettleState) == [SettleState((1, 3), 1)]


def test_order_that_names_nothing_that_counted_settles_nothing():
    bench = offered()
    bench.say(train(5, version=1, round=2))
    assert bench.of(SettleState) == []
    assert len(again(bench).said(Update)) == 1


# ---- models that cannot be used -------------------------------------------------------------------

OTHER = ParameterBuffer.from_arrays({"w": np.zeros(5, np.float32)})
RIGHT = train().model


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"model": vector("model", OTHER.moving, "model:0")}, "does not have the layout"),
        (
            {
                "model": Vector(
                    name="model",
                    layout=RIGHT.layout,
                    data=Blob(id="m", bytes=1, digest="xxh3-128:" + "0" * 32),
                )
            },
            "has 1 bytes, its layout",
        ),
        (
            {
                "vectors": [
                    Vector(
                        name="c",
                        layout=Blob(id="l", bytes=1 << 40, digest="xxh3-128:" + "0" * 32),
                        data=RIGHT.data,
                    )
                ]
            },
            "layout of vector 'c' has",
        ),
    ],
)
def test_order_that_does_not_fit_fails_before_a_byte_is_pulled(changes, error):
    bench = Bench().welcome()
    bench.say(train(**changes))
    assert error in bench.said(Failed)[0].error
    assert bench.said(Pull) == []


def test_model_that_arrives_damaged_is_never_trained_on():
    bench = Bench().welcome()
    bench.say(train())
    bench.bring(("model:0", bytes(len(MOVING))), ("frozen", FROZEN))
    assert bench.of(StartWork) == []
    assert "arrived with digest" in bench.said(Failed)[0].error


def test_model_that_is_not_served_any_more_fails_the_order():
    bench = Bench().welcome()
    bench.say(train())
    bench.say(Refused(about="blob", code="gone", reason="not served", blob="model:0"))
    assert "could not be fetched" in bench.said(Failed)[0].error


def test_vector_with_a_layout_of_its_own_comes_with_the_order():
    bench = Bench().welcome()
    control = ParameterBuffer.from_arrays({"c": np.full(3, 5.0)})
    bench.say(train(vectors=[vector("control", control, "control")]))
    bench.bring(*BLOBS, ("layout:control", control.layout.to_bytes()), ("control", control.data.tobytes()))
    [work] = [effect.work for effect in bench.of(StartWork)]
    np.testing.assert_array_equal(work.vectors["control"]["c"], control["c"])


# ---- broken connections ---------------------------------------------------------------------------


def again(bench, run="run", **changes):
    """The connection breaks, and the coordinator welcomes the node on the next one."""
    bench.handle(RouteGone(b""))
    bench.wait(1.0)
    bench.forget()
    return bench.welcome(run, **changes)


def test_work_goes_on_while_the_connection_is_away_and_is_offered_when_it_is_back():
    bench = working()
    bench.handle(RouteGone(b""))
    bench.finished(1)
    assert bench.said(Update) == []
    bench.wait(1.0)
    bench.welcome()
    assert [update.assignment for update in bench.said(Update)] == [(1, 1)]


def test_update_that_is_not_settled_is_offered_on_every_new_session():
    bench = again(again(offered()))
    assert len(bench.said(Update)) == 1
    bench.say(train())  # the coordinator may ask before it has read the offer
    assert bench.of(StartWork) == []
    assert len(bench.said(Update)) == 2


def test_download_goes_on_where_it_stopped():
    bench = Bench().welcome()
    bench.say(train())
    bench.bring(("model:0", MOVING))
    bench = again(bench)
    bench.say(train())
    assert {pull.blob for pull in bench.said(Pull)} == {"frozen"}
    bench.bring(*BLOBS)
    assert bench.of(StartWork)


def test_node_that_comes_to_another_run_forgets_the_one_before():
    bench = again(offered(), run="another")
    assert bench.said(Update) == []
    assert bench.of(DropState) == [DropState((1, 1))]
    bench.say(train())
    assert bench.of(StartWork)[0].work.assignment == (1, 1)


def test_run_of_the_same_name_and_another_key_is_another_run():
    bench = Bench().welcome(run_key="a" * 32)
    bench.say(train())
    bench.bring(*BLOBS)
    bench.finished(1)
    assert len(again(bench, run_key="a" * 32).said(Update)) == 1
    assert again(bench, run_key="b" * 32).said(Update) == []
    assert bench.of(DropState) == [DropState((1, 1))]
    assert bench.of(EnterRun) == [EnterRun("b" * 32)]


def test_training_at_hand_takes_the_number_of_a_coordinator_that_lost_the_old_one():
    bench = again(working())
    bench.say(train(assignment=(2, 1)))
    assert (bench.of(StartWork), bench.of(StopWork)) == ([], [])
    bench.finished(1)
    assert [update.assignment for update in bench.said(Update)] == [(2, 1)]
    assert bench.of(RenameState) == [RenameState((1, 1), (2, 1))]
    bench.say(Committed(assignment=(2, 1), version=1))
    assert bench.of(KeepState) == [KeepState((2, 1))]


def test_number_that_was_given_up_is_not_taken_back_when_it_comes_late():
    bench = working()
    bench.say(train(5))
    bench.say(train(1))
    bench.finished(1)
    assert [update.assignment for update in bench.said(Update)] == [(1, 5)]


def test_training_at_hand_takes_also_the_older_number_that_a_coordinator_came_back_with():
    bench = working()
    bench.say(train(5))
    bench = again(bench)
    bench.say(train(1))
    bench.finished(1)
    assert [update.assignment for update in bench.said(Update)] == [(1, 1)]


def test_repeat_of_an_order_that_is_over_is_dropped_until_the_next_session():
    bench = offered()
    bench.say(Committed(assignment=(1, 1), version=1))
    bench.forget()
    bench.say(train())
    assert (bench.said(Update), bench.of(StartWork), bench.logic.phases) == ([], [], [])
    bench = again(bench)
    bench.say(train())
    assert len(bench.logic.phases) == 1


def test_evaluation_that_is_accepted_is_not_done_again_when_its_order_comes_late():
    bench = evaluator_with_a_result()
    bench.say(Accepted(assignment=(1, 1)))
    bench.say(evaluate())
    assert (bench.said(Evaluated), bench.logic.phases) == ([], [])


def test_training_at_hand_under_a_new_number_is_stopped_by_that_number():
    bench = working()
    bench.say(train(5))
    bench.say(Cancel(assignment=(1, 1), reason="closed"))
    assert bench.of(StopWork) == []
    bench.say(Cancel(assignment=(1, 5), reason="closed"))
    assert bench.of(StopWork) == [StopWork((1, 1))]  # the task knows it under this one


def test_download_goes_on_under_a_new_number():
    bench = Bench().welcome()
    bench.say(train())
    bench.bring(("model:0", MOVING))
    bench = again(bench)
    bench.say(train(assignment=(2, 1)))
    assert {pull.blob for pull in bench.said(Pull)} == {"frozen"}
    bench.bring(*BLOBS)
    assert [effect.work.assignment for effect in bench.of(StartWork)] == [(2, 1)]


def test_queued_training_is_done_once_under_its_newest_number():
    bench = working()
    later = {"version": 1, "round": 2}
    bench.say(train(5, **later))
    bench.say(train(6, **later))
    bench.finished(1)
    bench.bring(*BLOBS)
    assert [effect.work.assignment for effect in bench.of(StartWork)] == [(1, 6)]


def test_another_model_of_the_same_version_is_another_training():
    bench = working()
    other = ParameterBuffer.filled(MODEL.layout.moving, {"w": np.zeros(4, np.float32)})
    order = train(5, model=vector("model", other, "model:0'"))
    bench.say(order)
    bench.finished(1)
    bench.bring(*BLOBS, ("model:0'", other.data.tobytes()))
    assert [effect.work.assignment for effect in bench.of(StartWork)] == [(1, 5)]


def test_order_of_another_run_is_not_taken_for_that_of_the_same_number_at_work():
    bench = again(working(), run="another")
    assert bench.of(StopWork) == [StopWork((1, 1))]
    bench.say(train())
    bench.handle(WorkStopped((1, 1)))
    assert bench.of(StartWork)[0].work.assignment == (1, 1)


# ---- what takes too long ----------------------------------------------------------------------------


def kept_alive(bench, seconds):
    """Let time pass in a session on which nothing comes but PING."""
    for number in range(int(seconds / 2)):
        bench.wait(2.0)
        bench.say(Ping(number=number))


def test_task_that_does_not_stop_is_said_and_then_ends_the_node():
    bench = working()
    bench.say(Cancel(assignment=(1, 1), reason="too late"))
    kept_alive(bench, 40)
    [waiting] = bench.told(Waiting)
    assert "the task, which was asked to stop training of round 1" in waiting.missing
    assert waiting.remaining_s == pytest.approx(30, abs=2)
    kept_alive(bench, 30)
    assert bench.said(Bye)
    [finish] = bench.of(Finish)
    assert finish.status == "failed"
    assert "stuck in training of round 1: it was asked to stop 60 s ago" in finish.reason
    assert "--stop-timeout" in finish.reason
    assert bench.logic.next_wake is None


def test_task_that_stops_late_but_in_time_goes_on_with_the_next_order():
    bench = working()
    bench.say(Cancel(assignment=(1, 1), reason="too late"))
    bench.say(train(2))
    kept_alive(bench, 50)
    bench.handle(WorkStopped((1, 1)))
    assert [effect.work.assignment for effect in bench.of(StartWork)] == [(1, 2)]
    kept_alive(bench, 30)
    assert bench.of(Finish) == []


def test_stuck_task_ends_the_node_also_while_nobody_is_there():
    bench = working(stop_timeout_s=5.0)
    bench.say(Cancel(assignment=(1, 1), reason="too late"))
    bench.handle(RouteGone(b""))
    bench.wait(6)
    assert bench.of(Finish)[0].status == "failed"


def test_training_stops_at_the_rounds_time_though_the_coordinator_is_gone():
    bench = working()
    bench.handle(RouteGone(b""))
    bench.wait(61)
    assert bench.of(StopWork) == []  # the coordinator's own word comes first
    bench.wait(5)
    assert bench.of(StopWork) == [StopWork((1, 1))]
    [given_up] = bench.told(WorkGivenUp)
    assert (given_up.work, given_up.waited_s) == ("training of round 1", 65)


def test_coordinator_that_came_back_gives_the_work_its_time_again():
    bench = working()
    kept_alive(bench, 50)
    bench = again(bench)
    kept_alive(bench, 50)
    assert bench.of(StopWork) == []
    kept_alive(bench, 20)
    assert bench.of(StopWork) == [StopWork((1, 1))]


def test_download_that_takes_longer_than_the_round_waits_is_given_up():
    bench = Bench().welcome()
    bench.say(train())
    kept_alive(bench, 66)
    assert bench.told(WorkGivenUp)
    assert bench.logic.phases == []


def test_download_that_stands_still_is_told_with_what_is_here():
    bench = Bench().welcome()
    bench.say(train())
    bench.bring(("model:0", MOVING))
    kept_alive(bench, 28)
    assert bench.told(Waiting) == []
    kept_alive(bench, 8)
    [waiting] = bench.told(Waiting)
    assert waiting.missing.startswith("the model for training of round 1 from here (0.0 of 0.0 MB are here)")
    assert 25 < waiting.remaining_s < 37


def test_download_that_moves_is_no_wait():
    bench = Bench().welcome()
    bench.say(train())
    kept_alive(bench, 20)
    bench.bring(("model:0", MOVING))
    kept_alive(bench, 20)
    assert bench.told(Waiting) == []


def test_update_that_nobody_takes_is_told():
    bench = offered()
    kept_alive(bench, 34)
    [waiting] = bench.told(Waiting)
    assert waiting.missing.startswith("here to take the update of round 1: nothing for 3")
    assert waiting.remaining_s is None


def test_node_that_works_or_has_no_order_waits_for_nothing():
    bench = working()
    kept_alive(bench, 50)
    bench.finished(1)
    bench.say(Accepted(assignment=(1, 1)))
    kept_alive(bench, 50)
    assert bench.told(Waiting) == []


# ---- a disk without room ----------------------------------------------------------------------------


def unsaved(**options):
    """A bench whose task is done with TRAIN 1, but cannot keep what it should."""
    bench = working(**options)
    bench.handle(WorkUnsaved((1, 1), "disk full"))
    return bench


def test_what_cannot_be_kept_is_said_and_tried_again_until_it_can():
    bench = unsaved()
    assert [fact.note for fact in bench.told(StateNoted)] == ["disk full; trying again"]
    kept_alive(bench, 2)
    assert bench.of(SaveAgain) == [SaveAgain((1, 1))]
    bench.handle(WorkUnsaved((1, 1), "disk full"))
    kept_alive(bench, 2)
    assert len(bench.of(SaveAgain)) == 2
    assert len(bench.told(StateNoted)) == 1
    assert bench.said(Update) == []
    bench.finished(1)
    assert len(bench.said(Update)) == 1


def test_lasting_want_of_room_is_told():
    bench = unsaved()
    for _ in range(20):
        kept_alive(bench, 2)
        bench.handle(WorkUnsaved((1, 1), "disk full"))
    assert "room for what the task keeps: disk full" in bench.told(Waiting)[0].missing


@pytest.mark.parametrize("trying", [False, True])
def test_work_that_was_never_saved_is_forgotten_when_it_is_cancelled(trying):
    bench = unsaved()
    if trying:
        kept_alive(bench, 2)
    bench.say(Cancel(assignment=(1, 1), reason="too late"))
    if trying:
        bench.handle(WorkUnsaved((1, 1), "disk full"))
    assert bench.of(DropState) == [DropState((1, 1))]
    assert bench.logic.phases == []
    kept_alive(bench, 4)
    assert len(bench.of(SaveAgain)) == int(trying)


def test_round_that_is_over_gives_up_what_was_never_saved():
    bench = unsaved()
    kept_alive(bench, 2)
    while not bench.told(WorkGivenUp):
        bench.handle(WorkUnsaved((1, 1), "disk full"))
        kept_alive(bench, 2)
    assert bench.of(DropState) == [DropState((1, 1))]


# ---- the end --------------------------------------------------------------------------------------

ENDED = Ended(status="completed", reason="", rounds_done=3, rounds=3, version=3)


def test_end_of_the_run_is_the_end_of_the_node():
    bench = working()
    bench.say(ENDED)
    assert bench.said(Bye)
    assert bench.of(StopWork) == [StopWork((1, 1))]
    [finish] = bench.of(Finish)
    assert (finish.status, finish.rounds_done) == ("completed", 3)
    assert bench.logic.next_wake is None


def test_node_that_stays_drops_everything_and_looks_for_the_next_run():
    bench = offered(stay=True)
    bench.say(ENDED)
    assert bench.said(Bye)
    assert bench.of(DropState) == [DropState((1, 1))]
    assert bench.of(Finish) == []
    bench.wait(24 * 3600.0)
    assert bench.of(Finish) == []
    bench.welcome("next")
    assert [fact.run for fact in bench.told(Connected)] == ["next"]


def test_node_that_stays_and_comes_too_early_tries_again():
    bench = Bench(stay=True)
    bench.epoch = 0
    bench.say(Refused(about="hello", code="ended", reason="the run has ended"))
    bench.forget()
    bench.wait(10)
    assert bench.said(Hello)


def test_stop_says_goodbye_and_stops_the_work():
    bench = working()
    bench.handle(StopRequested("interrupted"))
    assert bench.said(Bye)[0].reason == "interrupted"
    assert bench.of(StopWork)
    assert bench.of(Finish) == [Finish("stopped", "interrupted")]
    bench.forget()
    bench.say(train(9))
    assert bench.effects == []


# ---- readiness --------------------------------------------------------------------------------------


def test_readiness_is_told_to_the_owner_and_with_every_pong():
    bench = Bench()
    bench.welcome()
    bench.say(Ping(number=1))
    bench.handle(ReadinessSaid("on battery"))
    bench.say(Ping(number=2))
    assert [pong.unready for pong in bench.said(Pong)] == ["", "on battery"]
    [fact] = bench.told(ReadinessChanged)
    assert (fact.node, fact.kind, fact.unready) == ("alice", "worker", "on battery")


def test_a_node_that_connects_again_says_at_once_that_it_is_not_ready():
    bench = Bench()
    bench.handle(ReadinessSaid("on battery"))
    bench.welcome()
    bench.handle(RouteGone(b""))
    bench.wait(0.5)
    assert [hello.unready for hello in bench.said(Hello)] == ["", "on battery"]
