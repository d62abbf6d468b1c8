"""What a worker sends: how its model differs from the one it was given; and back again."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from zfed.errors import LayoutError
from zfed.params import ParameterBuffer, Segment, TensorKind, fitting, narrowed, widened
from zfed.strategies.pieces import HALF, Array, elements

_BLOCK = 2**16
"""Elements worked on at a time: bounds the temporary arrays of wider floats."""


def encode_delta(
    base: ParameterBuffer, new: Mapping[str, ArrayLike], out: ParameterBuffer | None = None
) -> ParameterBuffer:
    """The update that leads from one model to another: new - base, and counters as they are.

    Args:
        base: The model that training started from, with its moving tensors at least.
        new: All moving tensors by name, shapes and dtypes as in `base`; its other tensors may be there too.
        out: Where to write it, in the layout of the moving tensors; default: new memory.

    Returns:
        A buffer in the layout of the moving tensors. Differences are rounded once, to the tensor's dtype; one
        that is too large is infinite.

    Raises:
        LayoutError: If a tensor is missing, unknown, or of another shape or dtype.
    """
    moving = base.layout.moving
    others = {tensor.name for tensor in base.layout.tensors} - {tensor.name for tensor in moving.tensors}
    given = fitting(moving, {name: new[name] for name in new if name not in others})
    delta = ParameterBuffer.zeros(moving) if out is None else out
    for tensor in moving.tensors:
        if tensor.kind is TensorKind.COUNTER:
            delta[tensor.name][...] = given[tensor.name]
        else:
            _combine(np.subtract, delta[tensor.name], given[tensor.name], base[tensor.name], tensor.dtype)
    return delta


def apply_delta(base: ParameterBuffer, delta: ParameterBuffer) -> ParameterBuffer:
    """The model that an update leads to: a worker's own, up to rounding.

    Raises:
        LayoutError: If the update is not in the layout of the model's moving tensors.
    """
    if delta.layout != base.layout.moving:
        difference = base.layout.moving.first_difference(delta.layout)
        raise LayoutError(f"update does not fit the model: {difference}")
    model = base.copy()
    model.moving.data[:] = delta.data
    for segment in _float_segments(delta):
        values = elements(model, segment)
        _combine(np.add, values, values, elements(base, segment), segment.dtype)
    return model


def _float_segments(buffer: ParameterBuffer) -> list[Segment]:
    return [each for each in buffer.layout.moving.segments if each.kind is not TensorKind.COUNTER]


def _combine(operation: np.ufunc, out: Array, values: Array, base: Array, dtype: str) -> None:
    """Out <- operation(values, base), computed in float32, or in float64 for float64; shapes are the same."""
    with np.errstate(all="ignore"):  # infinities and NaN are found by whoever inspects the update
        if dtype not in HALF:
            operation(values, base, out=out)
            return
        out, values, base = out.reshape(-1), np.reshape(values, -1), np.reshape(base, -1)
        for start in range(0, out.size, _BLOCK):
            block = slice(start, start + _BLOCK)
            wide = operation(widened(values[block], dtype), widened(base[block], dtype))
            out[block] = narrowed(wide, dtype)
