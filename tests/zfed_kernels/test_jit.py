"""Where compiled code comes from, and what happens on a machine where it cannot."""

import hashlib
import os
import runpy
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import zfed_kernels
from zfed_kernels import _jit

WORK = """
import numpy as np, zfed_kernels
update = np.random.default_rng(0).standard_normal(10_000).astype(np.float32)
total, out = np.zeros(10_000), np.empty(10_000, np.float32)
zfed_kernels.accumulate_exact(total, update, 3.0, 2.0**-40)
zfed_kernels.finish_mean(out, update, total, 3.0, 1.0)
zfed_kernels.add_gaussian_noise(out, 0.1, key=1)
found = [float(value) for value in zfed_kernels.scan(out)]
"""


def run_python(code, **environment):
    finished = subprocess.run(
        [sys.executable, "-W", "always", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished


def result_here():
    scope = {}
    exec(WORK, scope)
    return hashlib.sha256(scope["out"].tobytes()).hexdigest() + repr(
        [float(value) for value in scope["found"]]
    )


PRINT_RESULT = "import hashlib; print(hashlib.sha256(out.tobytes()).hexdigest() + repr(found))"


def test_without_numba_one_warning_is_given_and_results_are_the_same():
    block = "import sys; sys.modules['numba'] = None"  # makes `import numba` fail
    finished = run_python("\n".join([block, WORK, PRINT_RESULT]))
    assert finished.stdout.strip() == result_here()
    assert finished.stderr.count("Warning") == 1
    assert "pip install numba" in finished.stderr


def test_importing_kernels_does_not_import_numba():
    loaded = "print('numba' in sys.modules)"
    finished = run_python(f"import sys, zfed_kernels; {loaded}; zfed_kernels.warm_up(); {loaded}")
    assert finished.stdout.split() == ["False", "True"]


def test_loops_give_the_same_bits_when_run_by_the_interpreter():
    """Coverage runs with NUMBA_DISABLE_JIT=1; it must measure the same loops."""
    code = """
    import numpy as np, zfed_kernels
    from zfed_kernels import noise, reference
    words, oracle = np.empty(64, np.uint32), np.empty(64, np.uint32)
    noise.philox(words, 2**40, 2**33 + 1, 2**63 + 5), reference.philox(oracle, 2**40, 2**33 + 1, 2**63 + 5)
    seen, expected = np.empty((3, 64), np.float32), np.empty((3, 64), np.float32)
    noise.radius(seen[0], words), noise.cosine_and_sine(seen[1], seen[2], words)
    reference.radius(expected[0], words), reference.cosine_and_sine(expected[1], expected[2], words)
    total, twin = np.zeros(64), np.zeros(64)
    zfed_kernels.accumulate_exact(total, seen[0], 3.3, 2.0**-40)
    reference.accumulate_exact(twin, seen[0], 3.3, 2.0**-40)
    same = (words == oracle).all() and (seen == expected).all() and (total == twin).all()
    print(same and zfed_kernels.scan(seen[0]) == reference.scan(seen[0]))
    """
    assert run_python(code, NUMBA_DISABLE_JIT="1").stdout.strip() == "True"


@pytest.mark.parametrize("block", ["", "import sys; sys.modules['numba'] = None"], ids=["loop", "numpy"])
def test_what_runs_in_the_place_of_compiled_code_is_as_silent(block):
    code = "import numpy as np, zfed_kernels; zfed_kernels.scale(np.array([1e308, np.nan]), 10.0)"
    said = run_python("\n".join([block, code]), NUMBA_DISABLE_JIT="1").stderr
    assert "encountered" not in said, said


@pytest.fixture
def loop(tmp_path, monkeypatch):
    """A loop in a module of its own, whose caches can all be spoilt without touching the real ones."""
    numba = pytest.importorskip("numba")
    if numba.config.DISABLE_JIT:
        pytest.skip("nothing is compiled, so nothing is cached")
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    monkeypatch.setattr(_jit.tempfile, "gettempdir", lambda: str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    (tmp_path / "package").mkdir()
    source = tmp_path / "package" / "loop.py"
    source.write_text("def add_one(values):\n    for i in range(values.size):\n        values[i] += 1\n")
    return runpy.run_path(str(source))["add_one"]


def compile_and_run(loop):
    values = np.zeros(3)
    run = _jit.compiled(loop, ("out float64",))
    assert run is not None
    run(values)
    np.testing.assert_array_equal(values, [1, 1, 1])


def spoil(folder):
    """Even root cannot make a folder where a file is, unlike in a read-only folder."""
    folder.write_text("")


def cached_in(tmp_path):
    return [path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*.nbi")]


def test_compiled_code_is_cached_beside_its_source(loop, tmp_path):
    compile_and_run(loop)
    assert cached_in(tmp_path) == ["package"]


def test_else_it_is_cached_in_the_user_folder(loop, tmp_path):
    spoil(tmp_path / "package" / "__pycache__")
    compile_and_run(loop)
    assert cached_in(tmp_path) == ["user"]


def test_else_it_is_cached_in_a_private_temporary_folder(loop, tmp_path):
    spoil(tmp_path / "package" / "__pycache__")
    spoil(tmp_path / "user")
    compile_and_run(loop)
    assert cached_in(tmp_path) == ["temporary"]
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "temporary").iterdir()] == [0o700]


def test_a_temporary_folder_that_others_can_write_to_is_not_used(loop, tmp_path):
    spoil(tmp_path / "package" / "__pycache__")
    spoil(tmp_path / "user")
    folder = tmp_path / "temporary" / f"zfed-kernels-{os.getuid()}"
    folder.mkdir()
    folder.chmod(0o777)
    compile_and_run(loop)
    assert cached_in(tmp_path) == []


def test_without_any_place_for_a_cache_it_still_compiles(loop, tmp_path):
    spoil(tmp_path / "package" / "__pycache__")
    spoil(tmp_path / "user")
    (tmp_path / "temporary").rmdir()
    compile_and_run(loop)
    assert cached_in(tmp_path) == []


def test_a_cache_emptied_by_a_power_cut_is_survived(loop, tmp_path):
    compile_and_run(loop)
    for index in tmp_path.rglob("*.nbi"):
        index.write_bytes(b"")
    compile_and_run(loop)


def test_a_kernel_keeps_its_name_and_documentation():
    assert zfed_kernels.scan.__name__ == "scan"
    assert "sum of squares" in zfed_kernels.scan.__doc__
