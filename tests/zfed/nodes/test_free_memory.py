import pytest

from zfed.nodes.free_memory import free_memory

GIB = 1 << 30


@pytest.fixture
def machine(tmp_path):
    """A machine of 8 GiB, 6 of them free, and a way to write more of its files."""

    def write(path, text):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return tmp_path

    write("proc/meminfo", f"MemTotal: {8 * GIB // 1024} kB\nMemAvailable:   {6 * GIB // 1024} kB\n")
    return write


def test_without_control_groups_it_is_what_the_kernel_calls_available(machine):
    assert free_memory(machine("proc/self/cgroup", "0::/\n")) == 6 * GIB


def test_limit_of_a_group_above_this_process_counts_with_its_idle_files_as_free(machine):
    machine("proc/self/cgroup", "0::/box/inner\n")
    machine("sys/fs/cgroup/box/inner/memory.max", "max\n")
    machine("sys/fs/cgroup/box/inner/memory.current", f"{GIB}\n")
    machine("sys/fs/cgroup/box/memory.max", f"{4 * GIB}\n")
    machine("sys/fs/cgroup/box/memory.current", f"{3 * GIB}\n")
    assert free_memory(machine("sys/fs/cgroup/box/memory.stat", f"anon 1\ninactive_file {GIB}\n")) == 2 * GIB


def test_version_1_groups_count_too_and_their_huge_number_is_no_limit(machine):
    machine("proc/self/cgroup", "9:name=systemd:/\n4:memory:/job\n0::/\n")
    machine("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
    machine("sys/fs/cgroup/memory/memory.usage_in_bytes", f"{5 * GIB}\n")
    machine("sys/fs/cgroup/memory/job/memory.limit_in_bytes", f"{2 * GIB}\n")
    root = machine("sys/fs/cgroup/memory/job/memory.usage_in_bytes", f"{GIB}\n")
    assert free_memory(root) == GIB


def test_group_that_the_container_sees_as_its_root_counts(machine):
    machine("proc/self/cgroup", "0::/docker/0123\n")
    machine("sys/fs/cgroup/memory.max", f"{2 * GIB}\n")
    assert free_memory(machine("sys/fs/cgroup/memory.current", "0\n")) == 2 * GIB


def test_system_that_says_nothing_is_unknown(tmp_path):
    assert free_memory(tmp_path) is None


def test_this_machine_has_some():
    assert (free_memory() or 1) > 0
