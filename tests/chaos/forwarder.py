"""Forwards IP packets between two TUN devices, and loses, delays or drops all of them: a bad link.

A program of its own, so that the packets do not wait for a test: `forwarder.py NEAR FAR SEED`. It makes both
devices, prints `ready` and then obeys one line of JSON at a time from its standard input, each answered by
`ok`: `{"loss": 0.3, "delay_s": 0.01}`. Loss 1 cuts the link: not even a reset gets through. It ends with its
standard input.
"""

import contextlib
import fcntl
import heapq
import json
import os
import random
import select
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000
LARGEST_PACKET = 65_536
QUEUE_PACKETS = 1000
"""What a link holds in each direction; more is dropped, as netem does."""


def open_tun(name):
    """A new TUN device, gone when the descriptor is closed; it may be moved to another namespace."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return descriptor


class Link:
    """Packets under way in both directions, which all take equally long."""

    def __init__(self, near, far, seed):
        self.other_end = {near: far, far: near}
        self.loss = 0.0
        self.delay_s = 0.0
        self._random = random.Random(seed)
        self._under_way = []
        self._queued = {near: 0, far: 0}
        self._number = 0

    @property
    def wait_s(self):
        """Seconds until a packet is due, None if there is none."""
        return max(self._under_way[0][0] - time.monotonic(), 0.0) if self._under_way else None

    def take(self, end):
        """Take in what has come at one end."""
        while (packet := self._read(end)) is not None:
            if self._random.random() >= self.loss and self._queued[end] < QUEUE_PACKETS:
                self._number += 1
                self._queued[end] += 1
                heapq.heappush(self._under_way, (time.monotonic() + self.delay_s, self._number, end, packet))

    def deliver(self):
        """Let out what is due."""
        now = time.monotonic()
        while self._under_way and self._under_way[0][0] <= now:
            *_, end, packet = heapq.heappop(self._under_way)
            self._queued[end] -= 1
            if self.loss < 1:
                self._write(self.other_end[end], packet)

    @staticmethod
    def _read(end):
        try:
            return os.read(end, LARGEST_PACKET)
        except BlockingIOError:
            return None

    @staticmethod
    def _write(end, packet):
        with contextlib.suppress(OSError):  # it is down, or its queue is full: one more packet that is lost
            os.write(end, packet)


def main():
    """Forward until the standard input ends."""
    near_name, far_name, seed = sys.argv[1:]
    near, far = open_tun(near_name), open_tun(far_name)
    link = Link(near, far, int(seed))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        readable, _, _ = select.select([near, far, sys.stdin], [], [], link.wait_s)
        link.deliver()
        for end in readable:
            if end is not sys.stdin:
                link.take(end)
                continue
            line = sys.stdin.readline()
            if not line:
                return
            wanted = json.loads(line)
            link.loss, link.delay_s = wanted["loss"], wanted["delay_s"]
            sys.stdout.write("ok\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
