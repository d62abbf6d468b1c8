from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfed.errors import ConfigError, RefusedError, UsageError
from zfed.identity import InvitationTable, InvitedNode, NodeKey, key_id
from zfed.wire.roster import Invited

NOW = 1_795_305_600  # 2026-11-22T00:00:00Z
HOUR = 3600
DEVICE, OTHER = NodeKey.generate().public, NodeKey.generate().public
KEY, SECOND = key_id(bytes(range(32))), key_id(bytes(range(1, 33)))


def invited(name="alice", key=KEY, **options):
    return InvitedNode(name=name, key=key, until=NOW + HOUR, **options)


ONE = InvitationTable((invited(),))


def claim(table, device=DEVICE, *, name="alice", now=NOW, key=KEY):
    return table.claim(key, name, device, now=now)


seconds = st.integers(0, 253_402_300_799)
lines = st.builds(
    InvitedNode,
    name=st.sampled_from(["alice", "bob.2", "c_3-x"]),
    key=st.binary(min_size=32, max_size=32).map(key_id),
    until=seconds,
    max_examples=st.integers(0, 10**18 - 1),
    tags=st.lists(st.sampled_from(["gpu", "site-a"]), unique=True).map(tuple),
    claimed=st.sampled_from([None, DEVICE, OTHER]),
    used=st.none() | seconds,
    revoked=st.none() | seconds,
)
tables = st.lists(
    lines | st.sampled_from(["", "# a remark", "   "]),
    unique_by=lambda line: line.key if isinstance(line, InvitedNode) else object(),
).map(lambda items: InvitationTable(tuple(items)))


@given(tables)
def test_what_is_written_is_read_again(table):
    assert InvitationTable.parse(table.render(), "here") == table


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("alice", "no one-time key after the name alice"),
        (f"alice {KEY}", "has no until="),
        (f"alice {KEY} until=tomorrow", "'tomorrow' is no time"),
        (f"alice {KEY} untill=2026-12-01T00:00:00Z", 'did you mean "until="'),
        (f"alice {KEY} until=2026-12-01T00:00:00Z used=no", "'no' is no time"),
        (f"../alice {KEY} until=2026-12-01T00:00:00Z", "node name '../alice'"),
        (f"{invited().line()}\n{invited().line()}", "line 2: this invitation of alice is there twice"),
    ],
)
def test_a_bad_line_is_named_with_its_file_and_number(line, complaint):
    with pytest.raises(ConfigError, match=r"^here, line \d: ") as raised:
        InvitationTable.parse(line, "here")
    assert complaint in str(raised.value)


def test_an_invitation_is_in_the_roster_for_enrolling_only():
    table = InvitationTable((invited(max_examples=5, tags=("gpu",)),))
    assert table.entries(NOW) == [Invited(node="alice", key=KEY, max_examples=5, tags=("gpu",))]


def test_an_invitation_that_expired_long_ago_is_not_known_at_the_door():
    week = 7 * 24 * HOUR
    assert len(ONE.entries(NOW + HOUR + week - 1)) == 1
    assert ONE.entries(NOW + HOUR + week) == []


def test_the_first_device_has_it_and_no_other_ever():
    table = claim(ONE)
    for each in (table, table.settle(KEY, now=NOW)):
        with pytest.raises(RefusedError, match="was used by another device") as raised:
            claim(each, OTHER)
        assert raised.value.code == "invitation"
        assert DEVICE.fingerprint in str(raised.value)


@given(st.lists(st.tuples(st.sampled_from([DEVICE, OTHER]), st.integers(-HOUR, 2 * HOUR), st.booleans())))
def test_in_whatever_order_devices_come_at_most_one_ever_gets_it(visits):
    table, got = ONE, set()
    for device, at, is_enrolled in visits:
        with suppress(RefusedError):
            table = claim(table, device, now=NOW + at)
            got.add(device)
            if is_enrolled:
                table = table.settle(KEY, now=NOW)
        table = InvitationTable.parse(table.render(), "here")
    assert len(got) <= 1


def test_the_device_that_has_it_may_ask_again_at_any_time():
    table = claim(ONE)
    assert claim(table) == table
    used = table.settle(KEY, now=NOW)
    assert claim(used, now=NOW + 100 * HOUR) == used
    assert used.find(KEY).used == NOW


def test_an_expired_invitation_enrols_nobody_not_even_who_claimed_it():
    for table in (ONE, claim(ONE)):
        with pytest.raises(RefusedError, match="expired on 2026-11-22T01:00:00Z: ask for another"):
            claim(table, now=NOW + HOUR)


def test_a_revoked_invitation_enrols_nobody():
    with pytest.raises(RefusedError, match="was revoked on 2026-11-22T00:00:05Z"):
        claim(ONE.revoke("alice", now=NOW + 5), now=NOW + 6)


def test_an_invitation_is_for_its_own_name():
    with pytest.raises(RefusedError, match="the invitation for alice is not for bob"):
        claim(ONE, name="bob")


def test_an_invitation_that_is_gone_from_the_file_is_not_known():
    with pytest.raises(RefusedError, match="not known here any more"):
        claim(InvitationTable())


def test_the_one_time_key_itself_does_not_become_a_nodes_key():
    pair = NodeKey.generate()
    table = InvitationTable((invited(key=pair.public.key_id),))
    with pytest.raises(RefusedError, match="cannot be the key of a node"):
        claim(table, pair.public, key=pair.public.key_id)


def test_only_what_nobody_has_used_can_be_revoked():
    table = claim(InvitationTable((invited(), invited("bob", SECOND))))
    with pytest.raises(UsageError, match=r"alice has no open invitation; who has: bob\. .*enroll --revoke"):
        table.revoke("alice", now=NOW)
    with pytest.raises(UsageError, match="who has: nobody"):
        table.revoke("alice", now=NOW + HOUR)
    assert [each.revoked for each in table.revoke("bob", now=NOW).invited] == [None, NOW]


def test_what_became_of_an_invitation_is_told_in_words():
    assert invited().state(NOW) == "open until 2026-11-22T01:00:00Z"
    assert invited().state(NOW + HOUR) == "expired on 2026-11-22T01:00:00Z"
    assert invited(revoked=NOW).state(NOW) == "revoked on 2026-11-22T00:00:00Z"
    assert invited(claimed=DEVICE).state(NOW) == f"used by {DEVICE.fingerprint}, not enrolled yet"
    used = invited(claimed=DEVICE, used=NOW).state(NOW)
    assert used == f"used by {DEVICE.fingerprint}, on 2026-11-22T00:00:00Z"
