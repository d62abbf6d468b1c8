import numpy as np

from zfed.nodes.coordinator_words import Served, ServedVector
from zfed.nodes.model_shelf import ModelShelf
from zfed.params import ParameterBuffer
from zfed.wire.digests import blob_of, layout_blob
from zfed.wire.messages import Pull

MODEL = ParameterBuffer.from_arrays({"w": np.arange(8, dtype=np.float32)})


def control(version):
    data = MODEL.data.tobytes() + bytes([version])
    description = MODEL.layout.to_bytes()
    blob = blob_of(f"vector:{version}:control", data)
    return ServedVector(
        layout_blob("layout:vector:control", description), description, blob, memoryview(data)
    )


def shelf_of(*versions):
    shelf = ModelShelf()
    shelf.describe(MODEL.layout)
    for version in versions:
        data = MODEL.data.data
        served = Served(blob_of(f"model:{version}", data), data, data, {"control": control(version)})
        shelf.serve_version(version, served)
    return shelf


def pulled(shelf, blob):
    data = shelf.take(Pull(blob=blob.id, offset=0, bytes=blob.bytes))
    return None if data is None else bytes(data)


def test_vectors_are_named_beside_their_version_and_can_be_pulled_with_their_layout():
    shelf = shelf_of(3, 4)
    for version in (3, 4):
        [vector] = shelf.vectors(version)
        assert (vector.name, vector.encoding) == ("control", "none")
        assert pulled(shelf, vector.data) == bytes(control(version).memory)
        assert pulled(shelf, vector.layout) == MODEL.layout.to_bytes()


def test_vectors_go_with_their_version_and_their_layout_stays():
    shelf = shelf_of(3, 4)
    [old], [new] = shelf.vectors(3), shelf.vectors(4)
    shelf.keep_versions({4})
    assert pulled(shelf, old.data) is None
    assert pulled(shelf, new.data) is not None
    assert pulled(shelf, new.layout) == MODEL.layout.to_bytes()


def test_version_without_vectors_has_none_to_name():
    shelf = shelf_of()
    data = MODEL.data.data
    shelf.serve_version(0, Served(blob_of("model:0", data), data, data))
    assert shelf.vectors(0) == []
