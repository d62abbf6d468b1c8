import errno
import os
import re
import resource
import socket
import subprocess
import sys
import textwrap
import time
from contextlib import closing, contextmanager

from hypothesis import given
from hypothesis import strategies as st

from zfed.errors import UsageError
from zfed.transport import SocketConnector, SocketListener, raise_descriptor_limit
from zfed.transport.descriptors import FILES, LOOK_AGAIN_S, MOST_WAITING


@contextmanager
def limited(soft):
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@contextmanager
def almost_all_taken(*, left):
    """This process has `left` descriptors that connections may take."""
    used = os.dup(0)
    os.close(used)
    with limited(-(-4 * (used + FILES + left) // 3)):  # a quarter is for who waits
        yield


def received(listener):
    """The next message, waited for as a pump does."""
    until = time.monotonic() + 5.0
    while (arrived := listener.receive()) is None:
        assert time.monotonic() < until, "nothing came"
        time.sleep(0.001)
    return arrived


def knocks(listener):
    """A connection, or None if nobody answers."""
    port = int(listener.address.rpartition(":")[2])
    try:
        return socket.create_connection(("127.0.0.1", port), timeout=0.2)
    except TimeoutError:
        return None


def test_limit_is_raised_as_far_as_it_goes_without_asking():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with limited(min(300, hard)):
        assert raise_descriptor_limit(10) == resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= min(300, hard)


def test_more_nodes_than_descriptors_are_refused_with_the_remedy():
    # in a process of its own: a hard limit that is lowered stays so
    program = """
        import resource
        from zfed.errors import UsageError
        from zfed.transport import raise_descriptor_limit
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, 1024))
        assert raise_descriptor_limit(640) == 1024
        try:
            raise_descriptor_limit(1000)
        except UsageError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True
    )
    assert "1,000 nodes are awaited" in done.stdout
    assert "1,504 are needed, this process may open 1,024" in done.stdout
    assert "ulimit -n 1504" in done.stdout


def test_door_shuts_before_descriptors_run_out_and_opens_when_some_are_free(caplog):
    with closing(SocketListener("tcp://127.0.0.1:*")) as listener, almost_all_taken(left=20):
        guests = []
        try:
            while (guest := knocks(listener)) is not None:
                guests.append(guest)
                assert len(guests) < 20 + FILES, "everybody was let in"
                time.sleep(0.002)  # as a pump that polls
                listener.attend()
            assert "ulimit -n" in caplog.text
            open(os.devnull).close()  # files can still be opened
        finally:
            for guest in guests:
                guest.close()
    assert caplog.text.count("ulimit -n") == 1


def test_who_is_connected_notices_nothing_of_a_shut_door_and_it_opens_again():
    with (
        closing(SocketListener("tcp://127.0.0.1:*")) as listener,
        closing(SocketConnector()) as connector,
    ):
        connector.open(listener.address)
        connector.send(b"", [b"hello"])
        arrived = received(listener)
        with almost_all_taken(left=-1):
            listener.attend()
            assert knocks(listener) is None
            assert listener.send(arrived[0], [b"still here"])
            connector.send(b"", [b"me too"])
            assert received(listener)[1] == [b"me too"]
        time.sleep(LOOK_AGAIN_S)  # the door is not looked at sooner
        listener.attend()
        guest = knocks(listener)
        assert guest is not None
        guest.close()


def test_everybody_who_waits_when_the_door_shuts_is_let_in_and_no_thread_spins():
    with closing(SocketListener("tcp://127.0.0.1:*")) as listener:
        address = ("127.0.0.1", int(listener.address.rpartition(":")[2]))
        guests = [socket.socket() for _ in range(100)]
        with almost_all_taken(left=50):
            for guest in guests:
                guest.setblocking(False)
                assert guest.connect_ex(address) in (0, errno.EINPROGRESS)
            time.sleep(0.2)  # libzmq's thread accepts them meanwhile, or waits for a descriptor
            listener.attend()
            assert knocks(listener) is None
            before = time.process_time()
            time.sleep(0.5)  # what is measured: a thread that spins takes all of it
            assert time.process_time() - before < 0.2
            for guest in guests:
                guest.setblocking(True)
                assert guest.recv(1) == b"\xff"  # the first byte of ZMTP's greeting
                guest.close()


@given(st.integers(1, 100_000))
def test_as_many_descriptors_as_are_asked_for_are_enough(connections):
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    try:
        raise_descriptor_limit(connections)
    except UsageError as error:
        needed = int(re.search(r"ulimit -n (\d+)", str(error)).group(1))
        assert needed > limit
        assert connections + FILES + min(MOST_WAITING, needed // 4) <= needed <= 1.5 * connections + 2 * FILES
