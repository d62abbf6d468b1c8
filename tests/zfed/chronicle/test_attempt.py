from __future__ import annotations

from zfed.chronicle.attempt import Attempt

OPENED = {"event": "opened", "round": 7, "attempt": 1, "cohort": [f"w{n:02d}" for n in range(20)]}


def test_of_many_names_the_first_are_told_and_how_many_more():
    attempt = Attempt(OPENED)
    for node in OPENED["cohort"]:
        attempt.accepted(node)
    assert attempt.unfinished().endswith("; answered: w00, w01, w02, w03, w04, w05, w06, w07 and 12 more")
    assert "without" not in attempt.committed({"version": 7, "round": 7, "workers": OPENED["cohort"]})


def test_an_update_that_comes_again_after_a_restart_is_one_answer():
    attempt = Attempt(OPENED)
    attempt.accepted("w00")
    attempt.asked_again(OPENED)
    attempt.accepted("w00")
    assert attempt.unfinished().endswith("12 more; answered: w00")


def test_a_later_attempt_is_told_as_such():
    attempt = Attempt({**OPENED, "cohort": ["a", "b"]})
    attempt.asked_again({**OPENED, "attempt": 2, "cohort": ["b"]})
    assert attempt.unfinished() == "round 7, attempt 2: asked a, b; answered: nobody"
