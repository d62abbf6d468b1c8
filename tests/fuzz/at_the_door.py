"""Whose keys a coordinator knows in a fuzzed run, and who comes; in a simulation a key is its node's name."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial
from typing import Final

from zfed.nodes.coordinator_words import EnrolmentRefused, EnrolNode, NodeEnrolled
from zfed.simulation.world import Simulation
from zfed.wire.roster import Enrolled, Invited, Roster

STRANGERS: Final = ("nobody", "mallory", "revoked", "invited", "w1")
"""Keys of connections that only the forger uses: one that is unknown, one of a node that never takes part,
one that is not valid any more, one of an invitation, and that of a worker, on a second device."""


def ask_for_keys(simulation: Simulation, nodes: Sequence[str]) -> None:
    """Let the coordinator know the keys of its nodes, and some others."""
    simulation.enrol(_roster(nodes))


def revoke_now_and_then(simulation: Simulation, nodes: Sequence[str], draw: random.Random) -> None:
    """Take a node's key back, for a while."""
    at = 0.0
    for _ in range(draw.choice((0, 2, 10))):
        at += draw.uniform(0.1, 20.0)
        without_one = _roster(nodes, draw.choice(nodes))
        simulation.at(at, partial(simulation.enrol, without_one))
        at += draw.uniform(0.1, 5.0)
        simulation.at(at, partial(ask_for_keys, simulation, nodes))


def enrolled(asked: EnrolNode) -> NodeEnrolled | EnrolmentRefused:
    """What comes of an ENROLL: no simulation has a keys folder, whose part of it has tests of its own."""
    if not asked.key.startswith("zfed-key-"):
        return EnrolmentRefused(asked.route, asked.node, "this is no public key")
    return NodeEnrolled(asked.route, asked.node, "SHA256:...", "zfed-key-...")


def _roster(nodes: Sequence[str], revoked: str = "") -> Roster:
    return Roster(
        [
            *(
                Enrolled(node=node, key=node, objection="it was revoked" if node == revoked else "")
                for node in nodes
            ),
            Enrolled(node="mallory", key="mallory", max_examples=3),
            Enrolled(node="rita", key="revoked", objection="it was revoked long ago"),
            Invited(node="dora", key="invited"),
        ]
    )
