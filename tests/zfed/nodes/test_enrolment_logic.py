from zfed.facts import Connecting
from zfed.nodes.enrolment_logic import EnrolmentLogic
from zfed.nodes.member_words import Connect, Disconnect
from zfed.nodes.words import Finish, FramesArrived, RouteGone, SendFrames, StopRequested, TellFact, TimePassed
from zfed.wire.codec import decode, encode
from zfed.wire.messages import Enroll, Enrolled, Refused, Welcome

ENROLL = Enroll(protocol="zfed/1", node="alice", key="zfed-key-a")
ENROLLED = Enrolled(node="alice", coordinator="zfed-key-c")


def logic(*addresses, **options):
    return EnrolmentLogic(enroll=ENROLL, addresses=addresses or ("tcp://a:1",), **options)


def shown(effects):
    """Effects, with the message in place of its frames."""
    return [
        decode(effect.frames, sender="node").message if isinstance(effect, SendFrames) else effect
        for effect in effects
    ]


def hear(device, message, now):
    return device.handle(FramesArrived(b"", encode(message, epoch=0)), now)


def test_it_connects_asks_and_is_done_when_it_is_told_so():
    device = logic()
    assert shown(device.start(0.0)) == [Connect("tcp://a:1"), ENROLL]
    assert hear(device, ENROLLED, 0.1) == [Finish("completed", "")]
    assert device.enrolled == ENROLLED
    assert device.next_wake is None


def test_a_refusal_ends_it_with_the_coordinators_sentence():
    device = logic()
    device.start(0.0)
    reason = "the invitation for alice was used by another device"
    refused = Refused(about="hello", code="invitation", reason=reason)
    assert hear(device, refused, 0.1) == [Finish("failed", f"refused by the coordinator: {reason}")]
    assert (device.enrolled, device.refusal_code) == (None, "invitation")


def test_an_invitation_that_is_not_known_ends_it_at_once():
    device = logic()
    device.start(0.0)
    [finish] = device.handle(RouteGone(b"", "not-enrolled"), 0.1)
    assert finish.status == "failed"
    assert "tcp://a:1 does not know this invitation (any more): ask for another, `zfed invite alice`" in (
        finish.reason
    )
    assert device.refusal_code == "key"


def test_a_coordinator_that_has_another_key_ends_it_once_that_is_no_accident():
    device = logic()
    device.start(0.0)
    now, effects = 0.0, []
    while not any(isinstance(effect, Finish) for effect in effects):
        effects = device.handle(RouteGone(b"", "handshake"), now)
        if device.next_wake is not None:
            now = device.next_wake
            device.handle(TimePassed(), now)
    assert 3.0 <= now < 10.0
    assert "is not the one that this invitation is from" in effects[-1].reason


def test_without_an_answer_it_asks_again_at_the_next_address_on_a_new_connection():
    device = logic("tcp://a:1", "tcp://b:1")
    device.start(0.0)
    effects = shown(device.handle(TimePassed(), device.next_wake))
    assert effects == [Disconnect(), Connect("tcp://b:1"), ENROLL]


def test_a_connection_that_breaks_is_made_again():
    device = logic()
    device.start(0.0)
    assert device.handle(RouteGone(b""), 0.1) == [Disconnect()]
    assert shown(device.handle(TimePassed(), device.next_wake)) == [Connect("tcp://a:1"), ENROLL]


def test_a_coordinator_that_is_not_there_is_waited_for_as_long_as_any_node_waits():
    device = logic(connect_timeout_s=12.0)
    device.start(0.0)
    effects = []
    while (wake := device.next_wake) is not None:
        now, effects = wake, [*effects, *device.handle(TimePassed(), wake)]
    assert now == 12.0
    told = [effect.fact.elapsed_s for effect in effects if isinstance(effect, TellFact)]
    assert told == [5.0, 10.0]
    assert all(isinstance(effect.fact, Connecting) for effect in effects if isinstance(effect, TellFact))
    reason = "no coordinator answered at tcp://a:1 for 12 s; see --connect-timeout"
    assert effects[-1] == Finish("failed", reason)


def test_it_can_be_stopped_while_it_waits():
    device = logic()
    device.start(0.0)
    assert device.handle(StopRequested("Ctrl-C"), 1.0) == [Finish("stopped", "Ctrl-C")]
    assert device.handle(RouteGone(b""), 1.1) == []


def test_bytes_that_are_no_message_and_messages_that_answer_nothing_change_nothing():
    device = logic()
    device.start(0.0)
    [told] = device.handle(FramesArrived(b"", [b"{"]), 0.1)
    assert isinstance(told, TellFact)
    assert hear(device, Welcome(run="r", ping_s=2.0, lost_s=10.0, protected=True), 0.2) == []
    assert device.enrolled is None
