"""`zfed simulate`: how long schedules take to reach an accuracy, in virtual time on this machine."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from zfed.config import CoordinatorConfig, parse_assignment, resolve_coordinator
from zfed.config.resolve import BY_DEFAULT, ResolvedCoordinator
from zfed.config.schedule_config import SCHEDULES
from zfed.config.setting import FORMATS
from zfed.config.tables import COORDINATOR_FREE, RUN, SCHEDULE, SELECT, Setting
from zfed.errors import UsageError
from zfed_cli.options import add_assignment_flags, add_setting_flag, new_command, read_inputs
from zfed_cli.race_show import RaceShow
from zfed_cli.running import stopped_by_signals

if TYPE_CHECKING:
    from zfed_cli.options import Subparsers

_OF_RUN = (
    *("seed", "strategy", "weighting", "server_learning_rate", "server_momentum"),
    *("min_workers", "round_timeout", "rejoin_grace", "compress", "compress_model"),
)
"""Settings of [run] that are flags here too."""

_TASK = "softmax"
_TRAIN = {"epochs": 1, "learning_rate": 0.05}
"""What the task above trains with if nobody says."""

_NO_DEADLINE_S = 1e9
"""Sync waits for everybody, unless somebody says otherwise: that is what is compared."""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = new_command(
        subparsers,
        "simulate",
        help="find out how long schedules take on a fleet, in virtual time",
        example="zfed simulate --schedule sync,buffered --workers 100 --profile slow-tail --plot race.png",
    )
    parser.add_argument(
        "--schedule",
        metavar="LIST",
        default=",".join(SCHEDULES),
        help="schedules that race, each KIND or KIND:GOAL as buffered:10 or quorum:90%% (default: all five)",
    )
    for flag, metavar, default, help in (
        ("--workers", "N", "10", "workers"),
        ("--profile", "NAME", "slow-tail", "their speeds and links: uniform, one-slow, slow-tail or phones"),
        ("--target", "ACCURACY", "0.88", "accuracy to reach"),
        ("--until", "SECONDS", "3600", "virtual seconds after which a schedule has not reached it"),
        ("--most-work", "N", "100", "times that workers train, on average, before it is given up"),
        ("--task", "TASK", _TASK, "built-in task, module:Name or path/to/file.py:Name"),
        ("--partition", "SCHEME", "iid", "how the data are dealt: iid, shards, dirichlet:0.3 or all"),
    ):
        parser.add_argument(flag, metavar=metavar, default=default, help=f"{help} (default {default})")
    parser.add_argument("--plot", metavar="FILE.png", help="draw accuracy over virtual time")
    parser.add_argument(
        "--format", metavar="FORMAT", default="auto", choices=FORMATS, help="auto, table, lines or json"
    )
    parser.add_argument("--config", metavar="FILE", help="take the run's settings from a zfed.toml")
    add_assignment_flags(parser, COORDINATOR_FREE)
    parser.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="one parameter of the task's class"
    )
    group = parser.add_argument_group("settings of the run, as for zfed coordinator")
    for setting in _settings():
        add_setting_flag(group, setting)


def _settings() -> list[Setting]:
    of_run = [_said(setting) for setting in RUN.settings if setting.key in _OF_RUN]
    of_schedule = [setting for setting in SCHEDULE.settings if setting.key != "kind"]
    of_select = [setting for setting in SELECT.settings if setting.key != "where"]  # the workers have no tags
    return [*of_run, *of_schedule, *of_select]


def _said(setting: Setting) -> Setting:
    """The setting with the words and the default that it has here."""
    if setting.key != "round_timeout":
        return setting
    return replace(setting, default="", help=f"{setting.help}; default: as long as it takes")


def run(args: argparse.Namespace) -> int:
    """Let schedules race, and print how long each took."""
    # --schedule is the race's here; the run's own settings have one schedule each
    of_run = argparse.Namespace(**{name: value for name, value in vars(args).items() if name != "schedule"})
    resolved = resolve_coordinator(read_inputs(of_run, (RUN, SCHEDULE, SELECT), COORDINATOR_FREE))

    from zfed.race import Race, RacePlan, check_plot, draw_race

    plan = RacePlan(
        config=_config(resolved, args.task),
        schedules=args.schedule.split(","),
        workers=_whole("--workers", args.workers),
        profile=args.profile,
        task=args.task,
        settings=dict(parse_assignment(text, "--set") for text in args.set),
        partition=args.partition,
        target=_number("--target", args.target),
        until_s=_number("--until", args.until),
        most_work=_whole("--most-work", args.most_work),
    )
    plot = Path(args.plot) if args.plot else None
    if plot:
        check_plot(plot)
    show = RaceShow(plan, args.format)
    race = Race(plan, show)
    with stopped_by_signals(race.stop) as received, show:
        courses = race.run()
    show.end(courses)
    if plot:
        draw_race(courses, plan.target, f"{plan.workers} workers, profile {plan.profile}", plot)
    return 128 + received[0] if received else 0


def _config(resolved: ResolvedCoordinator, task: str) -> CoordinatorConfig:
    """The run's configuration, with other defaults where a race needs them."""
    config, origins = resolved.config, resolved.origins
    if origins["run"]["round_timeout"] == BY_DEFAULT:
        config = replace(config, run=replace(config.run, round_timeout_s=_NO_DEADLINE_S))
    if task == _TASK and not config.train:
        config = replace(config, train=dict(_TRAIN))
    return config


def _whole(flag: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"{flag} is {text!r}, expected a whole number") from None


def _number(flag: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"{flag} is {text!r}, expected a number") from None
