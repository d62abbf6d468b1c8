"""Links that are cut, half open or lossy, between machines of their own; see `lossy_link`."""

import time

import pytest
from safetensors.numpy import load_file

from tests.chaos.runs import NAMES
from zfed.facts import Connected, Disconnected, NodeJoined, NodeLeft, RoundCommitted, RunEnded, UpdateAccepted

LOST_S = 10.0
"""The heartbeat timeout, of both sides."""
NOTICED_S = LOST_S + 2.0
"""With what the sweep and a busy machine take."""
CUT_S = 30.0
LONGEST_LOSSY_S = 300.0
LOSSY_MTU = 65_000
"""At this loss one TCP connection carries 20 to 30 KB/s in packets of 1500 bytes, whoever uses it."""
PORT = 8777


class Split:
    """A coordinator at the hub, two workers each behind its own link."""

    def __init__(self, fleet, network, *flags, **settings):
        self.coordinator = fleet.coordinator(
            *("--wait-for", ",".join(NAMES), *flags),
            bind=f"tcp://0.0.0.0:{PORT}",
            before=network.before,
        )
        self.spokes = {name: network.spoke() for name in NAMES}
        self.workers = {
            name: fleet.worker(
                name,
                connect=f"tcp://{spoke.hub}:{PORT}",
                before=spoke.before,
                log=fleet.folder / f"{name}.trained",
                **{"pause_s": 1.0 if name == "bob" else 0.0, **settings},
            )
            for name, spoke in self.spokes.items()
        }
        self._folder = fleet.folder

    def trained(self, name):
        lines = (self._folder / f"{name}.trained").read_text().splitlines()
        return [int(line.split()[1]) for line in lines if line.startswith("ended")]

    def finish(self):
        assert [node.exit_code(60) for node in (self.coordinator, *self.workers.values())] == [0] * 3
        assert self.coordinator.told(RunEnded)[0].status == "completed"


def test_link_cut_for_30_s_is_noticed_within_the_heartbeat_timeout_and_nothing_is_lost_or_doubled(
    fleet, network, figure
):
    """Both ends then hold a connection that is dead, and each finds out by itself."""
    split = Split(fleet, network, "--rounds", 4, "--rejoin-grace", 60, pause_s=1.0)
    split.coordinator.awaited(RoundCommitted, round=1)
    split.spokes["alice"].cut()
    cut_at = time.monotonic()
    split.coordinator.awaited(NodeLeft, node="alice")
    split.workers["alice"].awaited(Disconnected)
    noticed_s = time.monotonic() - cut_at
    assert noticed_s < NOTICED_S
    figure(f"link cut: both ends noticed after {noticed_s:.1f} s")
    time.sleep(max(cut_at + CUT_S - time.monotonic(), 0))
    split.spokes["alice"].heal()
    healed_at = time.monotonic()
    split.coordinator.awaited(NodeJoined, node="alice", rejoined=True)
    assert time.monotonic() - healed_at < LOST_S
    split.finish()
    assert [fact.workers for fact in split.coordinator.told(RoundCommitted)] == [list(NAMES)] * 4
    assert {name: split.trained(name) for name in NAMES} == {name: [1, 2, 3, 4] for name in NAMES}


def test_half_open_connection_is_replaced_as_soon_as_its_node_comes_again(fleet, network):
    """The worker dies behind a cut link: no reset gets out. Started again it has its name at once."""
    split = Split(fleet, network, "--rounds", 4, "--rejoin-grace", 60, pause_s=0.5)
    split.coordinator.awaited(RoundCommitted, round=1)
    spoke = split.spokes["alice"]
    spoke.cut()
    split.workers["alice"].process.kill()
    split.workers["alice"].process.wait()
    spoke.heal()
    healed_at = time.monotonic()
    split.workers["alice"] = fleet.worker(
        "alice", connect=f"tcp://{spoke.hub}:{PORT}", before=spoke.before, pause_s=0.5
    )
    split.workers["alice"].awaited(Connected)
    assert time.monotonic() - healed_at < LOST_S
    split.finish()
    assert [fact.workers for fact in split.coordinator.told(RoundCommitted)] == [list(NAMES)] * 4


def test_lost_acknowledgement_is_sent_again_and_the_update_counts_once(fleet, network):
    """Cut after alice's update came and before the version that holds it: COMMITTED never arrives."""
    split = Split(fleet, network, "--rounds", 4, "--rejoin-grace", 60, remember=True)
    split.coordinator.awaited(UpdateAccepted, node="alice", round=2)
    split.spokes["alice"].cut()
    split.coordinator.awaited(RoundCommitted, round=2)
    split.coordinator.awaited(NodeLeft, node="alice")
    split.spokes["alice"].heal()
    split.finish()
    assert [fact.workers for fact in split.coordinator.told(RoundCommitted)] == [list(NAMES)] * 4
    assert {name: split.trained(name) for name in NAMES} == {name: [1, 2, 3, 4] for name in NAMES}
    # Had its state been rolled back, alice would have counted a round less.
    model = load_file(split.coordinator.told(RunEnded)[0].model)
    mean_label = 4.5
    assert model["bias"] == pytest.approx(4 * mean_label + (1 + 2 + 3 + 4))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_ten_rounds_of_1_mb_finish_at_30_percent_loss_both_ways_and_10_ms_each_way(
    fleet, network, figure, seed
):
    """One worker, large packets. What decides how long this takes stands in docs/reliability.md."""
    spoke = network.spoke(seed=seed, loss=0.3, delay_s=0.01, mtu=LOSSY_MTU)
    coordinator = fleet.coordinator(*("--rounds", 10), bind=f"tcp://0.0.0.0:{PORT}", before=network.before)
    began = time.monotonic()
    worker = fleet.worker("alice", connect=f"tcp://{spoke.hub}:{PORT}", before=spoke.before, width=250_000)
    assert coordinator.exit_code(LONGEST_LOSSY_S) == 0
    took_s = time.monotonic() - began
    assert took_s < LONGEST_LOSSY_S
    assert worker.exit_code(60) == 0
    assert [fact.workers for fact in coordinator.told(RoundCommitted)] == [["alice"]] * 10
    figure(f"ten rounds of 1 MB at 30 % loss, seed {seed}: {took_s:.0f} s")
