import time
from contextlib import closing

import pytest

from tests.zfed.transport.raw_client import GREETING, connected, shaken_hands
from zfed.config import LimitsConfig
from zfed.transport import SocketConnector, SocketListener

PATIENCE_S = 5.0


def looked(listener, claim):
    end = time.monotonic() + PATIENCE_S
    while not claim():
        assert time.monotonic() < end, f"open {len(listener._monitor.open)}, counts {listener.counts}"
        listener.attend()
        time.sleep(0.005)


@pytest.fixture
def listener():
    with closing(SocketListener("tcp://127.0.0.1:*", limits=LimitsConfig(handshake_s=0.2))) as made:
        yield made


def test_connections_are_counted_as_they_come_and_go(listener):
    first, second = SocketConnector(), SocketConnector()
    first.open(listener.address)
    second.open(listener.address)
    looked(listener, lambda: len(listener._monitor.open) == 2)
    first.close()
    looked(listener, lambda: len(listener._monitor.open) == 1)
    second.close()
    looked(listener, lambda: not listener._monitor.open)
    assert sum(listener.counts["connections"].values()) == 0


@pytest.mark.parametrize("said", [b"", GREETING[:10], GREETING])
def test_silence_in_the_handshake_is_ended_and_counted(listener, said):
    with connected(listener.address) as raw:
        raw.sendall(said)
        looked(listener, lambda: listener.counts["connections"].get("unfinished") == 1)
        while raw.recv(100):
            pass
    looked(listener, lambda: not listener._monitor.open)


def test_a_broken_handshake_is_ended_and_counted(listener):
    with connected(listener.address) as raw:
        raw.sendall(GREETING + b"\x04\x06\x05WRONG" * 10)
        looked(listener, lambda: listener.counts["connections"].get("protocol") == 1)


def test_a_frame_above_the_limit_ends_its_connection(listener):
    with shaken_hands(listener.address) as raw:
        raw.sendall(b"\x02" + (1 << 62).to_bytes(8, "big"))
        assert raw.recv(1) == b""


def test_as_many_connections_as_configured_are_let_in_and_one_more_when_one_goes():
    with closing(SocketListener("tcp://127.0.0.1:*", limits=LimitsConfig(connections=2))) as listener:
        first, second = shaken_hands(listener.address), shaken_hands(listener.address)
        looked(listener, lambda: listener.troubles)
        assert "2 are open, 2 are allowed: --max-connections" in listener.troubles[0]
        with pytest.raises(TimeoutError):
            connected(listener.address, timeout_s=0.3)
        first.close()
        looked(listener, lambda: not listener.troubles)
        connected(listener.address).close()
        second.close()
