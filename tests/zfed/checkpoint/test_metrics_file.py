import orjson

from zfed.checkpoint.metrics_file import mended_metrics

ROUND = {"event": "round", "round": 1, "seconds": 0.5, "bytes_down": 0, "bytes_up": 0, "workers": ["alice"]}
LATER = {**ROUND, "seconds": 0.7, "bytes_up": 9, "per_worker": {"alice": {"steps": 3}}}


def line(record):
    return orjson.dumps(record) + b"\n"


def journal(*records):
    return [{"event": "committed", "metrics": record} for record in records]


def test_a_line_of_the_file_keeps_what_was_measured_until_the_version_was_on_disk():
    assert mended_metrics(line(LATER), journal(ROUND)) == line(LATER)


def test_a_line_that_the_file_lacks_is_taken_from_the_journal():
    assert mended_metrics(b"", journal(ROUND)) == line(ROUND)
    assert mended_metrics(line(LATER)[:-1], journal(ROUND)) == line(ROUND)


def test_a_line_of_another_version_of_the_round_gives_way_to_the_journals():
    other = {**LATER, "workers": ["bob"]}
    assert mended_metrics(line(other), journal(ROUND)) == line(ROUND)


def test_lines_of_nothing_that_counts_go_and_each_is_there_once():
    beyond = {**ROUND, "round": 2}
    content = line(LATER) + b"no record\n" + line(LATER) + line(beyond)
    assert mended_metrics(content, journal(ROUND)) == line(LATER)
