"""What holds for a synchronous run whatever happens, in any order."""

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.zfed.rounds.driver import evaluated, failed, left, lost, readiness, ready, staged, unfit
from tests.zfed.rounds.journal import Journal
from zfed.config import EvaluateConfig, RunConfig, SelectConfig
from zfed.config.amount import Amount
from zfed.engine import (
    AskEvaluate,
    AskModel,
    AskTrain,
    Cancel,
    Commit,
    CommitFailed,
    EndRun,
    Enlist,
    EvaluationDone,
    Fold,
    Folded,
    Keep,
    ModelLoaded,
    ModelUnusable,
    NodeGone,
    NodeReadiness,
    NodeReady,
    OpenRound,
    Refuse,
    StopAsked,
    Tell,
    TellCommitted,
    Tick,
    VersionCommitted,
)
from zfed.facts import Evaluated, WorkersEvaluated
from zfed.rounds import Rounds, Schedule
from zfed.strategies import Needs

NODES = ["alice", "bob", "carol", "eva", "zoe"]
KINDS = {"eva": "evaluator", "zoe": "evaluator"}
nodes = st.sampled_from(NODES)


TWO = Amount(count=2)
schedules = st.sampled_from(
    [
        Schedule(),
        Schedule(),
        Schedule(kind="quorum", goal=TWO),
        Schedule(kind="quorum", goal=TWO, grace_s=5.0),
        Schedule(kind="quorum", goal=TWO, grace_s=5.0, carries=True, max_staleness=1),
        Schedule(kind="buffered", goal=TWO, carries=True, joins=True, max_staleness=2),
        Schedule(kind="async", goal=Amount(count=1), carries=True, joins=True, max_staleness=1),
    ]
)


selections = st.sampled_from(
    [
        SelectConfig(),
        SelectConfig(),
        SelectConfig(cohort="2"),
        SelectConfig(cohort="50%", rule="size", min_cohort=2),
        SelectConfig(where="!slow", cohort="1"),
        SelectConfig(rule="poisson", cohort="50%"),
    ]
)


evaluations = st.one_of(
    st.builds(EvaluateConfig, every=st.integers(0, 1), workers=st.booleans()),
    st.builds(EvaluateConfig, every=st.just(1), by=st.just("both"), workers=st.booleans()),
    st.builds(
        EvaluateConfig,
        every=st.just(1),
        by=st.sampled_from(["workers", "both"]),
        timeout_s=st.sampled_from([15.0, 600.0]),
        watch=st.just("loss"),
        watch_on=st.just("workers"),
        patience=st.integers(0, 2),
    ),
)


class AnyEvents(RuleBasedStateMachine):
    """Feeds an engine events that fit its last actions, and many that do not.

    The coordinator may die at any step: then an engine goes on that knows only what the journal kept.
    """

    @initialize(
        wait_for=st.sampled_from(["1", "2", "alice,eva"]),
        min_workers=st.integers(1, 3),
        round_retries=st.integers(0, 1),
        grace=st.sampled_from([0.0, 10.0]),
        initial=st.sampled_from(["", "m.safetensors"]),
        evaluate=evaluations,
        schedule=schedules,
        needs=st.sampled_from([Needs(), Needs(), Needs(root=True)]),
        select=selections,
        here=st.sets(nodes),
    )
    def begin(
        self, wait_for, min_workers, round_retries, grace, initial, evaluate, schedule, needs, select, here
    ):
        self.config = RunConfig(
            rounds=4 if schedule.carries else 2,
            wait_for=wait_for,
            min_workers=min_workers,
            round_retries=round_retries,
            rejoin_grace_s=grace,
            restart_grace_s=2 * grace,
            initial=initial,
            wait_timeout_s=30.0,
            round_timeout_s=20.0,
        )
        self.evaluate = evaluate
        self.schedule = schedule
        self.needs = needs
        uniform = schedule.carries and select.rule == "poisson"  # which is refused with these
        self.select = replace(select, rule="uniform") if uniform else select
        self.now = 0.0
        self.journal = Journal()
        self.versions = [-1]
        self.counted = set()  # (worker, version it started from) of what is part of a version
        self.counted_numbers = set()
        self.evaluations = set()  # (round, subject) of those that were done
        self.orders = []  # (node, assignment) of everything that was ever asked
        self.incarnation = 0
        self.tags = {}
        self.asked_from = set()
        self.begin_again()
        for node in sorted(here):
            self.come(node, 20)

    def begin_again(self):
        self.incarnation += 1
        self.engine = Rounds(
            self.config, self.evaluate, self.incarnation, self.needs, self.schedule, self.select
        )
        self.may_be_asked = {}  # whether a worker that is here may be
        self.folds = []  # of the open attempt
        self.root = None  # the same of its evaluator
        self.staleness = {}  # of what was folded
        self.kept = set()  # what waits for a later round
        self.folded_numbers = set(self.counted_numbers)  # what was in the accumulator is gone
        self.commit_asked = None
        self.end = None
        point = self.journal.point()
        if point is None:
            self.take(self.engine.start(self.now))
        else:
            assert point.version == self.versions[-1]
            self.take(self.engine.resume(point, self.now))

    def say(self, event, at=None):
        self.now = self.now if at is None else at
        expects = self.engine.phase
        match event:
            case NodeReady():
                self.may_be_asked[event.node] = not event.unready and self.is_selected(event.tags)
                self.tags[event.node] = event.tags
            case NodeReadiness() if event.node in self.may_be_asked:
                self.may_be_asked[event.node] = not event.unready and self.is_selected(self.tags[event.node])
            case NodeGone():
                self.may_be_asked.pop(event.node, None)
        if self.end is None and (expects == "initializing" or not isinstance(event, ModelLoaded)):
            self.journal.write(event)
        answers = isinstance(event, EvaluationDone)
        survey = self.engine.appraisal.surveys.find(event.node, event.assignment) if answers else None
        actions = self.engine.handle(event, self.now)
        assert self.end is None or actions == []
        if self.engine.version != self.versions[-1]:
            wanted = ModelLoaded if expects == "initializing" else VersionCommitted
            assert expects in ("initializing", "committing")
            assert isinstance(event, wanted)
            self.made_version()
        self.take(actions)
        self.journal.write_answer(event, survey)

    def made_version(self):
        """A version is on disk."""
        self.versions.append(self.versions[-1] + 1)
        if self.commit_asked is None:
            return
        commit, self.commit_asked = self.commit_asked, None
        assert len(set(commit.workers)) == len(commit.workers)
        for node, assignment in zip(commit.workers, commit.assignments, strict=True):
            base = commit.version - 1 - self.staleness[assignment]
            assert (node, base) not in self.counted
            assert assignment not in self.counted_numbers
            self.counted.add((node, base))
            self.counted_numbers.add(assignment)

    def take(self, actions):
        for action in self.journal.all(actions):
            assert self.end is None, "something follows the end of the run"
            match action:
                case AskModel() | AskTrain() | AskEvaluate():
                    self.orders.append((action.node, action.assignment))
                case OpenRound():
                    self.folds, self.root = [], None
                    self.check_asked(action.parts)
                    asked = [*action.parts, *([action.root] if action.root else [])]
                    self.orders += [(part.node, part.assignment) for part in asked]
                    assert action.root is None or KINDS.get(action.root.node) == "evaluator"
                    assert self.needs.root == (action.root is not None)
                    assert len(set(action.cohort)) == len(action.cohort)
                    assert action.version == self.engine.version
                case Enlist():
                    assert self.schedule.joins
                    self.check_asked([action.part])
                    self.orders.append((action.part.node, action.part.assignment))
                case Fold(root=True):
                    assert self.needs.root
                    assert self.root is None, "one evaluator's update is enough"
                    assert action.update.staleness == 0
                    self.root = action
                case Fold():
                    staleness = action.update.staleness
                    assert staleness == 0 or self.schedule.carries
                    assert 0 <= staleness <= self.schedule.max_staleness
                    assert action.update.discount == self.schedule.staleness.factor(staleness)
                    self.staleness[action.assignment] = staleness
                    self.kept.discard(action.assignment)
                    assert action.assignment not in self.folded_numbers
                    assert action.node not in [fold.node for fold in self.folds]
                    self.folded_numbers.add(action.assignment)
                    self.folds.append(action)
                case Keep():
                    assert action.assignment not in self.kept
                    self.kept.add(action.assignment)
                case Cancel() | Refuse():
                    self.kept.discard(action.assignment)
                case Commit():
                    assert self.commit_asked in (None, action), "a version is written as it was made, or not"
                    assert sorted(zip(action.workers, action.assignments, strict=True)) == sorted(
                        (fold.node, fold.assignment) for fold in self.folds
                    )
                    assert action.version == self.engine.version + 1
                    assert (action.root and action.root.assignment) == (self.root and self.root.assignment)
                    assert self.needs.root == (action.root is not None)
                    self.commit_asked = action
                case TellCommitted():
                    assert (action.node, action.assignment) in [
                        (fold.node, fold.assignment) for fold in self.everything_folded
                    ]
                case EndRun():
                    self.end = action
                case Tell(fact=Evaluated() | WorkersEvaluated() as fact):
                    key = (fact.round, getattr(fact, "subject", "workers"))
                    assert key not in self.evaluations
                    self.evaluations.add(key)
                case Tell():
                    assert action.fact

    def is_selected(self, tags):
        return not (self.select.where and "slow" in tags)

    def check_asked(self, parts):
        """Whoever is asked for the first time may be asked, and no more are at work than a cohort."""
        new = [part for part in parts if (part.node, part.assignment) not in self.orders]
        if self.schedule.carries:  # what came to nothing goes on under a new number, of whoever is away, too
            new = [part for part in new if (part.node, part.version) not in self.asked_from]
        self.asked_from.update((part.node, part.version) for part in parts)
        assert all(self.may_be_asked.get(part.node) for part in new)
        if new and self.select.cohort.isdecimal():
            least = 0 if self.schedule.joins else max(self.config.min_workers, self.needs.updates)
            assert self.engine._attempt.at_work <= max(int(self.select.cohort), least)

    @property
    def everything_folded(self):
        return [*self.folds, *([self.root] if self.root else [])]

    def standing(self, order):
        return self.engine.standing(*order, self.engine.version)

    def order(self, data):
        bogus = st.tuples(nodes, st.tuples(st.integers(0, 2), st.integers(0, 12)))
        return data.draw(st.sampled_from(self.orders[-6:]) | bogus if self.orders else bogus)

    @rule(examples=st.integers(1, 20), data=st.data())
    def go_on(self, examples, data):
        """What the engine waits for comes."""
        match self.engine.phase:
            case "gathering":
                self.come(data.draw(nodes), examples)
            case "initializing":
                self.load()
            case "collecting":
                wanted = [order for order in self.orders if self.standing(order) == "wanted"]
                for order in wanted[:1]:
                    self.say(staged(*order, examples=examples, loss=0.5))
                    own_model = "kept" if examples % 2 else ""
                    self.say(Folded(assignment=order[1], own_model=own_model))
            case "committing":
                self.commit()
            case "finishing":
                for order in self.evaluating[:1]:
                    self.say(evaluated(*order, loss=0.5))

    @rule(data=st.data())
    def go_on_again(self, data):
        for _ in range(3):
            self.go_on(20, data)

    @property
    def evaluating(self):
        desk, surveys = self.engine.desk, self.engine.appraisal.surveys
        return [order for order in self.orders if desk.is_asked(*order) or surveys.find(*order)]

    @rule(loss=st.sampled_from([0.25, 0.5]))
    def evaluate_while_others_train(self, loss):
        for order in self.evaluating[:1]:
            self.say(evaluated(*order, loss=loss))

    @rule(node=nodes, examples=st.integers(0, 50))
    def come(self, node, examples):
        kind = KINDS.get(node, "worker")
        held_out = 10 if kind == "evaluator" or examples % 2 else 0
        self.say(ready(node, kind=kind, examples=examples, held_out=held_out))

    @rule(node=nodes, unready=st.sampled_from(["", "", "busy"]))
    def tell_readiness(self, node, unready):
        self.say(readiness(node, unready))

    @rule(node=nodes, examples=st.integers(0, 50), tags=st.sampled_from([(), ("slow",)]))
    def come_unready(self, node, examples, tags):
        self.say(ready(node, kind=KINDS.get(node, "worker"), examples=examples, tags=tags, unready="busy"))

    @rule(node=nodes, how=st.sampled_from([lost, left]))
    def go(self, node, how):
        self.say(how(node))

    @rule(data=st.data(), examples=st.integers(1, 50), largest=st.sampled_from([0.0, 0.5, 1e300]))
    def offer(self, data, examples, largest):
        self.say(staged(*self.order(data), examples=examples, largest=largest, loss=0.5))

    @rule(data=st.data(), what=st.sampled_from([unfit, failed, evaluated]))
    def answer_otherwise(self, data, what):
        self.say(what(*self.order(data)))

    @rule(data=st.data())
    def fold(self, data):
        self.say(Folded(assignment=self.order(data)[1]))

    @rule()
    def fold_all(self):
        for fold in self.everything_folded:
            self.say(Folded(assignment=fold.assignment))

    @rule()
    def load(self):
        self.say(ModelLoaded(source="?"))

    @rule(node=nodes)
    def spoil_model(self, node):
        self.say(ModelUnusable(node=node, reason="spoiled"))

    @rule()
    def commit(self):
        version = self.engine.version + 1
        self.say(VersionCommitted(version=version, bytes_down=1, bytes_up=1))

    @rule(seconds=st.sampled_from([0.0, 1.0, 9.0, 40.0]))
    def wait(self, seconds):
        self.say(Tick(), at=self.now + seconds)

    @rule(
        event=st.sampled_from([StopAsked(reason="stop"), CommitFailed(reason="broken")]),
        often=st.integers(0, 19),
    )
    def stop(self, event, often):
        if often == 0:
            self.say(event)

    @rule()
    def find_the_disk_full(self):
        if self.engine.phase == "committing":
            self.say(CommitFailed(reason="full", again=True))

    @rule(data=st.data(), often=st.integers(0, 3))
    def die(self, data, often):
        """And be started again, after an end as well."""
        if often == 0:
            if self.engine.phase == "committing" and data.draw(st.booleans(), label="the version is on disk"):
                self.journal.wrote_commit()
                self.made_version()
            kept = st.integers(self.journal.synced, len(self.journal.lines))
            self.journal.cut(data.draw(kept, label="lines that were kept"))
            self.begin_again()

    @invariant()
    def a_commit_counts_for_each_worker_of_it(self):
        if hasattr(self, "engine"):
            for node, version in self.counted:
                assert self.engine.committed_version(node) > version

    @invariant()
    def what_the_engine_knows_of_its_versions_the_journal_knows_too(self):
        if hasattr(self, "engine") and self.end is None and (point := self.journal.point()):
            assert point.version == self.engine.version
            owed = {owed.assignment for owed in point.owed if not owed.worker}
            assert owed == set(self.engine.desk.owed)
            surveys = self.engine.appraisal.surveys.open.values()
            awaited = {number for survey in surveys for number in survey.awaited.values()}
            assert awaited <= {owed.assignment for owed in point.owed if owed.worker}
            answered = {(survey.round, node) for survey in surveys for node in survey.answers}
            assert answered == {(answer.round, answer.node) for answer in point.answers}

    @invariant()
    def versions_grow_by_one(self):
        if hasattr(self, "engine"):
            assert self.versions == list(range(-1, len(self.versions) - 1))

    @invariant()
    def a_tick_at_next_wake_makes_progress(self):
        if hasattr(self, "engine") and self.engine.next_wake is not None:
            self.say(
                Tick(), at=max(self.now, self.engine.next_wake) if self.engine.next_wake <= self.now else None
            )
            assert self.engine.next_wake is None or self.engine.next_wake > self.now

    @invariant()
    def a_round_that_is_open_has_nobody_to_wait_for_only_while_folding_or_before_it_is_tried_again(self):
        if hasattr(self, "engine") and self.engine.phase == "collecting":
            waiting = [self.standing(order) == "wanted" for order in self.orders]
            pausing = self.engine.next_wake is not None and self.now < self.engine.next_wake
            assert any(waiting) or self.everything_folded or pausing

    def teardown(self):
        """Left alone, a run ends, or waits for a job of this machine."""
        if not hasattr(self, "engine"):
            return
        for _ in range(200):
            if self.engine.next_wake is None:
                break
            self.say(Tick(), at=max(self.now, self.engine.next_wake))
        assert self.engine.next_wake is None
        if self.end is None:
            assert self.engine.phase in ("initializing", "collecting", "committing")


AnyEvents.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestAnyEvents = AnyEvents.TestCase
