import os
import socket
import time
from contextlib import closing

import pytest
import zmq

from tests.zfed.transport.raw_client import frame, shaken_hands
from zfed.transport import SocketConnector, SocketListener
from zfed.transport.connections import Connections, shut_down

PATIENCE_S = 5.0


def until(claim):
    end = time.monotonic() + PATIENCE_S
    while not claim():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.001)


def greeted(listener):
    """A connector whose first message has come, and its route."""
    connector = SocketConnector()
    connector.open(listener.address)
    connector.send(b"", [b"here I am"])
    arrived = []
    until(lambda: arrived.append(listener.receive()) or arrived[-1])
    return connector, arrived[-1][0]


@pytest.fixture
def listener():
    with closing(SocketListener("tcp://127.0.0.1:*")) as made:
        yield made


def test_a_dropped_route_loses_its_connection_and_no_other_does(listener):
    (dropped, route), (other, others_route) = greeted(listener), greeted(listener)
    with closing(dropped), closing(other):
        listener.drop(route)
        until(lambda: dropped.broken)
        until(lambda: not listener.send(route, [b"too late"]))
        assert not other.broken
        assert listener.send(others_route, [b"go on"])


def test_who_is_in_the_middle_of_sending_is_told_at_once(listener):
    with shaken_hands(listener.address) as raw:
        raw.sendall(frame(b"here I am", more=False))
        arrived = []
        until(lambda: arrived.append(listener.receive()) or arrived[-1])
        listener.drop(arrived[-1][0])
        with pytest.raises(ConnectionError):  # not TimeoutError: its patience is 5 s
            raw.sendall(bytes(64 << 20))


def test_a_route_that_nobody_knows_is_not_dropped(listener):
    connector, _ = greeted(listener)
    with closing(connector):
        listener.drop(b"nobody")
        assert not connector.broken


def test_one_connection_is_one_entry_however_many_messages_came(listener):
    connector, _ = greeted(listener)
    with closing(connector):
        for _ in range(10):
            connector.send(b"", [b"more"])
        until(lambda: listener.receive() is not None)
        assert len(listener._connections) == 1


def test_entries_of_connections_that_are_gone_make_room_for_others(listener):
    for _ in range(50):
        connector, _ = greeted(listener)
        connector.close()
        time.sleep(0.002)  # until libzmq has closed it, and its number is free
    assert len(listener._connections) < 10


def test_a_descriptor_that_has_another_socket_by_now_is_left_alone():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert not shut_down(ours.fileno(), os.fstat(theirs.fileno()).st_ino)
        ours.send(b"still open")
        assert theirs.recv(100) == b"still open"


def test_what_is_no_tcp_connection_is_left_alone(tmp_path):
    ours, theirs = socket.socketpair()
    with (tmp_path / "file").open("wb") as file, ours, theirs:
        for number in (file.fileno(), ours.fileno()):
            assert not shut_down(number, os.fstat(number).st_ino)
            os.fstat(number)  # still open


def test_a_descriptor_that_is_closed_is_nothing_to_shut_down():
    assert not shut_down(1 << 20, 1)


def test_a_frame_that_came_from_nowhere_teaches_nothing():
    known = Connections()
    known.heard(zmq.Frame(b"mine"))
    assert len(known) == 0
