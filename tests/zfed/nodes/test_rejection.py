from zfed.nodes.rejection import ATTEMPTS, PATIENCE_S, Rejection

HERE = "tcp://10.0.0.5:8777"


def rejection(**changed):
    return Rejection(
        **{"node": "w1", "public_key": "zfed-key-w1", "coordinators": {HERE: "SHA256:c"}, **changed}
    )


def failures(subject, *, number=ATTEMPTS, seconds=PATIENCE_S):
    return [subject.handshake_failed(HERE, seconds * n / (number - 1)) for n in range(number)]


def test_a_node_that_is_not_enrolled_says_the_line_that_enrols_it():
    assert rejection().not_enrolled(HERE).endswith("zfed enroll w1 zfed-key-w1")


def test_handshakes_that_go_on_failing_are_probably_the_wrong_key():
    *before, last = failures(rejection())
    assert not any(before)
    assert "probably the wrong coordinator key. Expected is SHA256:c" in last


def test_some_failures_within_a_moment_prove_nothing():
    assert not any(failures(rejection(), number=10 * ATTEMPTS, seconds=PATIENCE_S * 0.9))


def test_a_node_that_was_let_in_once_goes_on_trying():
    subject = rejection()
    subject.let_in()
    assert not any(failures(subject, number=100, seconds=1000.0))


def test_without_encryption_the_remedy_is_another():
    assert "without --insecure" in failures(rejection(public_key=""))[-1]
