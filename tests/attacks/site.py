"""A run that goes on for as long as it is attacked: a coordinator and its workers, real processes."""

import json
import time
from itertools import pairwise

from tests.attacks.hostile_worker import CurveKeys
from tests.processes import Fleet
from zfed.benchmark.memory import MemoryWatch, private_bytes
from zfed.config import RunConfig
from zfed.facts import NodeJoined, RoundCommitted
from zfed.identity import COORDINATOR
from zfed.processes import process_cpu_seconds

WORKERS = ("alice", "bob")
PATIENCE_S = 30.0
LOOK_S = 0.005
SETTLING = 10
"""Rounds until the coordinator has what it needs: kernels are loaded, buffers are there."""


class Site:
    """Coordinator, alice and bob; rounds follow one another until the site is closed.

    Args:
        folder: For all files.
        encrypted: False: without keys, as with --insecure.
        flags: Of the coordinator beside the usual ones.
        settings: Of the task.
    """

    def __init__(self, folder, *flags, encrypted=True, pause_s=0.05, before=(), **settings):
        self._fleet = Fleet(folder)
        self._run = folder / "run"
        self._encrypted = encrypted
        self.coordinator = self._fleet.coordinator(
            *("--rounds", 1_000_000, "--wait-for", ",".join(WORKERS), "--seed", 7, *flags),
            *(() if encrypted else ("--insecure",)),
            before=before,
        )
        self.address = self._fleet.address
        self.workers = {
            name: self.worker(name, "--partition", f"iid:{place + 1}/10", pause_s=pause_s, **settings)
            for place, name in enumerate(WORKERS)
        }
        for name in WORKERS:
            self.coordinator.awaited(NodeJoined, node=name)
        self.rounds(SETTLING)
        self._idle_bytes = private_bytes(self.pid)

    @property
    def key(self):
        """The coordinator's public key."""
        return self._fleet.key(COORDINATOR).public

    def worker(self, name, *flags, insecure=False, **settings):
        """A real worker's process, `insecure` if it takes the coordinator for one without keys."""
        security = ("--insecure",) if insecure or not self._encrypted else ()
        return self._fleet.worker(name, *flags, *security, **settings)

    def enrolled(self, name):
        """Keys of a node that this coordinator lets in from now on; None where it asks for none."""
        return self._client(self._fleet.key(name)) if self._encrypted else None

    def stranger(self, name):
        """Keys of a node that is not enrolled."""
        return self._client(self._fleet.keys.new_key(name))

    def _client(self, key):
        return CurveKeys(key.public.curve, key.curve_secret, self.key.curve)

    def revoke(self, name):
        """Let the keys of this node in no more."""
        self._fleet.keys.authorized_nodes.edit(lambda table: table.revoked(name, now=int(time.time())))

    def close(self):
        """End all processes."""
        self._fleet.close()

    # ---- what the coordinator takes -------------------------------------------------------------

    @property
    def rejoin_grace_s(self):
        """How long a round waits for a worker that is gone and may come back."""
        return RunConfig().rejoin_grace_s

    @property
    def pid(self):
        """The coordinator's process; that of the program itself, if something stands before it."""
        return self.coordinator.process.pid

    @property
    def cpu_s(self):
        """CPU seconds of the coordinator so far."""
        return process_cpu_seconds(self.pid)

    def peak_growth(self, attack):
        """Bytes of memory, at most, in the attack and two rounds after it, over those before any attack."""
        with MemoryWatch() as watch:
            watch.add(self.pid)
            attack()
            self.rounds(2)
            return watch.peak(self.pid) - self._idle_bytes

    # ---- what the run does ----------------------------------------------------------------------

    def rounds(self, count):
        """The next rounds, as they are committed: facts."""
        seen = len(self._committed())
        until = time.monotonic() + PATIENCE_S
        while len(committed := self._committed()) < seen + count:
            assert self.coordinator.process.poll() is None, self.coordinator.report("more rounds")
            assert time.monotonic() < until, self.coordinator.report("more rounds")
            time.sleep(0.02)
        return committed[seen : seen + count]

    def timed_rounds(self, count, meanwhile=time.sleep):
        """Seconds from commit to commit of the next rounds.

        Args:
            count: How many.
            meanwhile: Called again and again with seconds that it may take.
        """
        committed = []
        seen = len(self._committed())
        until = time.monotonic() + PATIENCE_S
        while len(committed) <= count:
            meanwhile(LOOK_S)
            if len(self._committed()) > seen + len(committed):
                committed.append(time.monotonic())
            assert time.monotonic() < until, self.coordinator.report("more rounds")
        return [later - earlier for earlier, later in pairwise(committed)]

    def goes_on(self):
        """Two more rounds are committed, of alice and bob alone."""
        return all(set(fact.workers) == set(WORKERS) for fact in self.rounds(2))

    def counted(self):
        """Everybody whose update is part of any version."""
        return {worker for fact in self._committed() for worker in fact.workers}

    def told(self, kind, **attributes):
        """Such facts of the coordinator so far."""
        return self.coordinator.told(kind, **attributes)

    def journal(self, event):
        """Such lines of the run's journal."""
        lines = (self._run / "journal.jsonl").read_text().splitlines()
        return [record for record in map(json.loads, lines) if record["event"] == event]

    def _committed(self):
        return self.coordinator.told(RoundCommitted)
