import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.zfed.checkpoint.limits import largest_file
from tests.zfed.params.strategies import buffers
from zfed.checkpoint import content_digest, map_model, read_model, write_arrays, write_model
from zfed.errors import CheckpointError, RunFailedError
from zfed.params import ParameterBuffer, TensorKind
from zfed.wire.digests import digest_of

quick = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def model() -> ParameterBuffer:
    """A buffer with a tensor of each kind and of most dtypes."""
    rng = np.random.default_rng(0)
    return ParameterBuffer.from_arrays(
        {
            "conv.weight": rng.normal(size=(3, 2, 5, 5)).astype(np.float32),
            "half": rng.normal(size=7).astype(np.float16),
            "brain": rng.integers(0, 1 << 16, 5).astype(np.uint16),
            "bn.mean": rng.normal(size=3),
            "bn.steps": np.array(12),
            "flags": np.array([True, False, True]),
            "empty": np.zeros((0, 4), np.float32),
            "table": rng.normal(size=(2, 2)),
            "mine": np.ones(3, np.float32),
        },
        kinds={"bn.mean": TensorKind.RUNNING, "table": TensorKind.FROZEN, "mine": TensorKind.LOCAL},
        dtypes={"brain": "BF16"},
    )


@quick
@given(buffers())
def test_models_come_back_exact_with_their_layout(tmp_path: Path, buffer: ParameterBuffer) -> None:
    path = tmp_path / "model.safetensors"
    digests = write_model(path, buffer)
    assert digests.moving == digest_of(buffer.moving.data.data)
    for again in (read_model(path), map_model(path)):
        assert again == buffer.shared
        assert again.layout == buffer.layout.shared
        assert content_digest(again) == content_digest(buffer) == digests.content
    assert map_model(path, moving_only=True) == buffer.moving


@quick
@given(buffers(), st.integers(1, 500))
def test_a_model_written_while_it_is_made_is_the_same_file(
    tmp_path: Path, buffer: ParameterBuffer, size: int
) -> None:
    whole, grown = tmp_path / "whole", tmp_path / "grown"
    made = ParameterBuffer.zeros(buffer.layout)
    made.frozen.data[:] = buffer.frozen.data

    def numbers() -> Iterator[NDArray[np.uint8]]:
        for start in range(0, buffer.moving.data.size, size):
            made.moving.data[start : start + size] = buffer.moving.data[start : start + size]
            yield made.moving.data[start : start + size]

    assert write_model(grown, made, moving=numbers()) == write_model(whole, buffer)
    assert grown.read_bytes() == whole.read_bytes()


def test_a_model_that_cannot_be_made_leaves_no_file(tmp_path: Path) -> None:
    def numbers() -> Iterator[NDArray[np.uint8]]:
        yield model().moving.data[:8]
        raise RunFailedError("not finite")

    write_model(tmp_path / "m", model())
    before = (tmp_path / "m").read_bytes()
    with pytest.raises(RunFailedError, match="not finite"):
        write_model(tmp_path / "m", model(), moving=numbers())
    assert [path.name for path in tmp_path.iterdir()] == ["m"]
    assert (tmp_path / "m").read_bytes() == before


@quick
@given(buffers())
def test_safetensors_opens_what_zfed_writes(tmp_path: Path, buffer: ParameterBuffer) -> None:
    torch = pytest.importorskip("torch")
    safetensors_torch = pytest.importorskip("safetensors.torch")
    path = tmp_path / "model.safetensors"
    write_model(path, buffer)
    tensors = safetensors_torch.load_file(path)
    assert set(tensors) == set(buffer.shared)
    for name, array in buffer.shared.items():
        assert tuple(tensors[name].shape) == array.shape
        flat = tensors[name].contiguous().flatten()
        assert (flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b"") == array.tobytes()


def test_safetensors_numpy_opens_what_zfed_writes(tmp_path: Path) -> None:
    arrays = {name: array for name, array in model().shared.items() if name != "brain"}
    write_arrays(tmp_path / "model.safetensors", arrays)
    again = safetensors.numpy.load_file(tmp_path / "model.safetensors")
    assert set(again) == set(arrays)
    for name, array in arrays.items():
        assert again[name].dtype == array.dtype
        np.testing.assert_array_equal(again[name], array)


@quick
@given(buffers())
def test_zfed_opens_what_safetensors_writes(tmp_path: Path, buffer: ParameterBuffer) -> None:
    path = tmp_path / "model.safetensors"
    arrays = {name: a for name, a in buffer.items() if buffer.layout.tensor(name).dtype != "BF16"}
    safetensors.numpy.save_file(arrays, path)
    for again in (read_model(path), map_model(path), map_model(path, moving_only=True)):
        assert set(again) == set(arrays)
        for name, array in arrays.items():
            assert again[name].dtype == array.dtype
            assert again[name].shape == array.shape
            assert again[name].tobytes() == array.tobytes()


def test_zfed_opens_bfloat16_that_torch_wrote(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    safetensors_torch = pytest.importorskip("safetensors.torch")
    path = tmp_path / "model.safetensors"
    safetensors_torch.save_file(
        {"w": torch.tensor([1.0, -2.0], dtype=torch.bfloat16), "s": torch.tensor(3)}, path
    )
    again = read_model(path)
    assert again.layout.tensor("w").dtype == "BF16"
    assert again["w"].tolist() == [0x3F80, 0xC000]
    assert again["s"].tolist() == 3


def test_metadata_is_kept_beside_zfeds_own(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    write_model(path, model(), {"run": "r1", "zfed.layout": "forged"})
    with safetensors.safe_open(path, "np") as file:
        metadata = file.metadata()
    assert metadata == {
        "run": "r1",
        "zfed.layout": model().layout.digest,
        "zfed.kinds": '{"bn.mean":"running","table":"frozen"}',
    }


def test_local_tensors_are_not_written(tmp_path: Path) -> None:
    write_model(tmp_path / "m", model())
    assert "mine" not in read_model(tmp_path / "m")
    assert b"mine" not in (tmp_path / "m").read_bytes()


def test_a_mapped_model_is_the_file_itself(tmp_path: Path) -> None:
    path = tmp_path / "m"
    write_model(path, model().moving)
    mapped = map_model(path)
    assert not mapped.data.flags.writeable
    assert mapped.data.ctypes.data % 64 == 0
    before = mapped["bn.steps"].item()
    with open(path, "r+b") as file:  # seen through the mapping: no copy was made
        file.seek(path.stat().st_size - mapped.layout.nbytes + mapped.layout.tensor("bn.steps").offset)
        file.write(b"\x63")
    assert (before, mapped["bn.steps"].item()) == (12, 0x63)


def test_a_mapped_model_outlives_its_file(tmp_path: Path) -> None:
    write_model(tmp_path / "m", model())
    mapped = map_model(tmp_path / "m", moving_only=True)
    (tmp_path / "m").unlink()
    assert mapped == model().moving


def test_plain_arrays_of_any_order_and_stride_are_written(tmp_path: Path) -> None:
    arrays = {
        "a": np.arange(6, dtype=">f4").reshape(2, 3).T,
        "b": np.arange(10)[::3],
        "c": np.array(True),
        "d": np.zeros((3, 0)),
    }
    digest = write_arrays(tmp_path / "s", arrays)
    again = read_model(tmp_path / "s")
    for name, array in arrays.items():
        np.testing.assert_array_equal(again[name], array)
    assert content_digest(again) == digest


def test_no_arrays_at_all_are_a_file_too(tmp_path: Path) -> None:
    write_arrays(tmp_path / "s", {})
    assert dict(read_model(tmp_path / "s")) == {}
    assert dict(map_model(tmp_path / "s")) == {}


def test_a_full_disk_says_how_much_was_needed(tmp_path: Path) -> None:
    buffer = ParameterBuffer.from_arrays({"w": np.zeros(100_000)})
    with (
        largest_file(50_000),
        pytest.raises(CheckpointError, match=r"800\d\d\d bytes are needed, \d+ are free"),
    ):
        write_model(tmp_path / "m", buffer)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("read", [read_model, map_model])
def test_a_missing_file_and_a_folder_are_said(tmp_path: Path, read) -> None:
    with pytest.raises(CheckpointError, match=r"cannot read .*m: No such file"):
        read(tmp_path / "m")
    with pytest.raises(CheckpointError, match="Is a directory"):
        read(tmp_path)


def file_of(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def tensor(begin: object = 0, end: object = 4, dtype: object = "F32", shape: object = (1,), **more) -> dict:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end], **more}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it has 0 bytes, too few"),
        (b"1234567", "too few"),
        ((1 << 62).to_bytes(8, "little"), "its header has 4611686018427387904 bytes, but the file has 8"),
        ((9).to_bytes(8, "little") + b"{}", "its header has 9 bytes, but the file has 10"),
        (file_of(b"\xff\xff"), "not JSON"),
        (file_of(b"[" * 100_000), "not JSON"),
        (file_of(b'{"w":' * 100_000), "not JSON"),
        (file_of([]), "not a JSON object"),
        (file_of(b'{"w":1,"w":2}'), "'w' is there twice"),
        (file_of({"__metadata__": []}), "__metadata__ does not map strings to strings"),
        (file_of({"__metadata__": {"a": 1}}), "__metadata__ does not map"),
        (file_of({"__metadata__": {"zfed.kinds": "[]"}}), "zfed.kinds does not map"),
        (file_of({"__metadata__": {"zfed.kinds": "{"}}), "zfed.kinds is not JSON"),
        (file_of({"__metadata__": {"zfed.layout": "sha256:0"}}), "it was written as sha256:0"),
        (file_of({"__metadata__": {"zfed.kinds": '{"w":"odd"}'}, "w": tensor()}, bytes(4)), "kind 'odd'"),
        (file_of({"w": 1}), "'w' is not described"),
        (file_of({"w": {"dtype": "F32", "shape": [1]}}), "'w' is not described"),
        (file_of({"w": tensor(more=1)}, bytes(4)), "'w' is not described"),
        (file_of({"w": tensor(0.0, 4)}, bytes(4)), "'w' is not described"),
        (file_of({"w": tensor(dtype="F8_E4M3")}, bytes(4)), "dtype 'F8_E4M3' is not one of"),
        (file_of({"w": tensor(shape=[-1])}, bytes(4)), "shape"),
        (file_of({"w": tensor(shape=[True])}, bytes(4)), "shape"),
        (file_of({"w": tensor(shape=[1 << 63])}, bytes(4)), r"more than 2\*\*63 bytes"),
        (file_of({"": tensor()}, bytes(4)), "1 to 512 characters"),
        (file_of(b'{"\\ud800":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', bytes(4)), "Unicode"),
        (file_of({"w": tensor(4, 8)}, bytes(8)), "'w' lies at bytes 4 to 8, expected 0 to 4"),
        (file_of({"w": tensor(-4, 0)}, bytes(4)), "'w' lies at bytes -4 to 0"),
        (file_of({"w": tensor(0, 8)}, bytes(8)), "'w' lies at bytes 0 to 8, expected 0 to 4"),
        (
            file_of({"w": tensor(), "v": tensor(8, 12)}, bytes(12)),
            "'v' lies at bytes 8 to 12, expected 4 to 8",
        ),
        (file_of({"w": tensor(), "v": tensor()}, bytes(4)), "'v' lies at bytes 0 to 4, expected 4 to 8"),
        (file_of({"w": tensor()}, bytes(3)), "its header tells of"),
        (file_of({"w": tensor()}, bytes(5)), "its header tells of"),
    ],
)
@pytest.mark.parametrize("read", [read_model, map_model])
def test_what_is_no_model_file_is_refused_by_its_path(
    tmp_path: Path, content: bytes, message: str, read
) -> None:
    path = tmp_path / "m"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=message) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path} is not a valid model file: ")
