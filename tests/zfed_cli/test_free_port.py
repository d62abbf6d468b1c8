from __future__ import annotations

import socket

import pytest

from zfed_cli.free_port import free_address


def test_a_taken_port_is_replaced_by_a_free_one_on_the_same_interface():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        other = free_address(address)
    assert other != address
    assert other.startswith("tcp://127.0.0.1:")


def test_a_free_port_is_kept():
    address = free_address("tcp://127.0.0.1:0").replace(":0", ":1")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    assert free_address(address) == address


@pytest.mark.parametrize("address", ["ipc:///tmp/x", "tcp://*:8777", "tcp://localhost:8777"])
def test_other_addresses_are_for_zeromq_to_judge(address):
    assert free_address(address) == address
