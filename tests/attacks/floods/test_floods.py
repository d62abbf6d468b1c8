"""Many connections of who may not come in: rounds go on, at hardly more cost, and then as if nothing was."""

import os
import time

import pytest

from tests.attacks.floods.measured import cost_of
from tests.attacks.raw_peers import HTTP, Flood, greeting
from tests.attacks.site import Site
from zfed.facts import NodeJoined, NodeLeft, NodeRefused

MOST = 1.5
"""Times as long, and times as much CPU time, as without the attack."""
MOST_GROWTH = 64 << 20
BACK_WITHIN_S = 15.0
"""After an attack a newcomer is let in: a node tries for longer than this by itself."""
LARGE = {"pause_s": 1.0, "width": 5_000_000}
"""Rounds of a second, of a model of 20 MB: a coordinator that has something to do."""
FILES_ALLOWED = 600


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = Site(tmp_path_factory.mktemp("site"), **LARGE)
    yield made
    made.close()


@pytest.fixture(scope="module")
def cramped(tmp_path_factory):
    """A coordinator that may open few files."""
    limited = ("sh", "-c", f'ulimit -n {FILES_ALLOWED}; exec "$@"', "sh")
    made = Site(tmp_path_factory.mktemp("cramped"), before=limited, **LARGE)
    yield made
    made.close()


ATTACKS = {
    "1,000 connections of random bytes": (1000, lambda _: os.urandom(200), b""),
    "1,000 connections of HTTP": (1000, lambda _: HTTP, b""),
    "1,000 connections of a greeting, then silence": (1000, lambda _: greeting("CURVE"), b""),
    "1,000 connections that say nothing": (1000, lambda _: b"", b""),
    "200 connections of a byte a second": (200, lambda _: b"", greeting("CURVE")),
}


def assert_bearable(attack, site, figure, name):
    before = len(site.told(NodeRefused))
    cost = cost_of(attack, site)
    figure(f"{name}: {cost}")
    assert len(site.told(NodeRefused)) == before  # no message came of it
    assert not [fact for fact in site.told(NodeLeft) if fact.node in site.workers]
    assert cost.longer < MOST
    assert cost.busier < MOST
    assert cost.grown_bytes < MOST_GROWTH


def assert_newcomer_is_let_in(site, name):
    worker = site.worker(name, site.enrolled(name) and "--partition", "iid:9/10", width=LARGE["width"])
    site.coordinator.awaited(NodeJoined, node=name, within_s=BACK_WITHIN_S)
    worker.interrupt()
    assert worker.exit_code() == 130


@pytest.mark.parametrize("name", ATTACKS)
def test_a_flood_costs_less_than_half_as_much_again(site, figure, name):
    connections, opening, drip = ATTACKS[name]
    floods = []

    def attack():
        floods.append(Flood(site.address, connections, opening, drip=drip))
        return floods[-1]

    assert_bearable(attack, site, figure, name)
    assert min(flood.opened for flood in floods) >= connections
    assert_newcomer_is_let_in(site, f"after-{list(ATTACKS).index(name)}")


def test_who_takes_all_descriptors_shuts_the_door_but_disturbs_nobody_inside(cramped, figure):
    def attack():
        return Flood(cramped.address, 2 * FILES_ALLOWED, lambda _: greeting("CURVE"))

    assert_bearable(attack, cramped, figure, f"descriptors of {FILES_ALLOWED} taken")
    assert "no more connections" in cramped.coordinator.errors
    began = time.monotonic()
    assert_newcomer_is_let_in(cramped, "after-all")
    figure(f"a newcomer was in {time.monotonic() - began:.1f} s after all descriptors had been taken")
