import select
import socket
import threading
import time
from contextlib import closing, contextmanager, suppress

import pytest

from tests.zfed.transport.raw_client import frame, shaken_hands
from zfed.config import LimitsConfig
from zfed.transport import SocketConnector, SocketListener
from zfed.transport.sentry import LOOK_S, SURE_S

MIB = 1 << 20


def resident():
    with open("/proc/self/statm", "rb") as statm:
        return int(statm.read().split()[1]) * 4096


@pytest.fixture
def listener():
    with closing(SocketListener("tcp://127.0.0.1:*")) as made:
        yield made


def pumped(listener, until, *, patience_s=10.0):
    """Receive as a pump does until it is time to stop; the messages, and how much memory grew at most."""
    before, most, arrived = resident(), 0, []
    end = time.monotonic() + patience_s
    while not until(arrived):
        assert time.monotonic() < end, "it never came to an end"
        listener.pollables[0].poll(listener.look_again_s * 1000)
        listener.attend()
        while (message := listener.receive()) is not None:
            arrived.append(message)
        most = max(most, resident() - before)
    return arrived, most


def ended(listener):
    """True once a connection was ended."""
    return listener.counts["connections"]["endless"] > 0


@contextmanager
def sending(raw, data, times):
    """A client that sends the same again and again beside the test."""

    def run():
        with suppress(OSError):
            for _ in range(times):
                raw.sendall(data)

    sender = threading.Thread(target=run)
    with raw:
        sender.start()
        yield
        with suppress(OSError):  # reset already
            raw.shutdown(socket.SHUT_RDWR)  # ends the send that it is in the middle of
        sender.join()


@pytest.mark.parametrize(
    ("data", "times"),
    [
        (frame(bytes(MIB), more=True), 500),
        (frame(b"", more=True) * 1000, 5000),
        (frame(b"x" * 100, more=True) * 1000, 1000),
    ],
    ids=["large frames", "empty frames", "small frames"],
)
def test_a_message_that_never_ends_is_ended_before_it_takes_much_memory(listener, data, times):
    with sending(shaken_hands(listener.address), data, times):
        arrived, grown = pumped(listener, lambda _: ended(listener))
    assert arrived == []
    assert listener.counts["connections"]["endless"] == 1
    assert grown < 64 * MIB


def test_two_hundred_thousand_empty_frames_are_one_message_of_a_few(listener):
    message = frame(b"", more=True) * 199_999 + frame(b"", more=False)
    with sending(shaken_hands(listener.address), message, 1):
        [(_, frames, _)], grown = pumped(listener, lambda arrived: arrived)
    assert len(frames) < 10
    assert grown < 64 * MIB
    assert listener.counts["connections"]["endless"] == 0


def test_a_connection_that_says_nothing_is_ended_and_one_that_speaks_is_not():
    with (
        closing(SocketListener("tcp://127.0.0.1:*", limits=LimitsConfig(silence_s=1.5))) as listener,
        closing(SocketConnector()) as speaks,
        shaken_hands(listener.address) as silent,
        shaken_hands(listener.address) as drips,
    ):
        speaks.open(listener.address)
        drips.sendall(frame(b"hello", more=True))
        ended, end = [], time.monotonic() + 10.0
        while len(ended) < 2:
            assert time.monotonic() < end, listener.counts
            speaks.send(b"", [b"here"])
            with suppress(OSError):  # once ended
                drips.sendall(frame(b"x", more=True))
            pumped(listener, lambda arrived: arrived)
            ended = [raw for raw in (silent, drips) if select.select([raw], [], [], 0)[0]]
            time.sleep(0.05)
        assert listener.counts["connections"]["silent"] == 2
        assert not speaks.broken


def test_others_go_on_while_one_is_ended(listener):
    with closing(SocketConnector()) as other:
        other.open(listener.address)
        other.send(b"", [b"before"])
        with sending(shaken_hands(listener.address), frame(bytes(MIB), more=True), 500):
            pumped(listener, lambda _: ended(listener))
        other.send(b"", [b"after"])
        arrived, _ = pumped(listener, lambda arrived: arrived)
        assert bytes(arrived[-1][1][0]) == b"after"


def test_a_peer_that_sends_much_is_not_taken_for_one_that_never_ends(listener):
    """Also while nobody receives for a while, so that queues and kernel buffers are full."""
    with closing(SocketConnector()) as busy:
        busy.open(listener.address)
        for _ in range(300):
            busy.send(b"", [b"header", bytes(MIB)])
        taken = 0
        end = time.monotonic() + 10.0
        while taken < 300:
            assert time.monotonic() < end, f"{taken} messages came"
            time.sleep(SURE_S if taken % 50 else 2 * LOOK_S)
            listener.attend()
            for _ in range(25):
                taken += listener.receive() is not None
        assert listener.counts["connections"]["endless"] == 0


def test_a_slow_peer_may_take_its_time_for_one_message(listener):
    """While memory grows for other reasons, so that all are looked at."""
    raw = shaken_hands(listener.address)
    message = frame(b"{}", more=True) + frame(bytes(MIB), more=False)
    held = []
    with raw:
        for start in range(0, len(message), 64 << 10):
            raw.sendall(message[start : start + (64 << 10)])
            held.append(b"x" * (9 * MIB))
            time.sleep(LOOK_S)
            listener.attend()
            got = listener.receive()
        while got is None:
            got = listener.receive()
    assert len(got[1][1]) == MIB
    assert listener.counts["connections"]["endless"] == 0
