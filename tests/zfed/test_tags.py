import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfed.errors import ConfigError
from zfed.tags import MOST_TAGS, TagExpression, checked_tags, parse_tags, settled_tags

NAMES = st.sampled_from(["gpu", "site", "net", "x"])
TAGS = st.dictionaries(NAMES, st.sampled_from(["", "a", "b"])).map(
    lambda tags: tuple(f"{name}={value}" if value else name for name, value in tags.items())
)


def test_tags_are_read_in_order_each_once():
    assert parse_tags(" gpu, site=a ,gpu,") == ("gpu", "site=a")
    assert parse_tags("") == ()


@pytest.mark.parametrize("text", ["site=", "=a", "a b", "!gpu", "a=b=c", "gpu\n,x|y", "x" * 65, "é"])
def test_what_is_no_tag_is_refused_with_an_example(text):
    with pytest.raises(ConfigError, match="as gpu or site=a"):
        parse_tags(text)


def test_a_name_has_one_value():
    with pytest.raises(ConfigError, match=r"'site=a' and 'site=b': a node has one value"):
        parse_tags("site=a,site=b")


def test_a_node_has_at_most_so_many_tags():
    many = [f"t{i}" for i in range(MOST_TAGS + 1)]
    assert len(checked_tags(many[1:])) == MOST_TAGS
    with pytest.raises(ConfigError, match=f"{MOST_TAGS + 1} tags, a node may have {MOST_TAGS}"):
        checked_tags(many)


@pytest.mark.parametrize(
    ("expression", "tags", "meant"),
    [
        ("", (), True),
        ("gpu", ("gpu",), True),
        ("gpu", ("gpu=a100",), True),
        ("gpu", ("cpu",), False),
        ("!gpu", (), True),
        ("!gpu", ("gpu=a100",), False),
        ("site=a", ("site=a",), True),
        ("site=a", ("site",), False),
        ("site=a|b", ("site=b",), True),
        ("site=a|b", ("site=c",), False),
        ("!site=a|b", ("site=b",), False),
        ("!site=a|b", ("site=c",), True),
        ("!site=a|b", (), True),
        ("gpu, site=a", ("site=a", "gpu"), True),
        ("gpu,site=a", ("site=a",), False),
    ],
)
def test_an_expression_means_workers_by_their_tags(expression, tags, meant):
    assert TagExpression.parse(expression).matches(tags) is meant


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        ("gpu,,site=a", 5, "nothing between two commas"),
        ("gpu, si te", 6, "'si te' is no term"),
        ("gpu|cpu", 1, "| stands between values of one name"),
        ("site=a,site=", 8, "'site=' is no term"),
        ("gpu site=a", 1, "with a comma between two"),
        ("!!gpu", 1, "'!!gpu' is no term"),
    ],
)
def test_what_is_no_expression_is_refused_with_its_place(text, place, why):
    with pytest.raises(ConfigError) as raised:
        TagExpression.parse(text)
    assert f"at character {place}: " in str(raised.value)
    assert why in str(raised.value)


@given(tags=TAGS, name=NAMES, values=st.lists(st.sampled_from("ab"), max_size=2))
def test_a_term_and_its_opposite_part_all_workers(tags, name, values):
    term = f"{name}={'|'.join(values)}" if values else name
    meant, others = TagExpression.parse(term), TagExpression.parse(f"!{term}")
    assert meant.matches(tags) is not others.matches(tags)


@given(claimed=TAGS, given_tags=TAGS)
def test_what_the_owner_has_given_wins_and_every_claim_counts_or_is_named(claimed, given_tags):
    tags, ignored = settled_tags(claimed, given_tags)
    assert set(given_tags) <= set(tags)
    assert set(claimed) <= set(tags) | set(ignored)
    assert not set(tags) & set(ignored)
    assert checked_tags(tags) == tags  # one value of each name


def test_a_claim_of_another_value_does_not_count():
    assert settled_tags(("gpu", "site=b"), ("site=a",)) == (("site=a", "gpu"), ("site=b",))
    assert settled_tags(("site=a",), ("site=a",)) == (("site=a",), ())


def test_of_a_name_that_is_claimed_twice_the_first_counts():
    assert settled_tags(("site=a", "site=b", "site=a"), ()) == (("site=a",), ("site=b",))


def test_claims_have_the_room_that_the_owner_leaves():
    given_tags = tuple(f"t{i}" for i in range(MOST_TAGS - 1))
    assert settled_tags(("u", "v"), given_tags) == ((*given_tags, "u"), ("v",))
