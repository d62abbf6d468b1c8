import pytest

from zfed.errors import ConfigError, UsageError
from zfed.identity import KnownCoordinators, NodeKey

ADDRESS = "tcp://10.0.0.5:8777"
KEY, OTHER = NodeKey.generate(), NodeKey.generate()


@pytest.fixture
def known(tmp_path):
    return KnownCoordinators(tmp_path / "keys" / "known-coordinators")


def test_a_pinned_key_is_found_by_its_address_alone(known):
    assert known.find(ADDRESS) is None
    known.pin(ADDRESS, KEY.public)
    known.pin("tcp://[::1]:8777", OTHER.public)
    assert known.find(ADDRESS) == KEY.public
    assert known.find("tcp://10.0.0.5:8778") is None


def test_a_rotated_key_of_the_same_coordinator_takes_the_place_of_the_old_one(known):
    known.pin(ADDRESS, KEY.public)
    known.path.write_text(f"# ours\n{known.path.read_text()}")
    new = KEY.rotated().public
    known.pin(ADDRESS, new)
    assert known.find(ADDRESS) == new
    assert known.path.read_text() == f"# ours\n{ADDRESS} {new.text}\n"


def test_another_coordinator_at_a_known_address_is_refused_by_both_fingerprints(known):
    known.pin(ADDRESS, KEY.public)
    with pytest.raises(UsageError) as caught:
        known.pin(ADDRESS, OTHER.public)
    assert KEY.public.fingerprint in str(caught.value)
    assert OTHER.public.fingerprint in str(caught.value)
    assert f"delete its line in {known.path}" in str(caught.value)
    assert known.find(ADDRESS) == KEY.public


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (ADDRESS, "expected ADDRESS zfed-key-"),
        (f"10.0.0.5:8777 {KEY.public.text}", "is no address"),
        (f"{ADDRESS} zfed-key-abc", "is no public key"),
        (f"{ADDRESS} {KEY.public.text}\n{ADDRESS} {OTHER.public.text}", "is there twice"),
    ],
)
def test_a_bad_line_is_named_by_file_and_number(known, line, reason):
    known.pin("tcp://127.0.0.1:8777", KEY.public)
    known.path.write_text(f"{known.path.read_text()}{line}\n")
    with pytest.raises(ConfigError) as caught:
        known.find(ADDRESS)
    assert f"{known.path}, line " in str(caught.value)
    assert reason in str(caught.value)
