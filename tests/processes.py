"""Real nodes: processes of the command line, read through the facts that they write as JSON."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from zfed.facts import CoordinatorStarted, from_builtins
from zfed.identity import COORDINATOR, KeysFolder

TASK = f"{Path(__file__).with_name('integration') / 'tiny_task.py'}:Tiny"
PROGRAM = ["-m", "zfed_cli.main"]
PATIENCE_S = 30.0


def enrol(folder, name, key):
    """What `zfed enroll` does."""
    now = int(time.time())
    folder.authorized_nodes.edit(lambda table: table.enrolled(name, key.public, now=now, overlap_s=60))


class NodeProcess:
    """One `zfed` command, its facts and how it ended."""

    def __init__(self, arguments, folder, name, *, before=(), environment=()):
        self.name = name
        self._out, self._errors = folder / f"{name}.out", folder / f"{name}.err"
        self._facts, self._read = [], 0
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "ZFED_STATE": str(folder / "state"),
            **dict(environment),
        }
        with self._out.open("w") as out, self._errors.open("w") as errors:
            self.process = subprocess.Popen(
                [*before, sys.executable, *PROGRAM, *map(str, arguments), "--format", "json"],
                stdout=out,
                stderr=errors,
                cwd=folder,
                env=environment,
            )

    @property
    def facts(self):
        with self._out.open("rb") as out:
            out.seek(self._read)
            new = out.read()
        whole = new[: new.rfind(b"\n") + 1]  # what follows the last newline is not whole yet
        self._read += len(whole)
        self._facts += [from_builtins(json.loads(line)) for line in whole.splitlines()]
        return list(self._facts)

    @property
    def errors(self):
        return self._errors.read_text()

    def told(self, kind, where=lambda fact: True, **attributes):
        return [
            fact
            for fact in self.facts
            if type(fact) is kind
            and all(getattr(fact, name) == value for name, value in attributes.items())
            and where(fact)
        ]

    def awaited(self, kind, where=lambda fact: True, *, within_s=PATIENCE_S, **attributes):
        """The first such fact, once it is told."""
        until = time.monotonic() + within_s
        while not (found := self.told(kind, where, **attributes)):
            assert self.process.poll() is None or self.told(kind, where, **attributes), self.report(kind)
            assert time.monotonic() < until, self.report(kind)
            time.sleep(0.02)
        return found[0]

    def exit_code(self, within_s=PATIENCE_S):
        try:
            return self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            pytest.fail(f"{self.name} still runs after {within_s} s: {self.report(None)}")

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)

    def report(self, kind):
        told = "\n".join(map(str, self.facts[-10:]))
        return f"{self.name} told no {kind}; last facts:\n{told}\nerrors:\n{self.errors}"


class Fleet:
    """All processes of one test, each with keys of its own; none outlives it."""

    def __init__(self, folder):
        self.folder = folder
        self.keys = KeysFolder(folder / "keys")
        self.address = ""
        self.started = []

    def start(self, *arguments, name, before=(), environment=()):
        name = f"{name}-{len(self.started)}"
        environment = {"ZFED_KEYS": str(self.keys.path), **dict(environment)}
        node = NodeProcess(arguments, self.folder, name, before=before, environment=environment)
        self.started.append(node)
        return node

    def coordinator(
        self, *flags, bind="tcp://127.0.0.1:*", run="run", before=(), environment=(), started=True
    ):
        """A coordinator that evaluates nothing unless told to; it listens already if `started`."""
        self.key(COORDINATOR)
        node = self.start(
            *("coordinator", "--bind", bind, "--run", self.folder / run, "--no-plot"),
            *("--no-evaluate-first", "--evaluate-every", 0, "--no-evaluate-last", *flags),
            name="coordinator",
            before=before,
            environment=environment,
        )
        self.address = node.awaited(CoordinatorStarted).address if started else bind
        return node

    def member(self, kind, name, *flags, connect="", before=(), environment=(), **settings):
        self.key(name)
        assignments = [word for item in settings.items() for word in ("--set", "{}={}".format(*item))]
        return self.start(
            *(kind, "--name", name, "--connect", connect or self.address),
            *("--coordinator-key", self.key(COORDINATOR).public.text),
            *("--task", TASK, *assignments, *flags),
            name=name,
            before=before,
            environment=environment,
        )

    def worker(self, name, *flags, **options):
        return self.member("worker", name, *flags, **options)

    def evaluator(self, *flags, **options):
        return self.member("evaluator", "examiner", *flags, **options)

    def key(self, name):
        """A node's key, made and enrolled when it is first asked for."""
        if self.keys.secret_path(name).exists():
            return self.keys.key(name)
        key = self.keys.new_key(name)
        if name != COORDINATOR:
            enrol(self.keys, name, key)
        return key

    def close(self):
        for node in self.started:
            if node.process.poll() is None:
                node.process.kill()
            node.process.wait()
