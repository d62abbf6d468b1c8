from tests.zfed.rounds.driver import Run, ended, evaluator, failed, left, lost, of, ready, unfit
from zfed.engine import (
    AskModel,
    Cancel,
    CommitFailed,
    LoadModel,
    ModelLoaded,
    ModelUnusable,
    OpenRound,
    Refuse,
)
from zfed.facts import NotWritten, TaskFailed, Waiting
from zfed.rounds.rounds import COMMIT_AGAIN_S


def asking(*nodes, **settings):
    """A run that has just asked for its first model, and the order."""
    run = Run({"wait_for": "1", **settings})
    [order] = of(AskModel, run.say(*nodes))
    return run, order


def test_the_first_model_is_read_from_the_file_that_was_named():
    run = Run({"wait_for": "1", "initial": "m.safetensors"})
    assert run.say(evaluator(), ready("alice")) == [LoadModel()]
    assert of(OpenRound, run.say(ModelLoaded(source="m.safetensors")))[0].version == 0


def test_a_file_that_cannot_be_used_ends_the_run():
    run = Run({"wait_for": "1", "initial": "m.safetensors"})
    run.say(ready("alice"))
    end = ended(run.say(ModelUnusable(node="", reason="m.safetensors: no such file")))
    assert (end.status, end.reason) == ("failed", "m.safetensors: no such file")


def test_reading_a_file_may_take_its_time():
    run = Run({"wait_for": "1", "initial": "m.safetensors"})
    run.say(ready("alice"))
    assert run.engine.next_wake is None
    assert run.tick(1e6) == []


def test_the_evaluator_is_asked_before_any_worker():
    _, order = asking(evaluator("zoe"), ready("alice"))
    assert order.node == "zoe"


def test_without_an_evaluator_the_first_worker_by_name_is_asked():
    _, order = asking(ready("bob"), ready("alice"), wait_for="2")
    assert order.node == "alice"


def test_when_the_task_raises_the_next_candidate_is_asked():
    run, order = asking(evaluator(), ready("alice"))
    [again] = run.say(failed("eva", order.assignment))
    assert (again.node, again.assignment != order.assignment) == ("alice", True)
    assert run.fact(TaskFailed).work == "initialize"


def test_when_the_model_is_refused_the_next_candidate_is_asked():
    run, order = asking(evaluator(), ready("alice"))
    refuse, again = run.say(unfit("eva", order.assignment))
    reason = "first model of eva refused: tensor 'w' is nan"
    assert refuse == Refuse(node="eva", assignment=order.assignment, code="not-finite", reason=reason)
    assert again.node == "alice"


def test_when_the_model_cannot_be_written_the_next_candidate_is_asked():
    run, _ = asking(evaluator(), ready("alice"))
    assert of(AskModel, run.say(ModelUnusable(node="eva", reason="odd")))[0].node == "alice"


def test_when_no_answer_comes_in_time_the_next_candidate_is_asked():
    run, order = asking(evaluator(), ready("alice"), round_timeout_s=3.0)
    cancel, again = run.wake()
    assert cancel == Cancel(node="eva", assignment=order.assignment, reason="no answer in time")
    assert again.node == "alice"


def test_whoever_watches_is_told_whose_model_the_run_waits_for():
    run, _ = asking(evaluator(), ready("alice"))
    run.tick(5.0)
    assert run.facts == [Waiting(missing="the first model from eva", remaining_s=55.0)]


def test_when_the_node_that_was_asked_goes_away_the_next_candidate_is_asked():
    for gone in lost, left:
        run, _ = asking(evaluator(), ready("alice"))
        [again] = run.say(gone("eva"))
        assert again.node == "alice"


def test_a_node_that_was_only_lost_is_asked_again_when_it_is_back():
    run, order = asking(ready("alice"))
    assert run.say(lost("alice")) == []
    [again] = run.say(ready("alice"), at=1.0)
    assert (again.node, again.assignment != order.assignment) == ("alice", True)


def test_nobody_waits_for_ever_for_a_node_that_was_lost():
    run, _ = asking(ready("alice"))
    run.say(lost("alice"))
    for _ in range(100):
        if run.engine.phase == "ended":
            break
        actions = run.wake()
    waited = "waited 60 s for the first model from any node; see --initial and --wait-timeout"
    assert ended(actions).reason == waited


def test_who_did_not_answer_in_time_is_asked_again_once_the_others_have_been():
    run, order = asking(evaluator(), ready("alice"), round_timeout_s=3.0)
    asked = [order.node, *(of(AskModel, run.tick(3.0 * n))[0].node for n in (1, 2, 3))]
    assert asked == ["eva", "alice", "eva", "alice"]


def test_when_all_have_refused_the_run_ends_with_their_reasons():
    run, order = asking(evaluator(), ready("alice"))
    [again] = run.say(failed("eva", order.assignment, "A"))
    end = ended(run.say(failed("alice", again.assignment, "B")))
    assert end.reason == "nobody gave a first model (eva: A; alice: B); give one with --initial"


def test_only_the_node_that_was_asked_can_fail_or_be_refused():
    run, order = asking(evaluator(), ready("alice"))
    assert run.say(failed("alice", order.assignment), ModelUnusable(node="alice", reason="odd")) == []
    assert [type(action) for action in run.say(unfit("alice", order.assignment))] == [Refuse]
    assert run.standing("eva", order.assignment) == "wanted"
    assert run.standing("alice", order.assignment) == "stale"


def test_a_model_that_comes_when_there_is_one_already_is_stale():
    run, order = asking(evaluator(), ready("alice"))
    run.say(ModelLoaded(source="eva"))
    assert run.standing("eva", order.assignment) == "stale"
    assert run.say(failed("eva", order.assignment)) == []


def test_only_the_node_that_is_asked_is_asked_again_under_the_same_number():
    run, order = asking(evaluator(), ready("alice"))
    assert run.engine.awaited("eva") == [order]
    assert run.engine.awaited("alice") == []
    run.say(ModelLoaded(source="eva"))
    assert run.engine.awaited("eva") == []


def test_a_first_model_that_the_disk_has_no_room_for_is_asked_for_again_a_while_later():
    run, order = asking(evaluator(), ready("alice"))
    assert run.say(CommitFailed(reason="full", again=True)) == []
    assert (run.fact(NotWritten).what, run.engine.phase) == ("version 0", "initializing")
    [again] = of(AskModel, run.tick(COMMIT_AGAIN_S))
    assert (again.node, again.assignment != order.assignment) == ("eva", True)


def test_a_file_is_read_again_when_the_disk_may_have_room():
    run = Run({"wait_for": "1", "initial": "m.safetensors"})
    run.say(ready("alice"), CommitFailed(reason="full", again=True))
    assert of(LoadModel, run.tick(COMMIT_AGAIN_S)) == [LoadModel()]
    assert run.engine.next_wake is None
