import json
import subprocess
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zfed.checkpoint import Journal, read_journal
from zfed.checkpoint.journal import SECTOR_BYTES, SYNCED
from zfed.errors import CheckpointError

quick = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
values = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
)
texts = st.text(st.characters(exclude_categories=["Cs"]))
records = st.dictionaries(texts, values | texts | st.lists(values, max_size=3), min_size=1, max_size=4)
AT = "1970-01-01T00:00:00Z"
RECORDS = [
    {"event": "started", "incarnation": 1, "at": AT},
    {"event": "joined", "node": "alice\n\u2028é", "at": AT},
    {"event": "opened", "at": AT},
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "it's a journal.jsonl"
    write(path, RECORDS)
    return path


def write(path: Path, records: list[dict]) -> None:
    path.unlink(missing_ok=True)
    journal = Journal(path, wall_clock=lambda: 0.0)
    for record in records:
        journal.append(record, sync=False)
    journal.close()


@quick
@given(st.lists(records, max_size=4))
def test_records_come_back_in_order(tmp_path: Path, records: list[dict]) -> None:
    write(tmp_path / "j", records)
    contents = read_journal(tmp_path / "j")
    assert (contents.records, contents.torn_bytes) == ([{**record, "at": AT} for record in records], 0)


def test_a_line_is_json_with_its_checksum_first(tmp_path: Path) -> None:
    write(tmp_path / "j", [{"event": "joined", "node": "alice"}])
    # the checksum is another tool's: printf '%s' BODY | gzip -c | tail -c8 | head -c4 | od -tx4
    line = b'{"crc":"6c957829","event":"joined","node":"alice","at":"1970-01-01T00:00:00Z"}\n'
    assert (tmp_path / "j").read_bytes() == line
    assert json.loads((tmp_path / "j").read_text())["node"] == "alice"


def test_a_journal_goes_on_where_it_ended(path: Path) -> None:
    journal = Journal(path, wall_clock=lambda: 0.0)
    journal.append({"event": "more"}, sync=True)
    journal.close()
    assert read_journal(path).records == [*RECORDS, {"event": "more", "at": AT}]


def test_a_cut_journal_is_torn_never_damaged(path: Path) -> None:
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        contents = read_journal(path)
        complete = whole[:length].count(b"\n")
        assert contents.records == RECORDS[:complete]
        assert contents.torn_bytes == length - (whole[:length].rfind(b"\n") + 1)


def test_any_changed_byte_of_a_complete_line_is_damage(path: Path) -> None:
    whole = path.read_bytes()
    for index in range(len(whole) - 1):
        for flip in (1, 0x20, 0x80):
            changed = bytearray(whole)
            changed[index] ^= flip
            path.write_bytes(changed)
            line = whole[:index].count(b"\n") + 1
            with pytest.raises(CheckpointError, match=f"^line {line} of "):
                read_journal(path)


def with_hole(path: Path, records: list[dict]) -> bytes:
    """A journal whose second sector was never written, and whose third was."""
    write(path, [{"event": "started", "node": "x" * 520}, *records])
    whole = path.read_bytes()
    assert len(whole) > 3 * SECTOR_BYTES
    path.write_bytes(whole[: SECTOR_BYTES + 200] + bytes(SECTOR_BYTES - 200) + whole[2 * SECTOR_BYTES :])
    return whole


def test_a_hole_that_a_power_cut_left_in_hints_is_torn(path: Path) -> None:
    whole = with_hole(path, [{"event": "accepted", "round": number} for number in range(20)])
    contents = read_journal(path)
    kept = whole[: SECTOR_BYTES + 200].count(b"\n")
    assert 1 < len(contents.records) == kept
    assert contents.torn_bytes == len(whole) - whole.rfind(b"\n", 0, SECTOR_BYTES + 200) - 1


@pytest.mark.parametrize("event", sorted(SYNCED))
def test_a_hole_before_a_line_that_was_synced_is_damage(path: Path, event: str) -> None:
    hints = [{"event": "accepted", "round": number} for number in range(20)]
    with_hole(path, [*hints, {"event": event}])
    with pytest.raises(CheckpointError, match=r"^line \d of .* is damaged"):
        read_journal(path)


@pytest.mark.parametrize("line", [b"", b"{}", b'{"crc":"00000000"}', b'{"event":"x"}', b'{"crc":"0","a":1}'])
def test_a_line_without_a_checksum_is_damage(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "j").write_bytes(line + b"\n")
    with pytest.raises(CheckpointError, match="line 1 of"):
        read_journal(tmp_path / "j")


def test_a_line_whose_checksum_fits_and_that_is_no_json_is_damage(tmp_path: Path) -> None:
    body = b'{"event":nonsense}'
    (tmp_path / "j").write_bytes(b'{"crc":"%08x",%b\n' % (zlib.crc32(body), body[1:]))
    with pytest.raises(CheckpointError, match="line 1 of"):
        read_journal(tmp_path / "j")


def test_the_repair_command_repairs_and_keeps_the_damaged_file(path: Path) -> None:
    damaged = path.read_bytes().replace(b"joined", b"jeined")
    path.write_bytes(damaged)
    with pytest.raises(CheckpointError) as caught:
        read_journal(path)
    command = str(caught.value).split("follows: ")[1]
    subprocess.run(["sh", "-c", command], check=True)
    assert read_journal(path).records == RECORDS[:1]
    assert Path(f"{path}.damaged").read_bytes() == damaged


def test_a_missing_journal_is_said(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot read"):
        read_journal(tmp_path / "j")
