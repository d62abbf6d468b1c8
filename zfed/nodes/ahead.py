"""Work in a thread of its own whose pieces are used as they are ready."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class _Piece(Generic[T]):
    piece: T


@dataclass(frozen=True)
class _Over:
    error: BaseException | None


def ahead(work: Callable[[Callable[[T], None]], None], name: str) -> Iterator[T]:
    """Yield what `work` gives to its argument, while it already works on what comes next.

    Args:
        work: Is called in a new thread, with a function that takes a piece. It is not held up by a slow user:
            pieces that are not used yet wait in a queue.
        name: Of the thread.

    Raises:
        BaseException: What `work` raised, in place of its next piece.
    """
    ready: queue.SimpleQueue[_Piece[T] | _Over] = queue.SimpleQueue()

    def run() -> None:
        try:
            work(lambda piece: ready.put(_Piece(piece)))
        except BaseException as error:
            ready.put(_Over(error))
        else:
            ready.put(_Over(None))

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    try:
        while isinstance(item := ready.get(), _Piece):
            yield item.piece
        if item.error is not None:
            raise item.error
    finally:
        thread.join()  # also when its user gives up: nobody else works on the same numbers meanwhile
