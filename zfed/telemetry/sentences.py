"""What each fact is in words: one or a few lines of plain text, the same for a pipe and a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from functools import singledispatch

from zfed.facts import (
    BestVersion,
    Connected,
    Connecting,
    CoordinatorStarted,
    Disconnected,
    DoorCounts,
    Evaluated,
    EvaluationSkipped,
    Fact,
    ModelReady,
    NodeEnrolled,
    NodeJoined,
    NodeLeft,
    NodeRefused,
    NodeStarted,
    NoRoomToSpill,
    NothingToWatch,
    NotWritten,
    Participation,
    Progress,
    ReadinessChanged,
    RoundCommitted,
    RoundOpened,
    RoundRetried,
    RunEnded,
    RunResumed,
    Spread,
    StateNoted,
    TaskFailed,
    UpdateAccepted,
    UpdateRefused,
    UploadsPlanned,
    Waiting,
    WorkerBenched,
    WorkersEvaluated,
    WorkGivenUp,
    WorkLimited,
)
from zfed.telemetry.groups import LabelGroup, group_shares
from zfed.telemetry.label_table import label_table, label_words
from zfed.telemetry.participation_table import participation_table
from zfed.telemetry.wording import (
    count,
    duration,
    megabytes,
    metric_words,
    names,
    number,
    percent,
    plural,
)

INSECURE = "INSECURE: traffic is neither encrypted nor authenticated"
FEDERATED = "federated"
WORKERS = "workers"
NOT_EVALUATED = "not evaluated: no evaluator answered"

MOST_TRACEBACK_LINES = 100
"""Of the end, where the reason is: of a traceback another node may send thousands of lines."""


@singledispatch
def describe(fact: Fact) -> list[str]:
    """The fact in words, without line ends. Texts from other nodes are in it as they came."""
    raise TypeError(f"no words for {type(fact).__name__}")


@describe.register
def _coordinator_started(fact: CoordinatorStarted) -> list[str]:
    return [
        f"run {fact.run}: {plural(fact.rounds, 'round')}, listening on {fact.address}",
        f"run directory: {fact.directory}",
        *([f"strategy: {fact.strategy}"] if fact.strategy else []),
        *_level_words(fact.compress, fact.compress_model),
        *insecure_words(fact.protected),
    ]


@describe.register
def _node_started(fact: NodeStarted) -> list[str]:
    who = _who(fact.kind, fact.node)
    lines = [f"{who}: {_examples(fact)}{_part(fact.partition)}"]
    if fact.label_counts is not None:
        lines += label_table(fact.label_counts)
    lines += [f"note: {note}" for note in fact.notes]
    if fact.leaving:
        lines.append("about these data, only this leaves the machine:")
        lines += [f"  - {sentence}" for sentence in fact.leaving]
    else:
        lines.append("nothing about these data leaves the machine")
    return [*lines, f"coordinator: {fact.coordinator}", *insecure_words(fact.protected)]


@describe.register
def _connecting(fact: Connecting) -> list[str]:
    until = "until stopped" if fact.remaining_s is None else f"for another {duration(fact.remaining_s)}"
    others = f" nor at {' or '.join(fact.others)}" if fact.others else ""
    waited = f"after {duration(fact.elapsed_s)}"
    return [f"no coordinator answers at {fact.address}{others} {waited}: still trying, {until}"]


@describe.register
def _connected(fact: Connected) -> list[str]:
    notes = [*fact.announcements, *_level_words(fact.compress, fact.compress_model)]
    return [f"connected to {fact.address}, run {fact.run}", *(f"  {line}" for line in notes)]


@describe.register
def _disconnected(fact: Disconnected) -> list[str]:
    return [f"coordinator lost: {fact.reason}; trying to reach it again"]


@describe.register
def _state_noted(fact: StateNoted) -> list[str]:
    return [f"state of the task of {fact.node}: {fact.note}"]


@describe.register
def _work_limited(fact: WorkLimited) -> list[str]:
    taken = f"{plural(fact.steps, 'step')} and {duration(fact.seconds)}"
    return [f"round {fact.round}: training ended after {taken}, as --{fact.limited} says"]


@describe.register
def _work_given_up(fact: WorkGivenUp) -> list[str]:
    return [f"{fact.work} is given up: {duration(fact.waited_s)} have passed, so its round is over"]


@describe.register
def _node_joined(fact: NodeJoined) -> list[str]:
    verb = "is back" if fact.rejoined else "joined"
    who = _who(fact.kind, fact.node)
    called = f", called {', '.join(fact.tags)}" if fact.tags else ""
    examples = _examples(fact) if fact.held_out else f"{count(fact.examples)} examples"
    lines = [f"{who} {verb}: {examples}{_part(fact.partition)}{called}"]
    if fact.ignored_tags:
        claims = ", ".join(fact.ignored_tags)
        lines.append(f"  it claims to be {claims}, which does not count: it was enrolled otherwise")
    if fact.label_counts is not None and not fact.rejoined:
        lines.append(f"  per label {label_words(fact.label_counts)}")
    return [*lines, *([f"  not ready: {fact.unready}"] if fact.unready else [])]


@describe.register
def _readiness_changed(fact: ReadinessChanged) -> list[str]:
    who = _who(fact.kind, fact.node)
    return [f"{who} is not ready: {fact.unready}" if fact.unready else f"{who} is ready"]


@describe.register
def _node_left(fact: NodeLeft) -> list[str]:
    return [f"{_who(fact.kind, fact.node)} is gone: {fact.reason}"]


@describe.register
def _node_enrolled(fact: NodeEnrolled) -> list[str]:
    if fact.address:
        return [f"enrolled as {fact.node} at {fact.address}, with the key {fact.fingerprint}"]
    return [f"{fact.node} has enrolled itself with its invitation, key {fact.fingerprint}"]


@describe.register
def _node_refused(fact: NodeRefused) -> list[str]:
    return [f"refused {fact.node} ({fact.code}): {fact.reason}"]


@describe.register
def _run_resumed(fact: RunResumed) -> list[str]:
    done = f"version {fact.version}, after round {fact.round} of {fact.rounds}"
    lines = [f"start {fact.start} of this run: from {done if fact.version >= 0 else 'the beginning'}"]
    lines += [f"  {sentence}" for sentence in fact.damaged]
    if fact.torn_bytes:
        lines.append(f"  dropped: {count(fact.torn_bytes)} bytes of a journal line that was never finished")
    if fact.awaited:
        lines.append(f"  waiting for {names(fact.awaited)} to come back")
    return lines


@describe.register
def _not_written(fact: NotWritten) -> list[str]:
    again = f"; it is tried again every {duration(fact.retry_s, digits=0)}" if fact.retry_s else ""
    return [f"{fact.what} could not be written: {fact.reason}{again}"]


@describe.register
def _waiting(fact: Waiting) -> list[str]:
    left = "" if fact.remaining_s is None else f", {duration(fact.remaining_s)} left"
    return [f"waiting for {fact.missing}{left}"]


@describe.register
def _uploads_planned(fact: UploadsPlanned) -> list[str]:
    return [
        f"memory budget {megabytes(fact.budget)} ({fact.origin}): {megabytes(fact.reserved)} for the model, "
        f"up to {plural(fact.in_memory, 'update')} received at the same time"
        + (f", and {count(fact.on_disk)} more to disk" if fact.on_disk else ""),
        *_kept(fact),
    ]


def _kept(fact: UploadsPlanned) -> list[str]:
    if not fact.kept:
        return []
    kept = plural(fact.kept, "update")
    return [f"  {fact.strategy} keeps up to {kept}: {megabytes(fact.kept_bytes)} of that"]


@describe.register
def _no_room_to_spill(fact: NoRoomToSpill) -> list[str]:
    return [
        f"updates wait for a place in memory, the disk has none: {fact.reason}; "
        f"it is tried again every {duration(fact.retry_s, digits=0)}"
    ]


@describe.register
def _model_ready(fact: ModelReady) -> list[str]:
    return [
        f"first model from {fact.source}: {count(fact.parameters)} parameters in "
        f"{plural(fact.tensors, 'tensor')}, {megabytes(fact.bytes)}, layout {fact.layout[:12]}"
    ]


@describe.register
def _round_opened(fact: RoundOpened) -> list[str]:
    again = f", attempt {fact.attempt}" if fact.attempt > 1 else ""
    of = f", of {count(fact.candidates)}" if fact.candidates > len(fact.cohort) else ""
    draws = f", drawn {fact.draws} times until enough were drawn" if fact.draws > 1 else ""
    return [f"round {fact.round}/{fact.rounds}: asking {names(fact.cohort)}{of}{draws}{again}"]


@describe.register
def _progress(fact: Progress) -> list[str]:
    share = f" ({percent(fact.done / fact.total, digits=0)})" if fact.total > 0 else ""
    words = [f"{fact.stage} {count(fact.done)} of {count(fact.total)}{share}", *metric_words(fact.metrics)]
    return [f"round {fact.round}: {fact.node}: {', '.join(words)}"]


@describe.register
def _update_accepted(fact: UpdateAccepted) -> list[str]:
    words = [
        plural(fact.examples, "example"),
        plural(fact.steps, "step"),
        duration(fact.seconds),
        megabytes(fact.bytes),
        *metric_words(fact.metrics),
        *([f"cut short by its owner's --{fact.limited}"] if fact.limited else []),
    ]
    what = "root update" if fact.root else "update"
    return [f"round {fact.round}: {what} from {fact.node}: {', '.join(words)}"]


@describe.register
def _update_refused(fact: UpdateRefused) -> list[str]:
    return [f"round {fact.round}: update from {fact.node} refused ({fact.code}): {fact.reason}"]


@describe.register
def _worker_benched(fact: WorkerBenched) -> list[str]:
    return [f"round {fact.round}: {fact.reason}"]


@describe.register
def _task_failed(fact: TaskFailed) -> list[str]:
    traceback = [f"  | {line}" for line in fact.traceback.splitlines()[-MOST_TRACEBACK_LINES:]]
    return [f"round {fact.round}: {fact.work} failed at {fact.node}: {fact.error}", *traceback]


@describe.register
def _round_retried(fact: RoundRetried) -> list[str]:
    return [
        f"round {fact.round} committed nothing in attempt {fact.attempt} of {fact.attempts}: "
        f"{plural(len(fact.answered), 'update')} of {count(fact.needed)} needed, "
        f"missing {names(fact.missing)}; trying again"
    ]


@describe.register
def _round_committed(fact: RoundCommitted) -> list[str]:
    shares = [f"{name} {percent(weight)}" for name, weight in zip(fact.workers, fact.weights, strict=True)]
    lines = [f"round {fact.round}/{fact.rounds}: {round_words(fact)}; weights {names(shares)}"]
    if fact.missing:
        lines.append(f"  without {names(fact.missing)}")
    return lines


@describe.register
def _participation(fact: Participation) -> list[str]:
    return participation_table(fact)


@describe.register
def _evaluated(fact: Evaluated) -> list[str]:
    return [evaluated_line(fact)]


@describe.register
def _workers_evaluated(fact: WorkersEvaluated) -> list[str]:
    lines = [f"round {fact.round}: {_on_held_out(fact)}: {evaluation_words(fact)}"]
    lines += [f"  {name}: {spread_words(name, spread)}" for name, spread in fact.spread.items()]
    if fact.missing:
        lines.append(f"  without {names(fact.missing)}")
    return lines


@describe.register
def _nothing_to_watch(fact: NothingToWatch) -> list[str]:
    reported = f"reported are {names(fact.reported)}" if fact.reported else "no number is reported"
    return [f"round {fact.round}: --watch {fact.metric}: no evaluation has a number of that name; {reported}"]


@describe.register
def _evaluation_skipped(fact: EvaluationSkipped) -> list[str]:
    return [f"round {fact.round}: {_model_of(fact.subject)} was not evaluated: {fact.reason}"]


@describe.register
def _run_ended(fact: RunEnded) -> list[str]:
    return summary(fact)


def summary(
    fact: RunEnded,
    *,
    elapsed_s: float | None = None,
    federated: Evaluated | None = None,
    surveyed: WorkersEvaluated | None = None,
) -> list[str]:
    """The end of a run, which took `elapsed_s`.

    `federated` is the last evaluation of the common model, `surveyed` the last one by the workers.
    """
    took = "" if elapsed_s is None else f" in {duration(elapsed_s)}"
    # A node that never took part knows of no rounds
    rounds = f": {count(fact.rounds_done)} of {plural(fact.rounds, 'round')}{took}" if fact.rounds else ""
    # A node that did its part is done, but with a run that failed nothing is completed
    status = "ended" if fact.status == "completed" and fact.reason else fact.status
    lines = [f"run {status}{rounds}"]
    if fact.reason:
        lines.append(f"reason: {fact.reason}")
    if federated is not None:
        model = f"federated model of round {federated.round}{_purpose(federated)}"
        lines.append(f"{model}: {evaluation_words(federated)}")
    if surveyed is not None:
        lines.append(f"{_on_held_out(surveyed)}, round {surveyed.round}: {evaluation_words(surveyed)}")
    if not fact.evaluated and federated is None:
        lines.append(NOT_EVALUATED)
    if fact.best is not None:
        lines.append(f"best version: {best_words(fact.best)}")
    paths = (
        ("model", fact.model),
        ("best", fact.best_model),
        ("metrics", fact.metrics),
        ("curves", fact.plot),
    )
    for name, path in paths:
        if path:
            lines.append(f"{name + ':':<9}{path}")
    return [*lines, *_kept_out(fact.door), *insecure_words(fact.protected)]


def round_words(fact: RoundCommitted) -> str:
    """A committed round's time, traffic and training metrics."""
    words = [
        duration(fact.seconds),
        f"{megabytes(fact.bytes_down)} down",
        f"{megabytes(fact.bytes_up)} up",
        *metric_words(fact.train),
    ]
    return ", ".join(words)


def evaluated_line(fact: Evaluated, groups: tuple[LabelGroup, ...] = ()) -> str:
    """One evaluation, with the share of predictions in each group if the task is a classifier."""
    return f"round {fact.round}: {_model_of(fact.subject)}{_purpose(fact)}: {evaluation_words(fact, groups)}"


def _on_held_out(fact: WorkersEvaluated) -> str:
    return f"federated model on the held-out data of {plural(len(fact.workers), 'worker')}{_purpose(fact)}"


def best_words(best: BestVersion) -> str:
    """The best version, and why it is."""
    whose = "the workers'" if best.watched_on == WORKERS else "the evaluator's"
    return f"round {best.round}, {best.metric} {_value(best.metric, best.value)} on {whose} data (validation)"


def spread_words(metric: str, spread: Spread) -> str:
    """How one metric differs between workers."""
    worst, median, best = (_value(metric, value) for value in (spread.worst, spread.median, spread.best))
    return f"worst {worst} ({spread.worst_worker}), median {median}, best {best} ({spread.best_worker})"


def _value(metric: str, value: float) -> str:
    return percent(value, digits=2) if metric == "accuracy" else number(value)


def evaluation_words(fact: Evaluated | WorkersEvaluated, groups: tuple[LabelGroup, ...] = ()) -> str:
    """Accuracy, loss, shares of the groups, then any other numbers; a classifier's words only if there."""
    metrics = dict(fact.metrics)
    accuracy, correct, loss = (metrics.pop(name, None) for name in ("accuracy", "correct", "loss"))
    predicted = metrics.get("predicted")
    words = []
    if isinstance(accuracy, (int, float)):
        words.append(f"accuracy {percent(accuracy, digits=2)}")
    if isinstance(correct, (int, float)):
        words.append(f"{count(correct)}/{count(fact.examples)} correct")
    if isinstance(loss, (int, float)):
        words.append(f"loss {number(loss)} nats" if accuracy is not None else f"loss {number(loss)}")
    if isinstance(predicted, Mapping) and groups:
        shares = zip(groups, group_shares(predicted, groups), strict=True)
        words.append("predicts " + ", ".join(f"{group.name}: {percent(share)}" for group, share in shares))
    words += metric_words(metrics)
    return ", ".join(words) or f"{count(fact.examples)} examples, no numbers"


def insecure_words(protected: bool) -> list[str]:
    """The sentence that must be seen if the traffic is not protected, else nothing."""
    return [] if protected else [f"*** {INSECURE}; others can read and forge it"]


def _kept_out(door: DoorCounts) -> list[str]:
    """One line, if anything was kept out."""
    kept = [plural(number, kind.removesuffix("s")) for kind, number in door.kept_out.items()]
    return [f"kept out: {names(kept)}"] if kept else []


def _level_words(updates: str, model: str) -> list[str]:
    """What is compressed on the way; nothing if nothing is."""
    levels = [
        f"{what} as {level}" for what, level in (("updates", updates), ("models", model)) if level != "none"
    ]
    return [f"in fewer bytes: {', '.join(levels)}"] if levels else []


def _examples(fact: NodeStarted | NodeJoined) -> str:
    """What a node has, and what for."""
    if not fact.held_out:
        return f"{count(fact.examples)} {'training' if fact.kind == 'worker' else 'test'} examples"
    if fact.kind == "worker":
        return f"{count(fact.examples)} training examples and {count(fact.held_out)} held out"
    return f"{count(fact.held_out)} test examples and {count(fact.examples)} root examples"


def _part(partition: str) -> str:
    return f" ({partition})" if partition else ""


def _who(kind: str, node: str) -> str:
    return node if node == kind else f"{kind} {node}"


def _model_of(subject: str) -> str:
    if subject == WORKERS:
        return "federated model on held-out data"
    return "federated model" if subject == FEDERATED else f"{subject}'s own model"


def _purpose(fact: Evaluated | WorkersEvaluated) -> str:
    """A set by which a version is chosen is no test set any more."""
    return " (validation)" if fact.validation else ""
