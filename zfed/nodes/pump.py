"""The event loop of a node: one thread, one poller.

Whatever takes long (a task's training, files, sums over whole models) is done in other threads, which `post`
what became of it. The pump never blocks but in `poll`, and never handles messages for longer than
`BUSY_S` before it looks at the time.
"""

from __future__ import annotations

import contextlib
import math
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import zmq

from zfed.nodes.logic import Effect, Input, Logic
from zfed.nodes.words import Finish, FramesArrived, RouteGone, SendFrames, TimePassed
from zfed.transport import Transport

BUSY_S = 0.02
LONGEST_WAIT_S = 1.0


class Pump:
    """Drives one node's logic.

    Args:
        logic: The node.
        transport: Its end of the network.
        perform: What to do with every effect but `SendFrames` and `Finish`, by its type.
        turn_done: Called when everything that was there has been handled, before the pump waits.
        look: Called before messages are taken; what it returns is told to the logic before they are.
    """

    def __init__(
        self,
        logic: Logic,
        transport: Transport,
        perform: Mapping[type, Callable[[Any], None]],
        turn_done: Callable[[], None] = lambda: None,
        look: Callable[[], Input | None] = lambda: None,
    ) -> None:
        self._logic = logic
        self._transport = transport
        self._perform = perform
        self._turn_done = turn_done
        self._look = look
        self._inbox: queue.SimpleQueue[Input] = queue.SimpleQueue()
        self._wake_in, self._wake_out = os.pipe()
        os.set_blocking(self._wake_in, False)
        os.set_blocking(self._wake_out, False)
        self._woken = False
        self._closed = threading.Event()
        self._finish: Finish | None = None
        self._poller = zmq.Poller()
        self._poller.register(self._wake_in, zmq.POLLIN)
        self._polled: tuple[Any, ...] = ()

    def post(self, event: Input) -> None:
        """Give the logic an input, from any thread or signal handler."""
        self._inbox.put(event)
        if self._woken:
            return  # and has not looked at what is there since
        self._woken = True
        with contextlib.suppress(OSError):  # full: it wakes anyway; closed: nobody listens any more
            os.write(self._wake_out, b"!")

    def run(self) -> Finish:
        """Run until the logic is finished."""
        self._do(self._logic.start(time.monotonic()))
        while self._finish is None:
            self._turn_done()
            self._poll()
            self._take_messages()
            while self._finish is None and not self._inbox.empty():
                self._handle(self._inbox.get())
            wake = self._logic.next_wake
            if self._finish is None and wake is not None and time.monotonic() >= wake:
                self._handle(TimePassed())
        return self._finish

    def close(self) -> None:
        """Free the pump's descriptors."""
        if not self._closed.is_set():
            self._closed.set()
            os.close(self._wake_in)
            os.close(self._wake_out)

    def _poll(self) -> None:
        self._look_at(self._transport.pollables)
        for ready, _ in self._wait():
            if ready == self._wake_in:
                os.read(self._wake_in, 4096)
                self._woken = False  # from here on whoever posts wakes again

    def _wait(self) -> list[tuple[Any, int]]:
        """What is ready, as soon as anything is or there is something else to do."""
        transport, wake = self._transport, self._logic.next_wake
        now = time.monotonic()
        until = now + LONGEST_WAIT_S if wake is None else min(wake, now + LONGEST_WAIT_S)
        while True:
            wait = min(max(until - now, 0.0), transport.look_again_s)
            ready = self._poller.poll(math.ceil(wait * 1000))
            now = time.monotonic()
            if ready or now >= until or transport.uneasy:
                return ready

    def _look_at(self, pollables: tuple[Any, ...]) -> None:
        """Poll these from now on: a node that connects again has another socket."""
        if pollables == self._polled:
            return
        for gone in set(self._polled).difference(pollables):
            self._poller.unregister(gone)
        for new in set(pollables).difference(self._polled):
            self._poller.register(new, zmq.POLLIN)
        self._polled = pollables

    def _take_messages(self) -> None:
        if (news := self._look()) is not None:
            self._handle(news)  # before anybody is let in: who was enrolled a moment ago connects at once
        self._transport.attend()
        until = time.monotonic() + BUSY_S
        while self._finish is None and time.monotonic() < until:
            arrived = self._transport.receive()
            if arrived is None:
                break
            self._handle(FramesArrived(*arrived))
        if self._finish is None and self._transport.broken:
            self._handle(RouteGone(b"", self._transport.refusal))

    def _handle(self, event: Input) -> None:
        self._do(self._logic.handle(event, time.monotonic()))

    def _do(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, SendFrames):
                self._send(effect)
            elif isinstance(effect, Finish):
                self._finish = effect
            else:
                self._perform[type(effect)](effect)

    def _send(self, effect: SendFrames) -> None:
        if not self._transport.send(effect.route, effect.frames):
            self._inbox.put(RouteGone(effect.route))  # after what is being done now, not in its middle
