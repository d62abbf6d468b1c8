import pytest

from zfed.config import LimitsConfig
from zfed.wire.guard import BURST_S, TOLD, Guard

NODE, OTHER = b"route1", b"route2"


def messages_until_flood(guard, frames, *, every_s, most):
    """How many are heard before one is a flood; None if none is."""
    for number in range(most):
        breach = guard.look(NODE, frames, number * every_s)
        if breach is not None and breach.flood:
            return number
    return None


def test_a_flood_of_messages_is_stopped_after_its_burst():
    guard = Guard(LimitsConfig(messages=100))
    assert messages_until_flood(guard, [b"{}"], every_s=0.0, most=1000) == 100 * BURST_S
    assert guard.counts == {"messages": 1}


def test_messages_at_the_limit_are_all_heard():
    guard = Guard(LimitsConfig(messages=100))
    assert messages_until_flood(guard, [b"{}"], every_s=0.0101, most=5000) is None


def test_bytes_that_nobody_asked_for_are_limited():
    guard = Guard(LimitsConfig(unasked="1MiB"))
    assert messages_until_flood(guard, [b"{}", bytes(1 << 20)], every_s=0.0, most=10) == 1
    assert guard.counts == {"unasked": 1}


def test_bytes_that_were_asked_for_are_not():
    guard = Guard(LimitsConfig(unasked="1MiB"))
    for _ in range(1000):
        assert guard.look(NODE, [b"{}", bytes(1 << 20)], 0.0) is None
        guard.asked_for(NODE, 1 << 20)


def test_one_flood_leaves_others_alone():
    guard = Guard(LimitsConfig(messages=10))
    messages_until_flood(guard, [b"{}"], every_s=0.0, most=100)
    assert guard.look(OTHER, [b"{}"], 0.0) is None


@pytest.mark.parametrize(
    ("limit", "frames"),
    [
        ("frames", [b"{}", b"1", b"2"]),
        ("header", [bytes((256 << 10) + 1)]),
        ("chunk", [b"{}", bytes((1 << 20) + 1)]),
    ],
)
def test_a_message_out_of_shape_is_dropped_and_counted_but_its_sender_stays(limit, frames):
    guard = Guard()
    breach = guard.look(NODE, frames, 0.0)
    assert breach is not None
    assert (breach.limit, breach.flood) == (limit, False)
    assert guard.counts == {limit: 1}
    assert guard.look(NODE, [b"{}", bytes(1 << 20)], 0.0) is None


def test_sessions_of_one_node_are_limited_per_minute():
    guard = Guard(LimitsConfig(sessions=3))
    assert [guard.may_greet("alice", 0.0) for _ in range(5)] == [True, True, True, False, False]
    assert guard.may_greet("bob", 0.0)
    assert guard.may_greet("alice", 20.1)
    assert not guard.may_greet("alice", 20.1)
    assert guard.counts == {"sessions": 3}


def test_of_many_dropped_messages_a_few_are_told():
    guard = Guard()
    assert sum(guard.worth_telling(number / 1000) for number in range(10_000)) == TOLD + 9
