"""Which part of a data set is this worker's: filter by label first, then split by a seeded scheme.

Every machine computes the split for itself, so it must be the same everywhere and for ever. numpy promises
that for the raw words of PCG64, but not for its shuffles and distributions (NEP 19), nor does anybody promise
the last bit of a logarithm. So everything below is made of raw words, integer arithmetic, stable sorts, and
additions and multiplications that IEEE 754 defines to the bit.
"""

from __future__ import annotations

import difflib
import itertools
import math
import re
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zfed.errors import DataError, UsageError

Labels: TypeAlias = NDArray[Any]
Indices: TypeAlias = NDArray[np.int64]

MAX_LABEL = 4095
MAX_PARTS = 10_000
MAX_SEED = 2**63 - 1
MIN_ALPHA, MAX_ALPHA = 1e-6, 1e6

_SPLITS = {"iid": "iid:1/10", "shards": "shards:1/10", "dirichlet": "dirichlet:0.3:1/10"}
"""Schemes that split a data set, each with an example of how to write it."""

_SHARDS_PER_PART = 2
_MAX_SPEC = 64


@dataclass(frozen=True, kw_only=True)
class Partition:
    """One worker's part of a data set that several workers know; travels in HELLO.

    For one labels selection, scheme, number of parts and seed, the parts are disjoint and together cover
    every selected example.

    * `all`: no split.
    * `iid:k/n`: part k of n of a shuffle; sizes differ by at most 1.
    * `shards:k/n`: sorted by label and cut into 2n shards, two for each part (McMahan et al., arXiv
      1602.05629, section 3): most parts see only two labels.
    * `dirichlet:alpha:k/n`: each label is dealt to the parts in proportions drawn from a symmetric Dirichlet
      (after Hsu et al., arXiv 1909.06335): a small alpha gives each label to few parts. A part may be empty.

    Attributes:
        labels: Keep only these, strictly ascending; None keeps all.
        spec: The scheme as above; parts count from 1.
        seed: Seed of the split, 0 to `MAX_SEED`; the same on all workers.

    Raises:
        ValueError: If an attribute is not as above. `parse` is for what people write.
    """

    labels: tuple[int, ...] | None = None
    spec: str = "all"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.labels is not None:
            _check_labels(self.labels)
        if not 0 <= self.seed <= MAX_SEED:
            raise ValueError(f"partition seed {self.seed}: expected 0 to {MAX_SEED}")
        _parse_spec(self.spec)

    @classmethod
    def parse(cls, *, labels: str | None = None, spec: str | None = None, seed: int = 0) -> Partition:
        """Build a partition from `--labels`, `--partition` and `--partition-seed`.

        Args:
            labels: Numbers and ranges such as "0-3" or "0,2,5-7", in any order; None keeps all.
            spec: As the attribute; None is "all".
            seed: As the attribute.

        Raises:
            UsageError: If one of them cannot be; the message says what can.
        """
        try:
            return cls(
                labels=None if labels is None else _parse_labels(labels),
                spec=str(_parse_spec("all" if spec is None else spec.strip())),
                seed=seed,
            )
        except ValueError as error:
            raise UsageError(str(error)) from None

    def describe(self) -> str:
        """Say which part this is, for instance "labels 0-3, iid:1/10 seed 0"; "all" if it is everything."""
        words = []
        if self.labels is not None:
            words.append(f"labels {_format_labels(self.labels)}")
        if self.spec != "all":
            words.append(f"{self.spec} seed {self.seed}")
        return ", ".join(words) or "all"

    @property
    def place(self) -> tuple[Hashable, int] | None:
        """The cut that this is a part of, and which part; None for the scheme `all`.

        A partition conflicts with one part of a cut of which it is no part exactly if with all of them; of
        the parts of one cut, each only with itself.
        """
        split = _parse_spec(self.spec)
        return None if split.scheme == "all" else ((split.split, self.labels, self.seed), split.part)

    def select(self, labels: Labels) -> Indices:
        """Return which examples are in this part: their indices, ascending; possibly none.

        Args:
            labels: The whole data set's labels, (n,) integers, in the order that every worker has them.
        """
        if self.labels is None:
            chosen = np.arange(labels.size, dtype=np.int64)
        else:
            chosen = np.flatnonzero(np.isin(labels, self.labels)).astype(np.int64, copy=False)
        split = _parse_spec(self.spec)
        if split.scheme == "all":
            return chosen
        if split.scheme == "iid":
            mine = _select_iid(chosen.size, split, self.seed)
        elif split.scheme == "shards":
            mine = _select_shards(labels[chosen], split, self.seed)
        else:
            mine = _select_dirichlet(labels[chosen], split, self.seed)
        return chosen[np.sort(mine)]

    def conflict(self, other: Partition) -> str | None:
        """Say why two workers cannot both be right to hold these parts, or None.

        A worker with the scheme `all` may own its data alone, so it conflicts with nobody. Two splits
        conflict unless their labels are disjoint or they are different parts of one and the same split. The
        reason is a clause whose "they" are the two workers.
        """
        mine, theirs = _parse_spec(self.spec), _parse_spec(other.spec)
        if "all" in (mine.scheme, theirs.scheme) or _disjoint(self.labels, other.labels):
            return None
        if mine.split != theirs.split:
            return f"they split differently, {self.spec} and {other.spec}, so that their parts overlap"
        if self.labels != other.labels:
            return (
                f"they split different but overlapping labels, {_format_labels(self.labels)} and "
                f"{_format_labels(other.labels)}, so that their parts overlap"
            )
        if self.seed != other.seed:
            return (
                f"they split {self.spec} and {other.spec} with different seeds, {self.seed} and "
                f"{other.seed}, so that their parts overlap: give both the same --partition-seed"
            )
        if mine.part == theirs.part:
            return (
                f"they both hold part {mine.part} of {mine.parts} ({self.describe()}): give one another part"
            )
        return None


def hold_out(mine: Indices, share: float, seed: int) -> tuple[Indices, Indices]:
    """Split a worker's own part once more: what it trains on, and what it keeps to evaluate on.

    Both are ascending, disjoint and together all of `mine`; neither is empty. Of one part and seed, what a
    smaller share keeps is among what a larger one keeps.

    Args:
        mine: The examples of this worker, as `Partition.select` gives them.
        share: Which share of them to keep, above 0 and below 1.
        seed: Of the partition.

    Raises:
        DataError: If there are too few examples to split.
    """
    if mine.size < 2:
        raise DataError(f"of {mine.size} examples none can be held out: --holdout needs at least 2")
    held = min(max(math.floor(share * mine.size + 0.5), 1), mine.size - 1)
    order = _shuffled(seed, mine.size)
    return mine[np.sort(order[held:])], mine[np.sort(order[:held])]


def draw_root(mine: Indices, count: int, seed: int) -> tuple[Indices, Indices]:
    """Split an evaluator's examples: what it makes root updates of, and what it evaluates on.

    Both are ascending, disjoint and together all of `mine`. The root ones are drawn uniformly (Cao et al.,
    arXiv 2012.13995, section V-A), the same for the same seed.

    Args:
        mine: The examples of this evaluator.
        count: How many root examples, at least 1.
        seed: Of the draw.

    Raises:
        DataError: If none would be left to evaluate on.
    """
    if count >= mine.size:
        raise DataError(
            f"--root-examples {count} leaves none of {mine.size} examples to evaluate on: take fewer"
        )
    order = _shuffled(seed, mine.size)
    return mine[np.sort(order[:count])], mine[np.sort(order[count:])]


@dataclass(frozen=True)
class _Split:
    """A scheme taken apart; part counts from 1, alpha is 0 where the scheme has none."""

    scheme: str
    part: int = 1
    parts: int = 1
    alpha: float = 0.0

    @property
    def split(self) -> tuple[str, int, float]:
        """What all parts of one split share."""
        return self.scheme, self.parts, self.alpha

    def __str__(self) -> str:
        if self.scheme == "all":
            return "all"
        alpha = f"{self.alpha!r}:".replace(".0:", ":") if self.alpha else ""
        return f"{self.scheme}:{alpha}{self.part}/{self.parts}"


def _parse_spec(spec: str) -> _Split:
    if spec == "all":
        return _Split("all")
    if len(spec) > _MAX_SPEC:
        raise ValueError(
            f"partition {spec[:_MAX_SPEC]!r}... has {len(spec)} characters, limit is {_MAX_SPEC}"
        )
    scheme, *rest = spec.split(":")
    if scheme not in _SPLITS:
        raise ValueError(f"partition {spec!r}: {_nearest_scheme(scheme)}")
    numbers = re.fullmatch(r"(\d{1,9})/(\d{1,9})", rest[-1], re.ASCII) if rest else None
    if numbers is None or len(rest) != (2 if scheme == "dirichlet" else 1):
        raise ValueError(f"partition {spec!r}: expected for instance {_SPLITS[scheme]}")
    part, parts = int(numbers[1]), int(numbers[2])
    if not 1 <= parts <= MAX_PARTS:
        raise ValueError(f"partition {spec!r}: {parts} parts, expected 1 to {MAX_PARTS}")
    if part == 0:
        raise ValueError(
            f"partition {spec!r}: parts count from 1, so the first is 1/{parts}, the last {parts}/{parts}"
        )
    if part > parts:
        raise ValueError(
            f"partition {spec!r}: there is no part {part} of {parts}, the last is {parts}/{parts}"
        )
    alpha = _parse_alpha(spec, rest[0]) if scheme == "dirichlet" else 0.0
    return _Split(scheme, part, parts, alpha)


def _nearest_scheme(scheme: str) -> str:
    if scheme == "all":
        return "the scheme 'all' has no parts, write all"
    nearest = difflib.get_close_matches(scheme.lower(), ["all", *_SPLITS], n=1)
    remedy = f"did you mean {nearest[0]!r}?" if nearest else f"expected one of all, {', '.join(_SPLITS)}"
    return f"unknown scheme {scheme!r}; {remedy}"


def _parse_alpha(spec: str, text: str) -> float:
    try:
        alpha = float(text)
    except ValueError:
        alpha = math.nan
    if not MIN_ALPHA <= alpha <= MAX_ALPHA:
        raise ValueError(
            f"partition {spec!r}: alpha is {text!r}, expected a number from {MIN_ALPHA:g} to {MAX_ALPHA:g}; "
            "the smaller, the more the parts differ"
        )
    return alpha


def _parse_labels(text: str) -> tuple[int, ...]:
    chosen: set[int] = set()
    for item in text.split(","):
        ends = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", item.strip(), re.ASCII)
        if ends is None:
            raise ValueError(f"labels {text!r}: expected numbers and ranges, for instance 0-3 or 0,2,5-7")
        first, last = int(ends[1]), int(ends[2] or ends[1])
        if first > last:
            raise ValueError(f"labels {text!r}: the range {first}-{last} is empty, write {last}-{first}")
        if last > MAX_LABEL:
            raise ValueError(f"labels {text!r}: {last} is above {MAX_LABEL}, the largest label")
        chosen.update(range(first, last + 1))
    return tuple(sorted(chosen))


def _check_labels(labels: tuple[int, ...]) -> None:
    ascending = all(low < high for low, high in itertools.pairwise(labels))
    if not labels or not ascending or labels[0] < 0 or labels[-1] > MAX_LABEL:
        raise ValueError(
            f"labels of a partition: expected 0 to {MAX_LABEL}, at least one, strictly ascending"
        )


def _format_labels(labels: tuple[int, ...] | None) -> str:
    """Write (0, 1, 2, 5) as 0-2,5: the shortest text that `_parse_labels` reads back."""
    if labels is None:
        return "all"
    runs: list[list[int]] = []
    for label in labels:
        if runs and label == runs[-1][1] + 1:
            runs[-1][1] = label
        else:
            runs.append([label, label])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in runs)


def _disjoint(first: tuple[int, ...] | None, second: tuple[int, ...] | None) -> bool:
    return first is not None and second is not None and set(first).isdisjoint(second)


def _words(seed: int, count: int) -> NDArray[np.uint64]:
    return np.random.PCG64(seed).random_raw(count)


def _shuffled(seed: int, count: int) -> Indices:
    """A permutation of 0 .. count - 1: sort by random keys, ties (one in 2**64) by index."""
    return np.argsort(_words(seed, count), kind="stable").astype(np.int64, copy=False)


def _bounds(size: int, index: int, count: int) -> slice:
    """The index-th of count slices of nearly equal size, index from 0."""
    return slice(index * size // count, (index + 1) * size // count)


def _select_iid(size: int, split: _Split, seed: int) -> Indices:
    return _shuffled(seed, size)[_bounds(size, split.part - 1, split.parts)]


def _select_shards(labels: Labels, split: _Split, seed: int) -> Indices:
    by_label = np.argsort(labels, kind="stable").astype(np.int64, copy=False)
    shards = split.parts * _SHARDS_PER_PART
    first = (split.part - 1) * _SHARDS_PER_PART
    mine = _shuffled(seed, shards)[first : first + _SHARDS_PER_PART].tolist()
    return np.concatenate([by_label[_bounds(labels.size, shard, shards)] for shard in mine])


def _select_dirichlet(labels: Labels, split: _Split, seed: int) -> Indices:
    """Deal every label by its own urn; which word an example gets depends on its place alone."""
    uniforms = (_words(seed, labels.size) >> np.uint64(11)) * 2.0**-53  # in [0, 1), exact
    mine = []
    for label in np.unique(labels):
        places = np.flatnonzero(labels == label)
        owners = _deal_from_urn(uniforms[places].tolist(), split.parts, split.alpha)
        mine.append(places[np.array(owners) == split.part - 1])
    return np.concatenate(mine).astype(np.int64, copy=False) if mine else np.empty(0, np.int64)


def _deal_from_urn(uniforms: list[float], parts: int, alpha: float) -> list[int]:
    """Deal one example per uniform to the parts with a Polya urn.

    The urn starts with alpha balls of each part's colour; each draw puts back one more ball of its colour. So
    owners are distributed exactly as if proportions were drawn from Dirichlet(alpha, ..., alpha) and each
    example then went to a part by those (Blackwell and MacQueen 1973), without a gamma variate.
    """
    base = parts * alpha
    owners: list[int] = []
    for dealt, uniform in enumerate(uniforms):
        ball = uniform * (base + dealt)
        if ball < base or not dealt:
            owners.append(min(int(ball / alpha), parts - 1))  # min: the division may round up
        else:
            owners.append(owners[min(int(ball - base), dealt - 1)])
    return owners
