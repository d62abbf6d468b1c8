import base64
import hashlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfed.errors import UsageError
from zfed.identity.invitation import PREFIX, Invitation
from zfed.identity.utc import LAST
from zfed.wire.messages import NODE_NAME_PATTERN

names = st.from_regex(NODE_NAME_PATTERN)
hosts = st.from_regex(r"[!-+\--~]{1,40}", fullmatch=True)
addresses = st.lists(st.tuples(hosts, st.integers(0, 65_535)), min_size=1, max_size=4).map(
    lambda places: ",".join(f"tcp://{host}:{port}" for host, port in places)
)
keys = st.binary(min_size=32, max_size=32)
invitations = st.builds(
    Invitation,
    node=names,
    address=addresses,
    coordinator=keys,
    secret=keys,
    expires=st.integers(0, LAST),
)

ONE = Invitation(
    node="alice",
    address="tcp://192.0.2.1:8777",
    coordinator=bytes(range(32)),
    secret=bytes(range(32, 64)),
    expires=1_800_000_000,
)


@given(invitations)
def test_a_token_says_what_it_was_made_of(invitation):
    assert Invitation.parse(invitation.text) == invitation


@given(invitations)
def test_a_token_is_one_word_that_a_shell_takes_as_it_is(invitation):
    assert set(invitation.text) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


def test_a_token_for_one_address_is_short():
    assert len(ONE.text) < 160


@given(st.text() | st.text().map(PREFIX.__add__) | st.binary().map(lambda data: data.decode("latin-1")))
def test_any_text_is_an_invitation_or_a_usage_error(text):
    with suppress(UsageError):
        Invitation.parse(text)


@given(st.binary(max_size=300))
def test_any_bytes_with_a_right_checksum_are_an_invitation_or_a_usage_error(body):
    with suppress(UsageError):
        invitation = Invitation.parse(packed(body))
        assert packed(body) == invitation.text


@given(invitations, st.data())
def test_a_token_with_one_letter_lost_or_changed_is_refused_and_not_repeated(invitation, data):
    token = invitation.text
    place = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.sampled_from(["", "A", "-", " ", "\n"]))
    spoilt = token[:place] + letter + token[place + 1 :]
    if spoilt != token:
        with pytest.raises(UsageError) as raised:
            Invitation.parse(spoilt)
        assert spoilt[len(PREFIX) :] not in str(raised.value)


@pytest.mark.parametrize(
    "change",
    [
        {"node": "../alice"},
        {"node": "a" * 65},
        {"node": "alice\n"},
        {"address": "192.0.2.1:8777"},
        {"address": "tcp://192.0.2.1"},
        {"address": "tcp://a:1,b:2"},
        {"address": "tcp://a b:1"},
        {"address": "tcp://" + "a" * 512 + ":1"},
        {"coordinator": b"short"},
        {"secret": bytes(33)},
        {"expires": -1},
        {"expires": LAST + 1},
    ],
    ids=str,
)
def test_what_a_token_cannot_carry_is_refused(change):
    fields = {name: getattr(ONE, name) for name in ("node", "address", "coordinator", "secret", "expires")}
    with pytest.raises(UsageError):
        Invitation(**{**fields, **change})


def test_a_token_of_another_format_is_told_from_a_damaged_one():
    body = base64.urlsafe_b64decode(ONE.text.removeprefix(PREFIX) + "===")[:-4]
    with pytest.raises(UsageError, match="another version of zfed made it"):
        Invitation.parse(packed(b"\x02" + body[1:]))


def test_nothing_that_is_printed_of_an_invitation_shows_its_secret():
    assert repr(ONE.secret) not in repr(ONE)


def packed(body):
    """A token of these bytes, whatever they mean."""
    data = body + hashlib.sha256(body).digest()[:4]
    return PREFIX + base64.urlsafe_b64encode(data).decode().rstrip("=")
