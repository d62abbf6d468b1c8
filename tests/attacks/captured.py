"""What an eavesdropper sees: packets as tcpdump keeps them, put together to streams of bytes."""

import shutil
import signal
import struct
import subprocess
import time
from pathlib import Path

import pytest

START_S = 10.0
ETHERNET, IPV4, TCP = 14, 0x0800, 6


class Capture:
    """Keeps all that passes a port of the loopback interface while it is open.

    Args:
        port: The port.
        path: File for the packets.
    """

    def __init__(self, port, path):
        program = shutil.which("tcpdump", path="/usr/sbin:/usr/bin:/sbin:/bin")
        if program is None:
            pytest.skip("no tcpdump here")
        self._path = Path(path)
        self._log = self._path.with_suffix(".log")
        command = [
            program,
            "-i",
            "lo",
            "-s",
            "0",
            "-B",
            "65536",
            "-U",
            "-w",
            str(path),
            "tcp port " + str(port),
        ]
        with self._log.open("w") as log:
            self._process = subprocess.Popen(command, stderr=log)

    def __enter__(self):
        until = time.monotonic() + START_S
        while "listening on" not in self._log.read_text():
            if self._process.poll() is not None:
                pytest.skip(f"tcpdump cannot listen here: {self._log.read_text().strip()}")
            assert time.monotonic() < until, self._log.read_text()
            time.sleep(0.02)
        return self

    def __exit__(self, *failure):
        self._process.send_signal(signal.SIGINT)
        self._process.wait(START_S)

    def streams(self):
        """The bytes of each direction of each connection, in order.

        Raises:
            AssertionError: If packets are missing: then it says nothing that something was not found.
        """
        assert "0 packets dropped by kernel" in self._log.read_text(), self._log.read_text()
        pieces = {}
        for flow, number, data in segments(self._path.read_bytes()):
            pieces.setdefault(flow, {})[number] = data
        return [joined(flow) for flow in pieces.values()]


def segments(packets):
    """(flow, sequence number, bytes) of each TCP segment with content in a pcap file of IPv4 on Ethernet."""
    place = 24  # after the file's header
    while place < len(packets):
        length = struct.unpack_from("<I", packets, place + 8)[0]
        packet = packets[place + 16 : place + 16 + length]
        place += 16 + length
        kind = struct.unpack_from(">H", packet, 12)[0]
        ip = packet[ETHERNET:]
        assert kind == IPV4, f"not IPv4: {kind:#x}"
        assert ip[9] == TCP, f"not TCP: {ip[9]}"
        tcp = ip[(ip[0] & 15) * 4 : struct.unpack_from(">H", ip, 2)[0] or len(ip)]  # 0: offloaded, longer
        data = tcp[(tcp[12] >> 4) * 4 :]
        if data:
            yield (ip[12:20], tcp[:4]), struct.unpack_from(">I", tcp, 4)[0], data


def joined(pieces):
    """One direction of a connection, repeated segments once."""
    start = None
    stream = bytearray()
    for number in sorted(pieces, key=lambda number: (number - min(pieces)) % 2**32):
        start = number if start is None else start
        place = (number - start) % 2**32
        assert place <= len(stream), f"{place - len(stream)} bytes were not captured"
        stream[place : place + len(pieces[number])] = pieces[number]
    return bytes(stream)
