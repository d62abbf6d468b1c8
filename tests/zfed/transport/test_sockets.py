import re
import resource
import socket
import time
import weakref
from contextlib import closing

import numpy as np
import pytest
import zmq

from zfed.errors import ConnectError, UsageError
from zfed.transport import SocketConnector, SocketListener, addresses_in
from zfed.transport.base import MAX_FRAMES
from zfed.transport.sockets import LINGER_MS, MAX_FRAME_BYTES

PATIENCE_S = 5.0


@pytest.fixture
def listener():
    made = SocketListener("tcp://127.0.0.1:*")
    yield made
    made.close()


@pytest.fixture
def connector(listener):
    made = SocketConnector()
    made.open(listener.address)
    yield made
    made.close()


@pytest.fixture
def stranger(listener):
    """A socket without any of zfed's options."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        socket.connect(listener.address)
        yield socket


def awaited(receive):
    until = time.monotonic() + PATIENCE_S
    while (arrived := receive()) is None:
        assert time.monotonic() < until, "nothing came"
        time.sleep(0.001)
    return arrived


def plain(frames):
    return [bytes(frame) for frame in frames]


def test_message_goes_up_and_its_answer_back_down(listener, connector):
    assert connector.send(b"", [b"header", b"payload"])
    route, frames, _ = awaited(listener.receive)
    assert plain(frames) == [b"header", b"payload"]
    assert listener.send(route, [b"answer"])
    assert awaited(connector.receive) == (b"", [b"answer"], "")


def test_large_payload_arrives_uncopied_and_whole(listener, connector):
    payload = bytes(range(256)) * 4096
    connector.send(b"", [b"h", payload])
    _, frames, _ = awaited(listener.receive)
    assert isinstance(frames[1], memoryview)
    assert frames[1] == payload


def test_nothing_waits(listener, connector):
    assert listener.receive() is None
    assert connector.receive() is None


def test_unroutable_message_is_told(listener):
    assert not listener.send(b"nobody", [b"x"])


def test_route_of_a_closed_connection_becomes_unroutable(listener, connector):
    connector.send(b"", [b"x"])
    route, _, _ = awaited(listener.receive)
    connector.disconnect()
    until = time.monotonic() + PATIENCE_S
    while listener.send(route, [b"x"]):
        assert time.monotonic() < until
        time.sleep(0.01)


def test_every_connection_has_a_route_of_its_own(listener, connector):
    routes = []
    for _ in range(2):
        connector.open(listener.address)
        connector.send(b"", [b"x"])
        routes.append(awaited(listener.receive)[0])
    assert routes[0] != routes[1]


def test_connector_that_is_not_open_takes_nothing():
    connector = SocketConnector()
    assert connector.pollables == ()
    assert connector.receive() is None
    assert not connector.send(b"", [b"x"])
    connector.close()


def test_connectors_of_one_process_may_share_a_context_and_each_is_closed_alone(listener):
    with zmq.Context() as context:
        first, second = SocketConnector(context), SocketConnector(context)
        for each in (first, second):
            each.open(listener.address)
        first.close()
        assert second.send(b"", [b"still here"])
        assert plain(awaited(listener.receive)[1]) == [b"still here"]
        second.close()


def test_what_was_sent_on_a_connection_that_never_answered_is_not_sent_after_it_was_dropped():
    with socket.create_server(("127.0.0.1", 0)) as mute:
        connector = SocketConnector()
        connector.open(f"tcp://127.0.0.1:{mute.getsockname()[1]}")
        assert connector.send(b"", [b"hello"])
        started = time.monotonic()
        connector.close()
        assert time.monotonic() - started < LINGER_MS / 2000


def test_connection_that_the_coordinator_closed_is_broken_at_once():
    with closing(SocketConnector()) as connector:
        with closing(SocketListener("tcp://127.0.0.1:*")) as listener:
            assert not connector.broken
            connector.open(listener.address)
            connector.send(b"", [b"x"])
            awaited(listener.receive)
            assert not connector.broken
        until = time.monotonic() + PATIENCE_S
        while not connector.broken:
            assert time.monotonic() < until
            time.sleep(0.01)
        connector.disconnect()
        assert not connector.broken


def test_lost_coordinator_makes_sends_fail_instead_of_queueing_for_another():
    first = SocketListener("tcp://127.0.0.1:*")
    connector = SocketConnector()
    connector.open(first.address)
    connector.send(b"", [b"x"])
    awaited(first.receive)
    first.close()
    until = time.monotonic() + PATIENCE_S
    while connector.send(b"", [b"x"]):
        assert time.monotonic() < until
        time.sleep(0.01)
    second = SocketListener(first.address)
    time.sleep(0.2)
    assert second.receive() is None  # nothing was queued, nobody connected by himself
    connector.close()
    second.close()


def test_address_in_use_is_said(listener):
    with pytest.raises(ConnectError, match=r"is in use, perhaps by another coordinator.*--bind"):
        SocketListener(listener.address)


def test_address_of_another_machine_is_said():
    with pytest.raises(ConnectError, match="not an address of this machine"):
        SocketListener("tcp://192.0.2.1:8777")


@pytest.mark.parametrize("address", ["", "nonsense", "tcp://", "udp://127.0.0.1:1", "tcp://127.0.0.1:99999"])
def test_no_address_is_a_usage_error(address):
    with pytest.raises((UsageError, ConnectError)):
        SocketListener(address)
    with closing(SocketConnector()) as connector, pytest.raises(UsageError, match="expected tcp://HOST:PORT"):
        connector.open(address)


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("tcp://a:1", ("tcp://a:1",)),
        ("tcp://a:1, tcp://[::1]:2,,tcp://a:1", ("tcp://a:1", "tcp://[::1]:2")),
    ],
)
def test_list_of_addresses_holds_each_once_in_its_order(text, addresses):
    assert addresses_in(text) == addresses


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no address to connect to: expected tcp://HOST:PORT"),
        ("tcp://a:1,nonsense", "cannot connect to 'nonsense': expected tcp://HOST:PORT"),
        ("tcp://a:1,tcp://b:99999", "port 99999"),
    ],
)
def test_list_with_anything_else_is_refused_before_a_connection_is_tried(text, said):
    with pytest.raises(UsageError, match=re.escape(said)):
        addresses_in(text)


def test_oversize_frame_ends_its_connection_and_hurts_nobody_else(listener, connector, stranger):
    stranger.send(bytes(MAX_FRAME_BYTES + 1))
    connector.send(b"", [b"still here"])
    assert plain(awaited(listener.receive)[1]) == [b"still here"]
    time.sleep(0.05)
    assert listener.receive() is None


def test_frames_of_a_message_are_kept_up_to_a_limit_however_many_come(listener, stranger):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    stranger.send_multipart([b""] * 200_000)
    _, frames, _ = awaited(listener.receive)
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert len(frames) == MAX_FRAMES
    assert grown_kib < 64 << 10  # libzmq's own queue of small frames, on both sides of this one process


def test_many_messages_keep_their_order(listener, connector):
    for number in range(500):
        connector.send(b"", [str(number).encode()])
    arrived = [awaited(listener.receive)[1][0] for _ in range(500)]
    assert [int(frame) for frame in arrived] == list(range(500))


# ---- the same bytes for many ------------------------------------------------------------------------


def test_bytes_that_are_sent_to_many_arrive_at_each(listener):
    model = memoryview(bytes(range(256)) * 400).toreadonly()
    with zmq.Context() as context:
        many = [SocketConnector(context) for _ in range(20)]
        for connector in many:
            connector.open(listener.address)
            assert connector.send(b"", [b"pull"])
        for route in [awaited(listener.receive)[0] for _ in many]:
            assert listener.send(route, [b"header", model])
        for connector in many:
            assert plain(awaited(connector.receive)[1]) == [b"header", bytes(model)]
            connector.close()


def test_other_bytes_after_those_are_not_taken_for_them(listener, connector):
    connector.send(b"", [b"pull"])
    route, _, _ = awaited(listener.receive)
    models = [memoryview(bytes([number]) * 100_000) for number in range(3)]
    for model in (models[0], models[0], models[1], models[2], models[0]):
        assert listener.send(route, [model])
    assert [awaited(connector.receive)[1][0][0] for _ in range(5)] == [0, 0, 1, 2, 0]


def test_bytes_that_were_sent_are_let_go_when_nobody_asks_for_more(listener, connector):
    connector.send(b"", [b"pull"])
    route, _, _ = awaited(listener.receive)
    model = np.zeros(1 << 20, np.uint8)
    gone = weakref.ref(model)
    assert listener.send(route, [model.data])
    del model
    assert len(awaited(connector.receive)[1][0]) == 1 << 20
    until = time.monotonic() + PATIENCE_S
    while gone() is not None:
        assert listener.receive() is None
        assert time.monotonic() < until, "it is still held"
        time.sleep(0.001)
