import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfed.errors import UsageError
from zfed.identity import AuthorizedNodes, KeysFolder, KnownCoordinators, NodeKey

NOW = 1_795_305_600
W1, W2 = NodeKey.generate(), NodeKey.generate()


@pytest.fixture
def nodes(tmp_path):
    return AuthorizedNodes(tmp_path / "keys" / "authorized-nodes")


def enrol(nodes, name, key, now=NOW):
    return nodes.edit(lambda table: table.enrolled(name, key.public, now=now, overlap_s=60))


def age(path, seconds=10.0):
    """As if the file had been left alone for a while, seen from NOW."""
    os.utime(path, (NOW - seconds, NOW - seconds))


def test_without_a_file_nobody_is_enrolled_and_nothing_changes(nodes):
    assert len(nodes.roster(NOW)) == 0
    assert not nodes.changed(NOW)


def test_an_edit_is_seen_and_only_once(nodes):
    nodes.roster(NOW)
    enrol(AuthorizedNodes(nodes.path), "w1", W1)
    assert nodes.changed(NOW)
    assert nodes.roster(NOW).find(W1.public.key_id).node == "w1"
    assert not nodes.changed(NOW)
    AuthorizedNodes(nodes.path).edit(lambda table: table.revoked("w1", now=NOW))
    assert nodes.changed(NOW)
    assert "was revoked" in nodes.roster(NOW).find(W1.public.key_id).objection


def test_the_end_of_an_overlap_is_a_change(nodes):
    enrol(nodes, "w1", W1)
    enrol(nodes, "w1", W1.rotated())
    nodes.roster(NOW)
    assert not nodes.changed(NOW + 59)
    assert nodes.changed(NOW + 60)
    assert "was replaced" in nodes.roster(NOW + 60).find(W1.public.key_id).objection
    assert not nodes.changed(NOW + 61)


def test_a_bad_line_is_told_once_and_its_correction_is_seen(nodes):
    enrol(nodes, "w1", W1)
    nodes.roster(NOW)
    good = nodes.path.read_text()
    nodes.path.write_text(f"{good}w2 zfed-key\n")
    age(nodes.path)
    assert nodes.changed(NOW)
    with pytest.raises(UsageError, match="line 2"):
        nodes.roster(NOW)
    assert not nodes.changed(NOW)
    nodes.path.write_text(f"{good}# w2 comes later\n")
    age(nodes.path)
    assert nodes.changed(NOW)
    assert len(nodes.roster(NOW)) == 1


def test_a_file_that_is_just_being_written_in_place_is_left_to_its_editor(nodes):
    enrol(nodes, "w1", W1)
    nodes.roster(NOW)
    with nodes.path.open("a") as file:
        file.write("# more")
    age(nodes.path, 0.05)
    assert not nodes.changed(NOW)
    assert nodes.changed(NOW + 0.1)


def test_a_file_that_is_gone_or_empty_shuts_nobody_out(nodes):
    enrol(nodes, "w1", W1)
    nodes.roster(NOW)
    text = nodes.path.read_text()
    nodes.path.unlink()
    assert nodes.changed(NOW)
    with pytest.raises(UsageError, match="has no key any more: who was enrolled stays so"):
        nodes.roster(NOW)
    assert not nodes.changed(NOW)
    nodes.path.write_text(text)
    assert nodes.changed(NOW)
    assert len(nodes.roster(NOW)) == 1


def test_edits_at_the_same_time_are_all_kept(nodes):
    keys = [NodeKey.generate() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda item: enrol(nodes, f"w{item[0]}", item[1]), enumerate(keys)))
    assert {entry.name for entry in nodes.read().keys} == {f"w{number}" for number in range(8)}


def test_an_edit_that_is_refused_changes_nothing(nodes):
    enrol(nodes, "w1", W1)
    before = nodes.path.read_bytes()
    with pytest.raises(UsageError):
        enrol(nodes, "w2", W1)
    assert nodes.path.read_bytes() == before


def test_a_file_that_others_may_write_is_refused_with_the_remedy(nodes):
    enrol(nodes, "w1", W1)
    nodes.path.chmod(0o664)
    with pytest.raises(UsageError, match=r"others may write .* \(mode 0664\): `chmod go-w "):
        nodes.read()
    nodes.path.chmod(0o644)
    nodes.path.parent.chmod(0o777)
    with pytest.raises(UsageError, match="others may write"):
        nodes.read()


def test_a_pipe_of_that_name_is_refused_and_not_waited_for(nodes):
    nodes.path.parent.mkdir(mode=0o700)
    os.mkfifo(nodes.path)
    with pytest.raises(UsageError, match="is no file"):
        nodes.read()


LINES = st.lists(
    st.sampled_from(
        [
            b"w1 ",
            W1.public.text.encode(),
            f"w1 {W1.public.text}\n".encode(),
            f"tcp://127.0.0.1:8777 {W2.public.text}\n".encode(),
            W1.to_text().encode(),
            b" tag=a",
            b" until=2026-12-01T00:00:00Z\n",
            b" max-examples=",
            b"#",
            b"\r\n",
            b"\x00\xff",
        ]
    )
    | st.binary(max_size=20),
    max_size=6,
).map(b"".join)


@given(content=LINES)
def test_any_bytes_in_any_file_are_entries_or_a_usage_error(tmp_path_factory, content):
    folder = KeysFolder(tmp_path_factory.mktemp("keys"))
    files = (folder.authorized_nodes, folder.known_coordinators, folder.invitations)
    for path in (folder.secret_path("w1"), *(file.path for file in files)):
        path.write_bytes(content)
        path.chmod(0o600)
    for read in (
        lambda: folder.key("w1"),
        lambda: folder.authorized_nodes.roster(NOW),
        lambda: folder.invitations.read(),
        lambda: KnownCoordinators(folder.known_coordinators.path).find("tcp://127.0.0.1:8777"),
    ):
        with suppress(UsageError):
            read()
