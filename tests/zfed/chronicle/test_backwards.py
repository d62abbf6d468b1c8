from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from zfed.chronicle.backwards import lines_from_end

TEXT = st.lists(st.sampled_from([b"a", b"ab", b"xy", b"\n"])).map(b"".join)


@given(TEXT, st.sampled_from([b"a", b"ab", b"xyx", b"\n"]), st.integers(3, 7))
def test_each_whole_line_with_the_marker_is_found_once_the_last_first(text, marker, block_bytes):
    expected = []
    offset = 0
    for line in text.splitlines(keepends=True):
        if marker in line and line.endswith(b"\n"):
            expected.append((offset, line))
        offset += len(line)
    assert list(lines_from_end(io.BytesIO(text), marker, block_bytes=block_bytes)) == expected[::-1]


def test_only_the_end_of_a_file_is_read_to_find_its_last_line():
    class Counted(io.BytesIO):
        total = 0

        def read(self, size=-1):
            data = super().read(size)
            Counted.total += len(data)
            return data

    file = Counted(b"x" * 1_000_000 + b"\nlast\n")
    assert next(lines_from_end(file, b"\n", block_bytes=100)) == (1_000_001, b"last\n")
    assert Counted.total <= 300
