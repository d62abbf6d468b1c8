"""A kernel: one loop over flat arrays, its reference in numpy, and the checks that keep both safe."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from zfed_kernels._jit import Signature, compiled
from zfed_kernels.reference import widened

Array: TypeAlias = NDArray[Any]
P = ParamSpec("P")
R = TypeVar("R")

_kernels: list[Kernel[..., Any]] = []


def one_length(*sizes: int) -> bool:
    """Whether all arrays of a call have one length: what most kernels need."""
    return len(set(sizes)) == 1


def kernel(
    reference: Callable[..., R], *signatures: Signature, fit: Callable[..., bool] = one_length
) -> Callable[[Callable[P, R]], Kernel[P, R]]:
    """Make a loop a kernel: compiled on first use, or run as `reference` where numba is missing.

    Args:
        reference: Takes the same arguments and gives the same bits.
        signatures: What the loop takes.
        fit: Given the lengths of a call's arrays in order, whether they fit one another.
    """

    def decorate(loop: Callable[P, R]) -> Kernel[P, R]:
        made = Kernel(loop, reference, signatures, fit)
        _kernels.append(made)
        return made

    return decorate


def warm_up(*kernels: Kernel[..., Any]) -> None:
    """Compile these kernels now, or every one if none is named, for instance while workers connect.

    A kernel takes some tenths of a second when cold, less from the cache.
    """
    for each in kernels or _kernels:
        each.load()


class Kernel(Generic[P, R]):
    """Calls a compiled loop, after making sure that it cannot read or write where it must not.

    Every array is one-dimensional and, unless the kernel says otherwise, all of one call have the same
    length. An input may be read-only, not aligned or not contiguous (it is copied if need be), and where
    floats are expected also float16 or uint16, the latter being bfloat16 bits; both widen to float32,
    exactly. An output is written in place, so it must be writable, aligned and contiguous.

    Raises:
        TypeError: If an argument is no array or the dtypes fit none of the kernel's signatures.
        ValueError: If shapes differ or an output cannot be written in place.
    """

    def __init__(
        self,
        loop: Callable[P, R],
        reference: Callable[..., R],
        signatures: Sequence[Signature],
        fit: Callable[..., bool],
    ) -> None:
        self._loop = loop
        self._reference = reference
        self._signatures = signatures
        self._fit = fit
        self._access = tuple(word.rpartition(" ")[0] for word in signatures[0])
        self._accepted = {_array_dtypes(signature) for signature in signatures}
        self._run: Callable[..., R] | None = None
        self.__name__: str
        update_wrapper(self, loop)

    def load(self) -> Callable[..., R]:
        """Compile the loop, unless that is done already; what will run from now on."""
        if self._run is None:
            self._run = compiled(self._loop, self._signatures) or self._reference
        return self._run

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Check the arguments, then run the loop without the interpreter lock."""
        values: tuple[Any, ...] = args
        if kwargs:
            values = inspect.signature(self._loop).bind(*args, **kwargs).args
        run = self._run or self.load()
        # Compiled code never warns of overflow or NaN, so numpy in its place must not either
        with np.errstate(all="ignore"):
            return run(*self._checked(values))

    def _checked(self, values: tuple[Any, ...]) -> list[Any]:
        checked = [
            self._array(value, access) if access else value
            for access, value in zip(self._access, values, strict=True)
        ]
        if self._dtypes(checked) not in self._accepted:  # bits that no signature takes as they are
            checked = [
                widened(value) if access == "in" else value
                for access, value in zip(self._access, checked, strict=True)
            ]
        dtypes = self._dtypes(checked)
        if dtypes not in self._accepted:
            seen = ", ".join(map(str, dtypes))
            raise TypeError(f"{self.__name__} of ({seen}) arrays: expected {self._signatures}")
        shapes = [value.shape for value in self._arrays(checked)]
        if any(len(shape) != 1 for shape in shapes) or not self._fit(*(shape[0] for shape in shapes)):
            lengths = "one length" if self._fit is one_length else "lengths that fit"
            raise ValueError(f"{self.__name__}: expected flat arrays of {lengths}, got shapes {shapes}")
        return checked

    def _arrays(self, values: list[Any]) -> list[Array]:
        return [value for access, value in zip(self._access, values, strict=True) if access]

    def _dtypes(self, values: list[Any]) -> tuple[np.dtype[Any], ...]:
        return tuple(array.dtype for array in self._arrays(values))

    def _array(self, value: Any, access: str) -> Array:
        if not isinstance(value, np.ndarray):
            raise TypeError(f"{self.__name__}: expected an array, got {type(value).__name__}")
        if access == "out":
            if not (value.flags.carray and value.dtype.isnative):
                raise ValueError(f"{self.__name__}: an output must be writable, aligned and contiguous")
            return value
        return np.require(value, requirements=["C", "A"])


def _array_dtypes(signature: Signature) -> tuple[np.dtype[Any], ...]:
    return tuple(np.dtype(word.rpartition(" ")[2]) for word in signature if " " in word)
