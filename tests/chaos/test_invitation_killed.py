"""kill -9 the coordinator at each step of an enrolment: one device is enrolled, and never a second one."""

import time

from tests.free_port import free_port
from tests.processes import TASK
from zfed.facts import CoordinatorStarted, NodeEnrolled
from zfed.identity import KeysFolder, invite


def test_killed_at_each_step_of_an_enrolment_it_enrols_the_device_that_asked_and_no_other(
    fleet, preloaded, figure
):
    """Every create, write, fsync and rename in the keys folder and the journal, from the claim on."""
    step = 0
    while True:
        step += 1
        hall = Hall(fleet, step)
        deadly = preloaded(
            "kill_at", KILL_AT_FOLDER=hall.folder, KILL_AT_FROM="invitations", KILL_AT_STEP=step
        )
        coordinator = hall.start(deadly)
        coordinator.awaited(CoordinatorStarted)
        device = hall.device("device")
        until = time.monotonic() + 30.0
        while coordinator.process.poll() is None and not device.told(NodeEnrolled):
            assert time.monotonic() < until, device.report(NodeEnrolled)
            time.sleep(0.02)
        if device.told(NodeEnrolled):
            break
        hall.start().awaited(CoordinatorStarted)
        device.awaited(NodeEnrolled)
        hall.assert_one_is_enrolled()
        hall.close()
    assert step > 10
    figure(f"killed at each of the {step - 1} steps of an enrolment: one device each time")


class Hall:
    """A coordinator with one open invitation; all that it writes is in one folder."""

    def __init__(self, fleet, number):
        self._fleet = fleet
        self.folder = fleet.folder / f"hall{number}"
        self.keys = KeysFolder(self.folder / "keys")
        self.keys.new_key("coordinator")
        self.bind = f"tcp://127.0.0.1:{free_port()}"
        self.token = invite(self.keys, "alice", address=self.bind, until=int(time.time()) + 3600).text
        self._nodes = []

    def start(self, environment=()):
        flags = ("--keys", self.keys.path, "--wait-for", 2)
        run = f"{self.folder.name}/run"
        node = self._fleet.coordinator(
            *flags, bind=self.bind, run=run, environment=environment, started=False
        )
        self._nodes.append(node)
        return node

    def device(self, name):
        flags = ("--keys", self.folder.with_name(f"{self.folder.name}-{name}"))
        node = self._fleet.start("worker", "--invite", self.token, *flags, "--task", TASK, name=name)
        self._nodes.append(node)
        return node

    def assert_one_is_enrolled(self):
        late = self.device("late")
        assert late.exit_code() == 1
        assert "was used by another device" in late.errors
        [enrolled] = self.keys.authorized_nodes.read().keys
        mine = KeysFolder(self.folder.with_name(f"{self.folder.name}-device"))
        assert (enrolled.name, enrolled.key) == ("alice", mine.key("alice").public)

    def close(self):
        for node in self._nodes:
            node.process.kill()
            node.process.wait()
