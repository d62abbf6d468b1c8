from contextlib import suppress

import msgspec
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.zfed.wire.strategies import hello, messages
from zfed.errors import LocalProtocolError, RemoteProtocolError
from zfed.wire.codec import MAX_EPOCH, MAX_HEADER_BYTES, OtherProtocolError, decode, encode
from zfed.wire.messages import (
    FROM_COORDINATOR,
    FROM_NODE,
    MAX_CHUNK_BYTES,
    Bye,
    Chunk,
    Ended,
    Enroll,
    Hello,
    Ping,
    Pong,
    Train,
)

KINDS = [("node", record) for record in FROM_NODE.values()]
KINDS += [("coordinator", record) for record in FROM_COORDINATOR.values()]

senders = st.sampled_from(["node", "coordinator"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def header(**fields):
    return orjson.dumps(fields)


@pytest.mark.parametrize(("sender", "record"), KINDS, ids=[f"{s}-{r.__name__}" for s, r in KINDS])
@settings(max_examples=20)
@given(data=st.data(), epoch=st.integers(0, MAX_EPOCH - 1))
def test_every_message_comes_back_as_it_was_sent(sender, record, data, epoch):
    message = data.draw(messages(record))
    if isinstance(message, Hello | Enroll):
        message = msgspec.structs.replace(message, protocol="zfed/1")
    payload = data.draw(st.binary(min_size=1, max_size=50)) if record is Chunk else None
    envelope = decode(encode(message, epoch=epoch, payload=payload), sender=sender)
    assert (envelope.message, envelope.epoch, envelope.payload) == (message, epoch, payload)


@given(st.lists(st.binary(max_size=100), max_size=4), senders)
def test_any_bytes_are_a_message_or_a_remote_protocol_error(frames, sender):
    with suppress(RemoteProtocolError):
        decode(frames, sender=sender)


@settings(max_examples=300)
@given(st.data(), st.sampled_from(KINDS))
def test_any_json_in_any_field_is_a_message_or_a_remote_protocol_error(data, kind):
    sender, record = kind
    fields = {"kind": record.__name__.upper(), "epoch": 1, "protocol": "zfed/1"}
    fields |= msgspec.to_builtins(data.draw(messages(record)))
    for name in data.draw(st.sets(st.sampled_from(sorted(fields)), max_size=2)):
        fields[name] = data.draw(json_values)
    frames = [orjson.dumps(fields), *data.draw(st.lists(st.binary(max_size=3), max_size=2))]
    with suppress(RemoteProtocolError):
        decode(frames, sender=sender)


@pytest.mark.parametrize("frames", [[], [b"{}", b"", b""], [b"{}"] * 200_000], ids=len)
def test_a_message_has_one_or_two_frames(frames):
    with pytest.raises(RemoteProtocolError, match="frames, a message has 1 or 2"):
        decode(frames, sender="node")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_numbers_that_are_not_finite_are_no_json(number):
    pong = b'{"kind":"PONG","epoch":1,"number":1,"metrics":{"loss":%s}}' % number.encode()
    with pytest.raises(RemoteProtocolError, match="not JSON"):
        decode([pong], sender="node")


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"7", b"null", b'"HELLO"', b"\xff", b"[" * 100_000])
def test_a_header_is_a_json_object(text):
    with pytest.raises(RemoteProtocolError, match="header is"):
        decode([text], sender="node")


def test_settings_nested_too_deeply_are_refused():
    deep = b"[" * 1000 + b"]" * 1000
    train = orjson.dumps({"kind": "TRAIN", "epoch": 1, "settings": {"x": None}}).replace(b"null", deep)
    with pytest.raises(RemoteProtocolError, match="TRAIN"):
        decode([train], sender="coordinator")


def test_a_header_beyond_the_limit_is_not_parsed():
    with pytest.raises(RemoteProtocolError, match="limit is 262144"):
        decode([b" " * (MAX_HEADER_BYTES + 1)], sender="node")


def test_a_header_beyond_the_limit_is_not_sent():
    ended = Ended(status="failed", reason="x" * MAX_HEADER_BYTES, rounds_done=0, rounds=1, version=0)
    with pytest.raises(LocalProtocolError, match="limit is 262144"):
        encode(ended, epoch=1)


@pytest.mark.parametrize("kind", ["HULLO", "", None, 7, ["PING"], "ping", "x" * 10_000])
def test_an_unknown_kind_is_refused_by_name(kind):
    with pytest.raises(RemoteProtocolError, match="a node sends no message of kind") as caught:
        decode([header(kind=kind, epoch=1)], sender="node")
    assert ("(a JSON list)" if isinstance(kind, list) else str(kind)[:40]) in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("fields", ['"kind":%s', '"kind":"HELLO","protocol":%s', '"kind":"BYE","epoch":%s'])
def test_a_value_too_deep_to_be_shown_is_refused(fields):
    deep = fields % ("[" * 1000 + "]" * 1000)
    with pytest.raises(RemoteProtocolError, match=r"\(a JSON list\)"):
        decode([b"{%s}" % deep.encode()], sender="node")


def test_a_node_may_not_speak_as_a_coordinator_nor_the_reverse():
    with pytest.raises(RemoteProtocolError, match="a node sends no message of kind 'PING'"):
        decode(encode(Ping(number=1), epoch=1), sender="node")
    with pytest.raises(RemoteProtocolError, match="a coordinator sends no message of kind 'PONG'"):
        decode(encode(Pong(number=1), epoch=1), sender="coordinator")


@pytest.mark.parametrize("epoch", [-1, 2**62, 1.0, "1", True, None, [1]])
def test_an_epoch_is_an_integer_from_0_below_2_to_the_62(epoch):
    with pytest.raises(RemoteProtocolError, match="BYE: epoch is"):
        decode([header(kind="BYE", epoch=epoch)], sender="node")


def test_the_path_of_a_wrong_field_is_named():
    with pytest.raises(RemoteProtocolError, match=r"CHUNK: .*\$\.offset"):
        decode([header(kind="CHUNK", epoch=1, blob="b", offset="x"), b"x"], sender="node")


@pytest.mark.parametrize("seen", ["zfed/2", "", None, 1, ["zfed/1"], "y" * 10_000])
@pytest.mark.parametrize("kind", ["HELLO", "ENROLL"])
def test_a_first_message_of_another_protocol_is_told_apart_whatever_else_it_holds(kind, seen):
    with pytest.raises(OtherProtocolError, match="only 'zfed/1'") as caught:
        decode([header(kind=kind, protocol=seen, surprise=1)], sender="node")
    assert caught.value.seen == seen
    assert len(str(caught.value)) < 200


def test_only_chunk_has_a_payload():
    with pytest.raises(RemoteProtocolError, match="BYE has a payload"):
        decode([header(kind="BYE", epoch=1), b"x"], sender="node")
    with pytest.raises(RemoteProtocolError, match="CHUNK has no payload"):
        decode([header(kind="CHUNK", epoch=1, blob="b", offset=0)], sender="node")
    with pytest.raises(LocalProtocolError):
        encode(Bye(), epoch=1, payload=b"x")
    with pytest.raises(LocalProtocolError):
        encode(Chunk(blob="b", offset=0), epoch=1)


@pytest.mark.parametrize("size", [0, MAX_CHUNK_BYTES + 1])
def test_a_chunk_has_1_byte_to_1_mebibyte(size):
    with pytest.raises(RemoteProtocolError, match=f"CHUNK of {size} bytes"):
        decode(encode(Chunk(blob="b", offset=0), epoch=1, payload=bytes(size)), sender="node")


def test_a_payload_is_not_copied():
    payload = memoryview(bytearray(b"abc"))
    sent = encode(Chunk(blob="b", offset=0), epoch=1, payload=payload)
    assert sent[1] is payload
    assert decode(sent, sender="node").payload is payload


def test_frames_may_be_views_of_a_receive_buffer():
    frames = [memoryview(frame) for frame in encode(hello(), epoch=0)]
    assert decode(frames, sender="node").message == hello()


def test_what_is_left_out_has_its_default():
    train = decode(
        [
            header(
                kind="TRAIN",
                epoch=9,
                assignment=[1, 2],
                round=1,
                version=0,
                seed=3,
                timeout_s=600,
                model=model(),
            )
        ],
        sender="coordinator",
    ).message
    assert isinstance(train, Train)
    assert (train.frozen, train.vectors, train.settings, train.evaluated) == (None, [], {}, False)


def model():
    blob = {"id": "b", "bytes": 1, "digest": "sha256:" + "0" * 64}
    return {"name": "model", "layout": blob, "data": blob}
