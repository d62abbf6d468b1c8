"""A coordinator that died and was started again on the same directory, between scripted nodes."""

from pathlib import Path

import numpy as np
import pytest

from tests.zfed.nodes.scripted_coordinator import Table, buffer
from tests.zfed.simulation.simulated import configured, run_directory
from zfed.checkpoint import RunDirectory
from zfed.facts import Evaluated, EvaluationSkipped, NodeJoined, RoundCommitted
from zfed.wire.messages import (
    Accepted,
    Committed,
    Ended,
    Evaluate,
    Initialize,
    Refused,
    Train,
    Welcome,
)
from zfed.wire.messages import Evaluated as EvaluatedMessage

EVALUATED = {"first": True, "every": 1, "last": True, "timeout_s": 60.0}


@pytest.fixture
def folder():
    with run_directory() as directory:
        path = directory.path
        directory.close()
        yield path


class Run:
    """Starts of one coordinator, one after another."""

    def __init__(self, folder, **options):
        self.folder = folder
        self.config = configured(**options)
        self.directory = None

    def start(self):
        if self.directory is not None:
            self.directory.close()  # what a killed process leaves is what was written
        self.directory = RunDirectory.resume(self.folder)
        return Table(self.config, self.directory)


@pytest.fixture
def run(folder):
    made = []

    def make(**options):
        made.append(Run(folder, **options))
        return made[0]

    yield make
    for each in made:
        each.directory.close()


def begun(run):
    """A first start whose round 1 is open: its table, workers, and their orders."""
    table = run.start()
    alice, bob = table.connect("alice"), table.connect("bob")
    return table, alice, bob, table.with_first_model(alice, bob)


def test_attempt_that_was_open_is_open_again_and_what_was_made_for_it_counts_once(run):
    run = run(rounds=2, wait_for="2")
    table, alice, bob, orders = begun(run)
    update = alice.offer(orders[0], buffer(1.0))
    assert alice.of(Accepted)
    blobs = dict(alice.blobs)

    table = run.start()
    alice, bob = table.connect("alice"), table.connect("bob")
    assert [alice.last(Train).assignment, bob.last(Train).assignment] == [
        order.assignment for order in orders
    ]
    alice.blobs.update(blobs)
    alice.say(update)
    alice.say(update)
    assert len(alice.of(Accepted)) == 2
    bob.offer(orders[1], buffer(3.0))
    assert table.told(RoundCommitted)[0].workers == ["alice", "bob"]
    assert table.aggregation.model["w"].tolist() == (buffer(1.0)["w"] + 1.0).tolist()


def test_node_that_missed_committed_is_told_it_and_its_next_order_says_so_too(run):
    run = run(rounds=2, wait_for="2")
    table, alice, bob, orders = begun(run)
    update = alice.offer(orders[0], buffer(1.0))
    bob.offer(orders[1], buffer(1.0))

    table = run.start()
    alice, bob = table.connect("alice"), table.connect("bob")
    assert alice.last(Train).version == 1
    assert alice.last(Train).counted == orders[0].assignment
    alice.say(update)
    assert alice.last(Committed).version == 1


def test_first_model_is_asked_for_again_if_there_was_none_yet(run):
    run = run(rounds=2, wait_for="2")
    table = run.start()
    first = table.connect("alice"), table.connect("bob")
    before = first[0].last(Initialize)
    table = run.start()
    alice, _ = table.connect("alice"), table.connect("bob")
    after = alice.last(Initialize)
    assert (after.seed, after.assignment[0]) == (before.seed, before.assignment[0] + 1)


def test_update_asked_for_by_a_start_that_wrote_nothing_of_it_is_neither_refused_nor_counted(run):
    run = run(rounds=2, wait_for="2")
    _, alice, _, orders = begun(run)
    update = alice.offer(orders[0], buffer(1.0))
    journal = Path(run.folder, "journal.jsonl")
    lines = journal.read_bytes().splitlines(keepends=True)
    run.directory.close()
    journal.write_bytes(b"".join(line for line in lines if b'"opened"' not in line))

    table = run.start()
    alice = table.connect("alice")
    alice.say(update)
    assert not alice.of(Refused)
    table.connect("bob")
    assert alice.last(Train).assignment != update.assignment
    assert not table.told(RoundCommitted)


def test_owed_evaluation_is_asked_of_the_evaluator_that_returns_under_its_number(run):
    run = run(rounds=1, wait_for="1", evaluate={**EVALUATED, "workers": True})
    table = run.start()
    alice, eva = table.connect("alice"), table.connect("eva", "evaluator")
    [order] = table.with_first_model(eva, alice)
    alice.offer(order, buffer(2.0))
    asked = {order.subject: order for order in eva.of(Evaluate)}
    eva.say(EvaluatedMessage(assignment=asked["alice"].assignment, examples=5, metrics={"loss": 0.5}))

    table = run.start()
    eva = table.connect("eva", "evaluator")
    [owed] = eva.of(Evaluate)
    assert owed == asked["federated"]
    eva.say(EvaluatedMessage(assignment=owed.assignment, examples=5, metrics={"loss": 0.25}))
    assert [fact.subject for fact in table.told(Evaluated)] == ["federated"]
    assert eva.last(Ended).status == "completed"


def test_owed_evaluation_whose_model_was_damaged_is_skipped_and_says_why(run):
    run = run(rounds=1, wait_for="1", evaluate={**EVALUATED, "workers": True})
    table = run.start()
    alice, eva = table.connect("alice"), table.connect("eva", "evaluator")
    [order] = table.with_first_model(eva, alice)
    alice.offer(order, buffer(2.0))
    path = run.directory.update_path(1, "alice")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)

    table = run.start()
    [skipped] = table.told(EvaluationSkipped)
    assert skipped.subject == "alice"
    assert path.name in skipped.reason
    assert [order.subject for order in table.connect("eva", "evaluator").of(Evaluate)] == ["federated"]


def test_run_that_was_over_is_over_and_who_was_here_is_told(run):
    run = run(rounds=1, wait_for="2")
    table, alice, bob, orders = begun(run)
    for node, order in zip((alice, bob), orders, strict=True):
        node.offer(order, buffer(1.0))
    bob.leave()

    table = run.start()
    assert table.finish is None
    alice = table.connect("alice")
    assert alice.last(Ended).status == "completed"
    alice.leave()
    assert (table.finish.status, table.finish.version) == ("completed", 1)


def test_run_that_was_over_and_known_to_all_ends_at_once(run):
    run = run(rounds=1, wait_for="2")
    _, alice, bob, orders = begun(run)
    for node, order in zip((alice, bob), orders, strict=True):
        node.offer(order, buffer(1.0))
    alice.leave()
    bob.leave()
    assert run.start().finish.status == "completed"


def test_coordinator_without_memory_of_a_node_knows_it_as_one_that_is_back(run):
    run = run(rounds=2, wait_for="2")
    begun(run)
    table = run.start()
    table.connect("alice")
    table.connect("dora")
    assert {fact.node: fact.rejoined for fact in table.told(NodeJoined)} == {"alice": True, "dora": False}


def test_two_starts_tell_one_run_key_and_different_sessions(run):
    run = run(rounds=2, wait_for="2")
    _, before, _, _ = begun(run)
    after = run.start().connect("alice")
    assert before.last(Welcome).run_key == after.last(Welcome).run_key == run.directory.key
    assert before.epoch != after.epoch


@pytest.mark.parametrize("moment", [0, 2, 4])
def test_model_is_that_of_a_run_that_nothing_happened_to(run, moment):
    """However far round 1 had come when the coordinator died."""
    run = run(rounds=1, wait_for="2", strategy="fedavgm")
    table, alice, bob, orders = begun(run)
    updates = []

    def offer(node, order, values, step):
        if moment > step:
            updates.append((node.name, node.offer(order, values), dict(node.blobs)))

    offer(alice, orders[0], buffer(0.1), 1)
    offer(bob, orders[1], buffer(0.7), 3)
    table = run.start()
    nodes = {"alice": table.connect("alice"), "bob": table.connect("bob")}
    for name, update, blobs in updates:
        nodes[name].blobs.update(blobs)
        nodes[name].say(update)
    for order, name, values in zip(orders, nodes, (0.1, 0.7), strict=True):
        if nodes[name].of(Train) and not nodes[name].of(Accepted):
            nodes[name].offer(order, buffer(values))
    np.testing.assert_allclose(table.aggregation.model["w"], 0.4, rtol=1e-6)
