import re

import pytest

from tests.fuzz import messages
from tests.fuzz.episode import Outcomes, perform
from tests.fuzz.file_names import is_expected
from zfed.wire import session


def test_20_000_forged_messages_break_nothing(capsys):
    assert messages.main(["--count", "20000"]) == 0
    said = capsys.readouterr().out
    assert "no message broke anything: 2" in said
    [rounds] = re.findall(r"([\d,]+) rounds were completed meanwhile", said)
    assert int(rounds.replace(",", "")) > 100
    for side in ("coordinator", "member"):
        assert re.search(rf"{side}: [\d,]+ heeded, [\d,]+ ignored, [\d,]+ malformed, [\d,]+ refused", said)


def test_the_same_seed_forges_the_same(capsys):
    once, twice = Outcomes(), Outcomes()
    perform(3, once, quota=300)
    perform(3, twice, quota=300)
    assert (once.counts, once.rounds, once.ends) == (twice.counts, twice.rounds, twice.ends)


def test_a_message_that_breaks_something_is_told_with_the_seed_that_shows_it_again(capsys, monkeypatch):
    monkeypatch.setattr(session, "RemoteProtocolError", ZeroDivisionError)  # so nobody catches it
    assert messages.main(["--count", "5000"]) == 1
    said = capsys.readouterr().out
    assert re.search(
        r"seed 1: RemoteProtocolError: .+\nSee it again: python -m tests.fuzz.messages --seed 1$",
        said.strip(),
    )


@pytest.mark.parametrize(
    "call",
    [
        "create /etc/passwd",
        "create /runs/fuzzed/../x",
        "create /runs/fuzzed/updates/r00001-../../x.safetensors",
        "rename /state/w1/.000001-x.json.00000000.tmp to ../x",
        "open /state/eve/000001-" + "0" * 32 + ".lock",
    ],
)
def test_a_file_that_no_run_has_is_found(call):
    assert not is_expected(call)
