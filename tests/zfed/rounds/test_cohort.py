import pytest

from tests.zfed.rounds.driver import evaluator, ready
from zfed.errors import ConfigError
from zfed.rounds.cohort import Roster, WaitFor


def roster(*nodes):
    return Roster(nodes)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3", WaitFor(count=3)),
        (" 3 ", WaitFor(count=3)),
        ("alice", WaitFor(count=0, names=("alice",))),
        ("alice, bob,", WaitFor(count=0, names=("alice", "bob"))),
        ("3,alice", WaitFor(count=0, names=("3", "alice"))),
    ],
)
def test_wait_for_is_a_number_or_names(text, expected):
    assert WaitFor.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "why"), [("0", "at least 1"), ("", "empty"), (",", "empty"), (" ", "empty")]
)
def test_wait_for_nobody_is_an_error_that_says_so(text, why):
    with pytest.raises(ConfigError, match=why):
        WaitFor.parse(text)


@pytest.mark.parametrize("text", ["-1", "a b", "alice,b/c", "²", "x" * 65])
def test_wait_for_a_name_that_no_node_can_have_is_an_error(text):
    with pytest.raises(ConfigError, match="no node can have the name"):
        WaitFor.parse(text)


@pytest.mark.parametrize(
    ("text", "here", "missing"),
    [
        ("2", [], "2 more workers"),
        ("2", ["bob"], "1 more worker"),
        ("2", ["bob", "alice"], ""),
        ("2", ["bob", "alice", "carol"], ""),
        ("alice,bob", ["carol"], "alice, bob"),
        ("alice,bob", ["bob"], "alice"),
        ("alice,bob", ["bob", "alice"], ""),
    ],
)
def test_missing_says_in_words_who_is_awaited(text, here, missing):
    assert WaitFor.parse(text).missing(roster(*map(ready, here))) == missing


def test_evaluators_do_not_count_as_workers():
    assert WaitFor.parse("1").missing(roster(evaluator())) == "1 more worker"


def test_an_evaluator_may_be_awaited_by_name_but_a_worker_is_needed_too():
    wait = WaitFor.parse("eva")
    assert wait.missing(roster()) == "eva"
    assert wait.missing(roster(evaluator())) == "1 more worker"
    assert wait.missing(roster(evaluator(), ready("alice"))) == ""


def test_nodes_are_listed_by_kind_in_the_order_of_their_names():
    everybody = roster(ready("carol"), evaluator("zoe"), ready("alice"), evaluator("eva"))
    assert [node.node for node in everybody.workers] == ["alice", "carol"]
    assert [node.node for node in everybody.evaluators] == ["eva", "zoe"]
