"""The cache of compiled kernels: keyed by what the code depends on, absent where it cannot be written."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

numba = pytest.importorskip("numba")

from minidl.kernels import jit as jit_module  # noqa: E402
from minidl.kernels.jit import cache_folder, cache_key, jit  # noqa: E402

SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from kernels.jit import cache_folder
from kernels.upper import double_sum
print(double_sum(3), cache_folder(), sum(double_sum.stats.cache_hits.values()))
"""


@pytest.fixture
def kernels(tmp_path):
    """A copy of the package's kernels with two small files of its own: `upper` calls `lower`."""
    folder = tmp_path / "kernels"
    folder.mkdir()
    (folder / "__init__.py").touch()
    shutil.copy(jit_module.__file__, folder / "jit.py")
    (folder / "lower.py").write_text("from .jit import jit\n\n\n@jit\ndef double(x):\n    return 2 * x\n")
    (folder / "upper.py").write_text(
        "from .jit import jit\nfrom .lower import double\n\n\n@jit\ndef double_sum(n):\n"
        "    total = 0\n    for i in range(n):\n        total += double(i)\n    return total\n"
    )
    return folder


def run(kernels, **environment):
    """Return what SCRIPT prints in a process of its own: the result, the cache's folder, its hits."""
    import os

    env = {**os.environ, "XDG_CACHE_HOME": str(kernels.parent / "cache"), "NUMBA_CACHE_DIR": "", **environment}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(kernels.parent)], env=env, capture_output=True, text=True, check=True
    )
    result, folder, hits = done.stdout.split()
    return int(result), folder, int(hits)


def test_the_second_process_compiles_nothing(kernels):
    first, second = run(kernels), run(kernels)
    assert (first[0], first[2]) == (6, 0)
    assert second == (6, first[1], 1)


def test_an_edit_of_a_called_file_never_runs_stale_code(kernels):
    before = run(kernels)
    lower = kernels / "lower.py"
    lower.write_text(lower.read_text().replace("2 * x", "5 * x"))
    after = run(kernels)
    assert (before[0], after[0]) == (6, 15)
    assert before[1] != after[1]


def test_another_processor_has_another_folder(kernels):
    assert run(kernels)[1] != run(kernels, NUMBA_CPU_NAME="generic")[1]


def test_a_folder_that_cannot_be_written_means_no_cache(kernels):
    (kernels.parent / "cache").write_text("a file where the folder should be")
    result, folder, _ = run(kernels)
    assert (result, folder) == (6, "None")


def test_numbas_own_setting_is_left_as_it_was():
    before = numba.config.CACHE_DIR
    jit(lambda x: x)
    assert before == numba.config.CACHE_DIR


def test_the_key_is_stable_and_names_the_folder():
    assert cache_key() == cache_key()
    folder = cache_folder()
    assert folder is None or Path(folder).name == cache_key()


def test_compiled_kernels_release_the_gil():
    assert jit(lambda x: x).targetoptions["nogil"] is True
