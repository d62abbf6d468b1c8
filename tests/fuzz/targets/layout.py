"""`ParameterLayout.from_bytes`: a model's description, pulled from any node."""

from __future__ import annotations

from tests.fuzz.target import Target
from zfed.errors import LayoutError
from zfed.params import ParameterLayout, TensorKind


def read(data: bytes) -> None:
    """Read a layout, and ask of it what a coordinator asks."""
    layout = ParameterLayout.from_bytes(data)
    assert layout.to_bytes() == data
    assert layout.first_difference(layout) is None
    assert sum(segment.stop - segment.start for segment in layout.segments) <= layout.nbytes < 2**63
    assert ParameterLayout.from_bytes(layout.shared.to_bytes()).digest == layout.digest


def seeds() -> list[bytes]:
    """Of no tensors, of a few, of all dtypes and kinds."""
    average, frozen, local = TensorKind.AVERAGE, TensorKind.FROZEN, TensorKind.LOCAL
    few = [("conv.weight", "F32", (20, 1, 5, 5), average), ("n", "I64", (), TensorKind.COUNTER)]
    many = [
        *few,
        ("var", "F64", (3,), TensorKind.RUNNING),
        ("f", "BF16", (2, 0), frozen),
        ("l", "U8", (9,), local),
    ]
    return [ParameterLayout.build(entries).to_bytes() for entries in ([], few, many)]


TARGET = Target("layout", read, (LayoutError,), seeds)
