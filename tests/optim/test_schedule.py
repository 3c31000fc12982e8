"""Schedules at their borders, between them, and as pure functions."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl.optim import Constant, Cosine, MultiStep, WarmUp

EPOCHS = st.floats(0, 300)
RATES = st.floats(1e-5, 1.0)


@given(EPOCHS, RATES)
def test_constant(epoch, lr):
    assert Constant(lr)(epoch) == lr


@given(RATES, st.lists(st.integers(1, 200), max_size=4, unique=True), st.floats(0.05, 0.9))
def test_multi_step_falls_exactly_at_its_milestones(lr, milestones, gamma):
    schedule = MultiStep(lr, milestones, gamma)
    for k, milestone in enumerate(sorted(milestones)):
        assert schedule(math.nextafter(milestone, 0)) == lr * gamma**k
        assert schedule(milestone) == lr * gamma ** (k + 1)


@given(RATES, st.floats(0, 1e-5), st.floats(1, 200), st.floats(0, 1))
def test_cosine(lr, final, epochs, share):
    schedule = Cosine(lr, epochs, final)
    assert schedule(0) == pytest.approx(lr, rel=1e-15)
    assert schedule(epochs) == schedule(2 * epochs) == final
    assert final <= schedule(share * epochs) <= lr * (1 + 1e-15)
    # symmetric about the middle
    assert schedule(share * epochs) + schedule((1 - share) * epochs) == pytest.approx(lr + final, rel=1e-9)


@given(RATES, st.floats(0.5, 20), EPOCHS, st.floats(0, 1))
def test_warm_up_rises_to_the_schedule_and_then_is_the_schedule(lr, epochs, epoch, start):
    inner = Cosine(lr, 300)
    schedule = WarmUp(inner, epochs, start)
    if epoch >= epochs:
        assert schedule(epoch) == pytest.approx(inner(epoch), rel=1e-15)
    else:
        assert start * inner(epoch) <= schedule(epoch) * (1 + 1e-15) <= inner(epoch) * (1 + 1e-14)
    assert schedule(0) == pytest.approx(start * lr, rel=1e-14)


@given(EPOCHS)
def test_pure_and_named_by_value(epoch):
    a, b = WarmUp(MultiStep(0.1, [30, 10]), 5), WarmUp(MultiStep(0.1, (10, 30)), 5)
    assert a(epoch) == a(epoch) == b(epoch)
    assert a == b and repr(a) == repr(b) and " at 0x" not in repr(a)


@pytest.mark.parametrize("make", [lambda e: Cosine(0.1, e), lambda e: WarmUp(Constant(0.1), e)])
@pytest.mark.parametrize("epochs", [0, -1, math.nan, math.inf])
def test_no_epochs_are_refused(make, epochs):
    with pytest.raises(ValueError, match="expected more than 0"):
        make(epochs)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_refused_by_name(bad):
    makers = {
        "Constant got lr": lambda: Constant(bad),
        "MultiStep got lr": lambda: MultiStep(bad, (1,)),
        "MultiStep got gamma": lambda: MultiStep(0.1, (1,), gamma=bad),
        "MultiStep got milestone": lambda: MultiStep(0.1, (1, bad)),
        "Cosine got lr": lambda: Cosine(bad, 10),
        "Cosine got final": lambda: Cosine(0.1, 10, final=bad),
        "WarmUp got start": lambda: WarmUp(Constant(0.1), 5, start=bad),
    }
    for words, make in makers.items():
        with pytest.raises(ValueError, match=f"^{words}={bad}, expected a finite number"):
            make()
