"""Whatever happens to a run's bytes: it goes on from a version that was committed, or says why it cannot."""

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.zfed.checkpoint.runs import begin, commit, evaluate, model, state
from zfed.checkpoint import RunDirectory, SavedVersion, content_digest, verify
from zfed.errors import CheckpointError, UsageError

VERSIONS = 4
FILES = [
    "journal.jsonl",
    "metrics.jsonl",
    "run.toml",
    *(f"{folder}/v{version:05d}.safetensors" for folder in ("models", "state") for version in (2, 3)),
    "updates/r00002-alice.safetensors",
]
many = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = begin(tmp_path_factory.mktemp("runs"), versions=VERSIONS)
    with RunDirectory.resume(path) as run:
        run.next_incarnation(VERSIONS - 1)
        evaluate(run, 2, "federated")
    return path


@pytest.fixture
def copy(run: Path, tmp_path: Path) -> Path:
    """A folder for copies of the run, each made by `fresh`."""
    return tmp_path / "copy"


def fresh(run: Path, copy: Path) -> Path:
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(run, copy)
    return copy


def goes_on(path: Path) -> SavedVersion | None:
    """The version that a start finds, whose numbers are checked here; None: there is none, or it refuses."""
    try:
        with RunDirectory.resume(path) as again:
            found = again.newest_intact()
            version = -1 if found is None else found.version
            if found is not None:
                assert content_digest(found.model) == content_digest(model(version))
                assert {name: array.tolist() for name, array in found.state.items()} == {
                    name: array.tolist() for name, array in state(version).items()
                }
            again.next_incarnation(version)
            commit(again, version + 1)
    except (CheckpointError, UsageError):
        return None
    with RunDirectory.resume(path) as again:  # what was written now is as good as any
        newest = again.newest_intact()
        assert newest is not None
        assert (newest.version, newest.damaged) == (version + 1, ())
        committed = [line["version"] for line in again.history if line["event"] == "committed"]
        assert committed == list(range(version + 2))
        rounds = [line for line in again.metrics_path.read_text().splitlines() if '"event":"round"' in line]
        assert len(rounds) == version + 2
    return found


def test_an_untouched_run_goes_on_from_its_newest_version(run: Path, copy: Path) -> None:
    found = goes_on(fresh(run, copy))
    assert found is not None
    assert (found.version, found.damaged) == (VERSIONS - 1, ())


@many
@given(st.sampled_from(FILES), st.floats(0, 1, exclude_max=True), st.integers(0, 7))
def test_any_flipped_bit_is_seen_or_does_not_matter(
    run: Path, copy: Path, name: str, where: float, bit: int
) -> None:
    path = fresh(run, copy)
    content = bytearray((path / name).read_bytes())
    content[int(where * len(content))] ^= 1 << bit
    (path / name).write_bytes(content)
    goes_on(path)


@many
@given(st.sampled_from(FILES), st.floats(0, 1, exclude_max=True))
def test_any_file_cut_anywhere_is_seen_or_does_not_matter(
    run: Path, copy: Path, name: str, where: float
) -> None:
    path = fresh(run, copy)
    content = (path / name).read_bytes()
    (path / name).write_bytes(content[: int(where * len(content))])
    goes_on(path)


@pytest.mark.parametrize("name", FILES)
def test_any_file_that_is_gone_is_said_or_does_not_matter(run: Path, copy: Path, name: str) -> None:
    path = fresh(run, copy)
    (path / name).unlink()
    goes_on(path)


@many
@given(st.integers(0, 2**31))
@example(0)
def test_a_cut_journal_goes_on_from_the_last_version_whose_line_is_whole(
    run: Path, copy: Path, where: int
) -> None:
    path = fresh(run, copy)
    journal = path / "journal.jsonl"
    whole = journal.read_bytes()
    kept = whole[: where % len(whole)]
    journal.write_bytes(kept)
    found = goes_on(path)
    committed = [line for line in kept.split(b"\n")[:-1] if b'"event":"committed"' in line]
    assert (-1 if found is None else found.version) == len(committed) - 1


@pytest.mark.parametrize("folder", ["models", "state"])
def test_a_damaged_newest_version_is_refused_by_name_and_the_one_before_is_used(
    run: Path, copy: Path, folder: str
) -> None:
    path = fresh(run, copy)
    file = path / folder / "v00003.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert [found.path for found in verify(path) if not found.ok] == [f"{folder}/v00003.safetensors"]
    found = goes_on(path)
    assert found is not None
    assert found.version == 2
    (sentence,) = found.damaged
    assert sentence.startswith(f"{file} holds numbers with digest xxh3-128:")
    assert all(found.ok for found in verify(path))


def test_a_run_without_any_intact_version_says_so(run: Path, copy: Path) -> None:
    path = fresh(run, copy)
    shutil.rmtree(path / "models")
    with RunDirectory.resume(path) as again, pytest.raises(CheckpointError) as caught:
        again.newest_intact()
    message = str(caught.value)
    assert message.count("v0000") == 1  # older ones may have been dropped on purpose
    assert message.endswith("Put a copy of one in its place, or begin a new run with --run DIR")
