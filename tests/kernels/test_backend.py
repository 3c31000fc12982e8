"""Which kernels run: chosen for the process by `use`, put aside for one thread by `here`."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from minidl.kernels.backend import backend, conv_kind, here, use

CHOICES = ["numpy", pytest.param("numba", marks=pytest.mark.skipif(backend() == "numpy", reason="numba is put aside"))]


@pytest.mark.parametrize("chosen", CHOICES)
def test_a_choice_made_here_holds_in_its_own_thread_alone_and_until_its_end(chosen):
    inside, seen = threading.Barrier(2), threading.Barrier(2)

    def look_at_shapes():
        with here("numpy", "exact"):
            inside.wait(10)
            found = backend(), conv_kind()
            seen.wait(10)
        return found, (backend(), conv_kind())

    with use(backend=chosen, conv="fast"), ThreadPoolExecutor(1) as pool:
        other = pool.submit(look_at_shapes)
        inside.wait(10)
        main = backend(), conv_kind()
        seen.wait(10)
        assert main == (chosen, "fast") and other.result() == (("numpy", "exact"), (chosen, "fast"))


def test_a_choice_made_here_ends_with_an_error_and_may_be_nested():
    before = backend()
    with pytest.raises(RuntimeError), here("numpy"):
        with here("numpy", "exact"):
            pass
        assert (backend(), conv_kind()) == ("numpy", "fast")
        raise RuntimeError
    assert backend() == before
