import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from zfed.compression import Encodings
from zfed.errors import ConfigError, RemoteProtocolError
from zfed.nodes.download import Download
from zfed.nodes.job import named_digests
from zfed.params import MAX_DESCRIPTION_BYTES, BufferPool, ParameterBuffer, TensorKind
from zfed.wire.digests import blob_of, layout_blob
from zfed.wire.messages import Blob, Initialize, Train, Vector

MODEL = ParameterBuffer.from_arrays(
    {"w": np.arange(8, dtype=np.float32), "fixed": np.ones(2), "mine": np.full(3, 9.0)},
    kinds={"fixed": TensorKind.FROZEN, "mine": TensorKind.LOCAL},
)
CONTROL = ParameterBuffer.from_arrays({"c": np.arange(5.0)})
ENCODINGS = Encodings(MODEL.layout)


def vector(name, part, **changed):
    blobs = {
        "layout": layout_blob(f"layout:{name}", part.layout.to_bytes()),
        "data": blob_of(name, part.data.data),
    }
    return Vector(name=name, **{**blobs, **changed})


def order(*vectors, **parts):
    fields = {"model": vector("model", MODEL.moving), "frozen": vector("frozen", MODEL.frozen), **parts}
    return Train(
        assignment=(1, 1), round=1, version=0, seed=0, timeout_s=1.0, vectors=list(vectors), **fields
    )


def bring(intake, data, slices=1):
    for piece in np.array_split(np.frombuffer(data, np.uint8), slices):
        intake.take(intake.received, piece.tobytes())


def test_first_model_needs_nothing():
    download = Download(Initialize(assignment=(1, 1), seed=0), MODEL.layout, {}, ENCODINGS, BufferPool())
    assert download.complete
    assert download.parameters is None


@given(st.integers(1, 8), st.booleans())
def test_model_is_put_together_from_what_comes_and_local_tensors_stay_zero(slices, frozen_first):
    download = Download(order(), MODEL.layout, {}, ENCODINGS, BufferPool())
    parts = list(zip(download.intakes, (MODEL.moving, MODEL.frozen), strict=True))
    for intake, part in reversed(parts) if frozen_first else parts:
        assert not download.complete
        bring(intake, part.data.tobytes(), slices)
        assert download.arrived(intake) is None
    assert download.complete
    assert download.nreceived == download.nbytes == MODEL.moving.layout.nbytes + MODEL.frozen.layout.nbytes
    assert download.parameters.shared == MODEL.shared
    assert not download.parameters["mine"].any()


def test_memory_of_an_earlier_model_is_used_again_but_not_what_stood_in_it():
    pool = BufferPool()
    dirty = pool.take(MODEL.layout)
    dirty.data.fill(255)
    del dirty
    download = Download(order(), MODEL.layout, {}, ENCODINGS, pool)
    for intake, part in zip(download.intakes, (MODEL.moving, MODEL.frozen), strict=True):
        bring(intake, part.data.tobytes())
    assert download.parameters.shared == MODEL.shared
    assert not download.parameters["mine"].any()


def test_an_order_without_the_frozen_tensors_of_the_model_is_refused():
    with pytest.raises(RemoteProtocolError, match="tensors that never change"):
        Download(order(frozen=None), MODEL.layout, {}, ENCODINGS, BufferPool())


def test_parts_that_are_known_by_their_digest_are_not_pulled():
    cached = {blob_of("", part.data.data).digest: part.data for part in (MODEL.moving, MODEL.frozen)}
    download = Download(order(), MODEL.layout, cached, ENCODINGS, BufferPool())
    assert download.intakes == []
    assert download.complete
    assert download.parameters.shared == MODEL.shared


def test_layout_of_a_vector_is_pulled_before_its_data():
    download = Download(order(vector("control", CONTROL)), MODEL.layout, {}, ENCODINGS, BufferPool())
    for intake, part in zip(download.intakes, (MODEL.moving, MODEL.frozen), strict=False):
        bring(intake, part.data.tobytes())
    description = download.intakes[-1]
    assert not download.complete
    bring(description, CONTROL.layout.to_bytes())
    data = download.arrived(description)
    assert not download.complete
    bring(data, CONTROL.data.tobytes())
    assert download.arrived(data) is None
    assert download.complete
    assert download.vectors["control"] == CONTROL


def test_layout_of_a_vector_that_is_named_again_is_not_pulled_again():
    first = Download(order(vector("control", CONTROL)), MODEL.layout, {}, ENCODINGS, BufferPool())
    bring(first.intakes[-1], CONTROL.layout.to_bytes())
    first.arrived(first.intakes[-1])
    next_order = order(vector("control", CONTROL, data=blob_of("next", CONTROL.data.data)))
    assert set(first.named) <= named_digests(next_order)
    again = Download(next_order, MODEL.layout, first.named, ENCODINGS, BufferPool())
    assert again.intakes[-1].blob.id == "next"
    bring(again.intakes[-1], CONTROL.data.tobytes())
    assert again.vectors["control"] == CONTROL


def test_vector_is_not_for_the_task_to_change():
    download = Download(order(vector("control", CONTROL)), MODEL.layout, {}, ENCODINGS, BufferPool())
    bring(download.intakes[-1], CONTROL.layout.to_bytes())
    download.arrived(download.intakes[-1])
    assert not download.vectors["control"]["c"].flags.writeable


def test_vector_whose_layout_is_none_is_refused():
    other = b"x" * 10
    claimed = vector("control", CONTROL, layout=layout_blob("l", other))
    download = Download(order(claimed), MODEL.layout, {}, ENCODINGS, BufferPool())
    bring(download.intakes[-1], other)
    with pytest.raises(RemoteProtocolError, match="vector 'control'"):
        download.arrived(download.intakes[-1])


def test_vector_whose_data_do_not_have_the_size_of_its_layout_are_refused():
    claimed = vector("control", CONTROL, data=Blob(id="d", bytes=8, digest="xxh3-128:" + "0" * 32))
    download = Download(order(claimed), MODEL.layout, {}, ENCODINGS, BufferPool())
    bring(download.intakes[-1], CONTROL.layout.to_bytes())
    with pytest.raises(RemoteProtocolError, match="has 8 bytes, its layout 40"):
        download.arrived(download.intakes[-1])


@pytest.mark.parametrize("nbytes", [0, MAX_DESCRIPTION_BYTES + 1])
def test_absurd_layout_takes_no_memory(nbytes):
    claimed = vector("control", CONTROL, layout=Blob(id="l", bytes=nbytes, digest="xxh3-128:" + "0" * 32))
    with pytest.raises(RemoteProtocolError, match=f"has {nbytes} bytes"):
        Download(order(claimed), MODEL.layout, {}, ENCODINGS, BufferPool())


@pytest.mark.parametrize("part", ["model", "frozen"])
def test_part_that_does_not_fit_the_nodes_own_model_is_refused(part):
    with pytest.raises(RemoteProtocolError, match=f"vector '{part}' does not have the layout"):
        Download(order(**{part: vector(part, CONTROL)}), MODEL.layout, {}, ENCODINGS, BufferPool())


# ---- a model in encoded form ----------------------------------------------------------------------


def encoded(level, part=MODEL.moving):
    encoding = ENCODINGS.at(level)
    data = encoding.encode_once(part, key=1).tobytes()
    return encoding, data, vector("model", part, data=blob_of("m", data), encoding=level)


@pytest.mark.parametrize("level", ["bf16", "fp16", "int8"])
def test_encoded_model_is_pulled_as_it_is_and_left_to_whoever_does_the_work(level):
    encoding, data, model = encoded(level)
    download = Download(order(model=model), MODEL.layout, {}, ENCODINGS, BufferPool())
    assert download.intakes[0].blob.bytes == encoding.nbytes
    for intake, part in zip(download.intakes, (data, MODEL.frozen.data.tobytes()), strict=True):
        bring(intake, part)
    assert download.complete
    assert download.encoded.decode(download.parameters.moving) == encoding.decode(data)
    assert download.parameters["w"].any()


def test_encoded_model_that_is_named_again_is_not_pulled_again():
    _, data, model = encoded("bf16")
    first = Download(order(model=model), MODEL.layout, {}, ENCODINGS, BufferPool())
    bring(first.intakes[0], data)
    again = Download(order(model=model), MODEL.layout, first.named, ENCODINGS, BufferPool())
    assert again.intakes == []
    assert again.encoded.decode() == first.encoded.decode()


def test_encoded_model_of_another_size_is_refused_before_memory_is_reserved():
    _, _, model = encoded("int8")
    claimed = vector("model", MODEL.moving, data=Blob(id="d", bytes=1 << 40, digest=model.data.digest))
    with pytest.raises(RemoteProtocolError, match="its layout 32"):
        Download(order(model=claimed), MODEL.layout, {}, ENCODINGS, BufferPool())
    with pytest.raises(RemoteProtocolError, match=f"{1 << 40} bytes, its layout as int8 12"):
        Download(order(model=replace(claimed, encoding="int8")), MODEL.layout, {}, ENCODINGS, BufferPool())


def test_known_bytes_of_another_size_are_not_taken_for_a_model():
    model = vector("model", MODEL.moving)
    cached = {model.data.digest: np.zeros(3, np.uint8)}
    assert len(Download(order(model=model), MODEL.layout, cached, ENCODINGS, BufferPool()).intakes) == 2


def test_encoding_that_nobody_knows_is_refused():
    with pytest.raises(ConfigError, match='"int9" is unknown: did you mean "int8"'):
        Download(
            order(model=vector("model", MODEL.moving, encoding="int9")),
            MODEL.layout,
            {},
            ENCODINGS,
            BufferPool(),
        )


def test_only_a_model_may_be_encoded():
    with pytest.raises(
        RemoteProtocolError, match="vector 'frozen' is encoded as 'bf16', only a model may be"
    ):
        Download(
            order(frozen=vector("frozen", MODEL.frozen, encoding="bf16")),
            MODEL.layout,
            {},
            ENCODINGS,
            BufferPool(),
        )
    with pytest.raises(RemoteProtocolError, match="vector 'control' is encoded as 'bf16'"):
        Download(
            order(vector("control", CONTROL, encoding="bf16")), MODEL.layout, {}, ENCODINGS, BufferPool()
        )
