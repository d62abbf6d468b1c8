"""A node whose link has levels: what its work is given, and what becomes of it when sessions change."""

from msgspec.structs import replace

from tests.zfed.nodes.test_member_logic import BLOBS, FROZEN, MODEL, Bench, again, train, vector
from zfed.compression import Encodings
from zfed.facts import Connected
from zfed.nodes.member_words import StartWork, WorkStopped
from zfed.wire.digests import blob_of
from zfed.wire.messages import Failed, Pull, Update

INT8 = Encodings(MODEL.layout).at("int8")
ENCODED = INT8.encode_once(MODEL.moving, key=1).tobytes()


def encoded_train(number=1, **changes):
    model = replace(
        vector("model", MODEL.moving, "m"), data=blob_of("model:0:int8", ENCODED), encoding="int8"
    )
    return train(number, model=model, **changes)


def work_of(bench):
    return bench.of(StartWork)[-1].work


def test_work_is_told_the_level_of_its_upload():
    bench = Bench().welcome(compress="int8")
    bench.say(train())
    bench.bring(*BLOBS)
    assert work_of(bench).upload.level == "int8"
    assert [fact.compress for fact in bench.told(Connected)] == ["int8"]


def test_work_of_a_link_without_compression_has_nothing_to_encode_or_decode():
    bench = Bench().welcome()
    bench.say(train())
    bench.bring(*BLOBS)
    assert (work_of(bench).upload, work_of(bench).encoded) == (None, None)


def test_encoded_model_is_given_to_the_work_as_it_came():
    bench = Bench().welcome(compress_model="int8")
    bench.say(encoded_train())
    bench.bring(("model:0:int8", ENCODED), ("frozen", FROZEN))
    work = work_of(bench)
    assert bytes(work.encoded.data) == ENCODED
    assert work.encoded.encoding.level == "int8"
    assert work.parameters["fixed"].all()


def test_tensors_that_the_run_excepts_are_not_encoded():
    bench = Bench().welcome(compress="int8", exact=["w"])
    bench.say(train())
    bench.bring(*BLOBS)
    assert work_of(bench).upload.touched(["w"]) == ""


def test_one_run_has_one_encoding_and_another_run_has_its_own():
    bench = Bench().welcome(compress="int8")
    bench.say(train())
    bench.bring(*BLOBS)
    first = work_of(bench).upload
    bench.finished(1)
    again(bench, compress="int8")
    bench.say(train(2, round=2, version=1))
    bench.bring(*BLOBS)
    assert work_of(bench).upload is first
    again(bench, run="another", compress="int8")
    bench.handle(WorkStopped((1, 2)))
    bench.say(train(3))
    bench.bring(*BLOBS)
    assert work_of(bench).upload is not first


def test_what_was_agreed_on_but_cannot_be_is_a_failure_of_the_order_and_not_of_the_node():
    bench = Bench().welcome(compress="int9")
    bench.say(train())
    assert 'compression "int9" is unknown' in bench.said(Failed)[0].error
    bench = Bench().welcome(compress="int8", exact=["nothing"])
    bench.say(train())
    assert "'nothing' is to be exact, but fits no tensor" in bench.said(Failed)[0].error
    assert bench.said(Pull) == []


def test_update_is_offered_with_its_encoding_also_again():
    bench = Bench().welcome(compress="int8")
    bench.say(train())
    bench.bring(*BLOBS)
    bench.finished(1, encoding="int8")
    again(bench, compress="int8")
    assert [update.vectors[0].encoding for update in bench.said(Update)] == ["int8"]
