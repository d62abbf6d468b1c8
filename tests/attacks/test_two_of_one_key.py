"""Two processes with the key of one node: the newer one is the node."""

from tests.attacks.hostile_worker import HostileWorker, tiny_values
from zfed.wire.messages import Committed


def test_the_newer_supersedes_the_older_whose_late_messages_are_dropped(site):
    keys = site.enrolled("twin")
    with HostileWorker(site.address, "twin", keys=keys) as older:
        order = older.join()
        with HostileWorker(site.address, "twin", keys=keys) as newer:
            again = newer.join()
            refused = older.awaits_refusal()
            assert refused.code == "superseded"
            older.offer(order, tiny_values(value=1.0))
            older.offer(again, tiny_values(value=1.0))
            older.say(older.hello)
            assert older.hears_nothing(0.5)
            newer.offer(again, tiny_values())
            newer.awaits(Committed, lambda told: told.assignment == again.assignment)
            newer.leave()
    assert site.goes_on()
    [counted] = [line for line in site.journal("committed") if "twin" in line.get("workers", {})]
    assert counted
