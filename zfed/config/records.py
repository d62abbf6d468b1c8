"""The configuration records: the one place where a setting has its name, type, default and explanation.

Flags, environment variables, TOML keys, `--print-config` and docs/configuration.md are all made from these;
`zfed.config.tables` says how.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from zfed.config.limits import (
    ANY,
    AT_LEAST_ONE,
    CHUNK,
    FRAME,
    FRAMES,
    HEADER,
    MOMENTUM,
    NOT_NEGATIVE,
    POSITIVE,
    SEED,
    STAGING,
    UNASKED,
    VALUE_RANGE,
    Interval,
)

DEFAULT_ADDRESS = "tcp://127.0.0.1:8777"
FORMATS = ("auto", "table", "lines", "json")

Resumed: TypeAlias = Literal["kept", "fixed", "anew"]
"""What a setting is when its run is resumed.

kept: the run's, unless this start gives another; fixed: the run's, and another is refused, for it would be
another run; anew: this start's alone.
"""

_FIXED: Final = "fixed"
_ANEW: Final = "anew"


def setting(
    default: Any,
    help: str,
    *,
    metavar: str = "",
    choices: Sequence[str] = (),
    limits: Interval = ANY,
    joined: bool = False,
    size: bool = False,
    resumed: Resumed = "kept",
) -> Any:
    """A dataclass field with what a person and a parser need to know about it.

    Args:
        default: The value where nobody gives one; its type must be the field's.
        help: One line for `--help` and docs/configuration.md.
        metavar: Stands for the value in `--help`.
        choices: The only texts allowed, if not all are.
        limits: Where a number, or each number of a list, must lie.
        joined: A text for which TOML may also hold a number or a list of texts (joined by commas).
        size: A text that is empty or a number of bytes, as `200MB`; in TOML also a number.
        resumed: What it is when the run is resumed.
    """
    metadata = {
        "help": help,
        "metavar": metavar,
        "choices": tuple(choices),
        "limits": limits,
        "joined": joined,
        "size": size,
        "resumed": resumed,
    }
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Table `[run]`: what `zfed coordinator` runs."""

    run: str = setting(
        "",
        "run directory, resumed if it holds a run; default runs/<date>-<time>-<random>",
        metavar="DIR",
        resumed=_ANEW,
    )
    bind: str = setting(DEFAULT_ADDRESS, "address to listen on", metavar="ADDRESS")
    keys: str = setting(
        "",
        "folder of the keys; default: zfed in $XDG_CONFIG_HOME or ~/.config",
        metavar="DIR",
        resumed=_ANEW,
    )
    insecure: bool = setting(
        False, "no keys and no encryption: whoever reaches the address takes part", resumed=_ANEW
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
    seed: int = setting(0, "seed of the whole run", metavar="N", limits=SEED, resumed=_FIXED)
    initial: str = setting(
        "", "first model; default: one node is asked for it", metavar="FILE.safetensors", resumed=_FIXED
    )
    weighting: str = setting(
        "examples",
        "weight of an update: examples or equal",
        metavar="RULE",
        choices=("examples", "equal"),
        resumed=_FIXED,
    )
    strategy: str = setting(
        "fedavg",
        "how updates become a model: fedavg or fedavgm",
        metavar="NAME",
        choices=("fedavg", "fedavgm"),
        resumed=_FIXED,
    )
    server_learning_rate: float = setting(
        1.0, "factor on the mean update", metavar="X", limits=POSITIVE, resumed=_FIXED
    )
    server_momentum: float = setting(0.9, "momentum of fedavgm", metavar="X", limits=MOMENTUM, resumed=_FIXED)
    accumulator: str = setting(
        "exact",
        "sum of updates: exact, or float32 with half the memory and not order-free",
        metavar="KIND",
        choices=("exact", "float32"),
        resumed=_FIXED,
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
        resumed=_FIXED,
    )
    compress_model: str = setting(
        "none",
        "level of the models sent to workers: none, bf16, fp16 or int8",
        metavar="LEVEL",
        resumed=_FIXED,
    )
    compress_except: list[str] = setting(
        [], "tensors kept exact: names or shell patterns", metavar="LIST", resumed=_FIXED
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
        "", "file to which to add where the time went, for Perfetto", metavar="FILE", resumed=_ANEW
    )


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    """Table `[evaluate]`: when and what the evaluator is asked."""

    rounds: list[int] = setting(
        [],
        "rounds to evaluate after, instead of first and every",
        metavar="LIST",
        limits=AT_LEAST_ONE,
    )
    first: bool = setting(True, "evaluate after round 1")
    every: int = setting(10, "evaluate after every Nth round; 0: never", metavar="N", limits=NOT_NEGATIVE)
    last: bool = setting(True, "evaluate after the last round")
    workers: bool = setting(False, "also evaluate each worker's own model; announced to the workers")
    groups: list[str] = setting([], 'classes shown together, as ["0-3", "4-6", "7-9"]', metavar="LIST")
    timeout_s: float = setting(
        600.0, "seconds to wait for evaluations at the end", metavar="SECONDS", limits=NOT_NEGATIVE
    )

    def wanted(self, round: int, last_round: int) -> bool:
        """True if the model of this round (1, 2, ...) is to be evaluated."""
        if self.last and round == last_round:
            return True
        if self.rounds:
            return round in self.rounds
        return (self.first and round == 1) or (self.every > 0 and round % self.every == 0)


@dataclass(frozen=True, kw_only=True)
class LimitsConfig:
    """Table `[limits]`: what nodes and strangers may ask of the coordinator; more is dropped and counted."""

    connections: int = setting(
        16_384, "connections at the same time; more are let in as others go", metavar="N", limits=AT_LEAST_ONE
    )
    handshake_s: float = setting(
        5.0, "seconds in which a connection must have shaken hands", metavar="SECONDS", limits=POSITIVE
    )
    silence_s: float = setting(
        30.0,
        "seconds without a message after which a connection is ended; at least 3 heartbeat timeouts",
        metavar="SECONDS",
        limits=POSITIVE,
    )
    sessions: int = setting(
        120, "sessions that one node may begin in a minute", metavar="N", limits=AT_LEAST_ONE
    )
    messages: int = setting(
        5000, "messages that one node may send in a second", metavar="N", limits=AT_LEAST_ONE
    )
    unasked: str = setting(
        "8MiB",
        "bytes that one node may send in a second beyond what it was asked for",
        metavar="SIZE",
        limits=UNASKED,
        size=True,
    )
    frame: str = setting("2112KiB", "largest frame", metavar="SIZE", limits=FRAME, size=True)
    frames: int = setting(2, "frames of one message", metavar="N", limits=FRAMES)
    header: str = setting("256KiB", "largest header of a message", metavar="SIZE", limits=HEADER, size=True)
    chunk: str = setting("1MiB", "largest payload of a message", metavar="SIZE", limits=CHUNK, size=True)
    staging: str = setting(
        "256MiB",
        "memory for descriptions of models, of all nodes that are not admitted yet",
        metavar="SIZE",
        limits=STAGING,
        size=True,
    )


@dataclass(frozen=True, kw_only=True)
class ReportConfig:
    """Table `[report]`: what the coordinator shows and draws."""

    format: str = setting(
        "auto", "auto, table, lines or json", metavar="FORMAT", choices=FORMATS, resumed=_ANEW
    )
    plot: bool = setting(True, "draw curves.png at the end if matplotlib is there")


@dataclass(frozen=True, kw_only=True)
class NodeConfig:
    """Table `[node]` of worker.toml, and each `[[node]]` of zfed.toml: a worker or an evaluator."""

    name: str = setting("", "this node's name; default: the host's name", metavar="NAME")
    connect: str = setting(
        DEFAULT_ADDRESS,
        "coordinator's address, or several, which are tried in turn",
        metavar="ADDRESS[,ADDRESS]",
        joined=True,
    )
    keys: str = setting(
        "", "folder of the keys; default: zfed in $XDG_CONFIG_HOME or ~/.config", metavar="DIR"
    )
    coordinator_key: str = setting(
        "", "the coordinator's public key; default: as in known-coordinators of the keys", metavar="KEY"
    )
    insecure: bool = setting(False, "no keys and no encryption: only for a coordinator with --insecure")
    connect_timeout_s: float = setting(
        600.0,
        "seconds to keep trying to reach the coordinator; 0: for ever",
        metavar="SECONDS",
        limits=NOT_NEGATIVE,
    )
    task: str = setting("mnist", "built-in task, module:Name or path/to/file.py:Name", metavar="TASK")
    labels: str = setting(
        "", "only training examples with these labels, as 0-3 or 0,2,5-7", metavar="LABELS", joined=True
    )
    partition: str = setting("all", "part of the training set, as iid:1/10", metavar="SPEC")
    partition_seed: int = setting(
        0, "seed of the partition, the same on every worker", metavar="N", limits=SEED
    )
    share_label_counts: bool = setting(False, "tell the coordinator how many examples each label has")
    device: str = setting("cpu", "cpu, cuda, cuda:1 ... or auto", metavar="DEVICE")
    threads: int = setting(
        0, "compute threads of the task; 0: the library decides", metavar="N", limits=NOT_NEGATIVE
    )
    compress: str = setting("", "level of this worker's updates; default: the run's", metavar="LEVEL")
    compress_model: str = setting(
        "", "level of the models sent to this node; default: a worker the run's, else none", metavar="LEVEL"
    )
    stay: bool = setting(False, "wait for the next run when this one has ended")
    stop_timeout_s: float = setting(
        60.0,
        "seconds the task has to stop when it is asked to; then this node ends with an error",
        metavar="SECONDS",
        limits=POSITIVE,
    )
    state: str = setting(
        "",
        "folder for what the task keeps; default: zfed in $XDG_STATE_HOME or ~/.local/state",
        metavar="DIR",
    )
    format: str = setting("auto", "auto, table, lines or json", metavar="FORMAT", choices=FORMATS)
    limit_up: float = setting(
        0.0, "MB a second that leave this node; 0: no limit", metavar="MB/S", limits=NOT_NEGATIVE
    )
    limit_down: float = setting(
        0.0, "MB a second that come to this node; 0: no limit", metavar="MB/S", limits=NOT_NEGATIVE
    )
    trace: str = setting("", "file to which to add where the time went, for Perfetto", metavar="FILE")


@dataclass(frozen=True, kw_only=True)
class CoordinatorConfig:
    """Everything a coordinator needs; `train` is passed on to the tasks, which check it."""

    run: RunConfig = field(default_factory=RunConfig)
    train: dict[str, Any] = field(default_factory=dict)
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)
    limits: LimitsConfig = field(default_factory=LimitsConfig)
    report: ReportConfig = field(default_factory=ReportConfig)
