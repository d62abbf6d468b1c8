"""The yardstick: the bytes of a round over plain TCP sockets, and nothing that a round is for.

One coordinator and some workers, each a process, as in a real run. A round: the coordinator sends the model
to all workers at the same time, each sends as many bytes back, and these are summed with zfed's own kernel as
they come. Left out on purpose is all that makes a run safe: no message, no check, no digest, no staging of an
update until it is whole, no second model, no journal. What an engine takes more than this is its price.

The coordinator tells the same facts as one of zfed's, so one observer measures both.
"""

from __future__ import annotations

import argparse
import os
import socket
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zfed.facts import CoordinatorStarted, NodeStarted, Observer, RoundCommitted
from zfed.telemetry import open_observer
from zfed_kernels import accumulate_exact, finish_mean, warm_up

Floats = NDArray[np.float32]

CHUNK = 2**18
"""Numbers received and summed at a time: 1 MiB, as in zfed's transfers."""

GRID = 2.0**-40
PATIENCE_S = 600.0
"""Seconds without a byte after which the other side is taken for dead."""


def serve(
    observer: Observer, *, length: int, workers: int, rounds: int, models: Path | None = None
) -> Floats:
    """Be the coordinator: gather the workers, run the rounds, tell each, and return the last model.

    Args:
        observer: Is told the facts.
        length: Numbers in the model.
        workers: How many to wait for.
        rounds: How many to run.
        models: Folder where each round's model is written and made durable; None: nothing is written.
    """
    links = _gather(observer, workers, rounds)
    averager = Averager(length)  # not before: until now the process is idle
    with ThreadPoolExecutor(workers) as threads:
        for number in range(1, rounds + 1):
            began = time.perf_counter()
            averager.run_round(links, threads)
            if models is not None:
                _write_durably(models / f"v{number:05d}", averager.model)
            seconds = time.perf_counter() - began
            observer(_committed(number, rounds, seconds, averager.model.nbytes * workers))
    for link in links:
        link.close()
    return averager.model


class Averager:
    """A model, and the mean of what comes back when it is sent out.

    Attributes:
        model: (length,) float32; the mean replaces it.
    """

    def __init__(self, length: int) -> None:
        self.model = np.random.default_rng(0).random(length, np.float32)
        self._total = np.zeros(length)
        self._zeros = np.zeros(length, np.float32)
        self._locks = [threading.Lock() for _ in range(0, length, CHUNK)]

    def run_round(self, links: Sequence[socket.socket], threads: ThreadPoolExecutor) -> None:
        """Send the model down each link and average what comes back, a thread for each."""
        self._total.fill(0)
        for _ in threads.map(self._exchange, links):
            pass
        finish_mean(self.model, self._zeros, self._total, float(len(links)), 1.0)

    def _exchange(self, link: socket.socket) -> None:
        """One worker's part of a round; the kernel and the sockets leave the other threads alone."""
        link.sendall(self.model.data)
        chunk = np.empty(CHUNK, np.float32)
        for index, lock in enumerate(self._locks):
            total = self._total[index * CHUNK : (index + 1) * CHUNK]
            received = chunk[: total.size]
            receive(link, received)
            with lock:
                accumulate_exact(total, received, 1.0, GRID)


def take_part(address: str, length: int, rounds: int, observer: Observer) -> None:
    """Be a worker: receive a model into one buffer and send it back, round after round."""
    observer(
        NodeStarted(
            node="",
            kind="worker",
            coordinator=address,
            examples=1,
            partition="",
            label_counts=None,
            leaving=[],
            notes=[],
            protected=False,
        )
    )
    host, _, port = address.rpartition(":")
    model = np.empty(length, np.float32)
    with _patient(socket.create_connection((host, int(port)))) as link:
        for _ in range(rounds):
            receive(link, model)
            link.sendall(model.data)


def receive(link: socket.socket, into: Floats) -> None:
    """Fill an array from a socket.

    Raises:
        ConnectionError: If the other side closes before it is full.
    """
    view = into.data.cast("B")
    while len(view):
        count = link.recv_into(view, len(view), socket.MSG_WAITALL)
        if count == 0:
            raise ConnectionError(f"closed with {len(view)} bytes still to come")
        view = view[count:]


def _gather(observer: Observer, workers: int, rounds: int) -> list[socket.socket]:
    """Tell where to connect to, and wait for the workers."""
    with socket.create_server(("127.0.0.1", 0), backlog=workers) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        observer(CoordinatorStarted(run="raw", directory="", address=address, rounds=rounds, protected=False))
        warm_up(accumulate_exact, finish_mean)
        listener.settimeout(PATIENCE_S)
        return [_patient(listener.accept()[0]) for _ in range(workers)]


def _committed(number: int, rounds: int, seconds: float, payload: int) -> RoundCommitted:
    return RoundCommitted(
        round=number,
        rounds=rounds,
        version=number,
        seconds=seconds,
        bytes_down=payload,
        bytes_up=payload,
        workers=[],
        weights=[],
        missing=[],
        train={},
        per_worker={},
    )


def _patient(link: socket.socket) -> socket.socket:
    link.settimeout(PATIENCE_S)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return link


def _write_durably(path: Path, model: Floats) -> None:
    with open(path, "xb") as file:
        file.write(model.data)
        file.flush()
        os.fsync(file.fileno())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one of the two as a process of its own; facts go to standard output as JSON."""
    parser = argparse.ArgumentParser(prog="python -m zfed.benchmark.raw_sockets")
    parser.add_argument("role", choices=("coordinator", "worker"))
    parser.add_argument("--length", type=int, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--models", type=Path)
    parser.add_argument("--connect", default="")
    args = parser.parse_args(arguments)
    with open_observer("json") as observer:
        if args.role == "coordinator":
            serve(
                observer,
                length=args.length,
                workers=args.workers,
                rounds=args.rounds,
                models=args.models,
            )
        else:
            take_part(args.connect, args.length, args.rounds, observer)


if __name__ == "__main__":
    main()
