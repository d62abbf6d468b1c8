"""How many updates may be on their way in at the same time: what a memory budget leaves beside the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from zfed.config import CoordinatorConfig
from zfed.config.sizes import parse_size
from zfed.errors import ConfigError
from zfed.nodes.link_compression import RunCompression
from zfed.params import ParameterLayout
from zfed.rounds import WaitFor
from zfed.rounds.feasibility import most_updates
from zfed.strategies import Strategy

WINDOW_BYTES: Final = 64 << 20
"""Bytes that a coordinator has asked for and not stored yet, of all peers together."""


@dataclass(frozen=True)
class MemoryBudget:
    """Memory for models and updates, beside what the process takes without any.

    Attributes:
        bytes: How much.
        origin: Where the number comes from, in words.
    """

    bytes: int
    origin: str


@dataclass(frozen=True, kw_only=True)
class UploadPlan:
    """What a budget means for one layout.

    Attributes:
        reserved: Bytes kept for the model and what becomes of it.
        in_memory: Updates that may be received into memory at the same time.
        on_disk: Updates that may be received into files beside those.
        disk_spare: Bytes of the disk that those must leave free: more than the next version takes.
        kept: Updates that the strategy keeps until their version is made; 0 if it sums them.
        kept_bytes: What those take, which is part of `reserved`.
    """

    budget: MemoryBudget
    reserved: int
    in_memory: int
    on_disk: int
    disk_spare: int
    kept: int = 0
    kept_bytes: int = 0


PlanUploads: TypeAlias = Callable[[ParameterLayout, int], UploadPlan]
"""Plans for a layout and so many workers; raises `ConfigError` if the budget is too small."""


def planner_of(config: CoordinatorConfig, strategy: Strategy, free: int | None) -> PlanUploads:
    """How a coordinator will plan once it knows its model's layout.

    Args:
        config: Its configuration.
        strategy: Says how much memory it needs for a layout.
        free: Free bytes of the machine; None if it does not say.

    Raises:
        ConfigError: If no budget was given and nothing is known, or what was given is no size.
    """
    compression = RunCompression(config.run)
    budget = budget_of(config.run.memory_budget, free)
    awaited = WaitFor.parse(config.run.wait_for).nodes

    def plan(layout: ParameterLayout, workers: int) -> UploadPlan:
        kept = most_updates(config, max(awaited, workers)) if strategy.needs.every_update else 0
        summing = strategy.memory(layout, 0)
        return plan_uploads(
            budget,
            layout,
            strategy_bytes=summing + compression.memory(layout),
            slots=config.run.upload_slots,
            own_models=config.evaluate.workers,
            kept=kept,
            kept_bytes=strategy.memory(layout, kept) - summing,
        )

    return plan


def budget_of(asked: str, free: int | None) -> MemoryBudget:
    """The budget that was asked for, or half of what is free.

    Raises:
        ConfigError: As `planner_of`.
    """
    if asked:
        return MemoryBudget(parse_size(asked), "--memory-budget")
    if free is None:
        raise ConfigError(
            "this system does not say how much memory is free; say how much to use: --memory-budget SIZE"
        )
    return MemoryBudget(free // 2, "half of what is free")


def plan_uploads(
    budget: MemoryBudget,
    layout: ParameterLayout,
    *,
    strategy_bytes: int,
    slots: int,
    own_models: bool,
    kept: int = 0,
    kept_bytes: int = 0,
) -> UploadPlan:
    """Divide a budget.

    Reserved first is what stays for the whole run: the version that is served; the sum, the strategy's state
    and the next version (`strategy_bytes`); the updates that it keeps; a worker's own model and its delta if
    those are evaluated; what is under way. What is left is for updates on their way in, up to `slots` of
    them; those that do not fit may go to disk.

    Raises:
        ConfigError: If not one update fits. It says how much is needed.
    """
    update_bytes = max(layout.moving.nbytes, 1)
    under_way = min(WINDOW_BYTES, slots * update_bytes)
    stays = layout.nbytes + strategy_bytes + under_way + (2 * layout.nbytes if own_models else 0)
    reserved = stays + kept_bytes
    in_memory = min(slots, (budget.bytes - reserved) // update_bytes)
    if in_memory < 1:
        needed = -(-(reserved + update_bytes) // 1_000_000)  # up to a whole MB, so that what is said suffices
        compared = f"{kept_bytes / 1e6:,.1f} MB for {kept} updates that are compared, " if kept else ""
        raise ConfigError(
            f"the memory budget is {budget.bytes / 1e6:,.0f} MB ({budget.origin}); a model of "
            f"{layout.nbytes / 1e6:,.1f} MB needs at least {needed:,} MB: {stays / 1e6:,.0f} MB for the "
            f"model, its sum and what is under way, {compared}{update_bytes / 1e6:,.1f} MB for each update "
            f"that is received at the same time. If this machine has as much, say --memory-budget {needed}MB"
        )
    return UploadPlan(
        budget=budget,
        reserved=reserved,
        in_memory=in_memory,
        on_disk=slots - in_memory,
        disk_spare=strategy_bytes,  # its state and the next model are in there, which are the files
        kept=kept,
        kept_bytes=kept_bytes,
    )
