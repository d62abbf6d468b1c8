import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfed.errors import ConfigError, UsageError
from zfed.identity import AuthorizedTable, NodeKey
from zfed.wire.roster import Enrolled

NOW = 1_795_305_600  # 2026-11-22T00:00:00Z
DAY = 86_400
W1, W2 = NodeKey.generate(), NodeKey.generate()
W1_NEW = W1.rotated()
W1_NEWEST = W1.rotated()
EMPTY = AuthorizedTable()


def enrolled(table, name, key, now=NOW, **options):
    return table.enrolled(name, key.public, now=now, overlap_s=7 * DAY, **options)


def validity(table, now):
    """True or False for each key, by node."""
    return [(entry.node, entry.objection == "") for entry in table.entries(now)]


def test_an_enrolled_key_is_in_the_roster_under_its_name():
    table = enrolled(EMPTY, "w1", W1, max_examples=500, tags=("gpu", "site-a"))
    entry = table.roster(NOW).find(W1.public.key_id)
    assert entry == Enrolled(node="w1", key=W1.public.key_id, max_examples=500, tags=("gpu", "site-a"))
    assert table.roster(NOW).find(W2.public.key_id) is None


def test_in_a_rotation_both_keys_are_valid_until_the_overlap_ends():
    table = enrolled(enrolled(EMPTY, "w1", W1), "w1", W1_NEW)
    assert validity(table, NOW + 7 * DAY - 1) == [("w1", True), ("w1", True)]
    assert validity(table, NOW + 7 * DAY) == [("w1", False), ("w1", True)]
    assert table.next_end(NOW) == NOW + 7 * DAY
    assert table.next_end(NOW + 7 * DAY) == float("inf")


def test_a_replaced_key_is_told_which_one_to_start_with():
    table = enrolled(enrolled(EMPTY, "w1", W1), "w1", W1_NEW)
    objection = table.entries(NOW + 8 * DAY)[0].objection
    assert objection == (
        f"the key {W1.public.fingerprint} of w1 was replaced by a newer one with the same fingerprint; its "
        "overlap ended on 2026-11-29: start w1 with its newer key"
    )


def test_a_third_key_ends_the_first_at_once():
    table = enrolled(enrolled(enrolled(EMPTY, "w1", W1), "w1", W1_NEW), "w1", W1_NEWEST)
    assert validity(table, NOW) == [("w1", False), ("w1", True), ("w1", True)]


def test_going_back_to_the_key_before_makes_it_the_newest():
    table = enrolled(enrolled(enrolled(EMPTY, "w1", W1), "w1", W1_NEW), "w1", W1)
    assert [entry.key for entry in table.keys] == [W1_NEW.public, W1.public]
    assert validity(table, NOW + 8 * DAY) == [("w1", False), ("w1", True)]


def test_a_rotation_keeps_what_the_node_may_do_unless_told_otherwise():
    table = enrolled(EMPTY, "w1", W1, max_examples=500, tags=("gpu",))
    assert enrolled(table, "w1", W1_NEW).keys[-1].max_examples == 500
    assert enrolled(table, "w1", W1_NEW, tags=()).keys[-1].tags == ()


def test_another_identity_under_a_name_is_refused_until_the_first_is_revoked():
    table = enrolled(EMPTY, "w1", W1)
    with pytest.raises(
        UsageError, match=f"{W1.public.fingerprint}.*`zfed enroll --revoke w1` first".replace("+", r"\+")
    ):
        enrolled(table, "w1", W2)
    table = enrolled(table.revoked("w1", now=NOW), "w1", W2)
    assert validity(table, NOW) == [("w1", False), ("w1", True)]


@pytest.mark.parametrize("key", [W1, W1_NEW], ids=["the same key", "another key of the same identity"])
def test_a_key_of_one_node_is_refused_for_another(key):
    with pytest.raises(UsageError, match=r"of w1.*give w2 one of its own"):
        enrolled(enrolled(EMPTY, "w1", W1), "w2", key)


def test_a_revoked_key_says_when_and_never_comes_back():
    table = enrolled(enrolled(EMPTY, "w1", W1), "w1", W1_NEW).revoked("w1", now=NOW)
    assert {entry.objection for entry in table.entries(NOW)} == {
        f"the key {W1.public.fingerprint} of w1 was revoked on 2026-11-22"
    }
    for key in (W1, W1_NEW, W1_NEWEST):
        with pytest.raises(UsageError, match="was revoked on 2026-11-22 and does not come back"):
            enrolled(table, "w1", key)


def test_to_revoke_who_is_not_enrolled_names_who_is():
    table = enrolled(enrolled(EMPTY, "w1", W1), "w2", W2)
    with pytest.raises(UsageError, match="no key of w3 is enrolled; enrolled are: w1, w2"):
        table.revoked("w3", now=NOW)
    with pytest.raises(UsageError, match="enrolled are: w2"):
        table.revoked("w1", now=NOW).revoked("w1", now=NOW)


def test_a_persons_lines_stay_where_they_are():
    text = f"# ours\n\nw1   {W1.public.text}  tag=gpu\n# theirs\nw2 {W2.public.text}\n"
    table = AuthorizedTable.parse(text, "file")
    changed = enrolled(table, "w1", W1, max_examples=3)
    assert changed.render() == text.replace(
        f"w1   {W1.public.text}  tag=gpu", f"w1 {W1.public.text} max-examples=3 tag=gpu"
    )


def test_a_last_line_without_a_newline_is_a_line():
    assert AuthorizedTable.parse(f"w1 {W1.public.text}", "file").keys[0].name == "w1"
    assert AuthorizedTable.parse("", "file").lines == ()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("w2", "no key after the name w2"),
        (f"w2 {W1.public.text}", "this key is that of w1"),
        (f"w2 {W1_NEW.public.text}", "this key has the identity of w1"),
        (f"w1 {W2.public.text}", "w1 is enrolled with another identity"),
        (f"w1 {W1.public.text} tag=a", "this key of w1 is there twice"),
    ],
)
def test_a_bad_line_is_named_by_file_and_number(line, reason):
    with pytest.raises(ConfigError) as caught:
        AuthorizedTable.parse(f"# nodes\nw1 {W1.public.text}\n{line}\n", "/keys/authorized-nodes")
    assert str(caught.value).startswith("/keys/authorized-nodes, line 3: ")
    assert reason in str(caught.value)


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["w1", "w2"]),
        st.sampled_from([W1, W1_NEW, W1_NEWEST, W2, W2.rotated(), None]),
        st.integers(0, 20 * DAY),
    ),
    max_size=12,
)


@given(ACTIONS)
def test_whatever_is_done_a_name_has_at_most_two_valid_keys_of_one_identity(actions):
    table, now = EMPTY, NOW
    for name, key, pause in actions:
        now += pause
        try:
            table = table.revoked(name, now=now) if key is None else enrolled(table, name, key, now)
        except UsageError:
            continue
        assert AuthorizedTable.parse(table.render(), "file").render() == table.render()
        for node in ("w1", "w2"):
            valid = [entry for entry in table.of(node) if entry.valid(now)]
            assert len(valid) <= 2
            assert len({entry.key.signing for entry in valid}) <= 1
        if key is not None:
            newest = table.roster(now).find(key.public.key_id)
            assert newest is not None
            assert newest.objection == ""
