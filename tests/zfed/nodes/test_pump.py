import threading
import time
from collections import deque

import pytest

from zfed.nodes.pump import Pump
from zfed.nodes.words import Finish, FramesArrived, RouteGone, SendFrames, StopRequested, TellFact, TimePassed

END = Finish("completed")


class Scripted:
    """A logic that answers each input as the script says, and writes down what it was told."""

    def __init__(self, script=(), *, first=(), wake=None):
        self.script = deque(script)
        self.first = list(first)
        self.wake = wake
        self.heard = []

    @property
    def next_wake(self):
        return self.wake

    def start(self, now):
        return self.first

    def handle(self, event, now):
        self.heard.append(event)
        return self.script.popleft() if self.script else []


class Mailbox:
    """A transport whose messages are here already."""

    pollables = ()
    refusal = ""
    look_again_s = 1.0
    uneasy = False

    def __init__(self, arrived=(), *, reachable=True):
        self.arrived = deque(arrived)
        self.reachable = reachable
        self.broken = False
        self.sent = []

    def attend(self):
        pass

    def receive(self):
        return self.arrived.popleft() if self.arrived else None

    def send(self, route, frames):
        self.sent.append((route, frames))
        return self.reachable

    def close(self):
        pass


@pytest.fixture
def driven():
    pumps = []

    def drive(logic, transport=None, perform=None):
        pumps.append(Pump(logic, transport or Mailbox(), perform or {}))
        return pumps[-1]

    yield drive
    for pump in pumps:
        pump.close()


def test_effects_are_performed_in_order_and_finish_ends_the_loop(driven):
    done = []
    effects = [TellFact("a"), SendFrames(b"r", [b"x"]), TellFact("b"), END]
    mailbox = Mailbox()
    assert driven(Scripted(first=effects), mailbox, {TellFact: done.append}).run() == END
    assert done == [TellFact("a"), TellFact("b")]
    assert mailbox.sent == [(b"r", [b"x"])]


def test_message_reaches_the_logic_with_its_route(driven):
    logic = Scripted([[END]])
    driven(logic, Mailbox([(b"r", [b"x"])])).run()
    assert logic.heard == [FramesArrived(b"r", [b"x"])]


def test_post_wakes_a_pump_that_waits(driven):
    logic = Scripted([[END]])
    pump = driven(logic)
    poster = threading.Timer(0.05, lambda: pump.post(StopRequested("now")))
    poster.start()
    started = time.monotonic()
    pump.run()
    assert time.monotonic() - started < 0.8  # the longest poll is a second
    assert logic.heard == [StopRequested("now")]
    poster.join()


def test_thousands_of_posts_all_arrive(driven):
    """More than the wake-up pipe holds."""
    logic = Scripted([[]] * 99_999 + [[END]])
    pump = driven(logic)
    for _ in range(100_000):
        pump.post(StopRequested(""))
    pump.run()
    assert len(logic.heard) == 100_000


def test_post_after_close_does_no_harm(driven):
    pump = driven(Scripted(first=[END]))
    pump.run()
    pump.close()
    pump.close()
    pump.post(StopRequested("too late"))


def test_unroutable_message_becomes_an_input_after_what_is_being_done(driven):
    done = []
    logic = Scripted([[END]], first=[SendFrames(b"r", []), TellFact("a")])
    driven(logic, Mailbox(reachable=False), {TellFact: done.append}).run()
    assert done == [TellFact("a")]
    assert logic.heard == [RouteGone(b"r")]


def test_broken_connection_is_told_after_what_came_over_it(driven):
    logic = Scripted([[], [], [END]])
    mailbox = Mailbox([(b"", [b"x"]), (b"", [b"y"])])
    mailbox.broken = True
    driven(logic, mailbox).run()
    assert logic.heard == [FramesArrived(b"", [b"x"]), FramesArrived(b"", [b"y"]), RouteGone(b"")]


def test_wake_in_the_past_does_not_keep_other_inputs_waiting(driven):
    logic = Scripted([[], [], [], []], wake=0.0)
    pump = driven(logic, Mailbox([(b"r", [b"x"])]))
    stopper = threading.Timer(0.1, lambda: (logic.script.clear(), logic.script.append([END]), pump.post(END)))
    stopper.start()
    pump.run()
    stopper.join()
    assert FramesArrived(b"r", [b"x"]) in logic.heard
    assert TimePassed() in logic.heard


def test_time_passes_when_it_was_asked_to(driven):
    logic = Scripted([[END]])
    logic.wake = time.monotonic() + 0.05
    driven(logic).run()
    assert logic.heard == [TimePassed()]
    assert time.monotonic() >= logic.wake


def test_turn_is_done_before_the_pump_waits_and_after_all_that_was_there_is_handled(driven):
    turns = []
    mailbox = Mailbox([(b"a", []), (b"b", [])])
    logic = Scripted([[], [], [END]], wake=0.0)
    pump = Pump(logic, mailbox, {}, lambda: turns.append(len(logic.heard)))
    assert pump.run() == END
    pump.close()
    assert turns == [0]
    assert [type(event) for event in logic.heard] == [FramesArrived, FramesArrived, TimePassed]


def test_whoever_posts_from_any_thread_at_any_moment_is_heard(driven):
    many, threads = 2000, 4
    logic = Scripted([[]] * (many * threads - 1) + [[END]])
    pump = driven(logic)

    def post_many():
        for _ in range(many):
            pump.post(StopRequested(""))

    posting = [threading.Thread(target=post_many) for _ in range(threads)]
    for thread in posting:
        thread.start()
    began = time.monotonic()
    assert pump.run() == END
    for thread in posting:
        thread.join()
    assert len(logic.heard) == many * threads
    assert time.monotonic() - began < 10.0
