"""PyTorch modules and state dicts to `ParameterBuffer` and back, exact to the bit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from zfed.errors import LayoutError
from zfed.params import ParameterBuffer, TensorKind, matched_kinds
from zfed.params.dtypes import Array

DTYPE_NAMES: Final = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint64: "U64",
    torch.uint32: "U32",
    torch.uint16: "U16",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


def buffer_from_module(module: nn.Module, *, local: Iterable[str] = ()) -> ParameterBuffer:
    """Copy a module's parameters and persistent buffers.

    Kinds: parameters are `average`, or `frozen` without requires_grad; floating buffers (batch-norm's running
    mean and variance) `running`; integer and boolean ones (`num_batches_tracked`) `counter`. A tensor that
    has several names (tied weights) is there once, under the first.

    Args:
        module: On any device.
        local: Names or shell patterns ("bn*") of tensors that never leave the node.

    Raises:
        LayoutError: If a pattern fits nothing, or a tensor cannot be held (sparse, complex, lazy ...).
    """
    names = _names_of_tensors(module)
    every_name = {name: first for first, (_, all_names) in names.items() for name in all_names}
    local_names = matched_kinds(every_name, {pattern: TensorKind.LOCAL for pattern in local})
    kinds = {name: _kind(tensor) for name, (tensor, _) in names.items()}
    kinds |= {every_name[name]: TensorKind.LOCAL for name in local_names}
    return _buffer({name: tensor for name, (tensor, _) in names.items()}, kinds)


def load_into_module(module: nn.Module, buffer: ParameterBuffer) -> None:
    """Copy a buffer's numbers into a module; dtypes, devices and ties of the module stay as they are.

    Raises:
        LayoutError: If names, shapes or dtypes differ; it names the first tensor that does, and the module
            is unchanged.
    """
    targets = {name: tensor for name, (tensor, _) in _names_of_tensors(module).items()}
    for name, target in targets.items():
        _check_same(name, target, buffer)
    for name in buffer:
        if name not in targets:
            raise LayoutError(f"tensor {name!r} is not in the module", tensor=name)
    with torch.no_grad():
        for name, target in targets.items():
            target.copy_(_tensor(buffer, name))


def from_state_dict(state_dict: Mapping[str, Tensor]) -> ParameterBuffer:
    """Copy a plain dict of tensors: floats are `average`, integers and booleans `counter`.

    A state dict does not tell parameters from batch-norm statistics: with a module at hand, use
    `buffer_from_module`.

    Raises:
        LayoutError: If a tensor cannot be held.
    """
    return _buffer(state_dict, {})


def to_state_dict(buffer: ParameterBuffer) -> dict[str, Tensor]:
    """Copies of all tensors, on the CPU. Of tied weights, only the first name is there."""
    return {name: _tensor(buffer, name).clone() for name in buffer}


def _names_of_tensors(module: nn.Module) -> dict[str, tuple[Tensor, list[str]]]:
    """Each distinct tensor of a module's state, by its first name, with all its names."""
    found: dict[object, tuple[Tensor, list[str]]] = {}
    for name, tensor in module.state_dict(keep_vars=True).items():
        _check_held(name, tensor)
        _, names = found.setdefault(_place(tensor), (tensor, []))
        names.append(name)
    return {names[0]: (tensor, names) for tensor, names in found.values()}


def _place(tensor: Tensor) -> object:
    # Not the storage alone: recurrent layers keep all their weights, one after another, in a single one
    if tensor.numel() == 0:
        return id(tensor)  # empty tensors have no memory to be told apart by
    storage = tensor.untyped_storage().data_ptr()
    return tensor.device, storage, tensor.storage_offset(), tensor.shape, tensor.stride(), tensor.dtype


def _kind(tensor: Tensor) -> TensorKind:
    if isinstance(tensor, nn.Parameter):
        return TensorKind.AVERAGE if tensor.requires_grad else TensorKind.FROZEN
    return TensorKind.RUNNING if tensor.is_floating_point() else TensorKind.COUNTER


def _buffer(tensors: Mapping[str, Tensor], kinds: Mapping[str, TensorKind]) -> ParameterBuffer:
    for name, tensor in tensors.items():
        _check_held(name, tensor)
    marked = {name: "BF16" for name, tensor in tensors.items() if tensor.dtype == torch.bfloat16}
    arrays = {name: _array(tensor) for name, tensor in tensors.items()}
    return ParameterBuffer.from_arrays(arrays, kinds=kinds, dtypes=marked)


def _check_held(name: str, tensor: object) -> None:
    if not isinstance(tensor, Tensor):
        raise LayoutError(f"{name!r} is no tensor but {type(tensor).__name__}", tensor=name)
    if is_lazy(tensor):
        raise LayoutError(
            f"tensor {name!r} has no shape yet: pass an example through the module first", tensor=name
        )
    if tensor.dtype not in DTYPE_NAMES or tensor.layout is not torch.strided or tensor.is_meta:
        raise LayoutError(
            f"tensor {name!r} is {tensor.dtype}, {tensor.layout}, on {tensor.device}: only dense tensors"
            f" of {', '.join(DTYPE_NAMES.values())} with memory can be held",
            tensor=name,
        )


def _check_same(name: str, target: Tensor, buffer: ParameterBuffer) -> None:
    if name not in buffer:
        raise LayoutError(f"tensor {name!r} of the module is missing in the buffer", tensor=name)
    spec = buffer.layout.tensor(name)
    here, there = (tuple(target.shape), DTYPE_NAMES[target.dtype]), (spec.shape, spec.dtype)
    if here != there:
        raise LayoutError(
            f"tensor {name!r}: {here[1]} {here[0]} in the module, {there[1]} {there[0]} in the buffer",
            tensor=name,
        )


def _array(tensor: Tensor) -> Array:
    tensor = tensor.detach().cpu()
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(np.uint16)
    return tensor.numpy()


def _tensor(buffer: ParameterBuffer, name: str) -> Tensor:
    array = buffer[name]
    if not array.flags.writeable:
        array = array.copy()  # torch knows no read-only tensors, and warns
    if buffer.layout.tensor(name).dtype == "BF16":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)
