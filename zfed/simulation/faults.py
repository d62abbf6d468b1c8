"""Makes the faults of a schedule happen in a simulation, and end."""

from __future__ import annotations

import math
from collections import Counter
from functools import partial
from typing import Final

from zfed.nodes.words import Finish
from zfed.simulation.coordinator import COORDINATOR
from zfed.simulation.invariants import BrokenPromise
from zfed.simulation.schedule import Fault, Schedule
from zfed.simulation.world import Simulation
from zfed.wire.roster import Enrolled, Roster

PATIENCE_S: Final = 5.0
"""After so long somebody starts a node again that has given up."""


class Faults:
    """Arranges all faults of a schedule when it is made.

    Attributes:
        befell: How often something of a kind has happened; a death that was not reached in time has not.
    """

    def __init__(self, schedule: Schedule, simulation: Simulation) -> None:
        self.befell: Counter[str] = Counter()
        self._schedule = schedule
        self._simulation = simulation
        self._down_s: dict[str, tuple[str, float]] = {}
        self._revoked: Counter[str] = Counter()
        self._kept: Counter[str] = Counter()
        self._enrol()
        simulation.network.faults = schedule.calm
        simulation.when_gone = self._gone
        for fault in schedule.faults:
            simulation.at(fault.at, partial(self._begin, fault))
        simulation.at(schedule.peace_at, self._make_peace)

    def _begin(self, fault: Fault) -> None:
        simulation = self._simulation
        over_at = fault.at + fault.lasting_s
        match fault.kind:
            case "kill" | "power cut":
                [node] = fault.nodes
                if not simulation.is_running(node):
                    return
                power_cut = fault.kind == "power cut"
                self._down_s[node] = (fault.kind, fault.lasting_s)
                if fault.effects or fault.disk_calls:
                    simulation.doom(
                        node, effects=fault.effects, disk_calls=fault.disk_calls, power_cut=power_cut
                    )
                else:
                    simulation.crash(node, power_cut=power_cut)
                return
            case "freeze":
                [node] = fault.nodes
                simulation.freeze(node)
                simulation.at(over_at, lambda: simulation.thaw(node))
            case "isolation":
                for node in fault.nodes:
                    simulation.network.isolate(node)
                simulation.at(over_at, lambda: self._reconnect(fault))
            case "weather":
                simulation.network.faults = fault.weather or self._schedule.calm
                simulation.at(over_at, self._calm)
            case "full disk":
                [node] = fault.nodes
                simulation.disk_of(node).fill(fault.room)
                simulation.at(over_at, lambda: simulation.disk_of(node).fill(math.inf))
            case "wall clock":
                simulation.wall_offset_s += fault.moved_s
            case "revocation":
                self._revoke(fault.nodes, 1)
                simulation.at(over_at, lambda: self._revoke(fault.nodes, -1))
            case "not ready":
                [node] = fault.nodes
                self._keep_from_work(node, 1)
                simulation.at(over_at, lambda: self._keep_from_work(node, -1))
        self.befell[fault.kind] += 1

    def _keep_from_work(self, node: str, times: int) -> None:
        self._kept[node] += times
        self._simulation.tell_readiness(node, "it was drawn so" if self._kept[node] else "")

    def _revoke(self, nodes: tuple[str, ...], times: int) -> None:
        self._revoked.update(dict.fromkeys(nodes, times))
        self._enrol()

    def _enrol(self) -> None:
        if self._schedule.keyed:
            self._simulation.enrol(
                Roster(
                    Enrolled(
                        node=node, key=node, objection="its key was revoked" if self._revoked[node] else ""
                    )
                    for node in self._schedule.nodes
                )
            )

    def _gone(self, node: str, finish: Finish | None) -> None:
        """Somebody starts it again while the run goes on, also one that has given up; after peace at once."""
        simulation = self._simulation
        if simulation.finish_of(COORDINATOR) is not None:
            return
        if finish is None:
            kind, down_s = self._down_s.get(node, ("kill", 0.0))
            self.befell[kind] += 1
        elif node == COORDINATOR and not simulation.disk_of(node).is_full:
            raise BrokenPromise(f"the coordinator could not go on: {finish.reason}")
        else:
            down_s = PATIENCE_S
            self.befell["gave up"] += 1
        now = simulation.clock.now
        back_at = min(now + down_s, max(now + PATIENCE_S, self._schedule.peace_at))
        simulation.at(back_at, lambda: self._back(node))

    def _back(self, node: str) -> None:
        if not self._simulation.is_running(node):
            self._simulation.restart(node)

    def _calm(self) -> None:
        self._simulation.network.faults = self._schedule.calm

    def _reconnect(self, fault: Fault) -> None:
        for node in fault.nodes:
            self._simulation.network.reconnect(node)

    def _make_peace(self) -> None:
        """Nothing that was to come later comes any more; what is under way is over."""
        for node in self._simulation.names:
            self._simulation.spare(node)
