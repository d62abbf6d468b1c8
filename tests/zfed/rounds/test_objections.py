from zfed.rounds.objections import MOST_TOLD, Objections


def test_who_refuses_is_told_with_what_the_first_of_them_says():
    objections = Objections()
    objections.raised("alice", "ConfigError: no")
    assert objections.sentence() == "alice cannot do what [train] asks for: ConfigError: no"
    objections.raised("bob", "ConfigError: neither")
    assert objections.sentence() == "alice and 1 more cannot do what [train] asks for: ConfigError: no"


def test_whoever_joins_again_is_asked_again():
    objections = Objections()
    objections.raised("alice", "ConfigError: no")
    objections.withdrawn("alice")
    objections.withdrawn("bob")
    assert not len(objections)


def test_a_long_error_does_not_fill_the_reason_of_a_run():
    objections = Objections()
    objections.raised("alice", "x" * 16_000)
    assert len(objections.sentence()) < MOST_TOLD + 100
