"""Many workers in one process: `python -m tests.perf.crowd_members --help`.

Each has its own `MemberLogic` and its own connection, as a worker on a machine of its own would. There is one
thread for all of them, and in place of a task an answer that is ready at once.
"""

import argparse
import collections
import json
import secrets
import sys
import time

import numpy as np
import zmq

from zfed.nodes.introduction import introduction
from zfed.nodes.member_logic import MemberLogic
from zfed.nodes.member_words import Connect, Disconnect, ResultVector, StartWork, WorkDone
from zfed.nodes.task_host import Prepared
from zfed.nodes.words import Finish, FramesArrived, RouteGone, SendFrames, TimePassed
from zfed.params import ParameterLayout
from zfed.partition import Partition
from zfed.task import DataSummary
from zfed.transport import SocketConnector
from zfed.wire.digests import digest_of

LOOK_AT_CLOCK_S = 0.1
ITEM_BYTES = 4


class Answers:
    """What every worker says to every order: the same few numbers, hashed once."""

    def __init__(self, length):
        self.layout = ParameterLayout.build([("weight", "F32", (length,), "average")])
        description = memoryview(self.layout.moving.to_bytes())
        numbers = np.random.default_rng(0).uniform(-1, 1, length).astype(np.float32)
        self._vector = {
            "layout": description,
            "layout_digest": self.layout.moving.digest,
            "data": memoryview(numbers).cast("B").toreadonly(),
            "data_digest": digest_of(memoryview(numbers).cast("B")),
        }

    def to(self, work):
        """The result of this work."""
        name = "model" if work.kind == "initialize" else "delta"
        return WorkDone(
            assignment=work.assignment,
            vectors=(ResultVector(name=name, **self._vector),),
            examples=1,
            steps=1,
            seconds=0.0,
            metrics={"loss": 1.0},
        )


class CrowdMember:
    """One worker: what a pump and a task's thread do for a real one, less the waiting.

    Args:
        name: Of the worker.
        answers: What its task says.
        address: Of the coordinator.
        context: Shared by all members of this process.
        messages: Counts ("sent" or "received", kind).
    """

    def __init__(self, name, answers, address, context, messages):
        hello = introduction(
            node=name,
            kind="worker",
            instance=secrets.token_hex(16),
            partition=Partition(),
            prepared=Prepared(DataSummary(examples=1), answers.layout),
        )
        self.logic = MemberLogic(hello=hello, layout=answers.layout, addresses=(address,))
        self.connector = SocketConnector(context)
        self.finish = None
        self._answers = answers
        self._messages = messages

    def start(self):
        """Connect."""
        self._do(self.logic.start(time.monotonic()))

    def take_messages(self):
        """Handle what has come."""
        while self.finish is None and (arrived := self.connector.receive()) is not None:
            self._count("received", arrived[1])
            self.handle(FramesArrived(*arrived))
        if self.finish is None and self.connector.broken:
            self.handle(RouteGone(b""))

    def handle(self, event):
        """Give the logic an input."""
        self._do(self.logic.handle(event, time.monotonic()))

    def _do(self, effects):
        for effect in effects:
            if isinstance(effect, SendFrames):
                self._count("sent", effect.frames)
                self.connector.send(effect.route, effect.frames)
            elif isinstance(effect, StartWork):
                self.handle(self._answers.to(effect.work))
            elif isinstance(effect, Connect):
                self.connector.open(effect.address)
            elif isinstance(effect, Disconnect):
                self.connector.disconnect()
            elif isinstance(effect, Finish):
                self.finish = effect

    def _count(self, way, frames):
        kind = json.loads(bytes(frames[0]))["kind"]
        self._messages[way, kind] += 1


def run(address, names, length):
    """Take part until the run has ended; returns how many messages of each kind were sent and received."""
    messages = collections.Counter()
    answers = Answers(length)
    with zmq.Context() as context:
        # Three for each while it connects; those of its attempt before may not be gone yet.
        context.set(zmq.MAX_SOCKETS, 12 * len(names))
        members = [CrowdMember(name, answers, address, context, messages) for name in names]
        for member in members:
            member.start()
        look_at = 0.0
        while members:
            # Its watch on the handshake, which is closed when that is over, waits for the look at the clock.
            by_socket = {socket: member for member in members for socket in member.connector.pollables[:1]}
            poller = zmq.Poller()
            for socket in by_socket:
                poller.register(socket, zmq.POLLIN)
            while time.monotonic() < look_at and not any(socket.closed for socket in by_socket):
                for socket, _ in poller.poll(LOOK_AT_CLOCK_S * 1000):
                    by_socket[socket].take_messages()
            look_at = time.monotonic() + LOOK_AT_CLOCK_S
            for member in members:
                member.connector.attend()
                member.take_messages()
                if member.finish is None and (member.logic.next_wake or look_at) < look_at:
                    member.handle(TimePassed())
                if member.finish is not None:
                    member.connector.close()
            members = [member for member in members if member.finish is None]
    return messages


def main():
    """Be a part of a crowd; prints what was counted as one line of JSON."""
    parser = argparse.ArgumentParser(description="many workers with an instant task, in one process")
    parser.add_argument("address", help="of the coordinator")
    parser.add_argument("--first", type=int, required=True, help="number of the first worker")
    parser.add_argument("--workers", type=int, required=True, help="how many")
    parser.add_argument("--bytes", type=int, required=True, help="size of the model")
    args = parser.parse_args()
    names = [f"w{number:05d}" for number in range(args.first, args.first + args.workers)]
    messages = run(args.address, names, args.bytes // ITEM_BYTES)
    sys.stdout.write(json.dumps([[way, kind, count] for (way, kind), count in messages.items()]) + "\n")


if __name__ == "__main__":
    main()
