from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from zfed.checkpoint.metrics_file import mended_metrics

keys = st.tuples(
    st.sampled_from(["round", "evaluated"]), st.integers(0, 3), st.sampled_from(["federated", "alice"])
)


def record(key: tuple[str, int, str]) -> dict[str, Any]:
    event, round, subject = key
    return {"event": event, "round": round, "subject": subject, "loss": round / 3}


def in_file(key: tuple[str, int, str]) -> bytes:
    return orjson.dumps(record(key) | {"per_worker": {"alice": {"steps": 3}}}) + b"\n"


def in_journal(key: tuple[str, int, str]) -> dict[str, Any]:
    return {"event": key[0], "metrics": record(key)}


@given(st.lists(keys), st.lists(keys, unique=True), st.binary(max_size=40))
def test_the_file_holds_what_counts_once_in_the_journals_order(
    there: list[tuple[str, int, str]], counts: list[tuple[str, int, str]], torn: bytes
) -> None:
    content = b"".join(map(in_file, there)) + torn.replace(b"\n", b"")
    mended = mended_metrics(content, [{"event": "joined"}, *map(in_journal, counts)])
    lines = mended.splitlines(keepends=True)
    assert [orjson.loads(line) | {"per_worker": None} for line in lines] == [
        record(key) | {"per_worker": None} for key in counts
    ]
    for key, line in zip(counts, lines, strict=True):
        assert (line == in_file(key)) == (key in there)
    assert mended_metrics(mended, map(in_journal, counts)) == mended


def test_lines_that_are_no_records_or_differ_from_the_journals_give_way() -> None:
    key = ("round", 1, "federated")
    for line in (b"{", b"[]", b"\xff", in_file(key).replace(b"0.33", b"0.34").rstrip(), b'{"round":[1]}'):
        assert mended_metrics(line + b"\n", [in_journal(key)]) == orjson.dumps(record(key)) + b"\n"
