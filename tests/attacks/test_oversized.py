"""Frames, messages and headers larger or deeper than allowed: dropped or closed, in little memory."""

import time

import pytest

from tests.attacks.hostile_worker import HostileWorker
from tests.attacks.raw_peers import COMMAND, MORE, RawPeer, frame, frame_head
from zfed.facts import NodeRefused

MOST_GROWTH = 64 << 20
FRAME_LIMIT = (2 << 20) + (64 << 10)
"""MAXMSGSIZE in docs/wire.md."""
ALMOST = bytes(2 << 20)

CLOSED_AT_ONCE = {
    "a frame of 2^62 bytes": frame_head(2**62) + bytes(100_000),
    "a frame of 2^62 bytes with more to come": frame_head(2**62, flags=MORE) + bytes(100_000),
    "a frame of 2^64 - 1 bytes": frame_head(2**64 - 1) + bytes(100_000),
    "a command of 2^62 bytes": frame_head(2**62, flags=COMMAND) + bytes(100_000),
    "a frame of one byte above the limit": frame_head(FRAME_LIMIT + 1) + bytes(100_000),
    "a header of 10 MB": frame(bytes(10_000_000)),
}


@pytest.fixture
def mallory(site):
    """Enrolled, and connected."""
    with HostileWorker(site.address, "mallory", keys=site.enrolled("mallory")) as worker:
        yield worker


def dropped(site):
    """How many messages have been dropped so far."""
    return len(site.told(NodeRefused, code="malformed"))


@pytest.mark.parametrize("data", CLOSED_AT_ONCE.values(), ids=CLOSED_AT_ONCE.keys())
def test_who_announces_more_than_a_frame_may_have_is_closed(open_site, data):
    def attack():
        with RawPeer(open_site.address) as peer:
            peer.greet().say(data)
            assert peer.closed_within(5)

    before = dropped(open_site)
    assert open_site.peak_growth(attack) < MOST_GROWTH
    assert dropped(open_site) == before  # nothing of it became a message
    assert open_site.goes_on()


@pytest.mark.parametrize("mechanism", ["CURVE", "PLAIN", "GSSAPI", "\0" * 20])
def test_who_announces_2_62_bytes_instead_of_a_handshake_is_closed(site, mechanism):
    def attack():
        with RawPeer(site.address) as peer:
            peer.greet(mechanism).say(frame_head(2**62) + bytes(100_000))
            assert peer.closed_within(7)  # at the latest when the time for a handshake is over

    assert site.peak_growth(attack) < MOST_GROWTH
    assert site.goes_on()


NESTED = {
    "brackets in brackets": b"[" * 10_000 + b"]" * 10_000,
    "brackets that never end": b"[" * 200_000,
    "objects in objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "a known field": b'{"kind":"HELLO","partition":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "a known kind": b'{"kind":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
}

OVERSIZED = {
    "200,000 empty frames": [b""] * 200_000,
    "20 frames just under the limit": [ALMOST] * 20,
    "a header of 2 MiB": [b'{"kind":"HELLO","a":"' + b"a" * (2 << 20) + b'"}'],
    **{f"JSON: {name}": [text] for name, text in NESTED.items()},
}


@pytest.mark.parametrize("frames", OVERSIZED.values(), ids=OVERSIZED.keys())
def test_an_oversized_message_of_who_is_let_in_is_dropped_or_ends_its_connection(site, mallory, frames):
    def attack():
        assert mallory.say_frames(frames)
        until = time.monotonic() + 10
        while dropped(site) == before and not mallory.cut_off:
            assert time.monotonic() < until, site.coordinator.report("dropped message")
            mallory.hears_nothing(0.01)

    before = dropped(site)
    assert site.peak_growth(attack) < MOST_GROWTH
    assert site.goes_on()


def test_many_messages_just_under_the_limit_wait_in_little_memory(site, mallory):
    def attack():
        for _ in range(100):
            mallory.say_frames([ALMOST])
        mallory.hears_nothing(1)

    assert site.peak_growth(attack) < MOST_GROWTH
    assert site.goes_on()


@pytest.mark.parametrize(
    "data",
    [frame(b"", flags=MORE) * 200_000, frame(ALMOST, flags=MORE)],
    ids=["empty frames", "large frames"],
)
def test_a_message_that_never_ends_is_cut_off(open_site, data):
    """At 40 MB/s, or 4 million frames a second: over loopback 100 MB may come before anybody looks."""

    def attack():
        with RawPeer(open_site.address, patience_s=1) as peer:
            peer.greet()
            until = time.monotonic() + 10
            while peer.say(data):
                assert time.monotonic() < until
                time.sleep(0.05)  # the rate

    assert open_site.peak_growth(attack) < MOST_GROWTH
    assert open_site.goes_on()
