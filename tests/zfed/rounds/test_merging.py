from zfed.rounds.merging import Merging


def test_the_first_nodes_rules_are_the_runs():
    merging = Merging()
    assert not merging.objection("a", {"correct": "sum"})
    merging.take("a", {"correct": "sum"})
    merging.take("b", {"correct": "sum"})
    assert (merging.rules, merging.given_by) == ({"correct": "sum"}, "a")


def test_a_node_with_another_rule_is_told_which():
    merging = Merging()
    merging.take("a", {"correct": "sum"})
    assert merging.objection("b", {"correct": "max"}) == (
        "b merges the metric 'correct' by max, the run by sum (first told by a): give all nodes the same task"
    )
    assert "'correct' by mean, the run by sum" in merging.objection("b", {})
    assert "'f1' by min, the run by mean" in merging.objection("b", {"correct": "sum", "f1": "min"})


def test_to_say_what_goes_without_saying_is_no_difference():
    merging = Merging()
    merging.take("a", {})
    assert not merging.objection("b", {"loss": "mean"})
