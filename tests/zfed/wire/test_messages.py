import msgspec
import pytest

from tests.zfed.wire.strategies import hello
from zfed.wire.messages import FROM_COORDINATOR, FROM_NODE, MAX_CHUNK_BYTES, Enroll, Hello, Pull, Welcome


def with_changes(message, **changes):
    return msgspec.convert({**msgspec.to_builtins(message), **changes}, type(message))


def test_every_kind_is_its_record_in_capitals():
    for table in (FROM_NODE, FROM_COORDINATOR):
        for kind, record in table.items():
            assert record.__struct_config__.tag == kind == record.__name__.upper()


def test_only_transfers_and_refusals_go_both_ways():
    assert set(FROM_NODE) & set(FROM_COORDINATOR) == {"PULL", "CHUNK", "DONE", "REFUSED"}


def test_a_message_cannot_be_changed():
    with pytest.raises(AttributeError):
        hello().node = "bob"


def test_a_field_added_by_a_later_version_is_ignored():
    assert with_changes(hello(), favourite_colour="green") == hello()


@pytest.mark.parametrize("name", ["alice", "a", "7", "A.b-c_d", "x" * 64])
def test_node_name_may_hold_letters_digits_dot_dash_underscore(name):
    assert with_changes(hello(), node=name).node == name


@pytest.mark.parametrize(
    "name", ["", " alice", "-a", ".", "../a", "a b", "a/b", "ä", "x" * 65, "alice\n", "a\0"]
)
def test_node_name_that_could_not_be_a_file_name_is_refused(name):
    with pytest.raises(msgspec.ValidationError):
        with_changes(hello(), node=name)


@pytest.mark.parametrize("instance", ["", "0" * 31, "0" * 33, "G" * 32, "0" * 32 + "\n"])
def test_instance_is_32_hex_digits(instance):
    with pytest.raises(msgspec.ValidationError):
        with_changes(hello(), instance=instance)


@pytest.mark.parametrize("wanted", [0, -1, MAX_CHUNK_BYTES + 1])
def test_a_pull_asks_for_1_byte_to_one_chunk(wanted):
    with pytest.raises(msgspec.ValidationError):
        with_changes(Pull(blob="b", offset=0, bytes=1), bytes=wanted)


@pytest.mark.parametrize("examples", [-1, 2**62, 1.5, "7", True, None])
def test_a_count_is_an_integer_from_0_below_2_to_the_62(examples):
    with pytest.raises(msgspec.ValidationError):
        with_changes(hello(), examples=examples)


def test_defaults_of_one_message_are_not_shared_with_the_next():
    first = Hello(
        **{name: getattr(hello(), name) for name in Hello.__struct_fields__ if name != "compression"}
    )
    first.compression.append("other")
    assert hello().compression == ["none"]


@pytest.mark.parametrize(
    "key", ["../" + "a" * 29, "a" * 31, "A" * 32, "a" * 32 + "\n", "a" * 31 + "/", "\0" * 32]
)
def test_run_key_by_which_a_worker_names_files_is_nothing_else(key):
    welcome = Welcome(run="../../run", ping_s=2, lost_s=10, protected=True)
    assert with_changes(welcome, run_key="a" * 32).run_key == "a" * 32
    with pytest.raises(msgspec.ValidationError):
        with_changes(welcome, run_key=key)


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "a\0", "..", ".", ""])
def test_a_device_enrols_under_no_name_that_is_a_path(name):
    enroll = Enroll(protocol="zfed/1", node="dora", key="zfed-key-...")
    with pytest.raises(msgspec.ValidationError):
        with_changes(enroll, node=name)
