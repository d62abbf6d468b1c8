"""Table `[run]`."""

from __future__ import annotations

from dataclasses import dataclass

from zfed.config.limits import AT_LEAST_ONE, MOMENTUM, NOT_NEGATIVE, POSITIVE, SEED, VALUE_RANGE
from zfed.config.setting import ANEW, DEFAULT_ADDRESS, FIXED, setting


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Table `[run]`: what `zfed coordinator` runs."""

    run: str = setting(
        "",
        "run directory, resumed if it holds a run; default runs/<date>-<time>-<random>",
        metavar="DIR",
        resumed=ANEW,
    )
    bind: str = setting(DEFAULT_ADDRESS, "address to listen on", metavar="ADDRESS")
    keys: str = setting(
        "",
        "folder of the keys; default: zfed in $XDG_CONFIG_HOME or ~/.config",
        metavar="DIR",
        resumed=ANEW,
    )
    insecure: bool = setting(
        False, "no keys and no encryption: whoever reaches the address takes part", resumed=ANEW
    )
    rounds: int = setting(10, "rounds to run", metavar="N", limits=AT_LEAST_ONE)
    wait_for: str = setting(
        "1", "start round 1 when N workers, or all named ones, are present", metavar="N|A,B,C", joined=True
    )
    wait_timeout_s: float = setting(3600.0, "seconds to wait for them", metavar="SECONDS", limits=POSITIVE)
    min_workers: int = setting(
        1, "updates without which a round commits nothing", metavar="N", limits=AT_LEAST_ONE
    )
    round_timeout_s: float = setting(
        600.0, "seconds a round waits for its cohort", metavar="SECONDS", limits=POSITIVE
    )
    round_retries: int = setting(
        3, "times a round with too few updates is tried again", metavar="N", limits=NOT_NEGATIVE
    )
    rejoin_grace_s: float = setting(
        10.0,
        "seconds a lost worker has to come back within a round",
        metavar="SECONDS",
        limits=NOT_NEGATIVE,
    )
    restart_grace_s: float = setting(
        60.0,
        "seconds the workers have to come back after the coordinator was started again",
        metavar="SECONDS",
        limits=NOT_NEGATIVE,
    )
    heartbeat_s: float = setting(
        2.0, "seconds between two questions whether a node is there", metavar="SECONDS", limits=POSITIVE
    )
    heartbeat_timeout_s: float = setting(
        10.0, "seconds of silence after which a node is lost", metavar="SECONDS", limits=POSITIVE
    )
    resume_window_s: float = setting(
        30.0,
        "seconds for which half an update is kept of a worker that is lost",
        metavar="SECONDS",
        limits=NOT_NEGATIVE,
    )
    seed: int = setting(0, "seed of the whole run", metavar="N", limits=SEED, resumed=FIXED)
    initial: str = setting(
        "", "first model; default: one node is asked for it", metavar="FILE.safetensors", resumed=FIXED
    )
    weighting: str = setting(
        "examples",
        "weight of an update: examples or equal",
        metavar="RULE",
        choices=("examples", "equal"),
        resumed=FIXED,
    )
    strategy: str = setting(
        "fedavg",
        "how updates become a model: a name that `zfed strategies` lists, module:Name or path.py:Name",
        metavar="NAME",
        resumed=FIXED,
    )
    server_learning_rate: float = setting(
        0.0,
        "factor on the mean update; 0: the strategy's own, which is 1 for most",
        metavar="X",
        limits=NOT_NEGATIVE,
        resumed=FIXED,
    )
    server_momentum: float = setting(
        0.9,
        "momentum of fedavgm, beta 1 of fedadam and its like",
        metavar="X",
        limits=MOMENTUM,
        resumed=FIXED,
    )
    accumulator: str = setting(
        "exact",
        "sum of updates: exact, or float32 with half the memory and not order-free",
        metavar="KIND",
        choices=("exact", "float32"),
        resumed=FIXED,
    )
    value_range: float = setting(
        0.0, "largest |value| an update may hold; 0: from the last commit", metavar="X", limits=VALUE_RANGE
    )
    max_norm: float = setting(
        0.0, "largest L2 norm of an update; 0: no limit", metavar="X", limits=NOT_NEGATIVE
    )
    max_norm_ratio: float = setting(
        100.0,
        "largest norm of an update, times the running median of those that counted; 0: no limit",
        metavar="R",
        limits=NOT_NEGATIVE,
    )
    strikes: int = setting(
        3,
        "refused updates after which a worker is asked no more; 0: never",
        metavar="N",
        limits=NOT_NEGATIVE,
    )
    compress: str = setting(
        "none",
        "level of updates: none, bf16, fp16, int8 or top-k as topk:0.01",
        metavar="LEVEL",
        resumed=FIXED,
    )
    compress_model: str = setting(
        "none",
        "level of the models sent to workers: none, bf16, fp16 or int8",
        metavar="LEVEL",
        resumed=FIXED,
    )
    compress_except: list[str] = setting(
        [], "tensors kept exact: names or shell patterns", metavar="LIST", resumed=FIXED
    )
    upload_slots: int = setting(
        8, "updates received at the same time, in memory or on disk", metavar="N", limits=AT_LEAST_ONE
    )
    memory_budget: str = setting(
        "", "memory for models and updates; default: half of what is free", metavar="SIZE", size=True
    )
    keep_models: int = setting(
        3, "newest model versions that stay in the run directory; 0: all", metavar="N", limits=NOT_NEGATIVE
    )
    limit_up: float = setting(
        0.0,
        "MB a second that are sent to all nodes together; 0: no limit",
        metavar="MB/S",
        limits=NOT_NEGATIVE,
    )
    limit_down: float = setting(
        0.0, "MB a second that come from all nodes; 0: no limit", metavar="MB/S", limits=NOT_NEGATIVE
    )
    trace: str = setting(
        "", "file to which to add where the time went, for Perfetto", metavar="FILE", resumed=ANEW
    )
