"""A coordinator's logic with real numbers and files, and nodes that say what a test tells them to."""

from dataclasses import dataclass, field
from typing import get_args

import numpy as np

from zfed.nodes.admission import claim_of
from zfed.nodes.aggregation import Aggregation
from zfed.nodes.coordinator_start import started_logic
from zfed.nodes.coordinator_words import DropRoute, SpillJob
from zfed.nodes.spill_jobs import SpillJobs
from zfed.nodes.strategy_choice import configured_strategy
from zfed.nodes.upload_plan import planner_of
from zfed.nodes.words import Finish, FramesArrived, RouteGone, SendFrames, TellFact, TimePassed
from zfed.params import ParameterBuffer
from zfed.partition import Partition
from zfed.simulation.coordinator import FREE_MEMORY
from zfed.wire.codec import decode, encode
from zfed.wire.digests import blob_of, layout_blob
from zfed.wire.messages import Bye, Chunk, Hello, Initialize, Pull, Train, Update, Vector, Welcome


def buffer(value=0.0, size=6):
    return ParameterBuffer.from_arrays({"w": np.full(size, value, np.float32)})


@dataclass
class ScriptedNode:
    """One node's end: its blobs answer pulls, unless it is `mute`; everything else is up to the test."""

    table: "Table"
    name: str
    route: bytes
    hello: Hello
    epoch: int = 0
    mute: bool = False
    key: str = ""
    blobs: dict = field(default_factory=dict)
    heard: list = field(default_factory=list)
    payloads: dict = field(default_factory=dict)

    def say(self, message, payload=None):
        epoch = 0 if isinstance(message, Hello) else self.epoch
        frames = encode(message, epoch=epoch, payload=payload)
        self.table.handle(FramesArrived(self.route, frames, self.key))

    def hears(self, frames):
        envelope = decode(frames, sender="coordinator")
        message = envelope.message
        self.heard.append(message)
        if isinstance(message, Welcome):
            self.epoch = envelope.epoch
        if isinstance(message, Chunk):
            self.payloads[message.blob, message.offset] = bytes(envelope.payload)
        if isinstance(message, Pull) and not self.mute:
            self.answer(message)

    def answer(self, pull):
        if pull.blob in self.blobs:
            data = self.blobs[pull.blob][pull.offset : pull.offset + pull.bytes]
            self.table.later.append(lambda: self.say(Chunk(blob=pull.blob, offset=pull.offset), data))

    def of(self, kind):
        return [message for message in self.heard if type(message) is kind]

    def last(self, kind):
        return self.of(kind)[-1]

    def offer(self, order, values, *, name=None, examples=1, **changes):
        """Offer an update for an order; its bytes can be pulled from now on."""
        name = name or ("model" if isinstance(order, Initialize) else "delta")
        layout, data = values.layout.to_bytes(), values.data.tobytes()
        blob = f"{name}:{order.assignment}:{len(self.blobs)}"
        self.blobs[blob] = data
        vector = Vector(name=name, layout=layout_blob(f"layout:{name}", layout), data=blob_of(blob, data))
        fields = {
            "assignment": order.assignment,
            "version": getattr(order, "version", 0),
            "vectors": [vector],
            "examples": examples,
            **changes,
        }
        update = Update(**fields)
        self.say(update)
        return update

    def go(self):
        """The connection breaks."""
        self.table.handle(RouteGone(self.route))

    def leave(self):
        self.say(Bye(reason="enough"))


class Table:
    """The logic, what it told, and the nodes around it."""

    def __init__(self, config, directory, roster=None):
        self.now = 0.0
        strategy = configured_strategy(config).strategy
        plan_uploads = planner_of(config, strategy, FREE_MEMORY)
        self.aggregation = Aggregation(directory, strategy)
        self.logic = started_logic(config, self.aggregation, plan_uploads, roster)
        self.spills = SpillJobs(directory.path)
        self.nodes = {}
        self.later = []
        self.facts = []
        self.finish = None
        self.unroutable = []
        self.dropped = []
        self.perform(self.logic.start(self.now))

    def handle(self, event):
        self.perform(self.logic.handle(event, self.now))
        while self.later:
            self.later.pop(0)()

    def perform(self, effects):
        for effect in effects:
            if isinstance(effect, SendFrames):
                node = self.nodes.get(effect.route)
                if node is None:
                    self.unroutable.append(effect)
                else:
                    node.hears(effect.frames)
            elif isinstance(effect, TellFact):
                self.facts.append(effect.fact)
            elif isinstance(effect, DropRoute):
                self.dropped.append(effect.route)
            elif isinstance(effect, Finish):
                self.finish = effect
            else:
                performer = self.spills if isinstance(effect, get_args(SpillJob)) else self.aggregation
                result = performer.perform(effect)
                if result is not None:
                    self.later.append(lambda result=result: self.handle(result))

    def wait(self, seconds):
        """Let time pass in steps of half a second."""
        end = self.now + seconds
        while self.now < end:
            self.now += 0.5
            self.handle(TimePassed())

    def told(self, kind):
        return [fact for fact in self.facts if type(fact) is kind]

    def connect(
        self, name, kind="worker", *, examples=10, values=None, instance=None, mute=False, key="", **changes
    ):
        """A new connection that says HELLO."""
        layout = (values or buffer()).layout.shared.to_bytes()
        hello = Hello(
            **{
                "protocol": "zfed/1",
                "node": name,
                "node_kind": kind,
                "instance": f"{instance or len(self.nodes) + 1:032x}",
                "version": "0",
                "layout": layout_blob("layout", layout),
                "examples": examples,
                "partition": claim_of(Partition()),
                **changes,
            }
        )
        route = f"r{len(self.nodes)}".encode()
        node = ScriptedNode(self, name, route, hello, mute=mute, key=key, blobs={"layout": layout})
        self.nodes[route] = node
        node.say(hello)
        return node

    def with_first_model(self, *nodes, values=None):
        """Let whoever is asked give the first model; returns each node's order to train."""
        [asked] = [node for node in nodes if node.of(Initialize)]
        asked.offer(asked.last(Initialize), values or buffer())
        return [node.last(Train) for node in nodes if node.of(Train)]
