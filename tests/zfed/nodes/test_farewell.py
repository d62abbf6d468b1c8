from zfed.engine import EndRun
from zfed.nodes.farewell import GOODBYE_S, Farewell

DONE = EndRun(status="completed", reason="", rounds_done=3, version=3, evaluated=True)


def test_nobody_is_sent_home_before_the_run_has_ended():
    assert Farewell(3).over((), 100.0) is None


def test_the_node_ends_at_once_when_nobody_is_there_and_only_once():
    farewell = Farewell(3)
    farewell.begin(DONE, 5.0, patience_s=60.0)
    finish = farewell.over((), 5.0)
    assert (finish.status, finish.rounds_done, finish.rounds, finish.evaluated) == ("completed", 3, 3, True)
    assert farewell.over((), 5.0) is None


def test_who_is_here_has_a_moment_to_say_goodbye():
    farewell = Farewell(3)
    farewell.begin(DONE, 5.0, patience_s=60.0)
    assert farewell.over(("alice",), 5.0 + GOODBYE_S - 0.1) is None
    assert farewell.over(("alice",), 5.0 + GOODBYE_S)


def test_who_was_here_before_a_new_start_is_waited_for_longer():
    farewell = Farewell(3, awaited={"alice"})
    farewell.begin(DONE, 5.0, patience_s=60.0)
    assert farewell.over((), 64.9) is None
    farewell.awaited.discard("alice")
    assert farewell.over((), 64.9)


def test_the_message_says_how_it_ended_within_the_limits_of_the_wire():
    farewell = Farewell(4)
    farewell.begin(
        EndRun(status="failed", reason="x" * 20_000, rounds_done=1, version=1, evaluated=False), 0.0, 1.0
    )
    message = farewell.message
    assert (message.status, message.rounds_done, message.rounds, message.version) == ("failed", 1, 4, 1)
    assert len(message.reason) == 16_000
