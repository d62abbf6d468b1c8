"""Bad links on one machine: a hub and any number of spokes, each a network namespace of its own.

Linux's netem is not in every kernel, so loss, delay and cuts come from `forwarder.py`: a small program
between two TUN devices. Packets have the usual 1500 bytes unless said otherwise, and the congestion control
is the kernel's.
"""

import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FORWARDER = Path(__file__).with_name("forwarder.py")
_NUMBERS = itertools.count(os.getpid() % 10_000 * 10)


class Spoke:
    """One namespace behind a link of its own.

    Attributes:
        before: Prefix of a command that runs there.
        hub: The hub's address as it is seen from there.
    """

    def __init__(self, hub, number, seed, mtu):
        self._namespace = f"zfed-spoke-{next(_NUMBERS)}"
        near, far = f"zn{os.getpid()}-{number}", f"zf{os.getpid()}-{number}"
        self.hub = f"10.79.{number}.1"
        self.before = ("ip", "netns", "exec", self._namespace)
        _ip("netns", "add", self._namespace)
        self._forwarder = subprocess.Popen(
            [sys.executable, FORWARDER, near, far, str(seed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            if self._forwarder.stdout.readline() != "ready\n":
                pytest.skip("no TUN devices here")
            ends = [(hub, near, f"10.79.{number}.1/24"), (self._namespace, far, f"10.79.{number}.2/24")]
            for namespace, device, address in ends:
                _ip("link", "set", device, "netns", namespace)
                _ip("-n", namespace, "addr", "add", address, "dev", device)
                _ip("-n", namespace, "link", "set", device, "mtu", str(mtu), "up")
            _ip("-n", self._namespace, "link", "set", "lo", "up")
        except BaseException:
            self.close()
            raise

    def set(self, *, loss=0.0, delay_s=0.0):
        """From now on each packet is lost with this probability and takes this long, in each direction."""
        self._forwarder.stdin.write(json.dumps({"loss": loss, "delay_s": delay_s}) + "\n")
        self._forwarder.stdin.flush()
        assert self._forwarder.stdout.readline() == "ok\n"

    def cut(self):
        """Let nothing through, no reset either: each side has a connection that is dead."""
        self.set(loss=1.0)

    def heal(self):
        """Let everything through."""
        self.set()

    def close(self):
        """Remove all of it."""
        self._forwarder.stdin.close()
        self._forwarder.stdout.close()
        self._forwarder.wait()
        _remove(self._namespace)


class Network:
    """A hub and its spokes. None of it outlives `close`.

    Attributes:
        before: Prefix of a command that runs at the hub.
    """

    def __init__(self):
        if shutil.which("ip") is None:
            pytest.skip("the command ip is not installed")
        if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
            pytest.skip("no /dev/net/tun here, or not for this user")
        self._namespace = f"zfed-hub-{next(_NUMBERS)}"
        self._spokes = []
        self.before = ("ip", "netns", "exec", self._namespace)
        _ip("netns", "add", self._namespace)
        _ip("-n", self._namespace, "link", "set", "lo", "up")

    def spoke(self, *, seed=0, loss=0.0, delay_s=0.0, mtu=1500):
        """One more machine behind a link of its own; `mtu` is the most bytes that a packet has."""
        made = Spoke(self._namespace, len(self._spokes) + 1, seed, mtu)
        self._spokes.append(made)
        made.set(loss=loss, delay_s=delay_s)
        return made

    def close(self):
        """Remove all of it."""
        for spoke in self._spokes:
            spoke.close()
        _remove(self._namespace)


def _ip(*words):
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no network namespaces here: ip {' '.join(words)}: {done.stderr.strip()}")


def _remove(namespace):
    subprocess.run(["ip", "netns", "del", namespace], capture_output=True)
