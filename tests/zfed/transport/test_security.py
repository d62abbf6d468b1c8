import logging
import time
from contextlib import closing, contextmanager

import pytest
import zmq
from zmq.utils import z85

from zfed.transport import ClientSecurity, CurveKeys, ServerSecurity, SocketConnector, SocketListener
from zfed.transport.security import DOMAIN, ZAP_VERSION, Doorman, key_id

PATIENCE_S = 10.0  # more than a handshake that nobody answers may take


def key_pair():
    public, secret = zmq.curve_keypair()
    return CurveKeys(z85.decode(public), z85.decode(secret))


SERVER, NODE, STRANGER = key_pair(), key_pair(), key_pair()


@contextmanager
def listening(*known):
    admitted = {key_id(keys.public) for keys in known}
    with closing(
        SocketListener("tcp://127.0.0.1:*", ServerSecurity(SERVER, admitted.__contains__))
    ) as listener:
        yield listener


@contextmanager
def connecting(address, keys, server=SERVER):
    security = ClientSecurity(keys, lambda address: server.public) if keys else None
    with closing(SocketConnector(security=security)) as connector:
        connector.open(address)
        connector.send(b"", [b"hello"])
        yield connector


def turns(listener, connector, done):
    """What each pump does in its turns, until something has come of it."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        listener.attend()
        connector.attend()
        if found := done():
            return found
        time.sleep(0.002)
    return None


def refusal(listener, connector):
    found = turns(listener, connector, lambda: connector.broken and connector.refusal)
    assert listener.receive() is None
    return found


def test_a_message_carries_the_key_that_its_sender_proved():
    with listening(NODE) as listener, connecting(listener.address, NODE) as connector:
        arrived = turns(listener, connector, listener.receive)
        assert (arrived.key, arrived.frames) == (key_id(NODE.public), [b"hello"])
        assert listener.send(arrived.route, [b"answer"])
        assert turns(listener, connector, connector.receive).frames == [b"answer"]
        assert not connector.broken


def test_a_key_that_nobody_knows_is_refused_as_not_enrolled():
    with listening(NODE) as listener, connecting(listener.address, STRANGER) as connector:
        assert refusal(listener, connector) == "not-enrolled"


def test_another_key_of_the_server_fails_the_handshake_without_a_word():
    with listening(NODE) as listener, connecting(listener.address, NODE, server=STRANGER) as connector:
        assert refusal(listener, connector) == "handshake"


def test_without_a_key_nobody_comes_in():
    with listening(NODE) as listener, connecting(listener.address, None) as connector:
        assert refusal(listener, connector) == "handshake"


def test_a_node_with_a_key_talks_to_no_coordinator_without_one():
    with (
        closing(SocketListener("tcp://127.0.0.1:*")) as listener,
        connecting(listener.address, NODE) as connector,
    ):
        assert refusal(listener, connector) == "handshake"


def test_where_nothing_is_encrypted_there_is_no_key():
    with (
        closing(SocketListener("tcp://127.0.0.1:*")) as listener,
        connecting(listener.address, None) as connector,
    ):
        assert turns(listener, connector, listener.receive).key == ""


def test_nobody_new_comes_in_once_the_doorman_is_gone_and_who_is_here_stays(caplog):
    with listening(NODE, STRANGER) as listener, connecting(listener.address, NODE) as here:
        arrived = turns(listener, here, listener.receive)
        listener.pollables[-1].close()
        with connecting(listener.address, STRANGER) as late, caplog.at_level(logging.ERROR):
            assert refusal(listener, late) == "handshake"
        assert len(listener.pollables) == 2
        assert "nobody new is let in" in listener.troubles[0]
        assert [record.levelname for record in caplog.records] == ["ERROR"]  # said once
        assert listener.send(arrived.route, [b"still here"])
        assert turns(listener, here, here.receive).frames == [b"still here"]


def test_a_listener_in_order_has_no_troubles():
    with listening(NODE) as listener:
        assert listener.troubles == []


@pytest.mark.parametrize(
    "request_",
    [
        [],
        [b"1"],
        [b"0.9", b"1", DOMAIN, b"", b"", b"CURVE", NODE.public],
        [ZAP_VERSION, b"1", b"other", b"", b"", b"CURVE", NODE.public],
        [ZAP_VERSION, b"1", DOMAIN, b"", b"", b"NULL"],
        [ZAP_VERSION, b"1", DOMAIN, b"", b"", b"NULL", NODE.public],
        [ZAP_VERSION, b"1", DOMAIN, b"", b"", b"CURVE", b"short"],
        [ZAP_VERSION, b"1", DOMAIN, b"", b"", b"PLAIN", b"name", b"password"],
    ],
)
def test_a_request_that_is_not_for_a_key_of_this_door_lets_nobody_in(request_):
    with zmq.Context() as context, closing(Doorman(context, lambda key: True)) as doorman:
        with context.socket(zmq.REQ) as libzmq:
            libzmq.connect("inproc://zeromq.zap.01")
            libzmq.send_multipart(request_ or [b""])
            until = time.monotonic() + PATIENCE_S
            while not libzmq.poll(1):
                doorman.answer()
                assert time.monotonic() < until
            assert libzmq.recv_multipart()[2] in (b"400", b"500")
        assert doorman.counts["admitted"] == 0


def test_a_secret_key_is_not_shown():
    assert repr(NODE.secret) not in repr(NODE)
    assert repr(NODE.secret) not in repr(ClientSecurity(NODE, lambda address: SERVER.public))
