"""A run whose coordinator may be killed and started again; its workers stay and count what they train."""

import collections
import signal
import time

from tests.free_port import free_port
from tests.processes import PATIENCE_S
from zfed.checkpoint.journal import checked_record
from zfed.facts import NodeJoined, RunEnded

NAMES = ("alice", "bob")
RECOVERY_S = 15.0
"""Within this time of a kill all workers are back at a coordinator that is started again at once."""
LOOK_S = 0.005


class Run:
    """One run of the tiny task.

    Args:
        fleet: Its processes.
        flags: Of the coordinator beside the usual ones.
        name: Of its run directory, which the final model's file names.
        workers: Their names; all are waited for.
        evaluator: There is one.
        environment: Of the coordinator's first start.
        workers_environment: Of every worker.
        settings: Of the task.

    Attributes:
        coordinator: The process of its latest start.
        workers: Their processes, by name.
        evaluator: Its process, None if there is none.
        bind: Where the coordinator listens; the workers know `other_bind` too.
        recoveries_s: From each kill until all workers were back.
    """

    def __init__(
        self,
        fleet,
        *flags,
        name="run",
        workers=NAMES,
        evaluator=False,
        environment=(),
        workers_environment=(),
        **settings,
    ):
        self.fleet = fleet
        self.path = fleet.folder / name
        self.bind = f"tcp://127.0.0.1:{free_port()}"
        self.other_bind = f"tcp://127.0.0.1:{free_port()}"
        self.recoveries_s = []
        self._name = name
        self._names = workers
        self._flags = ("--wait-for", ",".join(workers), "--seed", 7, *flags)
        self._settings = settings
        self._workers_environment = workers_environment
        self._killed_at = 0.0
        self.coordinator = self._start(environment)
        self.workers = {}
        for worker in workers:
            self.start_worker(worker)
        self.evaluator = None
        if evaluator:
            self.start_evaluator()

    def start_worker(self, name, **settings):
        """Start a worker under this name, the first time or again."""
        self.workers[name] = self.fleet.worker(
            name,
            "--partition",
            f"iid:{1 + self._names.index(name)}/10",
            connect=f"{self.bind},{self.other_bind}",
            environment=self._workers_environment,
            **{**self._settings, "log": self._log(name), **settings},
        )
        return self.workers[name]

    def start_evaluator(self):
        """Start the evaluator, the first time or again."""
        self.evaluator = self.fleet.evaluator(connect=self.bind)

    def _log(self, name):
        return self.fleet.folder / f"{self._name}-{name}.trained"

    def _start(self, environment):
        return self.fleet.coordinator(
            *self._flags, bind=self.bind, run=self._name, environment=environment, started=False
        )

    # ---- what has happened ----------------------------------------------------------------------

    @property
    def journal(self):
        """Its whole lines so far."""
        return [record for line in journal_lines(self.path) if (record := checked_record(line)) is not None]

    def await_event(self, event, *, within_s=PATIENCE_S, **fields):
        """Wait for such a line in the journal."""
        until = time.monotonic() + within_s
        while not (found := self.events(event, **fields)):
            assert self.coordinator.process.poll() is None, self.coordinator.report(event)
            assert time.monotonic() < until, self.coordinator.report(event)
            time.sleep(LOOK_S)
        return found[-1]

    def events(self, event, **fields):
        """Such lines of the journal."""
        return [
            line
            for line in self.journal
            if line["event"] == event and all(line.get(name) == value for name, value in fields.items())
        ]

    def trainings(self):
        """How often each worker ended the training of each round: (name, round) -> times."""
        return collections.Counter(
            (name, int(line.split()[1]))
            for name in self.workers
            for line in self._logged(name)
            if line.startswith("ended")
        )

    def await_training(self, name, round):
        """Wait until this worker trains in this round."""
        until = time.monotonic() + PATIENCE_S
        while f"began {round}" not in self._logged(name):
            assert time.monotonic() < until, self.coordinator.report(f"training of {name} in round {round}")
            time.sleep(LOOK_S)

    def _logged(self, name):
        log = self._log(name)
        return log.read_text().splitlines() if log.exists() else []

    # ---- what is done to it ---------------------------------------------------------------------

    def kill(self):
        """Kill the coordinator: it can do nothing any more."""
        self.coordinator.process.send_signal(signal.SIGKILL)
        self.killed()

    def killed(self, within_s=60.0):
        """The coordinator dies of itself, by SIGKILL; True, or False if it ended well before that."""
        code = self.coordinator.exit_code(within_s)
        assert code in (0, -signal.SIGKILL), self.coordinator.report("death")
        self._killed_at = time.monotonic()
        return code != 0

    def restart(self, environment=()):
        """Start the coordinator with the same command."""
        self.coordinator = self._start(environment)

    def await_workers(self):
        """All workers are back in time."""
        for name in self.workers:
            self.coordinator.awaited(NodeJoined, node=name)
        self.recoveries_s.append(time.monotonic() - self._killed_at)
        assert self.recoveries_s[-1] < RECOVERY_S

    def finish(self, within_s=60.0):
        """The run ends well; the bytes of its last model."""
        assert self.coordinator.exit_code(within_s) == 0, self.coordinator.report("good end")
        for node in [*self.workers.values(), *([self.evaluator] if self.evaluator else [])]:
            assert node.exit_code() == 0, node.report("good end")
        [ended] = self.coordinator.told(RunEnded)
        assert ended.status == "completed"
        return (self.path / "model.safetensors").read_bytes()


def journal_lines(run):
    """The whole lines of the journal in this run directory, none before there is one."""
    path = run / "journal.jsonl"
    return path.read_bytes().split(b"\n")[:-1] if path.exists() else []
