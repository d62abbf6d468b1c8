"""`zfed coordinator` that pings each node 20 times a second and writes how long each PONG was on its way.

    python -m tests.perf.pinging_coordinator ROUND_TRIPS_FILE coordinator [flags of zfed coordinator ...]

Everything else is the coordinator as it is. A line of the file: seconds of the clock at which the PONG came,
the round trip's seconds.
"""

import json
import sys
from pathlib import Path

from zfed.nodes import coordinator
from zfed.nodes.coordinator_logic import CoordinatorLogic
from zfed.nodes.words import FramesArrived, SendFrames
from zfed.wire.codec import decode
from zfed.wire.messages import Ping, Pong
from zfed.wire.session_words import Timing
from zfed_cli.main import main

PING_S = 0.05


class PingingLogic(CoordinatorLogic):
    """Notes when each PING left and its PONG came."""

    def __init__(self, **arguments):
        super().__init__(timing=Timing(ping_s=PING_S, sweep_s=PING_S / 2), **arguments)
        self._left = {}
        self.round_trips = []

    def handle(self, event, now):
        if isinstance(event, FramesArrived) and len(event.frames) == 1:
            said = decode(event.frames, sender="node").message
            if isinstance(said, Pong):
                self.round_trips.append((now, now - self._left.pop((event.route, said.number))))
        effects = super().handle(event, now)
        for effect in effects:
            if isinstance(effect, SendFrames) and len(effect.frames) == 1:
                told = decode(effect.frames, sender="coordinator").message
                if isinstance(told, Ping):
                    self._left[effect.route, told.number] = now
        return effects


if __name__ == "__main__":
    made = []
    coordinator.CoordinatorLogic = lambda **arguments: made.append(PingingLogic(**arguments)) or made[-1]
    code = main(sys.argv[2:])
    Path(sys.argv[1]).write_text("".join(json.dumps(trip) + "\n" for trip in made[0].round_trips))
    sys.exit(code)
