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
Dtypes: TypeAlias = tuple[np.dtype[Any], ...]
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

    Kernels call no compiled functions but numpy's, so some loops stand twice: numba's cache would not notice
    that a function which a kernel calls has changed.

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

    Each for the dtypes of its first signature, which are those most used; it is compiled for others when they
    come. A kernel takes some tenths of a second when cold, some milliseconds from the cache.
    """
    for each in kernels or _kernels:
        each.load()


class Kernel(Generic[P, R]):
    """Calls a compiled loop, after making sure that it cannot read or write where it must not.

    Every array is one-dimensional and, unless the kernel says otherwise, all of one call have the same
    length. An input may be read-only, not aligned or not contiguous (it is copied if need be), and where
    floats are expected also float16 or uint16, the latter being bfloat16 bits; both widen to float32,
    exactly. An output is written in place, so it must be writable, aligned and contiguous.

    The checks take some microseconds, as long as a loop over some ten thousand numbers.

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
        self._fit = fit
        self._access = tuple(word.rpartition(" ")[0] for word in signatures[0])
        self._signatures = {_array_dtypes(signature): signature for signature in signatures}
        self._compiled: dict[Dtypes, Callable[..., R]] = {}
        self.__name__: str
        update_wrapper(self, loop)

    def load(self, dtypes: Dtypes | None = None) -> Callable[..., R]:
        """Compile for these dtypes of the arrays, or those of the first signature; what runs from now on.

        One signature at a time: most processes only ever see float32, and each takes time and memory.
        """
        dtypes = dtypes or next(iter(self._signatures))
        if dtypes not in self._signatures:
            seen, expected = ", ".join(map(str, dtypes)), list(self._signatures.values())
            raise TypeError(f"{self.__name__} of ({seen}) arrays: expected {expected}")
        run = compiled(self._loop, self._signatures[dtypes]) or self._reference
        if run in (self._loop, self._reference):  # interpreted: without numba, or with NUMBA_DISABLE_JIT
            run = _silent(run)
        return self._compiled.setdefault(dtypes, run)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Check the arguments, then run the loop without the interpreter lock."""
        values: tuple[Any, ...] = args
        if kwargs:
            values = inspect.signature(self._loop).bind(*args, **kwargs).args
        checked = [
            self._array(value, access) if access else value
            for access, value in zip(self._access, values, strict=True)
        ]
        arrays = self._arrays(checked)
        dtypes = tuple([array.dtype for array in arrays])
        if dtypes not in self._signatures:  # bits that no signature takes as they are
            checked = [
                widened(value) if access == "in" else value
                for access, value in zip(self._access, checked, strict=True)
            ]
            dtypes = tuple([array.dtype for array in self._arrays(checked)])
        run = self._compiled.get(dtypes) or self.load(dtypes)
        if any([array.ndim != 1 for array in arrays]) or not self._fit(*[array.size for array in arrays]):
            lengths = "one length" if self._fit is one_length else "lengths that fit"
            shapes = [array.shape for array in arrays]
            raise ValueError(f"{self.__name__}: expected flat arrays of {lengths}, got shapes {shapes}")
        return run(*checked)

    def _arrays(self, values: list[Any]) -> list[Array]:
        return [value for access, value in zip(self._access, values, strict=True) if access]

    def _array(self, value: Any, access: str) -> Array:
        if not isinstance(value, np.ndarray):
            raise TypeError(f"{self.__name__}: expected an array, got {type(value).__name__}")
        flags = value.flags
        if access == "out":
            if not (flags.carray and value.dtype.isnative):
                raise ValueError(f"{self.__name__}: an output must be writable, aligned and contiguous")
            return value
        if flags.c_contiguous and flags.aligned:
            return value
        return np.require(value, requirements=["C", "A"])


def _array_dtypes(signature: Signature) -> Dtypes:
    return tuple(np.dtype(word.rpartition(" ")[2]) for word in signature if " " in word)


def _silent(interpreted: Callable[..., R]) -> Callable[..., R]:
    """Compiled code never warns of overflow or NaN, so what runs in its place must not either."""

    def run(*args: Any) -> R:
        with np.errstate(all="ignore"):
            return interpreted(*args)

    return run
