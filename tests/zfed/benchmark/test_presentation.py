from __future__ import annotations

import json

from tests.zfed.benchmark.examples import comparison
from zfed.benchmark import averaging_rows, heading, lines, record, round_rows
from zfed.benchmark.presentation import time_words


def test_round_and_cpu_stand_beside_those_of_the_other_sides_with_their_ratios():
    rows = {row.quantity: row for row in round_rows(comparison())}
    median = rows["round, median"]
    assert (median.encrypted, median.plain, median.raw) == ("90 ms", "60 ms", "50 ms")
    assert (median.encryption, median.engine) == ("1.50", "1.20")
    assert (rows["CPU a round, all"].encryption, rows["CPU a round, all"].engine) == ("1.60", "1.50")
    assert rows["peak memory, coordinator"].encrypted == "80 MB (4.0x)"
    assert rows["peak memory, each worker"].encrypted == "30 MB (1.5x)"
    assert rows["sent down a round"].encrypted == "40.0 MB"


def test_ways_to_average_are_compared_with_zfeds():
    assert averaging_rows(comparison()) == [
        ("zfed kernels", "3.36 GB/s", "1.00x"),
        ("numpy in place", "1.68 GB/s", "2.00x"),
        ("np.average of a stack", "0.96 GB/s", "3.50x"),
    ]


def test_the_heading_says_what_was_run_and_where_it_was_written():
    assert heading(comparison()) == (
        "20.0 MB x 2 workers, 10 rounds x 3 blocks in turn, run directory in memory"
    )
    assert heading(comparison(durable=True)).endswith("on disk")


def test_lines_hold_every_row_and_no_control_character():
    written = lines(comparison())
    assert "round, median: zfed 90 ms, --insecure 60 ms, raw sockets 50 ms; ratios 1.50, 1.20" in written
    assert "averaging with numpy in place: 1.68 GB/s, 2.00x the time" in written
    assert all(line.isprintable() for line in written)


def test_json_holds_seconds_bytes_and_ratios():
    found = json.loads(json.dumps(record(comparison())))
    assert found["plan"]["folder"] == "somewhere"
    assert found["plain"]["round_s"] == 0.06
    assert found["raw"]["peak_workers_bytes"] == [20_000_000, 30_000_000]
    assert round(found["ratios"]["round"], 6) == 1.2


def test_times_have_three_digits_that_matter():
    assert [time_words(seconds) for seconds in (0.000512, 0.0345, 0.9, 12.3456)] == [
        *("0.512 ms", "34.5 ms", "900 ms", "12.35 s")
    ]
