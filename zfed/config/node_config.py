"""Table `[node]`."""

from __future__ import annotations

from dataclasses import dataclass

from zfed.config.limits import NOT_NEGATIVE, POSITIVE, SEED, SHARE
from zfed.config.setting import DEFAULT_ADDRESS, FORMATS, setting


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
    holdout: float = setting(
        0.0,
        "share of this worker's examples that it keeps from training and evaluates on",
        metavar="SHARE",
        limits=SHARE,
    )
    root_examples: int = setting(
        0,
        "examples that this evaluator keeps from evaluation and trains on where the strategy needs that",
        metavar="N",
        limits=NOT_NEGATIVE,
    )
    tag: str = setting(
        "",
        "what this node is called, to be selected by, as gpu,site=a",
        metavar="TAG[,TAG]",
        joined=True,
    )
    ready_command: str = setting(
        "",
        "command that says whether this node can work now: exit code 0 if it can",
        metavar="COMMAND",
    )
    ready_every_s: float = setting(
        30.0,
        "seconds between two looks whether this node can work, and the most that --ready-command may take",
        metavar="SECONDS",
        limits=POSITIVE,
    )
    available: str = setting(
        "",
        "hours in which this node works, local time, as 22:00-06:00 or mon-fri 18:00-24:00,sat-sun",
        metavar="HOURS",
        joined=True,
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
    max_epochs: float = setting(
        0.0,
        "passes over its data that a worker trains in a round at most, whatever the coordinator asks for; "
        "0: no limit",
        metavar="N",
        limits=NOT_NEGATIVE,
    )
    max_seconds: float = setting(
        0.0,
        "seconds that a worker trains in a round at most, whatever the coordinator asks for; 0: no limit",
        metavar="SECONDS",
        limits=NOT_NEGATIVE,
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
