"""docs/wire.md says what the code does."""

import hashlib
import re
from pathlib import Path

import pytest
from msgspec import inspect

from zfed.config import RunConfig
from zfed.nodes import farewell, reception
from zfed.params import ParameterLayout
from zfed.transport import descriptors, sockets
from zfed.wire import codec, credit, dismissals, link, messages, session, transfer
from zfed.wire.messages import FROM_COORDINATOR, FROM_NODE, Blob, PartitionClaim, Vector

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "wire.md").read_text(encoding="utf-8")
KINDS = FROM_NODE | FROM_COORDINATOR
RECORDS = KINDS | {record.__name__: record for record in (Blob, Vector, PartitionClaim)}
SECTIONS = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))

NUMBERS = {
    "MAX_HEADER_BYTES": codec.MAX_HEADER_BYTES,
    "MAX_CHUNK_BYTES": messages.MAX_CHUNK_BYTES,
    "IDLE_S": reception.IDLE_S,
    "ping_s": session.Timing().ping_s,
    "lost_s": session.Timing().lost_s,
    "probe_s": session.Timing().probe_s,
    "FIRST_GREETING_S": link.FIRST_GREETING_S,
    "FIRST_PAUSE_S": link.FIRST_PAUSE_S,
    "BACK_OFF_CAP_S": link.BACK_OFF_CAP_S,
    "LEAST_CAP_S": link.LEAST_CAP_S,
    "SHORT_PAUSE_S": link.SHORT_PAUSE_S,
    "SMALL_CHUNK_BYTES": credit.SMALL_CHUNK_BYTES,
    "MAX_CREDIT": credit.MAX_CREDIT,
    "QUEUE_S": credit.QUEUE_S,
    "WHOLE_BYTES": credit.WHOLE_BYTES,
    "WHOLE_S": credit.WHOLE_S,
    "ANSWER_S": credit.ANSWER_S,
    "LONGEST_SLACK_S": credit.LONGEST_SLACK_S,
    "REVOKE_S": transfer.REVOKE_S,
    "MAX_PATIENCE_S": transfer.MAX_PATIENCE_S,
    "window": transfer.Window().limit,
    "LEAVE_S": dismissals.LEAVE_S,
    "resume_window_s": RunConfig().resume_window_s,
    "GOODBYE_S": farewell.GOODBYE_S,
}


def rows(section):
    """First cells of a section's table, without backticks, and the whole rows."""
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in section.splitlines()
        if line[:2] == "| "
    ]
    return {cell[0].strip("`"): cell for cell in cells[1:]}


def named(heading):
    return rows(re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)[1])


@pytest.mark.parametrize("name", RECORDS)
def test_every_message_has_a_section_with_exactly_its_fields(name):
    fields = inspect.type_info(RECORDS[name]).fields
    table = rows(SECTIONS[name])
    assert list(table) == [field.name for field in fields]
    for field in fields:
        assert (table[field.name][2] == "—") == field.required


def test_no_section_tells_of_a_message_that_does_not_exist():
    others = {"At", "TRAIN", "The"}
    assert set(SECTIONS) - others <= set(RECORDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_section_says_who_sends_the_message(kind):
    opening = SECTIONS[kind].strip().split("\n\n")[0]
    both_ways = kind in FROM_NODE and kind in FROM_COORDINATOR
    wanted = r"^Either way" if both_ways else r"to coordinator" if kind in FROM_NODE else r"^Coordinator to"
    assert re.search(wanted, opening)


@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_is_the_one_in_the_code(name):
    assert float(named("Numbers")[name][1]) == NUMBERS[name]


def test_no_number_is_told_that_the_code_does_not_have():
    assert set(named("Numbers")) == set(NUMBERS)


def test_every_refusal_code_in_the_code_is_explained():
    told = set(named("Refusal codes"))
    sources = [
        path for package in ("wire", "rounds", "nodes") for path in (ROOT / "zfed" / package).glob("*.py")
    ]
    used = set()
    judges = [ROOT / "zfed" / "strategies" / name for name in ("inspection.py", "contribution.py")]
    for path in [*sources, *judges]:
        found = re.findall(r'(?:code=|Objection\(|_turn_away\(route, )"([a-z-]+)"', path.read_text("utf-8"))
        used |= set(found)
    assert used - {"malformed"} <= told
    assert "`malformed` is never sent" in PAGE


def test_the_socket_options_are_those_in_the_code():
    table = named("Sockets")
    assert table["RECONNECT_IVL"][2] == "-1"
    assert table["RCVHWM"][1] == str(sockets.RECEIVE_HWM)
    assert table["MAXMSGSIZE"][1].replace(",", "") == str(sockets.MAX_FRAME_BYTES)
    assert table["BACKLOG"][1] == str(descriptors.MOST_WAITING)
    assert table["LINGER"][1] == f"{sockets.LINGER_MS // 1000} s"
    assert table["HANDSHAKE_IVL"][1] == f"{sockets.HANDSHAKE_MS // 1000} s"


# ---- the worked example -----------------------------------------------------------------------------


def frames_of(dump):
    found = []
    for size, lines in re.findall(r"frame \d+, (\d+) bytes\n((?:[0-9a-f]{4}  .*\n)+)", dump):
        frame = b"".join(bytes.fromhex(line[6:53]) for line in lines.splitlines())
        assert len(frame) == int(size)
        found.append(frame)
    return found


EXAMPLE = re.findall(r"```frames-of-(\w+)\n(.*?)```", PAGE, re.DOTALL)


def test_the_worked_example_is_what_this_implementation_sends():
    kinds = []
    for sender, dump in EXAMPLE:
        frames = frames_of(dump)
        envelope = codec.decode(frames, sender=sender)
        assert codec.encode(envelope.message, epoch=envelope.epoch, payload=envelope.payload) == frames
        kinds.append(type(envelope.message).__name__.upper())
    assert kinds == ["HELLO", "WELCOME", "PULL", "CHUNK"]


def test_the_chunk_of_the_worked_example_is_the_layout_that_hello_named():
    hello, _, pull, chunk = (codec.decode(frames_of(dump), sender=sender) for sender, dump in EXAMPLE)
    blob = hello.message.layout
    assert (pull.message.bytes, len(chunk.payload)) == (blob.bytes, blob.bytes)
    assert blob.digest == "sha256:" + hashlib.sha256(chunk.payload).hexdigest()
    layout = ParameterLayout.from_bytes(chunk.payload)
    assert {tensor.name: tensor.offset for tensor in layout.tensors} == {"seen": 0, "weight": 8}
    assert layout.nbytes == 24


def test_the_layout_shown_is_in_canonical_form():
    [shown] = re.findall(r"```json\n(.*?)\n```", PAGE, re.DOTALL)
    assert ParameterLayout.from_bytes(shown.encode()).to_bytes() == shown.encode()
