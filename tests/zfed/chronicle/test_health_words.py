import msgspec

from tests.zfed.checkpoint.test_health_file import HEALTH
from zfed.chronicle.health_words import STALE_S, ailments, condition


def test_a_fresh_sign_of_life_without_troubles_is_health():
    assert ailments(msgspec.structs.replace(HEALTH, troubles=[]), HEALTH.at + STALE_S) == []


def test_troubles_are_ailments():
    assert ailments(HEALTH, HEALTH.at) == ["no room"]


def test_silence_is_an_ailment_whatever_was_said_before():
    well = msgspec.structs.replace(HEALTH, troubles=[])
    assert ailments(well, HEALTH.at + 34) == ["no sign of life for 34 s (process 7)"]


def test_the_condition_says_where_the_run_is_and_who_is_there():
    assert condition(HEALTH) == "run r: round 4, version 3, 1 node here (alice), encrypted"
    bare = msgspec.structs.replace(HEALTH, version=-1, round=0, nodes=[], encrypted=False)
    assert condition(bare) == "run r: round 0, no model yet, 0 nodes here, NOT encrypted"
