"""Whether slices of a vector cover it, each byte once."""

from __future__ import annotations


class Coverage:
    """Remembers which bytes of a vector have come, in any order.

    Args:
        nbytes: Length of the vector.
    """

    def __init__(self, nbytes: int) -> None:
        self._nbytes = nbytes
        self._slices: list[tuple[int, int]] = []

    def add(self, offset: int, nbytes: int) -> None:
        """Bytes from `offset` on have come."""
        self._slices.append((offset, offset + nbytes))

    def fault(self) -> str | None:
        """What is wrong, in words; None if each byte has come exactly once."""
        covered = 0
        for start, stop in sorted(self._slices):
            if start > covered:
                return f"bytes {covered} to {start} of {self._nbytes} are missing"
            if start < covered:
                return f"bytes from {start} on came twice"
            covered = stop
        if covered < self._nbytes:
            return f"bytes {covered} to {self._nbytes} are missing"
        if covered > self._nbytes:
            return f"{covered} bytes came, the layout has {self._nbytes}"
        return None
