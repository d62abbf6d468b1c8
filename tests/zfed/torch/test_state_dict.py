import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import nn

from tests.zfed.params.strategies import buffers
from zfed.errors import LayoutError
from zfed.params import ParameterBuffer, TensorKind
from zfed.torch import buffer_from_module, from_state_dict, load_into_module, to_state_dict
from zfed.torch.state_dict import DTYPE_NAMES

FLOATS = [torch.float64, torch.float32, torch.float16, torch.bfloat16]


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Everything(nn.Module):
    """A tensor of every kind that a module can have."""

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, dtype=dtype)
        self.bn = nn.BatchNorm2d(4, dtype=dtype)
        self.scale = nn.Parameter(torch.tensor(1.5, dtype=dtype))
        self.embed = nn.Linear(6, 6, bias=False, dtype=dtype)
        self.head = nn.Linear(6, 6, dtype=dtype)
        self.head.weight = self.embed.weight
        self.backbone = nn.Linear(3, 2, dtype=dtype).requires_grad_(False)
        self.register_buffer("seen", torch.tensor([True, False]))
        self.register_buffer("table", torch.zeros(0, dtype=dtype))
        self.register_buffer("scratch", torch.ones(9), persistent=False)


def bits(tensor: torch.Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()


def kinds(buffer: ParameterBuffer) -> dict[str, str]:
    return {spec.name: spec.kind.value for spec in buffer.layout.tensors}


def test_kinds_follow_from_what_a_tensor_is_in_its_module() -> None:
    assert kinds(buffer_from_module(Everything())) == {
        "conv.weight": "average",
        "conv.bias": "average",
        "bn.weight": "average",
        "bn.bias": "average",
        "bn.running_mean": "running",
        "bn.running_var": "running",
        "bn.num_batches_tracked": "counter",
        "scale": "average",
        "embed.weight": "average",
        "head.bias": "average",
        "backbone.weight": "frozen",
        "backbone.bias": "frozen",
        "seen": "counter",
        "table": "running",
    }


@pytest.mark.parametrize("dtype", FLOATS)
def test_modules_come_back_exact_to_the_bit(dtype: torch.dtype) -> None:
    source, target = Everything(dtype), Everything(dtype)
    buffer = buffer_from_module(source)
    load_into_module(target, buffer.read_only())
    for name, tensor in source.state_dict().items():
        assert bits(target.state_dict()[name]) == bits(tensor), name
    assert buffer_from_module(target) == buffer


@settings(deadline=None)
@given(buffers())
def test_state_dicts_come_back_exact_to_the_bit(buffer: ParameterBuffer) -> None:
    again = from_state_dict(to_state_dict(buffer.read_only()))
    for spec in buffer.layout.tensors:
        assert again.layout.tensor(spec.name).dtype == spec.dtype
        assert again.layout.tensor(spec.name).shape == spec.shape
        assert again[spec.name].tobytes() == buffer[spec.name].tobytes()


@pytest.mark.parametrize("dtype", DTYPE_NAMES)
def test_every_dtype_is_kept(dtype: torch.dtype) -> None:
    tensor = torch.tensor([0, 1, 100]).to(dtype)
    again = to_state_dict(from_state_dict({"t": tensor}))["t"]
    assert again.dtype == dtype
    assert bits(again) == bits(tensor)


def test_a_state_dict_does_not_share_memory_with_the_buffer() -> None:
    buffer = from_state_dict({"w": torch.zeros(3)})
    to_state_dict(buffer)["w"][0] = 1
    assert not buffer["w"].any()


def test_strided_tensors_are_read_in_order() -> None:
    tensor = torch.arange(6.0).reshape(2, 3).t()
    np.testing.assert_array_equal(from_state_dict({"t": tensor})["t"], [[0, 3], [1, 4], [2, 5]])


def test_tied_tensors_are_there_once_and_stay_tied() -> None:
    module = Everything()
    buffer = buffer_from_module(module)
    assert "head.weight" not in buffer
    buffer["embed.weight"][...] = 7
    load_into_module(module, buffer)
    assert module.head.weight is module.embed.weight
    assert (module.head.weight == 7).all()


def test_weights_side_by_side_in_one_storage_are_not_tied() -> None:
    module = nn.Module()
    flat = torch.arange(6.0)
    module.a, module.b = nn.Parameter(flat[:3]), nn.Parameter(flat[3:])
    module.e, module.f = nn.Parameter(torch.zeros(0)), nn.Parameter(torch.zeros(0))
    assert set(buffer_from_module(module)) == {"a", "b", "e", "f"}


@pytest.mark.parametrize("pattern", ["embed.weight", "head.w*"])
def test_any_name_of_a_tied_tensor_makes_it_local(pattern: str) -> None:
    buffer = buffer_from_module(Everything(), local=[pattern])
    assert set(buffer.local) == {"embed.weight"}


def test_local_patterns_keep_a_whole_layer_at_home() -> None:
    buffer = buffer_from_module(Everything(), local=["bn*"])
    assert set(buffer.local) == {
        f"bn.{part}" for part in ("weight", "bias", "running_mean", "running_var")
    } | {"bn.num_batches_tracked"}


def test_a_local_pattern_that_fits_nothing_is_refused() -> None:
    with pytest.raises(LayoutError, match=r"'bm\*' is to be local"):
        buffer_from_module(Everything(), local=["bm*"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: {name: a for name, a in b.items() if name != "seen"}, "'seen' of the module is missing"),
        (lambda b: {**b, "more": np.zeros(1)}, "'more' is not in the module"),
        (
            lambda b: {**b, "scale": np.zeros(1, np.float32)},
            r"'scale': F32 \(\) in the module, F32 \(1,\) in the buffer",
        ),
        (lambda b: {**b, "scale": np.zeros((), np.float64)}, r"'scale': F32 \(\) in the module, F64 \(\)"),
    ],
)
def test_a_buffer_that_does_not_fit_changes_nothing(change, message: str) -> None:
    module = Everything()
    before = buffer_from_module(module)
    wrong = ParameterBuffer.from_arrays(change({name: np.ones_like(array) for name, array in before.items()}))
    with pytest.raises(LayoutError, match=message):
        load_into_module(module, wrong)
    assert buffer_from_module(module) == before


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(2, dtype=torch.complex64),
        torch.zeros(2, dtype=torch.float8_e4m3fn),
        torch.zeros(2, device="meta"),
        torch.eye(2).to_sparse(),
    ],
)
def test_tensors_that_no_vector_holds_are_refused_by_name(tensor: torch.Tensor) -> None:
    with pytest.raises(LayoutError, match="tensor 'w' is torch"):
        from_state_dict({"w": tensor})


def test_a_lazy_module_is_told_what_to_do() -> None:
    with pytest.raises(LayoutError, match="pass an example through the module first"):
        buffer_from_module(nn.LazyLinear(3))


def test_extra_state_is_refused_by_name() -> None:
    class Odd(nn.Linear):
        def get_extra_state(self) -> dict[str, int]:
            return {"a": 1}

    with pytest.raises(LayoutError, match="'_extra_state' is no tensor but dict"):
        buffer_from_module(Odd(1, 1))


def trained(seed: int, batches: int) -> nn.Module:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(batches):
        inputs = torch.randn(16, 4, generator=generator) + seed
        loss = nn.functional.cross_entropy(module(inputs), (inputs[:, 0] > seed).long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return module


def test_batch_norm_models_survive_training_and_averaging() -> None:
    one, other = buffer_from_module(trained(1, 5)), buffer_from_module(trained(2, 3))
    assert one.layout == other.layout
    merged = ParameterBuffer.zeros(one.layout)
    for spec in merged.layout.tensors:
        merge = np.maximum if spec.kind is TensorKind.COUNTER else lambda a, b: (a + b) / 2
        merged[spec.name][...] = merge(one[spec.name], other[spec.name])
    module = trained(3, 1)
    load_into_module(module, merged)
    assert module[1].num_batches_tracked == 5
    np.testing.assert_array_equal(
        module[1].running_var.numpy(), (one["1.running_var"] + other["1.running_var"]) / 2
    )
    module.eval()
    with torch.no_grad():
        assert torch.isfinite(module(torch.randn(100, 4))).all()


@pytest.mark.parametrize("dtype", FLOATS)
def test_training_goes_on_after_a_load(dtype: torch.dtype) -> None:
    module = nn.Linear(2, 2, dtype=dtype)
    load_into_module(module, buffer_from_module(module))
    module(torch.ones(1, 2, dtype=dtype)).sum().backward()
    assert module.weight.grad is not None
