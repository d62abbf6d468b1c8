import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfed.errors import UsageError
from zfed.identity import AuthorizedKey, NodeKey
from zfed.identity.utc import LAST

KEY = NodeKey.generate().public
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)
TIMES = st.none() | st.integers(0, LAST)
ENTRIES = st.builds(
    AuthorizedKey,
    name=NAMES,
    key=st.just(KEY),
    max_examples=st.integers(0, 10**18 - 1),
    tags=st.lists(NAMES, unique=True, max_size=4).map(tuple),
    until=TIMES,
    revoked=TIMES,
)


@given(ENTRIES)
def test_every_entry_is_read_back_as_it_was(entry):
    assert AuthorizedKey.parse(entry.line()) == entry


@given(ENTRIES, st.floats(0, 2 * LAST))
def test_a_key_is_valid_until_it_ends_and_never_once_revoked(entry, now):
    expected = entry.revoked is None and not (entry.until is not None and entry.until <= now)
    assert entry.valid(now) == expected


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        ("", "no key after the name w1"),
        ("zfed-key-abc", "is no public key"),
        (f"{KEY.text} max-examples=0", "max-examples is '0', expected a whole number, at least 1"),
        (f"{KEY.text} max-examples=1e9", "expected a whole number"),
        (f"{KEY.text} max-example=5", 'did you mean "max-examples="'),
        (f"{KEY.text} gpu", "'gpu' is no option; known are max-examples=, tag="),
        (f"{KEY.text} tag=a/b", "tag 'a/b': expected"),
        (f"{KEY.text} until=tomorrow", "'tomorrow' is no time"),
        (f"{KEY.text} until=2026-12-01T00:00:00Z until=2026-12-02T00:00:00Z", "until= is there twice"),
        (f"{KEY.text} # the one upstairs", "a comment has a line of its own"),
    ],
)
def test_a_line_that_is_none_says_why(rest, reason):
    with pytest.raises(UsageError) as caught:
        AuthorizedKey.parse(f"w1 {rest}")
    assert reason in str(caught.value)


def test_a_path_is_no_name():
    with pytest.raises(UsageError, match="node name"):
        AuthorizedKey.parse(f"../w1 {KEY.text}")
