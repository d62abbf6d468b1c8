import pytest

from tests.zfed.rounds.driver import staged
from zfed.rounds.parts import Part, merged_metrics, per_worker, shares


def counted(node, weight, examples, **metrics):
    asked = {"round": 1, "version": 0, "deadline": 10.0}
    part = Part(node=node, assignment=(1, 1), declared=examples, **asked, state="counted", weight=weight)
    part.result = staged(node, part.assignment, examples=examples, **metrics)
    return part


def test_shares_add_up_to_1():
    assert shares([counted("a", 30.0, 30), counted("b", 10.0, 10)]) == [0.75, 0.25]


def test_metrics_are_merged_by_examples_whatever_the_weights():
    both = [counted("a", 1.0, 30, loss=1.0), counted("b", 1.0, 10, loss=2.0)]
    assert merged_metrics(both, {}) == {"loss": pytest.approx(1.25)}


def test_metrics_are_merged_by_the_rules_of_the_run():
    both = [counted("a", 1.0, 30, slowest=1.0), counted("b", 1.0, 10, slowest=2.0)]
    assert merged_metrics(both, {"slowest": "max"}) == {"slowest": 2.0}


def test_each_workers_own_numbers_are_kept():
    own = per_worker([counted("a", 1.0, 30, loss=1.0)])["a"]
    assert (own.examples, own.steps, own.seconds, own.metrics) == (30, 3, 1.5, {"loss": 1.0})
