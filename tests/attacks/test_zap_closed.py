"""Without the socket that answers for keys nobody new comes in, who is in goes on, and it is said loudly."""

import logging
import threading
import time

import pytest

from tests.attacks.hostile_worker import CurveKeys, HostileWorker, tiny_values
from zfed.config import CoordinatorConfig, ReportConfig, RunConfig
from zfed.identity import COORDINATOR, KeysFolder, make_folder
from zfed.nodes import coordinator as program
from zfed.nodes.coordinator import Coordinator
from zfed.transport import SocketListener
from zfed.wire.messages import Committed, Initialize, Train
from zfed_cli.main import main

HEALTH_S = 10.0
"""A coordinator says how it is every other second."""


class Breakable(SocketListener):
    """A listener whose answering socket can be closed under it, in the thread that it belongs to."""

    breaking = threading.Event()
    listening = threading.Event()
    here = ""

    def __init__(self, *words):
        super().__init__(*words)
        type(self).here = self.address
        self.listening.set()

    def attend(self):
        if self.breaking.is_set():
            self._doorman.close()
        super().attend()


@pytest.fixture
def folder(tmp_path):
    made = KeysFolder(tmp_path / "keys")
    make_folder(made.path)
    made.new_key(COORDINATOR)
    return made


def enrolled(folder, name):
    key = folder.new_key(name)
    folder.authorized_nodes.edit(lambda table: table.enrolled(name, key.public, now=0, overlap_s=0))
    return CurveKeys(key.public.curve, key.curve_secret, folder.key(COORDINATOR).public.curve)


@pytest.fixture
def running(tmp_path, folder, monkeypatch):
    """A coordinator in a thread of this process."""
    monkeypatch.setattr(program, "SocketListener", Breakable)
    Breakable.breaking.clear()
    Breakable.listening.clear()
    config = RunConfig(
        bind="tcp://127.0.0.1:*",
        run=str(tmp_path / "run"),
        keys=str(folder.path),
        rounds=1000,
        wait_for="alice",
    )
    made = Coordinator(CoordinatorConfig(run=config, report=ReportConfig(plot=False)))
    thread = threading.Thread(target=made.run)
    thread.start()
    assert Breakable.listening.wait(10)
    yield Breakable.here
    made.stop("the test is over")
    thread.join(30)
    assert not thread.is_alive()


def health(run, capsys):
    """Exit code of `zfed health`, and what it says."""
    code = main(["health", "--run", str(run)])
    return code, capsys.readouterr().out


def test_nobody_new_is_let_in_and_whoever_is_in_goes_on(running, folder, tmp_path, caplog, capsys):
    caplog.set_level(logging.ERROR)
    with HostileWorker(running, "alice", keys=enrolled(folder, "alice")) as alice:
        alice.greet()
        alice.offer(alice.awaits(Initialize), tiny_values())
        order = alice.awaits(Train)
        code, said = health(tmp_path / "run", capsys)
        assert code == 0, said
        Breakable.breaking.set()
        alice.offer(order, tiny_values())
        order = alice.awaits(Train)
        with HostileWorker(running, "bob", keys=enrolled(folder, "bob")) as bob:
            bob.greet()
            assert bob.hears_nothing(1)
        alice.offer(order, tiny_values())
        alice.awaits(Committed)
        alice.leave()
    until = time.monotonic() + HEALTH_S
    while (told := health(tmp_path / "run", capsys))[0] == 0 and time.monotonic() < until:
        time.sleep(0.05)
    assert told[0] == 1
    assert "ZAP" in told[1]
    [told] = [record for record in caplog.records if "ZAP" in record.getMessage()]
    assert told.levelno == logging.ERROR
    assert "nobody new is let in" in told.getMessage()
