from zfed.wire.roster import Enrolled, Invited, Roster


def test_a_key_is_found_whatever_it_may_do():
    node, invited = Enrolled(node="w1", key="a"), Invited(node="w2", key="b")
    roster = Roster([node, invited])
    assert (roster.find("a"), roster.find("b"), roster.find("c"), len(roster)) == (node, invited, None, 2)


def test_of_two_entries_with_one_key_the_last_counts():
    assert Roster([Enrolled(node="w1", key="a"), Enrolled(node="w2", key="a")]).find("a").node == "w2"
