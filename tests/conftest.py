"""Hypothesis profiles, and a guard: no test may leave the grad mode, the backend or the thread count changed."""

import os

import hypothesis
import matplotlib
import pytest

matplotlib.use("Agg")

for name, examples in {"default": 25, "quick": 8, "deep": 300}.items():
    hypothesis.settings.register_profile(
        name, max_examples=examples, deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
    )
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(autouse=True)
def global_state_is_restored():
    import minidl
    from minidl.autograd import is_grad_enabled
    from minidl.kernels.backend import settings

    before = is_grad_enabled(), settings.backend, settings.conv, minidl.get_num_threads()
    yield
    assert (is_grad_enabled(), settings.backend, settings.conv, minidl.get_num_threads()) == before
