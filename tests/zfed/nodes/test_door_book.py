from zfed.facts import DoorCounts, NodeRefused
from zfed.nodes.door_book import DoorBook


def refused(code):
    return NodeRefused(node="eve", code=code, reason="")


def test_counts_of_all_guards_are_one_record_without_zeros():
    dropped = {"frames": 0}
    book = DoorBook(lambda: {"keys": {"admitted": 2, "refused": 0}, "connections": {"endless": 0}}, dropped)
    assert book.counts() == DoorCounts(keys={"admitted": 2})
    dropped["frames"] = 3
    for code in ("layout", "limits", "layout"):
        book.observe(refused(code))
    assert book.counts() == DoorCounts(
        keys={"admitted": 2}, messages={"frames": 3}, nodes={"layout": 2, "limits": 1}
    )


def test_a_dropped_message_is_not_a_refused_node():
    book = DoorBook(dict, {})
    book.observe(refused("malformed"))
    assert book.counts() == DoorCounts()
    assert not book.counts().kept_out
